"""Images over HTTP (contract/images.md, Catalogue and Generations)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

import orjson
from fastapi import Query, Request
from starlette.responses import Response, StreamingResponse

from hamyon.catalog import service as catalog
from hamyon.catalog.errors import ModelNotFound, OptionNotSupported, TooManyReferences
from hamyon.kit.errors import IdempotencyMismatch
from hamyon.kit.web.exchange import Exchange
from hamyon.kit.web.models import JSON, IdempotencyKey, TelegramId
from hamyon.kit.web.paging import Page, PageCursor, PageLimit, decode_cursor, encode_cursor
from hamyon.kit.web.permission import (
    OPEN,
    Service,
    ServiceOrUser,
    User,
    acting_for,
    allow,
    caller_name,
    owner_of,
)
from hamyon.kit.web.routing import (
    RequestFacts,
    Router,
    ServiceOrUserCaller,
    service_or_user_of,
)
from hamyon.ledger.errors import InsufficientFunds
from hamyon.media.errors import UploadNotFound
from hamyon.orders.errors import (
    NotCancelable,
    NotFinished,
    OrderNotFound,
    ProviderUnavailable,
    TooManyActive,
)
from hamyon.orders.service import decide, read
from hamyon.orders.service.settle import CHANNEL
from hamyon.orders.types import Order, OrderId, OrderState
from hamyon.products.images import present, service
from hamyon.products.images.models import (
    ActiveAnswer,
    GenerationAnswer,
    ModelAnswer,
    OwnerBody,
    PriceBody,
    QuoteAnswer,
    ResultsAnswer,
    SubmitAnswer,
    SubmitBody,
)
from hamyon.products.images.types import PRODUCT, Key, Needs, Submitted
from hamyon.users.errors import UserBlocked, UserNotFound

router = Router("/api/v1", tags=["images"])
ORDERS: Final = ServiceOrUser("orders")
SSE_KEEPALIVE_S: Final = 15.0
SUBMIT_REFUSALS: Final = (
    ModelNotFound,
    OptionNotSupported,
    TooManyReferences,
    UploadNotFound,
    UserNotFound,
    UserBlocked,
    TooManyActive,
    InsufficientFunds,
    ProviderUnavailable,
    IdempotencyMismatch,
)

OwnerQuery = Annotated[TelegramId | None, Query()]
StatusQuery = Annotated[list[OrderState] | None, Query(description="Only these states.")]


def _needs(request: Request) -> Needs:
    needs: Needs = request.app.state.deps
    return needs


# --- catalogue ------------------------------------------------------------------------------------


@router.get("/models", response_model=list[ModelAnswer])
@allow(OPEN)
async def list_models(request: Request) -> Response:
    """Every model for sale, with its options and price."""
    needs = _needs(request)
    sales = await catalog.models(needs.pool, needs.catalog)
    return JSON([present.model(sale, needs.engine_for(sale.model.engine).name) for sale in sales])


@router.get("/sizes", response_model=list[str])
@allow(OPEN)
async def list_sizes(request: Request) -> Response:
    """The sizes that models can be asked for."""
    needs = _needs(request)
    sales = await catalog.models(needs.pool, needs.catalog)
    sizes = [
        size
        for sale in sales
        if "size" in sale.model.options
        for size in sale.model.options["size"].values
    ]
    return JSON(list(dict.fromkeys(sizes)))


@router.post("/generations/price", response_model=QuoteAnswer)
@allow(ORDERS, raises=(ModelNotFound, OptionNotSupported, TooManyReferences, UserNotFound))
async def quote_price(request: Request, body: PriceBody, caller: ServiceOrUserCaller) -> Response:
    """What a submit of the same would charge."""
    acting_for(caller, body.telegram_id)
    quote, applies, balance_after = await service.price(_needs(request), body.wish())
    return JSON(
        {
            "asset": quote.asset,
            "amount": quote.amount,
            "trial_applies": applies,
            "balance_after": balance_after,
            "enough": balance_after >= 0,
        }
    )


# --- ordering -------------------------------------------------------------------------------------


@router.post("/generations/submit", status_code=202, response_model=SubmitAnswer)
@allow(ORDERS, raises=SUBMIT_REFUSALS)
async def submit(request: Request, body: SubmitBody, key: IdempotencyKey = None) -> Response:
    """Order a picture. The price is held at once and charged when the picture exists."""
    caller = service_or_user_of(request)
    acting_for(caller, body.telegram_id)
    answer = await service.submit(_needs(request), body.wish(), Key(caller_name(caller), key))
    return _accepted(answer)


@router.post("/generations/{generation_id}/retry", status_code=202, response_model=SubmitAnswer)
@allow(ORDERS, raises=(OrderNotFound, *SUBMIT_REFUSALS))
async def retry(
    request: Request,
    generation_id: UUID,
    body: OwnerBody,
    caller: ServiceOrUserCaller,
    key: IdempotencyKey = None,
) -> Response:
    """Order the same again, at today's price."""
    needs = _needs(request)
    order = await _own(needs, caller, generation_id, body.telegram_id)
    return _accepted(await service.retry(needs, order, Key(caller_name(caller), key)))


def _accepted(answer: Submitted) -> Response:
    return JSON(
        {
            "id": answer.id,
            "status": "queued",
            "model": answer.model,
            "price": {"asset": answer.asset, "amount": answer.amount},
            "trial_used": answer.trial_used,
            "balance": answer.balance,
            "position": answer.position,
            "created_at": answer.created_at,
        },
        202,
    )


# --- looking --------------------------------------------------------------------------------------


