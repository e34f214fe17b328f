"""What comes of an order in the chat: its status, its pictures or why there are none, and on."""

from __future__ import annotations

from uuid import UUID

import pytest

from hamyon.surfaces.bot.pictures.callbacks import (
    Act,
    Ended,
    Stop,
    order_code,
)
from hamyon.surfaces.bot.store.drafts import forget_drafts
from hamyon.surfaces.bot.tasks import DRAFTS_KEPT
from tests.bot.conftest import OpenTown
from tests.bot.snaps import snap
from tests.bot.studio import (
    PRICE,
    USER,
    WISH,
    double_tap,
    hand_over,
    labels,
    message_from,
    no_status_is_left,
    ordered,
    rich,
    settled,
    updates_are_done,
)
from tests.bot.talk import buttons, words
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import eventually, hurried, working


@pytest.fixture
async def quick(sandbox: Sandbox) -> Sandbox:
    """Pictures are ready at once."""
    await sandbox.settings(created_s=0, processing_s=0)
    return sandbox


# --- failures -------------------------------------------------------------------------------------


async def test_a_failure_says_why_and_that_the_credits_are_back(
    town: OpenTown, quick: Sandbox
) -> None:
    await quick.fault("failed", code=1405)
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    async with hurried(people.service):
        await ordered(anna)
        failed = await anna.hears("Your credits are back.")
    assert WISH in failed["text"]
    assert labels(failed) == ["🔁 Once more", "✏️ Change"]
    assert await people.service.api.balance(USER) == (1000, 0)
    await no_status_is_left(anna)


async def test_a_failed_trial_comes_back(town: OpenTown, quick: Sandbox) -> None:
    await quick.fault("failed", code=1405)
    people = await town()
    anna = await rich(people)
    async with hurried(people.service):
        await ordered(anna)
        await anna.hears("Your free picture is back.")
    await quick.clear_faults()
    await anna.press("Once more")
    await anna.press("Create for free")
    await anna.toast("this one is free")
    await anna.hears("This one was free.")


async def test_a_refusal_for_safety_asks_for_other_words(town: OpenTown, quick: Sandbox) -> None:
    await quick.fault("nsfw")
    people = await town()
    anna = await rich(people)
    async with hurried(people.service):
        await ordered(anna)
        refused = await anna.hears("safety rules do not allow this picture")
    assert "The free picture counts as used" in refused["text"]
    await quick.clear_faults()
    await anna.press("Change")
    panel = await anna.hears("27 credits. On your balance")
    assert WISH in panel["text"]


async def test_a_waiting_order_can_be_canceled(town: OpenTown, sandbox: Sandbox) -> None:
    people = await town(trial_generations_limit=0, worker=False)
    anna = await rich(people)
    await ordered(anna)
    waiting = await anna.hears("In the queue: number 1")
    assert await people.service.api.balance(USER) == (1000 - PRICE, PRICE)
    cancel = buttons(waiting)[0]["callback_data"]
    await anna.press("Cancel")
    await anna.hears("Canceling")
    [order] = await settled(people)
    assert order["state"] == "canceled"
    assert await people.service.api.balance(USER) == (1000, 0)
    async with working(people.service):
        await anna.hears("The order is canceled.")
        await no_status_is_left(anna)
    assert Stop.unpack(cancel).order == order_code(order["id"])


async def test_what_runs_already_cannot_be_canceled(town: OpenTown, sandbox: Sandbox) -> None:
    people = await town(trial_generations_limit=0, worker=False)
    anna = await rich(people)
    await ordered(anna)
    await anna.hears("In the queue")
    [order] = await people.service.pool.fetch("SELECT id FROM orders")
    await people.service.as_owner("UPDATE orders SET state = 'running'")
    await people.service.as_owner("UPDATE jobs SET state = 'running', provider_job_id = 'x'")
    await anna.press("Cancel")
    assert (await anna.toast("cannot be canceled"))["show_alert"]
    await people.service.as_owner("UPDATE jobs SET state = 'queued', provider_job_id = NULL")
    await people.service.as_owner("UPDATE orders SET state = 'queued'")
    async with working(people.service):
        await people.service.api.ended(USER, str(order["id"]))


# --- the status -----------------------------------------------------------------------------------


async def test_the_status_is_kept_fresh_until_the_picture_comes(
    town: OpenTown, sandbox: Sandbox
) -> None:
    await sandbox.fault("stuck_processing", seconds=2)
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    async with hurried(people.service):
        await ordered(anna)
        running = await anna.hears("is being made")
        assert "%" in running["text"]
        assert labels(running) == []
        await anna.hears("Charged: 27 credits")
        await no_status_is_left(anna)

        async def nothing_is_queued() -> bool:
            left = await people.service.pool.fetchval(
                "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'order_status'"
            )
            return bool(left == 0)

        await eventually(nothing_is_queued)


