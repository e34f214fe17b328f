"""The Bot API's answers, also such as only a broken server or a proxy gives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import orjson
import pytest
from aiohttp import web

from hamyon.kit.http import HttpClient
from hamyon.providers.telegram.api import Answered, BotApi, BotRefused, BotUnclear
from tests.kit.test_http import app_server, raw_server

TOKEN = "777000:sandbox-token-0123456789abcdefghijk"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def bot_of(http: HttpClient, url: str, *, timeout_s: float = 10.0) -> BotApi:
    return BotApi(http, token=TOKEN, base_url=url, timeout_s=timeout_s)


def server_of(handler: Handler) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    return app


def answering(
    status: int, body: object, headers: Mapping[str, str] | None = None
) -> web.Application:
    async def handler(_request: web.Request) -> web.Response:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(body=raw, status=status, headers=headers)

    return server_of(handler)


def refusal(
    code: int, description: str = "No", parameters: Mapping[str, object] | None = None
) -> dict[str, object]:
    return {
        "ok": False,
        "error_code": code,
        "description": description,
        "parameters": dict(parameters or {}),
    }


async def test_what_is_sent(http: HttpClient) -> None:
    seen: list[tuple[str, str, object]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, request.path, await request.json()))
        return web.json_response({"ok": True, "result": None})

    async with app_server(server_of(handler)) as url:
        outcome = await bot_of(http, url + "/").call("getMe", {"a": 1, "b": None, "c": "ў", "d": 0})
    assert outcome == Answered(None)
    assert seen == [("POST", f"/bot{TOKEN}/getMe", {"a": 1, "c": "ў", "d": 0})]


async def test_a_strange_token_stays_where_the_token_belongs(http: HttpClient) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.raw_path)
        return web.json_response({"ok": True, "result": None})

    async with app_server(server_of(handler)) as url:
        await BotApi(http, token="7:a/../b?c#d", base_url=url).call("getMe")
    assert seen == ["/bot7:a%2F..%2Fb%3Fc%23d/getMe"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((400, refusal(400)), (401, refusal(401)), (403, refusal(403)), (404, refusal(404))),
        *((409, refusal(409)), (200, refusal(400))),
    ],
)
async def test_refusals(http: HttpClient, status: int, body: dict[str, object]) -> None:
    async with app_server(answering(status, body)) as url:
        outcome = await bot_of(http, url).call("sendMessage")
    assert outcome == BotRefused(int(str(body["error_code"])), "No")
    assert not outcome.may_repeat


@pytest.mark.parametrize(
    ("parameters", "headers", "wish_s"),
    [
        ({"retry_after": 7}, {}, 7.0),
        ({"retry_after": 7}, {"Retry-After": "3"}, 7.0),
        ({}, {"Retry-After": "3"}, 3.0),
        ({"retry_after": 10**9}, {}, 3600.0),
        ({"retry_after": -1}, {}, None),
        ({"retry_after": "soon"}, {}, None),
        ({"retry_after": "nan"}, {}, None),
        ({"retry_after": "inf"}, {}, None),
        ({"retry_after": []}, {}, None),
        ({"retry_after": True}, {}, None),
        ({}, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({}, {}, None),
    ],
)
async def test_too_many(
    http: HttpClient,
    parameters: dict[str, object],
    headers: dict[str, str],
    wish_s: float | None,
) -> None:
    async with app_server(answering(429, refusal(429, parameters=parameters), headers)) as url:
        outcome = await bot_of(http, url).call("sendMessage")
    assert isinstance(outcome, BotRefused)
    assert outcome.may_repeat
    assert outcome.retry_after_s == wish_s


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((200, b""), (200, b"[]"), (200, b"{"), (200, {}), (200, {"ok": True})),
        *((200, {"ok": 1, "result": True}), (200, {"ok": "true", "result": True})),
        *((201, {"ok": True, "result": True}), (302, {"ok": True, "result": True})),
        *((400, b"<html>"), (400, {}), (404, {"detail": "Not Found"}), (413, b"too large")),
        *((500, refusal(500)), (502, b"<html>"), (503, {"ok": True, "result": 1})),
        *((500, refusal(400)), (200, refusal(500)), (200, {"ok": False})),
        *((403, {"ok": None, "error_code": 403}), (200, refusal(200)), (200, refusal(600))),
    ],
)
async def test_answers_that_leave_it_open(http: HttpClient, status: int, body: object) -> None:
    async with app_server(answering(status, body)) as url:
        assert isinstance(await bot_of(http, url).call("refundStarPayment"), BotUnclear)


async def test_an_answer_that_is_too_long(http: HttpClient) -> None:
    async with app_server(answering(200, {"ok": True, "result": "x" * 5000})) as url:
        outcome = await bot_of(http, url).call("getMe", limit_bytes=4000)
    assert isinstance(outcome, BotUnclear)


async def test_the_token_is_in_no_message(
    http: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def hanging(reader: object, writer: object) -> None:
        del reader, writer

    told: list[object] = []
    for status in (400, 404, 500):
        body = refusal(status, f"no such path: /bot{TOKEN}/getMe")
        async with app_server(answering(status, body)) as url:
            told.append(await bot_of(http, url).call("getMe"))
    async with app_server(answering(302, b"", {"Location": f"/bot{TOKEN}/x"})) as url:
        told.append(await bot_of(http, url).call("getMe"))
    async with raw_server(hanging) as url:
        told.append(await bot_of(http, url, timeout_s=0.2).call("getMe"))
    told.append(await bot_of(http, "http://127.0.0.1:1").call("getMe"))
    told.append(await bot_of(http, "no address").call("getMe"))
    told.append(bot_of(http, "http://127.0.0.1:1"))
    assert [type(one) for one in told[:3]] == [BotRefused, BotRefused, BotUnclear]
    assert all(isinstance(one, BotUnclear) for one in told[3:-1])
    ours = [one.getMessage() for one in caplog.records if one.name != "aiohttp.access"]
    assert "sandbox-token" not in f"{told} {ours}"


@pytest.mark.parametrize("result", [None, {}, "x", [1], [None]])
async def test_what_is_no_list_of_updates(http: HttpClient, result: object) -> None:
    async with app_server(answering(200, {"ok": True, "result": result})) as url:
        outcome = await bot_of(http, url).get_updates(None, 0, ["message"])
    assert isinstance(outcome, BotUnclear)


async def test_long_polling_waits_longer_than_a_call(http: HttpClient) -> None:
    asked: list[object] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(await request.json())
        await asyncio.sleep(0.3)
        return web.json_response({"ok": True, "result": [{"update_id": 1}]})

    async with app_server(server_of(handler)) as url:
        bot = bot_of(http, url, timeout_s=0.1)
        assert isinstance(await bot.call("getMe"), BotUnclear)
        assert await bot.get_updates(5, 30, ["message"]) == [{"update_id": 1}]
        await bot.get_updates(None, 30, [])
    assert asked[1:] == [
        {"offset": 5, "timeout": 30, "limit": 100, "allowed_updates": ["message"]},
        {"timeout": 30, "limit": 100, "allowed_updates": []},
    ]
