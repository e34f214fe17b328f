"""A third way to pay: one folder, one line of wiring, nothing else.

The toy below is such a folder. It keeps its vendor's books in memory, so the vendor is this test.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import orjson
import pytest

from hamyon.payments.types import (
    Charge,
    ChargeState,
    Event,
    Fact,
    Gateway,
    GatewayParts,
    Listed,
    Offer,
    Opened,
    PaymentId,
    RefundMade,
    RefundState,
    RefundWish,
    Unclear,
)
from hamyon.wiring import parts as wiring
from tests.fixtures.service import Launch, eventually

ALI = 101
SECRET = b"toy-secret"
VENDOR: Final[dict[str, Charge]] = {}
"""The vendor's books."""


@dataclass(slots=True)
class ToyGateway:
    """Pays in pebbles, whole ones, and signs its webhooks."""

    name: str = "toy"
    currency: str = "PBL"
    scale: int = 0
    invoices_are_reusable: bool = False
    grants_what_was_paid: bool = False
    refunds_parts: bool = True
    is_connected: bool = True
    refunds: dict[str, RefundMade] = field(default_factory=dict)

    async def open(self, offer: Offer) -> Opened:
        charge = Charge(
            f"toy-{offer.key}",
            ChargeState.PENDING,
            offer.amount_minor,
            self.currency,
            datetime.now(UTC),
            offer.payment_id,
        )
        VENDOR.setdefault(charge.external_id, charge)
        return Opened(f"https://toy.example/{offer.key}", charge.external_id, charge.at)

    async def find(
        self, payment_id: PaymentId, since: datetime, until: datetime | None = None
    ) -> Charge | None:
        return next((c for c in VENDOR.values() if c.payment_id == payment_id), None)

    async def receive(self, address: str, headers: Mapping[str, str], body: bytes) -> Event | None:
        signature = hmac.digest(SECRET, body, "sha256").hex()
        if not hmac.compare_digest(signature, headers.get("x-toy-signature", "")):
            return None
        told = orjson.loads(body)
        return Event(told["event"], told["charge"])

    async def truth(self, subject: str, events: Sequence[bytes]) -> Sequence[Fact]:
        refunds = [made for made in self.refunds.values() if made.charge_id == subject]
        return [VENDOR[subject], *refunds] if subject in VENDOR else []

    async def refund(self, wish: RefundWish) -> RefundMade:
        made = RefundMade(
            f"back-{wish.key}",
            wish.charge_id,
            RefundState.DONE,
            wish.amount_minor,
            self.currency,
            datetime.now(UTC),
            wish.refund_id,
        )
        return self.refunds.setdefault(wish.key, made)

    async def find_refund(self, wish: RefundWish) -> RefundMade | None:
        return self.refunds.get(wish.key)

    async def books(self, since: datetime, until: datetime, cursor: str | None) -> Listed | Unclear:
        paid = [c for c in VENDOR.values() if c.state is ChargeState.PAID and since <= c.at < until]
        return Listed([*paid, *self.refunds.values()], None)


def toy(parts: GatewayParts) -> Gateway:
    """What the folder offers to wiring."""
    return ToyGateway()


async def test_a_third_gateway_sells_settles_and_refunds(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    VENDOR.clear()
    monkeypatch.setattr(wiring, "GATEWAYS", [*wiring.GATEWAYS, toy])
    service = await launch()
    await service.person(ALI)
    price = {"prices": {"toy": 30}, "reason": "a new way to pay"}
    priced = await service.api.call("PATCH", "/admin/packages/credits_1000", price, admin=True)
    assert priced.status == 200, priced.body
    wish = {"telegram_id": ALI, "gateway": "toy", "package": "credits_1000", "quantity": 2}
    opened = await service.api.call("POST", "/payments/checkout", wish)
    assert opened.status == 201, opened.body
    assert (opened.body["price"], opened.body["currency"]) == ("60", "PBL")

    (charge_id,) = VENDOR
    VENDOR[charge_id] = replace(VENDOR[charge_id], state=ChargeState.PAID)
    body = orjson.dumps({"event": "e1", "charge": charge_id})
    url = f"{service.api.url}/payments/toy/notification"
    for signature, status in (("00", 404), (hmac.digest(SECRET, body, "sha256").hex(), 200)):
        headers = {"X-Toy-Signature": signature}
        async with service.api.session.post(url, data=body, headers=headers) as answer:
            assert answer.status == status

    async def credited() -> bool:
        return (await service.api.balance(ALI))[0] == 2000

    await eventually(credited)
    payment_id = UUID(opened.body["payment_id"])
    refund = await service.api.call(
        "POST",
        f"/admin/payments/{payment_id}/refund",
        {"amount": 15, "reason": "half of one"},
        admin=True,
        headers={"Idempotency-Key": "r"},
    )
    assert refund.body == {
        "payment_id": str(payment_id),
        "refunded": 15,
        "clawed_back": 500,
        "debt": 0,
        "state": "partially_refunded",
    }
    assert (await service.api.balance(ALI))[0] == 1500
    run = await service.api.call(
        "POST",
        "/admin/payments/reconcile",
        {"gateway": "toy", "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"},
        admin=True,
    )
    assert run.status == 202, run.body

    async def compared() -> dict[str, object] | None:
        seen = await service.api.call(
            "GET", f"/admin/payments/reconcile/{run.body['run_id']}", admin=True
        )
        return seen.body if seen.body["state"] == "done" else None

    done = await eventually(compared)
    assert (done["listed"], done["differences"]) == (2, 0)
