"""No secret of ours or of a person's stands in a log, an answer to a refusal, or an error report.

Every secret setting, token and signature of a busy scene is a mark, and everything that was
written during it is searched for all of them.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp
import psycopg
import pytest
import sentry_sdk
import structlog
from pydantic import SecretStr
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from hamyon.kit.settings import Settings
from tests.doors import payers
from tests.doors.scene import OTHER, VICTIM
from tests.doors.search import Search, ask
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import ADMIN_KEY, API_KEY, JWT_SECRET, Launch, Service
from tests.media.pictures import picture
from tests.users.signing import BOT_TOKEN, init_data, mini_app_fields, signed_widget, widget_fields

SENTRY_KEY = "0123456789abcdef0123456789abcdef"
SENTRY_SECRET = "fedcba9876543210fedcba9876543210"
WRONG_KEY = "hk_wrong-a-guess-0123456789abcdef"
WRONG_TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiI3NzcifQ.d3Jvbmctc2lnbmF0dXJl"


class Captured(Transport):
    """What would have been sent to Sentry."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.sent.append(envelope.serialize().decode(errors="replace"))


def secrets_of(service: Service) -> Settings:
    """The settings in force; every secret one must be set, or it is not looked for."""
    settings = service.settings
    for name, kind in Settings.model_fields.items():
        if "SecretStr" in str(kind.annotation) and name not in {
            "redis_url",
            "migrations_database_url",
        }:
            assert getattr(settings, name) is not None, f"give {name} a mark"
    return settings


async def sign_ins(service: Service, search: Search) -> None:
    """Right and wrong proofs, tokens and keys."""
    fields = mini_app_fields(int(time.time()), OTHER)
    proof = init_data(fields)
    search.mark("init_data's hash", parse_qs(proof)["hash"][0])
    widget = signed_widget(widget_fields(int(time.time()), VICTIM))
    search.mark("the widget's hash", widget["hash"])
    for path, body in (
        ("/api/v1/auth/telegram/miniapp", {"init_data": proof}),
        (
            "/api/auth/telegram",
            {**widget, "id": VICTIM, "auth_date": int(widget["auth_date"])},
        ),
    ):
        given = await ask(service, search, "POST", path, json=body)
        search.mark("an access token", given["token"])
        search.mark("a refresh token", given["refresh_token"])
        bearer = {"Authorization": f"Bearer {given['token']}"}
        await ask(service, search, "POST", path, json={**body, "unknown": proof})
        await ask(service, search, "GET", "/api/v1/admin/roles", headers=bearer)
        once = {"refresh_token": given["refresh_token"]}
        fresh = await ask(service, search, "POST", "/api/v1/auth/refresh", json=once)
        search.mark("a second refresh token", fresh["refresh_token"])
        search.mark("a second access token", fresh["token"])
        assert await ask(service, search, "POST", "/api/v1/auth/refresh", json=once) == 401
    wrong = {"init_data": proof + "0"}
    await ask(service, search, "POST", "/api/v1/auth/telegram/miniapp", json=wrong)
    search.mark("a wrong key", WRONG_KEY)
    search.mark("a wrong token", WRONG_TOKEN)
    for headers in (
        {"api-key": WRONG_KEY},
        {"Authorization": f"Bearer {WRONG_TOKEN}"},
        {"Authorization": f"Basic {WRONG_TOKEN}"},
        {"api-key": API_KEY, "Authorization": f"Bearer {WRONG_TOKEN}"},
    ):
        assert await ask(service, search, "GET", "/metrics", headers=headers) == 401
    # In the wrong place, where it is nobody's business.
    await ask(service, search, "GET", f"/api/v1/models?api_key={API_KEY}&token={WRONG_TOKEN}")
    await ask(service, search, "GET", f"/api/v1/absent?init_data={quote(proof)}")


async def keys(service: Service, search: Search) -> None:
    owner = {"api-key": ADMIN_KEY}
    wanted = {"name": "marked", "scopes": ["users", "metrics"]}
    made = await ask(
        service, search, "POST", "/api/v1/admin/service_keys", json=wanted, headers=owner
    )
    search.mark("a service key", made["secret"])
    await ask(service, search, "GET", "/metrics", headers={"api-key": made["secret"]})
    await ask(service, search, "GET", "/api/v1/admin/roles", headers={"api-key": made["secret"]})
    path = f"/api/v1/admin/service_keys/{made['id']}"
    rotated = await ask(service, search, "POST", f"{path}/rotate", json={}, headers=owner)
    search.mark("its successor", rotated["secret"])


async def orders(service: Service, search: Search, sandbox: Sandbox) -> None:
    """One that succeeds, seen through signed URLs, and some at which the provider fails."""
    api = service.api
    await service.person(OTHER, 5_000)
    form = aiohttp.FormData({"telegram_id": str(OTHER)})
    form.add_field("file", picture(), filename="a.jpg")
    upload = (await api.call("POST", "/media/upload", data=form)).body["items"][0]
    order = await api.ordered(OTHER, references=[upload["upload_id"]])
    done = await api.ended(OTHER, order)
    assert done["status"] == "completed"
    for url in (upload["url"], done["results"][0]["url"]):
        search.mark("a URL's signature", parse_qs(urlsplit(url).query)["signature"][0])
        path = url.removeprefix(service.settings.base_url)
        assert isinstance(await ask(service, search, "GET", path), bytes)
        assert await ask(service, search, "GET", path.replace("signature=", "signature=a")) == 404
    deps, job = service.deps, await service.job(order)
    callback = deps.callback_url("wavespeed", job["id"])
    assert callback is not None
    parts = urlsplit(callback)
    search.mark("a callback's token", parse_qs(parts.query)["token"][0])
    await ask(service, search, "POST", callback.removeprefix(service.settings.base_url), data=b"{}")
    for kind in ("failed", "not_json", "accepted_then_cut", "output_404"):
        await sandbox.fault(kind)
        await api.submit(OTHER, f"a fox that meets {kind}")
        await asyncio.sleep(0.5)
        await sandbox.clear_faults()


