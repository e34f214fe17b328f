"""People who stop the bot and come back: nobody is bothered, and what they paid for still comes."""

from __future__ import annotations

from tests.bot.conftest import OpenTown
from tests.bot.talk import Town
from tests.fixtures.service import eventually, hurried


async def _reason(people: Town, user_id: int) -> str | None:
    reason: str | None = await people.service.pool.fetchval(
        "SELECT reason FROM unreachable WHERE user_id = $1", user_id
    )
    return reason


async def test_who_stops_the_bot_is_marked_and_who_comes_back_is_not(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(777)
    await anna.say("/start")
    await anna.hears("Hello")
    await anna.block()

    async def is_marked() -> bool:
        return await _reason(people, 777) == "blocked"

    async def is_free() -> bool:
        return await _reason(people, 777) is None

    await eventually(is_marked)
    await anna.unblock()
    await eventually(is_free)


async def test_a_stranger_who_stops_the_bot_is_not_kept(town: OpenTown) -> None:
    people = await town()
    stranger, anna = await people.person(5), await people.person(777)
    await stranger.block()
    await anna.say("/start")
    await anna.hears("Hello")
    assert await people.service.pool.fetchval("SELECT count(*) FROM users") == 1
    assert await people.service.pool.fetchval("SELECT count(*) FROM unreachable") == 0


async def test_a_picture_waits_for_who_stopped_the_bot(town: OpenTown) -> None:
    """It is made and charged; it arrives when the person lets the bot write again."""
    people = await town()
    anna = await people.person(777)
    await anna.say("/start")
    await anna.hears("Hello")
    await anna.say("a fox")
    await anna.press("Create for free")
    await anna.block()

    async def is_gone() -> bool:
        states = await people.service.pool.fetch("SELECT state FROM deliveries")
        return [row["state"] for row in states] == ["gone"]

    async with hurried(people.service):
        await eventually(is_gone)
    await anna.unblock()
    await anna.hears(".png")
