"""Updates as Telegram writes them, and strange ones."""

from __future__ import annotations

import copy
from typing import Any

PAYER = {"id": 101, "is_bot": False, "first_name": "Ali", "language_code": "uz"}
CHAT = {"id": 101, "first_name": "Ali", "type": "private"}


def payment(
    charge_id: str = "stx-1", payload: str = "payload-1", stars: int = 70
) -> dict[str, Any]:
    """The inside of ``successful_payment`` and ``refunded_payment``."""
    return {
        "currency": "XTR",
        "total_amount": stars,
        "invoice_payload": payload,
        "telegram_payment_charge_id": charge_id,
        "provider_payment_charge_id": "101_0",
    }


def paid(update_id: int, **of_payment: Any) -> dict[str, Any]:
    """Somebody has paid."""
    message = {"message_id": 7, "from": PAYER, "chat": CHAT, "date": 1_795_000_000}
    return {
        "update_id": update_id,
        "message": message | {"successful_payment": payment(**of_payment)},
    }


def refunded(update_id: int, **of_payment: Any) -> dict[str, Any]:
    """Somebody's Stars have gone back to him."""
    told = paid(update_id, **of_payment)
    told["message"]["refunded_payment"] = told["message"].pop("successful_payment")
    return told


def asked(
    update_id: int, query_id: str, payload: str = "payload-1", person_id: int = 101
) -> dict[str, Any]:
    """May somebody pay?"""
    query = {
        "id": query_id,
        "from": PAYER | {"id": person_id},
        "currency": "XTR",
        "total_amount": 70,
        "invoice_payload": payload,
    }
    return {"update_id": update_id, "pre_checkout_query": query}


def changed(update: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a dotted path; ``...`` removes it."""
    copied = copy.deepcopy(update)
    at: Any = copied
    *way, last = path.split(".")
    for step in way:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return copied


_PAID, _REFUNDED, _ASKED = paid(1), refunded(1), asked(1, "q")
_SP, _RP = "message.successful_payment", "message.refunded_payment"
MARK = "nobody-may-read-this"

STRANGE_MONEY: dict[str, dict[str, Any]] = {
    "no amount": changed(_PAID, f"{_SP}.total_amount", ...),
    "amount as text": changed(_PAID, f"{_SP}.total_amount", "70"),
    "amount as a float": changed(_PAID, f"{_SP}.total_amount", 70.0),
    "amount true": changed(_PAID, f"{_SP}.total_amount", True),
    "amount zero": changed(_PAID, f"{_SP}.total_amount", 0),
    "amount below zero": changed(_PAID, f"{_SP}.total_amount", -70),
    "amount beyond 64 bits": changed(_PAID, f"{_SP}.total_amount", 2**64),
    "amount of a universe": changed(_PAID, f"{_SP}.total_amount", 2**62),
    "roubles": changed(_PAID, f"{_SP}.currency", "RUB"),
    "currency as a list": changed(_PAID, f"{_SP}.currency", ["XTR"]),
    "no charge": changed(_PAID, f"{_SP}.telegram_payment_charge_id", ...),
    "an empty charge": changed(_PAID, f"{_SP}.telegram_payment_charge_id", ""),
    "an endless charge": changed(_PAID, f"{_SP}.telegram_payment_charge_id", MARK * 1000),
    "a charge with NUL": changed(_PAID, f"{_SP}.telegram_payment_charge_id", f"{MARK}\x00"),
    "a charge as a number": changed(_PAID, f"{_SP}.telegram_payment_charge_id", 7),
    "an endless payload": changed(_PAID, f"{_SP}.invoice_payload", MARK * 1000),
    "no payload": changed(_PAID, f"{_SP}.invoice_payload", None),
    "payment null": changed(_PAID, _SP, None),
    "payment a list": changed(_PAID, _SP, [MARK]),
    "payment a text": changed(_PAID, _SP, MARK),
    "nobody paid": changed(_PAID, "message.from", ...),
    "payer without id": changed(_PAID, "message.from", {"first_name": MARK}),
    "payer as text": changed(_PAID, "message.from.id", "101"),
    "payer zero": changed(_PAID, "message.from.id", 0),
    "payer beyond 64 bits": changed(_PAID, "message.from.id", 2**63),
    "no date": changed(_PAID, "message.date", ...),
    "a date beyond time": changed(_PAID, "message.date", 2**60),
    "a refund in a group": changed(_REFUNDED, "message.chat", {"id": -5, "type": "group"}),
    "a refund to a group's twin": changed(_REFUNDED, "message.chat.type", "supergroup"),
    "a refund to nobody": changed(_REFUNDED, "message.chat", ...),
    "a refund of dollars": changed(_REFUNDED, f"{_RP}.currency", "USD"),
    "a refund of nothing": changed(_REFUNDED, f"{_RP}.total_amount", 0),
    "a question without id": changed(_ASKED, "pre_checkout_query.id", ...),
    "a question of nobody": changed(_ASKED, "pre_checkout_query.from", MARK),
    "a question null": changed(_ASKED, "pre_checkout_query", None),
    "a question about nothing": changed(_ASKED, "pre_checkout_query.total_amount", None),
}
"""About money, and unreadable."""

OTHERS: dict[str, dict[str, Any]] = {
    "words": {"update_id": 1, "message": {"from": PAYER, "chat": CHAT, "text": "/start"}},
    "message null": {"update_id": 1, "message": None},
    "message a text": {"update_id": 1, "message": MARK},
    "of a kind to come": {"update_id": 1, "teleported": {"successful_payment": payment()}},
    "only a number": {"update_id": 1},
    "somebody strange": {"update_id": 1, "message": {"from": [], "text": 5}},
}
"""Not about money."""
