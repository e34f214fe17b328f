"""Calls to the simulated YooKassa that are repeated, or whose answer nobody knows."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.yookassa_shop import Shop, basic, is_refusal, wanted

DAY_S = 86_400


# --- the key of a call ------------------------------------------------------------------------


async def test_every_post_has_a_key(shop: Shop) -> None:
    for path in ("/payments", "/refunds", "/payments/x/capture", "/payments/x/cancel"):
        answer = await shop.call("POST", path, wanted(), key=None)
        assert is_refusal(answer, 400, "invalid_request", "Idempotence-Key")
        answer = await shop.call("POST", path, wanted(), key="k" * 65)
        assert is_refusal(answer, 400, "invalid_request", "Idempotence-Key")
        assert answer.body["description"] == (
            "Idempotence key is too long. Send the value in accordance with the documentation"
        )
    assert (await shop.call("POST", "/payments", wanted(), key="k" * 64)).status == 200


async def test_the_same_again(shop: Shop) -> None:
    first = await shop.call("POST", "/payments", wanted(), key="a")
    await shop.pay(first.body)
    again = await shop.call("POST", "/payments", dict(reversed(wanted().items())), key="a")
    assert (again.status, again.body) == (200, first.body)
    refund = [await shop.refund(first.body["id"], "10.00", key="b") for _ in range(3)]
    assert len({answer.body["id"] for answer in refund}) == 1
    stats = await shop.stats()
    assert (stats["payments"], stats["refunds"], stats["key_repeats"]) == (1, 1, 3)
    assert stats["refunded_minor"] == {first.body["id"]: 1_000}


async def test_the_same_at_once(shop: Shop) -> None:
    calls = [shop.call("POST", "/payments", wanted(), key="a") for _ in range(20)]
    answers = await asyncio.gather(*calls)
    assert len({answer.body["id"] for answer in answers}) == 1
    assert (await shop.stats())["payments"] == 1


async def test_something_else_under_the_same_key(shop: Shop) -> None:
    payment = await shop.paid()
    await shop.call("POST", "/payments", wanted("1.00"), key="a")
    for answer in (
        await shop.call("POST", "/payments", wanted("2.00"), key="a"),
        await shop.call("POST", "/payments", wanted("1.00", capture=False), key="a"),
        await shop.refund(payment["id"], "1.00", key="a"),
    ):
        assert is_refusal(answer, 400, "invalid_request", "Idempotence-Key")
        assert answer.body["description"] == "Idempotence key duplicated"
    assert (await shop.stats())["payments"] == 2
    assert (await shop.stats())["refunds"] == 0


async def test_a_refusal_is_remembered_too(shop: Shop) -> None:
    payment = await shop.make()
    first = await shop.refund(payment["id"], "10.00", key="a")
    await shop.pay(payment)
    again = await shop.refund(payment["id"], "10.00", key="a")
    assert (first.status, again.status, again.body) == (400, 400, first.body)
    assert (await shop.refund(payment["id"], "10.00", key="b")).status == 200


async def test_a_key_is_forgotten_after_a_day(shop: Shop) -> None:
    first = await shop.call("POST", "/payments", wanted(), key="a")
    await shop.settings(clock_offset_s=DAY_S - 60)
    assert (await shop.call("POST", "/payments", wanted(), key="a")).body == first.body
    await shop.settings(clock_offset_s=DAY_S + 1)
    second = await shop.call("POST", "/payments", wanted(), key="a")
    assert second.body["id"] != first.body["id"]
    assert (await shop.stats())["payments"] == 2


# --- faults -----------------------------------------------------------------------------------


CREATE = {"vendor": "yookassa", "operation": "create_payment"}
REFUND = {"vendor": "yookassa", "operation": "create_refund"}


@pytest.mark.parametrize("kind", ["refuse", "accepted_then_cut", "answer_truncated"])
async def test_a_cut_connection(shop: Shop, sandbox: Sandbox, kind: str) -> None:
    await sandbox.fault(kind, CREATE | {"times": 1})
    with pytest.raises((aiohttp.ClientError, OSError)):
        await shop.call("POST", "/payments", wanted(), key="a")
    happened = int(kind != "refuse")
    assert (await shop.stats())["payments"] == happened
    assert (await shop.call("POST", "/payments", wanted(), key="a")).status == 200
    stats = await shop.stats()
    assert (stats["payments"], stats["key_repeats"]) == (1, happened)


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize(
    ("status", "code"), [(500, "internal_server_error"), (429, "too_many_requests")]
)
async def test_an_error_before_and_after_the_work(
    shop: Shop, sandbox: Sandbox, status: int, code: str, *, accepted: bool
) -> None:
    payment = await shop.paid()
    await sandbox.fault("status", REFUND | {"times": 1}, status=status, accepted=accepted)
    answer = await shop.refund(payment["id"], "10.00", key="a")
    assert is_refusal(answer, status, code)
    assert (await shop.stats())["refunds"] == int(accepted)
    assert (await shop.refund(payment["id"], "10.00", key="a")).status == 200
    assert (await shop.stats())["refunded_minor"] == {payment["id"]: 1_000}


async def test_an_answer_that_never_comes(shop: Shop, sandbox: Sandbox) -> None:
    await sandbox.fault("hang", CREATE | {"prompt_contains": "slow"}, accepted=True)
    with pytest.raises(TimeoutError):
        timeout = aiohttp.ClientTimeout(total=0.5)
        await shop.call("POST", "/payments", wanted(description="slow"), timeout=timeout)
    assert (await shop.stats())["payments"] == 1
    assert (await shop.make(description="quick"))["status"] == "pending"


async def test_a_page_instead_of_an_answer(shop: Shop, sandbox: Sandbox) -> None:
    payment = await shop.make(description="mine")
    match = {"vendor": "yookassa", "operation": "get_payment", "prompt_contains": "mine"}
    await sandbox.fault("not_json", match)
    url = f"/v3/payments/{payment['id']}"
    async with shop.session.get(url, headers=basic("100500:sandbox-key")) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")


async def test_a_fault_of_another_vendor_does_not_strike(shop: Shop, sandbox: Sandbox) -> None:
    await sandbox.fault("refuse", {"vendor": "wavespeed"})
    assert (await shop.make())["status"] == "pending"
