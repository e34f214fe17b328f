"""Refunds and charges in the narrow places: forgotten keys, two at once, false reports, amounts
that cannot be held."""

from __future__ import annotations

import asyncio
from typing import Any

from hamyon.kit.db import transaction
from hamyon.ledger.types import AMOUNT_LIMIT
from hamyon.payments.service import pending, purchase, send, stars
from hamyon.payments.service.purchase import Asking, PackageWish
from hamyon.payments.types import RefundId, StarEvent
from hamyon.rewards import service as rewards
from tests.fixtures.service import eventually
from tests.payments.conftest import Open
from tests.payments.test_yookassa import credited, due_now
from tests.payments.till import Till

ALI, VALI = 101, 202


async def paid(shop: Till, package: str = "credits_1000") -> str:
    """A payment through YooKassa, paid and credited."""
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI, package)
    await shop.sandbox.pay(opened["payment_url"])
    await due_now(shop)
    await pending.sweep(shop.service.deps)
    return str(opened["payment_id"])


async def refund_ids(shop: Till) -> list[RefundId]:
    rows = await shop.service.pool.fetch("SELECT id FROM refunds ORDER BY created_at")
    return [RefundId(row["id"]) for row in rows]


def told(message: dict[str, Any], kind: str = "successful_payment", **changed: Any) -> StarEvent:
    """What a bot keeps of a message about Stars."""
    said = message["successful_payment"]
    values: dict[str, Any] = {
        "kind": kind,
        "telegram_id": message["from"]["id"],
        "total_amount": said["total_amount"],
        "currency": said["currency"],
        "invoice_payload": said["invoice_payload"],
        "telegram_payment_charge_id": said["telegram_payment_charge_id"],
        "at": message["date"],
    }
    return StarEvent(**values | changed)


async def test_two_senders_of_an_old_refund_take_one_new_key(till: Open) -> None:
    """Both find nothing at the vendor before either asks: two keys would be two refunds."""
    shop = await till()
    payment_id = await paid(shop)
    match = {"vendor": "yookassa", "operation": "create_refund", "times": 1}
    await shop.sandbox.fault("status", match, status=500)
    await shop.refund(payment_id, "r", 4900)
    (refund_id,) = await refund_ids(shop)
    await shop.service.as_owner("UPDATE refunds SET vendor_key_at = now() - interval '30 hours'")
    slow = {"vendor": "yookassa", "operation": "list_refunds"}
    await shop.sandbox.fault("latency", slow, seconds=0.5)
    await asyncio.gather(*(send.send(shop.service.deps, refund_id) for _ in range(4)))
    stats = await shop.sandbox.stats("yookassa")
    assert list(stats["refunded_minor"].values()) == [4900]  # type: ignore[attr-defined]  # JSON
    assert (await shop.payment(payment_id))["refunded_minor"] == 4900


async def test_a_refusal_after_an_unheard_success_is_no_failure(till: Open) -> None:
    """The vendor sent the money and nobody heard; then it refuses the key of the shop."""
    shop = await till()
    payment_id = await paid(shop)
    match = {"vendor": "yookassa", "operation": "create_refund", "times": 1}
    await shop.sandbox.fault("accepted_then_cut", match)
    await shop.refund(payment_id, "r", 4900)
    await shop.sandbox.fault(
        "status", {"vendor": "yookassa", "operation": "create_refund"}, status=401
    )
    (refund_id,) = await refund_ids(shop)
    assert (await send.send(shop.service.deps, refund_id)).state == "done"
    assert await shop.available(ALI) == 672


async def test_a_refusal_before_anything_gives_everything_back(till: Open) -> None:
    shop = await till()
    payment_id = await paid(shop)
    await shop.sandbox.fault(
        "status", {"vendor": "yookassa", "operation": "create_refund"}, status=403
    )
    answer = await shop.refund(payment_id, "r", 4900)
    assert (answer.status, answer.body["state"]) == (200, "paid")
    assert await shop.available(ALI) == 1000


async def test_a_refund_that_cannot_be_sent_does_not_hold_up_others(till: Open) -> None:
    shop = await till()
    payment_id = await paid(shop)
    match = {"vendor": "yookassa", "operation": "create_refund", "times": 1}
    await shop.sandbox.fault("status", match, status=500)
    await shop.refund(payment_id, "r", 4900)
    await shop.service.as_owner("UPDATE refunds SET gateway = 'gone'")
    await due_now(shop)
    await send.sweep(shop.service.deps)
    (row,) = await shop.service.pool.fetch("SELECT check_at > now() AS later FROM refunds")
    assert row["later"]
    await shop.service.as_owner("UPDATE refunds SET gateway = 'yookassa'")
    await due_now(shop)
    await send.sweep(shop.service.deps)
    (refund_id,) = await refund_ids(shop)
    assert (await send.send(shop.service.deps, refund_id)).state == "done"


async def test_asking_about_an_open_invoice_leaves_it_open(till: Open) -> None:
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.invoice(ALI, 70)
    await shop.service.as_owner("UPDATE payments SET vendor_key_at = now() - interval '30 hours'")
    path = f"/admin/payments/{opened['payment_id']}/recheck"
    answer = await shop.service.api.call("POST", path, admin=True)
    assert (answer.status, answer.body["state"]) == (200, "created")
    message = await shop.pay_stars(opened["invoice_link"], ALI)
    assert (await shop.confirm(message)).body["credits_added"] == 1000


