"""The routes of rewards, over HTTP: for people and services, and for operators."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from hamyon.kit.db import in_transaction
from hamyon.kit.ids import new_id
from hamyon.rewards import service as rewards
from hamyon.rewards.types import Deposit, ReferralTerms
from tests.fixtures.service import Answer, Launch, Service

INVITER, INVITED = 7001, 7002
GIFT = {"code": "Gift 50", "asset": "credit", "amount": 50, "total_limit": 3}


@pytest.fixture
async def service(launch: Launch) -> Service:
    return await launch(worker=False, telegram_bot_username="hamyon_test_bot")


async def admin(service: Service, method: str, path: str, json: object = None) -> Answer:
    return await service.api.call(method, f"/admin{path}", json, admin=True)


async def made(service: Service, **fields: object) -> dict[str, Any]:
    """A code that an operator made."""
    answer = await admin(service, "POST", "/promo_codes", fields)
    assert answer.status == 201, answer.body
    body: dict[str, Any] = answer.body
    return body


async def redeem(
    service: Service, user_id: int, code: str, *, key: str = "", **more: object
) -> Answer:
    headers = {"Idempotency-Key": key} if key else {}
    wish = {"telegram_id": user_id, "code": code} | more
    return await service.api.call("POST", "/promo_codes/redeem", wish, headers=headers)


async def invited(service: Service, user_id: int, inviter: int) -> None:
    """Somebody comes through another one's code."""
    answer = await service.api.call(
        "POST", "/users/sync", {"telegram_id": user_id, "referral_code": f"ref_{inviter}"}
    )
    assert answer.status == 200, answer.body


async def pays(service: Service, user_id: int, granted: int) -> None:
    deposit = Deposit(user_id, new_id(), "credit", granted, service.deps.clock.now())
    terms = ReferralTerms.of(service.settings)
    await in_transaction(service.pool, rewards.on_deposit, deposit, terms)


async def test_a_person_sees_his_code_and_what_it_brought(service: Service) -> None:
    await service.person(INVITER)
    before = await service.api.call("GET", f"/referrals/{INVITER}")
    assert (before.status, before.body) == (200, {
        "referral_code": f"ref_{INVITER}",
        "link": f"https://t.me/hamyon_test_bot?start=ref_{INVITER}",
        "invited_count": 0,
        "paid_invited_count": 0,
        "earned": {},
        "bonus_percent": 10,
    })  # fmt: skip
    await invited(service, INVITED, INVITER)
    await pays(service, INVITED, 95)
    after = await service.api.call("GET", f"/referrals/{INVITER}")
    assert after.body["earned"] == {"credit": 10}
    assert (after.body["invited_count"], after.body["paid_invited_count"]) == (1, 1)
    assert await service.api.balance(INVITER) == (10, 0)
    (line,) = await service.api.lines(INVITER, "referral_bonus")
    assert line["amount"] == 10


async def test_without_a_bots_name_there_is_no_link(launch: Launch) -> None:
    service = await launch(worker=False, referral_bonus_percent=15)
    await service.person(INVITER)
    answer = await service.api.call("GET", f"/referrals/{INVITER}")
    assert (answer.body["link"], answer.body["bonus_percent"]) == (None, 15)


async def test_nobody_has_no_referrals(service: Service) -> None:
    answer = await service.api.call("GET", "/referrals/7999")
    assert (answer.status, answer.code) == (404, "user_not_found")


async def test_redeeming(service: Service) -> None:
    await service.person(INVITER, 7)
    await made(service, **GIFT)
    answer = await redeem(service, INVITER, "gIFT50", key="k")
    assert (answer.status, answer.body) == (200, {
        "code": "Gift 50", "asset": "credit", "amount": 50, "percent": None, "balance": 57,
    })  # fmt: skip
    assert (await redeem(service, INVITER, "gIFT50", key="k")).body == answer.body
    assert await service.api.balance(INVITER) == (57, 0)
    other = await redeem(service, INVITER, "gift51", key="k")
    assert (other.status, other.code) == (409, "idempotency_mismatch")
    again = await redeem(service, INVITER, "gift50")
    assert (again.status, again.code) == (409, "promo_code_already_used")

    await made(service, code="P20", percent=20)
    answer = await redeem(service, INVITER, "p20")
    assert answer.body == {
        "code": "P20", "asset": None, "amount": None, "percent": 20, "balance": None,
    }  # fmt: skip


