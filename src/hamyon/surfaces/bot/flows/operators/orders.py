"""Orders: those that wait for a decision, and giving charges back."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from hamyon.kit.texts import Markup
from hamyon.kit.web.permission import Role
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.messages.types import Button
from hamyon.orders.errors import NotInReview, NotRefundable, OrderNotFound, RefundTooLarge
from hamyon.orders.service import overview
from hamyon.orders.service.overview import OperatorsView
from hamyon.orders.types import Order, OrderId, OrderState
from hamyon.surfaces.admin.orders import (
    RefundRequest,
    ResolveRequest,
    refund_order,
    resolve_order,
)
from hamyon.surfaces.bot.flows.operators.acts import Act, Ask, Wish
from hamyon.surfaces.bot.flows.operators.desk import (
    LIST_MAX,
    WORDS_MAX,
    Desk,
    Screen,
    Shown,
    name_of,
    rows_of,
)
from hamyon.surfaces.bot.phrases import amount, day, number, paragraphs, time_of_day
from hamyon.surfaces.bot.pictures.lengths import cut
from hamyon.users.service import people

LIGHTS: Final = {
    OrderState.QUEUED: "🕓",
    OrderState.RUNNING: "🕓",
    OrderState.REVIEW: "🔎",
    OrderState.COMPLETED: "🟢",
    OrderState.FAILED: "🔴",
    OrderState.CANCELED: "⚫",
}
JOBS_MAX: Final = 6


# --- looking --------------------------------------------------------------------------------------


async def review(desk: Desk, of: str) -> Shown:
    """What waits for a person's decision."""
    views, _ = await overview.in_state(
        desk.needs.pool, OrderState.REVIEW, before=None, limit=LIST_MAX
    )
    rows = [[_button(desk, view.order)] for view in views]
    key = "orders.title" if rows else "orders.none_waits"
    return Shown(desk.say(key), [*rows, [desk.back()]])


async def of_person(desk: Desk, of: str) -> Shown:
    """One person's newest orders."""
    views = await overview.recent(desk.needs.pool, int(of), limit=LIST_MAX)
    rows = [[_button(desk, view.order)] for view in views]
    key = "orders.title_person" if rows else "orders.none"
    return Shown(desk.say(key), [*rows, [desk.back("user", of)]])


def _button(desk: Desk, order: Order) -> Button:
    zone = desk.needs.settings.zone
    at = f"{day(desk.language, order.created_at, zone)} {time_of_day(order.created_at, zone)}"
    price = amount(desk.language, order.asset, order.price)
    label = f"{LIGHTS[order.state]} {order.model_key} · {price} · {at}"
    return desk.see(label, "order", order.id)


async def card(desk: Desk, of: str) -> Shown:
    view = await overview.view(desk.needs.pool, _id(of))
    order = view.order
    in_review, finance = order.state is OrderState.REVIEW, desk.may(Role.FINANCE)
    rows = rows_of(
        desk.do("order_charge", of) if in_review and finance else None,
        desk.do("order_release", of) if in_review and finance else None,
        desk.do("order_refund", of) if order.charged and finance else None,
        desk.see(desk.word("button_person"), "user", order.user_id),
    )
    return Shown(await _card(desk, view), [*rows, [desk.back("orders")]])


async def _card(desk: Desk, view: OperatorsView) -> str:
    order, language, zone = view.order, desk.language, desk.needs.settings.zone
    user = await people.profile(desk.needs.pool, order.user_id)
    prompt = order.input.get("prompt")
    charged = "–" if order.charged is None else amount(language, order.asset, order.charged)
    jobs = [
        desk.say(
            "orders.line_job",
            state=job.state,
            engine=job.engine,
            provider_job_id=job.provider_job_id or "–",
            outputs=number(language, job.outputs),
        )
        for job in view.jobs[:JOBS_MAX]
    ]
    error = order.error_message or order.error_code
    return paragraphs(
        desk.say(
            "orders.line_card",
            light=LIGHTS[order.state],
            model=order.model_key,
            state=desk.word(f"orders.label_{order.state}"),
            name=name_of(user),
            telegram_id=user.id,
            price=amount(language, order.asset, order.price),
            charged=charged,
            at=f"{day(language, order.created_at, zone)} {time_of_day(order.created_at, zone)}",
            order_id=str(order.id),
        ),
        desk.say("orders.line_prompt", prompt=cut(prompt, WORDS_MAX))
        if isinstance(prompt, str) and prompt
        else None,
        desk.say("orders.line_error", error=cut(error, WORDS_MAX)) if error else None,
        "\n".join(jobs),
    )


