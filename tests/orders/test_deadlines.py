"""What time decides, what operators decide, and what comes after it was decided."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hamyon.orders.service import deadlines
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, Service, eventually, hurried

USER = 777
PRICE = 27


async def _stuck(launch: Launch, sandbox: Sandbox, **options: Any) -> tuple[Service, str]:
    """An order at a provider that stays silent about it."""
    await sandbox.settings(created_s=0, processing_s=0)
    await sandbox.fault("stuck_processing", **options)
    service = await launch(sandbox)
    await service.person(USER, 100)
    order = await service.api.ordered(USER)
    await eventually(lambda: _is_running(service, order))
    return service, order


async def _is_running(service: Service, order: str) -> bool:
    return bool((await service.job(order))["state"] == "running")


async def _resolve(service: Service, order: str, decision: str, key: str = "k") -> Any:
    return await service.api.call(
        "POST",
        f"/admin/orders/{order}/resolve",
        {"decision": decision, "note": "a test"},
        admin=True,
        headers={"Idempotency-Key": key},
    )


async def test_trap_a_stuck_order_keeps_its_hold_and_is_never_lost(
    launch: Launch, sandbox: Sandbox
) -> None:
    """The best-known bot's clean-up failed stuck orders and kept the credits."""
    service, order = await _stuck(launch, sandbox)
    await service.past_deadline(order)
    shown = await service.api.generation(USER, order)
    assert (shown["status"], shown["charged"]) == ("review", None)
    assert await service.api.balance(USER) == (100 - PRICE, PRICE)
    told = await service.pool.fetchval("SELECT kind FROM notices WHERE key = $1", f"review:{order}")
    assert told == "order_review"
    await deadlines.sweep(service.deps)  # Twice is harmless.
    await service.past_review(order)
    done = await service.api.generation(USER, order)
    assert (done["status"], done["charged"], done["error"]["code"]) == (
        "failed",
        0,
        "deadline_passed",
    )
    assert await service.api.balance(USER) == (100, 0)


async def test_what_was_never_sent_is_released_at_its_deadline(launch: Launch) -> None:
    service = await launch(worker=False)
    await service.person(USER, 100)
    order = await service.api.ordered(USER)
    await service.past_deadline(order)
    done = await service.api.generation(USER, order)
    assert (done["status"], done["error"]["code"]) == ("failed", "deadline_passed")
    assert await service.api.balance(USER) == (100, 0)


async def test_nothing_is_sent_after_the_deadline(launch: Launch, sandbox: Sandbox) -> None:
    """Also before the sweep has come round."""
    await sandbox.settings(created_s=0, processing_s=0)
    waiting = await launch(sandbox, worker=False)
    await waiting.person(USER, 100)
    order = await waiting.api.ordered(USER)
    await waiting.as_owner("UPDATE orders SET deadline_at = now() - interval '1 second'")
    service = await launch(sandbox)
    done = await service.api.ended(USER, order)
    assert (done["status"], done["error"]["code"]) == ("failed", "deadline_passed")
    assert (await sandbox.stats())["accepted"] == 0


async def test_a_job_put_back_while_its_order_went_to_review_is_not_sent_again(
    launch: Launch, sandbox: Sandbox
) -> None:
    """The provider refuses slowly; meanwhile the deadline passes. Nothing is owed to anybody."""
    await sandbox.fault("latency", {"operation": "submit"}, seconds=0.7)
    await sandbox.fault("status", {"operation": "submit"}, status=503)
    service = await launch(sandbox)
    await service.person(USER, 100)
    order = await service.api.ordered(USER)
    await eventually(lambda: _is_submitting(service, order))
    await service.past_deadline(order)
    assert (await service.api.generation(USER, order))["status"] == "review"
    async with hurried(service):
        done = await service.api.ended(USER, order)
    assert (done["status"], done["error"]["code"]) == ("failed", "deadline_passed")
    assert (await sandbox.stats())["requests"]["submit"] == 1  # type: ignore[index]
    assert await service.api.balance(USER) == (100, 0)


async def _is_submitting(service: Service, order: str) -> bool:
    return bool((await service.job(order))["state"] == "submitting")


async def test_a_picture_that_comes_during_review_is_charged(
    launch: Launch, sandbox: Sandbox
) -> None:
    service, order = await _stuck(launch, sandbox, seconds=1.0)
    await service.past_deadline(order)
    assert (await service.api.generation(USER, order))["status"] == "review"
    async with hurried(service):
        done = await service.api.ended(USER, order)
    assert (done["status"], done["charged"]) == ("completed", PRICE)


