"""What an earlier run that was killed left alive on a data folder.

A server whose parent died is stopped, not adopted. It is nobody's child any more: we could not
wait for it, it would not die with us, and it runs with the settings and on the port of then. A
clean stop and a start cost a fraction of a second.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil
import structlog

_log = structlog.get_logger(__name__)

FAST_STOP_TIMEOUT_S: Final = 10.0
HARD_STOP_TIMEOUT_S: Final = 5.0
POLL_S: Final = 0.01


def stop_leftovers(data: Path) -> None:
    """Stop servers and orphaned backends of ``data``. Blocks. The caller holds the lock.

    A ``postmaster.pid`` whose number belongs to a foreign program now, or to a dead process that
    nobody has reaped, is removed: PostgreSQL only asks whether the number is in use, and would
    refuse to start.
    """
    pid = server_pid(data)
    if pid is None:
        return
    processes = _processes_of(data)
    servers = [process for process in processes if process.pid == pid]
    if servers:
        _log.warning("postgres_leftover_stopped", pid=pid, data=str(data))
        _signal_and_wait(servers, signal.SIGINT, FAST_STOP_TIMEOUT_S)
    # Backends whose server was killed leave by themselves only between two statements.
    for name in (signal.SIGQUIT, signal.SIGKILL):
        _signal_and_wait(processes, name, HARD_STOP_TIMEOUT_S)
    if not _may_be_server(pid, data):
        (data / "postmaster.pid").unlink(missing_ok=True)


def server_pid(data: Path) -> int | None:
    """Who runs, or ran, the server according to its own notes."""
    try:
        first = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace")
        return int(first.split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _processes_of(data: Path) -> list[psutil.Process]:
    """Every living PostgreSQL process that works in the folder; all of them change into it."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] != "postgres":
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()) == data and _lives(process):
                found.append(process)
    return found


def _lives(process: psutil.Process) -> bool:
    """False for a zombie too: it holds nothing, and in a container it may never be reaped."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _may_be_server(pid: int, data: Path) -> bool:
    """Whether a living PostgreSQL process has the number; one that hides its folder counts too."""
    try:
        process = psutil.Process(pid)
        return _lives(process) and process.name() == "postgres" and Path(process.cwd()) == data
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, OSError):
        return True


def _signal_and_wait(
    processes: Sequence[psutil.Process], name: signal.Signals, timeout_s: float
) -> None:
    """Returns when none of them lives, or after the time-out."""
    for process in filter(_lives, processes):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(name)
    deadline = time.monotonic() + timeout_s
    while any(map(_lives, processes)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
