"""Limits hold against forged headers and spellings, over several processes, and without Valkey.

Every limit here gains next to nothing with time, so that a slow machine sees the same numbers.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr
from yarl import URL

from hamyon.surfaces.bot.routes import SECRET_HEADER
from tests.doors.scene import OTHER, VICTIM, open_scene
from tests.fixtures.database import Database
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import ADMIN_KEY, API_KEY, Launch, Process, Processes, settings_for
from tests.fixtures.valkey import ValkeyServer
from tests.users.signing import BOT_TOKEN

SLOW = 0.01
BURST = 30
VENDORS = ["/payments/yookassa/notification", "/api/v1/telegram/webhook"]
FORGED = [
    {"X-Forwarded-For": "203.0.113.{n}"},
    {"x-forwarded-for": "203.0.113.{n}, 198.51.100.{n}"},
    {"X-Real-IP": "203.0.113.{n}"},
    {"Forwarded": "for=203.0.113.{n};proto=https"},
    {"True-Client-IP": "203.0.113.{n}"},
    {"CF-Connecting-IP": "203.0.113.{n}"},
    {"X-Client-IP": "203.0.113.{n}", "X-Forwarded-Host": "h{n}"},
    {"X-Forwarded-For": "[2001:db8::{n}]:443"},
    {"Via": "1.1 p{n}", "X-Cluster-Client-IP": "203.0.113.{n}"},
]
SPELLINGS = [
    "/api/v1/info", "/api/v1/info/", "/API/V1/INFO", "/api/v1/Info", "//api/v1/info",
    "/api//v1/info", "/api/v1/./info", "/api/v1/x/../info", "/api/v1/info;a", "/api/v1/%69nfo",
    "/api/v1/info%20", "/api/v1/info%00", "/api/v1/info?a={n}", "/api/v1/info#{n}",
    "/api/v1/info?A={n}&a=b", "/api%2Fv1/info", "/api/v1/models", "/api/v1/sizes", "/absent/{n}",
]  # fmt: skip


async def statuses(
    session: aiohttp.ClientSession,
    url: str,
    paths: Iterable[str],
    headers: Iterable[Mapping[str, str]],
    *,
    method: str = "GET",
) -> Counter[int]:
    """What so many calls were answered."""
    got: Counter[int] = Counter()
    for path, more in zip(paths, headers, strict=False):
        target = URL(url + path, encoded=True)
        async with session.request(method, target, headers=more) as answer:
            got[answer.status] += 1
            await answer.read()
    return got


def _numbered(forms: list[dict[str, str]]) -> Iterable[dict[str, str]]:
    for n in itertools.count(1):
        form = forms[n % len(forms)]
        yield {name: value.replace("{n}", str(n % 250)) for name, value in form.items()}


async def test_forged_addresses_are_one_caller(launch: Launch) -> None:
    service = await launch(worker=False, rate_limit_rps=SLOW, rate_limit_burst=BURST)
    got = await statuses(
        service.api.session, service.api.url, ["/api/v1/info"] * 200, _numbered(FORGED)
    )
    assert got == {200: BURST, 429: 200 - BURST}


async def test_behind_a_trusted_proxy_the_proxys_word_counts(launch: Launch) -> None:
    """The right-most address is the proxy's own; whatever stands before it, the client wrote."""
    service = await launch(
        worker=False, rate_limit_rps=SLOW, rate_limit_burst=BURST, trusted_proxies=("127.0.0.0/8",)
    )
    forged = [{"X-Forwarded-For": "203.0.113.{n}, 198.51.100.7"}]
    one = await statuses(
        service.api.session, service.api.url, ["/api/v1/info"] * 100, _numbered(forged)
    )
    assert one == {200: BURST, 429: 100 - BURST}
    another = [{"X-Forwarded-For": "198.51.100.7, 198.51.100.8"}]
    two = await statuses(
        service.api.session, service.api.url, ["/api/v1/info"] * 10, itertools.cycle(another)
    )
    assert two == {200: 10}


