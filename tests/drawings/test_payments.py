"""Revivals for money: what they cost whom, and that only the right price is paid."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from hamyon.ledger.types import TransferKind
from tests.drawings.caller import USER, Drawings
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import eventually

PACKAGES = [
    ("revivals_5", 5, "149.00", "119.20"),
    ("revivals_15", 15, "399.00", "319.20"),
    ("revivals_50", 55, "1199.00", "959.20"),
]


async def _charge(sandbox: Sandbox, payment_id: str) -> dict[str, Any]:
    """The vendor's payment that carries our id."""
    login = aiohttp.encode_basic_auth(sandbox.yookassa_shop_id, sandbox.yookassa_secret_key)
    async with (
        aiohttp.ClientSession(headers={"Authorization": login}) as session,
        session.get(f"{sandbox.url}/v3/payments?limit=100") as answer,
    ):
        assert answer.status == 200, await answer.text()
        items = (await answer.json())["items"]
    (found,) = [item for item in items if item["metadata"]["payment_id"] == payment_id]
    charge: dict[str, Any] = found
    return charge


async def _settled(shop: Drawings, payment_id: str, user_id: int = USER) -> dict[str, Any]:
    """The person when a payment of his has come to its end."""

    async def look() -> dict[str, Any] | None:
        shown = await shop.user(user_id)
        ended = shown["yookassa_payments"][payment_id]["status"] in {"paid", "canceled"}
        return shown if ended else None

    found: dict[str, Any] = await eventually(look)
    return found


async def _count(shop: Drawings, sandbox: Sandbox) -> tuple[int, object]:
    """How many payments we know, and how many the vendor does."""
    ours = await shop.service.pool.fetchval("SELECT count(*) FROM payments")
    return ours, (await sandbox.stats("yookassa"))["payments"]


# --- prices ---------------------------------------------------------------------------------------


async def test_prices_for_nobody_in_particular(drawings: Drawings) -> None:
    shown = await drawings.pricing(None, headers={"Accept-Language": "ru"})
    assert shown["discount_percent"] is None
    assert shown["packages"] == [
        {
            "item_name": name,
            "title": {5: "5 оживашек", 15: "15 оживашек", 55: "50 оживашек"}[revivals],
            "revivals": revivals,
            "price": price,
            "currency": "RUB",
        }
        for name, revivals, price, _ in PACKAGES
    ]


async def test_prices_are_told_in_the_persons_language(drawings: Drawings) -> None:
    await drawings.known()
    sync = {"telegram_id": USER, "language_code": "uz"}
    await drawings.service.api.call("POST", "/users/sync", sync)
    shown = await drawings.pricing(headers={"Accept-Language": "ru"})
    assert shown["packages"][0]["title"] == "5 ta jonlantirish"
    assert shown["discount_percent"] is None
    assert all("discounted_price" not in one for one in shown["packages"])


async def test_only_what_can_be_paid_here_is_shown(drawings: Drawings) -> None:
    await drawings.package("revivals_5", active=False)
    await drawings.package("revivals_15", prices={"stars": 270})
    await drawings.package("revivals_50", sort=-1, prices={"yookassa": 119950})
    shown = await drawings.pricing(None)
    assert [(one["item_name"], one["price"]) for one in shown["packages"]] == [
        ("revivals_50", "1199.50")
    ]


async def test_prices_with_the_discount(drawings: Drawings) -> None:
    await drawings.broke()
    # Nobody looked at the person since his last revival went: asking for prices is enough.
    shown = await drawings.pricing()
    assert shown["discount_percent"] == 20
    assert [
        (one["item_name"], one["revivals"], one["price"], one["discounted_price"])
        for one in shown["packages"]
    ] == PACKAGES
    assert (await drawings.user())["discount_offered"] is True


# --- paying ---------------------------------------------------------------------------------------


async def test_a_payment_from_its_opening_to_the_revivals(shop: Drawings, sandbox: Sandbox) -> None:
    await shop.known()
    opened = await shop.buy("149.00")
    assert opened.status == 201, opened.body
    assert opened.body.keys() == {"payment_url", "payment_id"}
    payment_id = opened.body["payment_id"]
    charge = await _charge(sandbox, payment_id)
    assert charge["amount"] == {"value": "149.00", "currency": "RUB"}
    assert charge["confirmation"]["confirmation_url"] == opened.body["payment_url"]
    (known,) = (await shop.user())["yookassa_payments"].items()
    created_at = known[1].pop("created_at")
    assert created_at.endswith("Z")
    assert known == (
        payment_id,
        {
            "status": "pending",
            "amount": "149.00",
            "currency": "RUB",
            "item_name": "revivals_5",
            "quantity": 1,
        },
    )
    await sandbox.pay(opened.body["payment_url"])
    shown = await _settled(shop, payment_id)
    assert shown["yookassa_payments"][payment_id]["status"] == "paid"
    assert shown["ozhivashki"] == 1 + 5
    assert await shop.lines(TransferKind.DEPOSIT) == [5]


