"""Two bots behind one address, in webhook mode: no update is lost, none has its effect twice.

With kill -9 of either in the middle of payments: each is credited once.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.bot.conftest import Open
from tests.bot.customers import Customers
from tests.bot.talk import Town, words
from tests.fixtures.balancer import Balancer
from tests.fixtures.service import Process, Processes, assert_sound, eventually

pytestmark = pytest.mark.crash

PEOPLE = range(1000, 1010)
ROUNDS = 3
KILLS = 5
STARS, CREDITS = 70, 1000
ANSWERS = ("Anna!", "How it works")
"""What a greeting and the help contain."""


async def test_two_bots_behind_one_address(shop: Open, processes: Processes) -> None:
    """Everything that people say is answered once, by whichever of the two it reached."""
    customers = await shop(webhooks=True, bot_mode="webhook")
    async with _two(customers, processes) as (balancer, running):
        # Telegram sends each update again that was not answered in time, or whose answer was lost.
        await customers.sandbox.vendor_settings(
            "telegram", updates={"copies": 2}, webhooks={"retry_scale": 0.05}
        )
        await asyncio.gather(*(_live(customers, user_id) for user_id in PEOPLE))
        await customers.nothing_waits()
        ports = {process.port for process in running}
        assert set(balancer.carried) == ports, "only one of them was asked"
    for user_id in PEOPLE:
        assert await _answers(customers, user_id) == dict.fromkeys(ANSWERS, ROUNDS)
        assert await _deposits(customers, user_id) == ROUNDS


async def test_killed_in_the_middle_of_payments(shop: Open, processes: Processes) -> None:
    """What the dead one had in hand is handled by the other: at most once more for each kill."""
    customers = await shop(webhooks=True, bot_mode="webhook")
    await kill_in_the_middle(customers, processes, kills=KILLS, seed=20261121)


async def kill_in_the_middle(
    customers: Customers, processes: Processes, *, kills: int, seed: int
) -> dict[str, int]:
    """People chat and pay until the last kill; everything is there at the end. Returns counts.

    ``tests/long/bots.py`` does the same with more kills.
    """
    moments = random.Random(seed)
    peace = asyncio.Event()
    async with _two(customers, processes) as (balancer, running):
        await customers.sandbox.vendor_settings("telegram", webhooks={"retry_scale": 0.05})
        lives = [asyncio.create_task(_live(customers, who, until=peace)) for who in PEOPLE]
        for _ in range(kills):
            await asyncio.sleep(moments.uniform(0.1, 0.8))
            victim = moments.randrange(len(running))
            running[victim].kill()
            balancer.ports.remove(running[victim].port)
            running[victim] = await processes.ready(
                processes.start("api", customers.service.settings)
            )
            balancer.ports.append(running[victim].port)
            # What the dead one had claimed is free again when its lease is over.
            await customers.service.as_owner("UPDATE bot_updates SET lease_until = now()")
        peace.set()
        rounds = dict(zip(PEOPLE, await asyncio.gather(*lives), strict=True))
        await customers.nothing_waits()
    repeated = 0
    for user_id, lived in rounds.items():
        await customers.has(user_id, lived * CREDITS)
        assert await _deposits(customers, user_id) == lived
        answers = await _answers(customers, user_id)
        assert all(lived <= answered <= lived + kills for answered in answers.values()), answers
        repeated += sum(answers.values()) - len(ANSWERS) * lived
    # A kill strikes at most one update of each person; almost always fewer.
    assert repeated <= kills * len(PEOPLE)
    await assert_sound(customers.service.deps)
    payments = sum(rounds.values())
    return {"kills": kills, "payments": payments, "credited": payments, "said_again": repeated}


@asynccontextmanager
async def _two(
    customers: Customers, processes: Processes
) -> AsyncIterator[tuple[Balancer, list[Process]]]:
    settings = customers.service.settings
    running = [processes.start("api", settings) for _ in range(2)]
    for process in running:
        await processes.ready(process)
    async with Balancer.before(*(process.port for process in running)) as balancer:
        told = await customers.call(
            "setWebhook",
            url=f"{balancer.url}/api/v1/telegram/webhook",
            secret_token=customers.service.deps.bot_secret,
        )
        assert told["ok"], told
        yield balancer, running


async def _live(customers: Customers, user_id: int, *, until: asyncio.Event | None = None) -> int:
    """Say hello, ask for help and pay, again and again. Returns how often."""
    person = await Town(customers.service, customers.sandbox).person(user_id)
    rounds = 0
    while rounds < ROUNDS if until is None else not until.is_set() or rounds < ROUNDS:
        await person.say("/start")
        await person.hears(ANSWERS[0])
        await person.say("/help")
        await person.hears(ANSWERS[1])
        link = await customers.invoice(user_id, STARS)
        # Without the question, which a dead bot cannot answer: its money comes nevertheless.
        paid = await customers.click(f"{link}?skip_pre_checkout=1", user_id)
        assert paid.charge_id is not None, paid.error
        rounds += 1
        # The bot's limit for one person must not be what is seen here.
        await asyncio.sleep(1.0)
    await customers.has(user_id, rounds * CREDITS)
    return rounds


async def _deposits(customers: Customers, user_id: int) -> int:
    found: int = await customers.service.pool.fetchval(
        "SELECT count(*) FROM payments WHERE user_id = $1 AND granted = $2", user_id, CREDITS
    )
    return found


async def _answers(customers: Customers, user_id: int) -> dict[str, int]:
    """How often the bot gave each answer."""
    person = await Town(customers.service, customers.sandbox).person(user_id)

    async def look() -> Counter[str]:
        await person.look()
        said = [words(one) for one in person.screen.values() if one["from"]["is_bot"]]
        return Counter(answer for answer in ANSWERS for one in said if answer in one)

    found: Counter[str] = await eventually(look)
    return dict(found)
