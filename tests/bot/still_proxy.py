"""A TCP proxy before PostgreSQL that can stand still: connections stay open, nothing moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit


class StillProxy:
    """``moves`` is set while bytes go through; ``dsn`` leads here."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self._links: set[asyncio.Task[None]] = set()
        self.moves = asyncio.Event()
        self.moves.set()
        self.dsn = ""

    @classmethod
    @asynccontextmanager
    async def before(cls, dsn: str) -> AsyncIterator[StillProxy]:
        """A proxy before the database of ``dsn``."""
        proxy = cls(dsn)
        server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        login = proxy._parts.netloc.rpartition("@")[0]
        proxy.dsn = urlunsplit(proxy._parts._replace(netloc=f"{login}@127.0.0.1:{port}"))
        try:
            yield proxy
        finally:
            server.close()
            for link in list(proxy._links):
                link.cancel()
            await asyncio.gather(*proxy._links, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        host, port = self._parts.hostname, self._parts.port
        there_reader, there_writer = await asyncio.open_connection(host, port)
        pumps = [
            asyncio.create_task(self._pump(reader, there_writer)),
            asyncio.create_task(self._pump(there_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._links.discard(link)
            writer.transport.abort()
            there_writer.transport.abort()
            for pump in pumps:
                pump.cancel()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                await self.moves.wait()
                sink.write(data)
                await sink.drain()
