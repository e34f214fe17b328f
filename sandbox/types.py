"""What the sandbox asks of a simulated vendor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from aiohttp import web


class Vendor(Protocol):
    """One simulated vendor. All of them share a port, the fault engine and the control API."""

    @property
    def name(self) -> str:
        """Its key in rules, settings and statistics."""
        ...

    def mount(self, app: web.Application) -> None:
        """Add its routes."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def reset(self) -> None:
        """As after the start."""
        ...

    def settings(self) -> dict[str, object]: ...

    def change_settings(self, patch: Mapping[str, object]) -> None:
        """Raises ``ValueError`` and changes nothing for a bad value."""
        ...

    def report(self, *, brief: bool) -> dict[str, object]:
        """Its counters."""
        ...
