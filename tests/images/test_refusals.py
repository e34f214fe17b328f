"""Every refusal of the contract, by its code; and nothing is left behind by any of them."""

from __future__ import annotations

from uuid import uuid4

import aiohttp
import pytest

from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, Service

USER = 777


@pytest.fixture
async def service(launch: Launch) -> Service:
    return await launch(worker=False)


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"size": "1x1"}, 400, "option_not_supported"),
        ({"aspect_ratio": "1:1"}, 400, "option_not_supported"),
        ({"model": "no-such-model"}, 404, "model_not_found"),
        ({"prompt": ""}, 422, "invalid_input"),
        ({"prompt": "   "}, 422, "invalid_input"),
        ({"prompt": "x" * 4001}, 422, "invalid_input"),
        ({"prompt": "a\0b"}, 422, "invalid_input"),
        ({"unknown": 1}, 422, "invalid_input"),
        ({"references": ["00000000-0000-0000-0000-000000000001"]}, 404, "upload_not_found"),
        ({"telegram_id": 0}, 422, "invalid_input"),
        ({"telegram_id": 2**63}, 422, "invalid_input"),
    ],
)
@pytest.mark.parametrize("use_trial", [True, False])
async def test_bad_wishes(
    service: Service, more: dict[str, object], status: int, code: str, *, use_trial: bool
) -> None:
    await service.person(USER, 100)
    wish = {"telegram_id": USER, "model": "seedream-v4", "prompt": "a", "use_trial": use_trial}
    answer = await service.api.call(
        "POST", "/generations/submit", wish | more, headers={"Idempotency-Key": "k"}
    )
    assert (answer.status, answer.code) == (status, code)
    await service.leave_nothing_behind(USER)


async def test_an_option_refusal_names_the_allowed_values(service: Service) -> None:
    await service.person(USER, 100)
    refused = await service.api.submit(USER, size="1*1")
    assert refused.body["option"] == "size"
    assert "2048*2048" in refused.body["allowed"]


async def test_too_many_references(service: Service) -> None:
    await service.person(USER, 100)
    refused = await service.api.submit(USER, references=[str(uuid4()) for _ in range(11)])
    assert refused.code == "too_many_references"
    await service.leave_nothing_behind(USER)


@pytest.mark.parametrize("use_trial", [True, False])
async def test_a_stranger_is_not_found(service: Service, *, use_trial: bool) -> None:
    refused = await service.api.submit(404, key="k", use_trial=use_trial)
    assert (refused.status, refused.code) == (404, "user_not_found")
    await service.leave_nothing_behind(404)


@pytest.mark.parametrize("use_trial", [True, False])
async def test_trap_a_blocked_person_cannot_order(service: Service, *, use_trial: bool) -> None:
    await service.person(USER, 100)
    blocked = await service.api.call(
        "POST", f"/admin/users/{USER}/block", {"reason": "a test"}, admin=True
    )
    assert blocked.status == 200, blocked.body
    refused = await service.api.submit(USER, key="k", use_trial=use_trial)
    assert (refused.status, refused.code) == (403, "user_blocked")
    await service.leave_nothing_behind(USER)


async def test_insufficient_funds_says_what_is_needed(service: Service) -> None:
    await service.person(USER, 26)
    refused = await service.api.submit(USER, key="k")
    assert (refused.status, refused.code) == (402, "insufficient_funds")
    assert (refused.body["needed"], refused.body["balance"]) == (27, 26)
    await service.leave_nothing_behind(USER)


async def test_too_many_active_names_them(service: Service) -> None:
    await service.person(USER, 1000)
    active = [await service.api.ordered(USER) for _ in range(2)]
    refused = await service.api.submit(USER, key="third")
    assert (refused.status, refused.code) == (409, "too_many_active")
    assert (refused.body["limit"], refused.body["active"]) == (2, active)
    assert await service.pool.fetchval("SELECT count(*) FROM idempotency_keys") == 0
    assert await service.api.balance(USER) == (1000 - 2 * 27, 2 * 27)


async def test_somebody_elses_upload_is_not_found(service: Service, photo: bytes) -> None:
    await service.person(USER, 100)
    await service.person(USER + 1, 100)
    upload = await _uploaded(service, USER + 1, photo)
    refused = await service.api.submit(USER, key="k", references=[upload])
    assert (refused.status, refused.code) == (404, "upload_not_found")
    await service.leave_nothing_behind(USER)
    expires_at = await service.pool.fetchval("SELECT expires_at FROM uploads")
    assert expires_at is not None


async def test_trap_an_attached_photo_is_never_silently_dropped(
    service: Service, photo: bytes
) -> None:
    """It is in the order, whose path is the provider's one for editing, or it is refused."""
    await service.person(USER, 100)
    upload = await _uploaded(service, USER, photo)
    await service.as_owner("UPDATE uploads SET expires_at = now() - interval '1 second'")
    refused = await service.api.submit(USER, references=[upload])
    assert refused.code == "upload_not_found"
    await service.leave_nothing_behind(USER)
    upload = await _uploaded(service, USER, photo)
    order = await service.api.ordered(USER, references=[upload])
    assert (await service.api.generation(USER, order))["references"] == [upload]
    assert (await service.job(order))["provider_path"].endswith("/edit")
    misspelt = await service.api.submit(USER, reference=[upload])
    assert (misspelt.status, misspelt.code) == (422, "invalid_input")


async def _uploaded(service: Service, user: int, photo: bytes) -> str:
    form = aiohttp.FormData({"telegram_id": str(user)})
    form.add_field("file", photo, filename="a.jpg", content_type="image/jpeg")
    answer = await service.api.call("POST", "/media/upload", data=form)
    assert answer.status == 201, answer.body
    return str(answer.body["items"][0]["upload_id"])


async def test_a_paused_provider_takes_no_order(launch: Launch, sandbox: Sandbox) -> None:
    service = await launch(sandbox, worker=False)
    await service.person(USER, 100)
    path = "/admin/providers/wavespeed"
    paused = await service.api.call("POST", f"{path}/pause", {"reason": "a test"}, admin=True)
    assert paused.status == 200, paused.body
    service.deps.cache.drop(service.deps.catalog.providers, "wavespeed")
    refused = await service.api.submit(USER, key="k")
    assert (refused.status, refused.code) == (503, "provider_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    await service.leave_nothing_behind(USER)
    await service.api.call("POST", f"{path}/resume", {"reason": "a test"}, admin=True)
    service.deps.cache.drop(service.deps.catalog.providers, "wavespeed")
    assert (await service.api.submit(USER, key="k")).status == 202
