"""The main road: from a submit to a picture in storage and one line in the ledger."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import aiohttp
import pytest
from PIL import Image

from hamyon.orders.service import settle
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, Service, eventually, hurried

PRICE = 27
USER = 777


async def _fetched(service: Service, url: str) -> Image.Image:
    async with service.api.session.get(url) as answer:
        assert answer.status == 200
        content = await answer.read()
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


async def _assert_delivered(service: Service, user: int, order: str) -> dict[str, Any]:
    """A picture in our storage, one line in the ledger, one notice, nothing held."""
    done = await service.api.ended(user, order)
    assert done["status"] == "completed", done
    assert done["charged"] == done["price"]["amount"] == PRICE
    assert done["error"] is None
    results = await service.api.call("GET", f"/generations/{order}/results?telegram_id={user}")
    (item,) = results.body["items"]
    picture = await _fetched(service, item["url"])
    assert picture.size == (item["width"], item["height"]) == (1024, 1024)
    lines = await service.api.lines(user)
    assert [(line["amount"], line["reference"]) for line in lines] == [(-PRICE, order)]
    notices = await service.pool.fetch("SELECT kind FROM notices WHERE key LIKE $1", f"%{order}")
    assert [row["kind"] for row in notices] == ["order_completed"]
    return done


# --- the road -------------------------------------------------------------------------------------


async def test_offline(launch: Launch) -> None:
    service = await launch()
    await service.person(USER, 100)
    order = await service.api.ordered(USER)
    done = await _assert_delivered(service, USER, order)
    assert done["engine"] == "offline"
    assert await service.api.balance(USER) == (100 - PRICE, 0)


@pytest.mark.parametrize("webhooks", [True, False])
async def test_wavespeed(launch: Launch, quick: Sandbox, *, webhooks: bool) -> None:
    service = await launch(quick, webhooks=webhooks)
    await service.person(USER, 100)
    async with hurried(service):
        order = await service.api.ordered(USER, "a fox in the snow")
        done = await _assert_delivered(service, USER, order)
    assert done["engine"] == "wavespeed"
    stats = await quick.stats()
    assert stats["accepted_by_prompt"] == {"a fox in the snow": 1}
    assert bool(stats["accepted_by_webhook"]) is webhooks
    assert (await service.job(order))["cost_micro_usd"] == 27_000


async def test_a_webhook_brings_the_picture_before_any_poll(launch: Launch, quick: Sandbox) -> None:
    await quick.settings(created_s=0, processing_s=0.3)
    service = await launch(quick, webhooks=True)
    await service.person(USER, 100)
    order = await service.api.ordered(USER)
    # The first poll of a job whose webhook is expected comes after ten seconds.
    done = await _assert_delivered(service, USER, order)
    assert done["status"] == "completed"
    assert (await quick.stats())["webhooks"]["answered"] == 1  # type: ignore[index]
    handled = await service.pool.fetchval("SELECT count(handled_at) FROM inbox")
    assert handled == 1


@pytest.mark.parametrize("online", [True, False])
async def test_references(launch: Launch, quick: Sandbox, photo: bytes, *, online: bool) -> None:
    service = await launch(quick if online else None)
    await service.person(USER, 100)
    form = aiohttp.FormData({"telegram_id": str(USER)})
    form.add_field("file", photo, filename="astronaut.jpg", content_type="image/jpeg")
    uploaded = await service.api.call("POST", "/media/upload", data=form)
    assert uploaded.status == 201, uploaded.body
    upload = uploaded.body["items"][0]["upload_id"]
    async with hurried(service):
        order = await service.api.ordered(USER, "as a painting", references=[upload])
        done = await _assert_delivered(service, USER, order)
    assert done["references"] == [upload]
    path = await service.pool.fetchval("SELECT provider_path FROM jobs")
    assert path == "bytedance/seedream-v4/edit"
    kept = await service.pool.fetchval("SELECT expires_at FROM uploads")
    assert kept is None


async def test_price_equals_charge(launch: Launch, quick: Sandbox) -> None:
    service = await launch(quick)
    await service.person(USER, 1000)
    for model, options, amount in (
        ("seedream-v4", {"size": "1024x1024"}, 27),
        ("nano-banana", {"aspect_ratio": "1:1"}, 38),
        ("nano-banana-pro", {"resolution": "1k"}, 140),
        ("nano-banana-pro", {"resolution": "4k"}, 240),
    ):
        wish = {"telegram_id": USER, "model": model, **options}
        before, _ = await service.api.balance(USER)
        quote = await service.api.call(
            "POST", "/generations/price", wish | {"references": 0, "use_trial": False}
        )
        assert quote.body["amount"] == amount
        answer = await service.api.call(
            "POST", "/generations/submit", wish | {"prompt": "a", "use_trial": False}
        )
        assert answer.status == 202, answer.body
        assert answer.body["balance"] == quote.body["balance_after"] == before - amount
        async with hurried(service):
            done = await service.api.ended(USER, answer.body["id"])
        assert done["charged"] == amount, done
        assert await service.api.balance(USER) == (before - amount, 0)


async def test_trial(launch: Launch) -> None:
    service = await launch()
    await service.person(USER)
    answer = await service.api.submit(USER, use_trial=True)
    assert answer.status == 202
    assert answer.body["trial_used"] is True
    assert answer.body["price"]["amount"] == 0
    done = await service.api.ended(USER, answer.body["id"])
    assert (done["status"], done["charged"], done["trial_used"]) == ("completed", 0, True)
    assert await service.api.lines(USER) == []
    again = await service.api.submit(USER, use_trial=True)
    assert again.code == "insufficient_funds"


async def test_a_trial_comes_back_when_the_provider_fails(launch: Launch, quick: Sandbox) -> None:
    await quick.fault("failed", code=1405)
    service = await launch(quick)
    await service.person(USER)
    async with hurried(service):
        order = await service.api.ordered(USER, use_trial=True)
        done = await service.api.ended(USER, order)
    assert done["status"] == "failed"
    trial = await service.api.call("GET", f"/users/{USER}/trial")
    assert trial.body["remaining"] == 1, trial.body


async def test_a_trial_is_used_by_a_refusal_for_safety(launch: Launch, quick: Sandbox) -> None:
    await quick.fault("nsfw")
    service = await launch(quick)
    await service.person(USER)
    async with hurried(service):
        order = await service.api.ordered(USER, use_trial=True)
        done = await service.api.ended(USER, order)
    assert done["error"]["code"] == "refused_by_safety"
    assert (await service.api.submit(USER, use_trial=True)).code == "insufficient_funds"


# --- after it -------------------------------------------------------------------------------------


async def test_retry_is_a_new_order_with_the_same_input(launch: Launch) -> None:
    service = await launch()
    await service.person(USER, 100)
    first = await service.api.ordered(USER, "a red boat")
    await service.api.ended(USER, first)
    retry = await service.api.call("POST", f"/generations/{first}/retry", {"telegram_id": USER})
    assert retry.status == 202, retry.body
    assert retry.body["id"] != first
    done = await service.api.ended(USER, retry.body["id"])
    assert (done["prompt"], done["options"]) == ("a red boat", {"size": "1024*1024"})


async def test_a_retry_is_not_answered_as_the_submit_of_the_same_key(launch: Launch) -> None:
    service = await launch()
    await service.person(USER, 100)
    same = {"Idempotency-Key": "same"}
    wish = {
        "telegram_id": USER,
        "model": "seedream-v4",
        "prompt": "a red boat",
        "size": "1024*1024",
    }
    first = (await service.api.call("POST", "/generations/submit", wish, headers=same)).body["id"]
    await service.api.ended(USER, first)
    path = f"/generations/{first}/retry"
    answers = [
        await service.api.call("POST", path, {"telegram_id": USER}, headers=same) for _ in range(2)
    ]
    assert [answer.status for answer in answers] == [202, 202]
    assert answers[0].body["id"] != first
    assert answers[1].body == answers[0].body
    await service.api.ended(USER, answers[0].body["id"])


async def test_cancel_a_queued_one_releases_at_once(launch: Launch) -> None:
    service = await launch(worker=False)
    await service.person(USER, 100)
    order = await service.api.ordered(USER)
    assert await service.api.balance(USER) == (100 - PRICE, PRICE)
    canceled = await service.api.call("POST", f"/generations/{order}/cancel", {"telegram_id": USER})
    assert (canceled.status, canceled.body["status"]) == (200, "canceled")
    assert await service.api.balance(USER) == (100, 0)
    again = await service.api.call("POST", f"/generations/{order}/cancel", {"telegram_id": USER})
    assert again.code == "not_cancelable"


async def test_a_running_one_cannot_be_canceled_at_wavespeed(
    launch: Launch, quick: Sandbox
) -> None:
    await quick.fault("stuck_processing", seconds=1)
    service = await launch(quick)
    await service.person(USER, 100)
    order = await service.api.ordered(USER)
    await eventually(lambda: _state_is(service, order, "running"))
    refused = await service.api.call("POST", f"/generations/{order}/cancel", {"telegram_id": USER})
    assert refused.code == "not_cancelable"
    assert (await service.api.ended(USER, order))["status"] == "completed"


async def _state_is(service: Service, order: str, state: str) -> bool:
    return bool((await service.job(order))["state"] == state)


async def test_lists_and_results_while_it_is_made(launch: Launch) -> None:
    service = await launch(worker=False)
    await service.person(USER, 100)
    first, second = await service.api.ordered(USER, "one"), await service.api.ordered(USER, "two")
    active = await service.api.call("GET", f"/generations/active?telegram_id={USER}")
    assert active.body["has_active"] is True
    assert [item["id"] for item in active.body["items"]] == [second, first]
    page = await service.api.call("GET", f"/generations?telegram_id={USER}&limit=1")
    assert [item["prompt"] for item in page.body["items"]] == ["two"]
    cursor = page.body["next_cursor"]
    rest = await service.api.call("GET", f"/generations?telegram_id={USER}&limit=1&cursor={cursor}")
    assert [item["prompt"] for item in rest.body["items"]] == ["one"]
    assert rest.body["next_cursor"] is None
    results = await service.api.call("GET", f"/generations/{first}/results?telegram_id={USER}")
    assert (results.status, results.code) == (409, "not_finished")
    shown = await service.api.generation(USER, first)
    assert (shown["status"], shown["queue_position"], shown["results"]) == ("queued", 1, [])
    await service.person(USER + 1)
    stranger = await service.api.call("GET", f"/generations/{first}?telegram_id={USER + 1}")
    assert (stranger.status, stranger.code) == (404, "order_not_found")


async def test_events_tell_every_change(launch: Launch, quick: Sandbox) -> None:
    service = await launch(quick)
    await service.person(USER, 100)
    await service.as_owner("UPDATE providers SET open_until = now() + interval '1 hour'")
    await service.as_owner("UPDATE providers SET open_until = NULL")
    order = await service.api.ordered(USER)
    seen: list[tuple[str, str]] = []
    url = f"{service.api.url}/api/v1/generations/{order}/events?telegram_id={USER}"
    headers = {"api-key": "hk_service-0123456789abcdef"}
    async with hurried(service), service.api.session.get(url, headers=headers) as stream:
        assert stream.content_type == "text/event-stream"
        name = ""
        async for line in stream.content:
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            elif line.startswith(b"data: "):
                seen.append((name, json.loads(line[6:])["status"]))
    assert seen[-2:] == [("status", "completed"), ("end", "completed")]
    assert {status for _, status in seen[:-2]} <= {"queued", "running"}


async def test_refresh_asks_at_most_every_two_seconds(launch: Launch, sandbox: Sandbox) -> None:
    await sandbox.settings(created_s=0, processing_s=600)
    service = await launch(sandbox, webhooks=True)
    await service.person(USER, 100)
    order = await service.api.ordered(USER)
    await eventually(lambda: _state_is(service, order, "running"))

    async def refresh() -> None:
        path = f"/generations/{order}/refresh"
        answer = await service.api.call("POST", path, {"telegram_id": USER})
        assert (answer.status, answer.body["status"]) == (200, "running")

    async def polls() -> int:
        return int((await sandbox.stats())["requests"].get("result", 0))  # type: ignore[attr-defined]

    await asyncio.gather(*(refresh() for _ in range(20)))
    assert await polls() == 0  # It was submitted just now.
    for expected in (1, 2):
        await service.as_owner("UPDATE jobs SET polled_at = now() - interval '3 seconds'")
        await asyncio.gather(*(refresh() for _ in range(20)))
        assert await polls() == expected
    queued = await service.pool.fetchval("SELECT count(*) FROM pgqueuer WHERE payload LIKE '%once'")
    assert queued == 0


# --- repetitions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("use_trial", [True, False])
async def test_a_hundred_equal_submits_are_one_order(launch: Launch, *, use_trial: bool) -> None:
    service = await launch(worker=False)
    await service.person(USER, 1000)
    answers = await asyncio.gather(
        *(service.api.submit(USER, key="same", use_trial=use_trial) for _ in range(100))
    )
    assert {answer.status for answer in answers} == {202}
    assert len({json.dumps(answer.body, sort_keys=True) for answer in answers}) == 1
    assert await service.pool.fetchval("SELECT count(*) FROM orders") == 1
    other = await service.api.submit(USER, "another prompt", key="same", use_trial=use_trial)
    assert (other.status, other.code) == (409, "idempotency_mismatch")
    later = await service.api.submit(USER, key="same", use_trial=use_trial)
    assert later.body == answers[0].body


async def test_a_repetition_is_answered_though_the_door_is_closed_by_now(launch: Launch) -> None:
    service = await launch(worker=False)
    await service.person(USER, 1000)
    first = await service.api.submit(USER, key="same")
    await service.as_owner("UPDATE providers SET paused_at = now(), paused_by = 'test'")
    service.deps.cache.drop(service.deps.catalog.providers, "offline")
    assert (await service.api.submit(USER, key="new")).code == "provider_unavailable"
    again = await service.api.submit(USER, key="same")
    assert (again.status, again.body) == (202, first.body)


async def test_settling_twice_is_impossible(launch: Launch) -> None:
    service = await launch()
    await service.person(USER, 100)
    order = await service.api.ordered(USER)
    await service.api.ended(USER, order)
    async with service.pool.acquire() as connection, connection.transaction():
        from hamyon.orders import store

        found = await store.lock_order(connection, (await service.job(order))["order_id"])
        assert found is not None
        assert await settle.settle_if_ended(connection, service.deps.rules, found) is None