@pytest.mark.parametrize(
    "paths",
    [
        VENDORS[:1],
        VENDORS[1:],
        [*VENDORS, "/payments/absent/notification", "/payments/YooKassa/notification"],
    ],
    ids=["yookassa", "telegram", "all"],
)
async def test_vendors_doors_count_by_address(
    launch: Launch, sandbox: Sandbox, paths: list[str]
) -> None:
    """Whoever knocks as a vendor uses up his own address's calls, and nobody else's."""
    service = await launch(
        sandbox,
        worker=False,
        rate_limit_rps=SLOW / 10,
        rate_limit_burst=BURST // 10,
        trusted_proxies=("127.0.0.0/8",),
    )
    session, url = service.api.session, service.api.url
    forged = [{"X-Forwarded-For": "203.0.113.{n}, 198.51.100.7", SECRET_HEADER: "a{n}"}]
    one = await statuses(
        session,
        url,
        itertools.islice(itertools.cycle(paths), 100),
        _numbered(forged),
        method="POST",
    )
    assert one == {404: BURST, 429: 100 - BURST}
    # The vendor itself, and people at the forger's address, are still heard.
    vendor = {"X-Forwarded-For": "198.51.100.8", SECRET_HEADER: service.deps.bot_secret}
    assert await statuses(session, url, [VENDORS[1]], [vendor], method="POST") == {200: 1}
    person = {"X-Forwarded-For": "198.51.100.7"}
    assert await statuses(session, url, ["/api/v1/info"], [person]) == {200: 1}


async def test_spellings_of_a_path_are_one_path(launch: Launch) -> None:
    service = await launch(worker=False, rate_limit_rps=SLOW, rate_limit_burst=BURST)
    paths = [spelling.replace("{n}", str(n)) for n in range(12) for spelling in SPELLINGS]
    got = await statuses(service.api.session, service.api.url, paths, itertools.repeat({}))
    assert got.total() - got[429] == BURST, got
    assert set(got) == {200, 404, 429}


async def test_spellings_and_new_sessions_are_one_person(launch: Launch) -> None:
    """A person's limit counts by person: another token or path buys nothing more."""
    scene = await open_scene(launch, worker=False)
    tokens = [await scene.sign_in(OTHER) for _ in range(3)]
    limits = scene.service.deps.limiter._limits
    limits["user"] = type(limits["user"])(SLOW, BURST)
    paths = [f"/api/v1/users/{OTHER}/balance", "/api/v1/generations", "/api/v1/generations/active"]
    words = itertools.cycle(["Bearer", "bearer", "BEARER  "])
    headers = ({"Authorization": f"{next(words)} {tokens[n % 3]}"} for n in itertools.count())
    session, url = scene.service.api.session, scene.service.api.url
    got = await statuses(session, url, itertools.islice(itertools.cycle(paths), 90), headers)
    assert got == {200: BURST, 429: 90 - BURST}


@pytest.mark.parametrize("kind", ["key", "token"])
async def test_guessing_credentials_ends_soon(launch: Launch, kind: str) -> None:
    service = await launch(worker=False)
    got: Counter[int] = Counter()
    for n in range(60):
        guess = (
            {"api-key": f"hk_{n:032}"} if kind == "key" else {"Authorization": f"Bearer a.b.{n}"}
        )
        path = [f"/api/v1/users/{n + 1}/balance", "/metrics", "/api/v1/admin/roles"][n % 3]
        got += await statuses(service.api.session, service.api.url, [path], [guess])
    assert got[401] <= 22
    assert got[401] + got[429] == 60
    # Not even the right key is looked at now, so that a guess that hits says nothing.
    right = await statuses(
        service.api.session, service.api.url, ["/metrics"], [{"api-key": API_KEY}]
    )
    assert right == {429: 1}


