"""People in the console: found, given credits, blocked; each act once, and written down."""

from __future__ import annotations

from typing import Any

import pytest

from hamyon.kit.web.permission import Role
from hamyon.surfaces.bot.flows.operators.amounts import read_amount
from tests.bot import staff
from tests.bot.conftest import OpenTown
from tests.bot.talk import Talk, Town

ANNA = 777


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("100", 100),
        (" 100 ", 100),
        ("1 000", 1000),
        ("1\u00a0000 000", 1_000_000),
        ("-50", -50),
        ("\u221250", -50),
        ("9007199254740991", 9007199254740991),
    ],
)
def test_amounts_that_are_understood(typed: str, amount: int) -> None:
    assert read_amount(typed) == amount


@pytest.mark.parametrize(
    "typed",
    ["", "0", "-0", "00", "007", "1,000", "1.5", "1 00", "10 00", "1  000", "+5", "--5", "- 5",
     "5 credits", "1e3", "٥", "½", "0x10", "9007199254740992", "9" * 5000, "100\n200"],
)  # fmt: skip
def test_amounts_that_are_not(typed: str) -> None:
    assert read_amount(typed) is None


@pytest.mark.parametrize(
    ("typed", "minor"),
    [("149", 14900), ("149.5", 14950), ("149,50", 14950), ("0.01", 1), ("0.00", None),
     ("1.234", None), ("1 000.50", 100050), (".5", None), ("5.", None)],
)  # fmt: skip
def test_amounts_of_money_have_a_point(typed: str, minor: int | None) -> None:
    assert read_amount(typed, scale=2) == minor


async def opened(people: Town, role: Role) -> Talk:
    """An operator with Anna's card on his screen."""
    await people.service.person(ANNA, 100)
    talk = await staff.operator(people, role)
    await talk.say("/admin_users")
    await talk.hears("Who?")
    await talk.say(str(ANNA))
    await talk.press(str(ANNA))
    await talk.hears("Can spend: 100 credits")
    return talk


