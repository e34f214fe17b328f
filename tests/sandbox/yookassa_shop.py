"""A shop of the simulated YooKassa, in plain HTTP."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.client import PATIENCE_S, Answer

RETURN_URL = "https://t.me/shop_bot?start=paid"


def wanted(value: str = "100.00", **more: Any) -> dict[str, Any]:
    """The body of a payment that is captured at once."""
    return {
        "amount": {"value": value, "currency": "RUB"},
        "confirmation": {"type": "redirect", "return_url": RETURN_URL},
        "capture": True,
        **more,
    }


@dataclass(frozen=True, slots=True)
class Shop:
    session: aiohttp.ClientSession
    sandbox: Sandbox

    async def call(
        self, method: str, path: str, body: object = None, *, key: str | None = "", **options: Any
    ) -> Answer:
        """One call; a POST has a fresh key unless ``key`` is given, and none with None."""
        shop = (self.sandbox.yookassa_shop_id, self.sandbox.yookassa_secret_key)
        headers = {"Authorization": aiohttp.encode_basic_auth(*shop)} | options.pop("headers", {})
        if method == "POST" and key is not None:
            headers["Idempotence-Key"] = key or str(uuid.uuid4())
        async with self.session.request(
            method, f"/v3{path}", json=body, headers=headers, **options
        ) as answer:
            return Answer(answer.status, await answer.json(content_type=None), answer.headers)

    async def make(self, value: str = "100.00", **more: Any) -> Any:
        """A new payment."""
        answer = await self.call("POST", "/payments", wanted(value, **more))
        assert answer.status == 200, answer
        return answer.body

    async def paid(self, value: str = "100.00", **more: Any) -> Any:
        """A payment whose payer has paid."""
        payment = await self.make(value, **more)
        await self.pay(payment)
        return await self.payment(payment["id"])

    async def pay(self, payment: Any, **form: Any) -> str:
        return await self.sandbox.pay(payment["confirmation"]["confirmation_url"], **form)

    async def payment(self, payment_id: str) -> Any:
        answer = await self.call("GET", f"/payments/{payment_id}")
        assert answer.status == 200, answer
        return answer.body

    async def refund(self, payment_id: str, value: str, **more: Any) -> Answer:
        key = more.pop("key", "")
        amount = {"value": value, "currency": "RUB"}
        body = {"payment_id": payment_id, "amount": amount, **more}
        return await self.call("POST", "/refunds", body, key=key)

    async def listed(self, path: str = "/payments", **query: str) -> list[Any]:
        """All pages, to the end."""
        items: list[Any] = []
        while True:
            answer = await self.call("GET", path, params=query)
            assert answer.status == 200, answer
            assert answer.body["type"] == "list"
            items += answer.body["items"]
            if "next_cursor" not in answer.body:
                return items
            query["cursor"] = answer.body["next_cursor"]

    async def settings(self, **patch: Any) -> None:
        await self.sandbox.vendor_settings("yookassa", **patch)

    async def stats(self) -> Any:
        return await self.sandbox.stats("yookassa")


async def eventually(read: Callable[[], Awaitable[Any]], *, is_so: Callable[[Any], bool]) -> Any:
    """Read again and again, until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so(value := await read()):
            await asyncio.sleep(0.02)
    return value


def is_refusal(answer: Answer, status: int, code: str, parameter: str | None = None) -> bool:
    """Whether it is the vendor's error object; what is wrong with it fails here."""
    body = dict(answer.body)
    uuid.UUID(body.pop("id"))
    assert body.pop("description")
    expected = {"type": "error", "code": code}
    if parameter is not None:
        expected["parameter"] = parameter
    assert (answer.status, body) == (status, expected), answer
    return bool(answer.headers["Content-Type"].startswith("application/json"))


def basic(text: str) -> dict[str, str]:
    """The header of a shop and its key."""
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}
