"""YooKassa's payments, refunds and lists, read strictly: what cannot be booked is no fact."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from hamyon.payments.types.gateway import (
    Charge,
    ChargeState,
    PaymentId,
    RefundId,
    RefundMade,
    RefundState,
)
from hamyon.providers.yookassa.amounts import minor_of

PAYMENT_KEY: Final = "payment_id"
REFUND_KEY: Final = "refund_id"
"""Names in the vendor's ``metadata``, for what is ours."""

_ID: Final = re.compile(r"[0-9a-zA-Z-]{1,64}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_CHARGE_STATES: Final = {
    "pending": ChargeState.PENDING,
    # We ask for capture at once, so that this is on its way; the vendor ends it by itself.
    "waiting_for_capture": ChargeState.PENDING,
    "succeeded": ChargeState.PAID,
    "canceled": ChargeState.CANCELED,
}
_REFUND_STATES: Final = {
    "pending": RefundState.PENDING,
    "succeeded": RefundState.DONE,
    "canceled": RefundState.FAILED,
}


class Unusable(Exception):
    """The vendor's object lacks something that counts. The message is for operators."""


def is_id(value: object) -> bool:
    """Whether it can be one of the vendor's ids."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def charge_of(data: Mapping[str, object]) -> Charge:
    """A payment. Raises Unusable."""
    state = _CHARGE_STATES.get(str(data.get("status")))
    if state is None:
        raise Unusable("a payment without a status that we know")
    if state is ChargeState.PAID and data.get("paid") is not True:
        raise Unusable("a payment that succeeded and is not paid")
    amount_minor, currency = _money(data)
    ours = our_id(data, PAYMENT_KEY)
    return Charge(
        external_id=_vendor_id(data, "id"),
        state=state,
        amount_minor=amount_minor,
        currency=currency,
        at=_time(data),
        payment_id=None if ours is None else PaymentId(ours),
        cancel_reason=_reason(data) if state is ChargeState.CANCELED else None,
    )


def refund_of(data: Mapping[str, object]) -> RefundMade:
    """A refund. Raises Unusable."""
    state = _REFUND_STATES.get(str(data.get("status")))
    if state is None:
        raise Unusable("a refund without a status that we know")
    amount_minor, currency = _money(data)
    ours = our_id(data, REFUND_KEY)
    return RefundMade(
        external_id=_vendor_id(data, "id"),
        charge_id=_vendor_id(data, "payment_id"),
        state=state,
        amount_minor=amount_minor,
        currency=currency,
        at=_time(data),
        refund_id=None if ours is None else RefundId(ours),
        reason=_reason(data) if state is RefundState.FAILED else None,
    )


def page_of(data: Mapping[str, object]) -> tuple[Sequence[Mapping[str, object]], str | None]:
    """A list's objects, and the cursor of its next page. Raises Unusable."""
    items, cursor = data.get("items"), data.get("next_cursor")
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise Unusable("a list without objects")
    if cursor is not None and not isinstance(cursor, str):
        raise Unusable("a list with a cursor that is no text")
    return items, cursor or None


def confirmation_url_of(data: Mapping[str, object]) -> str | None:
    """Where a payment that waits for its payer is paid."""
    confirmation = data.get("confirmation")
    url = confirmation.get("confirmation_url") if isinstance(confirmation, Mapping) else None
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else None


def may_have_refunds(data: Mapping[str, object]) -> bool:
    """Whether a payment says that something of it was given back."""
    refunded = data.get("refunded_amount")
    return refunded is not None and not (
        isinstance(refunded, Mapping) and minor_of(refunded.get("value")) == 0
    )


def our_id(data: Mapping[str, object], name: str) -> UUID | None:
    """What of ours an object carries in its ``metadata``, written as we write it."""
    metadata = data.get("metadata")
    value = metadata.get(name) if isinstance(metadata, Mapping) else None
    if not isinstance(value, str):
        return None
    try:
        parsed = UUID(value)
    except ValueError:
        return None
    return parsed if str(parsed) == value else None


def _money(data: Mapping[str, object]) -> tuple[int, str]:
    amount = data.get("amount")
    given = amount if isinstance(amount, Mapping) else {}
    minor, currency = minor_of(given.get("value")), given.get("currency")
    if not minor or not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise Unusable("an amount that cannot be booked")
    return minor, currency


def _vendor_id(data: Mapping[str, object], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not is_id(value):
        raise Unusable(f"no usable {name}")
    return value


def _time(data: Mapping[str, object]) -> datetime:
    try:
        at = datetime.fromisoformat(str(data.get("created_at")))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Unusable("no usable created_at")
    return at


def _reason(data: Mapping[str, object]) -> str | None:
    details = data.get("cancellation_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    return reason[:100] if isinstance(reason, str) else None
