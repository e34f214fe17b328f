"""Limits: exact in memory under a moved clock, shared through a real Valkey, and without it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamyon.kit.limits import Allowed, Buckets, Decision, Denied, Limit, Limiter
from hamyon.kit.redis_link import RedisLink
from tests.fixtures.valkey import ValkeyServer


class Moved:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def link(own_valkey: ValkeyServer) -> AsyncIterator[RedisLink]:
    made = RedisLink(own_valkey.url)
    yield made
    await made.close()


def allowed(decisions: list[Decision]) -> int:
    return sum(isinstance(decision, Allowed) for decision in decisions)


# Eighths are exact in floating point, so the model may be exact too.
_steps = st.lists(
    st.tuples(st.integers(0, 80).map(lambda n: n / 8), st.integers(0, 30)), max_size=40
)


@given(steps=_steps, rate=st.sampled_from([0.25, 1.0, 4.0, 16.0]), burst=st.integers(1, 20))
@settings(max_examples=200, deadline=None)
def test_a_bucket_admits_exactly_what_the_model_says(
    steps: list[tuple[float, int]], rate: float, burst: int
) -> None:
    clock, limit = Moved(), Limit(rate, burst)
    buckets = Buckets(seconds=clock)
    tokens = float(burst)
    for wait_s, calls in steps:
        clock.now += wait_s
        tokens = min(burst, tokens + wait_s * rate)
        got = [buckets.take("n", "k", limit) for _ in range(calls)]
        expected = min(calls, int(tokens))
        tokens -= expected
        assert allowed(got) == expected
        for decision in got[expected:]:
            assert decision == Denied((1 - tokens) / rate)


@given(steps=_steps, rate=st.sampled_from([0.5, 2.0, 8.0]), burst=st.integers(1, 20))
@settings(max_examples=100, deadline=None)
def test_coming_back_when_told_is_always_enough(
    steps: list[tuple[float, int]], rate: float, burst: int
) -> None:
    clock, limit = Moved(), Limit(rate, burst)
    buckets = Buckets(seconds=clock)
    for wait_s, calls in steps:
        clock.now += wait_s
        for _ in range(calls):
            decision = buckets.take("n", "k", limit)
            if isinstance(decision, Denied):
                clock.now += decision.retry_after_s + 1e-9
                assert isinstance(buckets.take("n", "k", limit), Allowed)


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    clock = Moved()
    buckets = Buckets(seconds=clock)
    limit = Limit(1, 1)
    assert isinstance(buckets.take("n", "k", limit), Allowed)
    clock.now -= 3600
    assert isinstance(buckets.take("n", "k", limit), Denied)


def test_memory_is_bounded_and_the_busy_stay() -> None:
    clock = Moved()
    buckets = Buckets(seconds=clock, keys_max=100)
    limit = Limit(0.001, 1)
    buckets.take("n", "busy", limit)
    for number in range(1000):
        buckets.take("n", str(number), limit)
        assert isinstance(buckets.take("n", "busy", limit), Denied)
    assert len(buckets) == 100


def test_names_and_keys_do_not_share() -> None:
    buckets, limit = Buckets(seconds=Moved()), Limit(1, 1)
    for name, key in [("a", "x"), ("a", "y"), ("b", "x")]:
        assert isinstance(buckets.take(name, key, limit), Allowed)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1.0, 5), (1, 0)])
def test_a_limit_without_sense_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="rate above 0"):
        Limit(rate, burst)


async def test_several_processes_share_one_limit(own_valkey: ValkeyServer) -> None:
    """Each limiter has its own link, as each process has; together they admit one limit's worth."""
    rate, burst = 300.0, 150
    links = [RedisLink(own_valkey.url, timeout_s=5) for _ in range(3)]
    limiters = [Limiter({"n": Limit(rate, burst)}, link) for link in links]
    admitted = 0
    started = time.monotonic()

    async def flood(limiter: Limiter) -> None:
        nonlocal admitted
        while time.monotonic() - started < 2.0:
            decision = await limiter.check("n", "k")
            admitted += isinstance(decision, Allowed)
            await asyncio.sleep(0.001)

    await asyncio.gather(*(flood(limiter) for limiter in limiters for _ in range(3)))
    elapsed_s = time.monotonic() - started
    for link in links:
        await link.close()
    whole = burst + rate * elapsed_s
    assert 0.95 * whole <= admitted <= 1.001 * whole + 1


