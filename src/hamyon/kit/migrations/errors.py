"""Why a database could not be brought to a revision, with a sentence for the operator."""

from __future__ import annotations

from enum import StrEnum


class MigrationProblem(StrEnum):
    """The kinds of trouble that an operator handles differently."""

    UNREACHABLE = "unreachable"
    DENIED = "denied"
    LOCK_TIMEOUT = "lock_timeout"
    UNKNOWN_REVISION = "unknown_revision"
    NO_FOLDER = "no_folder"
    FAILED = "failed"


class MigrationError(Exception):
    """The schema stays as it was after the last whole step; the message says why and what to do."""

    def __init__(self, problem: MigrationProblem, sentence: str) -> None:
        super().__init__(sentence)
        self.problem = problem


def unreachable(why: str) -> MigrationError:
    """Nothing answers at the database's address."""
    return MigrationError(
        MigrationProblem.UNREACHABLE,
        f"The database does not answer ({why}). Check the address in MIGRATIONS_DATABASE_URL or "
        "DATABASE_URL and that PostgreSQL runs there.",
    )


def denied(why: str) -> MigrationError:
    """The database answers and refuses us."""
    return MigrationError(
        MigrationProblem.DENIED,
        f"The database refuses the login for migrations ({why}). Check name, password and rights "
        "in MIGRATIONS_DATABASE_URL or DATABASE_URL; it must own the database.",
    )
