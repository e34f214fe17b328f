"""From a draft to an order: once, however often the button's press arrives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from hamyon.catalog.errors import ModelNotFound, TooManyReferences
from hamyon.kit.db import transaction
from hamyon.kit.errors import HamyonError
from hamyon.orders.service import read
from hamyon.orders.types import OrderId
from hamyon.products.images import service as images
from hamyon.products.images.errors import PriceChanged
from hamyon.products.images.types import PRODUCT, Key
from hamyon.surfaces.bot.draft import Draft
from hamyon.surfaces.bot.memory import remember_choices
from hamyon.surfaces.bot.pictures.offers import choices_of, offer, wish
from hamyon.surfaces.bot.pictures.status import EVERY_S, watch
from hamyon.surfaces.bot.pictures.types import Offer
from hamyon.surfaces.bot.store import drafts as store
from hamyon.surfaces.bot.types import Chat, Needs

CALLER = "bot"
LOOK_BACK = 20
"""Among so many of a person's last orders one is found whose press broke off."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the order's status stands, and its result comes: under the wish, in its topic."""

    chat_id: int
    status_message_id: int
    reply_to_message_id: int | None = None
    message_thread_id: int | None = None

    def deliver(self) -> Mapping[str, object]:
        """As an order keeps it."""
        named: dict[str, object] = {
            "chat_id": self.chat_id,
            "reply_to_message_id": self.reply_to_message_id,
            "status_message_id": self.status_message_id,
        }
        if self.message_thread_id is not None:
            named["message_thread_id"] = self.message_thread_id
        return named


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order, and what was set aside for it."""

    id: OrderId
    asset: str
    amount: int
    is_free: bool


async def order(
    needs: Needs, chat: Chat, draft: Draft, destination: Destination, *, shown_amount: int
) -> Ordered:
    """Order the draft for the amount that its button showed; 0: by the trial, or not at all.

    The key is the draft's own: a press that comes again gets the order that it made. Raises
    PriceChanged when another amount is due now, and whatever ``images.submit`` refuses.
    """
    if draft.order_id is not None:
        return await _known(needs, draft, draft.order_id)
    found = await offer(needs, draft)
    try:
        if _due(draft, found) != shown_amount:
            raise PriceChanged
        submitted = await images.submit(
            needs,
            replace(
                wish(draft, found.options, destination.deliver()),
                expected_amount=shown_amount,
            ),
            Key(caller=CALLER, key=f"draft:{draft.id}:{draft.attempt}"),
        )
    except HamyonError as refusal:
        # The order of a press that broke off may be why: it took the trial, or another value was
        # chosen since.
        return await _made_before(needs, draft, destination, refusal)
    await _write_down(needs, draft, submitted.id, destination)
    await remember_choices(needs, draft.user_id, choices_of(chat, draft, found.options))
    return Ordered(submitted.id, submitted.asset, submitted.amount, submitted.trial_used)


def _due(draft: Draft, found: Offer) -> int:
    if found.sale is None:
        raise ModelNotFound(model=draft.model_key)
    if found.cost is None:
        limit = found.sale.model.max_references
        raise TooManyReferences(limit=limit, given=len(draft.references))
    return found.cost.due


async def _known(needs: Needs, draft: Draft, order_id: UUID) -> Ordered:
    made = await read.own_order(needs.pool, OrderId(order_id), draft.user_id)
    return Ordered(made.id, made.asset, made.price, made.trial)


async def _made_before(
    needs: Needs, draft: Draft, destination: Destination, refusal: HamyonError
) -> Ordered:
    """The order that this very panel shows. Raises ``refusal`` when there is none."""
    views = await read.history(needs.pool, draft.user_id, product=PRODUCT, limit=LOOK_BACK)
    for view in views:
        deliver = view.order.deliver or {}
        told = (deliver.get("chat_id"), deliver.get("status_message_id"))
        if told == (destination.chat_id, destination.status_message_id):
            await _write_down(needs, draft, view.order.id, destination)
            return await _known(needs, draft, view.order.id)
    raise refusal


async def _write_down(
    needs: Needs, draft: Draft, order_id: OrderId, destination: Destination
) -> None:
    """The draft is this order from now on, and its status is kept fresh."""
    async with transaction(needs.pool) as connection:
        await store.set_order(connection, draft.id, order_id, destination.status_message_id)
        await watch(connection, order_id, step=0, shown="", delay_s=EVERY_S)
