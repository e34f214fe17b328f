"""From a wish in the chat to a picture: what people send, and the panel under it."""

from __future__ import annotations

import pytest

from hamyon.kit.texts import text
from tests.bot.conftest import OpenTown
from tests.bot.snaps import snap
from tests.bot.studio import (
    PRICE,
    USER,
    WISH,
    hand_over,
    labels,
    message_from,
    orders,
    rich,
)
from tests.bot.talk import words
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import eventually

VIDEO = {"file_id": "f", "file_unique_id": "f", "width": 1, "height": 1, "duration": 1}


@pytest.fixture
async def quick(sandbox: Sandbox) -> Sandbox:
    """Pictures are ready at once."""
    await sandbox.settings(created_s=0, processing_s=0)
    return sandbox


# --- wishes ---------------------------------------------------------------------------------------


async def test_a_text_becomes_a_picture_free_at_first_and_for_credits_then(
    town: OpenTown, quick: Sandbox
) -> None:
    people = await town()
    anna = await rich(people)
    wish = await anna.say(WISH)
    panel = await anna.hears("Free instead of 27 credits")
    assert "1 free picture left" in panel["text"]
    assert panel["reply_to_message"]["message_id"] == wish
    await anna.press("Create for free")
    await anna.toast("this one is free")
    picture = await anna.hears("This one was free.")
    assert picture["photo"]
    assert picture["reply_to_message"]["message_id"] == wish
    document = await anna.hears("seedream-v4-")
    assert await anna.file(document["document"]["file_id"])
    assert await people.service.api.balance(USER) == (1000, 0)
    await anna.say(WISH)
    panel = await anna.hears("27 credits. On your balance: 1,000 credits; afterwards: 973")
    await anna.press("Create for 27 credits")
    await anna.toast("Ordered: 27 credits")
    await anna.hears("Charged: 27 credits. Left on your balance: 973 credits.")
    await anna.hears("seedream-v4-")
    assert await people.service.api.balance(USER) == (1000 - PRICE, 0)

    async def statuses_are_gone() -> bool:
        await anna.look()
        return not any("Made by" in words(one) for one in anna.screen.values())

    await eventually(statuses_are_gone)


async def test_pictures_made_on_this_machine_come_the_same_way(
    town: OpenTown, sandbox: Sandbox
) -> None:
    people = await town(trial_generations_limit=0, wavespeed_api_key=None)
    anna = await rich(people)
    await anna.send_photos(snap(), caption=WISH)
    await anna.press("Create for 27 credits")
    await anna.hears("Charged: 27 credits. Left on your balance: 973 credits.")
    await anna.hears("seedream-v4-")
    [order] = await orders(people)
    assert order["engine"] == "offline"


