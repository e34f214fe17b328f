"""Two books that agree but for known differences.

Theirs are planted at the sandbox. Ours are written past the use cases, which would take an hour for
as many; the audit finds them sound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import aiohttp
import asyncpg

from hamyon.kit.db import Pool, in_transaction
from hamyon.payments.service.refund import settle_refund
from hamyon.payments.service.settle import desk_of
from hamyon.payments.types import MismatchKind, Needs, Refund, RefundMade, RefundState

GRANTED: Final = 1000
BATCH: Final = 5000
PLANTED: Final = (
    MismatchKind.ONLY_OURS,
    MismatchKind.AMOUNT_DIFFERS,
    MismatchKind.REFUND_ONLY_OURS,
    MismatchKind.REFUND_ONLY_THEIRS,
    MismatchKind.ONLY_THEIRS,
)
"""The first four are counted from the first payment on; the last ones are behind all of ours."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The payments of one gateway, numbered from 0, one after the other in time.

    ``each`` payments are planted with each of the kinds of difference; every ``refund_every``-th of
    the others was given back, and both sides know it.
    """

    gateway: str
    count: int
    each: int
    begin: datetime
    step: timedelta
    people: int = 50
    refund_every: int = 50
    payload: Callable[[UUID], str] = field(default=lambda _: "planted")

    @property
    def price_minor(self) -> int:
        return 70 if self.gateway == "stars" else 14_900

    @property
    def currency(self) -> str:
        return "XTR" if self.gateway == "stars" else "RUB"

    @property
    def end(self) -> datetime:
        """Behind the last payment of either side."""
        return self.at(self.count + self.each)

    def at(self, number: int) -> datetime:
        return self.begin + number * self.step

    def payment_id(self, number: int) -> UUID:
        head = "019a0000" if self.gateway == "stars" else "019b0000"
        return UUID(f"{head}-0000-7000-8000-{number:012x}")

    def charge_id(self, number: int) -> str:
        if self.gateway == "stars":
            return f"stx{number:09d}"
        return f"{number:08x}-000f-5000-8000-000000000000"

    def refund_id(self, number: int) -> str:
        """A refund of Stars has the id of its charge."""
        return self.charge_id(number).replace("-000f-", "-0015-")

    def user_id(self, number: int) -> int:
        return 1 + number % self.people

    def kind(self, number: int) -> MismatchKind | None:
        """How this payment differs."""
        if number >= self.count:
            return MismatchKind.ONLY_THEIRS
        place = number // self.each if self.each else len(PLANTED)
        return PLANTED[place] if place < len(PLANTED) - 1 else None

    def is_refunded(self, number: int) -> bool:
        """Whether both sides know a refund of it."""
        return self.kind(number) is None and number % self.refund_every == 0

    def differences(self) -> set[tuple[str, str, str]]:
        """``(gateway, kind, subject)`` of everything that a comparison has to find."""
        found = set()
        for number in (*range(4 * self.each), *range(self.count, self.count + self.each)):
            kind = self.kind(number)
            assert kind is not None
            is_refund = kind.startswith("refund")
            subject = self.refund_id(number) if is_refund else self.charge_id(number)
            found.add((self.gateway, str(kind), subject))
        return found


# --- ours -----------------------------------------------------------------------------------------


async def plant_ours(superuser_dsn: str, needs: Needs, shelf: Shelf) -> None:
    """Paid payments with their deposits, in a few statements; refunds by the use case itself."""
    connection = await asyncpg.connect(superuser_dsn, command_timeout=600)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("SET timezone = 'UTC'")
        async with connection.transaction():
            await _insert(connection, shelf)
        await connection.execute("ANALYZE payments, transfers, ledger_entries, accounts")
    finally:
        await connection.close()
    for number in range(shelf.count):
        if shelf.kind(number) is MismatchKind.REFUND_ONLY_OURS or shelf.is_refunded(number):
            await refunded(needs.pool, needs, shelf, number)


async def refunded(pool: Pool, needs: Needs, shelf: Shelf, number: int) -> None:
    """A refund that the vendor told us of at its time."""
    at = shelf.at(number) + shelf.step / 2
    made = RefundMade(
        external_id=shelf.refund_id(number),
        charge_id=shelf.charge_id(number),
        state=RefundState.DONE,
        amount_minor=shelf.price_minor,
        currency=shelf.currency,
        at=at,
    )
    desk = replace(desk_of(needs, needs.gateways[shelf.gateway]), now=at)
    assert isinstance(await in_transaction(pool, settle_refund, desk, made), Refund)


async def _insert(connection: asyncpg.Connection[Any], shelf: Shelf) -> None:
    await connection.execute(
        """
        CREATE TEMPORARY TABLE planted ON COMMIT DROP AS
        SELECT n, id, user_id, charge_id, at
        FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[])
            WITH ORDINALITY AS row (id, user_id, charge_id, at, n)
        """,
        [shelf.payment_id(number) for number in range(shelf.count)],
        [shelf.user_id(number) for number in range(shelf.count)],
        [shelf.charge_id(number) for number in range(shelf.count)],
        [shelf.at(number) for number in range(shelf.count)],
    )
    await connection.execute(
        "INSERT INTO users (id) SELECT DISTINCT user_id FROM planted ON CONFLICT DO NOTHING"
    )
    await connection.execute(
        """
        INSERT INTO accounts (user_id, role, asset)
        SELECT DISTINCT user_id, role, 'credit' FROM planted, unnest(ARRAY['wallet', 'debt']) role
        ON CONFLICT DO NOTHING
        """
    )
    await connection.execute(
        """
        INSERT INTO payments (id, user_id, gateway, state, currency, amount_minor, asset, amount,
            title, vendor_key, vendor_key_at, external_id, vendor_at, paid_minor, granted, paid_at,
            created_at)
        SELECT id, user_id, $1, 'paid', $2, $3, 'credit', $4, 'planted', id::text, at, charge_id,
            at, $3, $4, at, at
        FROM planted
        """,
        shelf.gateway,
        shelf.currency,
        shelf.price_minor,
        GRANTED,
    )
    await connection.execute(
        """
        INSERT INTO transfers (kind, key, input_hash, actor, reference, created_at)
        SELECT 'deposit', $1 || ':' || charge_id, '\\x00', 'system', id::text, at
        FROM planted ORDER BY n
        """,
        shelf.gateway,
    )
    await connection.execute(
        """
        INSERT INTO ledger_entries (transfer_id, account_id, amount, balance_after)
        SELECT t.id, line.account_id, line.amount, line.balance
        FROM planted p
        JOIN transfers t ON t.key = $1 || ':' || p.charge_id
        JOIN accounts w ON w.user_id = p.user_id AND w.role = 'wallet' AND w.asset = 'credit'
        JOIN accounts s ON s.user_id IS NULL AND s.role = 'sales:' || $1 AND s.asset = 'credit'
        CROSS JOIN LATERAL (VALUES
            (w.id, $2::bigint, w.posted + $2 * (1 + (p.n - 1) / $3)), (s.id, -$2, NULL)
        ) AS line (account_id, amount, balance)
        ORDER BY p.n
        """,
        shelf.gateway,
        GRANTED,
        shelf.people,
    )
    await connection.execute(
        """
        UPDATE accounts a SET posted = a.posted + s.count * $1
        FROM (SELECT user_id, count(*) FROM planted GROUP BY user_id) s
        WHERE a.user_id = s.user_id AND a.role = 'wallet' AND a.asset = 'credit'
        """,
        GRANTED,
    )


# --- theirs ---------------------------------------------------------------------------------------


async def plant_theirs(url: str, shelf: Shelf) -> None:
    """The vendor's side of it, at the sandbox."""
    async with aiohttp.ClientSession(url) as session:
        for batch in _batches(shelf):
            if shelf.gateway == "stars":
                await _post(session, "/telegram/plant", {"transactions": batch})
            else:
                await _post(session, "/yookassa/plant", batch)


