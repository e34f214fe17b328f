"""PostgreSQL: the pool, transactions, and the bounded retry of a whole use case."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import orjson

from hamyon.kit.errors import HamyonError

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]
    Pool: TypeAlias = asyncpg.Pool[Any]
    Record: TypeAlias = asyncpg.Record
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool
    Record = asyncpg.Record

APPLICATION_ROLE: Final = "hamyon_app"
"""The role every connection of the application takes on; migrations create it. It can read the
ledger's tables and execute the ledger's functions, nothing else of the ledger."""

ATTEMPTS_MAX: Final = 5
LOST_DATABASE: Final = (
    asyncpg.TooManyConnectionsError,
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
)
"""The database is away, or comes up."""
RETRYABLE: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

REFUSAL_SQLSTATE: Final = "HM000"
"""What the SQL function ``refuse`` raises: the error's code as message, its facts as detail."""

P = ParamSpec("P")
T = TypeVar("T")


async def _prepare(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb", encoder=_dump, decoder=orjson.loads, schema="pg_catalog", format="text"
    )
    # The driver's own kind of UUID is one that JSON does not know.
    await connection.set_type_codec(
        "uuid", encoder=_uuid_bytes, decoder=_uuid, schema="pg_catalog", format="binary"
    )


def _uuid_bytes(value: UUID | str) -> bytes:
    return (value if isinstance(value, UUID) else UUID(value)).bytes


def _uuid(raw: bytes) -> UUID:
    return UUID(bytes=bytes(raw))


def _dump(value: object) -> str:
    return orjson.dumps(value, default=str).decode()


async def connect(dsn: str, *, role: str | None = APPLICATION_ROLE) -> Connection:
    """One connection outside the pool, for LISTEN and for tests; role None keeps the login's."""
    connection: Connection = await asyncpg.connect(dsn, server_settings=_settings(role))
    await _prepare(connection)
    return connection


async def open_pool(
    dsn: str, *, min_size: int = 2, max_size: int = 16, timeout_s: float = 30.0
) -> Pool:
    """A pool whose connections act as the application's role and read ``jsonb`` as Python values.

    ``timeout_s`` bounds every statement, so that a hanging database is an error, not a hang.
    """
    pool: Pool = await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        command_timeout=timeout_s,
        init=_prepare,
        reset=_tidy,
        server_settings=_settings(APPLICATION_ROLE),
        max_inactive_connection_lifetime=300,
    )
    return pool


async def _tidy(connection: Connection) -> None:
    """Between two users of a connection: nothing, unless one left a transaction open.

    asyncpg's own reset is a round trip after each use. Nobody here leaves session state behind:
    settings are made per transaction, LISTEN has connections of its own, and session locks are
    given back where they were taken.
    """
    if connection.is_in_transaction():
        await connection.reset()


def _settings(role: str | None) -> dict[str, str]:
    common = {"application_name": "hamyon", "timezone": "UTC", "jit": "off"}
    return common | ({"role": role} if role else {})


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection inside one READ COMMITTED transaction. No network call may happen within."""
    async with pool.acquire() as connection, connection.transaction():
        yield connection


async def in_transaction(
    pool: Pool,
    use_case: Callable[Concatenate[Connection, P], Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run ``use_case(connection, ...)`` in a transaction of its own, as ``with_retries`` does."""

    async def attempt() -> T:
        async with transaction(pool) as connection:
            return await use_case(connection, *args, **kwargs)

    return await with_retries(attempt)


async def with_retries(use_case: Callable[[], Awaitable[T]]) -> T:
    """Run a use case that is one transaction, anew after a deadlock or serialization failure.

    At most ``ATTEMPTS_MAX`` times; it must carry the same keys each time. The last failure is
    raised as it came.
    """
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            return await use_case()
        except RETRYABLE:
            if attempt == ATTEMPTS_MAX:
                raise
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 -- jitter
    raise AssertionError("unreachable")


@contextmanager
def refusals(errors: Mapping[str, type[HamyonError]]) -> Iterator[None]:
    """Turns what SQL functions refuse into the typed errors of ``errors``, by code.

    A code that is not named there goes through as asyncpg's own error: it is a defect of ours.
    """
    try:
        yield
    except asyncpg.PostgresError as error:
        kind = errors.get(str(error.args[0])) if error.sqlstate == REFUSAL_SQLSTATE else None
        if kind is None:
            raise
        raise kind(**orjson.loads(error.as_dict().get("detail") or "{}")) from None
