"""Requests as bytes, past every client library."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from tests.doors.scene import Scene


async def answered(scene: Scene, raw: bytes) -> tuple[int, bytes, bytes]:
    """Status, headers and the body as far as it came."""
    address = urlsplit(scene.service.api.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(raw)
        async with asyncio.timeout(20):
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.read(65_536) if not raw.startswith(b"HEAD") else b""
    finally:
        writer.close()
    return int(head.split(b" ", 2)[1]), head, body
