"""The process in which Alembic runs: an order as JSON on its input, a report on its output."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import psycopg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from psycopg import errors as database_errors
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from hamyon.kit.migrations import store
from hamyon.kit.migrations.errors import MigrationError, MigrationProblem, denied, unreachable

CONNECT_TIMEOUT_S: Final = 10
STEP_LOCK_TIMEOUT_S: Final = 5.0
"""No step may queue behind a long transaction for longer: all traffic would queue behind it."""

TURN_TIMEOUT_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Order:
    """``target`` is a revision to go up to, or one to go down to with a minus before it."""

    dsn: str
    target: str
    folder: Path
    lock_timeout_s: float = STEP_LOCK_TIMEOUT_S


def carry_out(order: Order) -> list[str]:
    """Walk to the target; the revisions passed, in order. Raises MigrationError."""
    passed: list[str] = []
    try:
        with psycopg.connect(
            order.dsn, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True
        ) as connection:
            connection.execute(store.lock_timeout(TURN_TIMEOUT_S))
            connection.execute(store.TAKE_LOCK)
            connection.execute(store.lock_timeout(order.lock_timeout_s))
            connection.autocommit = False
            _walk(order, connection, passed)
    except (psycopg.Error, DBAPIError, CommandError) as error:
        raise _typed(error, passed) from error
    return passed


def _walk(order: Order, connection: psycopg.Connection[Any], passed: list[str]) -> None:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool
    )
    config = Config()
    # ConfigParser reads a percent sign as the beginning of a name.
    config.set_main_option("script_location", str(order.folder).replace("%", "%%"))
    with engine.connect() as bound:
        config.attributes["connection"] = bound
        config.attributes["passed"] = passed
        if order.target.startswith("-"):
            command.downgrade(config, order.target.removeprefix("-"))
        else:
            command.upgrade(config, order.target)


def _typed(error: Exception, passed: list[str]) -> MigrationError:
    cause = error.orig if isinstance(error, DBAPIError) else error
    done = f" Steps done before: {', '.join(passed)}." if passed else ""
    match cause:
        case database_errors.LockNotAvailable():
            return MigrationError(
                MigrationProblem.LOCK_TIMEOUT,
                "A migration waited too long for a table that somebody else is using. Nothing of "
                f"this step was changed; end long transactions and start again.{done}",
            )
        case (
            database_errors.InvalidAuthorizationSpecification()
            | database_errors.InsufficientPrivilege()
        ):
            return denied(str(cause).strip())
        case psycopg.OperationalError() if cause.sqlstate is None:
            return unreachable(str(cause).strip())
        case CommandError():
            return MigrationError(
                MigrationProblem.UNKNOWN_REVISION,
                f"The database is at a revision that this version does not know ({cause}). Start "
                f"the newer version that made it.{done}",
            )
    return MigrationError(MigrationProblem.FAILED, f"A migration failed: {cause}{done}")


def main() -> None:
    """Read the order, carry it out, report."""
    order = orjson.loads(sys.stdin.buffer.read())
    report: dict[str, object]
    try:
        report = {"revisions": carry_out(Order(**(order | {"folder": Path(order["folder"])})))}
    except MigrationError as error:
        report = {"problem": error.problem, "sentence": str(error)}
    sys.stdout.buffer.write(orjson.dumps(report))


if __name__ == "__main__":
    main()