@router.get("/generations/active", response_model=ActiveAnswer)
@allow(ORDERS)
async def active(
    request: Request,
    caller: ServiceOrUserCaller,
    facts: RequestFacts,
    telegram_id: OwnerQuery = None,
) -> Response:
    """What is being made for a person now."""
    needs = _needs(request)
    views = await read.history(
        needs.pool, owner_of(caller, telegram_id), product=PRODUCT, states=read.ACTIVE_STATES
    )
    items = [await _shown(needs, view, facts) for view in views]
    return JSON({"has_active": bool(items), "items": items})


@router.get("/generations", response_model=Page[GenerationAnswer])
@allow(ORDERS)
async def history(
    request: Request,
    caller: ServiceOrUserCaller,
    facts: RequestFacts,
    telegram_id: OwnerQuery = None,
    status: StatusQuery = None,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
) -> Response:
    """A person's generations, newest first."""
    needs = _needs(request)
    before = decode_cursor(cursor, UUID)[0] if cursor else None
    owner = owner_of(caller, telegram_id)
    views = await read.history(
        needs.pool, owner, product=PRODUCT, states=status or (), before=before, limit=limit + 1
    )
    items = [await _shown(needs, view, facts) for view in views[:limit]]
    more = encode_cursor(views[limit - 1].order.id) if len(views) > limit else None
    return JSON({"items": items, "next_cursor": more})


@router.get("/generations/{generation_id}", response_model=GenerationAnswer)
@allow(ORDERS, raises=(OrderNotFound,))
async def show(
    request: Request,
    generation_id: UUID,
    caller: ServiceOrUserCaller,
    facts: RequestFacts,
    telegram_id: OwnerQuery = None,
) -> Response:
    """One generation as it stands."""
    needs = _needs(request)
    order = await _own(needs, caller, generation_id, telegram_id)
    return JSON(await _shown(needs, await read.view(needs.pool, order), facts))


@router.post("/generations/{generation_id}/refresh", response_model=GenerationAnswer)
@allow(ORDERS, raises=(OrderNotFound,))
async def refresh(
    request: Request,
    generation_id: UUID,
    body: OwnerBody,
    caller: ServiceOrUserCaller,
    facts: RequestFacts,
) -> Response:
    """Ask the provider once now, at most every two seconds, and show the generation."""
    needs = _needs(request)
    await read.refresh(needs, await _own(needs, caller, generation_id, body.telegram_id))
    order = await _own(needs, caller, generation_id, body.telegram_id)
    return JSON(await _shown(needs, await read.view(needs.pool, order), facts))


@router.get("/generations/{generation_id}/results", response_model=ResultsAnswer)
@allow(ORDERS, raises=(OrderNotFound, NotFinished))
async def show_results(
    request: Request,
    generation_id: UUID,
    caller: ServiceOrUserCaller,
    telegram_id: OwnerQuery = None,
) -> Response:
    """Signed URLs of the pictures, good for an hour."""
    needs = _needs(request)
    order = await _own(needs, caller, generation_id, telegram_id)
    if order.state in read.ACTIVE_STATES:
        raise NotFinished(state=order.state)
    return JSON({"items": present.results(await read.view(needs.pool, order), needs.storage)})


@router.post("/generations/{generation_id}/cancel", response_model=GenerationAnswer)
@allow(ORDERS, raises=(OrderNotFound, NotCancelable))
async def cancel(
    request: Request,
    generation_id: UUID,
    body: OwnerBody,
    caller: ServiceOrUserCaller,
    facts: RequestFacts,
) -> Response:
    """Stop it: at once while it waits, by the provider while it runs, where the provider can."""
    needs = _needs(request)
    await decide.cancel(needs, await _own(needs, caller, generation_id, body.telegram_id))
    order = await _own(needs, caller, generation_id, body.telegram_id)
    return JSON(await _shown(needs, await read.view(needs.pool, order), facts))


@router.get("/generations/{generation_id}/events", response_class=StreamingResponse)
@allow(ORDERS, raises=(OrderNotFound,))
async def events(
    request: Request,
    generation_id: UUID,
    caller: ServiceOrUserCaller,
    facts: RequestFacts,
    telegram_id: OwnerQuery = None,
) -> Response:
    """Server-sent events: the generation at once, and again whenever it moves, until it ends."""
    needs = _needs(request)
    order = await _own(needs, caller, generation_id, telegram_id)
    return StreamingResponse(
        _stream(needs, order, facts),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(needs: Needs, order: Order, facts: Exchange) -> AsyncIterator[bytes]:
    async with needs.signals.watch(CHANNEL, str(order.id).__eq__) as watch:
        shown = None
        while True:
            order = await read.own_order(needs.pool, order.id, order.user_id)
            if order.state is not shown:
                shown = order.state
                body = JSON(await _shown(needs, await read.view(needs.pool, order), facts)).body
                yield b"event: status\ndata: " + bytes(body) + b"\n\n"
            if order.settled_at is not None:
                yield b"event: end\ndata: " + orjson.dumps({"status": shown}) + b"\n\n"
                return
            # Also without a signal it looks again: signals may be lost, the order is not.
            if await watch.next(SSE_KEEPALIVE_S) is None:
                yield b": still here\n\n"


async def _own(
    needs: Needs, caller: Service | User, generation_id: UUID, telegram_id: int | None
) -> Order:
    order = await read.own_order(needs.pool, OrderId(generation_id), owner_of(caller, telegram_id))
    if order.product != PRODUCT:
        raise OrderNotFound
    return order


async def _shown(needs: Needs, view: read.OrderView, facts: Exchange) -> dict[str, object]:
    try:
        sale = await catalog.get_model(needs.pool, needs.catalog, view.order.model_key)
        eta = (sale.model.duration_min_s, sale.model.duration_max_s)
    except ModelNotFound:
        eta = (0, 0)  # It is no longer for sale; the order goes on all the same.
    return present.generation(view, needs.storage, facts.language, eta)
