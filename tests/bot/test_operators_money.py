"""Payments and orders in the console: money goes back once, and the audit finds nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hamyon.kit.web.permission import Role
from tests.bot import staff
from tests.bot.conftest import OpenTown
from tests.bot.talk import Talk, Town, buttons
from tests.doors.shop import Shop
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import eventually

ANNA = 777


async def rubles(people: Town) -> str:
    """A payment of Anna's through YooKassa, paid."""
    await people.service.api.sync(ANNA)
    return await Shop(people.service, people.sandbox).bought_rubles(ANNA)


async def payment(people: Town, payment_id: str) -> dict[str, Any]:
    answer = await people.service.api.call("GET", f"/admin/payments/{payment_id}", admin=True)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.body["payment"]
    return found


async def with_payment(people: Town, role: Role) -> Talk:
    """An operator with the newest payment on his screen."""
    talk = await staff.operator(people, role)
    await talk.say("/admin_payments")
    await talk.hears("Payments")
    await talk.press(f"· {ANNA} ·")
    await talk.hears("Payment ")
    return talk


async def test_a_part_and_then_the_rest_go_back(town: OpenTown) -> None:
    people = await town()
    payment_id = await rubles(people)
    before = await payment(people, payment_id)
    granted = before["granted"]
    boris = await with_payment(people, Role.FINANCE)
    await boris.press("Refund")
    await boris.hears("How much shall go back")
    for nonsense in ("-5", "0", "1.234", "everything"):
        await boris.say(nonsense)
        await boris.hears("That is no amount")
    await boris.say("10.50")
    await boris.hears("Why?")
    await boris.say("half a picture")
    plan = await boris.hears("half a picture")
    taken = granted * 1050 // before["paid_minor"]
    assert "Give back 10.50" in plan["text"]
    assert f"Taken from the wallet: {taken} " in plan["text"]
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("Given back in all: 10.50")
    await boris.toast("done already")
    after = await payment(people, payment_id)
    assert (after["refunded_minor"], after["taken_back"]) == (1050, taken)
    # The rest, of which Anna has spent everything.
    await people.service.api.call(
        "POST",
        "/admin/credits",
        {"telegram_id": ANNA, "amount": taken - granted, "reason": "spent"},
        admin=True,
        headers={"Idempotency-Key": "spent"},
    )
    assert await people.service.api.balance(ANNA) == (0, 0)
    await boris.press("Back")
    await boris.press("Refund")
    await boris.hears("How much")
    await boris.press("All of it")
    await boris.hears("Why?")
    await boris.say("the rest")
    plan = await boris.hears("become a debt")
    assert f"of which {granted - taken} " in plan["text"]
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("Given back in all")
    after = await payment(people, payment_id)
    assert (after["state"], after["taken_back"]) == ("refunded", granted)
    acts = await staff.acts(people, "payment.refund")
    assert [act["reason"] for act in acts] == ["half a picture", "the rest"]
    assert acts[0]["before"] == {"state": "paid", "refunded_minor": 0}
    assert acts[1]["after"]["debt"] == granted - taken
    assert [act["subject"] for act in acts] == [f"payment:{payment_id}"] * 2
    refunds = await people.service.pool.fetchval("SELECT count(*) FROM refunds")
    assert refunds == 2


async def test_more_than_was_paid_does_not_go_back(town: OpenTown) -> None:
    people = await town()
    payment_id = await rubles(people)
    boris = await with_payment(people, Role.FINANCE)
    await boris.press("Refund")
    await boris.hears("How much")
    await boris.say("1 000 000")
    await boris.hears("Why?")
    await boris.say("generosity")
    await boris.hears("can still be given back")
    assert (await payment(people, payment_id))["refunded_minor"] == 0
    assert await staff.acts(people) == []


async def test_support_looks_and_gives_nothing_back(town: OpenTown) -> None:
    people = await town()
    await rubles(people)
    boris = await with_payment(people, Role.SUPPORT)
    card = await boris.hears("Payment ")
    labels = [button["text"] for button in buttons(card)]
    assert not [label for label in labels if "Refund" in label or "vendor" in label]


async def test_the_vendor_is_asked_once(town: OpenTown) -> None:
    people = await town()
    payment_id = await rubles(people)
    boris = await with_payment(people, Role.FINANCE)
    await boris.press("Ask the vendor")
    await boris.hears("What it says is booked")
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("The payment is paid")
    (act,) = await staff.acts(people, "payment.recheck")
    assert act["subject"] == f"payment:{payment_id}"


