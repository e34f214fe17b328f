"""What keeps the embedded PostgreSQL from running, each with a sentence for the operator."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path


class Problem(StrEnum):
    """The kinds of trouble that an operator handles differently."""

    NO_BINARIES = "no_binaries"
    NO_USER = "no_user"
    IN_USE = "in_use"
    PORT_TAKEN = "port_taken"
    NOT_WRITABLE = "not_writable"
    DISK_FULL = "disk_full"
    CORRUPTED = "corrupted"
    OTHER_VERSION = "other_version"
    PASSWORD_LOST = "password_lost"  # noqa: S105 -- a kind of trouble
    FAILED = "failed"


class PostgresError(Exception):
    """The embedded PostgreSQL cannot run; the message says why and what to do."""

    def __init__(self, problem: Problem, sentence: str) -> None:
        super().__init__(sentence)
        self.problem = problem


# A write that the disk takes only a part of has no errno; PostgreSQL then gives the hint alone.
_FULL_SIGNS = (
    "No space left on device",
    "Disk quota exceeded",
    "Check free disk space",
    "DiskFullError",
)
_CORRUPTED_SIGNS = (
    "PANIC:",
    "control file",
    "pg_control",
    "checkpoint record",
    "could not open file",
    "could not open directory",
    "could not read file",
    "invalid page",
    "invalid magic number",
    "pg_filenode.map",
    "is not a valid data directory",
    "is missing",
)


def diagnose(said: str, folder: Path) -> PostgresError:
    """Turn the last words of ``initdb`` or ``postgres`` into an error.

    The order matters: a full disk and a forbidden file also end in PANIC.
    """
    if any(sign in said for sign in _FULL_SIGNS):
        return disk_full(folder)
    if "Permission denied" in said or "Read-only file system" in said or "wrong ownership" in said:
        return not_writable(folder, _last_lines(said, 2))
    if "incompatible with server" in said:
        return other_version(folder, "another version")
    if any(sign in said for sign in _CORRUPTED_SIGNS):
        return PostgresError(
            Problem.CORRUPTED,
            f"The database in {folder} is damaged and PostgreSQL will not open it. Restore it from "
            f"a backup, or move the folder away to begin with an empty one. PostgreSQL said: "
            f"{_last_lines(said, 3)}",
        )
    return PostgresError(
        Problem.FAILED,
        f"PostgreSQL did not start in {folder}. It said: {_last_lines(said, 5) or 'nothing'}",
    )


def disk_full(folder: Path) -> PostgresError:
    """No room for the data."""
    return PostgresError(
        Problem.DISK_FULL,
        f"The disk that holds {folder} is full. Free at least 200 MB there, or let HAMYON_HOME "
        "name a folder on another disk. Nothing was lost.",
    )


def not_writable(folder: Path, why: str) -> PostgresError:
    """The folder cannot be used by this user."""
    return PostgresError(
        Problem.NOT_WRITABLE,
        f"PostgreSQL cannot write to {folder} ({why}). Make the folder writable for the user who "
        "starts Hamyon, or let HAMYON_HOME name another one.",
    )


def other_version(folder: Path, found: str) -> PostgresError:
    """The data were made by another major version."""
    return PostgresError(
        Problem.OTHER_VERSION,
        f"The database in {folder} was made by PostgreSQL {found}, and this is PostgreSQL 18. Dump "
        "it with the version that made it and restore the dump here, or move the folder away.",
    )


def _last_lines(said: str, count: int) -> str:
    return " / ".join(line.strip() for line in said.strip().splitlines()[-count:])
