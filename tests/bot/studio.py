"""What the tests of pictures in the chat share: somebody with credits, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tests.bot.talk import Talk, Town, buttons, words
from tests.fixtures.service import eventually

USER = 777
PRICE = 27
WISH = "a red fox in the snow"
SIZE = "1024*1024"


async def rich(town: Town, amount: int = 1000, **about: str) -> Talk:
    """Somebody with credits, in a shop whose usual picture is a small one, made quickly."""
    await town.service.as_owner(
        "UPDATE models SET options = jsonb_set(options, '{size,default}', to_jsonb($1::text))"
        " WHERE key = 'seedream-v4'",
        SIZE,
    )
    await town.service.person(USER, amount)
    return await town.person(USER, **about)


async def orders(town: Town) -> list[dict[str, Any]]:
    """Every order, as its row stands."""
    rows = await town.service.pool.fetch("SELECT * FROM orders ORDER BY id")
    return [dict(row) for row in rows]


async def is_ended(town: Town) -> bool:
    """Whether there are orders, and all of them are settled."""
    rows = await orders(town)
    return bool(rows) and all(row["settled_at"] is not None for row in rows)


def labels(message: Mapping[str, Any]) -> list[str]:
    """The words on a message's buttons."""
    return [button["text"] for button in buttons(message)]


async def ordered(anna: Talk, wish: str = WISH) -> None:
    """A wish, and the button."""
    await anna.say(wish)
    await anna.press("Create")


async def settled(town: Town) -> list[dict[str, Any]]:
    """The person's orders when all of them have ended."""

    async def look() -> list[dict[str, Any]]:
        rows = await town.service.pool.fetch("SELECT * FROM orders ORDER BY id")
        return [dict(row) for row in rows] if all(row["settled_at"] for row in rows) else []

    found: list[dict[str, Any]] = await eventually(look)
    return found


async def no_status_is_left(anna: Talk) -> None:
    """Wait until panels and statuses are gone."""

    async def look() -> bool:
        await anna.look()
        return not any("Made by" in words(one) for one in anna.screen.values())

    await eventually(look)


async def double_tap(anna: Talk, label: str) -> None:
    """Press the newest button with this label twice at once, and wait for both answers."""
    await anna.look()
    number = max(one for one in anna.screen if any(label in it for it in labels(anna.screen[one])))
    data = next(
        button["callback_data"]
        for button in buttons(anna.screen[number])
        if label in button["text"]
    )
    await anna._begin()
    answered = len(anna.toasts)
    press = {"message_id": number, "data": data}
    await asyncio.gather(*(anna._post("press", json=press) for _ in range(2)))

    async def both_are_answered() -> bool:
        await anna.look()
        return len(anna.toasts) >= answered + 2

    await eventually(both_are_answered)


def message_from(**content: object) -> dict[str, object]:
    """A message of the person's, as an update tells of it."""
    person = {"id": USER, "is_bot": False, "first_name": "Anna", "language_code": "en"}
    chat = {"id": USER, "type": "private", "first_name": "Anna"}
    return {"message_id": 1, "date": 1_800_000_000, "chat": chat, "from": person, **content}


async def hand_over(town: Town, number: int, **update: object) -> None:
    """An update that the simulated Telegram does not make, as the bot takes any."""
    deps = town.service.deps
    assert deps.conversations is not None
    await deps.conversations.take(deps, {"update_id": 10_000 + number, **update})
    await updates_are_done(town)


async def updates_are_done(town: Town) -> None:
    """Wait until everything that was handed to the bot is answered."""

    async def look() -> bool:
        open_ones = "SELECT count(*) FROM bot_updates WHERE NOT done"
        return bool(await town.service.pool.fetchval(open_ones) == 0)

    await eventually(look)
