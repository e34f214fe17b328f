"""Answers of the vendor's that the sandbox does not give, and what they must mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest

from hamyon.kit.http import Response
from hamyon.payments.types.gateway import ChargeState, RefundState, Unclear
from hamyon.providers.yookassa.client import Refusal, answer_of
from hamyon.providers.yookassa.objects import (
    Unusable,
    charge_of,
    confirmation_url_of,
    may_have_refunds,
    page_of,
    refund_of,
)

OURS = UUID("0192f0c1-2345-7abc-8def-0123456789ab")
PAYMENT: Mapping[str, Any] = {
    "id": "2f3b588d-000f-5000-8000-1d6e87c7fbde",
    "status": "succeeded",
    "paid": True,
    "amount": {"value": "200.00", "currency": "RUB"},
    "created_at": "2025-02-10T00:14:05.555Z",
    "metadata": {"payment_id": str(OURS)},
}
REFUND: Mapping[str, Any] = {
    "id": "2f3b588d-0015-5000-9000-1d6e87c7fbde",
    "payment_id": PAYMENT["id"],
    "status": "succeeded",
    "amount": {"value": "50.01", "currency": "RUB"},
    "created_at": "2025-02-11T00:14:05.555Z",
    "metadata": {"refund_id": str(OURS)},
}


def test_a_payment() -> None:
    charge = charge_of(PAYMENT)
    assert charge.external_id == PAYMENT["id"]
    assert (charge.state, charge.amount_minor, charge.currency) == (ChargeState.PAID, 20_000, "RUB")
    assert charge.at == datetime(2025, 2, 10, 0, 14, 5, 555_000, UTC)
    assert (charge.payment_id, charge.payer_id, charge.cancel_reason) == (OURS, None, None)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", ChargeState.PENDING),
        ("waiting_for_capture", ChargeState.PENDING),
        ("canceled", ChargeState.CANCELED),
    ],
)
def test_a_payment_that_is_not_paid(status: str, state: ChargeState) -> None:
    details = {"party": "payment_network", "reason": "insufficient_funds"}
    charge = charge_of({**PAYMENT, "status": status, "cancellation_details": details})
    assert charge.state is state
    expected = "insufficient_funds" if state is ChargeState.CANCELED else None
    assert charge.cancel_reason == expected


@pytest.mark.parametrize(
    "change",
    [
        *({"id": None}, {"id": ""}, {"id": "a/b"}, {"id": 17}, {"id": "a" * 65}),
        *({"status": None}, {"status": "SUCCEEDED"}, {"status": "done"}, {"status": ["succeeded"]}),
        *({"paid": False}, {"paid": None}, {"paid": 1}, {"paid": "true"}),
        *({"amount": None}, {"amount": "200.00"}, {"amount": 200}, {"amount": {}}),
        *({"amount": {"value": value, "currency": "RUB"}} for value in (200, 200.0, "200", "0.00")),
        *({"amount": {"value": value, "currency": "RUB"}} for value in ("-1.00", "1.000", None)),
        *({"amount": {"value": "200.00", "currency": one}} for one in (None, "", "rub", "RUBL", 6)),
        *({"created_at": at} for at in (None, "", "yesterday", 1739146445, "2025-02-10T00:14:05")),
    ],
)
def test_a_payment_that_cannot_be_booked(change: Mapping[str, object]) -> None:
    with pytest.raises(Unusable):
        charge_of({**PAYMENT, **change})


@pytest.mark.parametrize(
    "metadata",
    [
        *(None, {}, [], "text", {"payment_id": None}, {"payment_id": 5}, {"payment_id": "5"}),
        {"payment_id": str(OURS).upper()},
        {"payment_id": "{" + str(OURS) + "}"},
        {"payment_id": OURS.hex},
        {"payment_id": f"urn:uuid:{OURS}"},
        {"order_id": str(OURS)},
    ],
)
def test_a_payment_that_carries_nothing_of_ours(metadata: object) -> None:
    assert charge_of({**PAYMENT, "metadata": metadata}).payment_id is None


def test_a_refund() -> None:
    refund = refund_of(REFUND)
    assert (refund.external_id, refund.charge_id) == (REFUND["id"], PAYMENT["id"])
    assert (refund.state, refund.amount_minor, refund.currency) == (RefundState.DONE, 5001, "RUB")
    assert refund.refund_id == OURS
    assert refund.reason is None
    details = {"party": "yoo_money", "reason": "rejected_by_payee"}
    canceled = refund_of({**REFUND, "status": "canceled", "cancellation_details": details})
    assert (canceled.state, canceled.reason) == (RefundState.FAILED, "rejected_by_payee")
    pending = refund_of({**REFUND, "status": "pending", "metadata": None})
    assert (pending.state, pending.refund_id) == (RefundState.PENDING, None)


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"payment_id": None},
        {"payment_id": "a b"},
        {"status": "waiting_for_capture"},
        {"status": None},
        {"amount": {"value": "50.1", "currency": "RUB"}},
        {"created_at": "2025-02-11"},
    ],
)
def test_a_refund_that_cannot_be_booked(change: Mapping[str, object]) -> None:
    with pytest.raises(Unusable):
        refund_of({**REFUND, **change})


@pytest.mark.parametrize(
    ("refunded", "may"),
    [
        (None, False),
        ({"value": "0.00", "currency": "RUB"}, False),
        ({"value": "0.01", "currency": "RUB"}, True),
        ({"value": "200.00", "currency": "RUB"}, True),
        ({"value": 0}, True),
        ({}, True),
        ("0.00", True),
    ],
)
def test_whether_refunds_are_looked_for(refunded: object, may: bool) -> None:
    assert may_have_refunds({**PAYMENT, "refunded_amount": refunded}) is may


def test_pages() -> None:
    assert page_of({"items": [PAYMENT], "next_cursor": "x"}) == ([PAYMENT], "x")
    assert page_of({"items": []}) == ([], None)
    assert page_of({"items": [], "next_cursor": ""}) == ([], None)


@pytest.mark.parametrize(
    "data", [{}, {"items": {}}, {"items": [None]}, {"items": [], "next_cursor": 5}]
)
def test_what_is_no_page(data: Mapping[str, object]) -> None:
    with pytest.raises(Unusable):
        page_of(data)


@pytest.mark.parametrize(
    "confirmation",
    [None, "https://x", {}, {"confirmation_url": 5}, {"confirmation_url": "javascript:0"}],
)
def test_nowhere_to_pay(confirmation: object) -> None:
    assert confirmation_url_of({"confirmation": confirmation}) is None


def answer(status: int, body: object) -> Response:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(status, {}, raw)


def error(code: str, **more: str) -> Mapping[str, str]:
    return {"type": "error", "id": "1", "code": code, **more}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((400, "invalid_request"), (400, "not_supported"), (401, "invalid_credentials")),
        *((403, "forbidden"), (404, "not_found"), (405, "method_not_allowed"), (410, "gone")),
        (415, "unsupported_media_type"),
    ],
)
def test_refusals(status: int, code: str) -> None:
    refusal = answer_of(answer(status, error(code, description="No.", parameter="amount")))
    assert isinstance(refusal, Refusal)
    declined = refusal.declined()
    assert declined.code == code
    assert declined.message.endswith("No." if status in {401, 403} else "No. (amount)")
    assert ("key is refused" in declined.message) is (status in {401, 403})
    assert refusal.is_absence is (status == 404)
    assert not refusal.is_used_key


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((200, b""), (200, b"[]"), (200, b"null"), (200, b"{"), (200, b"<html>")),
        *((201, PAYMENT), (202, {"type": "processing", "retry_after": 1}), (204, b"")),
        *((301, b""), (302, PAYMENT), (400, b"<html>"), (400, {}), (400, {"type": "error"})),
        *((403, b"blocked by a firewall"), (404, b"not found"), (404, {"detail": "Not Found"})),
        *((408, error("request_timeout")), (429, error("too_many_requests")), (429, b"")),
        *((500, error("internal_server_error")), (502, b""), (503, error("x")), (504, b"")),
    ],
)
def test_answers_that_leave_it_open(status: int, body: object) -> None:
    assert isinstance(answer_of(answer(status, body)), Unclear)


def test_a_key_that_was_used() -> None:
    words = "Idempotence key duplicated"
    used = answer_of(
        answer(400, error("invalid_request", description=words, parameter="Idempotence-Key"))
    )
    assert isinstance(used, Refusal)
    assert used.is_used_key
    long = "Idempotence key is too long. Send the value in accordance with the documentation"
    refused = answer_of(
        answer(400, error("invalid_request", description=long, parameter="Idempotence-Key"))
    )
    assert isinstance(refused, Refusal)
    assert not refused.is_used_key