async def test_a_person_is_found_by_whatever_is_known_of_him(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(ANNA, first_name="Anna", last_name="<b>Li", username="anna_li")
    await anna.say("/start")
    await anna.hears("Anna")
    boris = await staff.operator(people, Role.SUPPORT)
    await boris.say("/admin_users")
    await boris.hears("Who?")
    for typed in ("777", "@anna_li", "anna", "Anna <b>Li", "ref_777"):
        await boris.say(typed)
        await boris.hears("Found")
        await staff.button_of(boris, "Anna <b>Li @anna_li · 777")
    for typed in ("nobody like this", "%", "_", "\\"):
        await boris.say(typed)
        await boris.hears("Nobody fits")
    await boris.press("Anna <b>Li")
    card = await boris.hears("Can spend")
    assert "Anna <b>Li @anna_li (777)" in card["text"]
    assert "ref_777" in card["text"]


@pytest.mark.parametrize(("typed", "after"), [("1 000", 1100), ("-50", 50)])
async def test_credits_move_once_and_as_http_writes_them(
    town: OpenTown, typed: str, after: int
) -> None:
    people = await town()
    boris = await opened(people, Role.FINANCE)
    await boris.press("Credits")
    await boris.hears("How many credits")
    for nonsense in ("many", "0", "1,000", "100.5"):
        await boris.say(nonsense)
        await boris.hears("That is no amount")
    await boris.say(typed)
    await boris.hears("Why?")
    await boris.say("x" * 1001)
    await boris.hears("1 to 1000 characters")
    await boris.say("a <b>gift</b>")
    plan = await boris.hears("a <b>gift</b>")
    shown = f"{after:,}"
    assert f"Balance: 100 → {shown}" in plan["text"]
    assert await people.service.api.balance(ANNA) == (100, 0)
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears(f"100 → {shown}")
    await boris.toast("done already")
    assert await people.service.api.balance(ANNA) == (after, 0)
    (by_bot,) = await staff.acts(people)
    assert by_bot["address"] is None
    assert by_bot["request_id"].startswith("tg:")
    assert by_bot["actor"] == f"user:{staff.FINANCE}"
    await same_over_http(people, by_bot, after)


async def same_over_http(people: Town, by_bot: dict[str, Any], after: int) -> None:
    """HTTP does the same to somebody else and writes the same row."""
    await people.service.person(778, 100)
    answer = await people.service.api.call(
        "POST",
        "/admin/credits",
        {"telegram_id": 778, "amount": after - 100, "reason": "a <b>gift</b>"},
        admin=True,
        headers={"Idempotency-Key": "k"},
    )
    assert answer.status == 200, answer.body
    row = await people.service.pool.fetchrow(
        """
        SELECT action, subject, before, after, reason FROM audit_log
        WHERE subject = 'user:778' AND action = 'credits.adjust'
        """
    )
    assert row is not None
    other = dict(row)
    mine = {name: by_bot[name] for name in other}
    assert mine.pop("subject") == f"user:{ANNA}"
    assert other.pop("subject") == "user:778"
    for act in (mine, other):
        assert act["after"].pop("transfer_id") > 0
    assert mine == other


async def test_more_than_there_is_cannot_be_taken(town: OpenTown) -> None:
    people = await town()
    boris = await opened(people, Role.FINANCE)
    await boris.press("Credits")
    await boris.hears("How many credits")
    await boris.say("-101")
    await boris.hears("Why?")
    await boris.say("a mistake")
    await boris.hears("This needs 101, and 100 is available")
    assert await people.service.api.balance(ANNA) == (100, 0)
    assert await staff.acts(people) == []


async def test_changing_ones_mind_changes_nothing(town: OpenTown) -> None:
    people = await town()
    boris = await opened(people, Role.FINANCE)
    await boris.press("Credits")
    await boris.hears("How many credits")
    await boris.say("5")
    await boris.hears("Why?")
    await boris.say("a gift")
    _, data = await staff.button_of(boris, "Yes, do it")
    number, _ = await staff.button_of(boris, "No")
    await boris.press("✗ No")
    await boris.hears("Nothing was done")
    answered = await people.service.pool.fetchval("SELECT expecting FROM bot_chats")
    assert answered is None
    assert data.startswith("oc:")
    assert number > 0
    assert await people.service.api.balance(ANNA) == (100, 0)


async def test_support_gives_no_credits(town: OpenTown) -> None:
    people = await town()
    boris = await opened(people, Role.SUPPORT)
    card = await boris.hears("Can spend")
    assert "➕" not in str(card["reply_markup"])


async def test_blocking_closes_the_bot_and_unblocking_opens_it(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(ANNA)
    boris = await opened(people, Role.SUPPORT)
    await boris.press("⛔ Block")
    await boris.hears("Why?")
    await boris.say("spam")
    await boris.hears("Every door closes")
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("Blocked, everywhere")
    await anna.say("/help")
    await anna.hears("This account is closed")
    await boris.press("Back")
    await boris.hears("Blocked: spam")
    await boris.press("Unblock")
    await boris.hears("Why?")
    await boris.say("sorry")
    await boris.hears("Reason: sorry")
    await staff.press_twice(boris, "Yes, do it")
    await boris.hears("Unblocked")
    await anna.say("/help")
    await anna.hears("How it works")
    assert [staff.without_request(act) for act in await staff.acts(people)] == [
        {
            "actor": f"user:{staff.SUPPORT}",
            "action": "user.block",
            "subject": "user:777",
            "before": {"blocked": False, "blocked_reason": None},
            "after": {"blocked": True, "blocked_reason": "spam"},
            "reason": "spam",
        },
        {
            "actor": f"user:{staff.SUPPORT}",
            "action": "user.unblock",
            "subject": "user:777",
            "before": {"blocked": True, "blocked_reason": "spam"},
            "after": {"blocked": False, "blocked_reason": None},
            "reason": "sorry",
        },
    ]


async def test_an_operator_of_the_same_role_is_protected(town: OpenTown) -> None:
    people = await town()
    await people.service.api.sync(ANNA)
    await staff.appoint(people, ANNA, Role.SUPPORT)
    boris = await staff.operator(people, Role.SUPPORT)
    await boris.say("/admin_users")
    await boris.press(str(ANNA))
    await boris.hears("Role: support")
    await boris.press("⛔ Block")
    await boris.hears("Why?")
    await boris.say("envy")
    await boris.hears("Every door closes")
    await boris.press("Yes, do it")
    await boris.toast("protected")
    assert await staff.acts(people) == []


@pytest.mark.parametrize(
    ("begin", "texts", "action"),
    [("Credits", ("50", "a gift"), "credits.adjust"), ("⛔ Block", ("spam",), "user.block")],
)
async def test_an_update_that_broke_off_after_its_act_does_it_no_second_time(
    town: OpenTown, begin: str, texts: tuple[str, ...], action: str
) -> None:
    """As when the process dies between the act's commit and forgetting that it was pending."""
    people = await town()
    boris = await opened(people, Role.FINANCE)
    await boris.press(begin)
    for typed in texts:
        await boris.hears("Why?" if typed == texts[-1] else "How many")
        await boris.say(typed)
    await staff.confirmed_and_broken_off(people, boris, staff.FINANCE)
    # It ran to its end: nothing is pending any more.
    assert await people.service.pool.fetchval("SELECT expecting FROM bot_chats") is None
    assert len(await staff.acts(people, action)) == 1
    posted = await people.service.pool.fetchval(
        "SELECT sum(amount) FROM ledger_entries e JOIN accounts a ON a.id = e.account_id"
        " WHERE a.user_id = $1",
        ANNA,
    )
    assert posted == (150 if begin == "Credits" else 100)
