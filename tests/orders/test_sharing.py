"""Limits that hold under races, and a queue in which a person's later order yields."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.fixtures.service import Launch

USER = 777


async def test_the_limit_of_a_person_is_exact_under_64_submits_at_once(launch: Launch) -> None:
    service = await launch(worker=False)
    await service.person(USER, 10_000)
    answers = await asyncio.gather(*(service.api.submit(USER, f"p{n}") for n in range(64)))
    counted = Counter(answer.status if answer.status == 202 else answer.code for answer in answers)
    assert counted == {202: 2, "too_many_active": 62}
    assert await service.api.balance(USER) == (10_000 - 54, 54)


async def test_two_hundred_callers_get_exactly_one_trial(launch: Launch) -> None:
    service = await launch(worker=False, max_parallel_generations_per_user=1000)
    await service.person(USER)
    answers = await asyncio.gather(
        *(service.api.submit(USER, f"p{n}", use_trial=True) for n in range(200))
    )
    counted = Counter(answer.status if answer.status == 202 else answer.code for answer in answers)
    assert counted == {202: 1, "insufficient_funds": 199}
    assert await service.pool.fetchval("SELECT count(*) FROM trial_uses") == 1


async def test_a_second_order_yields_to_anothers_first(launch: Launch) -> None:
    service = await launch(worker=False)
    first, second = [], []
    await service.person(1, 100)
    first.append(await service.api.ordered(1))
    second.append(await service.api.ordered(1))
    await service.person(2, 100)
    first.append(await service.api.ordered(2))
    rows = await service.pool.fetch(
        """
        SELECT convert_from(payload, 'UTF8') AS payload FROM pgqueuer ORDER BY priority DESC, id
        """
    )
    jobs = [row["payload"].partition(":")[0] for row in rows]
    by_order = {order: str((await service.job(order))["id"]) for order in (*first, *second)}
    assert jobs == [by_order[first[0]], by_order[first[1]], by_order[second[0]]]
    shown = await service.api.generation(1, second[0])
    assert shown["queue_position"] == 3


async def test_age_wins_in_the_end(launch: Launch) -> None:
    """A second order that has waited for longer than a minute goes before a new first one."""
    service = await launch(worker=False)
    await service.person(1, 100)
    await service.api.ordered(1)
    second = await service.api.ordered(1)
    age = "priority + 61"  # As if it had come 61 seconds earlier.
    await service.as_owner(f"UPDATE orders SET priority = {age} WHERE user_id = 1")
    await service.person(2, 100)
    newcomer = await service.api.ordered(2)
    assert (await service.api.generation(1, second))["queue_position"] == 2
    assert (await service.api.generation(2, newcomer))["queue_position"] == 3
