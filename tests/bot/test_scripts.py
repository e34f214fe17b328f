"""Polling, word by word: what is asked, what is acknowledged when, and in which order."""

from __future__ import annotations

import asyncio

from aiohttp import web
from structlog.testing import capture_logs

from tests.bot.conftest import Open
from tests.bot.customers import running_bot
from tests.bot.news import MARK, OTHERS, STRANGE_MONEY, asked, changed, paid
from tests.bot.scripted import failure, scripted
from tests.fixtures.service import eventually

ALI, VALI = 101, 202


async def test_strange_updates_do_not_stop_it(shop: Open) -> None:
    """Between two genuine payments: each strange one is passed by and said, without its content."""
    customers = await shop()
    strange = [*STRANGE_MONEY.values(), *OTHERS.values()]
    async with scripted() as (script, bot):
        script.updates = [paid(1, charge_id="first")]
        script.updates += [one | {"update_id": 2 + n} for n, one in enumerate(strange)]
        script.updates.append(paid(2 + len(strange), charge_id="last"))
        with capture_logs() as logs:
            async with running_bot(customers.needs(bot)):

                async def behind_all() -> bool:
                    return bool(script.offsets) and script.offsets[-1] == 3 + len(strange)

                await eventually(behind_all)
    kept = await customers.service.pool.fetch("SELECT event_key FROM inbox ORDER BY id")
    assert {row["event_key"].rpartition(":")[0] for row in kept} == {
        "successful_payment:first",
        "successful_payment:last",
    }
    said = [one["problem"] for one in logs if one["event"] == "a strange update was passed by"]
    assert len(said) == len(STRANGE_MONEY)
    assert MARK not in str(logs)


async def test_updates_without_a_number_do_not_make_it_run_hot(shop: Open) -> None:
    """They cannot be acknowledged, so they come again at once: hundreds of times, if it did."""
    customers = await shop()
    numberless = [{"message": {}}, changed(paid(1), "update_id", "1"), {"update_id": -5}]
    async with scripted() as (script, bot):
        script.raw = [_answer(numberless) for _ in range(1000)]
        async with running_bot(customers.needs(bot)):
            await asyncio.sleep(1.5)
        assert 1 <= len(script.offsets) < 20
    assert set(script.offsets) == {None}
    assert await customers.service.pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_what_is_no_list_of_updates_is_trouble(shop: Open) -> None:
    customers = await shop()
    async with scripted() as (script, bot):
        script.raw = [
            _answer("updates"),
            _answer([1, 2]),
            failure(429, "Too Many Requests: retry after 1", retry_after=1),
            failure(409, "Conflict: terminated by other getUpdates request"),
        ]
        script.updates = [paid(5)]
        with capture_logs() as logs:
            async with running_bot(customers.needs(bot)):

                async def acknowledged() -> bool:
                    return script.offsets[-1:] == [6]

                await eventually(acknowledged)
    codes = [one["code"] for one in logs if "wait_s" in one]
    assert codes == [None, None, 429, 409]
    assert await customers.service.pool.fetchval("SELECT count(*) FROM inbox") == 1


async def test_a_slow_question_holds_up_its_person_and_nobody_else(shop: Open) -> None:
    """Ali's answer is not heard: Vali is answered and his payment kept meanwhile, Ali's payment
    comes after his question, and nothing behind the first open update is acknowledged."""
    customers = await shop()
    async with scripted() as (script, bot):
        script.held["slow"] = asyncio.Event()
        script.updates = [
            asked(1, "slow", person_id=ALI),
            paid(2, charge_id="of-ali"),
            asked(3, "quick", person_id=VALI),
            changed(paid(4, charge_id="of-vali"), "message.from.id", VALI),
        ]
        async with running_bot(customers.needs(bot)):

            async def vali_is_done() -> bool:
                kept = await customers.service.pool.fetch("SELECT subject FROM inbox")
                return [row["subject"] for row in kept] == ["of-vali"]

            await eventually(vali_is_done)
            script.updates.append(asked(5, "later", person_id=VALI))

            async def answered() -> set[str]:
                return {one["pre_checkout_query_id"] for one in script.answers}

            async def later_too() -> bool:
                return await answered() == {"slow", "quick", "later"}

            await eventually(later_too)
            assert set(script.offsets) <= {None, 1}
            assert await customers.service.pool.fetchval("SELECT count(*) FROM inbox") == 1
            script.held["slow"].set()

            async def all_done() -> bool:
                return script.offsets[-1] == 6

            await eventually(all_done)
    kept = await customers.service.pool.fetch("SELECT subject FROM inbox ORDER BY id")
    assert [row["subject"] for row in kept] == ["of-vali", "of-ali"]
    assert len(script.answers) == 3


async def test_numbers_may_begin_anew(shop: Open) -> None:
    """After a week without updates Telegram goes on anywhere, also below."""
    customers = await shop()
    async with scripted() as (script, bot):
        script.raw = [_answer([paid(900, charge_id="a")]), _answer([paid(7, charge_id="b")])]
        async with running_bot(customers.needs(bot)):

            async def followed() -> bool:
                return script.offsets[-1:] == [8]

            await eventually(followed)
    assert script.offsets[:3] == [None, 901, 8]
    assert await customers.service.pool.fetchval("SELECT count(*) FROM inbox") == 2


async def test_what_telegram_forgot_is_let_go(shop: Open) -> None:
    """A payment that could not be kept and is not sent again does not hold the offset for ever."""
    customers = await shop()
    await customers.service.as_owner("REVOKE INSERT ON inbox FROM hamyon_app")
    async with scripted() as (script, bot):
        script.raw = [_answer([paid(3, charge_id="lost"), paid(4, charge_id="x")])]
        script.updates = [paid(4, charge_id="x")]
        with capture_logs() as logs:
            async with running_bot(customers.needs(bot)):

                async def said() -> bool:
                    return any("forgot" in one["event"] for one in logs)

                await eventually(said)
                await customers.service.as_owner("GRANT INSERT ON inbox TO hamyon_app")

                async def acknowledged() -> bool:
                    return script.offsets[-1] == 5

                await eventually(acknowledged)
    assert [one["update_id"] for one in logs if "forgot" in one["event"]] == [3]
    assert await customers.service.pool.fetchval("SELECT count(*) FROM inbox") == 1


async def test_a_stop_ends_the_long_poll_and_finishes_what_is_in_hand(shop: Open) -> None:
    customers = await shop()
    async with scripted() as (script, bot):
        script.held["slow"] = asyncio.Event()
        script.updates = [asked(1, "slow"), paid(2, charge_id="behind")]
        async with running_bot(customers.needs(bot)):

            async def is_asked() -> bool:
                return bool(script.answers)

            await eventually(is_asked)
            asyncio.get_running_loop().call_later(0.3, script.held["slow"].set)
    assert await customers.service.pool.fetchval("SELECT count(*) FROM inbox") == 1


def _answer(result: object) -> web.Response:
    return web.json_response({"ok": True, "result": result})
