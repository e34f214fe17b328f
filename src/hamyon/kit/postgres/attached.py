"""The embedded server that another process of ours runs already, for commands beside a service."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hamyon.kit.postgres import store
from hamyon.kit.postgres.errors import PostgresError, Problem
from hamyon.kit.postgres.folder import LOCALHOST, Folder

_POLL_S: Final = 0.05
_PORT_LINE: Final = 3
_STATUS_LINE: Final = 7


@dataclass(frozen=True, slots=True)
class Attached:
    """The logins of a server that is somebody else's to stop: it may end at any moment."""

    port: int
    passwords: Mapping[str, str] = field(repr=False)

    @property
    def application_dsn(self) -> str:
        """For everything that serves."""
        return self._dsn(store.APPLICATION)

    @property
    def owner_dsn(self) -> str:
        """For migrations."""
        return self._dsn(store.OWNER)

    def _dsn(self, login: str) -> str:
        return (
            f"postgresql://{login}:{self.passwords[login]}@{LOCALHOST}:{self.port}/{store.DATABASE}"
        )


async def attach(home: Path, *, timeout_s: float = 30.0) -> Attached | None:
    """The server that runs in ``home``; None when no process holds its folder.

    Waits while it is starting. Raises PostgresError when it does not become ready in time, or
    when its folder is another user's.
    """
    folder = Folder(home.resolve() / "postgres")  # noqa: ASYNC240 -- once, before anything runs
    deadline = time.monotonic() + timeout_s
    while _is_held(folder):
        if (port := _ready_port(folder)) is not None:
            passwords, _ = folder.passwords()
            return Attached(port, passwords)
        if time.monotonic() > deadline:
            raise PostgresError(
                Problem.IN_USE,
                f"The database in {folder.root} is held by a process that has not made it ready. "
                "Try again in a moment.",
            )
        await asyncio.sleep(_POLL_S)
    return None


def _is_held(folder: Folder) -> bool:
    try:
        os.close(folder.lock())
    except PostgresError as error:
        if error.problem is Problem.IN_USE:
            return True
        raise
    return False


def _ready_port(folder: Folder) -> int | None:
    """Out of the server's own notes, once it has also been provisioned and its port remembered."""
    try:
        lines = (folder.data / "postmaster.pid").read_text(encoding="utf-8").split("\n")
        port, status = int(lines[_PORT_LINE]), lines[_STATUS_LINE].strip()
        remembered = int((folder.root / "port").read_text(encoding="ascii"))
    except (OSError, ValueError, IndexError):
        return None
    return port if status == "ready" and port == remembered else None