async def test_a_look_that_runs_twice_goes_on_once(town: OpenTown, sandbox: Sandbox) -> None:
    people = await town(trial_generations_limit=0, worker=False)
    anna = await rich(people)
    await ordered(anna)
    await anna.hears("In the queue: number 1")
    deps = people.service.deps
    [row] = await deps.pool.fetch("SELECT order_id, panel_message_id FROM bot_drafts")
    for _ in range(2):
        await deps.handlers()["order_status"](f"{row['order_id']}:5:")
    looks = "SELECT convert_from(payload, 'UTF8') AS payload FROM pgqueuer WHERE entrypoint = $1"
    queued = [one["payload"] for one in await deps.pool.fetch(looks, "order_status")]
    first, next_one = sorted(queued)
    assert first == f"{row['order_id']}:0:"
    assert next_one.startswith(f"{row['order_id']}:6:")
    # Nothing is said that was said already.
    edits = await _edits(sandbox)
    await deps.handlers()["order_status"](next_one)
    assert await _edits(sandbox) == edits > 0
    await anna.press("Cancel")
    await settled(people)
    await deps.handlers()["order_status"](next_one)
    await anna.hears("the message about it is on its way")
    assert len(await deps.pool.fetch(looks, "order_status")) == 3


async def _edits(sandbox: Sandbox) -> int:
    requests = (await sandbox.stats("telegram"))["requests"]
    assert isinstance(requests, dict)
    return int(requests["editMessageText"])


async def test_what_nobody_touched_for_long_is_forgotten(town: OpenTown, sandbox: Sandbox) -> None:
    people = await town(trial_generations_limit=0, worker=False)
    anna = await rich(people)
    await anna.say("old")
    await anna.hears("old")
    await people.service.as_owner("UPDATE bot_drafts SET updated_at = now() - interval '31 days'")
    await anna.say("young")
    panel = await anna.hears("young")
    await forget_drafts(people.service.pool, older_than=DRAFTS_KEPT)
    left = await people.service.pool.fetch("SELECT prompt FROM bot_drafts")
    assert [row["prompt"] for row in left] == ["young"]
    old = next(number for number in anna.screen if "old" in words(anna.screen[number]))
    press = {"message_id": old + 1, "data": buttons(anna.screen[old + 1])[0]["callback_data"]}
    await anna._post("press", json=press)
    await anna.toast("This panel is over")
    assert panel["message_id"] != old + 1


# --- what comes after -----------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["Once more", "Change"])
async def test_a_double_tap_opens_one_panel_and_orders_nothing(
    town: OpenTown, quick: Sandbox, label: str
) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await ordered(anna)
    await anna.hears("seedream-v4-")
    await no_status_is_left(anna)
    await quick.vendor_settings("telegram", updates={"copies": 2})
    await double_tap(anna, label)
    panel = await anna.hears("27 credits. On your balance: 973 credits")
    assert WISH in panel["text"]
    assert len([one for one in anna.screen.values() if "Made by" in words(one)]) == 1
    assert len(await settled(people)) == 1
    await anna.press("Create for 27 credits")
    await anna.hears("Left on your balance: 946 credits")
    first, second = await settled(people)
    assert first["input"] == second["input"]


async def test_once_more_opens_another_panel_behind_each_order(
    town: OpenTown, quick: Sandbox
) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await ordered(anna)
    await anna.hears("Charged: 27 credits")
    result = await anna.hears("seedream-v4-")
    press = {"message_id": result["message_id"], "data": buttons(result)[0]["callback_data"]}
    for left in (946, 919):
        await anna._begin()
        await anna._post("press", json=press)
        await anna.hears("27 credits. On your balance")
        await anna.press("Create")
        await anna.hears(f"Left on your balance: {left} credits")
    assert len(await settled(people)) == 3
    assert await people.service.api.balance(USER) == (1000 - 3 * PRICE, 0)
    await no_status_is_left(anna)


async def test_once_more_without_credits_says_so(town: OpenTown, quick: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people, 30)
    await ordered(anna)
    await anna.hears("Charged: 27 credits")
    await anna.press("Once more")
    panel = await anna.hears("24 credits more would be needed")
    assert "Top up" in labels(panel)[-2]
    assert len(await settled(people)) == 1


