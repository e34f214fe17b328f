"""What people say is kept before Telegram may forget it, and done in its order, once."""

from __future__ import annotations

from hamyon.kit.db import Pool
from tests.bot.conftest import OpenTown
from tests.bot.customers import BOT_ID, Customers
from tests.bot.snaps import snap
from tests.bot.talk import Town
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, eventually

SLOW_DOWNLOAD = {
    "match": {"vendor": "telegram", "operation": "download"},
    "fault": {"kind": "latency", "seconds": 6},
}


async def test_a_slow_photo_holds_up_nobody_else_and_no_payment(town: OpenTown) -> None:
    """More than the hundred updates that Telegram gives at a time come behind it."""
    people = await town()
    slow, anna = await people.person(5), await people.person(777)
    customers = Customers(people.service, people.sandbox)
    await people.sandbox.faults(SLOW_DOWNLOAD)
    await slow.send_photos(snap(), caption="a fox")
    for number in range(105):
        await anna.say(f"/cancel {number}")
    await anna.say("/help")
    paid = await customers.click(await customers.invoice(777), 777)
    assert paid.charge_id is not None, paid.error
    await customers.has(777, 1000)


async def test_what_one_person_says_is_answered_in_its_order(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(777)
    await people.sandbox.faults(SLOW_DOWNLOAD | {"fault": {"kind": "latency", "seconds": 1}})
    await anna.send_photos(snap(), caption="a fox")
    await anna.say("/help")
    await anna.hears("How it works")
    answers = [one["text"] for one in anna.screen.values() if one["from"]["is_bot"]]
    assert "Made by" in answers[0]
    assert "How it works" in answers[-1]


async def test_what_a_dead_process_kept_is_answered_by_another(
    launch: Launch, sandbox: Sandbox
) -> None:
    """It was acknowledged, so Telegram does not send it again; a worker finds it."""
    service = await launch(sandbox, worker=True)
    bot_id = int(BOT_ID)
    anna = await Town(service, sandbox).person(777)
    said = {
        "update_id": 1,
        "message": {
            "message_id": 1,
            "date": 1_795_000_000,
            "from": {"id": 777, "is_bot": False, "first_name": "Anna", "language_code": "en"},
            "chat": {"id": 777, "type": "private", "first_name": "Anna"},
            "text": "/help",
        },
    }
    await service.pool.execute(
        """
        INSERT INTO bot_updates (bot_id, update_id, person_id, body, attempts, lease, lease_until,
                                 created_at)
        VALUES ($1, 1, 777, $2, 1, gen_random_uuid(), now() + interval '1 s',
                now() - interval '5 s')
        """,
        bot_id,
        said,
    )
    await anna.hears("How it works")
    await _all_done(service.pool)


async def test_an_update_that_nobody_can_handle_ends(launch: Launch, sandbox: Sandbox) -> None:
    """One that kills its process again and again is given up at last."""
    service = await launch(sandbox)
    bot_id = int(BOT_ID)
    await service.pool.execute(
        """
        INSERT INTO bot_updates (bot_id, update_id, person_id, body, attempts, created_at)
        VALUES ($1, 1, 777, '{}', 30, now() - interval '5 s')
        """,
        bot_id,
    )
    await _all_done(service.pool)


async def test_telegrams_wish_to_wait_is_heard(town: OpenTown) -> None:
    """Five refusals in a row cost time and no answer."""
    people = await town()
    anna = await people.person(777)
    await people.sandbox.faults(
        {
            "match": {"vendor": "telegram", "operation": "sendMessage", "times": 3},
            "fault": {"kind": "status", "status": 429, "retry_after": 1},
        }
    )
    await anna.say("/help")
    await anna.hears("How it works")


async def test_a_question_left_behind_eats_no_wish(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(777)
    await anna.say("/promo")
    await anna.hears("Send me your promo code")
    await anna.say("/start")
    await anna.press("Make a picture")
    await anna.hears("Write what you want to see")
    await anna.say("a fox reading by the fire")
    await anna.hears("Made by")


async def test_albums_are_counted_as_one(town: OpenTown) -> None:
    people = await town()
    anna = await people.person(777)
    for number in range(3):
        photos = [snap(10 * number + one) for one in range(8)]
        await anna.send_photos(*photos, caption=f"album {number}")

    async def begun() -> bool:
        count = await people.service.pool.fetchval("SELECT count(*) FROM bot_drafts")
        return bool(count == 3)

    await eventually(begun)


async def _all_done(pool: Pool) -> None:
    async def done() -> bool:
        return bool(await pool.fetchval("SELECT bool_and(done AND body IS NULL) FROM bot_updates"))

    await eventually(done)
