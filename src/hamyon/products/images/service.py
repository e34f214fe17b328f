"""From a prompt to an order, in the order in which it happens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson

from hamyon.catalog import service as catalog
from hamyon.catalog.errors import ModelNotFound, OptionNotSupported, TooManyReferences
from hamyon.catalog.types import ModelForSale, Quote
from hamyon.kit import store as kit_store
from hamyon.kit.db import with_retries
from hamyon.kit.ids import new_id
from hamyon.ledger import service as ledger
from hamyon.media import service as media
from hamyon.media.errors import UploadNotFound
from hamyon.media.types import UploadId
from hamyon.orders.errors import OrderNotFound, ProviderUnavailable
from hamyon.orders.types import Engine, Order, OrderId
from hamyon.products.images import store
from hamyon.products.images.errors import PriceChanged
from hamyon.products.images.types import PRODUCT, Due, Key, Needs, Submit, Submitted
from hamyon.rewards import service as rewards
from hamyon.users.service import people

CLOSED_DOORS = (
    ModelNotFound,
    OptionNotSupported,
    TooManyReferences,
    UploadNotFound,
    ProviderUnavailable,
)
"""What is refused before the database sees the key of idempotency."""


async def submit(needs: Needs, wish: Submit, key: Key) -> Submitted:
    """Order a picture: hold its price, or use the trial, and queue the work.

    Raises ModelNotFound, OptionNotSupported, TooManyReferences, UploadNotFound, UserNotFound,
    UserBlocked, TooManyActive, InsufficientFunds, ProviderUnavailable, IdempotencyMismatch, and
    PriceChanged for another price than ``wish.expected_amount``; in each case nothing is held and
    nothing is left behind.
    """
    try:
        facts = await _open_order(needs, wish, key)
    except PriceChanged:
        # This process had not heard yet of the new price: look again, once.
        catalog.forget_models(needs.catalog)
        facts = await _open_order(needs, wish, key)
    except CLOSED_DOORS:
        # The order may exist already: then its answer is due, whatever is closed by now.
        first = await _first_answer(needs, wish, key)
        if first is None:
            raise
        facts = first
    if not facts.get("replayed"):
        needs.waker.wake()
    balance = facts["balance"]
    if balance is None:
        # A free order holds nothing, so the database did not look at the wallet.
        wallet = await ledger.balance(needs.pool, wish.user_id, facts["asset"])
        balance = wallet.available if wallet else 0
    return Submitted(
        id=OrderId(UUID(facts["id"])),
        model=wish.model,
        asset=facts["asset"],
        amount=facts["amount"],
        trial_used=facts["trial_used"],
        balance=balance,
        position=facts["position"],
        created_at=datetime.fromisoformat(facts["created_at"]),
    )


async def _first_answer(needs: Needs, wish: Submit, key: Key) -> dict[str, Any] | None:
    """What the key was answered at the first time; None for a new one, which stays unclaimed."""
    if key.key is None:
        return None
    async with needs.pool.acquire() as connection:
        looking = connection.transaction()
        await looking.start()
        try:
            answer = await kit_store.claim_key(
                connection,
                caller=key.caller,
                user_id=wish.user_id,
                route=key.route,
                key=key.key,
                input_hash=input_hash(wish),
            )
        finally:
            await looking.rollback()
    return None if answer is None else {**answer, "replayed": True}


async def _open_order(needs: Needs, wish: Submit, key: Key) -> dict[str, Any]:
    sale = await catalog.get_model(needs.pool, needs.catalog, wish.model)
    options = catalog.choose_options(sale.model, wish.options)
    quote = catalog.quote(sale, options, len(wish.references))
    if wish.expected_amount and quote.amount != wish.expected_amount:
        raise PriceChanged
    engine = await open_engine(needs, sale)
    references = await _references(needs, wish)
    position = await needs.waiting.position(needs.pool)
    order_id, job_id = new_id(), new_id()

    async def attempt() -> dict[str, Any]:
        return await store.submit(
            needs.pool,
            caller=key.caller,
            route=key.route,
            key=key.key,
            input_hash=input_hash(wish),
            order_id=order_id,
            job_id=job_id,
            user_id=wish.user_id,
            model_key=sale.model.key,
            engine=engine.name,
            provider_path=sale.model.path(len(references)),
            order_input={"prompt": wish.prompt, "options": options, "references": references},
            upload_ids=sorted(set(wish.references)),
            asset=quote.asset,
            price=quote.amount,
            price_id=quote.price_id,
            trial_limit=needs.settings.trial_generations_limit if wish.use_trial else 0,
            deliver=wish.deliver,
            deadline_s=sale.model.deadline_s,
            active_max=needs.settings.max_parallel_generations_per_user,
            position=position,
            free_only=wish.expected_amount == 0,
        )

    return await with_retries(attempt)


def input_hash(wish: Submit) -> bytes:
    """What makes two submits of one key the same."""
    return hashlib.sha256(
        orjson.dumps(
            [wish.model, wish.prompt, wish.options, wish.references, wish.use_trial, wish.deliver],
            default=list,
            option=orjson.OPT_SORT_KEYS,
        )
    ).digest()


async def open_engine(needs: Needs, sale: ModelForSale) -> Engine:
    """The engine that will work on it. Raises ProviderUnavailable while it takes no work."""
    engine = needs.engine_for(sale.model.engine)
    closed_s = await needs.outages.closed_for_s(engine.name)
    if closed_s > 0:
        raise ProviderUnavailable(model=sale.model.key, retry_after_s=max(1, round(closed_s)))
    return engine


async def _references(needs: Needs, wish: Submit) -> Sequence[Mapping[str, object]]:
    """The pictures in the person's own order. Raises UploadNotFound for foreign and absent ones."""
    if not wish.references:
        return []
    ids = [UploadId(reference) for reference in wish.references]
    found = await media.get_own(needs.pool, wish.user_id, ids, now=needs.clock.now())
    return [
        {
            "upload_id": str(upload.id),
            "path": upload.path,
            "mime": upload.mime,
            "bytes": upload.bytes,
        }
        for upload in found
    ]


