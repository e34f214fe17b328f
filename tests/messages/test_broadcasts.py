"""Broadcasts from the operator's desk: writing, looking, starting, pausing, ending."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hamyon.kit.db import connect
from hamyon.messages.service import broadcasts
from hamyon.messages.types.broadcast import BroadcastId
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, eventually
from tests.messages.desk import OPERATOR, TEXT, Desk

PLACES = 10
"""What may be on its way at the pace that costs nothing."""
LINK = {"text": "Open", "url": "https://example.org/new?a=1#b"}


@pytest.fixture
async def desk(launch: Launch, sandbox: Sandbox) -> Desk:
    """A desk with a worker behind it."""
    return Desk(await launch(sandbox), sandbox)


@pytest.fixture
async def quiet(launch: Launch, sandbox: Sandbox) -> Desk:
    """A desk where nobody sends anything."""
    return Desk(await launch(sandbox, worker=False), sandbox)


# --- writing --------------------------------------------------------------------------------------


async def test_a_draft_is_counted_and_sends_nothing(quiet: Desk) -> None:
    token = await quiet.operator()
    await quiet.people(3)
    answer = await quiet.call("POST", "", {"content": TEXT, "segment": {}}, token=token)
    assert answer.status == 201, answer.body
    number = answer.body["id"]
    assert answer.body | {"created_at": None} == {
        "id": number,
        "state": "draft",
        "content": {**TEXT, "upload_ids": [], "button": None},
        "segment": {},
        "paid": False,
        "cost_stars": 0,
        "schedule_at": None,
        "recipients": 3,
        "sent": 0,
        "blocked": 0,
        "failed": 0,
        "pace": None,
        "eta_s": None,
        "created_by": f"user:{OPERATOR}",
        "created_at": None,
        "started_at": None,
        "finished_at": None,
    }
    assert (await quiet.shown(number)) == answer.body
    assert await quiet.acts(number) == [(f"user:{OPERATOR}", "broadcast.create")]
    assert await quiet.recipients(number) == {}
    assert await quiet.counts() == {}


async def test_what_paying_costs_is_said(quiet: Desk) -> None:
    await quiet.people(131)
    number = await quiet.draft(paid=True)
    # 131 within a second, of which 30 are free: 101 tenths of a Star.
    assert (await quiet.shown(number))["cost_stars"] == 11


def _content(**changes: object) -> dict[str, object]:
    return {**TEXT, **changes}


ID = "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (_content(text=""), "invalid_broadcast"),
        (_content(text=" \n "), "invalid_broadcast"),
        (_content(text="a" * 4097), "invalid_input"),
        # Telegram counts each of these as two.
        (_content(text="🎨" * 2049), "invalid_broadcast"),
        (_content(text="a\0"), "invalid_input"),
        (_content(upload_ids=[ID]), "invalid_broadcast"),
        (_content(type="photo"), "invalid_broadcast"),
        (_content(type="photo", upload_ids=[ID, ID]), "invalid_broadcast"),
        (_content(type="photo", upload_ids=[ID], text="a" * 1025), "invalid_broadcast"),
        (_content(type="photo", upload_ids=[ID]), "upload_not_found"),
        (_content(type="album", upload_ids=[ID]), "invalid_broadcast"),
        (_content(type="album", upload_ids=[ID] * 2), "invalid_broadcast"),
        (_content(type="album", upload_ids=[ID] * 11), "invalid_input"),
        (_content(type="sticker"), "invalid_input"),
        (_content(more=1), "invalid_input"),
        (_content(button={"text": "Open", "url": "javascript:alert(1)"}), "invalid_broadcast"),
        (_content(button={"text": "Open", "url": "https://"}), "invalid_broadcast"),
        (_content(button={"text": "Open", "url": "https://a b.org"}), "invalid_broadcast"),
        (_content(button={"text": "Open", "url": "https://a.org:x"}), "invalid_broadcast"),
        (_content(button={"text": " ", "url": "https://a.org"}), "invalid_broadcast"),
        (_content(button={"text": "Open"}), "invalid_input"),
    ],
)
async def test_content_that_makes_no_message_is_refused(
    quiet: Desk, content: dict[str, object], code: str
) -> None:
    answer = await quiet.call("POST", "", {"content": content, "segment": {}})
    assert answer.status == (404 if code == "upload_not_found" else 422), answer.body
    assert answer.code == code, answer.body
    assert await quiet.service.pool.fetchval("SELECT count(*) FROM broadcasts") == 0
    assert await quiet.acts(1) == []


async def test_an_album_carries_no_button(quiet: Desk) -> None:
    token = await quiet.operator()
    ids = [await quiet.upload(seed=1), await quiet.upload(seed=2)]
    content = {"type": "album", "upload_ids": ids, "button": LINK}
    answer = await quiet.call("POST", "", {"content": content, "segment": {}}, token=token)
    assert (answer.status, answer.code) == (422, "invalid_broadcast")
    assert await quiet.draft({"type": "album", "upload_ids": ids}, token=token) > 0


async def test_uploads_are_the_operators_own_and_stay(quiet: Desk) -> None:
    token = await quiet.operator()
    other = await quiet.operator(OPERATOR + 1)
    upload = await quiet.upload()
    body = {"content": {"type": "photo", "upload_ids": [upload]}, "segment": {}}
    for stranger in (other, ""):
        answer = await quiet.call("POST", "", body, token=stranger)
        assert (answer.status, answer.code) == (404, "upload_not_found")
    expiry = "SELECT expires_at FROM uploads"
    assert await quiet.service.pool.fetchval(expiry) is not None
    assert (await quiet.call("POST", "", body, token=token)).status == 201
    assert await quiet.service.pool.fetchval(expiry) is None


async def test_a_video_must_be_one(quiet: Desk) -> None:
    token = await quiet.operator()
    content = {"type": "video", "upload_ids": [await quiet.upload()]}
    answer = await quiet.call("POST", "", {"content": content, "segment": {}}, token=token)
    assert (answer.status, answer.code) == (422, "invalid_broadcast")
    assert "image/jpeg" in answer.body["detail"]


# --- looking at it --------------------------------------------------------------------------------


async def test_a_preview_goes_to_the_operator_alone(quiet: Desk) -> None:
    token = await quiet.operator()
    await quiet.people(2)
    number = await quiet.draft(_content(text="1 < 2 & <b>plain</b>", button=LINK))
    answer = await quiet.call("POST", f"/{number}/preview", token=token)
    assert (answer.status, answer.body) == (200, {"sent_to": OPERATOR})
    (message,) = await quiet.messages(OPERATOR)
    assert message["text"] == "1 < 2 & <b>plain</b>"
    assert "entities" not in message
    ((button,),) = message["reply_markup"]["inline_keyboard"]
    assert (button["text"], button["url"]) == (LINK["text"], LINK["url"])
    assert await quiet.counts() == {OPERATOR: 1}
    assert (await quiet.shown(number))["state"] == "draft"
    assert (await quiet.acts(number))[-1] == (f"user:{OPERATOR}", "broadcast.preview")


async def test_a_preview_brings_the_pictures_once(quiet: Desk) -> None:
    token = await quiet.operator()
    ids = [await quiet.upload(seed=1), await quiet.upload(seed=2)]
    number = await quiet.draft(
        {"type": "album", "upload_ids": ids, "text": "Two of them"}, token=token
    )
    assert (await quiet.call("POST", f"/{number}/preview", token=token)).status == 200
    one, two = await quiet.messages(OPERATOR)
    assert (one["caption"], "caption" in two) == ("Two of them", False)
    files = await quiet.service.pool.fetchval("SELECT files FROM broadcasts")
    assert [file["ref"] for file in files] == [
        message["photo"][-1]["file_id"] for message in (one, two)
    ]


async def test_a_preview_that_cannot_be(quiet: Desk) -> None:
    token = await quiet.operator()
    number = await quiet.draft()
    key = await quiet.call("POST", f"/{number}/preview")
    assert (key.status, key.code) == (409, "preview_impossible")
    await quiet.block(OPERATOR)
    blocked = await quiet.call("POST", f"/{number}/preview", token=token)
    assert (blocked.status, blocked.code) == (409, "preview_failed")
    assert "blocked" in blocked.body["detail"]
    await quiet.sandbox.fault(
        "status", {"vendor": "telegram", "operation": "sendMessage"}, status=429, retry_after=7
    )
    later = await quiet.call("POST", f"/{number}/preview", token=token)
    assert (later.status, later.headers["Retry-After"]) == (429, "7")
    await quiet.act(number, "cancel")
    closed = await quiet.call("POST", f"/{number}/preview", token=token)
    assert (closed.status, closed.code) == (409, "broadcast_closed")
    absent = await quiet.call("POST", "/999/preview", token=token)
    assert (absent.status, absent.code) == (404, "broadcast_not_found")


async def test_without_a_bot_nothing_starts(launch: Launch, sandbox: Sandbox) -> None:
    desk = Desk(await launch(worker=False), sandbox)
    await desk.people(1)
    number = await desk.draft()
    for verb in ("preview", "start"):
        answer = await desk.call("POST", f"/{number}/{verb}")
        assert (answer.status, answer.code) == (409, "channel_not_connected")
    assert (await desk.shown(number))["state"] == "draft"


# --- states ---------------------------------------------------------------------------------------


async def test_every_act_is_one_and_written_down(quiet: Desk) -> None:
    await quiet.people(2)
    number = await quiet.draft()
    key = "key:env:ADMIN_API_KEY"
    for verb, state in (
        ("start", "running"),
        ("pause", "paused"),
        ("resume", "running"),
        ("cancel", "canceled"),
    ):
        for _ in range(2):
            assert (await quiet.act(number, verb))["state"] == state
    verbs = ("create", "start", "pause", "resume", "cancel")
    assert await quiet.acts(number) == [(key, f"broadcast.{verb}") for verb in verbs]
    assert set(await quiet.recipients(number)) == {1, 2}


REFUSED = {
    "draft": ("pause", "resume"),
    "scheduled": ("pause", "resume"),
    "running": (),
    "paused": ("start",),
    "canceled": ("start", "pause", "resume"),
    "completed": ("pause", "resume", "cancel"),
}


@pytest.mark.parametrize("state", REFUSED)
async def test_what_a_state_does_not_allow(quiet: Desk, state: str) -> None:
    await quiet.people(1)
    number = await quiet.draft()
    ended = state in {"canceled", "completed"}
    await quiet.service.as_owner(
        """
        UPDATE broadcasts SET state = $1, schedule_at = now(), started_at = now(),
            finished_at = CASE WHEN $2 THEN now() END
        """,
        state,
        ended,
    )
    for verb in REFUSED[state]:
        answer = await quiet.call("POST", f"/{number}/{verb}")
        assert (answer.status, answer.code) == (409, "broadcast_closed"), verb
        assert answer.body["state"] == state
    assert (await quiet.shown(number))["state"] == state
    assert len(await quiet.acts(number)) == 1


async def test_a_broadcast_that_is_not_there(quiet: Desk) -> None:
    for method, path in (
        ("GET", "/7"),
        ("GET", "/7/recipients"),
        *(("POST", f"/7/{verb}") for verb in ("start", "pause", "resume", "cancel")),
    ):
        answer = await quiet.call(method, path)
        assert (answer.status, answer.code) == (404, "broadcast_not_found"), path


async def test_to_nobody_it_is_done_at_once(quiet: Desk) -> None:
    number = await quiet.draft()
    started = await quiet.act(number, "start")
    assert (started["state"], started["recipients"]) == ("completed", 0)
    assert started["finished_at"] is not None
    assert (await quiet.act(number, "start"))["state"] == "completed"
    (facts,) = await quiet.told("broadcast_finished")
    assert facts == {
        "id": number, "recipients": 0, "sent": 0, "blocked": 0, "failed": 0, "seconds": 0,
    }  # fmt: skip


async def test_twenty_starts_at_once_are_one(quiet: Desk) -> None:
    await quiet.people(50)
    number = await quiet.draft()
    await asyncio.gather(*(quiet.act(number, "start") for _ in range(20)))
    assert len(await quiet.recipients(number)) == 50
    assert len(await quiet.acts(number)) == 2


async def test_whom_it_goes_to_is_fixed_when_it_starts(quiet: Desk) -> None:
    await quiet.people(2)
    number = await quiet.draft(segment={"language": "en"})
    await quiet.people(3, first=11)
    assert (await quiet.shown(number))["recipients"] == 2
    assert (await quiet.act(number, "start"))["recipients"] == 5
    await quiet.people(1, first=21)
    assert set(await quiet.recipients(number)) == {1, 2, 11, 12, 13}
    page = await quiet.call("GET", f"/{number}/recipients?state=sent")
    assert page.body["items"] == []


async def test_lists_have_pages(quiet: Desk) -> None:
    numbers = [await quiet.draft() for _ in range(3)]
    first = await quiet.call("GET", "?limit=2")
    assert [item["id"] for item in first.body["items"]] == numbers[:0:-1]
    rest = await quiet.call("GET", f"?limit=2&cursor={first.body['next_cursor']}")
    assert [item["id"] for item in rest.body["items"]] == numbers[:1]
    assert rest.body["next_cursor"] is None


# --- its hour -------------------------------------------------------------------------------------


async def test_it_starts_by_itself_at_its_hour(quiet: Desk) -> None:
    await quiet.people(2)
    now = quiet.service.deps.clock.now()
    number = await quiet.draft(schedule_at=(now + timedelta(hours=1)).isoformat())
    assert (await quiet.shown(number))["state"] == "scheduled"
    await broadcasts.start_due(quiet.service.deps)
    assert (await quiet.shown(number))["state"] == "scheduled"
    await quiet.service.as_owner("UPDATE broadcasts SET schedule_at = now()")
    await asyncio.gather(*(broadcasts.start_due(quiet.service.deps) for _ in range(5)))
    found = await quiet.shown(number)
    assert (found["state"], found["recipients"]) == ("running", 2)
    assert (await quiet.acts(number))[1:] == [("schedule", "broadcast.start")]


async def test_one_that_cannot_start_holds_up_no_other(quiet: Desk) -> None:
    await quiet.people(1)
    at = (quiet.service.deps.clock.now() + timedelta(hours=1)).isoformat()
    broken, sound = [await quiet.draft(schedule_at=at) for _ in range(2)]
    await quiet.service.as_owner(
        """
        UPDATE broadcasts SET schedule_at = now(),
            segment = CASE WHEN id = $1 THEN '{"star_sign": "lion"}'::jsonb ELSE segment END
        """,
        broken,
    )
    await broadcasts.start_due(quiet.service.deps)
    assert (await quiet.shown(broken))["state"] == "scheduled"
    assert (await quiet.shown(sound))["state"] == "running"


async def test_without_a_bot_it_waits_for_its_hour(quiet: Desk) -> None:
    await quiet.people(1)
    at = (quiet.service.deps.clock.now() + timedelta(hours=1)).isoformat()
    number = await quiet.draft(schedule_at=at)
    await quiet.service.as_owner("UPDATE broadcasts SET schedule_at = now()")
    await broadcasts.start_due(replace(quiet.service.deps, senders={}))
    assert (await quiet.shown(number))["state"] == "scheduled"
    await broadcasts.start_due(quiet.service.deps)
    assert (await quiet.shown(number))["state"] == "running"


async def test_what_is_a_day_late_is_not_sent(quiet: Desk) -> None:
    await quiet.people(1)
    at = (quiet.service.deps.clock.now() + timedelta(hours=1)).isoformat()
    late, just = [await quiet.draft(schedule_at=at) for _ in range(2)]
    await quiet.service.as_owner(
        """
        UPDATE broadcasts SET schedule_at = now()
            - CASE WHEN id = $1 THEN interval '24 hours 1 minute' ELSE interval '23 hours' END
        """,
        late,
    )
    for _ in range(2):
        await broadcasts.start_due(quiet.service.deps)
    assert (await quiet.shown(late))["state"] == "canceled"
    assert (await quiet.shown(just))["state"] == "running"
    assert await quiet.recipients(late) == {}
    assert (await quiet.acts(late))[1:] == [("schedule", "broadcast.cancel")]
    (facts,) = await quiet.told("broadcast_stopped")
    assert (facts["id"], "24 hours" in facts["reason"]) == (late, True)


async def test_one_that_the_database_refuses_holds_up_no_other(quiet: Desk) -> None:
    await quiet.people(1)
    at = (quiet.service.deps.clock.now() + timedelta(hours=1)).isoformat()
    broken, sound = [await quiet.draft(schedule_at=at) for _ in range(2)]
    await quiet.service.as_owner("UPDATE broadcasts SET schedule_at = now()")
    await quiet.service.as_owner(
        f"""
        ALTER TABLE broadcast_recipients
        ADD CONSTRAINT nobody CHECK (broadcast_id <> {broken}) NOT VALID
        """
    )
    await broadcasts.start_due(quiet.service.deps)
    assert (await quiet.shown(broken))["state"] == "scheduled"
    assert (await quiet.shown(sound))["state"] == "running"


async def test_a_key_makes_one_broadcast(quiet: Desk) -> None:
    await quiet.people(2)
    at = (quiet.service.deps.clock.now() + timedelta(hours=1)).isoformat()
    body = {"content": _content(button=LINK), "segment": {"language": "en"}, "schedule_at": at}
    answers = await asyncio.gather(*(quiet.call("POST", "", body, key="one") for _ in range(5)))
    assert [answer.status for answer in answers] == [201] * 5
    (first, *rest) = [answer.body for answer in answers]
    assert rest == [first] * 4
    assert first == await quiet.shown(first["id"])
    other = await quiet.call("POST", "", body | {"paid": True}, key="one")
    assert (other.status, other.code) == (409, "idempotency_mismatch")
    assert (await quiet.call("POST", "", body)).body["id"] != first["id"]
    assert await quiet.service.pool.fetchval("SELECT count(*) FROM broadcasts") == 2


async def test_an_hour_that_has_passed_is_refused(quiet: Desk) -> None:
    at = (quiet.service.deps.clock.now() - timedelta(seconds=1)).isoformat()
    body = {"content": TEXT, "segment": {}, "schedule_at": at}
    answer = await quiet.call("POST", "", body)
    assert (answer.status, answer.code) == (422, "invalid_broadcast")


# --- sending --------------------------------------------------------------------------------------


async def test_everybody_gets_it_once(desk: Desk) -> None:
    await desk.people(20)
    await desk.block(3)
    await desk.close_account(4)
    number = await desk.started(_content(button=LINK))
    done = await desk.over(number)
    assert (done["state"], done["recipients"]) == ("completed", 20)
    assert (done["sent"], done["blocked"], done["failed"]) == (18, 2, 0)
    assert (done["pace"], done["eta_s"]) == (None, None)
    assert await desk.counts(TEXT["text"]) == dict.fromkeys({*range(1, 21)} - {3, 4}, 1)
    recipients = await desk.recipients(number)
    assert (recipients[3]["state"], recipients[4]["state"]) == ("blocked", "deactivated")
    assert recipients[1]["sent_at"] is not None
    # An end is not counted again.
    kept = await desk.service.pool.fetch("SELECT sent, blocked, failed FROM broadcasts")
    assert [tuple(row) for row in kept] == [(18, 2, 0)]
    await desk.service.as_owner("UPDATE broadcasts SET sent = 17")
    assert (await desk.call("GET", "")).body["items"][0]["sent"] == 17
    (facts,) = await desk.told("broadcast_finished")
    assert facts | {"seconds": 0} == {
        "id": number, "recipients": 20, "sent": 18, "blocked": 2, "failed": 0, "seconds": 0,
    }  # fmt: skip
    # Whom it could not reach nobody tries to reach again.
    gone = await desk.service.pool.fetch("SELECT user_id, channel, reason FROM unreachable")
    assert {tuple(row) for row in gone} == {
        (3, "telegram", "blocked"), (4, "telegram", "deactivated"),
    }  # fmt: skip
    assert (await desk.shown(await desk.draft()))["recipients"] == 18


async def test_pictures_are_uploaded_once(desk: Desk) -> None:
    token = await desk.operator()
    await desk.people(6)
    # The first to get it is not there: the next one brings the pictures.
    await desk.block(1)
    ids = [await desk.upload(seed=1), await desk.upload(seed=2)]
    number = await desk.draft({"type": "album", "upload_ids": ids, "text": "Look"}, token=token)
    await desk.act(number, "start")
    assert (await desk.over(number))["sent"] == 5
    taken = {
        message["photo"][-1]["file_id"]
        for user in range(2, 7)
        for message in await desk.messages(user)
    }
    assert len(taken) == 2
    counts = await desk.counts()
    # The report of it is the operator's.
    counts.pop(OPERATOR, None)
    assert counts == dict.fromkeys(range(2, 7), 2)


async def test_429_makes_everybody_wait_and_fails_nobody(desk: Desk) -> None:
    await desk.people(30)
    await desk.sandbox.fault(
        "status",
        {"vendor": "telegram", "operation": "sendMessage", "times": 6},
        status=429,
        retry_after=1,
    )
    number = await desk.started()
    done = await desk.over(number)
    assert (done["sent"], done["failed"]) == (30, 0)
    assert await desk.counts() == dict.fromkeys(range(1, 31), 1)
    assert {row["attempts"] for row in (await desk.recipients(number)).values()} == {1}
    not_before = await desk.service.pool.fetchval("SELECT not_before FROM broadcast_pumps")
    assert not_before >= (await desk.service.pool.fetchval("SELECT started_at FROM broadcasts"))


async def test_an_unclear_outcome_is_tried_again(desk: Desk) -> None:
    await desk.people(20)
    match = {"vendor": "telegram", "operation": "sendMessage"}
    await desk.sandbox.fault("status", match | {"times": 2}, status=502)
    number = await desk.started()
    done = await desk.over(number)
    assert (done["sent"], done["failed"]) == (20, 0)
    attempts = [row["attempts"] for row in (await desk.recipients(number)).values()]
    assert sorted(attempts)[-2:] == [2, 2]


async def test_what_is_refused_for_everybody_stops(desk: Desk) -> None:
    await desk.people(60)
    match = {"vendor": "telegram", "operation": "sendMessage"}
    await desk.sandbox.fault("status", match, status=400, message="Bad Request: nonsense")
    number = await desk.started()
    stopped = await desk.over(number)
    assert (stopped["state"], stopped["failed"], stopped["sent"]) == ("paused", 0, 0)
    assert (await desk.requests())["sendMessage"] < 60
    (facts,) = await desk.told("broadcast_stopped")
    assert facts["id"] == number
    assert "nonsense" in facts["reason"]
    assert (await desk.acts(number))[-1] == ("telegram", "broadcast.pause")
    await desk.sandbox.clear_faults()
    await desk.act(number, "resume")
    done = await desk.over(number, "completed")
    assert (done["sent"], done["failed"]) == (60, 0)


async def test_what_is_refused_for_one_fails_for_him(desk: Desk) -> None:
    await desk.people(6)
    match = {"vendor": "telegram", "operation": "sendMessage", "nth": 3}
    await desk.sandbox.fault("status", match, status=400, message="Bad Request: nonsense")
    done = await desk.over(await desk.started())
    assert (done["state"], done["sent"], done["failed"]) == ("completed", 5, 1)
    page = await desk.call("GET", f"/{done['id']}/recipients?state=failed")
    (failed,) = page.body["items"]
    assert "nonsense" in failed["error"]


async def test_a_pause_and_a_cancel_hold_at_once(desk: Desk) -> None:
    """After the answer no more goes out than what was on its way then."""
    await desk.people(200)
    number = await desk.started()

    async def some_arrived() -> bool:
        return len(await desk.counts()) >= 5

    for verb in ("pause", "cancel"):
        before = len(await desk.counts())
        await eventually(some_arrived)
        await desk.act(number, verb)
        seen = len(await desk.counts())
        assert seen < 200
        await asyncio.sleep(1.2)
        assert len(await desk.counts()) <= seen + PLACES, (verb, before)
        if verb == "pause":
            waiting = await desk.call("GET", f"/{number}/recipients?state=pending&limit=1")
            assert waiting.body["items"]
            stuck = await desk.call("GET", f"/{number}/recipients?state=sending")
            assert stuck.body["items"] == []
            await desk.act(number, "resume")
    counts = await desk.counts()
    assert set(counts.values()) == {1}

    async def kept() -> int | None:
        found: int | None = await desk.service.pool.fetchval("SELECT sent FROM broadcasts")
        return found

    assert await eventually(kept) == len(counts) == (await desk.shown(number))["sent"]


async def test_nothing_outruns_what_is_written_down(desk: Desk) -> None:
    """A place in flight comes back with the written result: it bounds what a kill can repeat."""
    await desk.people(30)
    match = {"vendor": "telegram", "operation": "sendMessage"}
    await desk.sandbox.fault("latency", match, seconds=0.2)
    number = await desk.started()

    async def some_arrived() -> bool:
        return len(await desk.counts()) >= 4

    await eventually(some_arrived)
    connection = await connect(desk.service.database.owner_dsn, role=None)
    async with connection.transaction():
        await connection.execute("LOCK TABLE broadcast_recipients IN SHARE ROW EXCLUSIVE MODE")
        seen = len(await desk.counts())
        assert seen < 20
        await asyncio.sleep(1.0)
        assert len(await desk.counts()) <= seen + PLACES
    await connection.close()
    assert (await desk.over(number))["sent"] == 30
    assert set((await desk.counts()).values()) == {1}


async def test_broadcasts_take_turns_at_one_pace(desk: Desk) -> None:
    await desk.limits(per_second=30)
    await desk.people(25)
    numbers = [await desk.started(_content(text=f"Number {n}")) for n in range(2)]
    for number in numbers:
        assert (await desk.over(number))["sent"] == 25
    assert set((await desk.counts()).values()) == {2}
    pace = await desk.pace()
    assert pace["refused_429"] == 0
    assert pace["most_in_any_second"] <= 30


async def test_a_paid_one_goes_faster_and_is_paid(desk: Desk) -> None:
    await desk.limits(per_second=30, paid_per_second=1000, paid_broadcasts_enabled=True)
    await desk.people(100)
    number = await desk.started(paid=True)
    assert (await desk.over(number))["sent"] == 100
    pace = await desk.pace()
    assert (pace["accepted"], pace["paid"], pace["refused_429"]) == (100, 70, 0)


@pytest.mark.parametrize("settings", [{"broadcast_rate_per_s": 3}])
async def test_the_pace_is_what_the_setting_says(
    launch: Launch, sandbox: Sandbox, settings: Mapping[str, Any]
) -> None:
    desk = Desk(await launch(sandbox, **settings), sandbox)
    await desk.limits(per_second=3)
    await desk.people(7)
    assert (await desk.over(await desk.started()))["sent"] == 7
    pace = await desk.pace()
    assert (pace["refused_429"], pace["most_in_any_second"]) == (0, 3)


async def test_two_workers_send_it_once(launch: Launch, sandbox: Sandbox) -> None:
    one = Desk(await launch(sandbox), sandbox)
    await launch(sandbox)
    await one.limits(per_second=30)
    await one.people(80)
    done = await one.over(await one.started())
    assert done["sent"] == 80
    assert await one.counts() == dict.fromkeys(range(1, 81), 1)
    assert (await one.pace())["refused_429"] == 0


async def test_a_started_broadcast_says_how_far_it_is(desk: Desk) -> None:
    await desk.people(90)
    number = await desk.started()

    async def under_way() -> dict[str, Any] | None:
        found = await desk.shown(number)
        return found if found["sent"] > 5 else None

    found = await eventually(under_way)
    assert found["pace"] > 0
    assert found["eta_s"] >= 1
    await desk.act(number, "cancel")


async def test_finishing_needs_nobody_left(quiet: Desk) -> None:
    """Whoever else claims to be done, a broadcast with people left goes on."""
    await quiet.people(1)
    number = BroadcastId(await quiet.started())
    now = quiet.service.deps.clock.now()
    async with quiet.service.pool.acquire() as connection, connection.transaction():
        assert not await broadcasts.finish(connection, number, now=now)
    assert (await quiet.shown(number))["state"] == "running"