@pytest.mark.parametrize("price", ["447", "447.0", "447.00", 447, 447.0])
async def test_however_a_price_is_written(shop: Drawings, sandbox: Sandbox, price: object) -> None:
    await shop.known()
    opened = await shop.buy(price, quantity=3)
    assert opened.status == 201, opened.body
    charge = await _charge(sandbox, opened.body["payment_id"])
    assert charge["amount"]["value"] == "447.00"
    await sandbox.pay(opened.body["payment_url"])
    shown = await _settled(shop, opened.body["payment_id"])
    assert shown["ozhivashki"] == 1 + 3 * 5
    assert shown["yookassa_payments"][opened.body["payment_id"]]["quantity"] == 3


async def test_kopecks_survive_as_a_json_number(shop: Drawings, sandbox: Sandbox) -> None:
    # 1.15 has no exact float: times 100 it would be 114.99999999999999.
    await shop.package("revivals_5", prices={"yookassa": 115})
    await shop.known()
    opened = await shop.buy(1.15)
    assert opened.status == 201, opened.body
    charge = await _charge(sandbox, opened.body["payment_id"])
    assert charge["amount"]["value"] == "1.15"


async def test_a_bonus_is_part_of_what_is_bought(shop: Drawings, sandbox: Sandbox) -> None:
    await shop.known()
    opened = await shop.buy("1199.00", item="revivals_50")
    await sandbox.pay(opened.body["payment_url"])
    shown = await _settled(shop, opened.body["payment_id"])
    assert shown["ozhivashki"] == 1 + 55


@pytest.mark.parametrize(
    ("price", "quantity"),
    [("148.99", 1), ("149.01", 1), ("119.20", 1), ("298", 1), ("149.00", 2), (0.01, 1), (1e9, 1)],
)
async def test_another_price_changes_nothing(
    shop: Drawings, sandbox: Sandbox, price: object, quantity: int
) -> None:
    await shop.known()
    before = await shop.user()
    answer = await shop.buy(price, quantity=quantity, key="a")
    assert (answer.status, answer.code) == (422, "price_mismatch")
    right = "149.00" if quantity == 1 else "298.00"
    assert (answer.body["price"], answer.body["currency"]) == (right, "RUB")
    assert await shop.user() == before
    assert await _count(shop, sandbox) == (0, 0)
    # The key was not used up by the refusal.
    assert (await shop.buy(right, quantity=quantity, key="a")).status == 201


@pytest.mark.parametrize(
    "wish",
    [
        {"price": "149.001"},
        {"price": 149.001},
        {"price": 0},
        {"price": "-149.00"},
        {"price": "free"},
        {"price": "NaN"},
        {"price": "Infinity"},
        {"price": "1e30"},
        {"price": "1.49e2"},
        {"price": "149,00"},
        {"price": " 149.00"},
        {"price": "0149.00"},
        {"price": "١٤٩"},
        {"price": "149.00\n"},
        {"price": "0.00"},
        {"price": 10**10},
        {"price": True},
        {"price": ""},
        {"price": None},
        {"quantity": 0},
        {"quantity": 101},
        {"quantity": -1},
        {"quantity": 1.5},
        {"item_name": ""},
        {"item_name": "x" * 64},
        {"item_name": "revivals\0"},
        {"currency": "USD"},
    ],
)
async def test_what_is_no_purchase(drawings: Drawings, wish: dict[str, object]) -> None:
    await drawings.known()
    right = {"item_name": "revivals_5", "quantity": 1, "price": "149.00"}
    path = f"/users/{USER}/create_payment"
    answer = await drawings.root.call("POST", path, right | wish)
    assert (answer.status, answer.code) == (422, "invalid_input")
    (field,) = wish
    assert [error["field"] for error in answer.body["errors"]] == [field]


@pytest.mark.parametrize(
    ("item", "price"),
    [("revivals_7", "149.00"), ("credits_1000", "149.00"), ("revivals_5", "149.00")],
)
async def test_what_is_not_for_sale(
    shop: Drawings, sandbox: Sandbox, item: str, price: str
) -> None:
    await shop.known()
    await shop.package("revivals_5", active=False)
    answer = await shop.buy(price, item=item)
    assert (answer.status, answer.code) == (404, "package_not_found")
    assert await _count(shop, sandbox) == (0, 0)


async def test_without_a_way_to_pay(drawings: Drawings) -> None:
    await drawings.known()
    answer = await drawings.buy("149.00")
    assert (answer.status, answer.code) == (503, "gateway_unavailable")
    assert len((await drawings.pricing())["packages"]) == 3


