"""What the simulated YooKassa refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.yookassa_shop import RETURN_URL, Shop, basic, is_refusal, wanted

DAY_S = 86_400
RECEIPT_ITEM = {
    "description": "Credits",
    "quantity": 1,
    "amount": {"value": "100.00", "currency": "RUB"},
    "vat_code": 1,
}
RECEIPT = {"customer": {"email": "a@example.com"}, "items": [RECEIPT_ITEM]}


# --- the door ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        basic("100500:wrong"),
        basic("100501:sandbox-key"),
        basic("100500sandbox-key"),
        {"Authorization": "Basic !"},
        {"Authorization": "Bearer sandbox-key"},
        {"Authorization": ""},
    ],
)
async def test_a_wrong_key(shop: Shop, headers: dict[str, str]) -> None:
    for method, path in (
        ("POST", "/payments"),
        ("GET", "/payments"),
        ("GET", "/payments/x"),
        ("POST", "/payments/x/capture"),
        ("POST", "/payments/x/cancel"),
        ("POST", "/refunds"),
        ("GET", "/refunds"),
        ("GET", "/refunds/x"),
        ("GET", "/me"),
    ):
        answer = await shop.call(method, path, headers=headers)
        assert is_refusal(answer, 401, "invalid_credentials")
    assert (await shop.stats())["payments"] == 0


async def test_the_shop_can_be_another(shop: Shop) -> None:
    await shop.settings(shop_id="7", secret_key="other")
    assert (await shop.call("GET", "/me")).status == 401
    assert (await shop.call("GET", "/me", headers=basic("7:other"))).body["account_id"] == "7"


async def test_unknown_things(shop: Shop) -> None:
    assert is_refusal(await shop.call("GET", "/payments/none"), 404, "not_found", "payment_id")
    assert is_refusal(await shop.call("GET", "/refunds/none"), 404, "not_found", "refund_id")
    step = await shop.call("POST", "/payments/none/capture")
    assert is_refusal(step, 404, "not_found", "payment_id")
    assert is_refusal(await shop.call("GET", "/pay"), 404, "not_found")
    assert is_refusal(await shop.call("DELETE", "/payments"), 405, "invalid_request")
    assert is_refusal(await shop.call("PUT", "/payments/none"), 405, "invalid_request")


async def test_other_content(shop: Shop) -> None:
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/xml"}):
        answer = await shop.call("POST", "/payments", wanted(), headers=headers)
        assert is_refusal(answer, 415, "invalid_request")
    for content in (b"{", b"[]", b'"x"'):
        headers = {"Content-Type": "application/json"}
        answer = await shop.call("POST", "/payments", headers=headers, data=content)
        assert is_refusal(answer, 400, "invalid_request")


# --- what a payment and a refund must look like -----------------------------------------------


def _rub(value: object, currency: object = "RUB") -> dict[str, object]:
    return {"value": value, "currency": currency}


def _redirect(url: object) -> dict[str, object]:
    return {"type": "redirect", "return_url": url}


def _receipt(**item: object) -> dict[str, object]:
    return {"customer": RECEIPT["customer"], "items": [RECEIPT_ITEM | item]}


@pytest.mark.parametrize(
    ("field", "value", "parameter"),
    [
        ("amount", None, "amount"),
        ("amount", "100.00", "amount"),
        ("amount", _rub(100), "amount.value"),
        ("amount", _rub("100"), "amount.value"),
        ("amount", _rub("100.0"), "amount.value"),
        ("amount", _rub("100.000"), "amount.value"),
        ("amount", _rub("1e2"), "amount.value"),
        ("amount", _rub("0.00"), "amount.value"),
        ("amount", _rub("-1.00"), "amount.value"),
        ("amount", _rub("\u0661.00"), "amount.value"),
        ("amount", _rub("100.00", "USD"), "amount.currency"),
        ("amount", _rub("100.00", None), "amount.currency"),
        ("confirmation", None, "confirmation"),
        ("confirmation", {"type": "post"}, "confirmation.type"),
        ("confirmation", _redirect(None), "confirmation.return_url"),
        ("confirmation", _redirect("https://a.example/" + "x" * 2031), "confirmation.return_url"),
        ("confirmation", _redirect("javascript:alert(1)"), "confirmation.return_url"),
        ("confirmation", _redirect("https://a.example/\r\nX: y"), "confirmation.return_url"),
        ("capture", "true", "capture"),
        ("description", "x" * 129, "description"),
        ("description", 7, "description"),
        ("metadata", [], "metadata"),
        ("metadata", {"n": 7}, "metadata"),
        ("metadata", {"n": "x" * 513}, "metadata"),
        ("metadata", {"n" * 33: "x"}, "metadata"),
        ("metadata", {str(number): "x" for number in range(17)}, "metadata"),
        ("payment_method_data", {"type": "sbp"}, "payment_method_data.type"),
        ("payment_method_data", {}, "payment_method_data.type"),
        ("receipt", {}, "receipt"),
        ("receipt", RECEIPT | {"customer": {}}, "receipt"),
        ("receipt", RECEIPT | {"customer": {"email": "nobody"}}, "receipt"),
        ("receipt", RECEIPT | {"items": []}, "receipt"),
        ("receipt", RECEIPT | {"items": [RECEIPT_ITEM] * 2}, "receipt"),
        ("receipt", RECEIPT | {"tax_system_code": 9}, "receipt"),
        ("receipt", _receipt(vat_code=13), "receipt"),
        ("receipt", _receipt(quantity="-1"), "receipt"),
        ("receipt", _receipt(description="x" * 129), "receipt"),
        ("receipt", _receipt(amount=_rub("99.99")), "receipt"),
    ],
)
async def test_a_bad_payment(shop: Shop, field: str, value: object, parameter: str) -> None:
    body = {name: given for name, given in wanted().items() if name != field}
    if value is not None:
        body[field] = value
    answer = await shop.call("POST", "/payments", body)
    assert is_refusal(answer, 400, "invalid_request", parameter)
    assert (await shop.stats())["payments"] == 0


@pytest.mark.parametrize(
    "more",
    [
        {"confirmation": _redirect("https://a.example/" + "x" * 2030)},
        {"description": "ж" * 128},
        {"metadata": {"n" * 32: "x" * 512} | {str(number): "" for number in range(15)}},
        {"receipt": RECEIPT},
        {"receipt": {"phone": "79000000000", "items": [RECEIPT_ITEM]}},
        {"receipt": _receipt(quantity="0.500", amount=_rub("200.00"))},
        {"statements": [], "transfers": [], "client_ip": "127.0.0.1"},
    ],
)
async def test_as_much_as_is_allowed(shop: Shop, more: dict[str, object]) -> None:
    answer = await shop.call("POST", "/payments", wanted() | more)
    assert answer.status == 200, answer


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"payment_method_id": "x"}, "payment_method_id"),
        ({"payment_token": "x"}, "payment_token"),
        ({"confirmation": {"type": "embedded"}}, "confirmation"),
    ],
)
async def test_what_is_not_simulated(shop: Shop, more: dict[str, object], parameter: str) -> None:
    answer = await shop.call("POST", "/payments", wanted() | more)
    assert is_refusal(answer, 400, "not_supported", parameter)


async def test_a_shop_that_must_give_receipts(shop: Shop) -> None:
    await shop.settings(receipt_required=True)
    answer = await shop.call("POST", "/payments", wanted())
    assert is_refusal(answer, 400, "invalid_request", "receipt")
    assert answer.body["description"] == "Receipt is missing or illegal"
    assert (await shop.call("POST", "/payments", wanted(receipt=RECEIPT))).status == 200


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"amount": _rub("0.99")}, "amount.value"),
        ({"amount": _rub("100.01")}, "amount.value"),
        ({"amount": _rub(1)}, "amount.value"),
        ({"amount": _rub("1.00", "EUR")}, "amount.currency"),
        ({"description": "x" * 251}, "description"),
        ({"metadata": {"n": None}}, "metadata"),
        ({"payment_id": "short"}, "payment_id"),
        ({"receipt": RECEIPT}, "receipt"),
    ],
)
async def test_a_bad_refund(shop: Shop, more: dict[str, object], parameter: str) -> None:
    payment = await shop.paid("100.00")
    body = {"payment_id": payment["id"], "amount": _rub("50.00")} | more
    answer = await shop.call("POST", "/refunds", body)
    assert is_refusal(answer, 400, "invalid_request", parameter)
    assert (await shop.stats())["refunds_created"] == 0


async def test_only_what_is_paid_is_refunded(shop: Shop) -> None:
    pending, waiting = await shop.make(), await shop.paid(capture=False)
    for payment in (pending, waiting):
        answer = await shop.refund(payment["id"], "10.00")
        assert is_refusal(answer, 400, "invalid_request", "payment_id")
    answer = await shop.refund("0" * 36, "10.00")
    assert is_refusal(answer, 404, "not_found", "payment_id")


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "ten"},
        {"limit": "\u0661"},
        {"cursor": "nowhere"},
        {"cursor": ""},
        {"cursor": "\u0436"},
        {"status": "lost"},
        {"created_at.gte": "yesterday"},
        {"created_at.lt": ""},
        {"created_at": "2026-03-01T12:00:00Z"},
        {"created_at.eq": "2026-03-01T12:00:00Z"},
        {"metadata": "x"},
    ],
)
async def test_a_bad_list(shop: Shop, query: dict[str, str]) -> None:
    for path in ("/payments", "/refunds"):
        answer = await shop.call("GET", path, params=query)
        assert is_refusal(answer, 400, "invalid_request", next(iter(query)))


async def test_each_list_has_its_own_parameters(shop: Shop) -> None:
    at = {"captured_at.gte": "2026-03-01T12:00:00Z"}
    assert (await shop.call("GET", "/payments", params=at)).status == 200
    assert (await shop.call("GET", "/refunds", params=at)).status == 400
    assert (await shop.call("GET", "/refunds", params={"payment_id": "x"})).status == 200
    assert (await shop.call("GET", "/payments", params={"payment_id": "x"})).status == 400
    state = {"status": "waiting_for_capture"}
    assert (await shop.call("GET", "/refunds", params=state)).status == 400
    assert (await shop.call("GET", "/me", params={"shop": "x"})).status == 400


# --- orders to the simulator ------------------------------------------------------------------


@pytest.mark.parametrize(
    "patch",
    [
        {"colour": "red"},
        {"notification_url": "ftp://a.example/"},
        {"shop_id": "me"},
        {"notifications": {"copies": 0}},
        {"notifications": {"colour": "red"}},
        {"refunds": {"cancel_reason": "bad mood"}},
    ],
)
async def test_bad_settings_change_nothing(shop: Shop, patch: dict[str, object]) -> None:
    async def settings() -> Any:
        async with shop.session.get("/_control/settings") as answer:
            return await answer.json()

    before = await settings()
    order = {"yookassa": patch}
    async with shop.session.post("/_control/settings", json=order) as answer:
        assert (answer.status, bool((await answer.json())["error"])) == (400, True)
    assert await settings() == before


@pytest.mark.parametrize(
    "rows",
    [
        {},
        [{"amount": "1", "created_at": "2026-03-01T12:00:00Z"}],
        [{"amount": "1.00", "created_at": "noon"}],
        [{"amount": "1.00", "created_at": "2026-03-01T12:00:00Z", "status": "lost"}],
        [{"amount": "1.00", "created_at": "2026-03-01T12:00:00Z", "colour": "red"}],
    ],
)
async def test_a_bad_past_is_not_planted(shop: Shop, rows: object) -> None:
    async with shop.session.post("/yookassa/plant", json=rows) as answer:
        assert (answer.status, bool((await answer.json())["error"])) == (400, True)
    assert await shop.listed() == []


async def test_the_return_url_is_kept_as_it_is(shop: Shop) -> None:
    payment = await shop.make(confirmation=_redirect("https://a.example/спасибо?x=1"))
    assert payment["confirmation"]["return_url"] == "https://a.example/спасибо?x=1"
    assert (await shop.pay(payment)).startswith("https://a.example/%D1%81")
    assert RETURN_URL.isascii()
