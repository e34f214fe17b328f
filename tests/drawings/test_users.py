"""People in drawings: met once whoever races, welcomed once, and their daily bonus."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hamyon.kit.clock import MovedClock
from hamyon.kit.db import transaction
from hamyon.ledger.types import TransferKind
from hamyon.products.drawings import service
from hamyon.products.drawings.types import PRODUCT, UNIT, Registration
from hamyon.rewards import service as rewards
from tests.drawings.caller import FRIEND, USER, Drawings
from tests.fixtures.service import Launch

FIELDS = {
    "chat_id": USER,
    "username": "dilnoza",
    "ozhivashki": 1,
    "generation_count": 0,
    "last_generation_time": None,
    "first_generation_time": None,
    "referral_code": f"ref_{USER}",
    "referred_by": None,
    "referral_bonus_claimed": False,
    "daily_bonus_claimed_today": False,
    "daily_bonus_streak": 0,
    "discount_offered": False,
    "advertising_source": "src_spring",
    "yookassa_payments": {},
}
TIMES = {"registered_at", "last_activity_time"}


def _time(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


# --- meeting people -------------------------------------------------------------------------------


async def test_somebody_new(drawings: Drawings) -> None:
    before = datetime.now(UTC)
    answer = await drawings.register(username="dilnoza", advertising_source="src_spring")
    after = datetime.now(UTC)
    assert answer.status == 201
    assert answer.body.keys() == FIELDS.keys() | TIMES
    assert {name: answer.body[name] for name in FIELDS} == FIELDS
    assert before <= _time(answer.body["registered_at"]) <= after
    assert answer.body["last_activity_time"] == answer.body["registered_at"]
    assert await drawings.lines(TransferKind.WELCOME) == [1]
    keys = await drawings.service.pool.fetch("SELECT key FROM transfers")
    assert [row["key"] for row in keys] == [f"welcome:drawings:{USER}"]
    assert await drawings.user() == answer.body


async def test_again_only_the_username_and_the_activity_change(drawings: Drawings) -> None:
    await drawings.known(FRIEND)
    first = (await drawings.register(username="dilnoza", advertising_source="src_spring")).body
    again = await drawings.register(
        username="dilya", referral_code=f"ref_{FRIEND}", advertising_source="src_autumn"
    )
    assert again.status == 200
    changed = {name for name in first if first[name] != again.body[name]}
    assert changed == {"username", "last_activity_time"}
    assert again.body["username"] == "dilya"
    assert _time(again.body["last_activity_time"]) > _time(first["last_activity_time"])
    assert await drawings.revivals() == (1, 0)


async def test_a_username_is_kept_until_another_one_is_told(drawings: Drawings) -> None:
    await drawings.known(username="dilnoza")
    assert (await drawings.register()).body["username"] == "dilnoza"
    assert (await drawings.register(username=None)).body["username"] is None


async def test_twenty_at_once_meet_one_person(drawings: Drawings) -> None:
    await drawings.known(FRIEND)
    for user_id in range(1000, 1005):
        answers = await asyncio.gather(
            *(drawings.register(user_id, referral_code=f"ref_{FRIEND}") for _ in range(20))
        )
        assert sorted(answer.status for answer in answers) == [200] * 19 + [201]
        assert {answer.body["ozhivashki"] for answer in answers} == {1}
        assert {answer.body["referred_by"] for answer in answers} == {FRIEND}
        assert await drawings.lines(TransferKind.WELCOME, user_id) == [1]


async def test_somebody_whom_others_know_is_new_to_drawings(drawings: Drawings) -> None:
    await drawings.known(FRIEND)
    await drawings.service.api.sync(USER)
    assert (await drawings.root.call("GET", f"/users/{USER}")).code == "user_not_found"
    answer = await drawings.register(referral_code=f"ref_{FRIEND}", advertising_source="src_a")
    assert answer.status == 201
    assert answer.body["ozhivashki"] == 1
    assert answer.body["advertising_source"] == "src_a"
    # An inviter is set at first contact, which was elsewhere and without one.
    assert answer.body["referred_by"] is None


async def test_without_a_welcome_gift(launch: Launch) -> None:
    drawings = Drawings(await launch(worker=False, drawings_welcome_revivals=0))
    answer = await drawings.register()
    assert (answer.status, answer.body["ozhivashki"]) == (201, 0)
    assert await drawings.lines(TransferKind.WELCOME) == []


async def test_a_larger_welcome_gift(launch: Launch) -> None:
    drawings = Drawings(await launch(worker=False, drawings_welcome_revivals=3))
    assert (await drawings.register()).body["ozhivashki"] == 3
    assert (await drawings.register()).body["ozhivashki"] == 3


@pytest.mark.parametrize(
    ("code", "inviter"),
    [
        (f"ref_{FRIEND}", FRIEND),
        (f"ref_{USER}", None),
        ("ref_999", None),
        ("ref_99999999999999999999", None),
        ("ref_", None),
        (f"REF_{FRIEND}", None),
        (f"ref_{FRIEND} ", None),
        (str(FRIEND), None),
        ("", None),
        ("x" * 5000, None),
        ("ref_\0", None),
        (None, None),
    ],
)
async def test_referral_codes(drawings: Drawings, code: str | None, inviter: int | None) -> None:
    await drawings.known(FRIEND)
    answer = await drawings.register(referral_code=code)
    assert (answer.status, answer.body["referred_by"]) == (201, inviter)
    assert answer.body["ozhivashki"] == 1


@pytest.mark.parametrize("code", ["x" * 5000, "ref_\0", "ref_0", ""])
def test_a_code_that_names_nobody_is_not_handed_on(code: str) -> None:
    wish = Registration(USER, None, username_given=False, referral_code=code, advertising_source="")
    assert wish.contact().referral_code is None
    known = replace(wish, referral_code=f"ref_{FRIEND}")
    assert known.contact().referral_code == f"ref_{FRIEND}"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("src_tg-Ads_7", "src_tg-Ads_7"),
        ("src_" + "a" * 60, "src_" + "a" * 60),
        ("src_" + "a" * 61, None),
        ("src_", None),
        ("src_реклама", None),
        ("src_a\n", None),
        ("SRC_a", None),
        ("google", None),
        ("src_\0", None),
        ("", None),
        (None, None),
    ],
)
async def test_advertising_sources(drawings: Drawings, given: str | None, kept: str | None) -> None:
    assert (await drawings.register(advertising_source=given)).body["advertising_source"] == kept
    # None is a source, too: a later one does not take its place.
    again = await drawings.register(advertising_source="src_later")
    assert again.body["advertising_source"] == kept


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"chat_id": 0},
        {"chat_id": -5},
        {"chat_id": 2**63},
        {"chat_id": "somebody"},
        {"chat_id": USER, "username": "x" * 257},
        {"chat_id": USER, "username": "a\0b"},
        {"chat_id": USER, "referral_code": 778},
        {"chat_id": USER, "ozhivashki": 1000},
        [],
    ],
)
async def test_what_describes_nobody(drawings: Drawings, body: object) -> None:
    answer = await drawings.root.call("POST", "/users", body)
    assert (answer.status, answer.code) == (422, "invalid_input")
    assert await drawings.service.pool.fetchval("SELECT count(*) FROM users") == 0


async def test_generations_and_the_inviters_bonus_are_shown(drawings: Drawings) -> None:
    await drawings.known(FRIEND)
    await drawings.known(referral_code=f"ref_{FRIEND}")
    await drawings.service.as_owner(
        """
        UPDATE drawings_people SET generation_count = 3, first_generation_at = '2026-01-02 03:04Z',
                                   last_generation_at = '2026-02-03 04:05Z'
        WHERE user_id = $1
        """,
        USER,
    )
    assert (await drawings.user())["referral_bonus_claimed"] is False
    async with transaction(drawings.service.pool) as connection:
        await rewards.reward_first(connection, USER, PRODUCT, UNIT, 1)
    shown = await drawings.user()
    assert shown["generation_count"] == 3
    assert _time(shown["first_generation_time"]) == datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert _time(shown["last_generation_time"]) == datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    assert shown["referral_bonus_claimed"] is True
    inviter = await drawings.user(FRIEND)
    assert (inviter["ozhivashki"], inviter["referral_bonus_claimed"]) == (2, False)


# --- the discount ---------------------------------------------------------------------------------


async def test_the_discount_is_offered_when_nothing_is_left(drawings: Drawings) -> None:
    await drawings.known()
    assert (await drawings.user())["discount_offered"] is False
    await drawings.give(USER, -1)
    shown = await drawings.user()
    assert (shown["ozhivashki"], shown["discount_offered"]) == (0, True)
    await drawings.give(USER, 4)
    shown = await drawings.user()
    assert (shown["ozhivashki"], shown["discount_offered"]) == (4, True)


async def test_what_an_order_holds_is_not_gone_yet(drawings: Drawings) -> None:
    await drawings.known()
    await drawings.hold("order:1")
    shown = await drawings.user()
    assert (shown["ozhivashki"], shown["discount_offered"]) == (0, False)
    await drawings.capture("order:1")
    assert (await drawings.user())["discount_offered"] is True


async def test_no_discount_where_none_is_set(launch: Launch) -> None:
    drawings = Drawings(await launch(worker=False, drawings_discount_percent=0))
    await drawings.broke()
    assert (await drawings.user())["discount_offered"] is False
    assert (await drawings.pricing())["discount_percent"] is None


async def test_many_looks_at_once_offer_one_discount(drawings: Drawings) -> None:
    await drawings.broke()
    shown = await asyncio.gather(*(drawings.user() for _ in range(20)))
    assert [one["discount_offered"] for one in shown] == [True] * 20
    assert await drawings.service.pool.fetchval("SELECT count(*) FROM discounts") == 1


# --- the daily bonus ------------------------------------------------------------------------------


def _next_midnight(zone: str) -> datetime:
    today = datetime.now(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today + timedelta(days=1)).astimezone(UTC)


async def test_a_bonus_a_day(drawings: Drawings) -> None:
    await drawings.known()
    expected = _next_midnight("Asia/Tashkent")
    answer = await drawings.claim()
    assert answer.status == 200
    assert answer.body.keys() == {"granted", "ozhivashki", "daily_bonus_streak", "next_bonus_at"}
    assert answer.body["granted"] == 1
    assert answer.body["ozhivashki"] == 2
    assert answer.body["daily_bonus_streak"] == 1
    # The day may end between the two looks at the clock.
    assert _time(answer.body["next_bonus_at"]) - expected in {timedelta(0), timedelta(days=1)}
    shown = await drawings.user()
    assert (shown["daily_bonus_claimed_today"], shown["daily_bonus_streak"]) == (True, 1)
    assert shown["ozhivashki"] == 2
    assert _time(shown["last_activity_time"]) > _time(shown["registered_at"])


async def test_a_day_has_one_bonus(drawings: Drawings) -> None:
    await drawings.known()
    first = await drawings.claim()
    second = await drawings.claim()
    assert (second.status, second.code) == (409, "already_claimed")
    assert second.body["next_bonus_at"] == first.body["next_bonus_at"]
    assert await drawings.revivals() == (2, 0)


async def test_fifty_claims_at_once_are_one(drawings: Drawings) -> None:
    for user_id in (USER, FRIEND):
        await drawings.known(user_id)
        answers = await asyncio.gather(*(drawings.claim(user_id) for _ in range(50)))
        assert sorted(answer.status for answer in answers) == [200] + [409] * 49
        assert await drawings.lines(TransferKind.DAILY_BONUS, user_id) == [1]
        assert await drawings.revivals(user_id) == (2, 0)


async def test_a_claim_is_never_shown_without_its_revival(drawings: Drawings) -> None:
    for user_id in range(1000, 1010):
        await drawings.known(user_id)
        claimed, *shown = await asyncio.gather(
            drawings.claim(user_id), *(drawings.user(user_id) for _ in range(20))
        )
        assert claimed.status == 200
        for one in [*shown, await drawings.user(user_id)]:
            assert one["ozhivashki"] == 2 or not one["daily_bonus_claimed_today"]


async def test_days_in_a_row_bring_more_and_a_missed_one_begins_anew(launch: Launch) -> None:
    drawings = Drawings(await launch(worker=False, drawings_daily_revivals=(1, 2, 5)))
    await drawings.known()
    clock = MovedClock()
    needs = replace(drawings.service.deps, clock=clock)
    for streak, granted in ((1, 1), (2, 2), (3, 5), (4, 1)):
        bonus = await service.claim_daily_bonus(needs, USER)
        assert (bonus.streak, bonus.granted) == (streak, granted)
        assert (await service.view(needs, USER)).daily == (True, streak)
        clock.advance(days=1)
        assert (await service.view(needs, USER)).daily == (False, streak)
    clock.advance(days=1)
    assert (await service.view(needs, USER)).daily == (False, 0)
    bonus = await service.claim_daily_bonus(needs, USER)
    assert (bonus.streak, bonus.granted) == (1, 1)
    assert bonus.available == 1 + 1 + 2 + 5 + 1 + 1


# --- who may not ----------------------------------------------------------------------------------

PURCHASE = {"item_name": "revivals_5", "quantity": 1, "price": "149.00"}
ROUTES = [
    ("users", "POST", "/users", {"chat_id": USER}),
    ("users", "GET", f"/users/{USER}", None),
    ("rewards", "POST", f"/users/{USER}/daily_bonus", None),
    ("payments", "GET", f"/pricing?chat_id={USER}", None),
    ("payments", "POST", f"/users/{USER}/create_payment", PURCHASE),
]
SCOPES = ("users", "media", "orders", "payments", "rewards", "traffic", "metrics")


@pytest.mark.parametrize(("scope", "method", "path", "body"), ROUTES)
async def test_doors(drawings: Drawings, scope: str, method: str, path: str, body: object) -> None:
    await drawings.known()
    for key in ("", "hk_wrong-0123456789abcdef"):
        answer = await drawings.root.call(method, path, body, headers={"api-key": key})
        assert answer.status == 401
    others = [one for one in SCOPES if one != scope]
    made = await drawings.service.api.call(
        "POST", "/admin/service_keys", {"name": "others", "scopes": others}, admin=True
    )
    answer = await drawings.root.call(method, path, body, headers={"api-key": made.body["secret"]})
    assert (answer.status, answer.code) == (403, "permission_denied")
    made = await drawings.service.api.call(
        "POST", "/admin/service_keys", {"name": "rightful", "scopes": [scope]}, admin=True
    )
    answer = await drawings.root.call(method, path, body, headers={"api-key": made.body["secret"]})
    # There is no way to pay here, which is found out behind the door.
    assert answer.status in {200, 503}


@pytest.mark.parametrize(("scope", "method", "path", "body"), ROUTES)
async def test_blocked_people_are_refused(
    drawings: Drawings, scope: str, method: str, path: str, body: object
) -> None:
    await drawings.known()
    before = await drawings.user()
    await drawings.block()
    answer = await drawings.root.call(method, path, body)
    assert (answer.status, answer.code) == (403, "user_blocked"), scope
    unblock = f"/admin/users/{USER}/unblock"
    await drawings.service.api.call("POST", unblock, {"reason": "a test"}, admin=True)
    assert await drawings.user() == before


@pytest.mark.parametrize(("scope", "method", "path", "body"), ROUTES[1:])
async def test_strangers_are_not_found(
    drawings: Drawings, scope: str, method: str, path: str, body: object
) -> None:
    for _ in range(2):
        answer = await drawings.root.call(method, path, body)
        assert (answer.status, answer.code) == (404, "user_not_found"), scope
        # Other products know him from now on; for drawings that makes no difference.
        await drawings.service.api.sync(USER)
