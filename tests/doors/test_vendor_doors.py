"""Strange requests at the doors of vendors: a plain answer each, and nothing is kept of any.

Every one of them comes from where the vendor may come from, with the vendor's own secret.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import orjson
import pytest

from hamyon.payments.routes.vendors import EVENT_BYTES_MAX
from hamyon.surfaces.bot.routes import SECRET_HEADER, UPDATE_BYTES_MAX
from tests.doors.raw import answered
from tests.doors.scene import Scene, everything
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch

SHOP, BOT = b"/payments/yookassa/notification", b"/api/v1/telegram/webhook"
JSON = b"Content-Type: application/json\r\n"
PAYMENT = {"id": str(UUID(int=0x2D0F << 96 | 0x5000 << 64)), "status": "succeeded"}


def told(**changed: object) -> bytes:
    """As YooKassa tells of a payment, with other words."""
    event = {"type": "notification", "event": "payment.succeeded", "object": PAYMENT}
    return orjson.dumps(event | changed)


def paid(**changed: object) -> bytes:
    """As Telegram tells the bot of a payment, with other words."""
    charge = {"currency": "XTR", "total_amount": 70, "invoice_payload": "a",
              "telegram_payment_charge_id": "a", "provider_payment_charge_id": ""}  # fmt: skip
    message = {"from": {"id": 1}, "date": 1_795_000_000, "successful_payment": charge | changed}
    return orjson.dumps({"update_id": 1, "message": message})


RIGHT = {SHOP: told(), BOT: paid()}
BYTES_MAX = {SHOP: EVENT_BYTES_MAX, BOT: UPDATE_BYTES_MAX}
NO_USE = {SHOP: {404}, BOT: {200}}
"""What says nothing: Telegram would only repeat it, so it hears 200."""

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "a word": b"payment",
    "half of it": told()[:-1],
    "a list": b"[]",
    "null": b"null",
    "a number": b"5",
    "NaN": b'{"type": NaN}',
    "an integer of 5,000 digits": b'{"update_id": ' + b"9" * 5000 + b"}",
    "100,000 brackets": b"[" * 100_000,
    "a deep object": b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
    "a surrogate half": b'{"type": "notification", "message": {"text": "\\ud800"}}',
    "not UTF-8": b'{"type": "\xff\xfe"}',
    "UTF-16": told().decode().encode("utf-16"),
    "NUL bytes": b"\0" * 1000,
    "a form": b"type=notification&event=payment.succeeded&update_id=1",
    "an archive": b"\x1f\x8b\x08\x00" + bytes(100),
    "a page": b"<html></html>",
    "an event of another kind": told(event="deal.closed"),
    "an event without a name": told(event=None),
    "a payment without an id": told(object={}),
    "a payment that is a list": told(object=[PAYMENT]),
    "an id that is a number": told(object={"id": 7}),
    "an id with a path in it": told(object={"id": "../refunds"}),
    "an id with NUL": told(object={"id": "22e12f66-000f-5000-8000-18db351245c\0"}),
    "an endless id": told(object={"id": "a" * 10_000}),
    "a refund of nothing": told(event="refund.succeeded"),
    "no amount": paid(total_amount=None),
    "an amount beyond 64 bits": paid(total_amount=2**63 + 1),
    "a charge with NUL": paid(telegram_payment_charge_id="a\0"),
    "an endless payload": paid(invoice_payload="a" * 10_000),
}
TYPES = {
    "a form's type": b"Content-Type: application/x-www-form-urlencoded\r\n",
    "a multipart without a boundary": b"Content-Type: multipart/form-data\r\n",
    "text": b"Content-Type: text/plain; charset=utf-16\r\n",
    "no type": b"",
    "a type twice": JSON + b"Content-Type: text/html\r\n",
    "a packed body that is none": JSON + b"Content-Encoding: gzip\r\n",
}
METHODS = (b"GET", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"BREW")
SPELLINGS = {
    SHOP: (b"/payments/yookassa/notification/", b"/payments/YOOKASSA/notification",
           b"/Payments/yookassa/Notification", b"//payments/yookassa/notification",
           b"/payments//yookassa/notification", b"/payments/./yookassa/notification",
           b"/payments/yookassa;a/notification",
           b"/payments/yookassa%00/notification", b"/payments/yookassa%20/notification",
           b"/payments/%ff/notification", b"/payments/stars/notification",
           b"/payments/wavespeed/notification", b"/payments/../notification",
           b"/payments/" + b"a" * 5_000 + b"/notification", b"/api/v1" + SHOP,
           b"/payments/yookassa/notification.json"),
    BOT: (BOT + b"/", BOT.upper(), b"/api/v1/telegram/Webhook", b"//api/v1/telegram/webhook",
          b"/api/v1//telegram/webhook", b"/api/v1/telegram/webhook;a", b"/telegram/webhook",
          b"/api/v1/telegram/webhook%00", BOT + b"/7000000001"),
}  # fmt: skip


@pytest.fixture
async def scene(launch: Launch, sandbox: Sandbox) -> AsyncIterator[Scene]:
    """A service to which both vendors may come; nothing is left behind in it."""
    scene = Scene(await launch(sandbox, worker=False))
    before = await everything(scene.service)
    yield scene
    assert await everything(scene.service) == before


def sent(
    scene: Scene, path: bytes, body: bytes = b"", headers: bytes = JSON, method: bytes = b"POST"
) -> bytes:
    secret = f"{SECRET_HEADER}: {scene.service.deps.bot_secret}\r\n".encode()
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    return method + b" " + path + b" HTTP/1.1\r\nHost: a\r\n" + secret + headers + length + body


async def wrong_of(scene: Scene, requests: dict[str, tuple[bytes, set[int]]]) -> list[str]:
    """Which were answered otherwise than they may be."""
    wrong = []
    for name, (raw, allowed) in requests.items():
        status, head, body = await answered(scene, raw)
        problem = status < 400 or b"application/problem+json" in head or status == 400
        if status not in allowed or not problem:
            wrong.append(f"{name}: {status} {body[:200]!r}")
    return wrong


@pytest.mark.parametrize("door", [SHOP, BOT], ids=["yookassa", "telegram"])
async def test_strange_bodies_are_kept_nowhere(scene: Scene, door: bytes) -> None:
    requests = {name: (sent(scene, door, body), NO_USE[door]) for name, body in BODIES.items()}
    for name, header in TYPES.items():
        requests[name] = sent(scene, door, BODIES["a form"], header), NO_USE[door]
    assert not await wrong_of(scene, requests)


@pytest.mark.parametrize("door", [SHOP, BOT], ids=["yookassa", "telegram"])
async def test_other_methods_and_spellings_are_other_doors(scene: Scene, door: bytes) -> None:
    """With a body that the right door would keep."""
    right = RIGHT[door]
    requests = {
        method.decode(): (sent(scene, door, right, method=method), {400, 405}) for method in METHODS
    }
    for spelling in SPELLINGS[door]:
        requests[str(spelling)] = sent(scene, spelling, right), {404}
    requests["a parameter twice"] = sent(scene, door + b"?a=1&a=2", right), {422}
    assert not await wrong_of(scene, requests)


@pytest.mark.parametrize("door", [SHOP, BOT], ids=["yookassa", "telegram"])
async def test_huge_bodies_are_not_read(scene: Scene, door: bytes) -> None:
    announced = b"Content-Length: %d\r\n\r\n{" % (BYTES_MAX[door] + 1)
    head = sent(scene, door).partition(b"Content-Length")[0]
    chunk = b"%x\r\n%s\r\n" % (65_536, b" " * 65_536)
    endless = chunk * (BYTES_MAX[door] // 65_536 + 1) + b"0\r\n\r\n"
    requests = {
        "announced": (head + announced, {413}),
        "in chunks": (head + b"Transfer-Encoding: chunked\r\n\r\n" + endless, {413}),
        "of a negative length": (head + b"Content-Length: -1\r\n\r\n", {400}),
        "of two lengths": (head + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", {400}),
    }
    assert not await wrong_of(scene, requests)


@pytest.mark.parametrize("door", [SHOP, BOT], ids=["yookassa", "telegram"])
async def test_the_right_request_is_kept(launch: Launch, sandbox: Sandbox, door: bytes) -> None:
    """The doors are open: it was the strangeness that was refused above."""
    scene = Scene(await launch(sandbox, worker=False))
    assert (await answered(scene, sent(scene, door, RIGHT[door])))[0] == 200
    assert await scene.service.pool.fetchval("SELECT count(*) FROM inbox") == 1
