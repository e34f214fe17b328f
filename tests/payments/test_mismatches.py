"""What operators decide about differences: give, take back, leave; each once, with a trace."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from hamyon.kit.clock import MovedClock
from hamyon.kit.db import in_transaction
from hamyon.payments.service import read
from hamyon.payments.service.differ import differ
from hamyon.payments.service.refund import settle_refund
from hamyon.payments.service.settle import Settled, desk_of, settle_charge
from hamyon.payments.types import (
    Charge,
    ChargeState,
    Fact,
    MismatchKind,
    Payment,
    PaymentId,
    Refund,
    RefundMade,
    RefundState,
)
from tests.fixtures.service import Answer
from tests.payments.conftest import Open
from tests.payments.test_reconcile import run_now
from tests.payments.till import Till

ALI, VALI, STRANGER = 101, 202, 909


def charge(external_id: str, gateway: str, **changed: Any) -> Charge:
    """A paid charge as its vendor tells it."""
    values: dict[str, Any] = {
        "external_id": external_id,
        "state": ChargeState.PAID,
        "amount_minor": 70 if gateway == "stars" else 14_900,
        "currency": "XTR" if gateway == "stars" else "RUB",
    }
    return Charge(**values | changed)


async def settle(shop: Till, gateway: str, fact: Fact) -> object:
    """What an event about the fact would do."""
    desk = desk_of(shop.service.deps, shop.service.deps.gateways[gateway])
    if isinstance(fact, Charge):
        return await in_transaction(shop.service.pool, settle_charge, desk, fact)
    return await in_transaction(shop.service.pool, settle_refund, desk, fact)


async def note(
    shop: Till, gateway: str, kind: MismatchKind, subject: str, payment: Payment | None = None
) -> None:
    """A difference as a comparison would have found it."""
    await in_transaction(shop.service.pool, differ, gateway, kind, subject, payment=payment)


async def only_mismatch(shop: Till, state: str = "open") -> dict[str, Any]:
    answer = await shop.service.api.call(
        "GET", f"/admin/payments/mismatches?state={state}", admin=True
    )
    assert answer.status == 200, answer.body
    (found,) = answer.body["items"]
    return dict(found)


async def decide(shop: Till, mismatch_id: int, decision: str, key: str = "k") -> Answer:
    return await shop.service.api.call(
        "POST",
        f"/admin/payments/mismatches/{mismatch_id}/resolve",
        {"decision": decision, "note": "seen in the cabinet"},
        admin=True,
        headers={"Idempotency-Key": key},
    )


async def decided(shop: Till, decision: str) -> dict[str, Any]:
    """The only open difference, decided about."""
    answer = await decide(shop, (await only_mismatch(shop))["id"], decision)
    assert answer.status == 200, answer.body
    assert (answer.body["state"], answer.body["decision"]) == ("resolved", decision)
    return dict(answer.body)


async def refused(shop: Till, decision: str) -> str:
    """Why the decision does not fit the only open difference, which stays open."""
    answer = await decide(shop, (await only_mismatch(shop))["id"], decision, key=str(uuid4()))
    assert (answer.status, answer.code) == (422, "decision_impossible"), answer.body
    assert (await only_mismatch(shop))["state"] == "open"
    return str(answer.body["problem"])


# --- giving ---------------------------------------------------------------------------------------


async def test_stars_of_somebody_known_are_credited_at_the_rate(till: Open) -> None:
    """An invoice that nobody knows any more, paid by a person of ours."""
    shop = await till(worker=False)
    await shop.service.person(ALI)
    paid = charge("stx1", "stars", payer_id=ALI, amount_minor=71, at=shop.service.deps.clock.now())
    assert await settle(shop, "stars", paid) is MismatchKind.ONLY_THEIRS
    mismatch = await decided(shop, "credit")
    assert await shop.available(ALI) == 1014
    row = await shop.service.pool.fetchrow("SELECT * FROM payments WHERE external_id = 'stx1'")
    assert row is not None
    assert (row["user_id"], row["payer_id"], row["paid_minor"]) == (ALI, ALI, 71)
    assert (row["rate_numerator"], row["rate_denominator"]) == (1000, 70)
    (act,) = await acts(shop)
    assert act["subject"] == f"mismatch:{mismatch['id']}"
    assert (act["after"]["granted"], act["reason"]) == (1014, "seen in the cabinet")


async def acts(shop: Till) -> list[dict[str, Any]]:
    path = "/admin/audit_log?action=payment.mismatch.resolve"
    answer = await shop.service.api.call("GET", path, admin=True)
    return list(answer.body["items"])


async def test_stars_of_a_stranger_belong_to_nobody(till: Open) -> None:
    shop = await till(worker=False)
    now = shop.service.deps.clock.now()
    await settle(shop, "stars", charge("stx1", "stars", payer_id=STRANGER, at=now))
    assert "nobody of ours" in await refused(shop, "credit")
    await decided(shop, "dismiss")


async def test_rubles_of_nobody_cannot_be_credited(till: Open) -> None:
    shop = await till(worker=False)
    now = shop.service.deps.clock.now()
    await settle(shop, "yookassa", charge("yk-1", "yookassa", at=now))
    assert "nobody of ours" in await refused(shop, "credit")
    assert "no paid payment" in await refused(shop, "claw_back")


async def test_another_amount_is_credited_in_proportion(till: Open) -> None:
    """YooKassa took 74.50 for what costs 149.00; nothing came by itself."""
    shop = await till(worker=False)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    paid = charge(
        await shop.external_id(opened["payment_id"]),
        "yookassa",
        amount_minor=7450,
        at=shop.service.deps.clock.now(),
        payment_id=PaymentId(UUID(opened["payment_id"])),
    )
    assert await settle(shop, "yookassa", paid) is MismatchKind.AMOUNT_DIFFERS
    assert await shop.available(ALI) == 0
    assert "no paid payment" in await refused(shop, "claw_back")
    await decided(shop, "credit")
    assert await shop.available(ALI) == 500
    payment = await shop.payment(opened["payment_id"])
    assert (payment["state"], payment["paid_minor"], payment["granted"]) == ("paid", 7450, 500)


async def test_a_reference_that_is_missing_is_credited(till: Open) -> None:
    shop = await till(worker=False)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    external_id = await shop.external_id(opened["payment_id"])
    paid = charge(external_id, "yookassa", at=shop.service.deps.clock.now())
    assert await settle(shop, "yookassa", paid) is MismatchKind.REFERENCE_DIFFERS
    await decided(shop, "credit")
    assert await shop.available(ALI) == 1000


async def test_another_currency_is_never_turned_into_credits(till: Open) -> None:
    shop = await till(worker=False)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    paid = charge(
        await shop.external_id(opened["payment_id"]),
        "yookassa",
        currency="USD",
        at=shop.service.deps.clock.now(),
        payment_id=PaymentId(UUID(opened["payment_id"])),
    )
    assert await settle(shop, "yookassa", paid) is MismatchKind.CURRENCY_DIFFERS
    assert "currency" in await refused(shop, "credit")
    await decided(shop, "dismiss")
    assert await shop.available(ALI) == 0


@pytest.mark.parametrize("first_is_paid", [True, False])
async def test_a_second_charge_is_a_purchase_of_its_own(till: Open, first_is_paid: bool) -> None:
    """Two payments at the vendor carry one of ours. Unpaid it takes the second; paid, another one
    like it is made."""
    shop = await till(worker=False)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    ours = PaymentId(UUID(opened["payment_id"]))
    now = shop.service.deps.clock.now()
    if first_is_paid:
        await shop.sandbox.pay(opened["payment_url"])
        assert (await run_now(shop.service, "yookassa")).healed == 1
    second = charge("yk-2", "yookassa", at=now, payment_id=ours)
    assert await settle(shop, "yookassa", second) is MismatchKind.SECOND_CHARGE
    await decided(shop, "credit")
    assert await shop.available(ALI) == (2000 if first_is_paid else 1000)
    again = await settle(shop, "yookassa", second)
    assert isinstance(again, Settled)
    assert not again.fresh
    rows = await shop.service.pool.fetch("SELECT id, invoice_id, external_id FROM payments")
    assert len(rows) == (2 if first_is_paid else 1)
    assert {row["external_id"] for row in rows} >= {"yk-2"}


async def test_what_was_credited_already_is_not_credited_again(till: Open) -> None:
    """Stars grant what was paid at once, and flag it: there is nothing left to give."""
    shop = await till(worker=False)
    await shop.service.person(ALI)
    invoice = await shop.invoice(ALI, 140)
    message = await shop.pay_stars(invoice["invoice_link"], ALI)
    assert (await shop.confirm(message, total_amount=70)).body["credits_added"] == 1000
    assert (await only_mismatch(shop))["kind"] == "amount_differs"
    assert "already" in await refused(shop, "credit")
    assert await shop.available(ALI) == 1000


# --- taking back ----------------------------------------------------------------------------------


async def bought(shop: Till, user_id: int = ALI) -> dict[str, Any]:
    """1000 credits for 149.00."""
    await shop.service.person(user_id)
    opened = await shop.checkout(user_id)
    await shop.sandbox.pay(opened["payment_url"])
    assert (await run_now(shop.service, "yookassa")).healed == 1
    return await shop.payment(opened["payment_id"])


async def noted_only_ours(shop: Till, payment: dict[str, Any]) -> None:
    seen = await read.payment(shop.service.pool, PaymentId(payment["id"]))
    await note(shop, "yookassa", MismatchKind.ONLY_OURS, payment["external_id"], seen)


async def test_what_the_vendor_does_not_know_is_taken_back(till: Open) -> None:
    """What was spent of it becomes a debt; the vendor is told nothing, and asked for nothing."""
    shop = await till(worker=False)
    payment = await bought(shop)
    await shop.service.api.ordered(ALI)
    spent = 1000 - await shop.available(ALI)
    assert spent > 0
    await noted_only_ours(shop, payment)
    assert "no charge to credit" in await refused(shop, "credit")
    await decided(shop, "claw_back")
    assert (await shop.available(ALI), await shop.debt(ALI)) == (0, spent)
    row = await shop.service.pool.fetchrow("SELECT * FROM refunds")
    assert row is not None
    assert (row["origin"], row["state"], row["amount_minor"]) == ("vendor", "done", 14_900)
    assert (row["external_id"], row["check_at"], row["debt"]) == (None, None, spent)
    stats = await shop.sandbox.stats("yookassa")
    assert stats["refunds_created"] == 0
    await noted_only_ours(shop, payment)
    answer = await decide(shop, (await only_mismatch(shop, "resolved"))["id"], "claw_back", "other")
    assert (answer.status, answer.code) == (409, "mismatch_closed")
    tomorrow = replace(shop.service.deps, clock=MovedClock(timedelta(hours=20)))
    run = await run_now(replace(shop.service, deps=tomorrow), "yookassa")
    assert (run.compared, run.differences) == (1, 0), "nobody looks for it at the vendor"


async def test_what_was_refunded_is_not_taken_back_again(till: Open) -> None:
    shop = await till(worker=False)
    payment = await bought(shop)
    assert (await shop.refund(str(payment["id"]), "all")).body["state"] == "refunded"
    await noted_only_ours(shop, payment)
    assert "nothing is left" in await refused(shop, "claw_back")
    assert (await shop.available(ALI), await shop.debt(ALI)) == (0, 0)


async def test_a_refund_that_found_no_payment_is_settled_when_there_is_one(till: Open) -> None:
    shop = await till(worker=False)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    external_id = await shop.external_id(opened["payment_id"])
    now = shop.service.deps.clock.now()
    made = RefundMade("rf-1", external_id, RefundState.DONE, 7450, "RUB", now)
    assert await settle(shop, "yookassa", made) is MismatchKind.REFUND_ONLY_THEIRS
    assert "no paid payment" in await refused(shop, "claw_back")
    await shop.sandbox.pay(opened["payment_url"])
    assert (await run_now(shop.service, "yookassa")).healed == 1
    assert await shop.available(ALI) == 1000
    await decided(shop, "claw_back")
    assert await shop.available(ALI) == 500
    assert isinstance(await settle(shop, "yookassa", made), Refund)
    assert await shop.available(ALI) == 500


async def test_a_larger_refund_than_ours_takes_the_difference(till: Open) -> None:
    """We know of 74.50, the vendor of 100.00."""
    shop = await till(worker=False)
    payment = await bought(shop)
    assert (await shop.refund(str(payment["id"]), "half", 7450)).status == 200
    refund = await shop.service.pool.fetchrow("SELECT * FROM refunds")
    assert refund is not None
    now = shop.service.deps.clock.now()
    made = RefundMade(
        refund["external_id"], payment["external_id"], RefundState.DONE, 10_000, "RUB", now
    )
    assert await settle(shop, "yookassa", made) is MismatchKind.REFUND_DIFFERS
    await decided(shop, "claw_back")
    after = await shop.payment(str(payment["id"]))
    assert (after["refunded_minor"], after["taken_back"]) == (10_000, 671)
    assert await shop.available(ALI) == 1000 - 671


async def test_a_smaller_refund_than_ours_takes_nothing(till: Open) -> None:
    shop = await till(worker=False)
    payment = await bought(shop)
    assert (await shop.refund(str(payment["id"]), "half", 7450)).status == 200
    refund = await shop.service.pool.fetchrow("SELECT * FROM refunds")
    assert refund is not None
    now = shop.service.deps.clock.now()
    made = RefundMade(
        refund["external_id"], payment["external_id"], RefundState.DONE, 5000, "RUB", now
    )
    assert await settle(shop, "yookassa", made) is MismatchKind.REFUND_DIFFERS
    assert "nothing is left" in await refused(shop, "claw_back")
    assert await shop.available(ALI) == 500


# --- once -----------------------------------------------------------------------------------------


async def test_a_decision_has_one_effect(till: Open) -> None:
    """Sixteen times with one key and sixteen with others, at once."""
    shop = await till(worker=False)
    await shop.service.person(ALI)
    now = shop.service.deps.clock.now()
    await settle(shop, "stars", charge("stx1", "stars", payer_id=ALI, at=now))
    mismatch_id = (await only_mismatch(shop))["id"]
    answers = await asyncio.gather(
        *(decide(shop, mismatch_id, "credit", "same") for _ in range(16)),
        *(decide(shop, mismatch_id, "credit", f"k{number}") for number in range(16)),
    )
    assert {answer.status for answer in answers} == {200, 409}
    assert {answer.code for answer in answers if answer.status == 409} == {"mismatch_closed"}
    assert await shop.available(ALI) == 1000
    assert len(await acts(shop)) == 1
    answer = await decide(shop, 10**9, "dismiss", "absent")
    assert (answer.status, answer.code) == (404, "mismatch_not_found")


async def test_a_decision_and_the_charges_own_event_credit_once(till: Open) -> None:
    """The event of the invoice comes at last, while an operator decides."""
    shop = await till(worker=False)
    for number in range(8):
        user_id = ALI + number
        await shop.service.person(user_id)
        opened = await shop.checkout(user_id)
        external_id = await shop.external_id(opened["payment_id"])
        ours = PaymentId(UUID(opened["payment_id"]))
        now = shop.service.deps.clock.now()
        await note(shop, "yookassa", MismatchKind.ONLY_THEIRS, external_id)
        paid = charge(external_id, "yookassa", at=now, payment_id=ours)
        await shop.service.as_owner(
            "UPDATE payment_mismatches SET theirs = $2::jsonb WHERE subject = $1",
            external_id,
            {
                "external_id": external_id, "state": "paid", "amount_minor": 14_900,
                "currency": "RUB", "at": now.isoformat(), "payment_id": str(ours),
                "payer_id": None, "cancel_reason": None,
            },
        )  # fmt: skip
        mismatch_id = (await only_mismatch(shop))["id"]
        await asyncio.gather(
            decide(shop, mismatch_id, "credit", f"k{number}"),
            *(settle(shop, "yookassa", paid) for _ in range(3)),
        )
        assert await shop.available(user_id) == 1000
        await shop.service.as_owner("UPDATE payment_mismatches SET state = 'resolved'")
