"""What the shared client says of a failed request, against servers that really fail so."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from hamyon.kit.http import FailureKind, HttpClient, HttpFailure, Response

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    async with HttpClient() as opened:
        yield opened


@asynccontextmanager
async def raw_server(handler: Handler) -> AsyncIterator[str]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()


@asynccontextmanager
async def app_server(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # a real server
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def post(client: HttpClient, url: str, timeout_s: float = 5, limit: int = 1000) -> Response:
    return await client.request(
        "POST", url, json={"a": "б"}, timeout_s=timeout_s, limit_bytes=limit
    )


async def kind_of(client: HttpClient, url: str, **options: float) -> FailureKind:
    with pytest.raises(HttpFailure) as caught:
        await post(client, url, **options)  # type: ignore[arg-type]  # the two numbers above
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value.kind


def answering(raw: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    return handler


async def test_a_whole_answer_of_any_status(client: HttpClient) -> None:
    async def handler(request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response({"got": body, "x": request.headers["X-One"]}, status=418)

    app = web.Application()
    app.router.add_post("/a", handler)
    async with app_server(app) as url:
        answer = await client.request(
            "POST", url + "/a", json=[1], headers={"X-One": "1"}, timeout_s=5, limit_bytes=100
        )
    assert (answer.status, answer.json()) == (418, {"got": [1], "x": "1"})
    assert answer.headers["content-TYPE"].startswith("application/json")


async def test_refused_connection_was_not_sent(client: HttpClient) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and not listening: connecting is refused.
        port = taken.getsockname()[1]
        url = f"http://127.0.0.1:{port}/?token=secret"
        assert await kind_of(client, url) is FailureKind.NOT_SENT


async def test_an_unknown_name_was_not_sent(client: HttpClient) -> None:
    url = "http://no-such-host.invalid/secret"
    assert await kind_of(client, url) is FailureKind.NOT_SENT


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://h/secret", "http://[::1/secret"])
async def test_a_url_that_is_none_was_not_sent(client: HttpClient, url: str) -> None:
    assert await kind_of(client, url) is FailureKind.NOT_SENT


async def test_a_full_backlog_was_not_sent(client: HttpClient) -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    waiting = []
    for _ in range(4):  # Nobody accepts: further connections hang before they are made.
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
        waiting.append(one)
    await asyncio.sleep(0.05)
    assert await kind_of(client, url, timeout_s=0.3) is FailureKind.NOT_SENT
    for one in [*waiting, listener]:
        one.close()


async def test_failed_tls_was_not_sent(client: HttpClient) -> None:
    async def no_tls(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Speak plainly\r\n\r\n")
        writer.close()

    async with raw_server(no_tls) as url:
        plain = url.replace("http://", "https://")
        assert await kind_of(client, plain + "/?token=secret") is FailureKind.NOT_SENT


async def test_silence_after_connecting_is_unknown(client: HttpClient) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with raw_server(silent) as url:
        assert await kind_of(client, url + "/?t=secret", timeout_s=0.3) is FailureKind.UNKNOWN


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_a_cut_or_odd_answer_is_unknown(client: HttpClient, raw: bytes) -> None:
    async with raw_server(answering(raw)) as url:
        assert await kind_of(client, url + "/secret") is FailureKind.UNKNOWN


async def test_a_cut_while_sending_is_unknown(client: HttpClient) -> None:
    async def slam(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with raw_server(slam) as url:
        with pytest.raises(HttpFailure) as caught:
            await client.request("POST", url, data=bytes(8_000_000), timeout_s=5, limit_bytes=10)
    assert caught.value.kind is FailureKind.UNKNOWN


async def test_a_connection_closed_while_idle_never_says_not_sent(client: HttpClient) -> None:
    served = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await reader.read(1)  # The second request arrives, and the connection goes.
        await reader.read(5)
        writer.transport.abort()

    async with raw_server(once) as url:
        assert (await client.request("POST", url, timeout_s=5, limit_bytes=10)).body == b"ok"
        with pytest.raises(HttpFailure) as caught:
            await client.request("POST", url, timeout_s=5, limit_bytes=10)
    assert caught.value.kind is FailureKind.UNKNOWN
    assert served == 1


async def test_too_large(client: HttpClient) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    for raw in (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + bytes(5000),
        b"HTTP/1.1 200 OK\r\n\r\n" + bytes(5000),
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + bomb,
    ):
        async with raw_server(answering(raw)) as url:
            assert await kind_of(client, url, limit=1000) is FailureKind.TOO_LARGE


async def test_an_endless_answer_ends(client: HttpClient) -> None:
    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        except ConnectionError:
            pass

    async with raw_server(endless) as url:
        taken = 0
        with pytest.raises(HttpFailure) as caught:
            async with client.stream(url, timeout_s=10, limit_bytes=1_000_000) as answer:
                async for piece in answer.pieces:
                    taken += len(piece)
    assert caught.value.kind is FailureKind.TOO_LARGE
    assert taken <= 1_000_000


async def test_a_post_is_sent_once_and_redirects_are_answers(client: HttpClient) -> None:
    calls = 0

    async def handler(_request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        raise web.HTTPTemporaryRedirect("/again")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", handler)
    async with app_server(app) as url:
        assert (await post(client, url + "/a")).status == 307
    assert calls == 1


async def test_a_callers_own_error_stays_his(client: HttpClient) -> None:
    async with raw_server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as url:
        with pytest.raises(KeyError):
            async with client.stream(url, timeout_s=5, limit_bytes=10):
                raise KeyError("mine")


async def test_nothing_secret_is_logged(
    client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with raw_server(answering(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")) as url:
        await client.request(
            "GET",
            url + "/path-secret?token=query-secret",
            headers={"Authorization": "Bearer header-secret"},
            timeout_s=5,
            limit_bytes=10,
        )
    assert "secret" not in caplog.text


async def test_presigned_urls_keep_their_spelling(client: HttpClient) -> None:
    seen: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with raw_server(handler) as url:
        await client.request("GET", url + "/a%2Fb~%7E?s=%2b+%20/%3D", timeout_s=5, limit_bytes=1)
    assert seen == [b"GET /a%2Fb~%7E?s=%2b+%20/%3D HTTP/1.1\r\n"]