async def broken(service: Service, search: Search) -> None:
    """Our own mistakes, and the database gone in the middle of everything."""
    headers = {"api-key": API_KEY}
    await service.as_owner("ALTER TABLE trial_uses RENAME TO trial_uses_away")
    path = f"/api/v1/users/{OTHER}/trial"
    assert await ask(service, search, "GET", path, headers=headers) == 500
    await service.as_owner("ALTER TABLE trial_uses_away RENAME TO trial_uses")
    async with database_away(service):
        got = [
            await ask(service, search, "GET", f"/api/v1/users/{OTHER}/{what}", headers=headers)
            for what in ("balance", "ledger", "trial")
        ]
        assert 503 in got
        proof = init_data(mini_app_fields(int(time.time()), OTHER, photo_url="x"))
        search.mark("a hash without a database", parse_qs(proof)["hash"][0])
        await ask(
            service, search, "POST", "/api/v1/auth/telegram/miniapp", json={"init_data": proof}
        )
        await ask(service, search, "GET", "/health")


def slips(service: Service, search: Search) -> None:
    """What a library or a mistake of ours might say: the last line of defence must hold."""
    stranger = logging.getLogger("somebody.else")
    bot_url = f"https://api.telegram.org/bot{BOT_TOKEN}/getMe"
    stranger.error("cannot connect to %s, quoted %s", bot_url, quote(bot_url, safe=""))
    for name in Settings.model_fields:
        value = getattr(service.settings, name)
        if isinstance(value, SecretStr):
            secret = value.get_secret_value()
            stranger.error("cannot reach %s", secret)
            try:
                raise ValueError(f"bad value {secret!r}")  # noqa: TRY301 -- to be logged here
            except ValueError:
                structlog.get_logger("ours").exception("slip", given=secret)
    for way, name in search.marks.items():
        if "access token" in name or name == "a wrong token":
            stranger.error("GET /x Authorization: Bearer %s", way)
        elif name == "YooKassa's key in a header":
            stranger.error("POST /v3/payments {'Authorization': 'Basic %s'}", way)
        elif "signature" in name:
            stranger.error("GET https://example.com/a.png?expires=1&signature=%s", way)


@asynccontextmanager
async def database_away(service: Service) -> AsyncIterator[None]:
    """Every connection is cut and none is let in; the cluster is the tests' own."""
    name = service.database.name

    def admit(connections: int) -> None:
        with psycopg.connect(service.database.superuser_dsn, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT {connections}'.encode())
            if connections == 0:
                connection.execute(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = %s AND pid <> pg_backend_pid()
                    """,
                    (name,),
                )

    await asyncio.to_thread(admit, 0)
    try:
        yield
    finally:
        await asyncio.to_thread(admit, -1)


@pytest.fixture
def unchanged_log() -> Iterator[None]:
    """The log writes to a stream of this test only, which the tests after it must not find."""
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers = []


@pytest.mark.parametrize("log_format", ["console", "json"])
async def test_no_secret_leaks(
    unchanged_log: None,
    monkeypatch: pytest.MonkeyPatch,
    launch: Launch,
    sandbox: Sandbox,
    log_format: str,
) -> None:
    search, captured = Search(), Captured()
    outputs = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", outputs[0])
    monkeypatch.setattr(sys, "stderr", outputs[1])
    service = await launch(
        sandbox,
        webhooks=True,
        bot_token=SecretStr(BOT_TOKEN),
        **payers.SETTINGS,
        log_level="DEBUG",
        log_format=log_format,
        sentry_dsn=SecretStr(f"http://{SENTRY_KEY}:{SENTRY_SECRET}@127.0.0.1:9/1"),
    )
    client = sentry_sdk.get_client()
    client.transport = captured
    try:
        settings = secrets_of(service)
        for name in Settings.model_fields:
            value = getattr(settings, name)
            if isinstance(value, SecretStr) and name not in {"sentry_dsn", "database_url"}:
                search.mark(name, value.get_secret_value())
        search.mark("sentry_dsn", SENTRY_SECRET)
        assert settings.database_url is not None
        search.mark("database_url", settings.database_url.get_secret_value())
        search.mark("jwt_secret", JWT_SECRET)
        payers.marked(service, search)
        await payers.vendors_know_us(sandbox)
        await sign_ins(service, search)
        await keys(service, search)
        await orders(service, search, sandbox)
        await payers.payments(service, search, sandbox)
        await broken(service, search)
        slips(service, search)
        sentry_sdk.flush(2)
    finally:
        sentry_sdk.init()
    out, err = (output.getvalue() for output in outputs)
    assert "unexpected_error" in err
    assert "database_away" in err
    for met in ("payment declined", "payment unclear", "/setWebhook is ", "/getUpdates is "):
        assert met in err, met
    assert len(search.answers) > 15
    assert any("trial_uses" in event for event in captured.sent), captured.sent
    hits = search.found("standard output", out) + search.found("the log", err)
    for answer in search.answers:
        hits += search.found("an answer", answer)
    for event in captured.sent:
        hits += search.found("Sentry", event)
    assert not hits, "\n".join(hits)