# --- the discount ---------------------------------------------------------------------------------


async def test_the_first_payment_that_succeeds_uses_the_discount_up(
    shop: Drawings, sandbox: Sandbox
) -> None:
    await shop.broke()
    assert (await shop.user())["discount_offered"] is True
    assert (await shop.buy("149.00")).body["price"] == "119.20"
    opened = await shop.buy("119.20")
    assert opened.status == 201, opened.body
    assert (await _charge(sandbox, opened.body["payment_id"]))["amount"]["value"] == "119.20"
    # One that is only open uses nothing up, nor does one that is refused.
    refused = await shop.buy("238.40", quantity=2)
    await sandbox.pay(refused.body["payment_url"], action="refuse", reason="insufficient_funds")
    shown = await _settled(shop, refused.body["payment_id"])
    assert shown["yookassa_payments"][refused.body["payment_id"]]["status"] == "canceled"
    assert (await shop.pricing())["discount_percent"] == 20

    await sandbox.pay(opened.body["payment_url"])
    shown = await _settled(shop, opened.body["payment_id"])
    assert (shown["ozhivashki"], shown["discount_offered"]) == (5, True)
    assert (await shop.pricing())["discount_percent"] is None
    answer = await shop.buy("119.20")
    assert (answer.status, answer.code, answer.body["price"]) == (422, "price_mismatch", "149.00")
    assert (await shop.buy("149.00")).status == 201


async def test_a_discount_that_was_used_is_never_offered_again(
    shop: Drawings, sandbox: Sandbox
) -> None:
    await shop.broke()
    await shop.pricing()
    opened = await shop.buy("119.20")
    await sandbox.pay(opened.body["payment_url"])
    await _settled(shop, opened.body["payment_id"])
    await shop.give(USER, -5)
    shown = await shop.user()
    assert (shown["ozhivashki"], shown["discount_offered"]) == (0, True)
    assert (await shop.pricing())["discount_percent"] is None


async def test_a_discount_is_taken_of_the_whole_and_rounded_for_the_buyer(
    shop: Drawings, sandbox: Sandbox
) -> None:
    await shop.package("revivals_5", prices={"yookassa": 10_003})
    await shop.broke()
    (shown, *_) = (await shop.pricing())["packages"]
    # 80.024 of one; 240.072 of three, which is more than three times what one is rounded to.
    assert shown["discounted_price"] == "80.02"
    assert (await shop.buy("240.06", quantity=3)).code == "price_mismatch"
    opened = await shop.buy("240.07", quantity=3)
    assert (await _charge(sandbox, opened.body["payment_id"]))["amount"]["value"] == "240.07"


# --- repeating ------------------------------------------------------------------------------------


async def test_a_repeated_purchase_is_one(shop: Drawings, sandbox: Sandbox) -> None:
    await shop.known()
    answers = await asyncio.gather(*(shop.buy("149.00", key="once") for _ in range(10)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["payment_id"] for answer in answers}) == 1
    assert len({answer.body["payment_url"] for answer in answers}) == 1
    again = await shop.buy(149, key="once")
    assert again.body == answers[0].body
    for other in ({"quantity": 2}, {"item": "revivals_15"}, {"price": "150.00"}):
        answer = await shop.buy(**({"price": "149.00", "key": "once"} | other))
        assert (answer.status, answer.code) == (409, "idempotency_mismatch")
    assert await _count(shop, sandbox) == (1, 1)


async def test_without_a_key_every_call_is_a_purchase(shop: Drawings, sandbox: Sandbox) -> None:
    await shop.known()
    first, second = await shop.buy("149.00"), await shop.buy("149.00")
    assert first.body["payment_id"] != second.body["payment_id"]
    assert await _count(shop, sandbox) == (2, 2)
    shown = (await shop.user())["yookassa_payments"]
    assert list(shown) == [second.body["payment_id"], first.body["payment_id"]]


async def test_a_purchase_finds_its_answer_when_its_package_is_gone(
    shop: Drawings, sandbox: Sandbox
) -> None:
    await shop.known()
    first = await shop.buy("149.00", key="once")
    await shop.package("revivals_5", active=False, prices={"yookassa": 99_900})
    again = await shop.buy("149.00", key="once")
    assert (again.status, again.body) == (201, first.body)
    await sandbox.pay(again.body["payment_url"])
    shown = await _settled(shop, first.body["payment_id"])
    assert shown["ozhivashki"] == 1 + 5


async def test_payments_for_other_things_are_not_shown(shop: Drawings) -> None:
    await shop.known()
    wish = {"telegram_id": USER, "gateway": "yookassa", "package": "credits_1000"}
    answer = await shop.service.api.call("POST", "/payments/checkout", wish)
    assert answer.status == 201, answer.body
    assert (await shop.user())["yookassa_payments"] == {}