def _batches(shelf: Shelf) -> Iterator[Sequence[Mapping[str, object]]]:
    batch = []
    for number in range(shelf.count + shelf.each):
        if shelf.kind(number) is not MismatchKind.ONLY_OURS:
            batch.append(
                _star(shelf, number) if shelf.gateway == "stars" else _ruble(shelf, number)
            )
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _has_refund(shelf: Shelf, number: int) -> bool:
    is_theirs = shelf.kind(number) is MismatchKind.REFUND_ONLY_THEIRS
    return is_theirs or shelf.is_refunded(number)


def _amount_minor(shelf: Shelf, number: int) -> int:
    return shelf.price_minor + (shelf.kind(number) is MismatchKind.AMOUNT_DIFFERS)


def _star(shelf: Shelf, number: int) -> Mapping[str, object]:
    planted: dict[str, object] = {
        "id": shelf.charge_id(number),
        "amount": _amount_minor(shelf, number),
        "date": int(shelf.at(number).timestamp()),
        "user_id": shelf.user_id(number),
        "invoice_payload": shelf.payload(shelf.payment_id(number)),
    }
    if _has_refund(shelf, number):
        planted["refunded_at"] = int((shelf.at(number) + shelf.step / 2).timestamp())
    return planted


def _ruble(shelf: Shelf, number: int) -> Mapping[str, object]:
    planted: dict[str, object] = {
        "id": shelf.charge_id(number),
        "amount": _rubles(_amount_minor(shelf, number)),
        "created_at": shelf.at(number).isoformat(),
        "metadata": {"payment_id": str(shelf.payment_id(number))},
    }
    if _has_refund(shelf, number):
        refund = {
            "id": shelf.refund_id(number),
            "amount": _rubles(shelf.price_minor),
            "created_at": (shelf.at(number) + shelf.step / 2).isoformat(),
        }
        planted["refunds"] = [refund]
    return planted


def _rubles(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


async def _post(session: aiohttp.ClientSession, path: str, body: object) -> None:
    async with session.post(path, json=body) as answer:
        assert answer.status == 200, await answer.text()


def long_ago(days: int = 2) -> datetime:
    """A whole second, far enough back that nothing of it can still be on its way."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
