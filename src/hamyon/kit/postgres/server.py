"""Start the embedded server, wait until it answers, and stop it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import asyncpg

from hamyon.kit.postgres import store
from hamyon.kit.postgres.binaries import Identity, binary, choose_identity
from hamyon.kit.postgres.errors import PostgresError, Problem, diagnose
from hamyon.kit.postgres.folder import LOCALHOST, Folder, port_taken
from hamyon.kit.postgres.leftovers import (
    FAST_STOP_TIMEOUT_S,
    HARD_STOP_TIMEOUT_S,
    server_pid,
    stop_leftovers,
)

PORT_ATTEMPTS_MAX: Final = 5
START_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.01
_WAIT_POLL_S: Final = 0.2
_SAID_BYTES_MAX: Final = 16 * 1024

_SETTINGS: Final = {
    "listen_addresses": LOCALHOST,
    "unix_socket_directories": "",
    # A laptop's measure: enough to keep every index of a small service in memory.
    "shared_buffers": "128MB",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # LOG stands above ERROR here: refused statements are the application's to log, and their
    # texts do not belong into a file.
    "log_min_messages": "log",
}
_NOT_DURABLE: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class Running:
    """A server that answers. Its folder stays locked until ``stop``."""

    def __init__(
        self,
        port: int,
        data: Path,
        passwords: Mapping[str, str],
        process: subprocess.Popen[bytes],
        lock: int,
    ) -> None:
        self.port = port
        self.data = data
        self._passwords = passwords
        self._process = process
        self._lock: int | None = lock

    @property
    def application_dsn(self) -> str:
        """For everything that serves: may take on the application's role, owns nothing."""
        return self.dsn(store.APPLICATION)

    @property
    def owner_dsn(self) -> str:
        """For migrations: owns the database and may create roles."""
        return self.dsn(store.OWNER)

    @property
    def superuser_dsn(self) -> str:
        """For administration only."""
        return self.dsn(store.SUPERUSER)

    def dsn(self, login: str, database: str = store.DATABASE) -> str:
        """The URL of a database for one of the three logins."""
        return _dsn(login, self._passwords[login], self.port, database)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """False once the server has ended for whatever reason."""
        return self._process.poll() is None

    async def wait(self) -> int:
        """Until the server ends; its exit status. For whoever supervises it."""
        while (status := self._process.poll()) is None:  # noqa: ASYNC110 -- no event tells it
            await asyncio.sleep(_WAIT_POLL_S)
        return status

    async def stop(self, *, at_once: bool = False) -> None:
        """End the server and give the folder back. A second call does nothing.

        A fast shutdown that cuts connections off and writes a checkpoint; after a bounded wait,
        or ``at_once``, an immediate one, which the next start recovers from.
        """
        await _end(self._process, at_once=at_once)
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


async def start(
    home: Path,
    *,
    durable: bool = True,
    port: int | None = None,
    settings: Mapping[str, str] | None = None,
    timeout_s: float = START_TIMEOUT_S,
) -> Running:
    """Start the server of ``home``, with a new database at the first time.

    ``durable`` False gives up safety against power cuts, for tests. ``port`` None takes the port of
    the last start, or another one if that is taken. ``settings`` go over ours. ``timeout_s`` bounds
    the recovery after a crash. On Linux the server stops when the calling thread ends, so call it
    from one that lives as long as the server is wanted. Raises PostgresError.
    """
    folder = Folder(home.resolve() / "postgres")  # noqa: ASYNC240 -- once, before anything runs
    lock = folder.lock()
    try:
        passwords, made_now = folder.passwords()
        identity = await asyncio.to_thread(_prepare, folder, passwords[store.SUPERUSER], durable)
        wanted = _SETTINGS | ({} if durable else _NOT_DURABLE) | dict(settings or {})
        deadline = time.monotonic() + timeout_s
        process, chosen = await _launch(folder, identity, port, wanted, deadline)
        try:
            administrator = _dsn(
                store.SUPERUSER, passwords[store.SUPERUSER], chosen, store.SUPERUSER
            )
            await _provision(folder, administrator, passwords, made_now)
            folder.remember_port(chosen)
        except BaseException:
            await _end(process, at_once=False)
            raise
    except BaseException:
        os.close(lock)
        raise
    return Running(chosen, folder.data, passwords, process, lock)