async def test_three_processes_share_one_limit(
    database: Database, processes: Processes, valkey: str, tmp_path: Path
) -> None:
    rate, burst, calls = 1.0, 400, 330
    settings = settings_for(
        database,
        tmp_path / "home",
        None,
        redis_url=SecretStr(valkey),
        rate_limit_rps=rate,
        rate_limit_burst=burst,
        database_pool_size=2,
    )
    apis = [processes.start("api", settings) for _ in range(3)]
    for api in apis:
        await processes.ready(api)
    started = time.monotonic()
    async with aiohttp.ClientSession() as session:
        many = await asyncio.gather(
            *(
                statuses(session, api.url, ["/api/v1/info"] * (calls // 3), _numbered(FORGED))
                for api in apis
                for _ in range(6)
            )
        )
    got: Counter[int] = sum(many, Counter())
    # Waiting for the three to be ready asked, too, and the bucket gains while it is emptied.
    gained = rate * (time.monotonic() - started) + 1
    assert set(got) == {200, 429}
    assert got.total() > 4 * burst
    assert got[200] <= (burst + gained) * 1.05
    assert got[200] >= burst * 0.95 - 30


async def test_processes_count_wrong_promo_codes_together(
    database: Database, processes: Processes, tmp_path: Path
) -> None:
    """Five guesses and then an hour's wait, whichever process is asked; nobody else waits."""
    settings = settings_for(database, tmp_path / "home", None, database_pool_size=4)
    apis = [processes.start("api", settings) for _ in range(3)]
    for api in apis:
        await processes.ready(api)
    async with aiohttp.ClientSession() as session:
        code = {"code": "RIGHT", "asset": "credit", "amount": 5, "per_user_limit": 100}
        admin = {"api-key": ADMIN_KEY}
        assert await posted(session, apis[0], "admin/promo_codes", code, admin) == 201
        for user_id in (VICTIM, OTHER):
            assert await posted(session, apis[0], "users/sync", {"telegram_id": user_id}) == 200
        guesses = [{"telegram_id": OTHER, "code": f"WRONG{n}"} for n in range(60)]
        got = Counter(
            await asyncio.gather(
                *(
                    posted(session, api, "promo_codes/redeem", guess)
                    for api, guess in zip(itertools.cycle(apis), guesses, strict=False)
                )
            )
        )
        assert got == {404: 5, 429: 55}
        for api in apis:
            for user_id, status in ((OTHER, 429), (VICTIM, 200)):
                wish = {"telegram_id": user_id, "code": "RIGHT"}
                assert await posted(session, api, "promo_codes/redeem", wish) == status


async def posted(
    session: aiohttp.ClientSession,
    api: Process,
    path: str,
    body: object,
    headers: Mapping[str, str] | None = None,
) -> int:
    """The status of a service's call of one of several processes."""
    async with session.post(
        f"{api.url}/api/v1/{path}", json=body, headers=headers or {"api-key": API_KEY}
    ) as answer:
        await answer.read()
        return answer.status


async def test_without_valkey_sign_in_is_refused_and_the_rest_goes_on(
    launch: Launch, own_valkey: ValkeyServer
) -> None:
    service = await launch(
        worker=False, redis_url=SecretStr(own_valkey.url), bot_token=SecretStr(BOT_TOKEN)
    )
    await service.person(OTHER, 100)
    wrong = {"init_data": "user=%7B%7D&auth_date=1&hash=" + "0" * 64}
    doors = (
        ("/auth/telegram/miniapp", wrong),
        ("/auth/refresh", {"refresh_token": "x"}),
        ("/../auth/telegram", {"id": 7, "auth_date": 1, "hash": "0" * 64}),
    )
    for path, body in doors:
        assert (await service.api.call("POST", path, body)).status == 401, path
    own_valkey.kill()
    for path, body in doors:
        answer = await service.api.call("POST", path, body)
        assert (answer.status, answer.code) == (503, "unavailable"), path
        assert int(answer.headers["Retry-After"]) >= 1
    assert (await service.api.call("GET", "/models")).status == 200
    assert await service.api.balance(OTHER) == (100, 0)
    assert (await service.api.submit(OTHER)).status == 202
    health = await service.api.call("GET", "/health")
    assert (health.status, health.body["checks"]["cache"]) == (200, "down")
    own_valkey.start()
    async with asyncio.timeout(30):
        while (await service.api.call("POST", *doors[0])).status != 401:
            await asyncio.sleep(0.1)
