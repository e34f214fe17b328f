"""Only the vendor's own webhooks are believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from hamyon.kit.clock import MovedClock
from hamyon.providers.wavespeed.types import CallFailed
from hamyon.providers.wavespeed.webhooks import WebhookVerifier

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"id": "abc", "status": "completed", "outputs": []}'


class Vault:
    """Where the secret comes from; counts how often it was asked."""

    def __init__(self, secret: str = SECRET) -> None:
        self.secret = secret
        self.asked = 0
        self.down = False

    async def fetch(self) -> str:
        self.asked += 1
        if self.down:
            raise CallFailed("down")
        return self.secret


def signed(
    clock: MovedClock, body: bytes = BODY, secret: str = SECRET, age_s: float = 0
) -> dict[str, str]:
    stamp = str(int(clock.now().timestamp() - age_s))
    key = secret.removeprefix("whsec_").encode()
    digest = hmac.new(key, f"msg_1.{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": f"v3,{digest}",
    }


async def test_the_documented_vector() -> None:
    sent = datetime.fromtimestamp(1614265330, UTC)
    clock = MovedClock(sent - datetime.now(UTC))
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v3,10b86a1b42aed60c0e7357f88f229da774851852c039d27d6efa562dc8826a42",
    }
    vault = Vault()
    verifier = WebhookVerifier(vault.fetch, clock)
    # Genuine, and about no prediction; so the secret was accepted and not asked for again.
    assert await verifier.verify(headers, b'{"test": 2432232314}') is None
    event = await verifier.verify(signed(clock), BODY)
    assert event is not None
    assert (event.event_id, event.provider_job_id, event.status) == ("msg_1", "abc", "completed")
    assert vault.asked == 1


@pytest.mark.parametrize("age_s", [-295, 0, 295])
async def test_within_five_minutes(age_s: float) -> None:
    clock = MovedClock()
    verifier = WebhookVerifier(Vault().fetch, clock)
    assert await verifier.verify(signed(clock, age_s=age_s), BODY) is not None


@pytest.mark.parametrize("age_s", [-305, 305, 86_400])
async def test_beyond_five_minutes(age_s: float) -> None:
    clock, vault = MovedClock(), Vault()
    verifier = WebhookVerifier(vault.fetch, clock)
    assert await verifier.verify(signed(clock, age_s=age_s), BODY) is None
    assert vault.asked == 0


async def test_forgeries() -> None:
    clock = MovedClock()
    good = signed(clock)
    hexes = good["webhook-signature"].removeprefix("v3,")
    decoded = base64.b64decode(SECRET.removeprefix("whsec_"))
    message = f"msg_1.{good['webhook-timestamp']}.".encode() + BODY
    replicates_way = base64.b64encode(hmac.digest(decoded, message, "sha256")).decode()
    verifier = WebhookVerifier(Vault().fetch, clock)
    assert await verifier.verify(good, BODY) is not None
    for change in (
        {"webhook-signature": ""},
        {"webhook-signature": "v3,"},
        {"webhook-signature": hexes},
        {"webhook-signature": f"v1,{hexes}"},
        {"webhook-signature": f"v3,{hexes.upper()}"},
        {"webhook-signature": f"v3,{hexes[:-1]}"},
        {"webhook-signature": f"v1,{replicates_way}"},
        {"webhook-signature": "v3,é"},
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": str(int(good["webhook-timestamp"]) + 1)},
        {"webhook-timestamp": good["webhook-timestamp"] + ".0"},
        {"webhook-timestamp": "now"},
    ):
        assert await verifier.verify(good | change, BODY) is None
    assert await verifier.verify({}, BODY) is None
    assert await verifier.verify(good, BODY[:-1]) is None
    assert await verifier.verify(signed(clock, secret="whsec_other"), BODY) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"id": 5}', b'{"id": "../x"}'])
async def test_genuine_nonsense(body: bytes) -> None:
    clock = MovedClock()
    assert await WebhookVerifier(Vault().fetch, clock).verify(signed(clock, body), body) is None


async def test_a_rotated_secret_is_fetched_at_most_once_a_minute() -> None:
    clock, vault = MovedClock(), Vault()
    verifier = WebhookVerifier(vault.fetch, clock)
    for _ in range(20):
        assert await verifier.verify(signed(clock, secret="whsec_forged"), BODY) is None
    assert vault.asked == 1
    vault.secret = "whsec_new"
    assert await verifier.verify(signed(clock, secret="whsec_new"), BODY) is None
    clock.advance(seconds=61)
    assert await verifier.verify(signed(clock, secret="whsec_new"), BODY) is not None
    assert await verifier.verify(signed(clock), BODY) is None
    assert vault.asked == 2


async def test_a_vendor_that_is_down_leaves_the_old_secret() -> None:
    clock, vault = MovedClock(), Vault()
    verifier = WebhookVerifier(vault.fetch, clock)
    assert await verifier.verify(signed(clock), BODY) is not None
    vault.down = True
    clock.offset += timedelta(minutes=5)
    assert await verifier.verify(signed(clock, secret="whsec_forged"), BODY) is None
    assert await verifier.verify(signed(clock), BODY) is not None
