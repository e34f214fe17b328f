"""What is known of one request: read once from its headers at the edge, then handed on."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.types import Scope

from hamyon.kit.ids import new_id
from hamyon.kit.texts import Language, language_of_header
from hamyon.kit.web.body import BoundedBody
from hamyon.kit.web.permission import Anonymous, Caller

SCOPE_KEY: Final = "hamyon"
ANONYMOUS: Final = Anonymous()
Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]
Address: TypeAlias = IPv4Address | IPv6Address

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}\Z")
_WANTED: Final = frozenset(
    [b"x-request-id", b"x-forwarded-for", b"authorization", b"api-key", b"accept-language"]
)


class Exchange:
    """One request and what became known of it on the way.

    A header that comes twice is kept as ``None`` under ``twice``: which of two credentials is
    meant cannot be known.
    """

    __slots__ = ("_language", "address", "body", "caller", "headers", "request_id", "twice")

    def __init__(self, scope: Scope, trusted: Networks) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.twice: set[bytes] = set()
        for name, value in scope["headers"]:
            if name in _WANTED:
                if name not in self.headers:
                    self.headers[name] = value
                elif name == b"x-forwarded-for":
                    self.headers[name] += b"," + value
                else:
                    self.twice.add(name)
        given = self.headers.get(b"x-request-id")
        if given is not None and _REQUEST_ID.match(given):
            self.request_id = given.decode("ascii")
        else:
            self.request_id = new_id().hex
        client = scope.get("client")
        peer = client[0] if client else ""
        self.address = client_address(peer, self.headers.get(b"x-forwarded-for"), trusted)
        self.caller: Caller = ANONYMOUS
        self.body: BoundedBody | None = None
        self._language: Language | None = None

    @property
    def language(self) -> Language:
        """What to speak with whoever called."""
        if self._language is None:
            raw = self.headers.get(b"accept-language", b"").decode("latin-1")
            self._language = language_of_header(raw)
        return self._language

    @property
    def address_key(self) -> str:
        """What an address limit counts by."""
        return network_key(self.address)


def exchange_of(request: Request) -> Exchange:
    """What the edge knows of the request."""
    exchange = request.scope[SCOPE_KEY]
    assert isinstance(exchange, Exchange)
    return exchange


def client_address(peer: str, forwarded: bytes | None, trusted: Networks) -> str:
    """The right-most address that is not a trusted proxy's.

    Every proxy appends who called it, so what stands left of the first untrusted address was
    written by that client and is worth nothing. A peer that is no trusted proxy is the client.
    """
    if not forwarded or not trusted or not _is_trusted(peer, trusted):
        return peer
    client = peer
    for part in reversed(forwarded.decode("latin-1").split(",")):
        address = _parse(part)
        if address is None:
            break
        client = str(address)
        if not _among(address, trusted):
            break
    return client


def network_key(address: str) -> str:
    """An IPv4 address, or an IPv6 one's /64: one household owns that many addresses."""
    if ":" not in address:
        return address
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed) >> 64 << 64, 64)))
    return str(parsed or address)


def _is_trusted(peer: str, trusted: Networks) -> bool:
    address = _parse(peer)
    return address is not None and _among(address, trusted)


def _among(address: Address, networks: Networks) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _parse(text: str) -> Address | None:
    """With the forms that proxies write: a port behind it, brackets, IPv4 inside IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].split("]", 1)[0]
    elif text.count(":") == 1:
        text = text.split(":", 1)[0]
    try:
        address = ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
