"""Whom a segment means: every criterion, all of them together, and nobody by accident."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hamyon.kit.db import transaction
from hamyon.messages.errors import InvalidSegment
from hamyon.messages.service import segments
from hamyon.messages.store import segments as store
from hamyon.messages.types.broadcast import CHANNEL
from hamyon.messages.types.segment import CRITERIA, Segment
from hamyon.users.types import Condition, SegmentSource
from tests.fixtures.service import Launch, Service
from tests.ledger.money import deposit

ALI, BEK, VALI, GULI, ZOKIR = 1, 2, 3, 4, 5


@pytest.fixture
async def town(launch: Launch) -> Service:
    """Five people of whom every criterion tells some apart."""
    service = await launch(worker=False)
    await service.as_owner(
        """
        INSERT INTO users (id, language, advertising_source, created_at) VALUES
            (1, 'uz', 'src_a', now()), (2, 'ru', 'src_a', now() - interval '10 days'),
            (3, 'uz', 'src_b', now() - interval '100 days'), (4, 'en', NULL, now()),
            (5, 'en', NULL, now() - interval '1 year')
        """
    )
    async with transaction(service.pool) as connection:
        await deposit(connection, ALI, 100, "stars:1")
        await deposit(connection, BEK, 99, "stars:2")
    await ordered(service, ALI, days_ago=0)
    await ordered(service, BEK, days_ago=5)
    await ordered(service, VALI, days_ago=20)
    await ordered(service, VALI, days_ago=40, product="drawings")
    await service.as_owner("INSERT INTO drawings_people (user_id) VALUES (4)")
    for user, state in ((ALI, "paid"), (BEK, "pending")):
        await service.as_owner(
            """
            INSERT INTO payments (id, user_id, gateway, state, currency, amount_minor, asset,
                                  amount, title, vendor_key, vendor_key_at, external_id,
                                  vendor_at, paid_minor, granted, paid_at)
            SELECT gen_random_uuid(), $1, 'stars', $2, 'XTR', 70, 'credit', 1000, 'Credits', '',
                   now(), $2, now(), paid, paid - 70, CASE WHEN paid > 0 THEN now() END
            FROM (SELECT CASE WHEN $2 = 'paid' THEN 70 END AS paid) AS payment
            """,
            user,
            state,
        )
    return service


async def ordered(
    service: Service, user_id: int, *, days_ago: int, product: str = "images"
) -> None:
    await service.as_owner(
        """
        INSERT INTO orders (id, user_id, product, model_key, engine, state, input, asset, price,
                            price_id, caller, priority, created_at, deadline_at, settled_at,
                            charged)
        SELECT gen_random_uuid(), $1, $2, 'seedream-v4', 'offline', 'failed', '{}', 'credit', 0, 1,
               'test', 0, at, at, at, 0
        FROM (SELECT now() - $3::interval AS at) AS moment
        """,
        user_id,
        product,
        timedelta(days=days_ago, minutes=-1),
    )


async def meant(service: Service, **criteria: Any) -> set[int]:
    """Whom a segment means, by the very statement that counts them."""
    segment = segments.read_segment(criteria)
    conditions = segments.conditions_of(segment, service.deps.segment_sources)
    where, values = store.where(conditions, channel=CHANNEL, first=1)
    rows = await service.pool.fetch(f"SELECT u.id FROM users u WHERE {where}", *values)
    count = await segments.count(service.pool, segment, service.deps.segment_sources)
    assert count == len(rows)
    return {row["id"] for row in rows}


ALL = {ALI, BEK, VALI, GULI, ZOKIR}


async def test_every_criterion(town: Service) -> None:
    for criteria, people in (
        ({}, ALL),
        ({"active_days": 1}, {ALI}),
        ({"active_days": 7}, {ALI, BEK}),
        ({"active_days": 30}, {ALI, BEK, VALI}),
        ({"paid": True}, {ALI}),
        ({"paid": False}, ALL - {ALI}),
        ({"balance_min": {"asset": "credit", "amount": 100}}, {ALI}),
        ({"balance_min": {"asset": "credit", "amount": 99}}, {ALI, BEK}),
        ({"balance_min": {"asset": "token", "amount": 1}}, set()),
        ({"language": "uz"}, {ALI, VALI}),
        ({"product": "images"}, {ALI, BEK, VALI}),
        # Who ordered a drawing, and who is known to drawings without.
        ({"product": "drawings"}, {VALI, GULI}),
        ({"advertising_source": "src_a"}, {ALI, BEK}),
        ({"registered_days_max": 1}, {ALI, GULI}),
        ({"registered_days_max": 30}, {ALI, BEK, GULI}),
    ):
        assert await meant(town, **criteria) == people, criteria


async def test_criteria_combine_by_and(town: Service) -> None:
    assert await meant(town, language="uz", advertising_source="src_b") == {VALI}
    assert await meant(town, language="uz", paid=True) == {ALI}
    assert await meant(town, language="ru", paid=True) == set()
    everything = {
        "active_days": 30,
        "paid": True,
        "balance_min": {"asset": "credit", "amount": 1},
        "language": "uz",
        "product": "images",
        "advertising_source": "src_a",
        "registered_days_max": 1,
    }
    assert everything.keys() == CRITERIA
    assert await meant(town, **everything) == {ALI}
    for name, other in (("paid", False), ("language", "en"), ("product", "drawings")):
        assert await meant(town, **everything | {name: other}) == set()


async def test_some_are_always_left_out(town: Service) -> None:
    await town.as_owner("UPDATE users SET blocked_at = now() WHERE id = 1")
    await town.as_owner("INSERT INTO unreachable VALUES (2, 'telegram', 'blocked')")
    # Another channel and another topic are no reason.
    await town.as_owner("INSERT INTO unreachable VALUES (3, 'fcm', 'blocked')")
    await town.as_owner(
        """
        INSERT INTO notification_preferences (user_id, topic, enabled)
        VALUES (3, 'payments', false), (4, 'news', false), (5, 'news', true)
        """
    )
    assert await meant(town) == {VALI, ZOKIR}
    assert await meant(town, paid=False) == {VALI, ZOKIR}


@pytest.mark.parametrize(
    "criteria",
    [
        {"activ_days": 7},
        {"active_days": 2},
        {"active_days": "7"},
        {"active_days": True},
        {"paid": 1},
        {"paid": None},
        {"balance_min": 5},
        {"balance_min": {"asset": "credit", "amount": 0}},
        {"balance_min": {"asset": "gold", "amount": 5}},
        {"balance_min": {"asset": "credit"}},
        {"balance_min": {"asset": "credit", "amount": 5, "more": 1}},
        {"balance_min": {"asset": "credit", "amount": 2**63}},
        {"language": "de"},
        {"language": ["uz"]},
        {"product": "everything"},
        {"advertising_source": ""},
        {"advertising_source": "a\0b"},
        {"registered_days_max": 0},
        {"registered_days_max": 10**9},
    ],
)
async def test_what_is_not_known_is_refused(launch: Launch, criteria: dict[str, Any]) -> None:
    with pytest.raises(InvalidSegment):
        segments.read_segment(criteria)
    with pytest.raises(InvalidSegment):
        segments.conditions_of(Segment(criteria), await _sources(launch))


async def _sources(launch: Launch) -> tuple[SegmentSource, ...]:
    return tuple((await launch(worker=False)).deps.segment_sources)


async def test_over_http_what_is_not_known_is_refused(launch: Launch) -> None:
    service = await launch(worker=False)
    wrong: tuple[Any, ...] = (
        {"active_day": 7},
        {"paid": None},
        {"language": None},
        {"active_days": 8},
        {"paid": "yes"},
        {"balance_min": {"asset": "credit", "amount": 0}},
        None,
        [],
    )
    for segment in wrong:
        for path, body in (
            ("/admin/broadcasts/count", {"segment": segment}),
            (
                "/admin/broadcasts",
                {"segment": segment, "content": {"type": "text", "text": "Hello"}},
            ),
        ):
            answer = await service.api.call("POST", path, body, admin=True)
            assert answer.status == 422, (segment, answer.body)
    assert await service.pool.fetchval("SELECT count(*) FROM broadcasts") == 0


async def test_over_http_a_segment_is_counted(town: Service) -> None:
    for segment, people in (({}, 5), ({"language": "uz", "paid": True}, 1)):
        answer = await town.api.call(
            "POST", "/admin/broadcasts/count", {"segment": segment}, admin=True
        )
        assert (answer.status, answer.body) == (200, {"recipients": people})


class Toy:
    """A source of whoever writes one: two values, and a brace of its own."""

    criteria = frozenset({"product"})

    def condition(self, criterion: str, value: object) -> Condition:
        assert criterion == "product"
        return Condition("u.id = ANY ({0}::bigint[]) OR {1}::text = 'x'", ([5], str(value)))


async def test_sources_of_one_criterion_are_alternatives(town: Service) -> None:
    sources = [Toy(), *town.deps.segment_sources, Toy()]
    segment = Segment({"language": "en", "product": "drawings"})
    assert await segments.count(town.pool, segment, sources) == 2
    with pytest.raises(InvalidSegment):
        segments.conditions_of(segment, [])
