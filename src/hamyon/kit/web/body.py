"""A body that ends: in bytes and in time."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Message, Receive, Scope

from hamyon.kit.errors import TooLarge
from hamyon.kit.web.errors import BodyTimeout

LINGER_S: Final = 1.0
LINGER_BYTES_MAX: Final = 8 * 1024 * 1024


class BoundedBody:
    """Wraps ``receive``: raises TooLarge past ``bytes_max`` and BodyTimeout past ``timeout_s``.

    The time counts from the first read. What comes behind the body (the client's leaving) is
    neither counted nor hurried.
    """

    def __init__(self, scope: Scope, receive: Receive, bytes_max: int, timeout_s: float) -> None:
        self._receive = receive
        self._bytes_max = bytes_max
        self._timeout_s = timeout_s
        self._read_bytes = 0
        self._deadline: float | None = None
        self.declared_bytes = 0
        is_chunked = False
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit():
                self.declared_bytes = int(value[:20])
            elif name == b"transfer-encoding":
                is_chunked = True
        # HTTP/1 has no body without one of the two headers; later versions may.
        self.is_read = scope["http_version"] < "2" and not (self.declared_bytes or is_chunked)

    def check_declared(self) -> None:
        """Refuse a body by what it says of itself, before any of it is read."""
        if self.declared_bytes > self._bytes_max:
            raise TooLarge(limit_bytes=self._bytes_max)

    async def receive(self) -> Message:
        """The next message. Raises TooLarge and BodyTimeout."""
        if self.is_read:
            return await self._receive()
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._timeout_s
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise BodyTimeout(timeout_s=self._timeout_s) from error
        self._count(message)
        if self._read_bytes > self._bytes_max:
            raise TooLarge(limit_bytes=self._bytes_max)
        return message

    async def linger(self) -> None:
        """Read on for a moment and throw it away.

        A server that closes while the client still sends resets the connection, and the client
        may lose the answer that says why.
        """
        start_bytes = self._read_bytes
        try:
            async with asyncio.timeout(LINGER_S):
                while not self.is_read and self._read_bytes - start_bytes < LINGER_BYTES_MAX:
                    self._count(await self._receive())
        except TimeoutError:
            return

    def _count(self, message: Message) -> None:
        if message["type"] != "http.request":
            self.is_read = True
            return
        self._read_bytes += len(message.get("body", b""))
        self.is_read = not message.get("more_body", False)
