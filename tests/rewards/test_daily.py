"""The daily bonus: one a local day, more for days in a row, whatever clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hamyon.rewards import service as rewards
from hamyon.rewards.errors import AlreadyClaimed
from hamyon.rewards.service.daily import begin_of
from hamyon.rewards.types import Claimed
from tests.rewards.conftest import TASHKENT, Scene

PERSON = 1
REWARDS = (1, 1, 1, 1, 1, 1, 2)


async def claim(
    scene: Scene, now: datetime, zone: ZoneInfo = TASHKENT, *, product: str = "drawings",
    rewarded: tuple[int, ...] = REWARDS,
) -> Claimed:  # fmt: skip
    return await scene.run(
        lambda connection: rewards.claim_daily(
            connection, PERSON, product, "revival", rewarded, zone, now
        )
    )


def local(zone: ZoneInfo, *moment: int) -> datetime:
    return datetime(*moment, tzinfo=zone)  # type: ignore[misc,arg-type]


@pytest.fixture(autouse=True)
async def person(scene: Scene) -> None:
    await scene.person(PERSON)


async def test_rewards_follow_the_streak_and_begin_anew_after_the_last(scene: Scene) -> None:
    first = local(TASHKENT, 2026, 2, 26, 12)
    granted = [await claim(scene, first + timedelta(days=day)) for day in range(9)]
    assert [one.granted for one in granted] == [1, 1, 1, 1, 1, 1, 2, 1, 1]
    assert [one.streak for one in granted] == [1, 2, 3, 4, 5, 6, 7, 8, 9]  # over a month's end
    assert await scene.balance(PERSON, "revival") == 10
    assert granted[0].next_at == local(TASHKENT, 2026, 2, 27)
    assert granted[0].next_at.tzinfo is UTC


async def test_a_second_claim_on_one_day_is_refused(scene: Scene) -> None:
    await claim(scene, local(TASHKENT, 2026, 3, 1, 0, 0))
    with pytest.raises(AlreadyClaimed) as refused:
        await claim(scene, local(TASHKENT, 2026, 3, 1, 23, 59))
    assert refused.value.facts == {"next_bonus_at": "2026-03-01T19:00:00Z"}
    assert (refused.value.code, refused.value.status) == ("already_claimed", 409)
    assert await scene.balance(PERSON, "revival") == 1
    assert (await claim(scene, local(TASHKENT, 2026, 3, 2, 0, 0))).streak == 2


async def test_a_missed_day_begins_at_one(scene: Scene) -> None:
    for day in (1, 2, 3, 5, 6):
        claimed = await claim(scene, local(TASHKENT, 2026, 3, day, 9))
    assert claimed.streak == 2


async def test_products_count_for_themselves(scene: Scene) -> None:
    await claim(scene, local(TASHKENT, 2026, 3, 1, 9))
    await claim(scene, local(TASHKENT, 2026, 3, 2, 9))
    assert (await claim(scene, local(TASHKENT, 2026, 3, 2, 9), product="images")).streak == 1


async def test_a_day_that_gives_nothing_still_counts(scene: Scene) -> None:
    granted = [
        (await claim(scene, local(TASHKENT, 2026, 3, day), rewarded=(0, 5))).granted
        for day in (1, 2, 3)
    ]
    assert granted == [0, 5, 0]
    assert await scene.balance(PERSON, "revival") == 5


async def test_how_a_person_stands(scene: Scene) -> None:
    async def status(*moment: int) -> tuple[bool, int]:
        return await rewards.daily_status(
            scene.pool, PERSON, "drawings", TASHKENT, local(TASHKENT, *moment)
        )

    assert await status(2026, 3, 1) == (False, 0)
    await claim(scene, local(TASHKENT, 2026, 3, 1, 22))
    await claim(scene, local(TASHKENT, 2026, 3, 2, 1))
    assert await status(2026, 3, 2, 1) == (True, 2)
    assert await status(2026, 3, 3, 23) == (False, 2)
    assert await status(2026, 3, 4, 0) == (False, 0)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        # A day of 23 hours and one of 25.
        ("Europe/Berlin", (2026, 3, 28, 23, 30), (2026, 3, 29, 0, 30)),
        ("Europe/Berlin", (2026, 3, 29, 0, 30), (2026, 3, 30, 23, 30)),
        ("America/New_York", (2026, 11, 1, 0, 10), (2026, 11, 2, 0, 10)),
        ("America/New_York", (2026, 10, 31, 23, 59), (2026, 11, 1, 23, 59)),
        # Clocks jump over midnight itself.
        ("Africa/Cairo", (2026, 4, 23, 23, 59), (2026, 4, 24, 1, 0)),
        ("Pacific/Kiritimati", (2026, 12, 31, 23, 59), (2027, 1, 1, 0, 0)),
    ],
)
async def test_days_in_a_row_are_of_the_calendar(
    scene: Scene, name: str, before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    zone = ZoneInfo(name)
    first = await claim(scene, local(zone, *before), zone)
    second = await claim(scene, local(zone, *after), zone)
    assert (first.streak, second.streak) == (1, 2)


async def test_25_hours_of_one_day_are_one_day(scene: Scene) -> None:
    zone = ZoneInfo("Europe/Berlin")
    claimed = await claim(scene, local(zone, 2026, 10, 25, 0, 0), zone)
    assert claimed.next_at - timedelta(hours=25) == local(zone, 2026, 10, 25)
    with pytest.raises(AlreadyClaimed):
        await claim(scene, claimed.next_at - timedelta(seconds=1), zone)
    assert (await claim(scene, claimed.next_at, zone)).streak == 2


@pytest.mark.parametrize(
    ("name", "day"),
    [
        (name, day)
        for name in (
            "Asia/Tashkent", "Europe/Berlin", "America/New_York", "Africa/Cairo",
            "America/Havana", "Asia/Beirut", "Australia/Lord_Howe",
        )
        for day in (date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 24), date(2026, 10, 25),
                    date(2026, 10, 30), date(2026, 11, 1), date(2026, 12, 31))
    ],
)  # fmt: skip
async def test_a_day_begins_where_it_begins(name: str, day: date) -> None:
    zone = ZoneInfo(name)
    begin = begin_of(day, zone)
    assert begin.astimezone(zone).date() == day
    assert (begin - timedelta(seconds=1)).astimezone(zone).date() == day - timedelta(days=1)
