"""Albums: each photo is an update of its own, and all of them are one wish."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from hamyon.kit.http import HttpClient
from hamyon.surfaces.bot.draft import REFERENCES_MAX
from hamyon.surfaces.bot.pictures.offers import offer
from hamyon.surfaces.bot.pictures.panel import panel
from hamyon.surfaces.bot.store.drafts import add_picture, get
from hamyon.wiring import Deps
from hamyon.wiring.chats import open_chats
from tests.bot.conftest import OpenTown
from tests.bot.snaps import snap
from tests.bot.studio import USER, hand_over, message_from, rich, updates_are_done
from tests.bot.talk import Talk, Town, buttons, words
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import eventually, hurried


async def drafts(town: Town) -> list[dict[str, Any]]:
    rows = await town.service.pool.fetch("SELECT * FROM bot_drafts ORDER BY id")
    return [dict(row) for row in rows]


def panels(anna: Talk) -> list[dict[str, Any]]:
    return [one for one in anna.screen.values() if "Made by" in words(one)]


@pytest.mark.parametrize("count", [3, 10])
async def test_an_album_with_a_caption_is_one_draft_under_one_panel(
    town: OpenTown, sandbox: Sandbox, count: int
) -> None:
    await sandbox.settings(created_s=0, processing_s=0)
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    async with hurried(people.service):
        first, *_ = await anna.send_photos(*map(snap, range(count)), caption="all of us")
        panel = await anna.hears(f"From {count} pictures")
        assert "all of us" in panel["text"]
        assert panel["reply_to_message"]["message_id"] == first
        assert len(panels(anna)) == 1
        [draft] = await drafts(people)
        assert len(draft["upload_ids"]) == count
        await anna.press("Create")
        await anna.hears("Charged: 27 credits")
    order = await people.service.pool.fetchval("SELECT input FROM orders")
    assert [one["upload_id"] for one in order["references"]] == list(map(str, draft["upload_ids"]))


async def test_an_album_without_a_caption_waits_for_the_wish(
    town: OpenTown, sandbox: Sandbox
) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    async with hurried(people.service):
        await anna.send_photos(*map(snap, range(3)))
        asked = await anna.hears("From 3 pictures")
        assert "What shall become of it?" in asked["text"]
        await anna.say("a poster")
        panel = await anna.hears("a poster")
    assert "From 3 pictures" in panel["text"]
    assert len(await drafts(people)) == 1


async def test_updates_that_come_twice_add_no_picture_twice(
    town: OpenTown, sandbox: Sandbox
) -> None:
    await sandbox.vendor_settings("telegram", updates={"copies": 3})
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    async with hurried(people.service):
        await anna.send_photos(*map(snap, range(3)), caption="all of us")
        await anna.hears("From 3 pictures")
    assert [len(draft["upload_ids"]) for draft in await drafts(people)] == [3]


async def test_photos_that_are_handled_at_once_by_two_processes_make_one_draft(
    town: OpenTown, sandbox: Sandbox
) -> None:
    """Two conversations with lanes of their own, as two processes behind a webhook have."""
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    ids = []
    for number in range(2):
        await anna.send_photos(snap(number), caption="apart")
        await anna.hears("From 1 picture")
        ids.append(max(anna.screen) - 1)
    photos = [anna.screen[number]["photo"] for number in ids]
    deps = people.service.deps
    async with HttpClient() as http:
        await _together(deps, http, photos, anna)
    async with hurried(people.service):
        await anna.hears("From 2 pictures")
    *_, draft = await drafts(people)
    assert len(draft["upload_ids"]) == 2
    assert len([one for one in panels(anna) if "together" in words(one)]) == 1


async def _together(deps: Deps, http: HttpClient, photos: Sequence[object], anna: Talk) -> None:
    person = {"id": USER, "is_bot": False, "first_name": "Anna", "language_code": "en"}
    chat = {"id": USER, "type": "private", "first_name": "Anna"}
    common = {"date": 1_800_000_000, "chat": chat, "from": person, "caption": "together"}
    parts = (deps.settings, http, deps.pool, deps.storage, deps.catalog)
    processes = [open_chats(*parts).conversations, open_chats(*parts).conversations]
    updates = [
        {
            "update_id": 5_000 + number,
            "message": common
            | {"message_id": 100 + number, "photo": photo, "media_group_id": "55"},
        }
        for number, photo in enumerate(photos)
    ]
    await anna._begin()
    await asyncio.gather(
        *(process.take(deps, update) for process, update in zip(processes, updates, strict=True))
    )


async def test_a_model_that_takes_fewer_pictures_is_left_out(
    town: OpenTown, sandbox: Sandbox
) -> None:
    people = await town(trial_generations_limit=0)
    await people.service.as_owner(
        "UPDATE models SET max_references = 2 WHERE key IN ('seedream-v4', 'nano-banana')"
    )
    anna = await rich(people)
    async with hurried(people.service):
        await anna.send_photos(*map(snap, range(3)), caption="all of us")
        panel = await anna.hears("This model takes at most 2 pictures")
    assert not any("Create" in button["text"] for button in buttons(panel))
    await anna.press("Seedream v4")
    shown = await anna.hears("Which model")
    assert [button["text"] for button in buttons(shown)] == [
        "Nano Banana Pro · 140 credits",
        "‹ Back to the picture",
    ]
    await anna.press("Nano Banana Pro")
    await anna.press("Create for 140 credits")
    await anna.toast("Ordered")
    await anna.hears("Charged: 140 credits")


async def test_a_photo_behind_the_order_of_its_album_is_not_lost(
    town: OpenTown, sandbox: Sandbox
) -> None:
    people = await town(trial_generations_limit=0, worker=False)
    anna = await rich(people)
    await anna.send_photos(*map(snap, range(2)), caption="all of us")

    async def is_whole() -> bool:
        return [len(draft["upload_ids"]) for draft in await drafts(people)] == [2]

    await eventually(is_whole)
    await anna.press("Create")
    await anna.hears("In the queue")
    message = next(one for one in anna.screen.values() if one.get("media_group_id"))
    await anna.send_photos(snap(7), caption="apart")
    await anna.hears("apart")
    photo = next(one["photo"] for one in anna.screen.values() if one.get("caption") == "apart")
    late = {**message, "message_id": 99, "photo": photo}
    late.pop("caption", None)
    deps = people.service.deps
    assert deps.conversations is not None
    for number in range(2):
        update = {"update_id": 5_000 + number, "message": {**late, "message_id": 99 + number}}
        await deps.conversations.take(deps, update)
    await updates_are_done(people)
    first, _, second = await drafts(people)
    assert (len(first["upload_ids"]), len(second["upload_ids"])) == (2, 1)
    assert first["order_id"] is not None
    assert second["order_id"] is None
    await anna.press("Cancel")
    await anna.hears("Canceling")


async def test_what_is_left_out_is_said(town: OpenTown, sandbox: Sandbox) -> None:
    """A caption that is too long, and more pictures than any model takes."""
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await anna.send_photos(snap(), caption="apart")
    await anna.hears("From 1 picture")
    photo = next(one["photo"] for one in anna.screen.values() if one.get("caption") == "apart")
    for number in range(2):
        caption = {"caption": "x" * 4001} if not number else {}
        album = message_from(photo=photo, media_group_id="9", message_id=50 + number, **caption)
        await hand_over(people, number, message=album)
    await anna.hears("at most 4000 characters")
    await anna.hears("What shall become of it?")
    *_, draft = await drafts(people)
    assert draft["prompt"] == ""
    deps = people.service.deps
    for number in range(REFERENCES_MAX + 2):
        await add_picture(deps.pool, draft["id"], UUID(int=number), "")
    await deps.pool.execute("UPDATE bot_drafts SET prompt = 'a crowd' WHERE id = $1", draft["id"])
    found = await get(deps.pool, draft["id"])
    assert found is not None
    html = panel("en", found, await offer(deps, found)).html
    assert f"From {REFERENCES_MAX} pictures" in html
    assert f"the first {REFERENCES_MAX} are used" in html
