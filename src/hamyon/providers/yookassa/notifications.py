"""Whether a notification is the vendor's, and which payment it is about.

Notifications are not signed: where they come from is their only proof, and a weak one. So nothing
that they say is believed; they only tell which payment to ask about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

import orjson

from hamyon.payments.types.gateway import Event
from hamyon.providers.yookassa.objects import is_id

Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]


def networks_of(texts: Iterable[str]) -> Networks:
    """Raises ValueError for what is no network."""
    return tuple(ip_network(text) for text in texts)


def is_from(address: str, networks: Networks) -> bool:
    """Whether ``address`` lies in one of the networks; IPv4 may be written as IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)


def event_of(body: bytes) -> Event | None:
    """What a notification is about; None for everything but payments and refunds."""
    name, told = _parts(body)
    if name.startswith("payment."):
        subject = told.get("id")
    elif name.startswith("refund."):
        subject = told.get("payment_id") if is_id(told.get("id")) else None
    else:
        return None
    if not isinstance(subject, str) or not is_id(subject):
        return None
    return Event(key=hashlib.sha256(body).hexdigest(), subject=subject)


def is_about_refund(body: bytes) -> bool:
    """Whether a stored notification speaks of a refund."""
    return _parts(body)[0].startswith("refund.")


def _parts(body: bytes) -> tuple[str, Mapping[str, object]]:
    """The event's name and its object; an empty name for what is no notification."""
    try:
        data = orjson.loads(body)
    except ValueError:
        return "", {}
    if not isinstance(data, dict) or data.get("type") != "notification":
        return "", {}
    name, told = data.get("event"), data.get("object")
    if not isinstance(name, str) or not isinstance(told, dict):
        return "", {}
    return name, told