def _prepare(folder: Folder, password: str, durable: bool) -> Identity:
    """Bring the data folder into a state that a server can start from."""
    identity = choose_identity(folder.data)
    if folder.data.exists():
        folder.check_data()
        stop_leftovers(folder.data)
    else:
        folder.make_data(identity, binary("initdb"), password, durable=durable)
    return identity


async def _launch(
    folder: Folder,
    identity: Identity,
    asked: int | None,
    settings: Mapping[str, str],
    deadline: float,
) -> tuple[subprocess.Popen[bytes], int]:
    """A server that is ready, and its port. Another program may take a free port before us."""
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    for _ in range(PORT_ATTEMPTS_MAX):
        port = folder.choose_port(asked)
        log = folder.open_log()
        try:
            log_start = os.fstat(log).st_size
            process = identity.spawn(
                binary("postgres"), "-D", folder.data, "-p", str(port), *options, log=log
            )
        finally:
            os.close(log)
        try:
            ready = await _is_ready(process, folder.data, deadline)
        except BaseException:
            await _end(process, at_once=True)
            raise
        if ready:
            return process, port
        said = _said(folder.log, log_start)
        if "could not bind" not in said and "could not create any TCP/IP sockets" not in said:
            raise diagnose(said, folder.data)
        if asked is not None:
            raise port_taken(asked)
    raise diagnose(said, folder.data)


async def _is_ready(process: subprocess.Popen[bytes], data: Path, deadline: float) -> bool:
    """Wait for the server's own word in ``postmaster.pid``; False when it ended instead."""
    while process.poll() is None:
        if server_pid(data) == process.pid and _status(data) == "ready":
            return True
        if time.monotonic() > deadline:
            raise PostgresError(
                Problem.FAILED,
                f"PostgreSQL is still recovering the database in {data} and was not ready in time. "
                "Start Hamyon again and wait longer; nothing is lost.",
            )
        await asyncio.sleep(_POLL_S)
    return False


def _status(data: Path) -> str | None:
    """The eighth line of ``postmaster.pid``: starting, stopping or ready."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return None
    return lines[7].strip() if len(lines) > 7 else None


async def _provision(
    folder: Folder, dsn: str, passwords: Mapping[str, str], made_now: set[str]
) -> None:
    try:
        await store.provision(dsn, passwords, made_now)
    except asyncpg.InvalidPasswordError as error:
        raise PostgresError(
            Problem.PASSWORD_LOST,
            f"The password in {folder.root / store.SUPERUSER}.password is not the one of the "
            "database beside it. Restore the file from a backup.",
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise diagnose(f"{type(error).__name__}: {error}", folder.data) from error


async def _end(process: subprocess.Popen[bytes], *, at_once: bool) -> None:
    """SIGINT is a fast shutdown, SIGQUIT an immediate one; SIGTERM would wait for clients."""
    steps = [(signal.SIGQUIT, HARD_STOP_TIMEOUT_S), (signal.SIGKILL, HARD_STOP_TIMEOUT_S)]
    if not at_once:
        steps.insert(0, (signal.SIGINT, FAST_STOP_TIMEOUT_S))
    for name, timeout_s in steps:
        if process.poll() is not None:
            return
        process.send_signal(name)
        deadline = time.monotonic() + timeout_s
        while process.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110 -- bounded
            await asyncio.sleep(_POLL_S)


def _said(log: Path, start: int) -> str:
    """What the server wrote since ``start``, at most its last words."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - _SAID_BYTES_MAX))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _dsn(login: str, password: str, port: int, database: str) -> str:
    return f"postgresql://{login}:{password}@{LOCALHOST}:{port}/{database}"
