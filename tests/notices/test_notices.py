"""The outbox: a notice is told once, and only when what it tells came true."""

from __future__ import annotations

import asyncio

import pytest

from hamyon.kit.db import Pool, transaction
from hamyon.notices import service
from hamyon.notices.types import Notice


async def _tell(pool: Pool, notice: Notice) -> bool:
    async with transaction(pool) as connection:
        return await service.tell(connection, notice)


async def test_a_notice_waits_in_the_outbox_with_its_facts(pool: Pool) -> None:
    facts = {"amount": 27, "title": "Oʻrdak", "parts": [1, None, {"a": True}]}
    assert await _tell(pool, Notice("order:1", "order_done", facts, 777))
    assert await _tell(pool, Notice("audit:1", "audit_found", {}))

    first, second = await service.unsent(pool)

    assert first.notice == Notice("order:1", "order_done", facts, 777)
    assert second.notice == Notice("audit:1", "audit_found", {}, None)
    assert first.created_at <= second.created_at


async def test_one_key_is_told_once_however_many_tell_it(pool: Pool) -> None:
    told = await asyncio.gather(
        *(_tell(pool, Notice("daily:1", "daily_bonus", {"n": n}, 1)) for n in range(10))
    )
    assert told.count(True) == 1
    (only,) = await service.unsent(pool)
    assert only.notice.facts == {"n": told.index(True)}


async def test_what_did_not_come_true_is_not_told(pool: Pool) -> None:
    async def tell_and_fail() -> None:
        async with transaction(pool) as connection:
            await service.tell(connection, Notice("order:1", "order_done", {}, 1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await tell_and_fail()
    assert list(await service.unsent(pool)) == []
    assert await _tell(pool, Notice("order:1", "order_done", {}, 1))


async def test_the_outbox_is_read_in_order_part_by_part_without_what_was_sent(pool: Pool) -> None:
    for number in range(7):
        await _tell(pool, Notice(f"n:{number}", "news", {}, number + 1))
    await pool.execute("UPDATE notices SET sent_at = now() WHERE key = 'n:3'")
    keys: list[str] = []
    after_id = 0
    while page := await service.unsent(pool, after_id=after_id, limit=2):
        keys += [written.notice.key for written in page]
        after_id = page[-1].id
    assert keys == [f"n:{number}" for number in (0, 1, 2, 4, 5, 6)]
