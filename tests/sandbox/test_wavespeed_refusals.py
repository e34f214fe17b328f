"""What the simulated WaveSpeed does not take, it does not count and does not charge."""

from __future__ import annotations

import base64

import aiohttp
import pytest

from sandbox.wavespeed.settings import NEVER_PAID_KEY, SECOND_KEY
from tests.fixtures.sandbox import Sandbox
from tests.sandbox.client import BANANA, SEEDREAM, Client, png

PRO = f"{BANANA}-pro/text-to-image"
IMAGE = "data:image/png;base64," + base64.b64encode(png()).decode()


async def _nothing_happened(sandbox: Sandbox, client: Client) -> None:
    assert (await sandbox.stats())["accepted"] == 0
    assert await client.balance() == 1_000_000


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer unknown"},
        {"Authorization": f"Bearer {NEVER_PAID_KEY}"},
        {"Authorization": "sandbox-key"},
        {"Authorization": "Basic sandbox-key"},
        {"Authorization": "", "X-API-Key": "sandbox-key"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/api/v3/{SEEDREAM}"),
        ("GET", "/api/v3/predictions/x/result"),
        ("POST", "/api/v3/predictions"),
        ("POST", "/api/v3/predictions/delete"),
        ("GET", "/api/v3/models"),
        ("POST", "/api/v3/model/price"),
        ("GET", "/api/v3/balance"),
        ("GET", "/api/v3/webhook/secret"),
        ("POST", "/api/v3/media/upload/binary"),
        ("POST", "/api/v3/media/uploads"),
    ],
)
async def test_every_route_asks_for_a_key(
    client: Client, sandbox: Sandbox, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = await client.call(method, path, {"prompt": "a cat"}, headers=headers)
    assert answer.refusal == (401, 401)
    assert answer.body["error_code"] in {"unauthorized", "key_not_active"}
    await _nothing_happened(sandbox, client)


@pytest.mark.parametrize(
    ("model", "body", "code"),
    [
        (SEEDREAM, {}, 1400),
        (SEEDREAM, {"prompt": "  "}, 1400),
        (SEEDREAM, {"prompt": 5}, 1401),
        (SEEDREAM, {"prompt": "a", "size": "1023*2048"}, 1401),
        (SEEDREAM, {"prompt": "a", "size": "2048*4097"}, 1401),
        (SEEDREAM, {"prompt": "a", "size": "2048x2048"}, 1401),
        (SEEDREAM, {"prompt": "a", "aspect_ratio": "1:1"}, 1401),
        (SEEDREAM, {"prompt": "a", "enable_sync_mode": "yes"}, 1401),
        (f"{SEEDREAM}/sequential", {"prompt": "a", "max_images": 16}, 1401),
        (f"{SEEDREAM}/edit", {"prompt": "a"}, 1400),
        (f"{SEEDREAM}/edit", {"prompt": "a", "images": []}, 1400),
        (f"{SEEDREAM}/edit", {"prompt": "a", "images": "x"}, 1401),
        (f"{SEEDREAM}/edit", {"prompt": "a", "images": [IMAGE] * 11}, 1401),
        (f"{BANANA}/edit", {"prompt": "a", "images": [IMAGE] * 11}, 1401),
        (f"{BANANA}-pro/edit", {"prompt": "a", "images": [IMAGE] * 15}, 1401),
        (f"{BANANA}/text-to-image", {"prompt": "a", "size": "1024*1024"}, 1401),
        (f"{BANANA}/text-to-image", {"prompt": "a", "resolution": "1k"}, 1401),
        (PRO, {"prompt": "a", "aspect_ratio": "7:5"}, 1401),
        (PRO, {"prompt": "a", "resolution": "2K"}, 1401),
        (PRO, {"prompt": "a", "output_format": "webp"}, 1401),
    ],
)
async def test_parameters_are_enforced(
    client: Client, sandbox: Sandbox, model: str, body: dict[str, object], code: int
) -> None:
    answer = await client.call("POST", f"/api/v3/{model}", body)
    assert answer.refusal == (400, code)
    await _nothing_happened(sandbox, client)
    # The other documented shape: accepted, then failed as a task with the same code.
    await sandbox.settings(bad_input="fail_task")
    accepted = (await client.call("POST", f"/api/v3/{model}", body)).data
    failed = await client.finished(accepted["id"])
    assert (failed["status"], failed["code"]) == ("failed", code)
    assert await client.balance() == 1_000_000


async def test_as_many_images_as_allowed_are_taken(client: Client) -> None:
    for model, count in ((f"{SEEDREAM}/edit", 10), (f"{BANANA}-pro/edit", 14)):
        assert (await client.make("a", model, images=[IMAGE] * count))["status"] == "completed"


@pytest.mark.parametrize("body", [b"{", b"[]", b'"prompt"', b"\xff"])
async def test_a_body_that_is_no_object(client: Client, sandbox: Sandbox, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {client.key}"}
    async with client.session.post(f"/api/v3/{SEEDREAM}", data=body, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == 1401
    await _nothing_happened(sandbox, client)


async def test_unknown_and_withdrawn_models(client: Client, sandbox: Sandbox) -> None:
    assert (await client.submit(model="nobody/nothing")).refusal == (404, 404)
    await sandbox.settings(withdrawn_models=[SEEDREAM])
    assert (await client.submit()).refusal == (404, 404)
    ask = {"model_id": SEEDREAM, "inputs": {}}
    assert (await client.call("POST", "/api/v3/model/price", ask)).refusal == (404, 404)
    models = (await client.call("GET", "/api/v3/models")).data
    assert SEEDREAM not in {one["model_id"] for one in models}
    await _nothing_happened(sandbox, client)


async def test_the_predictions_of_others_are_unknown(client: Client) -> None:
    job_id = (await client.submit()).data["id"]
    other = client.with_key(SECOND_KEY)
    answer = await other.call("GET", f"/api/v3/predictions/{job_id}/result")
    assert answer.refusal == (404, 404)


@pytest.mark.parametrize(
    "image",
    [
        "http://127.0.0.1:1/nobody-listens.png",
        "/outputs/unknown/0.png",
        "data:image/png;base64,AAAA",
        "data:image/png;base64,!!!",
        "no picture at all",
        "ftp://example.org/picture.png",
    ],
)
async def test_images_that_cannot_be_fetched_fail_the_task(
    client: Client, sandbox: Sandbox, image: str
) -> None:
    if image.startswith("/"):
        image = sandbox.url + image
    failed = await client.make("a", f"{BANANA}/edit", images=[image])
    assert (failed["status"], failed["code"], failed["outputs"]) == ("failed", 1402, [])
    assert await client.balance() == 1_000_000


async def test_an_empty_balance(client: Client, sandbox: Sandbox) -> None:
    await sandbox.settings(keys=[{"key": client.key, "balance_usd": 0.03}])
    assert (await client.submit()).status == 200
    assert (await client.submit()).refusal == (402, 402)
    assert await client.balance() == pytest.approx(0.003)
    assert (await sandbox.stats())["accepted"] == 1


async def test_images_a_minute(client: Client, sandbox: Sandbox) -> None:
    await sandbox.settings(keys=[{"key": client.key, "level": "bronze"}], minute_s=1e9)
    answers = [(await client.submit()).status for _ in range(3)]
    assert answers == [200, 200, 429]
    assert "Retry-After" not in (await client.submit()).headers
    assert (await sandbox.stats())["accepted"] == 2
    await sandbox.settings(minute_s=0.001)
    assert (await client.submit()).status == 200


@pytest.mark.parametrize(
    "url", ["http://example.org/hook", "ftp://127.0.0.1/hook", "nonsense", "http://10.0.0.1/"]
)
async def test_webhooks_are_https_or_on_this_machine(
    client: Client, sandbox: Sandbox, url: str
) -> None:
    assert (await client.submit(webhook=url)).refusal == (400, 1401)
    await _nothing_happened(sandbox, client)


async def test_uploads_that_are_refused(client: Client, sandbox: Sandbox) -> None:
    await sandbox.settings(upload_bytes_max=1000)
    headers = {"Authorization": f"Bearer {client.key}"}

    async def upload(content: bytes, filename: str, field: str = "file") -> int:
        form = aiohttp.FormData()
        form.add_field(field, content, filename=filename)
        async with client.session.post(
            "/api/v3/media/upload/binary", data=form, headers=headers
        ) as answer:
            return answer.status

    assert await upload(png(side=8), "a.png") == 200
    assert await upload(b"no picture", "a.png") == 400
    assert await upload(b"MZ", "a.exe") == 400
    assert await upload(png(side=8), "a.png", "picture") == 400
    assert await upload(png(side=8) + bytes(1000), "a.png") == 413
    for ask, status in (
        ({"filename": "a.png", "size": 1001}, 413),
        ({"filename": "a.png", "size": 0}, 400),
        ({"filename": "a.exe", "size": 10}, 400),
        ({"size": 10}, 400),
    ):
        assert (await client.call("POST", "/api/v3/media/uploads", ask)).status == status


async def test_unknown_paths_answer_json(client: Client) -> None:
    assert (await client.call("GET", "/nothing/here")).refusal == (404, 404)
    assert (await client.call("DELETE", "/api/v3/balance")).refusal == (405, 405)
