"""Transactions as Telegram writes them, also such as the sandbox never makes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from hamyon.payments.types.gateway import (
    Charge,
    ChargeState,
    PaymentId,
    RefundMade,
    RefundState,
)
from hamyon.providers.stars.books import Unreadable, fact_of
from hamyon.providers.stars.payload import payload_of

KEY = b"one key"
ID = PaymentId(UUID("0192f0c1-2345-7abc-8def-0123456789ab"))
USER: Mapping[str, Any] = {
    "type": "user",
    "transaction_type": "invoice_payment",
    "user": {"id": 2**40, "is_bot": False, "first_name": "A"},
    "invoice_payload": payload_of(ID, KEY),
}
PAID: Mapping[str, Any] = {"id": "stx1", "amount": 70, "date": 1_760_000_000, "source": USER}
RETURNED: Mapping[str, Any] = {"id": "stx1", "amount": 70, "date": 1_760_000_000, "receiver": USER}
AT = datetime.fromtimestamp(1_760_000_000, UTC)


def test_a_purchase() -> None:
    expected = Charge("stx1", ChargeState.PAID, 70, "XTR", AT, payment_id=ID, payer_id=2**40)
    assert fact_of(PAID, KEY) == expected


def test_a_refund() -> None:
    assert fact_of(RETURNED, KEY) == RefundMade("stx1", "stx1", RefundState.DONE, 70, "XTR", AT)


def test_an_older_telegram_names_no_type() -> None:
    older = {name: value for name, value in USER.items() if name != "transaction_type"}
    assert isinstance(fact_of({**PAID, "source": older}, KEY), Charge)
    assert isinstance(fact_of({**RETURNED, "receiver": older}, KEY), RefundMade)


@pytest.mark.parametrize("payload", [None, 5, "", "gift", payload_of(ID, b"another key")])
def test_a_purchase_that_names_nothing_of_ours(payload: object) -> None:
    fact = fact_of({**PAID, "source": {**USER, "invoice_payload": payload}}, KEY)
    assert isinstance(fact, Charge)
    assert fact.payment_id is None


@pytest.mark.parametrize(
    "transaction",
    [
        {"id": "x", "amount": 5, "date": 1},
        {"id": "x", "amount": 0, "nanostar_amount": 5, "date": 1, "source": {"type": "other"}},
        *({**PAID, "source": {"type": kind}} for kind in ("fragment", "telegram_ads", "chat")),
        *({**RETURNED, "receiver": {"type": kind}} for kind in ("fragment", "telegram_ads")),
        *(
            {**RETURNED, "receiver": {**USER, "transaction_type": kind}}
            for kind in ("gift_purchase", "premium_purchase", "business_account_transfer")
        ),
        {**PAID, "source": {**USER, "transaction_type": "paid_media_payment"}},
        {**PAID, "source": None},
        {**PAID, "source": "user"},
        {**PAID, "receiver": USER},
    ],
)
def test_what_is_neither(transaction: Mapping[str, object]) -> None:
    assert fact_of(transaction, KEY) is None


@pytest.mark.parametrize(
    "change",
    [
        *({"id": None}, {"id": ""}, {"id": 5}, {"amount": None}, {"amount": 0}, {"amount": -70}),
        *({"amount": "70"}, {"amount": 70.0}, {"amount": True}, {"date": None}, {"date": "now"}),
        *({"date": 0}, {"date": 10**18}),
        *({"source": {**USER, "user": user}} for user in (None, {}, {"id": "7"}, {"id": True})),
    ],
)
def test_a_purchase_that_cannot_be_booked(change: Mapping[str, object]) -> None:
    with pytest.raises(Unreadable):
        fact_of({**PAID, **change}, KEY)


@pytest.mark.parametrize("change", [{"id": None}, {"amount": "70"}, {"date": None}])
def test_a_refund_that_cannot_be_booked(change: Mapping[str, object]) -> None:
    with pytest.raises(Unreadable):
        fact_of({**RETURNED, **change}, KEY)
