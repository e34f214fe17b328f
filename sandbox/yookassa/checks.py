"""What a request for a payment or a refund must look like.

Limits are the vendor's; descriptions of refusals are ours where it documents none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sandbox.yookassa.amounts import parse_amount
from sandbox.yookassa.envelope import RefusedError, invalid

METADATA_KEYS_MAX, METADATA_NAME_MAX, METADATA_VALUE_MAX = 16, 32, 512
PAYMENT_DESCRIPTION_MAX, REFUND_DESCRIPTION_MAX = 128, 250
RETURN_URL_MAX = 2048
CUSTOMER_ID_MAX = 200
RECEIPT_ITEMS_MAX = 100
ITEM_DESCRIPTION_MAX = 128
REFUND_MINOR_MIN = 100
ID_LENGTH = 36

_QUANTITY = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+?[0-9]{10,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class WantedPayment:
    """A request for a payment that is in order."""

    amount_minor: int
    return_url: str
    captures_itself: bool
    description: str | None
    metadata: Mapping[str, str]
    merchant_customer_id: str | None
    has_receipt: bool
    method: str


@dataclass(frozen=True, slots=True)
class WantedRefund:
    """A request for a refund that is in order, as far as it alone tells."""

    payment_id: str
    amount_minor: int
    description: str | None
    metadata: Mapping[str, str]


def check_payment(
    body: Mapping[str, object], methods: Collection[str], *, receipt_required: bool
) -> WantedPayment:
    """Raises ``RefusedError`` (400). Fields that the simulator does not know are let through."""
    amount_minor = parse_amount(body.get("amount"))
    for unsupported in ("payment_token", "payment_method_id"):
        if body.get(unsupported) is not None:
            raise RefusedError(400, "Not simulated", parameter=unsupported, code="not_supported")
    capture = body.get("capture", False)
    if not isinstance(capture, bool):
        raise invalid("capture", "Incorrect value of capture")
    receipt = body.get("receipt")
    if receipt is None and receipt_required:
        raise invalid("receipt", "Receipt is missing or illegal")
    if receipt is not None:
        check_receipt(receipt, amount_minor)
    return WantedPayment(
        amount_minor=amount_minor,
        return_url=_return_url(body.get("confirmation")),
        captures_itself=capture,
        description=_text(body, "description", PAYMENT_DESCRIPTION_MAX),
        metadata=_metadata(body.get("metadata")),
        merchant_customer_id=_text(body, "merchant_customer_id", CUSTOMER_ID_MAX),
        has_receipt=receipt is not None,
        method=_method(body.get("payment_method_data"), methods),
    )


def check_refund(body: Mapping[str, object]) -> WantedRefund:
    """Raises ``RefusedError`` (400)."""
    payment_id = body.get("payment_id")
    if not isinstance(payment_id, str) or len(payment_id) != ID_LENGTH:
        raise invalid("payment_id", f"Payment id must have {ID_LENGTH} characters")
    amount_minor = parse_amount(body.get("amount"))
    if amount_minor < REFUND_MINOR_MIN:
        raise invalid("amount.value", "The refund amount is less than the minimum of 1.00 RUB")
    if body.get("receipt") is not None:
        check_receipt(body["receipt"], amount_minor)
    return WantedRefund(
        payment_id=payment_id,
        amount_minor=amount_minor,
        description=_text(body, "description", REFUND_DESCRIPTION_MAX),
        metadata=_metadata(body.get("metadata")),
    )


def check_receipt(receipt: object, amount_minor: int) -> None:
    """The receipt's shape, and that its items add up. Raises ``RefusedError`` (400).

    The vendor words all of these alike; that the sum must be the payment's is an assumption.
    """
    bad = invalid("receipt", "Receipt is missing or illegal")
    if not isinstance(receipt, dict):
        raise bad
    customer, items = receipt.get("customer", receipt), receipt.get("items")
    if not isinstance(customer, dict) or not isinstance(items, list):
        raise bad
    email, phone = customer.get("email"), customer.get("phone")
    if not _matches(_EMAIL, email) and not _matches(_PHONE, phone):
        raise bad
    if not 1 <= len(items) <= RECEIPT_ITEMS_MAX:
        raise bad
    tax_system = receipt.get("tax_system_code")
    if tax_system is not None and tax_system not in range(1, 7):
        raise bad
    thousandths = sum(_item_thousandths(item, bad) for item in items)
    if abs(thousandths - amount_minor * 1000) >= 1000:
        raise bad


def _item_thousandths(item: object, bad: RefusedError) -> int:
    """What a line costs, in thousandths of a kopeck."""
    if not isinstance(item, dict):
        raise bad
    description, vat_code = item.get("description"), item.get("vat_code")
    if not isinstance(description, str) or not 1 <= len(description) <= ITEM_DESCRIPTION_MAX:
        raise bad
    if isinstance(vat_code, bool) or vat_code not in range(1, 13):
        raise bad
    quantity = str(item.get("quantity"))
    if not _QUANTITY.fullmatch(quantity):
        raise bad
    whole, _, part = quantity.partition(".")
    try:
        price_minor = parse_amount(item.get("amount"), "receipt.items.amount")
    except RefusedError as error:
        raise bad from error
    return price_minor * int(whole + part.ljust(3, "0"))


def _method(given: object, methods: Collection[str]) -> str:
    """How to pay; a card unless another way is asked for."""
    kind = given.get("type") if isinstance(given, dict) else None if given else "bank_card"
    if not isinstance(kind, str) or kind not in methods:
        raise invalid("payment_method_data.type", "Payment method is not available")
    return kind


def _return_url(given: object) -> str:
    """Where the payer goes afterwards. Only ``redirect`` is simulated."""
    if not isinstance(given, dict):
        raise invalid("confirmation", "Confirmation is missing or illegal")
    kind = given.get("type")
    if kind in {"embedded", "external", "qr", "mobile_application"}:
        raise RefusedError(400, "Not simulated", parameter="confirmation", code="not_supported")
    if kind != "redirect":
        raise invalid("confirmation.type", "Incorrect confirmation type")
    url = given.get("return_url")
    if not isinstance(url, str) or len(url) > RETURN_URL_MAX or not _is_web_address(url):
        raise invalid("confirmation.return_url", "Incorrect return_url")
    return url


def _is_web_address(url: str) -> bool:
    """Of the web only, which is an assumption: the page to pay on must not link to a script."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable()
    except ValueError:
        return False


def _text(body: Mapping[str, object], name: str, length_max: int) -> str | None:
    text = body.get(name)
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > length_max:
        raise invalid(name, f"Incorrect {name}: a text of at most {length_max} characters")
    return text


def _metadata(given: object) -> Mapping[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > METADATA_KEYS_MAX:
        raise invalid("metadata", f"Incorrect metadata: at most {METADATA_KEYS_MAX} keys")
    for name, value in given.items():
        if len(name) > METADATA_NAME_MAX:
            raise invalid("metadata", f"Incorrect metadata: names to {METADATA_NAME_MAX} signs")
        if not isinstance(value, str) or len(value) > METADATA_VALUE_MAX:
            raise invalid("metadata", f"Incorrect metadata: texts to {METADATA_VALUE_MAX} signs")
    return given


def _matches(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None