async def test_a_false_report_does_not_stand_in_for_the_true_one(till: Open) -> None:
    """A service mistypes the payload; Telegram's own message still credits."""
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.invoice(ALI, 70)
    message = await shop.pay_stars(opened["invoice_link"], ALI)
    assert (await shop.confirm(message, invoice_payload="mistyped")).status == 422
    assert await stars.receive(shop.service.deps, told(message))
    assert not await stars.receive(shop.service.deps, told(message, at=message["date"] + 9))

    async def is_credited() -> bool:
        return await shop.available(ALI) == 1000

    await eventually(is_credited)
    states = await shop.service.pool.fetch("SELECT state FROM payment_mismatches")
    assert [row["state"] for row in states] == ["healed"]


async def test_one_charge_under_two_invoices_credits_once(till: Open) -> None:
    """Two genuine payloads, one charge, at the same moment: one of them is where it belongs."""
    shop = await till()
    await shop.service.person(ALI)
    links = [await shop.invoice(ALI, 70) for _ in range(2)]
    messages = [await shop.pay_stars(link["invoice_link"], ALI) for link in links]
    payloads = [message["successful_payment"]["invoice_payload"] for message in messages]
    answers = await asyncio.gather(
        *(shop.confirm(messages[0], invoice_payload=payloads[n % 2]) for n in range(20))
    )
    assert {answer.status for answer in answers} == {200}
    assert [answer.body["already_confirmed"] for answer in answers].count(False) == 1
    assert await shop.available(ALI) == 1000


async def test_a_refund_that_was_taken_by_hand_is_adopted(till: Open) -> None:
    """An operator took the credits of a charge; then Telegram gives the Stars back."""
    shop = await till()
    await shop.service.person(ALI)
    opened = await shop.invoice(ALI, 70)
    message = await shop.pay_stars(opened["invoice_link"], ALI)
    await shop.confirm(message)
    charge_id = message["successful_payment"]["telegram_payment_charge_id"]
    (row,) = await shop.service.as_owner(
        f"""
        INSERT INTO payment_mismatches (gateway, kind, subject, payment_id)
        VALUES ('stars', 'only_ours', '{charge_id}', '{opened["payment_id"]}') RETURNING id
        """
    )
    resolved = await shop.service.api.call(
        "POST",
        f"/admin/payments/mismatches/{row['id']}/resolve",
        {"decision": "claw_back", "note": "not in the statement"},
        admin=True,
        headers={"Idempotency-Key": "r"},
    )
    assert resolved.status == 200, resolved.body
    assert await shop.available(ALI) == 0
    await stars.receive(shop.service.deps, told(message, "refunded_payment"))

    async def is_adopted() -> bool:
        rows = await shop.service.pool.fetch("SELECT external_id FROM refunds")
        return [row["external_id"] for row in rows] == [charge_id]

    await eventually(is_adopted)
    assert (await shop.available(ALI), await shop.debt(ALI)) == (0, 0)


async def test_an_amount_that_no_wallet_holds_goes_to_operators(till: Open) -> None:
    """Trying again would not help, so the event is over and somebody is told."""
    shop = await till(webhooks=True)
    await shop.service.person(ALI, AMOUNT_LIMIT - 10)
    opened = await shop.checkout(ALI)
    await shop.sandbox.pay(opened["payment_url"])

    async def is_over() -> bool:
        rows = await shop.service.pool.fetch(
            "SELECT 1 FROM inbox WHERE source = 'yookassa' AND handled_at IS NOT NULL"
        )
        return len(rows) == 1

    await eventually(is_over)
    (row,) = await shop.service.pool.fetch("SELECT kind, state, ours FROM payment_mismatches")
    assert (row["kind"], row["state"]) == ("only_theirs", "open")
    assert row["ours"] == {"refused": "amount_too_large"}
    assert (await shop.payment(opened["payment_id"]))["state"] == "pending"


async def test_a_discount_that_a_second_payment_had_is_told_of(till: Open) -> None:
    """Both were opened at the price that was shown, and both keep it (decision 15)."""
    shop = await till(webhooks=True)
    await shop.service.person(ALI)
    async with transaction(shop.service.pool) as connection:
        assert await rewards.offer_discount(connection, ALI, "drawings", 20)
    wish = PackageWish(ALI, "revivals_5", discount_product="drawings", expected_minor=11_920)
    asking = Asking("key:test", "test", None, b"")
    opened = [
        await purchase.buy_package(shop.service.deps, "yookassa", wish, asking) for _ in range(2)
    ]
    for payment in opened:
        assert payment.url is not None
        await shop.sandbox.pay(payment.url)
        await credited(shop, str(payment.id))
    assert await shop.available(ALI, "revival") == 10
    notices = await shop.service.pool.fetch(
        "SELECT facts FROM notices WHERE kind = 'discount_used_again'"
    )
    assert [row["facts"]["payment_id"] for row in notices] == [str(opened[1].id)]
    async with transaction(shop.service.pool) as connection:
        assert await rewards.open_discount(connection, ALI, "drawings") is None
