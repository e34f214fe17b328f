"""Logs: no road leads a secret out."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Literal, NoReturn

import pytest
import sentry_sdk
import structlog
from pydantic import SecretStr

from hamyon.kit import log
from hamyon.kit.settings import Settings

KEY = 'MARKED-"api\\key/'
TOKEN = "123456789:MARKED_AAE1234567890abcdefghijklmnopqrs"
PASSWORD = "MARKEDpassword"


def settings(log_format: Literal["console", "json"] = "json", **more: object) -> Settings:
    return Settings.model_validate(
        {
            "log_format": log_format,
            "api_key": SecretStr(KEY),
            "bot_token": SecretStr(TOKEN),
            "database_url": SecretStr(f"postgresql://me:{PASSWORD}@db/x"),
            **more,
        }
    )


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers = before
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def fail(message: str) -> NoReturn:
    raise RuntimeError(message)


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_marked_secrets_never_come_out(log_format: Literal["console", "json"]) -> None:
    stream = io.StringIO()
    log.configure(settings(log_format), stream=stream)
    ours, theirs = structlog.get_logger("a"), logging.getLogger("uvicorn.error")
    token = log.bind(request_id="r-1", note=KEY)
    ours.info(f"with {KEY}", field=KEY, nested={"deep": [KEY, TOKEN]})
    ours.info("url", url=f"https://api.example/bot{TOKEN}/getMe")
    theirs.warning("connecting as %s to %s", KEY, f"postgresql://me:{PASSWORD}@db/x")
    for logger in (ours, theirs):
        try:
            fail(f"{KEY} and {TOKEN} and {PASSWORD}")
        except RuntimeError:
            logger.exception("failed")
    log.unbind(token)
    written = stream.getvalue()
    assert "MARKED" not in written
    assert written.count("r-1") == 5
    assert "RuntimeError" in written


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("POST /bot987654321:AAFzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz/sendMessage", "AAFzzz"),
        ("https://api.example/bot42:short-one/getMe", "short-one"),
        ("Authorization: Bearer abc.def-ghi", "abc.def"),
        ("{'authorization': 'Bearer abcdefghij'}", "abcdefghij"),
        ('{"api-key": "hk_12345"}', "hk_12345"),
        ("[(b'api-key', b'hk_12345')]", "hk_12345"),
        ("X-Api-Key=hk_12345;", "hk_12345"),
        ("GET /files/a.png?expires=1&signature=abcdef0123&x=1", "abcdef0123"),
        ("callback?token=abcdef0123", "abcdef0123"),
        ("redis://:hunter2secret@cache:6379/0", "hunter2secret"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
        ("bare 123456789:AAE1234567890abcdefghijklmnopqrstu here", "AAE12345"),
    ],
)
def test_what_looks_like_a_secret_goes_too(text: str, gone: str) -> None:
    masked = log.Mask()(text)
    assert gone not in masked
    assert log.MASK in masked


@pytest.mark.parametrize(
    "text",
    [
        "an ordinary line with expires=1 and price=27",
        "2026-11-21T08:34:34 order 0190f3c2 completed in 12:30",
        "https://cdn.example/a.png?width=100",
        "the robot42 is a key person with a token of thanks",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert log.Mask()(text) == text


def test_short_values_are_not_hunted() -> None:
    assert log.Mask(["a", "12345"])("a car 12345") == "a car 12345"


def test_secret_fields_are_emptied_by_name() -> None:
    stream = io.StringIO()
    log.configure(settings(), stream=stream)
    structlog.get_logger().info("x", password="anything at all", token="t", init_data="q", price=3)
    event = json.loads(lines(stream)[0])
    assert [event[name] for name in ("password", "token", "init_data")] == [log.MASK] * 3
    assert event["price"] == 3


def test_every_secret_setting_is_known() -> None:
    names = [
        name
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    ]
    assert len(names) >= 7
    marked = {name: SecretStr(f"MARKED-{name}-value") for name in names}
    mask = log.Mask(log.secrets_of(Settings.model_validate(marked)))
    assert "MARKED" not in mask(" ".join(f"MARKED-{name}-value" for name in names))


def test_json_lines_stay_json_when_masked() -> None:
    stream = io.StringIO()
    log.configure(settings(), stream=stream)
    structlog.get_logger().info(
        "request",
        headers={"Authorization": "Bearer abcdefghijkl", "api-key": "hk_1234567"},
        url="https://x/?signature=abc",
        more='quote " and \\',
    )
    event = json.loads(lines(stream)[0])
    assert event["more"] == 'quote " and \\'
    assert "abcdefghijkl" not in str(event)
    assert "hk_1234567" not in str(event)


def test_a_value_cannot_forge_a_line() -> None:
    stream = io.StringIO()
    log.configure(settings("console"), stream=stream)
    structlog.get_logger().info("request", path="/x\n2026 error   you_are_hacked\x1b[31m")
    assert len(lines(stream)) == 1
    assert "\x1b" not in stream.getvalue()


def test_levels_count_for_both_roads() -> None:
    stream = io.StringIO()
    log.configure(settings(log_level="WARNING"), stream=stream)
    structlog.get_logger().info("quiet")
    logging.getLogger("pgqueuer").info("quiet")
    structlog.get_logger().warning("loud")
    logging.getLogger("pgqueuer").warning("loud")
    assert [json.loads(line)["event"] for line in lines(stream)] == ["loud", "loud"]


def test_configuring_twice_does_not_write_twice() -> None:
    stream = io.StringIO()
    for _ in range(2):
        log.configure(settings(), stream=stream)
    logging.getLogger("uvicorn.error").warning("once")
    assert len(lines(stream)) == 1


def test_sentry_gets_the_error_without_the_secret() -> None:
    """A real Sentry endpoint of our own receives what the SDK sends."""
    received: list[bytes] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    dsn = f"http://MARKEDpublic@127.0.0.1:{server.server_port}/1"
    try:
        log.configure(settings(sentry_dsn=SecretStr(dsn)), stream=io.StringIO())
        secret_local = KEY
        try:
            fail(f"broken with {secret_local}")
        except RuntimeError:
            structlog.get_logger().exception("it_broke", api_key=KEY)
        sentry_sdk.flush(5)
    finally:
        sentry_sdk.get_client().close()
        sentry_sdk.init()
        server.shutdown()
        thread.join()
    sent = b"".join(_plain(body) for body in received)
    assert b"RuntimeError" in sent
    assert b"MARKED-" not in sent


def _plain(body: bytes) -> bytes:
    import gzip

    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def test_the_default_stream_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(settings())
    structlog.get_logger().info("there")
    out, err = capsys.readouterr()
    assert out == ""
    assert "there" in err
    assert sys.stderr is not None