async def test_a_photo_with_a_caption_is_a_reference(town: OpenTown, quick: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await anna.send_photos(snap(), caption="make it winter")
    panel = await anna.hears("From 1 picture")
    assert "make it winter" in panel["text"]
    await anna.press("Create")
    await anna.hears("Charged: 27 credits")
    [order] = await orders(people)
    assert order["input"]["prompt"] == "make it winter"
    assert len(order["input"]["references"]) == 1
    assert (await people.service.job(str(order["id"])))["provider_path"].endswith("/edit")


async def test_a_file_counts_as_a_photo_and_what_is_none_is_refused_by_name(
    town: OpenTown, quick: Sandbox
) -> None:
    people = await town()
    anna = await rich(people)
    await anna.send_document(snap(kind="PNG"), "as it is")
    await anna.hears("From 1 picture")
    await anna.send_document(snap(kind="GIF"), "a film")
    await anna.hears("This file cannot be used")
    await anna.say("/nonsense")
    await anna.hears("/help")
    assert await people.service.pool.fetchval("SELECT count(*) FROM bot_drafts") == 1


async def test_a_file_that_is_too_large_is_refused(town: OpenTown, sandbox: Sandbox) -> None:
    people = await town()
    anna = await rich(people)
    await anna.send_document(b"\xff\xd8\xff" + bytes(20 * 1024 * 1024))
    await anna.hears("This file is too large")
    assert await people.service.pool.fetchval("SELECT count(*) FROM bot_drafts") == 0


async def test_a_photo_that_cannot_be_fetched_now_is_fetched_later(
    town: OpenTown, sandbox: Sandbox
) -> None:
    people = await town()
    anna = await rich(people)
    match = {"vendor": "telegram", "operation": "download", "times": 1}
    await sandbox.fault("refuse", match)
    await anna.send_photos(snap(), caption=WISH)
    await anna.hears("From 1 picture")
    assert await people.service.pool.fetchval("SELECT count(*) FROM bot_drafts") == 1


async def test_films_and_other_things_get_a_kind_word(town: OpenTown, sandbox: Sandbox) -> None:
    people = await town()
    await rich(people)
    things: list[dict[str, object]] = [
        {"voice": {"file_id": "v", "file_unique_id": "v", "duration": 1}},
        {"document": {"file_id": "d", "file_unique_id": "d", "mime_type": "text/plain"}},
        {"contact": {"phone_number": "1", "first_name": "Boris"}},
        {"location": {"latitude": 1.0, "longitude": 1.0}},
        {"dice": {"emoji": "x", "value": 1}},
        # An album of films is answered once; what Telegram itself reports is not answered.
        {"video": VIDEO, "media_group_id": "9"},
        {"video": VIDEO, "media_group_id": "9"},
        {"video": VIDEO, "media_group_id": "9"},
        {"message_auto_delete_timer_changed": {"message_auto_delete_time": 60}},
    ]
    for number, thing in enumerate(things):
        await hand_over(people, number, message=message_from(**thing))
    anna = await people.person(USER)
    await anna.hears("I can only work with pictures")
    said = [words(one) for one in anna.screen.values()]
    assert len([one for one in said if "only work with pictures" in one]) == 6


async def test_a_photo_without_a_caption_waits_for_the_wish(town: OpenTown, quick: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await anna.send_photos(snap())
    asked = await anna.hears("What shall become of it?")
    assert not any("Create" in label for label in labels(asked))
    wish = await anna.say("in oil")
    panel = await anna.hears("in oil")
    assert panel["reply_to_message"]["message_id"] == wish
    await anna.press("Create")
    await anna.hears("Charged: 27 credits")
    assert asked["message_id"] not in anna.screen
    [order] = await orders(people)
    assert (order["input"]["prompt"], len(order["input"]["references"])) == ("in oil", 1)
    await anna.say("another one")
    await anna.hears("another one")
    assert await people.service.pool.fetchval("SELECT count(*) FROM bot_drafts") == 2


async def test_a_photo_waits_for_its_words_through_other_questions(
    town: OpenTown, quick: Sandbox
) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await anna.send_photos(snap())
    await anna.hears("What shall become of it?")
    await anna.say("/topup")
    await anna.press("Another number")
    await anna.hears(text("en", "people.topup.ask").split("{")[0])
    await anna.say("/cancel")
    await anna.hears(text("en", "bot.canceled").split("<")[0])
    await anna.say("make it winter")
    panel = await anna.hears("make it winter")
    assert "From 1 picture" in panel["text"]
    assert await people.service.pool.fetchval("SELECT count(*) FROM bot_drafts") == 1


async def test_the_newest_question_gets_the_words(town: OpenTown, quick: Sandbox) -> None:
    """A photo that comes behind the question for a number asks for words itself."""
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await anna.say("/topup")
    await anna.press("Another number")
    await anna.hears(text("en", "people.topup.ask").split("{")[0])
    await anna.send_photos(snap())
    await anna.hears("What shall become of it?")
    await anna.say("make it winter")
    assert "From 1 picture" in (await anna.hears("make it winter"))["text"]


async def test_words_that_come_twice_and_late_words(town: OpenTown, quick: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    pool = people.service.pool
    await quick.vendor_settings("telegram", updates={"copies": 2})
    await anna.send_photos(snap())
    await anna.hears("What shall become of it?")
    said = await anna.say("in oil")
    await anna.hears("in oil")
    # The process died behind the panel and before its update was done: it is handled once more.
    again = message_from(text="in oil", message_id=said)
    await hand_over(people, 1, message=again)
    assert await pool.fetchval("SELECT count(*) FROM bot_drafts") == 1
    await anna.send_photos(snap(2))
    await anna.hears("What shall become of it?")
    await people.service.as_owner("UPDATE bot_drafts SET updated_at = now() - interval '61 min'")
    await anna.say("a text of its own")
    panel = await anna.hears("a text of its own")
    assert "From 1 picture" not in panel["text"]
    assert await pool.fetchval("SELECT count(*) FROM bot_drafts") == 3


async def test_a_reply_to_a_picture_takes_it_along(town: OpenTown, quick: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await anna.say(WISH)
    await anna.press("Create")
    document = await anna.hears("seedream-v4-")
    await anna.say("now at night", reply_to=document["message_id"])
    panel = await anna.hears("From 1 picture")
    assert "now at night" in panel["text"]


async def test_a_wish_has_its_limit(town: OpenTown, quick: Sandbox) -> None:
    people = await town()
    anna = await rich(people)
    await anna.say("x" * 4001)
    await anna.hears("at most 4000 characters")
    await anna.say("x" * 4000)
    await anna.press("Create")
    picture = await anna.hears("This one was free.")
    assert len(picture["caption"]) <= 1024
    [order] = await orders(people)
    assert order["input"]["prompt"] == "x" * 4000


# --- the panel ------------------------------------------------------------------------------------


async def test_values_change_the_price_and_are_offered_first_the_next_time(
    town: OpenTown, quick: Sandbox
) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await anna.say(WISH)
    await anna.hears("27 credits. On your balance")
    await anna.press("Seedream v4")
    shown = labels(await anna.hears("Which model"))
    assert shown[:3] == [
        "✓ Seedream v4 · 27 credits",
        "Nano Banana · 38 credits",
        "Nano Banana Pro · 140 credits",
    ]
    await anna.press("Nano Banana Pro")
    await anna.hears("140 credits. On your balance")
    await anna.press("Resolution")
    assert labels(await anna.hears("Resolution: please choose")) == [
        "✓ 1k",
        "2k",
        "4k",
        "‹ Back to the picture",
    ]
    await anna.press("4k")
    panel = await anna.hears("240 credits. On your balance: 1,000 credits; afterwards: 760")
    assert "Resolution: 4k" in panel["text"]
    await anna.press("Create for 240 credits")
    await anna.hears("Charged: 240 credits")
    await anna.say("a second one")
    again = await anna.hears("240 credits. On your balance: 760 credits")
    assert "Nano Banana Pro" in again["text"]
    # What was chosen of one model stands when another one offers it, too.
    await anna.press("Nano Banana Pro")
    assert "✓ Nano Banana Pro · 240 credits" in labels(await anna.hears("Which model"))


async def test_many_values_come_in_pages(town: OpenTown, sandbox: Sandbox) -> None:
    people = await town()
    values = [f"{1024 + number}*1024" for number in range(30)]
    await people.service.as_owner(
        "UPDATE models SET options = jsonb_set(options, '{size,values}', $1::text::jsonb)"
        " WHERE key = 'seedream-v4'",
        str([*values, "2048*2048"]).replace("'", '"'),
    )
    anna = await rich(people)
    await anna.say(WISH)
    await anna.press("Size")
    assert labels(await anna.hears("Size: please choose"))[-2:] == ["▶", "‹ Back to the picture"]
    await anna.press("▶")
    await anna.hears("Size: please choose")
    await anna.press("▶")
    await anna.press("1050*1024")
    await anna.hears("Size: 1050*1024")


async def test_without_credits_the_way_to_more_is_shown(town: OpenTown, sandbox: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people, 20)
    await anna.say(WISH)
    panel = await anna.hears("7 credits more would be needed")
    assert not any("Create" in label for label in labels(panel))
    await anna.press("Top up")
    shop = await anna.hears(text("en", "people.topup.choose").split("<")[0])
    assert shop["message_id"] > panel["message_id"]
    assert "7 credits more would be needed" in words(anna.screen[panel["message_id"]])
    body = {"telegram_id": USER, "amount": 7, "reason": "a test"}
    headers = {"Idempotency-Key": "k"}
    given = await people.service.api.call(
        "POST", "/admin/credits", body, admin=True, headers=headers
    )
    assert given.status == 200, given.body
    await anna.press("I have topped up")
    again = await anna.hears("27 credits. On your balance: 27 credits; afterwards: 0")
    assert again["message_id"] == panel["message_id"]
    assert any("Create" in label for label in labels(again))
