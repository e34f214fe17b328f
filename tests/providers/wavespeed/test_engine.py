"""The engine against the simulated vendor: each fault ends in exactly one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web

from hamyon.kit.clock import MovedClock
from hamyon.kit.http import HttpClient
from hamyon.kit.picture_headers import PictureRefused
from hamyon.kit.pictures import probe
from hamyon.kit.storage import NoSuchFile
from hamyon.orders.errors import DownloadFailed
from hamyon.orders.types import (
    Accepted,
    Failed,
    Finished,
    Output,
    PollOutcome,
    ProviderClass,
    Reference,
    Refused,
    Running,
    Unknown,
)
from hamyon.providers.wavespeed.engine import ReferenceRoute, WaveSpeedEngine
from tests.fixtures.sandbox import Sandbox
from tests.kit.test_http import app_server
from tests.providers.requests import job, picture_bytes, reference


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with HttpClient() as opened:
        yield opened


@pytest.fixture
async def fast(sandbox: Sandbox) -> Sandbox:
    await sandbox.settings(created_s=0.0, processing_s=0.02)
    return sandbox


def engine_of(
    http: HttpClient,
    sandbox: Sandbox,
    *,
    clock: MovedClock | None = None,
    callbacks: bool = False,
    key: str | None = None,
    timeout_s: float = 10.0,
    route: ReferenceRoute | None = None,
) -> WaveSpeedEngine:
    return WaveSpeedEngine(
        http,
        clock or MovedClock(),
        api_key=key or sandbox.key,
        base_url=sandbox.url,
        public_url=None,
        allow_http_callbacks=callbacks,
        timeout_s=timeout_s,
        poll_after_s=0.02,
        poll_after_webhook_s=0.02,
        reference_route=route,
    )


async def ended(engine: WaveSpeedEngine, provider_job_id: str) -> PollOutcome:
    for _ in range(200):
        outcome = await engine.poll(provider_job_id)
        if not isinstance(outcome, Running):
            return outcome
        await asyncio.sleep(outcome.poll_after_s)
    raise AssertionError("the task never ended")


async def downloaded(engine: WaveSpeedEngine, output: Output) -> bytes:
    return b"".join([piece async for piece in engine.download(output)])


async def accepted(engine: WaveSpeedEngine, prompt: str = "a cat at the sea") -> str:
    outcome = await engine.submit(job(prompt))
    assert isinstance(outcome, Accepted)
    return outcome.provider_job_id


async def test_from_words_to_a_picture(http: HttpClient, fast: Sandbox) -> None:
    engine = engine_of(http, fast)
    outcome = await ended(engine, await accepted(engine))
    assert isinstance(outcome, Finished)
    assert outcome.cost_micro_usd == 27_000
    picture = await probe(await downloaded(engine, outcome.outputs[0]))
    assert (picture.width, picture.height) == (1024, 1024)
    assert (await fast.stats())["accepted"] == 1
    assert engine.provider_class is ProviderClass.OPAQUE
    assert not await engine.cancel("any")


@pytest.mark.parametrize("route", [ReferenceRoute.UPLOAD, ReferenceRoute.INLINE])
async def test_references_reach_the_vendor(
    http: HttpClient, fast: Sandbox, route: ReferenceRoute
) -> None:
    engine = engine_of(http, fast, route=route)
    options = {"aspect_ratio": "16:9", "resolution": "1k", "output_format": "jpeg"}
    references = [reference(picture_bytes("red")), reference(picture_bytes("blue"))]
    outcome = await engine.submit(
        job(path="google/nano-banana-pro/edit", options=options, references=references)
    )
    assert isinstance(outcome, Accepted)
    finished = await ended(engine, outcome.provider_job_id)
    assert isinstance(finished, Finished)
    assert finished.cost_micro_usd == 140_000
    picture = await probe(await downloaded(engine, finished.outputs[0]))
    assert picture.mime == "image/jpeg"


async def test_signed_urls_are_passed_on(http: HttpClient, fast: Sandbox) -> None:
    fetched = 0

    async def serve(_request: web.Request) -> web.Response:
        nonlocal fetched
        fetched += 1
        return web.Response(body=picture_bytes(), content_type="image/png")

    app = web.Application()
    app.router.add_get("/files/a", serve)
    async with app_server(app) as url:
        engine = engine_of(http, fast, route=ReferenceRoute.SIGNED_URL)
        outcome = await engine.submit(
            job(path="bytedance/seedream-v4/edit",
                references=[reference(b"", url + "/files/a?expires=1&signature=s")])
        )  # fmt: skip
        assert isinstance(outcome, Accepted)
        assert isinstance(await ended(engine, outcome.provider_job_id), Finished)
    assert fetched == 1


async def test_a_lost_reference_fails_before_anything_is_asked(
    http: HttpClient, fast: Sandbox
) -> None:
    async def gone() -> bytes:
        raise NoSuchFile("a")

    lost = Reference(mime="image/png", bytes=1, url="https://h.example/a", read=gone)
    outcome = await engine_of(http, fast).submit(
        job(path="bytedance/seedream-v4/edit", references=[lost])
    )
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.outage) == ("reference_unreadable", False)
    assert (await fast.stats())["accepted"] == 0


@pytest.mark.parametrize(("operation", "kind"), [
    ("upload_ticket", "status"), ("upload_ticket", "not_json"), ("upload_ticket", "refuse"),
    ("upload_ticket", "answer_truncated"), ("upload_put", "status"), ("upload_put", "refuse"),
    ("upload_put", "accepted_then_cut"),
])  # fmt: skip
async def test_an_upload_that_fails_asks_for_nothing(
    http: HttpClient, fast: Sandbox, operation: str, kind: str
) -> None:
    await fast.fault(
        kind, {"operation": operation}, **({"status": 500} if kind == "status" else {})
    )
    outcome = await engine_of(http, fast).submit(
        job(path="bytedance/seedream-v4/edit", references=[reference(picture_bytes())])
    )
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable, outcome.outage) == ("provider_unreachable", True, True)
    assert (await fast.stats())["accepted"] == 0


@pytest.mark.parametrize("status", [408, 500, 502, 504])
@pytest.mark.parametrize("was_accepted", [True, False])
async def test_a_gateways_error_on_submit_proves_nothing(
    http: HttpClient, fast: Sandbox, status: int, was_accepted: bool
) -> None:
    await fast.fault("status", {"operation": "submit"}, status=status, accepted=was_accepted)
    assert isinstance(await engine_of(http, fast).submit(job()), Unknown)
    assert (await fast.stats())["accepted"] == int(was_accepted)


@pytest.mark.parametrize("kind", ["accepted_then_cut", "answer_truncated", "not_json", "hang"])
async def test_a_lost_answer_is_unknown(http: HttpClient, fast: Sandbox, kind: str) -> None:
    options = {"seconds": 3, "accepted": True} if kind == "hang" else {}
    if kind == "not_json":
        options = {"accepted": True}
    await fast.fault(kind, {"operation": "submit"}, **options)
    outcome = await engine_of(http, fast, timeout_s=0.5).submit(job())
    assert isinstance(outcome, Unknown)
    stats = await fast.stats()
    assert stats["accepted"] == 1
    assert stats["requests"] == {"submit": 1}


async def test_limits_and_outages_are_retryable(http: HttpClient, fast: Sandbox) -> None:
    engine = engine_of(http, fast)
    await fast.fault("status", {"operation": "submit"}, status=429, retry_after=7)
    busy = await engine.submit(job())
    assert isinstance(busy, Failed)
    assert (busy.retryable, busy.outage, busy.retry_after_s) == (True, True, 7.0)
    await fast.clear_faults()
    await fast.fault("status", {"operation": "submit"}, status=503)
    out = await engine.submit(job())
    assert isinstance(out, Failed)
    assert (out.code, out.retryable, out.outage) == ("provider_outage", True, True)
    assert (await fast.stats())["accepted"] == 0


async def test_a_closed_port_is_an_outage(http: HttpClient) -> None:
    engine = engine_of(http, Sandbox("http://127.0.0.1:1"))
    outcome = await engine.submit(job())
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable, outcome.outage) == ("provider_unreachable", True, True)
    assert isinstance(await engine.poll("a"), Unknown)
    assert await engine.balance_micro_usd() is None
    assert await engine.price_micro_usd("bytedance/seedream-v4", {}) is None


async def test_what_asking_again_cannot_help(http: HttpClient, fast: Sandbox) -> None:
    engine = engine_of(http, fast)
    cases = [
        (await engine.submit(job(path="nobody/knows-it")), "model_unavailable", False),
        (await engine.submit(job(path="../admin")), "model_unavailable", False),
        (await engine.submit(job(options={"size": "1*1"})), "provider_rejected", False),
        (await engine_of(http, fast, key="wrong").submit(job()), "provider_credentials", True),
    ]
    await fast.settings(keys=[{"key": "poor", "balance_usd": 0.001}])
    cases.append((await engine_of(http, fast, key="poor").submit(job()), "provider_funds", True))
    for outcome, code, outage in cases:
        assert isinstance(outcome, Failed)
        assert (outcome.code, outcome.retryable, outcome.outage) == (code, False, outage)
    assert (await fast.stats())["accepted"] == 0


async def test_how_tasks_end(http: HttpClient, fast: Sandbox) -> None:
    engine = engine_of(http, fast)
    rules = {
        "empty": {"kind": "completed_without_outputs"},
        "nude": {"kind": "nsfw", "flagged": True},
        "moderated": {"kind": "nsfw"},
        "broken": {"kind": "failed", "code": 1405},
        "inner": {"kind": "failed", "code": 5000},
        "late": {"kind": "failed", "code": 5004, "state": "timeout"},
        "stuck": {"kind": "stuck_processing"},
    }
    await fast.faults(
        *({"match": {"prompt_contains": word}, "fault": fault} for word, fault in rules.items())
    )
    empty = await ended(engine, await accepted(engine, "empty"))
    assert isinstance(empty, Failed)
    assert (empty.code, empty.retryable) == ("no_picture", True)
    for prompt in ("nude", "moderated"):
        assert isinstance(await ended(engine, await accepted(engine, prompt)), Refused)
    broken = await ended(engine, await accepted(engine, "broken"))
    inner = await ended(engine, await accepted(engine, "inner"))
    late = await ended(engine, await accepted(engine, "late"))
    assert isinstance(broken, Failed)
    assert isinstance(inner, Failed)
    assert isinstance(late, Failed)
    assert [broken.retryable, inner.retryable, late.retryable] == [False, True, True]
    assert [broken.outage, inner.outage, late.outage] == [False, False, False]
    stuck = await accepted(engine, "stuck")
    for _ in range(5):
        await asyncio.sleep(0.02)
        assert isinstance(await engine.poll(stuck), Running)


@pytest.mark.parametrize("kind", ["status", "not_json", "refuse", "answer_truncated"])
async def test_a_failed_poll_says_nothing_about_the_task(
    http: HttpClient, fast: Sandbox, kind: str
) -> None:
    engine = engine_of(http, fast)
    task = await accepted(engine)
    options = {"status": 500} if kind == "status" else {}
    await fast.fault(kind, {"operation": "result"}, **options)
    assert isinstance(await engine.poll(task), Unknown)
    await fast.clear_faults()
    assert isinstance(await ended(engine, task), Finished)
    assert isinstance(await engine.poll("0" * 32), Unknown)


@pytest.mark.parametrize(("fault", "permanent"), [
    ({"kind": "output_404"}, True),
    ({"kind": "output_huge", "bytes": 70_000_000}, True),
    ({"kind": "output_truncated", "cut": True}, False),
])  # fmt: skip
async def test_downloads_that_fail(
    http: HttpClient, fast: Sandbox, fault: dict[str, object], permanent: bool
) -> None:
    engine = engine_of(http, fast)
    await fast.faults({"match": {"operation": "output"}, "fault": fault})
    outcome = await ended(engine, await accepted(engine))
    assert isinstance(outcome, Finished)
    with pytest.raises(DownloadFailed) as caught:
        await downloaded(engine, outcome.outputs[0])
    assert caught.value.permanent is permanent


@pytest.mark.parametrize("kind", ["output_broken", "output_truncated", "output_wrong_type"])
async def test_broken_outputs_do_not_pass_the_probe(
    http: HttpClient, fast: Sandbox, kind: str
) -> None:
    engine = engine_of(http, fast)
    await fast.fault(kind, {"operation": "output"})
    outcome = await ended(engine, await accepted(engine))
    assert isinstance(outcome, Finished)
    with pytest.raises(PictureRefused):
        await probe(await downloaded(engine, outcome.outputs[0]))


async def test_a_missing_output_is_asked_for_again(http: HttpClient, fast: Sandbox) -> None:
    engine = engine_of(http, fast)
    rule = {"match": {"operation": "output", "times": 1}, "fault": {"kind": "output_404"}}
    await fast.faults(rule)
    outcome = await ended(engine, await accepted(engine))
    assert isinstance(outcome, Finished)
    assert (await probe(await downloaded(engine, outcome.outputs[0]))).width == 1024


async def test_the_key_is_not_shown_to_the_file_host(http: HttpClient, fast: Sandbox) -> None:
    seen: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        seen.extend(request.headers)
        return web.Response(body=b"x", content_type="image/png")

    app = web.Application()
    app.router.add_get("/x.png", serve)
    async with app_server(app) as url:
        assert await downloaded(engine_of(http, fast), Output(url=url + "/x.png")) == b"x"
    assert "authorization" not in {name.lower() for name in seen}


async def test_money(http: HttpClient, fast: Sandbox) -> None:
    await fast.settings(keys=[{"key": "k", "balance_usd": 12.345678}], discount_rate=0.1)
    clock = MovedClock()
    engine = engine_of(http, fast, key="k", clock=clock)
    assert await engine.balance_micro_usd() == 12_345_678
    pro, inputs = "google/nano-banana-pro/text-to-image", {"prompt": "x", "resolution": "4k"}
    assert await engine.price_micro_usd(pro, inputs) == 216_000
    await fast.settings(keys=[{"key": "k"}], discount_rate=0.5)
    assert await engine.price_micro_usd(pro, {"resolution": "4k"}) == 216_000
    clock.advance(hours=1, seconds=1)
    assert await engine.price_micro_usd(pro, inputs) == 120_000


async def test_webhooks_of_the_vendor(http: HttpClient, fast: Sandbox) -> None:
    got: asyncio.Queue[tuple[str, dict[str, str], bytes]] = asyncio.Queue()

    async def hook(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        await got.put((request.query["job"], headers, await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", hook)
    async with app_server(app) as url:
        clock = MovedClock()
        engine = engine_of(http, fast, callbacks=True, clock=clock)
        assert engine.provider_class is ProviderClass.ADOPTABLE
        outcome = await engine.submit(job(callback_url=url + "/hook?job=17&sig=a%2Bb"))
        assert isinstance(outcome, Accepted)
        ours, headers, body = await asyncio.wait_for(got.get(), 10)
        event = await engine.verify_webhook(headers, body)
        assert event is not None
        assert (ours, event.provider_job_id) == ("17", outcome.provider_job_id)
        assert await engine.verify_webhook(headers, body + b" ") is None
        clock.offset = timedelta(seconds=400)
        assert await engine.verify_webhook(headers, body) is None
        clock.offset = timedelta()
        quiet = engine_of(http, fast)
        assert isinstance(await quiet.submit(job(callback_url=url + "/hook?job=18")), Accepted)
        assert (await fast.stats())["accepted_by_webhook"] == {url + "/hook?job=17&sig=a%2Bb": 1}
