"""Models, prices and providers: who may change them, what changes at once, what is written down."""

from __future__ import annotations

from hamyon.kit.web.permission import Role
from hamyon.orders import store as orders_store
from tests.surfaces.admin.conftest import Api, deposit, ordered, paid_order, person

USER = 777
REASON = {"reason": "Maintenance"}


async def price_of(api: Api, model: str) -> int | None:
    """What the public catalogue shows; None when it is not for sale."""
    async with api.http.get(f"{api.base_url}/api/v1/models") as answer:
        found = {one["key"]: one["price"]["amount"] for one in await answer.json()}
    price: int | None = found.get(model)
    return price


async def test_a_price_holds_for_what_comes_after(api: Api) -> None:
    await person(api.deps, USER)
    await deposit(api.deps, USER, 100)
    before = await ordered(api.deps, USER)
    assert await price_of(api, "seedream-v4") == 27
    given = {"amount": 31, **REASON}
    status, price = await api.owner("PUT", "/models/seedream-v4/price", given)
    assert (status, price["amount"], price["asset"], price["unit"]) == (
        200, 31, "credit", "picture",
    )  # fmt: skip
    assert await price_of(api, "seedream-v4") == 31
    after = await ordered(api.deps, USER)
    found = [await orders_store.get(api.deps.pool, order_id) for order_id in (before, after)]
    assert [order.price for order in found if order] == [27, 31]
    status, whole = await api.owner("GET", "/models/seedream-v4")
    assert [version["amount"] for version in whole["prices"]] == [31, 27]
    assert whole["price"]["amount"] == 31
    (act,) = await api.acts("price_set")
    assert (act["before"]["amount"], act["after"]["amount"]) == (27, 31)


async def test_prices_by_option_and_refused_ones(api: Api) -> None:
    path = "/models/nano-banana-pro/price"
    rule = {"when": {"resolution": "2k"}, "amount": 180}
    status, price = await api.owner("PUT", path, {"amount": 150, "by_option": [rule], **REASON})
    assert (status, price["by_option"]) == (200, [rule])
    wrong = {"when": {"resolution": "8k"}, "amount": 180}
    for given in ({"amount": 0}, {"amount": 150, "by_option": [wrong]}):
        status, answer = await api.owner("PUT", path, given | REASON)
        assert (status, answer["code"]) == (422, "invalid_price")
    status, answer = await api.owner("PUT", "/models/nothing/price", {"amount": 1, **REASON})
    assert (status, answer["code"]) == (404, "model_not_found")


async def test_a_model_is_taken_off_sale(api: Api) -> None:
    admin = await api.token(1, Role.ADMIN)
    patch = {"active": False, "reason": "Too slow"}
    status, model = await api.call("PATCH", "/models/nano-banana", patch, token=admin)
    assert (status, model["active"], model["name"]) == (200, False, "Nano Banana")
    assert await price_of(api, "nano-banana") is None
    status, whole = await api.call("GET", "/models", token=admin)
    assert {one["key"]: one["active"] for one in whole["items"]} == {
        "seedream-v4": True, "nano-banana": False, "nano-banana-pro": True,
    }  # fmt: skip
    (act,) = await api.acts("model_changed")
    assert (act["actor"], act["reason"]) == ("user:1", "Too slow")
    bad = {"options": {"size": {"values": ["1*1"], "default": "1*1"}}}
    status, answer = await api.call("PATCH", "/models/nano-banana", bad, token=admin)
    assert (status, answer["code"]) == (422, "invalid_model")
    status, _ = await api.call("PATCH", "/models/nano-banana", {"price": 1}, token=admin)
    assert status == 422


async def test_only_owners_set_prices(api: Api) -> None:
    admin, finance = await api.token(1, Role.ADMIN), await api.token(2, Role.FINANCE)
    given = {"amount": 1, **REASON}
    for token in (admin, finance):
        status, _ = await api.call("PUT", "/models/seedream-v4/price", given, token=token)
        assert status == 403
    assert (await api.call("GET", "/models", token=finance))[0] == 403
    assert await price_of(api, "seedream-v4") == 27


async def test_a_paused_provider_takes_no_orders(api: Api) -> None:
    await person(api.deps, USER)
    await deposit(api.deps, USER, 100)
    await paid_order(api.deps, USER)
    status, found = await api.owner("POST", "/providers/offline/pause", REASON)
    assert (status, found["status"], found["pause_reason"]) == (200, "paused", "Maintenance")
    submit = {"telegram_id": USER, "model": "seedream-v4", "prompt": "x", "use_trial": False}
    url = f"{api.base_url}/api/v1/generations/submit"
    headers = {"api-key": "service-key-for-these-tests-0123456789"}
    async with api.http.post(url, json=submit, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (503, "provider_unavailable")
    status, found = await api.owner("POST", "/providers/offline/resume", REASON)
    assert (status, found["status"]) == (200, "open")
    async with api.http.post(url, json=submit, headers=headers) as answer:
        assert answer.status == 202
    assert [act["subject"] for act in await api.acts("provider_paused")] == ["provider:offline"]
    assert len(await api.acts("provider_resumed")) == 1


async def test_how_providers_stand(api: Api) -> None:
    await person(api.deps, USER)
    await deposit(api.deps, USER, 100)
    await paid_order(api.deps, USER)
    for _ in range(api.deps.settings.breaker_failures):
        await api.deps.outages.note_outage("wavespeed", "502 Bad Gateway")
    status, found = await api.owner("GET", "/providers")
    assert status == 200
    by_name = {one["name"]: one for one in found["items"]}
    assert by_name["wavespeed"]["status"] == "closed"
    assert by_name["wavespeed"]["breaker"]["last_error"] == "502 Bad Gateway"
    assert by_name["wavespeed"]["works_here"] is False
    assert by_name["wavespeed"]["last_hour"]["error_rate"] is None
    assert (by_name["offline"]["status"], by_name["offline"]["works_here"]) == ("open", True)
    hour = by_name["offline"]["last_hour"]
    assert (hour["succeeded"], hour["failed"], hour["error_rate"]) == (1, 0, 0.0)


async def test_providers_are_for_admins(api: Api) -> None:
    finance = await api.token(1, Role.FINANCE)
    for method, path in (
        ("GET", "/providers"), ("POST", "/providers/offline/pause"), ("GET", "/queue"),
    ):  # fmt: skip
        body = REASON if method == "POST" else None
        assert (await api.call(method, path, body, token=finance))[0] == 403
    status, answer = await api.owner("POST", "/providers/nobody/pause", REASON)
    assert (status, answer["code"]) == (404, "provider_not_found")
    assert (await api.owner("POST", "/providers/offline/pause", {"reason": ""}))[0] == 422
    assert (await api.owner("POST", "/providers/offline/pause"))[1]["status"] == "paused"
    assert (await api.owner("POST", "/providers/offline/resume"))[1]["status"] == "open"