async def price(needs: Needs, wish: Submit) -> tuple[Quote, bool, int]:
    """What ``submit`` would charge: the quote, whether the trial pays it, the balance afterwards.

    The balance is negative by what is missing.
    """
    quote, found = await _look(needs, wish)
    return quote, found.is_free, found.balance_after


async def due(needs: Needs, wish: Submit) -> Due:
    """What ``submit`` would charge, and how often the trial would pay it."""
    return (await _look(needs, wish))[1]


async def _look(needs: Needs, wish: Submit) -> tuple[Quote, Due]:
    await people.require_active(needs.pool, wish.user_id)
    sale = await catalog.get_model(needs.pool, needs.catalog, wish.model)
    options = catalog.choose_options(sale.model, wish.options)
    quote = catalog.quote(sale, options, len(wish.references))
    limit = needs.settings.trial_generations_limit
    trial = await rewards.trial(needs.pool, wish.user_id, PRODUCT, limit=limit)
    applies = wish.use_trial and trial.remaining > 0
    wallet = await ledger.balance(needs.pool, wish.user_id, quote.asset)
    available = wallet.available if wallet else 0
    after = available - (0 if applies else quote.amount)
    return quote, Due(quote.asset, quote.amount, applies, trial.remaining, after)


async def retry(needs: Needs, order: Order, key: Key) -> Submitted:
    """A new order with the same input, at today's price. Raises as ``submit`` does."""
    if order.product != PRODUCT:
        raise OrderNotFound
    given = cast("Mapping[str, Any]", order.input)
    wish = Submit(
        user_id=order.user_id,
        model=order.model_key,
        prompt=given["prompt"],
        options=given["options"],
        references=[UUID(reference["upload_id"]) for reference in given["references"]],
        use_trial=True,
        deliver=order.deliver,
    )
    return await submit(needs, wish, replace(key, route=f"images.retry:{order.id}"))
