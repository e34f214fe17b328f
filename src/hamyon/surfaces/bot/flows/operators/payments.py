"""Payments: what people paid, giving it back, and asking the vendor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hamyon.kit.texts import Markup
from hamyon.kit.web.permission import Role
from hamyon.ledger import service as ledger
from hamyon.messages.types import Button
from hamyon.payments.errors import (
    GatewayUnavailable,
    PartialRefundUnsupported,
    PaymentNotFound,
    PaymentNotRefundable,
    PaymentRefundTooLarge,
)
from hamyon.payments.service import read
from hamyon.payments.types import Payment, PaymentId, PaymentState
from hamyon.payments.types.payment import share
from hamyon.surfaces.admin.payments import PaymentRefundRequest, recheck_payment, refund_payment
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
from hamyon.surfaces.bot.flows.operators.money import paid, paid_for, scale_of
from hamyon.surfaces.bot.phrases import amount, day, paragraphs, time_of_day
from hamyon.surfaces.bot.pictures.lengths import cut
from hamyon.users.service import people

LIGHTS: Final = {
    PaymentState.CREATED: "⚪",
    PaymentState.PENDING: "🕓",
    PaymentState.PAID: "🟢",
    PaymentState.CANCELED: "⚫",
    PaymentState.REFUNDING: "↩️",
    PaymentState.PARTIALLY_REFUNDED: "↩️",
    PaymentState.REFUNDED: "↩️",
}


# --- looking --------------------------------------------------------------------------------------


async def every(desk: Desk, of: str) -> Shown:
    """The newest payments, of everybody or of one person."""
    wanted = read.Wanted(user_id=int(of) if of else None)
    page = await read.page(desk.needs.pool, wanted, limit=LIST_MAX)
    rows = [[_button(desk, payment)] for payment in page.payments]
    key = "payments.title" if rows else "payments.none"
    other = desk.see(desk.word("payments.button_person"), "users")
    last = [desk.back("user", of)] if of else [other, desk.back()]
    return Shown(desk.say(key), [*rows, last])


def _button(desk: Desk, payment: Payment) -> Button:
    zone = desk.needs.settings.zone
    at = f"{day(desk.language, payment.created_at, zone)} {time_of_day(payment.created_at, zone)}"
    label = f"{LIGHTS[payment.state]} {paid_for(desk, payment)} · {payment.user_id} · {at}"
    return desk.see(label, "payment", payment.id)


async def card(desk: Desk, of: str) -> Shown:
    payment = await read.payment(desk.needs.pool, _id(of))
    left = (payment.paid_minor or 0) - payment.refunded_minor
    rows = rows_of(
        desk.do("payment_refund", of) if left > 0 and desk.may(Role.FINANCE) else None,
        desk.do("payment_recheck", of) if desk.may(Role.FINANCE) else None,
        desk.see(desk.word("button_person"), "user", payment.user_id),
    )
    return Shown(await _card(desk, payment), [*rows, [desk.back("payments")]])


async def _card(desk: Desk, payment: Payment) -> str:
    user = await people.profile(desk.needs.pool, payment.user_id)
    language, zone = desk.language, desk.needs.settings.zone
    given = payment.amount if payment.granted is None else payment.granted
    refunded = desk.say(
        "payments.line_refunded",
        refunded=paid(desk, payment.currency, payment.refunded_minor),
        taken=amount(language, payment.asset, payment.taken_back),
    )
    return paragraphs(
        desk.say(
            "payments.line_card",
            light=LIGHTS[payment.state],
            price=paid_for(desk, payment),
            state=desk.word(f"payments.label_{payment.state}"),
            gateway=payment.gateway,
            name=name_of(user),
            telegram_id=user.id,
            given=amount(language, payment.asset, given),
            at=f"{day(language, payment.created_at, zone)} {time_of_day(payment.created_at, zone)}",
            payment_id=str(payment.id),
            charge_id=cut(payment.external_id or "–", WORDS_MAX),
        ),
        refunded if payment.refunded_minor else None,
    )


def _id(of: str) -> PaymentId:
    try:
        return PaymentId(UUID(of))
    except ValueError:
        raise PaymentNotFound from None


# --- giving back ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Refund:
    """What a refund would do, as far as it can be known before."""

    payment: Payment
    amount_minor: int
    taken: int
    debt: int


async def _foreseen(desk: Desk, wish: Wish) -> _Refund:
    """Refuses what the refund itself would refuse; what it takes, it decides under its locks."""
    payment = await read.payment(desk.needs.pool, _id(wish.of))
    if payment.paid_minor is None or payment.granted is None:
        raise PaymentNotRefundable(status=payment.state)
    gateway = desk.needs.gateways.get(payment.gateway)
    if gateway is None or not gateway.is_connected:
        raise GatewayUnavailable(gateway=payment.gateway)
    left = payment.paid_minor - payment.refunded_minor
    wanted = left if wish.amount is None else wish.amount
    if not 0 < wanted <= left:
        raise PaymentRefundTooLarge(left=_typed(desk, payment, left))
    if wanted != payment.paid_minor and not gateway.refunds_parts:
        raise PartialRefundUnsupported(whole=_typed(desk, payment, payment.paid_minor))
    target = share(payment.granted, payment.refunded_minor + wanted, payment.paid_minor)
    taken = max(target - payment.taken_back, 0)
    wallet = await ledger.balance(desk.needs.pool, payment.user_id, payment.asset)
    available = wallet.available if wallet is not None else 0
    return _Refund(payment, wanted, taken, max(taken - available, 0))


def _typed(desk: Desk, payment: Payment, minor: int) -> str:
    return paid(desk, payment.currency, minor)


async def _plan_refund(desk: Desk, wish: Wish) -> str:
    foreseen = await _foreseen(desk, wish)
    payment, language = foreseen.payment, desk.language
    user = await people.profile(desk.needs.pool, payment.user_id)
    debt = desk.say("payment_refund.line_debt", debt=amount(language, payment.asset, foreseen.debt))
    return desk.say(
        "payment_refund.plan",
        refund=paid(desk, payment.currency, foreseen.amount_minor),
        price=paid_for(desk, payment),
        name=name_of(user),
        telegram_id=user.id,
        taken=amount(language, payment.asset, foreseen.taken),
        debt=debt if foreseen.debt else Markup(""),
        reason=wish.why,
    )


async def _refund(desk: Desk, wish: Wish) -> Shown:
    body = PaymentRefundRequest(reason=wish.why, amount=wish.amount)
    made = await refund_payment(_id(wish.of), body, wish.key, desk.acting, desk.needs)
    payment = await read.payment(desk.needs.pool, _id(wish.of))
    html = desk.say(
        "payment_refund.done",
        refunded=paid(desk, payment.currency, made.refunded),
        taken=amount(desk.language, payment.asset, made.clawed_back),
        debt=amount(desk.language, payment.asset, made.debt),
        state=desk.word(f"payments.label_{made.state}"),
    )
    return Shown(html, [[desk.back("payment", wish.of)]])


async def _scale(desk: Desk, wish: Wish) -> int:
    payment = await read.payment(desk.needs.pool, _id(wish.of))
    return scale_of(desk, payment.currency)


# --- asking the vendor ----------------------------------------------------------------------------


async def _plan_recheck(desk: Desk, wish: Wish) -> str:
    payment = await read.payment(desk.needs.pool, _id(wish.of))
    return desk.say(
        "payment_recheck.plan",
        gateway=payment.gateway,
        price=paid_for(desk, payment),
        state=desk.word(f"payments.label_{payment.state}"),
    )


async def _recheck(desk: Desk, wish: Wish) -> Shown:
    found = await recheck_payment(_id(wish.of), desk.acting, desk.needs)
    html = desk.say("payment_recheck.done", state=desk.word(f"payments.label_{found.state}"))
    return Shown(html, [[desk.back("payment", wish.of)]])


SCREENS: Final = {
    "payments": Screen(Role.SUPPORT, every),
    "payment": Screen(Role.SUPPORT, card),
}
ACTS: Final = {
    "payment_refund": Act(Role.FINANCE, _plan_refund, _refund, (Ask.PART, Ask.REASON), _scale),
    "payment_recheck": Act(Role.FINANCE, _plan_recheck, _recheck),
}
COMMANDS: Final = {"admin_payments": "payments"}
