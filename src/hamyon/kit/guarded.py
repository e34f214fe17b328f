"""Calling a URL that somebody gave us, without being sent into our own network.

Three gates: the URL's own text, every address a name resolves to, and every socket just before it
connects. aiohttp asks no resolver for addresses written as such, and a name may change its answer
between two questions, so no single gate is enough.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from hamyon.kit.errors import HamyonError
from hamyon.kit.http import PIECE_BYTES, FailureKind, HttpFailure, Response, open_session

Network: TypeAlias = IPv4Network | IPv6Network
Lookup: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]

REDIRECTS_MAX: Final = 3
_REDIRECT_STATUS: Final = frozenset({301, 302, 303, 307, 308})

_CLOSED_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
"""The IANA special-purpose registry for IPv4, and multicast."""
_OPEN_V6: Final = IPv6Network("2000::/3")
"""All that is given out as public; mapped, NAT64, site-local and the rest lie outside."""
_CLOSED_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID and other protocols' own
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries an IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)


class UrlRefused(HamyonError):
    """The URL, or where it leads, is not for us to call. ``reason`` says which gate said no."""

    code = "url_not_allowed"
    status = 422


class _AddressClosed(OSError):
    """What the resolver and the socket gate raise through aiohttp."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether everybody on the Internet means the same machine by it."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    return (
        address.scope_id is None
        and address in _OPEN_V6
        and not any(address in network for network in _CLOSED_V6)
        # ISATAP hides an IPv4 address in the last half of a public-looking one.
        and int(address) >> 32 & 0xFFFF_FFFF not in {0x0000_5EFE, 0x0200_5EFE}
    )


class GuardedClient:
    """Fetches what a stranger's URL names, if that is on the public Internet.

    ``allowed`` are networks that count as public besides (tests, an operator's own store).
    """

    def __init__(
        self,
        *,
        ports: Collection[int] = (80, 443),
        allowed: Sequence[Network] = (),
        lookup: Lookup | None = None,
        user_agent: str = "hamyon",
    ) -> None:
        self._ports = frozenset(ports)
        self._allowed = tuple(allowed)
        self._lookup = lookup or _lookup
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Drop every connection."""
        if self._session is not None:
            await self._session.close()

    async def get(
        self,
        url: str,
        *,
        timeout_s: float,
        limit_bytes: int,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The answer after at most ``REDIRECTS_MAX`` redirects, each hop checked anew.

        Raises UrlRefused and HttpFailure; ``timeout_s`` is for all hops together.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._get(url, limit_bytes, headers or {})
        except _AddressClosed:
            raise UrlRefused(reason="address") from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _AddressClosed):
                raise UrlRefused(reason="address") from None
            raise HttpFailure(FailureKind.NOT_SENT, type(error).__name__) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise HttpFailure(FailureKind.UNKNOWN, type(error).__name__) from None

    async def _get(self, url: str, limit_bytes: int, headers: Mapping[str, str]) -> Response:
        target = self.check(url)
        for _ in range(REDIRECTS_MAX + 1):
            async with self._opened().get(target, headers=headers, allow_redirects=False) as answer:
                location = answer.headers.get("Location")
                if answer.status not in _REDIRECT_STATUS or not location:
                    body = await _whole(answer, limit_bytes)
                    return Response(answer.status, answer.headers.copy(), body)
            _check_text(location)
            following = self.check(str(target.join(URL(location))))
            if following.origin() != target.origin():
                headers = {}  # What was meant for one server is not shown to the next.
            target = following
        raise UrlRefused(reason="redirects")

    def check(self, url: str) -> URL:
        """The URL, when its text alone says nothing against it. Raises UrlRefused."""
        _check_text(url)
        try:
            target = URL(url)
            host, port = target.host, target.port
        except ValueError:
            raise UrlRefused(reason="malformed") from None
        if target.scheme not in {"http", "https"}:
            raise UrlRefused(reason="scheme")
        if not host or target.user is not None or target.password is not None:
            raise UrlRefused(reason="malformed")
        if port not in self._ports:
            raise UrlRefused(reason="port")
        address = _written_address(host)
        if address is not None and not self._open(address):
            raise UrlRefused(reason="address")
        return target

    def _open(self, address: IPv4Address | IPv6Address) -> bool:
        return is_public(address) or any(
            address in network for network in self._allowed if network.version == address.version
        )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_GuardedResolver(self._lookup, self._open),
                socket_factory=self._socket,
                use_dns_cache=False,
                force_close=True,  # A kept connection would skip the gates.
            )
            self._session = open_session(connector, {"User-Agent": self._user_agent})
        return self._session

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """The last gate: ``info`` is what is connected to next, whatever was checked before."""
        family, kind, protocol, _, where = info
        if not self._open(ip_address(str(where[0]).partition("%")[0])):
            raise _AddressClosed("not a public address")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


class _GuardedResolver(AbstractResolver):
    """Answers with exactly the addresses that it checked; one closed address closes the name."""

    def __init__(
        self, lookup: Lookup, is_open: Callable[[IPv4Address | IPv6Address], bool]
    ) -> None:
        self._lookup = lookup
        self._is_open = is_open

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = [ip_address(address) for address in await self._lookup(host)]
        if not found:
            raise OSError("no address")
        if not all(self._is_open(address) for address in found):
            raise _AddressClosed("not a public address")
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in found
        ]

    async def close(self) -> None:
        return


async def _lookup(host: str) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos]


_PLAIN: Final = re.compile(r"[^\x00-\x20\x7f\\\s]{1,2048}")
_NUMERIC_END: Final = re.compile(r"(?:^|\.)(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?$")


def _check_text(url: str) -> None:
    """Refuses what parsers read differently: blanks, controls, backslashes."""
    if not _PLAIN.fullmatch(url):
        raise UrlRefused(reason="malformed")


def _written_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that ``host`` spells; None for a name. Raises UrlRefused for odd spellings.

    Decimal, octal, hexadecimal and shortened forms are refused whatever they mean (the WHATWG rule
    for a host that ends in a number).
    """
    if "%" in host:
        raise UrlRefused(reason="address")
    try:
        return ip_address(host)
    except ValueError:
        if _NUMERIC_END.search(host) or ":" in host:
            raise UrlRefused(reason="address") from None
        return None


async def _whole(answer: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_chunked(PIECE_BYTES):
        body += piece
        if len(body) > limit_bytes:
            answer.close()
            raise HttpFailure(FailureKind.TOO_LARGE, f"over {limit_bytes} bytes")
    return bytes(body)
