"""What an invoice carries of ours: the payment's id, signed.

Anybody can make a link to a bot's invoice known, but nobody else can make a payload that names
a payment of ours. 65 bytes of the 128 that Telegram takes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final
from uuid import UUID

from hamyon.payments.types.gateway import PaymentId

SIGNATURE_BYTES: Final = 16
_PAYLOAD: Final = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{32})")


def payload_of(payment_id: PaymentId, signing_key: bytes) -> str:
    """The payload of the payment's invoice."""
    return f"{payment_id.hex}.{_signature(payment_id.hex, signing_key)}"


def payment_id_of(payload: str, signing_key: bytes) -> PaymentId | None:
    """The payment that a payload names; None for whatever we did not sign."""
    parts = _PAYLOAD.fullmatch(payload)
    if parts is None or not hmac.compare_digest(_signature(parts[1], signing_key), parts[2]):
        return None
    return PaymentId(UUID(parts[1]))


def _signature(payment_hex: str, signing_key: bytes) -> str:
    digest = hmac.digest(signing_key, payment_hex.encode(), hashlib.sha256)
    return digest[:SIGNATURE_BYTES].hex()