async def test_somebody_who_calls_rarely_costs_one_call_each(link: RedisLink) -> None:
    clock = Moved()
    limiter = Limiter({"n": Limit(0.001, 50)}, link, seconds=clock)
    for _ in range(50):
        clock.now += 5  # Past the life of a lease: nothing may have been set aside for later.
        assert isinstance(await limiter.check("n", "k"), Allowed)
    clock.now += 5
    assert isinstance(await limiter.check("n", "k"), Denied)


@pytest.mark.parametrize("burst", [1, 2, 6, 7, 40, 100])
async def test_leases_never_hold_more_than_the_bucket(link: RedisLink, burst: int) -> None:
    limiter = Limiter({"n": Limit(0.001, burst)}, link)
    assert allowed([await limiter.check("n", "k") for _ in range(burst + 40)]) == burst


async def test_a_shared_bucket_fills_up_to_its_burst_only(link: RedisLink) -> None:
    limiter = Limiter({"n": Limit(20, 2)}, link, seconds=Moved())
    started = time.monotonic()
    assert allowed([await limiter.check("n", f"k{n % 10}") for n in range(20)]) == 20
    await asyncio.sleep(0.8)  # Sixteen calls' worth, of which two fit.
    got = 0
    for number in range(10):
        asked = time.monotonic()
        several = await asyncio.gather(*(limiter.check("n", f"k{number}") for _ in range(10)))
        got += allowed(several)
        assert allowed(several) <= 2 + 20 * (time.monotonic() - asked) + 1
    assert got >= 20
    assert time.monotonic() > started


async def test_a_refusal_is_remembered_without_asking_again(
    own_valkey: ValkeyServer, link: RedisLink
) -> None:
    clock = Moved()
    limiter = Limiter({"n": Limit(0.5, 1, fail_closed=True)}, link, seconds=clock)
    assert isinstance(await limiter.check("n", "k"), Allowed)
    first = await limiter.check("n", "k")
    assert isinstance(first, Denied)
    assert limiter.refused_for_s("n", "k") == pytest.approx(first.retry_after_s)
    own_valkey.kill()
    again = await limiter.check("n", "k")
    assert isinstance(again, Denied)
    assert again.because == "limit", "the answer came from Redis, which is dead"


async def test_without_redis_limits_are_counted_here_or_closed(
    own_valkey: ValkeyServer, link: RedisLink
) -> None:
    limits = {"open": Limit(0.001, 3), "closed": Limit(0.001, 3, fail_closed=True)}
    limiter = Limiter(limits, link)
    assert isinstance(await limiter.check("closed", "k"), Allowed)
    own_valkey.kill()
    closed = await limiter.check("closed", "k")
    assert isinstance(closed, Denied)
    assert closed.because == "store_down"
    assert allowed([await limiter.check("open", "k") for _ in range(10)]) == 3
    own_valkey.start()
    async with asyncio.timeout(20):
        while not link.is_up:
            await asyncio.sleep(0.05)
    assert isinstance(await limiter.check("closed", "k"), Allowed)


async def test_a_silent_redis_is_asked_by_nobody_but_the_breaker(
    own_valkey: ValkeyServer, link: RedisLink
) -> None:
    limiter = Limiter({"n": Limit(1000, 1000)}, link)
    await limiter.check("n", "warm")
    own_valkey.freeze()
    try:
        assert isinstance(await limiter.check("n", "k"), Allowed)
        assert not link.is_up
        loop = asyncio.get_running_loop()
        turns_before = loop.time()
        decisions = [await limiter.check("n", f"k{number}") for number in range(500)]
        assert allowed(decisions) == 500
        # Had each of them waited for its time-out, this would have taken 75 seconds.
        assert loop.time() - turns_before < 30
    finally:
        own_valkey.thaw()


async def test_an_unknown_limit_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        await Limiter({}).check("nothing", "k")
