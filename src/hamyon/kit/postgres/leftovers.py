"""What an earlier run that was killed left alive on a data folder.

A server whose parent died is stopped, not adopted. It is nobody's child any more: we could not
wait for it, it would not die with us, and it runs with the settings and on the port of then. A
clean stop and a start cost a fraction of a second.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]  # the package brings no types
import structlog

_log = structlog.get_logger(__name__)

FAST_STOP_TIMEOUT_S: Final = 10.0
HARD_STOP_TIMEOUT_S: Final = 5.0


def stop_leftovers(data: Path) -> None:
    """Stop servers and orphaned backends of ``data``. Blocks. The caller holds the lock.

    A ``postmaster.pid`` whose number was given to a foreign program meanwhile is removed, because
    PostgreSQL only looks whether such a process lives, and would refuse to start.
    """
    pid_file = data / "postmaster.pid"
    pid = server_pid(data)
    if pid is None:
        return
    processes = _processes_of(data)
    servers = [process for process in processes if process.pid == pid]
    if servers:
        _log.warning("postgres_leftover_stopped", pid=pid, data=str(data))
        _signal(servers, signal.SIGINT)
        psutil.wait_procs(servers, timeout=FAST_STOP_TIMEOUT_S)
    # Backends whose server was killed leave by themselves only between two statements.
    for name in (signal.SIGQUIT, signal.SIGKILL):
        processes = [process for process in processes if process.is_running()]
        _signal(processes, name)
        psutil.wait_procs(processes, timeout=HARD_STOP_TIMEOUT_S)
    if not servers and psutil.pid_exists(pid):
        pid_file.unlink(missing_ok=True)


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
            if Path(process.cwd()) == data and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _signal(processes: Sequence[psutil.Process], name: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(name)
