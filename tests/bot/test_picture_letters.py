"""The letters that bring pictures: complete, the same each time, and to nobody else."""

from __future__ import annotations

import dataclasses

import pytest

from hamyon.messages.types import FileKind, FileMessage, Letter, Removal
from hamyon.notices.types import Notice
from hamyon.users.service import people as users
from tests.bot.conftest import OpenTown
from tests.bot.studio import (
    PRICE,
    USER,
    no_status_is_left,
    ordered,
    rich,
    settled,
)
from tests.bot.talk import Town, words
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import eventually, hurried


@pytest.fixture
async def quick(sandbox: Sandbox) -> Sandbox:
    """Pictures are ready at once."""
    await sandbox.settings(created_s=0, processing_s=0)
    return sandbox


async def test_telegram_may_be_away_when_the_picture_is_ready(
    town: OpenTown, quick: Sandbox
) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    async with hurried(people.service):
        away = {"vendor": "telegram", "operation": "sendPhoto"}
        lost = {"vendor": "telegram", "operation": "deleteMessage"}
        await quick.faults(
            {"match": away, "fault": {"kind": "status", "status": 502}},
            {"match": lost | {"times": 1}, "fault": {"kind": "refuse"}},
        )
        await ordered(anna)
        await anna.hears("the message about it is on its way")
        await settled(people)

        async def was_tried() -> bool:
            tries = await people.service.pool.fetchval("SELECT sum(attempts) FROM deliveries")
            return bool(tries and tries > 2)

        await eventually(was_tried)
        assert not any("Charged" in words(one) for one in anna.news())
        await quick.clear_faults()
        await anna.hears("Charged: 27 credits")
        await anna.hears("seedream-v4-")
        await no_status_is_left(anna)
    assert await people.service.api.balance(USER) == (1000 - PRICE, 0)


async def letter_of(town: Town, notice: Notice) -> Letter | None:
    deps = town.service.deps
    user = await users.profile(deps.pool, USER)
    return await deps.composers[notice.kind].compose(notice, user)


async def notice_of(town: Town, kind: str) -> Notice:
    row = await town.service.pool.fetchrow("SELECT * FROM notices WHERE kind = $1", kind)
    assert row is not None
    return Notice(row["key"], row["kind"], row["facts"], row["user_id"])


async def test_a_letter_composed_again_is_the_same(town: OpenTown, quick: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await ordered(anna)
    await anna.hears("seedream-v4-")
    notice = await notice_of(people, "order_completed")
    first = await letter_of(people, notice)
    await ordered(anna, "another one")
    await anna.hears("Left on your balance: 946 credits")
    assert await letter_of(people, notice) == first
    assert first is not None
    photo, document, removal = first.messages
    assert isinstance(photo, FileMessage)
    assert isinstance(document, FileMessage)
    assert isinstance(removal, Removal)
    assert (photo.files[0].kind, document.files[0].kind) == (FileKind.PHOTO, FileKind.DOCUMENT)
    assert "973" in photo.caption_html
    deliver = notice.facts["deliver"]
    assert isinstance(deliver, dict)
    assert removal.message_id == deliver["status_message_id"]
    assert first.target.reply_to == deliver["reply_to_message_id"]
    topic = await letter_of(people, _with(notice, deliver=deliver | {"message_thread_id": 9}))
    assert topic is not None
    assert topic.target.topic_id == 9


async def test_a_letter_goes_to_a_persons_own_chat_only(town: OpenTown, quick: Sandbox) -> None:
    people = await town(trial_generations_limit=0)
    anna = await rich(people)
    await ordered(anna)
    await anna.hears("seedream-v4-")
    notice = await notice_of(people, "order_completed")
    for deliver in (None, {}, {"chat_id": 5}, {"chat_id": -100}):
        assert await letter_of(people, _with(notice, deliver=deliver)) is None
    assert await letter_of(people, _with(notice, product="drawings")) is None


async def test_a_late_picture_is_a_gift(town: OpenTown, quick: Sandbox) -> None:
    await quick.fault("status", {"operation": "result"}, status=500)
    people = await town(trial_generations_limit=0, breaker_failures=1_000_000)
    anna = await rich(people)
    async with hurried(people.service):
        await ordered(anna)
        await anna.hears("is being made")
        [row] = await people.service.pool.fetch("SELECT id FROM orders")
        order = str(row["id"])
        await people.service.past_deadline(order)
        await people.service.past_review(order)
        await anna.hears("The picture took too long")
        assert await people.service.api.balance(USER) == (1000, 0)
        await quick.clear_faults()
        await people.service.advance_now(order)
        await anna.hears("so it is a gift")
    assert await people.service.api.balance(USER) == (1000, 0)


def _with(notice: Notice, **facts: object) -> Notice:
    return dataclasses.replace(notice, facts={**notice.facts, **facts})
