"""Everybody is told everything of his, until he says otherwise."""

from __future__ import annotations

import pytest

from hamyon.kit.db import Pool, in_transaction
from hamyon.kit.web.permission import Role
from hamyon.messages.service import preferences
from hamyon.messages.types import Topic

PEOPLES = [Topic.PAYMENTS, Topic.REWARDS, Topic.NEWS]


@pytest.fixture
async def person(pool: Pool) -> int:
    await pool.execute("INSERT INTO users (id, language) VALUES (7, 'en'), (8, 'en')")
    return 7


async def choose(pool: Pool, user_id: int, topic: Topic, *, enabled: bool) -> None:
    await in_transaction(pool, preferences.set_preference, user_id, topic, enabled=enabled)


@pytest.mark.parametrize(
    ("role", "theirs"),
    [
        (None, []),
        (Role.SUPPORT, ["support"]),
        (Role.FINANCE, ["payments", "orders", "support"]),
        (Role.ADMIN, ["payments", "orders", "providers", "audit", "report", "support"]),
        (Role.OWNER, ["payments", "orders", "providers", "audit", "report", "support"]),
    ],
)
def test_operators_have_topics_of_their_role(role: Role | None, theirs: list[str]) -> None:
    expected = [*PEOPLES, *(Topic(f"operator_{name}") for name in theirs)]
    assert list(preferences.topics_for(role)) == expected


async def test_on_at_first_and_off_when_somebody_says_so(pool: Pool, person: int) -> None:
    assert await preferences.read(pool, person, None) == dict.fromkeys(PEOPLES, True)
    for _ in range(2):
        await choose(pool, person, Topic.NEWS, enabled=False)
    wanted = await preferences.read(pool, person, None)
    assert wanted == {Topic.PAYMENTS: True, Topic.REWARDS: True, Topic.NEWS: False}
    assert await preferences.read(pool, 8, None) == dict.fromkeys(PEOPLES, True)
    for _ in range(2):
        await choose(pool, person, Topic.NEWS, enabled=True)
    assert await preferences.read(pool, person, None) == dict.fromkeys(PEOPLES, True)
    assert await pool.fetchval("SELECT count(*) FROM notification_preferences") == 0


async def test_who_does_not_want_to_hear_of_a_topic(pool: Pool, person: int) -> None:
    await choose(pool, person, Topic.NEWS, enabled=False)
    await choose(pool, 8, Topic.PAYMENTS, enabled=False)
    assert await preferences.muted(pool, [7, 8, 9], Topic.NEWS) == {7}
    assert await preferences.muted(pool, [8, 9], Topic.NEWS) == frozenset()
    assert await preferences.muted(pool, [7, 8], None) == frozenset()


async def test_an_operators_switch_outlives_his_role(pool: Pool, person: int) -> None:
    await choose(pool, person, Topic.OPERATOR_AUDIT, enabled=False)
    assert await preferences.read(pool, person, None) == dict.fromkeys(PEOPLES, True)
    wanted = await preferences.read(pool, person, Role.ADMIN)
    assert [topic for topic, enabled in wanted.items() if not enabled] == [Topic.OPERATOR_AUDIT]
