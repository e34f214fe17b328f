"""A payload names a payment only if we signed it."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamyon.kit.ids import new_id
from hamyon.payments.types.gateway import PaymentId
from hamyon.providers.stars.payload import payload_of, payment_id_of

KEY = b"one key"
ID = PaymentId(UUID("0192f0c1-2345-7abc-8def-0123456789ab"))


def test_both_ways() -> None:
    payload = payload_of(ID, KEY)
    assert payment_id_of(payload, KEY) == ID
    assert len(payload.encode()) <= 128
    assert payload == payload_of(ID, KEY)


def test_every_other_byte_is_refused() -> None:
    payload = payload_of(ID, KEY)
    for at, sign in enumerate(payload):
        others = [chr(ord(sign) ^ bit) for bit in (1, 2, 4, 8, 16, 32, 64, 128)]
        for other in [*others, "", sign * 2, sign.upper() + " ", "٠"]:
            forged = payload[:at] + other + payload[at + 1 :]
            assert forged != payload
            assert payment_id_of(forged, KEY) is None, forged


def test_every_shorter_one_is_refused() -> None:
    payload = payload_of(ID, KEY)
    for length in range(len(payload)):
        assert payment_id_of(payload[:length], KEY) is None


def test_another_payments_signature_is_refused() -> None:
    mine, other = payload_of(ID, KEY), payload_of(PaymentId(new_id()), KEY)
    assert payment_id_of(f"{mine[:32]}.{other[33:]}", KEY) is None


def test_another_key_is_refused() -> None:
    assert payment_id_of(payload_of(ID, KEY), b"another key") is None
    assert payment_id_of(payload_of(ID, b""), KEY) is None


@pytest.mark.parametrize(
    "payload",
    [
        *("", ".", ID.hex, f"{ID.hex}.", str(ID), f"{ID}.{'0' * 32}", f"{ID.hex}.{'0' * 32}"),
        *("ў" * 65, "\x00" * 65, "0" * 65, payload_of(ID, KEY) + "\n", " " + payload_of(ID, KEY)),
        *(payload_of(ID, KEY).upper(), payload_of(ID, KEY).replace(".", ":"), '{"id": 1}'),
    ],
)
def test_strange_payloads_are_refused(payload: str) -> None:
    assert payment_id_of(payload, KEY) is None


@given(st.text(max_size=200))
def test_whatever_is_written_is_refused(payload: str) -> None:
    assert payment_id_of(payload, KEY) is None