async def in_review(people: Town, sandbox: Sandbox) -> str:
    """An order of Anna's that nobody knows the end of."""
    await sandbox.settings(created_s=60, processing_s=60)
    await people.service.person(ANNA, 100)
    order_id = await people.service.api.ordered(ANNA)

    async def sent() -> bool:
        return bool((await people.service.job(order_id))["state"] == "running")

    await eventually(sent)
    await people.service.past_deadline(order_id)
    return order_id


async def with_order(people: Town, role: Role) -> Talk:
    talk = await staff.operator(people, role)
    await talk.say("/admin_orders")
    await talk.press("seedream-v4")
    await talk.hears("in review")
    return talk


async def test_an_order_in_review_is_released_once(town: OpenTown, sandbox: Sandbox) -> None:
    people = await town()
    order_id = await in_review(people, sandbox)
    boris = await with_order(people, Role.FINANCE)
    await boris.press("Charge")
    await boris.hears("Why?")
    await boris.say("it looks fine")
    await boris.hears("What exists is charged")
    await boris.press("Yes, do it")
    await boris.toast("Nothing was delivered")
    await boris.say("/admin_orders")
    await boris.press("seedream-v4")
    await boris.hears("in review")
    await boris.press("Release")
    await boris.hears("Why?")
    await boris.say("nobody knows")
    plan = await boris.hears("nobody knows")
    assert "held 27 credits" in plan["text"]
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("Released")
    assert await people.service.api.balance(ANNA) == (100, 0)
    (act,) = await staff.acts(people, "order.resolve")
    assert act["subject"] == f"order:{order_id}"
    assert act["after"] == {"decision": "release", "status": "failed", "charged": 0}
    assert act["reason"] == "nobody knows"


async def test_a_charge_is_given_back_in_parts(town: OpenTown) -> None:
    people = await town()
    await people.service.person(ANNA, 100)
    order_id = await people.service.api.ordered(ANNA)
    await people.service.api.ended(ANNA, order_id)
    assert await people.service.api.balance(ANNA) == (73, 0)
    boris = await staff.operator(people, Role.FINANCE)
    await boris.say("/admin_users")
    await boris.press(str(ANNA))
    await boris.press("🎨 Orders")
    await boris.press("seedream-v4")
    await boris.press("Refund")
    await boris.hears("How much")
    await boris.say("7")
    await boris.hears("Why?")
    await boris.say("not so nice")
    await boris.hears("Give back 7 credits of 27 credits")
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("Left: 20 credits")
    assert await people.service.api.balance(ANNA) == (80, 0)
    await boris.press("Back")
    await boris.press("Refund")
    await boris.hears("How much")
    await boris.press("All of it")
    await boris.hears("Why?")
    await boris.say("not nice at all")
    await boris.hears("Given back before: 7 credits")
    await boris.press("Yes, do it")
    await boris.hears("Left: 0")
    assert await people.service.api.balance(ANNA) == (100, 0)
    acts = await staff.acts(people, "order.refund")
    assert [act["after"]["refunded"] for act in acts] == [7, 27]
    assert {act["subject"] for act in acts} == {f"order:{UUID(order_id)}"}


async def test_a_lost_question_is_asked_again_and_not_answered(town: OpenTown) -> None:
    """Each text is taken, its answer is lost, and it comes again: it answers nothing further."""
    people = await town()
    payment_id = await rubles(people)
    boris = await with_payment(people, Role.FINANCE)
    await boris.press("Refund")
    await boris.hears("How much shall go back")
    await staff.lose_answers(people, "sendMessage", 1)
    await boris.say("10.50")
    await boris.hears("Why?")
    await staff.lose_answers(people, "sendMessage", 1)
    await boris.say("half a picture")
    plan = await boris.hears("Give back 10.50")
    assert "Reason: half a picture" in plan["text"]
    assert len([one for one in boris.news() if "Give back" in one.get("text", "")]) == 1
    assert await people.service.pool.fetchval("SELECT count(*) FROM bot_drafts") == 0
    await boris.press("Yes, do it")
    await boris.hears("Given back in all: 10.50")
    (act,) = await staff.acts(people, "payment.refund")
    assert act["reason"] == "half a picture"
    # The same for the button that answers in place of a text.
    await boris.press("Back")
    await boris.press("Refund")
    await boris.hears("How much shall go back")
    await staff.lose_answers(people, "editMessageText", 1)
    await boris.press("All of it")
    await boris.hears("Why?")
    assert (await payment(people, payment_id))["refunded_minor"] == 1050
