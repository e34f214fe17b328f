"""The button that orders: one order a press, for the price that it shows, and for nobody else."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hamyon.products.images import service as images
from hamyon.products.images.errors import PriceChanged
from hamyon.products.images.types import Key, Submit
from hamyon.surfaces.bot.draft import NewDraft
from hamyon.surfaces.bot.pictures.callbacks import (
    Choose,
    Create,
    Show,
    View,
    fingerprint,
)
from hamyon.surfaces.bot.pictures.ordering import Destination, order
from hamyon.surfaces.bot.store.drafts import begin
from hamyon.surfaces.bot.types import Chat
from tests.bot.conftest import OpenTown
from tests.bot.snaps import snap
from tests.bot.studio import (
    PRICE,
    SIZE,
    USER,
    WISH,
    hand_over,
    is_ended,
    labels,
    message_from,
    orders,
    rich,
)
from tests.bot.talk import buttons
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import eventually


@pytest.fixture
async def quick(sandbox: Sandbox) -> Sandbox:
    """Pictures are ready at once."""
    await sandbox.settings(created_s=0, processing_s=0)
    return sandbox


async def test_presses_that_come_twice_make_one_order(town: OpenTown, quick: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await anna.say(WISH)
    panel = await anna.hears(WISH)
    await quick.vendor_settings("telegram", updates={"copies": 3})
    create = next(one for one in buttons(panel) if "Create" in one["text"])
    press = {"message_id": panel["message_id"], "data": create["callback_data"]}
    await asyncio.gather(*(anna._post("press", json=press) for _ in range(3)))
    await anna.hears("Charged: 27 credits")
    assert len(await orders(people)) == 1
    assert await people.service.api.balance(USER) == (1000 - PRICE, 0)


@pytest.mark.parametrize("change", ["nothing", "the trial was used by it", "another value"])
async def test_a_press_that_broke_off_finds_the_order_that_it_made(
    town: OpenTown, quick: Sandbox, change: str
) -> None:
    """The process died between the order and the note that it was made."""
    people = await town(trial_generations_limit=1 if "trial" in change else 0, worker=False)
    anna = await rich(people)
    deps = people.service.deps
    number = await anna.say(WISH)
    panel = await anna.hears(WISH)
    draft_id = await deps.pool.fetchval("SELECT id FROM bot_drafts")
    wish = Submit(
        user_id=USER,
        model="seedream-v4",
        prompt=WISH,
        options={"size": SIZE},
        references=[],
        use_trial=True,
        deliver={
            "chat_id": USER,
            "reply_to_message_id": number,
            "status_message_id": panel["message_id"],
        },
    )
    await images.submit(deps, wish, Key("bot", f"draft:{draft_id}:0"))
    create = next(one for one in buttons(panel) if "Create" in one["text"])
    if change == "another value":
        await anna.press("Size")
        await anna.press("1280*1280")
        panel = await anna.hears("Size: 1280*1280")
    assert create["callback_data"] in [one["callback_data"] for one in buttons(panel)]
    await anna.press("Create")
    await anna.toast("Ordered")
    await anna.hears("In the queue: number 1")
    [order] = await orders(people)
    assert await deps.pool.fetchval("SELECT order_id FROM bot_drafts") == order["id"]
    assert order["input"]["options"] == {"size": SIZE}
    await anna.press("Cancel")
    await eventually(lambda: is_ended(people))


async def test_too_many_at_once_are_refused_and_the_panel_stays(
    town: OpenTown, sandbox: Sandbox
) -> None:
    people = await town(trial_generations_limit=0, worker=False)
    anna = await rich(people)
    waiting = [await people.service.api.ordered(USER) for _ in range(2)]
    await anna.say(WISH)
    await anna.press("Create")
    assert (await anna.toast("2 pictures at a time"))["show_alert"]
    panel = await anna.hears("2 pictures at a time")
    assert any("Create" in label for label in labels(panel))
    assert len(await orders(people)) == 2
    for number in waiting:
        path = f"/generations/{number}/cancel"
        canceled = await people.service.api.call("POST", path, {"telegram_id": USER})
        assert canceled.status == 200, canceled.body
    await anna.press("Create")
    await anna.hears("In the queue")
    await anna.press("Cancel")
    await eventually(lambda: is_ended(people))
    assert await people.service.api.balance(USER) == (1000, 0)


async def test_credits_that_went_elsewhere_are_missed_at_the_press(
    town: OpenTown, sandbox: Sandbox
) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people, 30)
    await anna.say(WISH)
    await anna.hears(WISH)
    path = "/admin/credits"
    body = {"telegram_id": USER, "amount": -10, "reason": "a test"}
    headers = {"Idempotency-Key": "k"}
    taken = await people.service.api.call("POST", path, body, admin=True, headers=headers)
    assert taken.status == 200, taken.body
    await anna.press("Create")
    await anna.toast("This needs 27, and 20 is available")
    panel = await anna.hears("7 credits more would be needed")
    assert "pm" in [button["callback_data"] for button in buttons(panel)]
    assert await orders(people) == []


async def test_nobody_pays_a_price_that_he_did_not_see(town: OpenTown, sandbox: Sandbox) -> None:
    people = await town(trial_generations_limit=0, worker=False)
    anna = await rich(people)
    await anna.say(WISH)
    await anna.hears(WISH)
    body = {"asset": "credit", "unit": "order", "amount": 31, "by_option": []}
    path = "/admin/models/seedream-v4/price"
    changed = await people.service.api.call("PUT", path, body, admin=True)
    assert changed.status == 200, changed.body
    await anna.press("Create for 27")
    await anna.toast("The price has just changed")
    await anna.hears("31 credits. On your balance")
    assert await orders(people) == []
    await anna.press("Create for 31")
    await anna.hears("In the queue")
    assert await people.service.api.balance(USER) == (1000 - 31, 31)
    await anna.press("Cancel")
    await eventually(lambda: is_ended(people))


async def test_what_was_free_is_free_or_refused(town: OpenTown, sandbox: Sandbox) -> None:
    """The trial went elsewhere between the look at it and the submit."""
    people = await town(trial_generations_limit=1, worker=False)
    await rich(people)
    deps = people.service.deps
    wish = Submit(
        user_id=USER,
        model="seedream-v4",
        prompt=WISH,
        options={},
        references=[],
        use_trial=True,
        deliver=None,
        expected_amount=0,
    )
    used = await images.submit(deps, wish, Key("bot", "draft:0:0"))
    assert used.trial_used
    key = Key("bot", "draft:1:0")
    with pytest.raises(PriceChanged):
        await images.submit(deps, wish, key)
    assert [row["id"] for row in await orders(people)] == [used.id]
    assert await people.service.api.balance(USER) == (1000, 0)
    paid = await images.submit(deps, replace(wish, expected_amount=PRICE), key)
    assert (paid.amount, paid.trial_used) == (PRICE, False)
    # The key has its order now: whoever asks again gets it, and nothing more is held.
    assert (await images.submit(deps, wish, key)).id == paid.id
    assert await people.service.api.balance(USER) == (1000 - PRICE, PRICE)


async def test_of_free_panels_that_are_pressed_at_once_one_is_free_and_none_is_paid(
    town: OpenTown, sandbox: Sandbox
) -> None:
    people = await town(
        trial_generations_limit=1, max_parallel_generations_per_user=8, worker=False
    )
    await rich(people)
    deps = people.service.deps
    drafts = [
        await begin(
            deps.pool,
            NewDraft(1, USER, USER, "seedream-v4", str(number), {"size": SIZE}, WISH),
        )
        for number in range(6)
    ]
    ends = await asyncio.gather(
        *(
            order(deps, Chat(USER), draft, Destination(USER, 100 + draft.id), shown_amount=0)
            for draft in drafts
        ),
        return_exceptions=True,
    )
    assert sorted(type(end).__name__ for end in ends) == ["Ordered"] + ["PriceChanged"] * 5
    assert [row["trial"] for row in await orders(people)] == [True]
    assert await people.service.api.balance(USER) == (1000, 0)


async def test_a_closed_model_is_refused_and_another_one_can_be_chosen(
    town: OpenTown, quick: Sandbox
) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await anna.say(WISH)
    await anna.hears(WISH)
    body = {"active": False}
    closed = await people.service.api.call("PATCH", "/admin/models/seedream-v4", body, admin=True)
    assert closed.status == 200, closed.body
    await anna.press("Create")
    await anna.toast("not available now")
    panel = await anna.hears("This model is not available now")
    assert not any("Create" in label for label in labels(panel))
    await anna.press("Choose a model")
    await anna.press("Nano Banana · 38")
    await anna.press("Create for 38")
    await anna.hears("Charged: 38 credits")


async def test_a_paused_provider_is_told(town: OpenTown, sandbox: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    path = "/admin/providers/wavespeed/pause"
    paused = await people.service.api.call("POST", path, {"reason": "a test"}, admin=True)
    assert paused.status == 200, paused.body
    people.service.deps.cache.drop(people.service.deps.catalog.providers, "wavespeed")
    await anna.say(WISH)
    await anna.press("Create")
    await anna.toast("taking a short break")
    assert await orders(people) == []


async def test_a_picture_that_expired_is_told(town: OpenTown, sandbox: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await anna.send_photos(snap(), caption=WISH)
    await anna.hears("From 1 picture")
    await people.service.as_owner("UPDATE uploads SET expires_at = now() - interval '1 second'")
    await anna.press("Create")
    await anna.toast("no longer here")
    assert await orders(people) == []


# --- whose panel it is ----------------------------------------------------------------------------


@pytest.mark.parametrize("draft_id", ["somebody else's", "none"])
async def test_a_strangers_panel_can_be_neither_turned_nor_ordered(
    town: OpenTown, sandbox: Sandbox, draft_id: str
) -> None:
    people = await town(trial_generations_limit=0)
    await people.service.person(5, 1000)
    boris = await people.person(5)
    await boris.say(WISH)
    panel = await boris.hears(WISH)
    await rich(people)
    draft = await people.service.pool.fetchval("SELECT id FROM bot_drafts")
    draft = draft if draft_id == "somebody else's" else draft + 1
    for number, data in enumerate(
        (
            Show(draft=draft, view=View.MODELS),
            Choose(draft=draft, option="", value=fingerprint("nano-banana")),
            Create(draft=draft, attempt=0, amount=PRICE),
        )
    ):
        query = {
            "id": str(number),
            "from": message_from()["from"],
            "chat_instance": "1",
            "message": message_from(message_id=panel["message_id"], text="a panel"),
            "data": data.pack(),
        }
        await hand_over(people, number, callback_query=query)
    assert await orders(people) == []
    rows = await people.service.pool.fetch("SELECT model_key, order_id FROM bot_drafts")
    assert [tuple(row.values()) for row in rows] == [("seedream-v4", None)]


async def test_drafts_of_two_people_and_two_bots_have_keys_of_their_own(
    town: OpenTown, sandbox: Sandbox
) -> None:
    people = await town()
    await people.service.person(5, 0)
    await rich(people)
    pool = people.service.deps.pool
    new = NewDraft(1, USER, USER, "seedream-v4", "update:7", prompt="a secret")
    mine = await begin(pool, new)
    assert (await begin(pool, new)).id == mine.id
    theirs = await begin(pool, replace(new, user_id=5, chat_id=5, prompt="a dog"))
    assert (theirs.user_id, theirs.prompt) == (5, "a dog")
    elsewhere = await begin(pool, replace(new, bot_id=2, prompt="a cat"))
    assert (elsewhere.user_id, elsewhere.prompt) == (USER, "a cat")
