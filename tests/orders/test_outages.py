"""Whatever the provider does: the right outcome, credits back or held for review, paid once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, Service, eventually, hurried

USER = 777
PRICE = 27
PROMPT = "a fox"

Options = dict[str, Any]
SUBMIT: Options = {"operation": "submit"}
RESULT: Options = {"operation": "result"}
OUTPUT: Options = {"operation": "output"}
BRIEF: Options = {"wavespeed_timeout_s": 1.0, "breaker_failures": 1000}


async def _ordered(launch: Launch, sandbox: Sandbox, **options: Any) -> tuple[Service, str]:
    service = await launch(sandbox, **(BRIEF | options))
    await service.person(USER, 100)
    return service, await service.api.ordered(USER, PROMPT)


async def _accepted(sandbox: Sandbox) -> int:
    stats = await sandbox.stats()
    assert stats["repeated_prompts"] == {}
    return int(stats["accepted"])  # type: ignore[call-overload, no-any-return]  # JSON


async def _assert_settled(service: Service, done: dict[str, Any]) -> None:
    """Charged for a picture, else not at all; and people are told so."""
    charge = PRICE if done["status"] == "completed" else 0
    assert done["charged"] == charge
    assert await service.api.balance(USER) == (100 - charge, 0)
    assert len(await service.api.lines(USER)) == (1 if charge else 0)
    if done["status"] == "failed":
        assert "credits" in done["error"]["message"].lower()


# --- the submit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "match", "options", "error"),
    [
        ("status", {"times": 2}, {"status": 429}, None),
        ("status", {"times": 1}, {"status": 429, "retry_after": 0}, None),
        ("status", {"times": 2}, {"status": 503}, None),
        ("status", {}, {"status": 429}, "provider_failed"),
        ("status", {}, {"status": 503}, "provider_failed"),
        ("status", {}, {"status": 402}, "provider_failed"),
        ("status", {}, {"status": 401}, "provider_failed"),
        ("latency", {}, {"seconds": 0.3}, None),
    ],
)
async def test_a_submit_that_is_surely_refused(
    launch: Launch,
    quick: Sandbox,
    kind: str,
    match: Options,
    options: Options,
    error: str | None,
) -> None:
    await quick.fault(kind, SUBMIT | match, **options)
    service, order = await _ordered(launch, quick)
    async with hurried(service):
        done = await service.api.ended(USER, order)
    assert (done["status"], (done["error"] or {}).get("code")) == (
        "failed" if error else "completed",
        error,
    )
    assert await _accepted(quick) == (0 if error else 1)
    await _assert_settled(service, done)


UNKNOWN = [
    ("refuse", {}, 0),
    ("hang", {}, 0),
    ("hang", {"accepted": True}, 1),
    ("status", {"status": 500}, 0),
    ("status", {"status": 500, "accepted": True}, 1),
    ("status", {"status": 502, "accepted": True}, 1),
    ("status", {"status": 504, "accepted": True}, 1),
    ("answer_truncated", {}, 1),
    ("not_json", {}, 1),
    ("accepted_then_cut", {}, 1),
]


@pytest.mark.parametrize(("kind", "options", "accepted"), UNKNOWN)
async def test_an_unknown_submit_of_an_opaque_provider_is_never_repeated(
    launch: Launch, quick: Sandbox, kind: str, options: Options, accepted: int
) -> None:
    await quick.fault(kind, SUBMIT, **options)
    service, order = await _ordered(launch, quick)
    async with hurried(service):
        await eventually(lambda: _job_is(service, order, "uncertain"))
        await service.advance_now(order)
        await service.past_deadline(order)
    assert (await service.api.generation(USER, order))["status"] == "review"
    assert await service.api.balance(USER) == (100 - PRICE, PRICE)
    listed = await service.api.call("GET", "/admin/orders?state=review", admin=True)
    assert [item["id"] for item in listed.body["items"]] == [order]
    assert listed.body["items"][0]["jobs"][0]["status"] == "uncertain"
    await service.past_review(order)
    done = await service.api.generation(USER, order)
    assert (done["status"], done["error"]["code"]) == ("failed", "deadline_passed")
    assert await _accepted(quick) == accepted
    await _assert_settled(service, done)


@pytest.mark.parametrize(
    ("kind", "options", "accepted"), [unknown for unknown in UNKNOWN if unknown[2]]
)
async def test_an_unknown_submit_is_adopted_by_its_webhook(
    launch: Launch, quick: Sandbox, kind: str, options: Options, accepted: int
) -> None:
    await quick.fault(kind, SUBMIT, **options)
    service, order = await _ordered(launch, quick, webhooks=True)
    done = await service.api.ended(USER, order)
    assert done["status"] == "completed"
    assert await _accepted(quick) == accepted
    await _assert_settled(service, done)


async def _job_is(service: Service, order: str, state: str) -> bool:
    return bool((await service.job(order))["state"] == state)


# --- asking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("status", {"status": 500}),
        ("status", {"status": 429, "retry_after": 3000}),
        ("status", {"status": 404}),
        ("refuse", {}),
        ("hang", {}),
        ("answer_truncated", {}),
        ("not_json", {}),
    ],
)
async def test_trap_a_failed_poll_neither_refunds_nor_ends_anything(
    launch: Launch, quick: Sandbox, kind: str, options: Options
) -> None:
    await quick.fault(kind, RESULT | {"times": 2}, **options)
    service, order = await _ordered(launch, quick)
    async with hurried(service):
        done = await service.api.ended(USER, order)
    assert done["status"] == "completed", done
    assert await _accepted(quick) == 1
    await _assert_settled(service, done)


# --- how the task ends ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "status", "error", "retryable"),
    [
        ("completed_without_outputs", {}, "failed", "provider_failed", True),
        ("nsfw", {}, "failed", "refused_by_safety", False),
        ("nsfw", {"flagged": True}, "failed", "refused_by_safety", False),
        ("failed", {"code": 1405}, "failed", "provider_failed", False),
        ("failed", {"code": 1402}, "failed", "provider_failed", False),
        ("failed", {"code": 5000}, "failed", "provider_failed", True),
        ("failed", {"code": 5003}, "failed", "provider_failed", True),
        ("failed", {"code": 5004}, "failed", "provider_failed", True),
        ("failed", {"state": "timeout"}, "failed", "provider_failed", True),
        ("failed", {"state": "cancelled"}, "canceled", None, None),
    ],
)
@pytest.mark.parametrize("webhooks", [True, False])
async def test_a_task_that_fails_costs_nothing(
    launch: Launch,
    quick: Sandbox,
    kind: str,
    options: Options,
    status: str,
    error: str | None,
    retryable: bool | None,
    *,
    webhooks: bool,
) -> None:
    await quick.fault(kind, **options)
    service, order = await _ordered(launch, quick, webhooks=webhooks)
    async with hurried(service):
        done = await service.api.ended(USER, order)
    found = done["error"] or {}
    assert (done["status"], found.get("code"), found.get("retryable")) == (
        status,
        error,
        retryable,
    )
    assert done["results"] == []
    assert await _accepted(quick) == 1
    await _assert_settled(service, done)


async def test_trap_completed_without_outputs_is_not_charged(
    launch: Launch, quick: Sandbox
) -> None:
    await quick.fault("completed_without_outputs")
    service, order = await _ordered(launch, quick)
    async with hurried(service):
        done = await service.api.ended(USER, order)
    assert (done["status"], done["charged"]) == ("failed", 0)
    assert await service.api.lines(USER) == []


# --- what it made ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("output_truncated", {}),
        ("output_truncated", {"cut": True}),
        ("output_broken", {}),
        ("output_wrong_type", {"content": "html"}),
        ("output_404", {}),
    ],
)
async def test_an_output_that_is_whole_at_the_second_try(
    launch: Launch, quick: Sandbox, kind: str, options: Options
) -> None:
    await quick.fault(kind, OUTPUT | {"times": 1}, **options)
    service, order = await _ordered(launch, quick)
    async with hurried(service):
        done = await service.api.ended(USER, order)
    assert (done["status"], len(done["results"])) == ("completed", 1)
    assert await _accepted(quick) == 1
    await _assert_settled(service, done)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("output_truncated", {}),
        ("output_broken", {}),
        ("output_huge", {}),
        ("output_bomb", {}),
        ("output_wrong_type", {"content": "html"}),
        ("output_wrong_type", {"content": "gif"}),
        ("output_404", {}),
    ],
)
async def test_an_output_that_never_is_a_picture(
    launch: Launch, quick: Sandbox, kind: str, options: Options
) -> None:
    await quick.fault(kind, OUTPUT, **options)
    service, order = await _ordered(launch, quick)
    async with hurried(service):
        done = await service.api.ended(USER, order)
    assert (done["status"], done["error"]["code"]) == ("failed", "bad_output")
    assert await _accepted(quick) == 1
    # What the provider took stays on record, though nobody is charged for it.
    assert (await service.job(order))["cost_micro_usd"] == 27_000
    await _assert_settled(service, done)


# --- webhooks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("webhook_duplicate", {"copies": 5}),
        ("webhook_late", {"seconds": 0.5}),
        ("webhook_lost", {}),
        ("webhook_bad_signature", {}),
        ("webhook_before_answer", {}),
    ],
)
async def test_webhooks_in_every_disorder(
    launch: Launch, quick: Sandbox, kind: str, options: Options
) -> None:
    await quick.fault(kind, **options)
    service, order = await _ordered(launch, quick, webhooks=True)
    async with hurried(service):
        done = await service.api.ended(USER, order)
    assert done["status"] == "completed"
    assert await _accepted(quick) == 1
    await _assert_settled(service, done)
    events = await service.pool.fetchval("SELECT count(*) FROM inbox")
    assert events <= 1


async def test_a_forged_webhook_changes_nothing(launch: Launch, sandbox: Sandbox) -> None:
    await sandbox.fault("stuck_processing")
    service, order = await _ordered(launch, sandbox, webhooks=True)
    await eventually(lambda: _job_is(service, order, "running"))
    job = await service.job(order)
    url = service.deps.callback_url("wavespeed", job["id"])
    assert url is not None
    path = url.partition("/api/v1")[2]
    forged = {"id": job["provider_job_id"], "status": "failed", "outputs": []}
    for where in (path, path[:-1] + ("0" if path[-1] != "0" else "1")):
        answer = await service.api.call("POST", where, forged)
        assert answer.status == 404
    assert await service.pool.fetchval("SELECT count(*) FROM inbox") == 0
    assert (await service.api.generation(USER, order))["status"] == "running"


# --- the breaker ----------------------------------------------------------------------------------


async def test_the_breaker_closes_the_door_and_a_probe_opens_it(
    launch: Launch, quick: Sandbox
) -> None:
    await quick.fault("status", SUBMIT, status=503)
    service, order = await _ordered(launch, quick, breaker_failures=3, breaker_open_s=600.0)
    async with hurried(service):
        await eventually(lambda: _is_open(service))
        service.deps.cache.drop(service.deps.catalog.providers, "wavespeed")
        await service.person(USER + 1, 100)
        refused = await service.api.submit(USER + 1, key="k")
        assert (refused.status, refused.code) == (503, "provider_unavailable")
        await service.leave_nothing_behind(USER + 1)
        # The first order waits in the queue, and says so, with its hold; nothing more is sent.
        assert (await service.api.reached(USER, order, "queued"))["charged"] is None
        await quick.clear_faults()
        await service.as_owner("UPDATE providers SET open_until = now() - interval '1 second'")
        service.deps.cache.drop(service.deps.catalog.providers, "wavespeed")
        done = await service.api.ended(USER, order)
        assert done["status"] == "completed"
        assert await service.pool.fetchval(
            "SELECT failures FROM providers WHERE name = 'wavespeed'"
        ) in {0}
        second = await service.api.ordered(USER + 1)
        assert (await service.api.ended(USER + 1, second))["status"] == "completed"
    await _assert_settled(service, done)


async def _is_open(service: Service) -> bool:
    return bool(
        await service.pool.fetchval(
            "SELECT open_until > now() FROM providers WHERE name = 'wavespeed'"
        )
    )


async def test_a_task_that_was_lost_over_there_closes_no_door(
    launch: Launch, quick: Sandbox
) -> None:
    """Its polls fail for ever; other people's orders go on all the same."""
    await quick.fault("status", RESULT | {"prompt_contains": PROMPT}, status=404)
    service, order = await _ordered(launch, quick, breaker_failures=3, breaker_open_s=600.0)

    async def polled_often() -> bool:
        requests = (await quick.stats())["requests"]
        assert isinstance(requests, dict)
        return bool(requests.get("result", 0) > 6)

    async with hurried(service):
        await eventually(polled_often)
        service.deps.cache.drop(service.deps.catalog.providers, "wavespeed")
        await service.person(USER + 1, 100)
        other = await service.api.ordered(USER + 1, "a boat")
        assert (await service.api.ended(USER + 1, other))["status"] == "completed"
        await service.past_deadline(order)
    assert (await service.api.generation(USER, order))["status"] == "review"


async def test_tasks_that_go_well_keep_no_door_open_that_takes_nothing(
    launch: Launch, sandbox: Sandbox
) -> None:
    await sandbox.settings(created_s=0, processing_s=600)
    service, order = await _ordered(launch, sandbox, breaker_failures=3, breaker_open_s=600.0)
    await eventually(lambda: _job_is(service, order, "running"))
    await sandbox.fault("status", SUBMIT, status=503)
    await service.api.ordered(USER)
    async with hurried(service):
        await eventually(lambda: _is_open(service))