async def test_refusals_and_the_guard_against_guessing(service: Service) -> None:
    for user_id in range(7001, 7006):
        await service.person(user_id)
    await made(service, **GIFT)
    await made(service, code="DRAW", asset="revival", amount=1, products=["drawings"])
    await made(service, code="OLD", percent=5, until="2020-01-01T00:00:00Z")
    for user_id in (7002, 7003, 7004):
        assert (await redeem(service, user_id, "gift 50")).status == 200
    refused = {
        code: await redeem(service, INVITER, code) for code in ("gift50", "old", "draw", "nothing")
    }
    assert {code: (answer.status, answer.code) for code, answer in refused.items()} == {
        "gift50": (409, "promo_code_used_up"),
        "old": (409, "promo_code_expired"),
        "draw": (422, "promo_code_not_applicable"),
        "nothing": (404, "promo_code_not_found"),
    }
    assert refused["draw"].body["products"] == ["drawings"]
    assert (await redeem(service, INVITER, "draw", product="drawings")).status == 200

    # The refusal was answered and its count was kept: four more, and the door is shut.
    for _ in range(4):
        assert (await redeem(service, INVITER, "nothing")).code == "promo_code_not_found"
    shut = await redeem(service, INVITER, "nothing")
    assert (shut.status, shut.code) == (429, "promo_tries_exhausted")
    assert 3500 < int(shut.headers["Retry-After"]) == shut.body["retry_after_s"] <= 3600


@pytest.mark.parametrize(
    "body",
    [
        {"code": "x"},
        {"telegram_id": INVITER},
        {"telegram_id": INVITER, "code": ""},
        {"telegram_id": INVITER, "code": "x" * 201},
        {"telegram_id": INVITER, "code": "a\x00b"},
        {"telegram_id": INVITER, "code": "x", "product": "Images!"},
        {"telegram_id": INVITER, "code": "x", "amount": 5},
    ],
)
async def test_malformed_wishes_are_no_tries(service: Service, body: dict[str, object]) -> None:
    await service.person(INVITER)
    for _ in range(6):
        answer = await service.api.call("POST", "/promo_codes/redeem", body)
        assert (answer.status, answer.code) == (422, "invalid_input")
    assert (await redeem(service, INVITER, "x")).code == "promo_code_not_found"


async def test_strangers_redeem_nothing(service: Service) -> None:
    answer = await redeem(service, 7999, "gift")
    assert (answer.status, answer.code) == (404, "user_not_found")


async def test_64_requests_at_once_share_three_uses(service: Service) -> None:
    await made(service, **GIFT)
    for number in range(64):
        await service.person(8000 + number)
    answers = await asyncio.gather(
        *(redeem(service, 8000 + number, "gift50") for number in range(64))
    )
    assert Counter(answer.status for answer in answers) == {200: 3, 409: 61}
    (code,) = (await admin(service, "GET", "/promo_codes")).body["items"]
    assert code["uses"] == 3


# --- operators -----------------------------------------------------------------------------------


