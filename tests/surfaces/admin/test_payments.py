"""Operators' routes about payments: looking, giving back, asking again, comparing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import ADMIN_KEY, BOT_TOKEN, Answer, Launch, eventually
from tests.payments.till import Till

ALI, VALI = 101, 202
PATH = "/admin/payments"


@pytest.fixture
async def shop(launch: Launch, sandbox: Sandbox) -> Till:
    """A service without a worker, two people, and a way to buy."""
    service = await launch(sandbox, worker=False)
    for user_id in (ALI, VALI):
        await service.person(user_id)
    return Till(service, sandbox)


async def get(shop: Till, path: str) -> Any:
    answer = await shop.service.api.call("GET", PATH + path, admin=True)
    assert answer.status == 200, answer.body
    return answer.body


async def post(shop: Till, path: str, body: object = None, *, key: str | None = None) -> Answer:
    headers = {"Idempotency-Key": key} if key else {}
    return await shop.service.api.call("POST", PATH + path, body, admin=True, headers=headers)


async def recheck(shop: Till, payment_id: str) -> Answer:
    return await post(shop, f"/{payment_id}/recheck")


async def bought(shop: Till, user_id: int = ALI) -> str:
    """1000 credits for 149.00, credited because an operator asked about them."""
    opened = await shop.checkout(user_id)
    await shop.sandbox.pay(opened["payment_url"])
    answer = await recheck(shop, opened["payment_id"])
    assert (answer.status, answer.body["state"]) == (200, "paid"), answer.body
    return str(opened["payment_id"])


async def acts(shop: Till, action: str) -> list[dict[str, Any]]:
    answer = await shop.service.api.call("GET", f"/admin/audit_log?action={action}", admin=True)
    return list(answer.body["items"])


def ids(page: Any) -> list[str]:
    return [item["id"] for item in page["items"]]


# --- looking --------------------------------------------------------------------------------------


async def test_the_list_is_newest_first_and_pages(shop: Till) -> None:
    made = [(await shop.checkout(ALI))["payment_id"] for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = await get(shop, f"?limit=2{cursor}")
        seen += ids(page)
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert seen == made[::-1]
    broken = await shop.service.api.call("GET", f"{PATH}?cursor=nonsense", admin=True)
    assert (broken.status, broken.code) == (422, "invalid_cursor")


async def test_every_filter_narrows_the_list(shop: Till) -> None:
    invoice = (await shop.invoice(ALI, 70))["payment_id"]
    open_ = (await shop.checkout(VALI))["payment_id"]
    paid = await bought(shop)
    charge_id = await shop.external_id(paid)
    assert ids(await get(shop, "")) == [paid, open_, invoice]
    for query, expected in {
        "gateway=stars": [invoice],
        "gateway=yookassa": [paid, open_],
        f"telegram_id={VALI}": [open_],
        f"charge_id={charge_id}": [paid],
        "charge_id=nobody": [],
        "state=pending": [open_],
        "state=created": [invoice],
        "state=paid": [paid],
        "state=canceled": [],
        f"state=paid&telegram_id={VALI}": [],
    }.items():
        assert ids(await get(shop, f"?{query}")) == expected, query
    middle = datetime(2026, 1, 1, tzinfo=UTC)
    await shop.service.as_owner(
        "UPDATE payments SET created_at = $2 WHERE id = $1", UUID(open_), middle
    )
    at = middle.isoformat().replace("+00:00", "Z")
    later = (middle + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    assert ids(await get(shop, f"?from={at}&to={later}")) == [open_]
    assert ids(await get(shop, f"?to={at}")) == []
    assert ids(await get(shop, f"?from={later}")) == [paid, invoice]
    for wrong in ("state=lost", "telegram_id=0", "from=yesterday", "limit=0"):
        answer = await shop.service.api.call("GET", f"{PATH}?{wrong}", admin=True)
        assert (answer.status, answer.code) == (422, "invalid_input"), wrong


async def test_states_that_refunds_make_are_found(shop: Till) -> None:
    """Each payment is found under the state that it shows, and under no other."""
    whole, part, waiting = [await bought(shop) for _ in range(3)]
    untouched = await bought(shop)
    assert (await shop.refund(whole, "a")).body["state"] == "refunded"
    assert (await shop.refund(part, "b", 100)).body["state"] == "partially_refunded"
    await shop.sandbox.vendor_settings("yookassa", refunds={"pending_s": 3600})
    assert (await shop.refund(waiting, "c", 100)).body["state"] == "refunding"
    expected = {
        "refunded": whole,
        "partially_refunded": part,
        "refunding": waiting,
        "paid": untouched,
    }
    for state, payment_id in expected.items():
        page = await get(shop, f"?state={state}")
        assert [(item["id"], item["state"]) for item in page["items"]] == [(payment_id, state)]


async def test_a_payment_with_all_that_stands_behind_it(shop: Till) -> None:
    opened = await shop.invoice(ALI, 70)
    message = await shop.pay_stars(opened["invoice_link"], VALI)
    assert (await shop.confirm(message)).status == 200
    assert (await shop.refund(opened["payment_id"], "a")).status == 200
    found = await get(shop, f"/{opened['payment_id']}")
    charge_id = message["successful_payment"]["telegram_payment_charge_id"]
    payment = found["payment"]
    assert (payment["telegram_id"], payment["payer_telegram_id"]) == (ALI, VALI)
    assert (payment["state"], payment["charge_id"]) == ("refunded", charge_id)
    assert (payment["paid_minor"], payment["granted"], payment["taken_back"]) == (70, 1000, 1000)
    (event,) = found["events"]
    assert event["source"] == "stars"
    assert event["key"].startswith(f"successful_payment:{charge_id}:")
    assert charge_id in event["body"]
    lines = {
        (one["kind"], one["role"], one["telegram_id"], one["amount"]) for one in found["ledger"]
    }
    assert lines == {
        ("deposit", "wallet", ALI, 1000),
        ("deposit", "sales:stars", None, -1000),
        ("refund", "wallet", ALI, -1000),
        ("refund", "sales:stars", None, 1000),
    }
    (refund,) = found["refunds"]
    assert (refund["state"], refund["taken"], refund["debt"]) == ("done", 1000, 0)
    assert found["mismatches"] == []
    shown = str(found)
    for secret in (ADMIN_KEY, BOT_TOKEN, "vendor_key", opened["invoice_link"]):
        assert secret not in shown
    absent = await shop.service.api.call("GET", f"{PATH}/{uuid4()}", admin=True)
    assert (absent.status, absent.code) == (404, "payment_not_found")


# --- giving money back ----------------------------------------------------------------------------


async def test_parts_add_up_to_what_was_paid(shop: Till) -> None:
    payment_id = await bought(shop)
    first = await shop.refund(payment_id, "a", 4900)
    assert first.body == {
        "payment_id": payment_id,
        "refunded": 4900,
        "clawed_back": 328,
        "debt": 0,
        "state": "partially_refunded",
    }
    too_much = await shop.refund(payment_id, "b", 10_001)
    assert (too_much.status, too_much.code) == (422, "payment_refund_too_large")
    assert too_much.body["left"] == 10_000
    rest = await shop.refund(payment_id, "c")
    assert (rest.body["refunded"], rest.body["clawed_back"]) == (14_900, 672)
    assert rest.body["state"] == "refunded"
    assert await shop.available(ALI) == 0
    found = await acts(shop, "payment.refund")
    assert [act["after"]["amount_minor"] for act in found] == [10_000, 4900]
    assert {act["reason"] for act in found} == {"asked by the person"}
    over = await shop.refund(payment_id, "d")
    assert (over.status, over.code) == (422, "payment_refund_too_large")


async def test_what_was_spent_becomes_a_debt(shop: Till) -> None:
    payment_id = await bought(shop)
    await shop.service.api.ordered(ALI)
    spent = 1000 - await shop.available(ALI)
    answer = await shop.refund(payment_id, "a")
    assert (answer.body["clawed_back"], answer.body["debt"]) == (1000, spent)
    assert (await shop.available(ALI), await shop.debt(ALI)) == (0, spent)


async def test_one_key_gives_back_once(shop: Till) -> None:
    payment_id = await bought(shop)
    answers = await asyncio.gather(*(shop.refund(payment_id, "same", 100) for _ in range(12)))
    assert [answer.body for answer in answers] == [answers[0].body] * 12
    assert answers[0].status == 200
    stats = await shop.sandbox.stats("yookassa")
    assert stats["refunds_created"] == 1
    assert (await shop.payment(payment_id))["refunded_minor"] == 100
    other = await shop.refund(payment_id, "same", 101)
    assert (other.status, other.code) == (409, "idempotency_mismatch")
    keyless = await post(shop, f"/{payment_id}/refund", {"reason": "no key"})
    assert (keyless.status, keyless.code) == (422, "idempotency_key_required")
    assert len(await acts(shop, "payment.refund")) == 1


async def test_what_was_not_paid_is_not_given_back(shop: Till) -> None:
    opened = await shop.checkout(ALI)
    answer = await shop.refund(opened["payment_id"], "a")
    assert (answer.status, answer.code) == (409, "payment_not_refundable")
    absent = await shop.refund(str(uuid4()), "b")
    assert (absent.status, absent.code) == (404, "payment_not_found")
    assert await acts(shop, "payment.refund") == []


async def test_a_refund_that_the_vendor_declines_gives_the_credits_back(shop: Till) -> None:
    payment_id = await bought(shop)
    await shop.sandbox.vendor_settings("yookassa", refunds={"cancel_reason": "insufficient_funds"})
    answer = await shop.refund(payment_id, "a")
    assert answer.body == {
        "payment_id": payment_id,
        "refunded": 0,
        "clawed_back": 0,
        "debt": 0,
        "state": "paid",
    }
    assert await shop.available(ALI) == 1000
    (refund,) = (await get(shop, f"/{payment_id}"))["refunds"]
    assert refund["state"] == "failed"
    assert "insufficient_funds" in refund["error"]


async def test_a_vendor_that_does_not_answer_is_told_later(shop: Till) -> None:
    """The credits are taken at once, and stay taken: nobody knows what the vendor did."""
    payment_id = await bought(shop)
    await shop.sandbox.fault("status", {"vendor": "yookassa"}, status=500)
    answer = await shop.refund(payment_id, "a")
    assert (answer.status, answer.body["state"]) == (200, "refunding"), answer.body
    assert (answer.body["refunded"], answer.body["clawed_back"]) == (14_900, 1000)
    await shop.sandbox.clear_faults()
    again = await shop.refund(payment_id, "a")
    assert (again.status, again.body["state"]) == (200, "refunded")
    stats = await shop.sandbox.stats("yookassa")
    assert stats["refunds_created"] == 1


# --- asking the vendor ----------------------------------------------------------------------------


async def test_asking_again_credits_what_was_paid(shop: Till) -> None:
    opened = await shop.checkout(ALI)
    assert (await recheck(shop, opened["payment_id"])).body["state"] == "pending"
    await shop.sandbox.pay(opened["payment_url"])
    answers = await asyncio.gather(*(recheck(shop, opened["payment_id"]) for _ in range(5)))
    assert {answer.body["state"] for answer in answers} == {"paid"}
    assert await shop.available(ALI) == 1000
    found = await acts(shop, "payment.recheck")
    assert len(found) == 6
    assert found[-1]["before"] == {"state": "pending"}


async def test_a_vendor_that_does_not_answer_is_unclear(shop: Till) -> None:
    opened = await shop.checkout(ALI)
    await shop.sandbox.fault("status", {"vendor": "yookassa"}, status=500)
    answer = await recheck(shop, opened["payment_id"])
    assert (answer.status, answer.code) == (503, "payment_unclear")
    absent = await recheck(shop, str(uuid4()))
    assert (absent.status, absent.code) == (404, "payment_not_found")


async def test_a_gateway_that_is_gone_cannot_be_asked(launch: Launch, sandbox: Sandbox) -> None:
    service = await launch(sandbox, worker=False, yookassa_shop_id=None)
    await service.person(ALI)
    payment_id = uuid4()
    await service.as_owner(
        """
        INSERT INTO payments (id, user_id, gateway, state, currency, amount_minor, asset, amount,
            title, vendor_key, vendor_key_at, external_id)
        VALUES ($1, $2, 'yookassa', 'pending', 'RUB', 100, 'credit', 1, 't', 'k', now(), 'x')
        """,
        payment_id,
        ALI,
    )
    shop = Till(service, sandbox)
    for answer in (await recheck(shop, str(payment_id)), await shop.refund(str(payment_id), "a")):
        assert (answer.status, answer.code) == (503, "gateway_unavailable")


# --- comparing ------------------------------------------------------------------------------------


def window(gateway: str = "yookassa", hours: float = 1, **more: object) -> dict[str, object]:
    now = datetime.now(UTC)
    since = now - timedelta(hours=hours)
    return {"gateway": gateway, "from": since.isoformat(), "to": now.isoformat(), **more}


async def test_a_comparison_runs_in_the_background(launch: Launch, sandbox: Sandbox) -> None:
    shop = Till(await launch(sandbox), sandbox)
    await shop.service.person(ALI)
    opened = await shop.checkout(ALI)
    await shop.sandbox.pay(opened["payment_url"])
    started = await post(shop, "/reconcile", window())
    assert started.status == 202, started.body

    async def is_done() -> Any:
        run = await get(shop, f"/reconcile/{started.body['run_id']}")
        return run if run["state"] == "done" else None

    run = await eventually(is_done)
    assert (run["gateway"], run["started_by"]) == ("yookassa", "key:env:ADMIN_API_KEY")
    assert (run["listed"], run["differences"], run["healed"]) == (1, 1, 1)
    assert datetime.fromisoformat(run["from"]) < datetime.fromisoformat(run["to"])
    (finding,) = run["findings"]
    assert (finding["kind"], finding["state"]) == ("only_theirs", "healed")
    assert finding["payment_id"] == opened["payment_id"]
    assert await shop.available(ALI) == 1000
    (act,) = await acts(shop, "payment.reconcile")
    assert act["subject"] == "gateway:yookassa"


async def test_a_comparison_must_be_possible(shop: Till) -> None:
    now = datetime.now(UTC)
    unknown = await post(shop, "/reconcile", window("paypal"))
    assert (unknown.status, unknown.code) == (503, "gateway_unavailable")
    for since, until in (
        (now, now - timedelta(hours=1)),
        (now + timedelta(hours=1), now + timedelta(hours=2)),
        (datetime(1, 1, 1, tzinfo=UTC), now),
    ):
        body = {"gateway": "stars", "from": since.isoformat(), "to": until.isoformat()}
        answer = await post(shop, "/reconcile", body)
        assert (answer.status, answer.code) == (422, "invalid_input")
    absent = await shop.service.api.call("GET", f"{PATH}/reconcile/{uuid4()}", admin=True)
    assert (absent.status, absent.code) == (404, "reconcile_run_not_found")
    assert await shop.service.pool.fetchval("SELECT count(*) FROM reconcile_runs") == 0


async def test_a_key_starts_one_comparison(shop: Till) -> None:
    body = window(heal=False)
    answers = [await post(shop, "/reconcile", body, key="k") for _ in range(2)]
    assert answers[0].status == 202
    assert answers[0].body == answers[1].body
    assert await shop.service.pool.fetchval("SELECT count(*) FROM reconcile_runs") == 1


async def test_differences_are_listed_by_what_is_asked(shop: Till) -> None:
    for number in range(5):
        await shop.service.as_owner(
            "INSERT INTO payment_mismatches (gateway, kind, subject, state) "
            "VALUES ($1, 'only_ours', $2, $3)",
            "stars" if number % 2 else "yookassa",
            f"s{number}",
            "healed" if number == 4 else "open",
        )
    page = await get(shop, "/mismatches?limit=3")
    assert [item["subject"] for item in page["items"]] == ["s3", "s2", "s1"]
    rest = await get(shop, f"/mismatches?limit=3&cursor={page['next_cursor']}")
    assert [item["subject"] for item in rest["items"]] == ["s0"]
    assert rest["next_cursor"] is None
    of_stars = await get(shop, "/mismatches?gateway=stars")
    assert [item["subject"] for item in of_stars["items"]] == ["s3", "s1"]
    assert [i["subject"] for i in (await get(shop, "/mismatches?state=healed"))["items"]] == ["s4"]
    assert (await get(shop, f"/mismatches?run_id={uuid4()}"))["items"] == []