async def test_change_begins_anew_with_the_same(town: OpenTown, quick: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await anna.send_photos(snap(), caption=WISH)
    await anna.press("Size")
    await anna.press("1280*1280")
    await anna.hears("Size: 1280*1280")
    await anna.press("Create")
    await anna.hears("seedream-v4-")
    await anna.press("Change")
    panel = await anna.hears("From 1 picture")
    assert WISH in panel["text"]
    assert "Size: 1280*1280" in panel["text"]
    await anna.press("Create")
    await anna.hears("seedream-v4-")
    rows = await settled(people)
    assert rows[0]["input"] == rows[1]["input"]


async def test_results_become_references(town: OpenTown, quick: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await ordered(anna)
    await anna.hears("seedream-v4-")
    await anna.press("Build on this")
    asked = await anna.hears("What shall become of it?")
    assert "From 1 picture" in asked["text"]
    await double_tap(anna, "Build on this")
    assert await people.service.pool.fetchval("SELECT count(*) FROM bot_drafts") == 2
    await anna.say("at night")
    await anna.press("Create")
    await anna.hears("seedream-v4-")
    *_, order = await settled(people)
    assert order["input"]["prompt"] == "at night"
    assert len(order["input"]["references"]) == 1


async def test_the_history_brings_pictures_again(town: OpenTown, quick: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await anna.say("/history")
    await anna.hears("There are no pictures yet")
    await ordered(anna)
    first = await anna.hears("seedream-v4-")
    await anna.say("/history")
    shown = await anna.hears("Your last pictures")
    assert labels(shown) == [f"Seedream v4 · {WISH}"]
    await anna.press("Seedream v4 · a red fox")
    again = await anna.hears("seedream-v4-")
    assert again["message_id"] != first["message_id"]
    content = await anna.file(first["document"]["file_id"])
    assert await anna.file(again["document"]["file_id"]) == content
    await anna.press("Seedream v4 · a red fox")
    once_more = await anna.hears("seedream-v4-")
    assert once_more["message_id"] > again["message_id"]
    assert len(await settled(people)) == 1


async def test_pictures_that_come_again_slowly_come_once(town: OpenTown, quick: Sandbox) -> None:
    """The document does not arrive at first: the photo before it is not sent a second time."""
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await ordered(anna)
    await anna.hears("seedream-v4-")
    await no_status_is_left(anna)
    await anna.say("/history")
    await anna.hears("Your last pictures")
    await quick.vendor_settings("telegram", updates={"copies": 2})
    match = {"vendor": "telegram", "operation": "sendDocument", "times": 2}
    await quick.fault("refuse", match)
    async with hurried(people.service):
        await anna.press("Seedream v4 · a red fox")
        await anna.toast("on its way")
        await anna.hears("seedream-v4-")
        again = "SELECT count(*) FROM notices WHERE kind = 'order_completed'"
        assert await people.service.pool.fetchval(again) == 2
    assert len([one for one in anna.news() if "photo" in one]) == 1
    assert len([one for one in anna.news() if "document" in one]) == 1


async def test_an_order_without_pictures_brings_none_again(town: OpenTown, quick: Sandbox) -> None:
    await quick.fault("failed", code=1405)
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    async with hurried(people.service):
        await ordered(anna)
        failed = await anna.hears("Your credits are back.")
    [order] = await settled(people)
    press = {
        "id": "1",
        "from": message_from()["from"],
        "chat_instance": "1",
        "message": message_from(message_id=failed["message_id"], text="a failure"),
        "data": Ended(act=Act.SEND, order=order_code(order["id"])).pack(),
    }
    await hand_over(people, 1, callback_query=press)
    again = "SELECT count(*) FROM notices WHERE kind = 'order_completed'"
    assert await people.service.pool.fetchval(again) == 0


async def test_a_strangers_order_is_not_found(town: OpenTown, quick: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    await people.service.person(5, 1000)
    other = await people.service.api.ordered(5)
    await people.service.api.ended(5, other)
    await rich(people)
    deps = people.service.deps
    assert deps.conversations is not None
    person = {"id": USER, "is_bot": False, "first_name": "Anna", "language_code": "en"}
    chat = {"id": USER, "type": "private", "first_name": "Anna"}
    message = {"message_id": 1, "date": 1_800_000_000, "chat": chat, "text": "a picture"}
    code = order_code(UUID(other))
    presses = [*(Ended(act=act, order=code) for act in Act), Stop(order=code)]
    presses += [Stop(order="nonsense"), Ended(act=Act.AGAIN, order="")]
    for number, press in enumerate(presses):
        query = {"id": str(number), "from": person, "chat_instance": "1", "message": message}
        query["data"] = press.pack()
        update = {"update_id": 10_000 + number, "callback_query": query}
        await deps.conversations.take(deps, update)
    await updates_are_done(people)
    assert len(await settled(people)) == 1
    assert await deps.pool.fetchval("SELECT count(*) FROM bot_drafts") == 0