async def test_a_late_picture_is_a_gift(launch: Launch, sandbox: Sandbox) -> None:
    service, order = await _stuck(launch, sandbox, seconds=1.5)
    await service.past_deadline(order)
    await service.past_review(order)
    assert (await service.api.generation(USER, order))["status"] == "failed"
    assert await service.api.balance(USER) == (100, 0)
    async with hurried(service):
        gift = await service.api.reached(USER, order, "completed")
    assert (gift["charged"], gift["error"], len(gift["results"])) == (0, None, 1)
    assert await service.api.balance(USER) == (100, 0)
    assert await service.api.lines(USER) == []
    kinds = await service.pool.fetch(
        "SELECT kind FROM notices WHERE key IN ($1, $2) ORDER BY key",
        f"late:{order}",
        f"settled:{order}",
    )
    assert [row["kind"] for row in kinds] == ["order_completed", "order_failed"]


async def test_operators_release(launch: Launch, sandbox: Sandbox) -> None:
    service, order = await _stuck(launch, sandbox)
    early = await _resolve(service, order, "release", "early")
    assert early.code == "not_in_review"
    await service.past_deadline(order)
    nothing = await _resolve(service, order, "charge", "charge")
    assert (nothing.status, nothing.code) == (409, "nothing_to_charge")
    released = await _resolve(service, order, "release")
    assert released.status == 200, released.body
    again = await _resolve(service, order, "release")
    assert again.body == released.body
    assert await service.api.balance(USER) == (100, 0)
    after = await _resolve(service, order, "charge", "after")
    assert after.code == "not_in_review"


async def test_operators_charge_for_what_exists(launch: Launch, sandbox: Sandbox) -> None:
    """A second job of the order is silent, the first has brought its picture."""
    service, order = await _stuck(launch, sandbox)
    await service.as_owner(
        """
        INSERT INTO jobs (id, order_id, ordinal, engine, provider_path, state, outputs, finished_at)
        SELECT gen_random_uuid(), order_id, 2, engine, provider_path, 'succeeded',
               '[{"path": "results/x.png", "mime": "image/png", "width": 1, "height": 1,
                  "bytes": 1}]', now()
        FROM jobs WHERE order_id = $1
        """,
        UUID(order),
    )
    await service.past_deadline(order)
    charged = await _resolve(service, order, "charge")
    assert charged.status == 200, charged.body
    done = await service.api.generation(USER, order)
    assert (done["status"], done["charged"]) == ("completed", PRICE)
    assert await service.api.balance(USER) == (100 - PRICE, 0)


async def test_one_order_that_cannot_be_decided_holds_up_no_other(launch: Launch) -> None:
    service = await launch(worker=False)
    orders = []
    for user in (1, 2):
        await service.person(user, 100)
        orders.append(await service.api.ordered(user))
    # The first one's product is unknown to this process: its rules are missing.
    await service.as_owner(
        "UPDATE orders SET product = 'gone', deadline_at = now() - interval '1 hour' WHERE id = $1",
        UUID(orders[0]),
    )
    await service.past_deadline(orders[1])
    assert (await service.api.generation(2, orders[1]))["status"] == "failed"
    await service.as_owner("UPDATE orders SET product = 'images' WHERE id = $1", UUID(orders[0]))
    await deadlines.sweep(service.deps)
    assert (await service.api.generation(1, orders[0]))["status"] == "failed"


async def test_a_lost_queue_entry_is_found_again(launch: Launch, sandbox: Sandbox) -> None:
    service, order = await _stuck(launch, sandbox, seconds=0.5)
    await service.as_owner("DELETE FROM pgqueuer")
    await service.as_owner("UPDATE jobs SET polled_at = now() - interval '10 minutes'")
    await deadlines.sweep(service.deps)
    async with hurried(service):
        assert (await service.api.ended(USER, order))["status"] == "completed"


async def test_a_queue_entry_that_runs_twice_starts_no_second_chain(
    launch: Launch, sandbox: Sandbox
) -> None:
    service, order = await _stuck(launch, sandbox)
    job = await service.job(order)
    for _ in range(3):
        await service.as_owner(
            """
            INSERT INTO pgqueuer (priority, status, entrypoint, payload)
            SELECT 0, 'queued', 'advance', convert_to(id || ':' || step, 'UTF8') FROM jobs
            """
        )
    service.deps.waker.wake()

    async def one_is_left() -> bool:
        step = (await service.job(order))["step"]
        entries = await service.pool.fetch("SELECT convert_from(payload, 'UTF8') p FROM pgqueuer")
        return step > job["step"] and [row["p"] for row in entries] == [f"{job['id']}:{step}"]

    async with hurried(service):
        await eventually(one_is_left)