def _id(of: str) -> OrderId:
    try:
        return OrderId(UUID(of))
    except ValueError:
        raise OrderNotFound from None


# --- deciding -------------------------------------------------------------------------------------


async def _plan_resolve(desk: Desk, wish: Wish) -> str:
    view = await overview.view(desk.needs.pool, _id(wish.of))
    order = view.order
    if order.state is not OrderState.REVIEW:
        raise NotInReview(state=order.state)
    user = await people.profile(desk.needs.pool, order.user_id)
    return desk.say(
        f"{wish.act}.plan",
        name=name_of(user),
        telegram_id=user.id,
        model=order.model_key,
        price=amount(desk.language, order.asset, order.price),
        outputs=number(desk.language, sum(job.outputs for job in view.jobs)),
        reason=wish.why,
    )


async def _charge(desk: Desk, wish: Wish) -> Shown:
    return await _resolve(desk, wish, ResolveRequest(decision="charge", note=wish.why))


async def _release(desk: Desk, wish: Wish) -> Shown:
    return await _resolve(desk, wish, ResolveRequest(decision="release", note=wish.why))


async def _resolve(desk: Desk, wish: Wish, body: ResolveRequest) -> Shown:
    made = await resolve_order(_id(wish.of), body, wish.key, desk.acting, desk.needs)
    html = desk.say(
        f"{wish.act}.done",
        state=desk.word(f"orders.label_{made.status}"),
        charged=amount(desk.language, made.asset, made.charged or 0),
    )
    return Shown(html, [[desk.back("orders")]])


# --- giving back ----------------------------------------------------------------------------------


async def _plan_refund(desk: Desk, wish: Wish) -> str:
    order = (await overview.view(desk.needs.pool, _id(wish.of))).order
    if order.settled_at is None or not order.charged:
        raise NotRefundable(status=order.state)
    before = await ledger.transferred(
        desk.needs.pool, reference=str(order.id), kind=TransferKind.REFUND
    )
    left = order.charged - before
    wanted = left if wish.amount is None else wish.amount
    if not 0 < wanted <= left:
        raise RefundTooLarge(amount=wanted, left=left)
    user = await people.profile(desk.needs.pool, order.user_id)
    language = desk.language
    earlier = desk.say("order_refund.line_before", before=amount(language, order.asset, before))
    return desk.say(
        "order_refund.plan",
        refund=amount(language, order.asset, wanted),
        charged=amount(language, order.asset, order.charged),
        before=Markup("\n" + earlier if before else ""),
        name=name_of(user),
        telegram_id=user.id,
        reason=wish.why,
    )


async def _refund(desk: Desk, wish: Wish) -> Shown:
    body = RefundRequest(reason=wish.why, amount=wish.amount)
    made = await refund_order(_id(wish.of), body, wish.key, desk.acting, desk.needs)
    html = desk.say(
        "order_refund.done",
        refund=amount(desk.language, made.asset, made.amount),
        left=amount(desk.language, made.asset, made.left),
        transfer_id=made.transfer_id,
    )
    return Shown(html, [[desk.back("order", wish.of)]])


SCREENS: Final = {
    "orders": Screen(Role.FINANCE, review),
    "user_orders": Screen(Role.SUPPORT, of_person),
    "order": Screen(Role.SUPPORT, card),
}
ACTS: Final = {
    "order_charge": Act(Role.FINANCE, _plan_resolve, _charge, (Ask.REASON,)),
    "order_release": Act(Role.FINANCE, _plan_resolve, _release, (Ask.REASON,)),
    "order_refund": Act(Role.FINANCE, _plan_refund, _refund, (Ask.PART, Ask.REASON)),
}
COMMANDS: Final = {"admin_orders": "orders"}