async def test_operators_make_change_and_list_codes(service: Service) -> None:
    first = await made(service, **GIFT | {"until": "2030-01-01T05:00:00+05:00"})
    created_at = first.pop("created_at")
    assert first == {
        "code": "Gift 50", "asset": "credit", "amount": 50, "percent": None, "total_limit": 3,
        "per_user_limit": 1, "from": None, "until": "2030-01-01T00:00:00Z", "products": None,
        "active": True, "uses": 0, "created_by": "key:env:ADMIN_API_KEY",
    }  # fmt: skip
    taken = await admin(service, "POST", "/promo_codes", {"code": "GIFT50", "percent": 5})
    assert (taken.status, taken.code) == (409, "promo_code_taken")
    assert taken.body["promo_code"] == "GIFT50"

    changes = {"total_limit": None, "from": "2026-01-01T00:00:00Z", "until": None, "active": False}
    changed = await admin(
        service, "PATCH", "/promo_codes/gift%2050", changes | {"reason": "Campaign over"}
    )
    assert (changed.status, changed.body) == (
        200, first | changes | {"created_at": created_at},
    )  # fmt: skip
    await made(service, code="P20", percent=20, products=["images"])
    page = (await admin(service, "GET", "/promo_codes?limit=1")).body
    assert [code["code"] for code in page["items"]] == ["P20"]
    rest = (await admin(service, "GET", f"/promo_codes?limit=1&cursor={page['next_cursor']}")).body
    assert ([code["code"] for code in rest["items"]], rest["next_cursor"]) == (["Gift 50"], None)

    acts = (await admin(service, "GET", "/audit_log?subject=promo_code:GIFT50")).body["items"]
    assert [act["action"] for act in acts] == ["promo_code.change", "promo_code.create"]
    assert acts[0]["reason"] == "Campaign over"
    assert (acts[0]["before"]["active"], acts[0]["after"]["active"]) == (True, False)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"code": "X"}, "invalid_promo_code"),
        ({"code": "X", "asset": "credit"}, "invalid_promo_code"),
        ({"code": "X", "asset": "credit", "amount": 5, "percent": 5}, "invalid_promo_code"),
        ({"code": "X", "asset": "USD", "amount": 5}, "invalid_promo_code"),
        ({"code": "X/Y", "percent": 5}, "invalid_promo_code"),
        ({"code": "  ", "percent": 5}, "invalid_promo_code"),
        ({"code": "X", "percent": 0}, "invalid_input"),
        ({"code": "X", "percent": 5, "products": []}, "invalid_input"),
        ({"code": "X", "percent": 5, "from": "2026-01-01T00:00:00"}, "invalid_input"),
        ({"code": "X", "percent": 5, "from": "0001-01-01T00:00:00+14:00"}, "invalid_input"),
        ({"code": "X", "percent": 5, "surprise": 1}, "invalid_input"),
        ({"percent": 5}, "invalid_input"),
    ],
)
async def test_codes_that_make_no_sense(
    service: Service, body: dict[str, object], code: str
) -> None:
    answer = await admin(service, "POST", "/promo_codes", body)
    assert (answer.status, answer.code) == (422, code)
    assert (await admin(service, "GET", "/promo_codes")).body["items"] == []


async def test_unknown_codes_are_not_there(service: Service) -> None:
    for method, path in (("PATCH", "/promo_codes/none"), ("GET", "/promo_codes/none/uses")):
        answer = await admin(service, method, path, {} if method == "PATCH" else None)
        assert (answer.status, answer.code) == (404, "promo_code_not_found")


async def test_operators_see_who_redeemed(service: Service) -> None:
    await made(service, **GIFT)
    for user_id in (7001, 7002):
        await service.person(user_id)
        assert (await redeem(service, user_id, "gift50")).status == 200
    page = (await admin(service, "GET", "/promo_codes/Gift%2050/uses?limit=1")).body
    (use,) = page["items"]
    assert (use["telegram_id"], use["use"], use["amount"], use["asset"]) == (7002, 1, 50, "credit")
    cursor = page["next_cursor"]
    rest = (await admin(service, "GET", f"/promo_codes/GIFT50/uses?limit=1&cursor={cursor}")).body
    assert [one["telegram_id"] for one in rest["items"]] == [7001]
    assert rest["next_cursor"] is None


async def test_operators_see_who_invited_whom(service: Service) -> None:
    await service.person(INVITER)
    await invited(service, INVITED, INVITER)
    for user_id in (7003, 7004):
        await invited(service, user_id, INVITED)
    await pays(service, INVITED, 100)
    await pays(service, 7003, 41)
    blocked = await admin(service, "POST", "/users/7004/block", {"reason": "a test"})
    assert blocked.status == 200, blocked.body

    tree = await admin(service, "GET", f"/referrals?telegram_id={INVITED}&limit=1")
    assert tree.status == 200, tree.body
    assert tree.body["inviter"]["telegram_id"] == INVITER
    assert tree.body["inviter"]["earned"] == {"credit": 10}
    assert tree.body["earned"] == {"credit": 5}
    assert (tree.body["invited_count"], tree.body["paid_invited_count"]) == (2, 1)
    assert tree.body["flags"] == ["invited_blocked"]
    (newest,) = tree.body["invited"]
    assert (newest["telegram_id"], newest["blocked"], newest["has_paid"]) == (7004, True, False)
    cursor = tree.body["next_cursor"]
    rest = await admin(service, "GET", f"/referrals?telegram_id={INVITED}&limit=1&cursor={cursor}")
    assert [one["telegram_id"] for one in rest.body["invited"]] == [7003]
    assert rest.body["invited"][0]["earned"] == {"credit": 5}
    assert rest.body["next_cursor"] is None

    nobody = await admin(service, "GET", "/referrals?telegram_id=7999")
    assert (nobody.status, nobody.code) == (404, "user_not_found")
