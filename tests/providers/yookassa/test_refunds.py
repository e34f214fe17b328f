"""Giving money back: once for each wish, whatever happens to the answer."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from aiohttp import web

from hamyon.kit.clock import MovedClock
from hamyon.kit.http import HttpClient
from hamyon.kit.ids import new_id
from hamyon.payments.types.gateway import (
    Charge,
    Declined,
    RefundId,
    RefundMade,
    RefundState,
    Unclear,
)
from hamyon.providers.yookassa.gateway import YooKassaGateway
from tests.fixtures.sandbox import Sandbox
from tests.kit.test_http import app_server
from tests.providers.yookassa.accidents import LOST_ANSWERS, NEVER_ARRIVED, REFUSALS
from tests.providers.yookassa.wishes import NOBODY, gateway_of, wish


async def paid(sandbox: Sandbox, **more: object) -> str:
    now = MovedClock().now().isoformat()
    (charge_id,) = await sandbox.plant({"amount": "149.00", "created_at": now, **more})
    return charge_id


async def refunds_at(gateway: YooKassaGateway, charge_id: str, *events: bytes) -> list[RefundMade]:
    facts = await gateway.truth(charge_id, events)
    assert not isinstance(facts, Unclear), facts
    assert isinstance(facts[0], Charge)
    assert facts[0].external_id == charge_id
    return [fact for fact in facts[1:] if isinstance(fact, RefundMade)]


async def made(sandbox: Sandbox) -> object:
    return (await sandbox.stats("yookassa"))["refunds_created"]


async def test_a_part_and_the_rest(http: HttpClient, sandbox: Sandbox) -> None:
    gateway, charge_id = gateway_of(http, sandbox.url), await paid(sandbox)
    part, rest = wish(charge_id, 4905), wish(charge_id, 9995)
    assert await refunds_at(gateway, charge_id) == []
    first = await gateway.refund(part)
    assert isinstance(first, RefundMade)
    assert (first.charge_id, first.refund_id) == (charge_id, part.refund_id)
    assert (first.state, first.amount_minor, first.currency) == (RefundState.DONE, 4905, "RUB")
    assert await refunds_at(gateway, charge_id) == [first]
    second = await gateway.refund(rest)
    assert isinstance(second, RefundMade)
    everything = await refunds_at(gateway, charge_id)
    assert {refund.external_id for refund in everything} == {first.external_id, second.external_id}
    assert await gateway.find_refund(part) == first
    assert await gateway.find_refund(rest) == second
    assert await gateway.find_refund(wish(charge_id, 4905)) is None
    too_much = await gateway.refund(wish(charge_id, 100))
    assert isinstance(too_much, Declined)
    assert too_much.code == "invalid_request"


async def test_one_key_is_one_refund(http: HttpClient, sandbox: Sandbox) -> None:
    gateway, wanted = gateway_of(http, sandbox.url), wish(await paid(sandbox), 5000)
    first = await gateway.refund(wanted)
    assert isinstance(first, RefundMade)
    assert await gateway.refund(wanted) == first
    assert await made(sandbox) == 1


@pytest.mark.parametrize("accident", LOST_ANSWERS)
async def test_done_and_not_told(
    http: HttpClient, sandbox: Sandbox, accident: dict[str, object]
) -> None:
    gateway = gateway_of(http, sandbox.url, yookassa_timeout_s=1.5)
    wanted = wish(await paid(sandbox), 5000)
    await sandbox.faults({"match": {"operation": "create_refund", "nth": 1}, "fault": accident})
    assert isinstance(await gateway.refund(wanted), Unclear)
    found = await gateway.find_refund(wanted)
    assert isinstance(found, RefundMade)
    assert await gateway.refund(wanted) == found
    assert await made(sandbox) == 1


@pytest.mark.parametrize("accident", NEVER_ARRIVED)
async def test_nothing_done_and_nothing_told(
    http: HttpClient, sandbox: Sandbox, accident: dict[str, object]
) -> None:
    gateway, wanted = gateway_of(http, sandbox.url), wish(await paid(sandbox), 5000)
    await sandbox.faults({"match": {"operation": "create_refund"}, "fault": accident})
    assert isinstance(await gateway.refund(wanted), Unclear)
    assert await gateway.find_refund(wanted) is None
    await sandbox.clear_faults()
    assert isinstance(await gateway.refund(wanted), RefundMade)
    assert await made(sandbox) == 1


@pytest.mark.parametrize(("status", "code"), REFUSALS)
async def test_refusals(http: HttpClient, sandbox: Sandbox, status: int, code: str) -> None:
    gateway, wanted = gateway_of(http, sandbox.url), wish(await paid(sandbox), 5000)
    await sandbox.fault("status", {"operation": "create_refund"}, status=status)
    outcome = await gateway.refund(wanted)
    assert isinstance(outcome, Declined)
    assert outcome.code == code
    assert ("shop's key is refused" in outcome.message) is (status in {401, 403})


async def test_a_charge_that_is_not_there(http: HttpClient, sandbox: Sandbox) -> None:
    gateway = gateway_of(http, sandbox.url)
    nothing = wish("2f3b588d-000f-5000-8000-1d6e87c7fbde", 100)
    outcome = await gateway.refund(nothing)
    assert isinstance(outcome, Declined)
    assert outcome.code == "not_found"
    assert await gateway.find_refund(nothing) is None
    assert isinstance(await gateway_of(http, NOBODY).refund(nothing), Unclear)
    assert isinstance(await gateway_of(http, NOBODY).find_refund(nothing), Unclear)


async def test_a_charge_that_is_not_paid(http: HttpClient, sandbox: Sandbox) -> None:
    charge_id = await paid(sandbox, status="pending")
    assert isinstance(await gateway_of(http, sandbox.url).refund(wish(charge_id, 100)), Declined)


async def test_a_refund_that_takes_its_time(http: HttpClient, sandbox: Sandbox) -> None:
    await sandbox.vendor_settings("yookassa", refunds={"pending_s": 3600})
    gateway, charge_id = gateway_of(http, sandbox.url), await paid(sandbox)
    wanted = wish(charge_id, 5000)
    pending = await gateway.refund(wanted)
    assert isinstance(pending, RefundMade)
    assert pending.state is RefundState.PENDING
    assert await gateway.find_refund(wanted) == pending
    # The payment itself says nothing of it yet; only an event makes it worth a question.
    assert await refunds_at(gateway, charge_id) == []
    told = orjson.dumps({"type": "notification", "event": "refund.succeeded", "object": {}})
    other = orjson.dumps({"type": "notification", "event": "payment.succeeded", "object": {}})
    assert await refunds_at(gateway, charge_id, other, b"[") == []
    assert await refunds_at(gateway, charge_id, other, told) == [pending]
    await sandbox.vendor_settings("yookassa", clock_offset_s=3601)
    assert await gateway.find_refund(wanted) == replace(pending, state=RefundState.DONE)
    assert await refunds_at(gateway, charge_id) == [replace(pending, state=RefundState.DONE)]


@pytest.mark.parametrize("pending_s", [0, 3600])
async def test_a_refund_that_comes_to_nothing(
    http: HttpClient, sandbox: Sandbox, pending_s: int
) -> None:
    await sandbox.vendor_settings(
        "yookassa", refunds={"pending_s": pending_s, "cancel_reason": "rejected_by_payee"}
    )
    gateway, wanted = gateway_of(http, sandbox.url), wish(await paid(sandbox), 5000)
    outcome = await gateway.refund(wanted)
    assert isinstance(outcome, RefundMade)
    if pending_s:
        assert (outcome.state, outcome.reason) == (RefundState.PENDING, None)
        await sandbox.vendor_settings("yookassa", clock_offset_s=3601)
    failed = await gateway.find_refund(wanted)
    assert isinstance(failed, RefundMade)
    assert (failed.state, failed.reason) == (RefundState.FAILED, "rejected_by_payee")


async def test_of_several_the_one_that_gave_money_back(http: HttpClient, sandbox: Sandbox) -> None:
    """After a failed one the same wish is tried anew, under a new key."""
    gateway, wanted = gateway_of(http, sandbox.url), wish(await paid(sandbox), 5000)
    await sandbox.vendor_settings("yookassa", refunds={"cancel_reason": "general_decline"})
    assert isinstance(await gateway.refund(wanted), RefundMade)
    await sandbox.vendor_settings("yookassa", refunds={"cancel_reason": None})
    done = await gateway.refund(replace(wanted, key="second"))
    await sandbox.vendor_settings("yookassa", refunds={"cancel_reason": "general_decline"})
    assert isinstance(await gateway.refund(replace(wanted, key="third")), RefundMade)
    assert isinstance(done, RefundMade)
    assert await gateway.find_refund(wanted) == done


async def test_other_words_under_a_used_key_find_its_refund(
    http: HttpClient, sandbox: Sandbox
) -> None:
    gateway, wanted = gateway_of(http, sandbox.url), wish(await paid(sandbox), 5000)
    first = await gateway.refund(wanted)
    assert isinstance(first, RefundMade)
    assert await gateway.refund(replace(wanted, reason="other words")) == first
    stranger = replace(wanted, refund_id=RefundId(new_id()))
    assert isinstance(await gateway.refund(stranger), Unclear)
    await sandbox.fault("status", {"operation": "list_refunds"}, status=500)
    assert isinstance(await gateway.refund(replace(wanted, reason="more words")), Unclear)
    assert await made(sandbox) == 1


async def test_a_refund_by_hand(http: HttpClient, sandbox: Sandbox) -> None:
    gateway, charge_id = gateway_of(http, sandbox.url), await paid(sandbox)
    refund_id = await sandbox.refund_by_hand(charge_id, "49.00")
    (refund,) = await refunds_at(gateway, charge_id)
    assert (refund.external_id, refund.amount_minor) == (refund_id, 4900)
    assert refund.refund_id is None
    assert refund.state is RefundState.DONE


async def test_more_refunds_than_a_page(http: HttpClient, sandbox: Sandbox) -> None:
    now = MovedClock().now().isoformat()
    parts = [{"amount": "0.10", "created_at": now} for _ in range(230)]
    charge_id = await paid(sandbox, refunds=parts)
    gateway = gateway_of(http, sandbox.url)
    refunds = await refunds_at(gateway, charge_id)
    assert len({refund.external_id for refund in refunds}) == 230
    assert sum(refund.amount_minor for refund in refunds) == 2300
    await sandbox.faults(
        {"match": {"operation": "list_refunds", "nth": 2}, "fault": {"kind": "not_json"}}
    )
    assert isinstance(await gateway.truth(charge_id, []), Unclear)


@pytest.mark.parametrize("accident", [*LOST_ANSWERS, *NEVER_ARRIVED])
async def test_a_question_without_an_answer(
    http: HttpClient, sandbox: Sandbox, accident: dict[str, object]
) -> None:
    gateway = gateway_of(http, sandbox.url, yookassa_timeout_s=1.5)
    wanted = wish(await paid(sandbox), 5000)
    assert isinstance(await gateway.refund(wanted), RefundMade)
    await sandbox.faults({"match": {"operation": "list_refunds"}, "fault": accident})
    assert isinstance(await gateway.find_refund(wanted), Unclear)
    assert isinstance(await gateway.truth(wanted.charge_id, []), Unclear)


async def test_answers_that_are_not_about_what_was_asked(http: HttpClient) -> None:
    wanted = wish("2f3b588d-000f-5000-8000-1d6e87c7fbde", 5000)
    refund: dict[str, object] = {
        "id": "2f3b588d-0015-5000-9000-1d6e87c7fbde",
        "payment_id": wanted.charge_id,
        "status": "succeeded",
        "amount": {"value": "50.00", "currency": "RUB"},
        "created_at": "2025-02-10T00:14:05.555Z",
        "metadata": {"refund_id": str(wanted.refund_id)},
    }
    answer = dict(refund)

    async def made(_request: web.Request) -> web.Response:
        return web.json_response(answer)

    async def listed(_request: web.Request) -> web.Response:
        return web.json_response({"items": [answer]})

    app = web.Application()
    app.router.add_post("/v3/refunds", made)
    app.router.add_get("/v3/refunds", listed)
    async with app_server(app) as url:
        gateway = gateway_of(http, url)
        assert isinstance(await gateway.refund(wanted), RefundMade)
        assert isinstance(await gateway.find_refund(wanted), RefundMade)
        for change in OTHER_CHARGES:
            answer = refund | change
            assert isinstance(await gateway.refund(wanted), Unclear), change
            assert isinstance(await gateway.find_refund(wanted), Unclear), change
        answer = refund | {"metadata": None}
        assert isinstance(await gateway.refund(wanted), Unclear)
        assert await gateway.find_refund(wanted) is None


OTHER_CHARGES: list[dict[str, object]] = [
    {"payment_id": "another-payment"},
    {"payment_id": None},
    {"status": "later"},
    {"amount": {"value": "50", "currency": "RUB"}},
    {"id": ""},
]
