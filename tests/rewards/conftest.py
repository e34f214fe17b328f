"""What tests about rewards share: people, payments that bring bonuses, and the audit at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from hamyon.kit.clock import MovedClock
from hamyon.kit.db import Connection, Pool, in_transaction, open_pool
from hamyon.kit.errors import HamyonError
from hamyon.kit.ids import new_id
from hamyon.kit.web.permission import Operator, Role
from hamyon.ledger import service as ledger
from hamyon.ledger.types import Finding, TransferKind
from hamyon.rewards import service as rewards
from hamyon.rewards.types import (
    Deposit,
    PromoTerms,
    Redeemed,
    Redemption,
    ReferralTerms,
)
from hamyon.users.service import people
from hamyon.users.types import Acting, Contact, FirstContact, Synced
from tests.fixtures.database import Database

T = TypeVar("T")

TASHKENT = ZoneInfo("Asia/Tashkent")
TERMS = ReferralTerms(
    percent=10, first_payment_only=False, join_bonus=0, daily_cap=0, hold_days=0, zone=TASHKENT
)
CALLERS = 200
CONNECTIONS = 32
OPERATOR = Acting(Operator(900, "900", Role.OWNER), "203.0.113.7", "request-1")


def promo(
    amount: int | None = 50,
    *,
    asset: str | None = "credit",
    percent: int | None = None,
    total_limit: int | None = None,
    per_user_limit: int = 1,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
    products: Sequence[str] | None = None,
    active: bool = True,
) -> PromoTerms:
    """The terms of a code; with ``percent`` it gives that instead of an amount."""
    if percent is not None:
        asset, amount = None, None
    return PromoTerms(
        asset=asset,
        amount=amount,
        percent=percent,
        total_limit=total_limit,
        per_user_limit=per_user_limit,
        valid_from=valid_from,
        valid_until=valid_until,
        products=products,
        active=active,
    )


@dataclass
class Scene:
    """Short ways to do what callers of rewards do, each in a transaction of its own."""

    pool: Pool
    clock: MovedClock = field(default_factory=MovedClock)
    terms: ReferralTerms = TERMS

    async def run(self, use_case: Callable[[Connection], Awaitable[T]]) -> T:
        return await in_transaction(self.pool, use_case)

    async def person(
        self,
        user_id: int,
        inviter: int | None = None,
        *,
        code: str | None = None,
        first_contacts: Sequence[FirstContact] = (),
    ) -> Synced:
        """Somebody comes, through another one's code or by himself."""
        told = code if inviter is None else f"ref_{inviter}"
        contact = Contact(user_id, f"user{user_id}", referral_code=told)
        return await self.run(
            lambda connection: people.sync(
                connection, contact, first_contacts=first_contacts, now=self.clock.now()
            )
        )

    async def block(self, user_id: int) -> None:
        await self.run(
            lambda connection: people.block(
                connection, user_id, reason="a test", acting=OPERATOR, now=self.clock.now()
            )
        )

    async def pays(
        self,
        user_id: int,
        granted: int,
        *,
        asset: str = "credit",
        payment_id: UUID | None = None,
        at: datetime | None = None,
    ) -> UUID:
        """A payment is credited; its id. The same id again is the same payment again."""
        payment = payment_id or new_id()
        deposit = Deposit(user_id, payment, asset, granted, at or self.clock.now())

        async def credit(connection: Connection) -> None:
            await ledger.grant(
                connection,
                user_id=user_id,
                asset=asset,
                amount=granted,
                kind=TransferKind.DEPOSIT,
                from_role="sales:stars",
                key=f"stars:{payment}",
                actor="tester",
            )
            await rewards.on_deposit(connection, deposit, self.terms)

        await self.run(credit)
        return payment

    async def refund(
        self, payment: UUID, refunded: int, paid: int, *, refund_id: UUID | None = None
    ) -> UUID:
        """So much of what was paid is given back by now; the refund's id."""
        refund = refund_id or new_id()
        await self.run(
            lambda connection: rewards.on_refund(connection, payment, refund, refunded, paid)
        )
        return refund

    async def undo(self, refund_id: UUID) -> None:
        await self.run(lambda connection: rewards.undo_refund(connection, refund_id))

    async def spends(self, user_id: int, amount: int) -> None:
        """The wallet loses ``amount`` for good."""
        await self.run(
            lambda connection: ledger.grant(
                connection,
                user_id=user_id,
                asset="credit",
                amount=-amount,
                kind=TransferKind.GENERATION,
                from_role="revenue:images",
                key=f"spent:{new_id()}",
                actor="tester",
            )
        )

    async def balance(self, user_id: int, asset: str = "credit") -> int:
        """What can be spent, without what is owed."""
        wallet = await ledger.balance(self.pool, user_id, asset)
        owed = [debt for debt in await ledger.debts(self.pool, user_id) if debt.asset == asset]
        return (wallet.available if wallet else 0) + sum(debt.posted for debt in owed)

    async def code(self, shown: str, terms: PromoTerms) -> None:
        await self.run(
            lambda connection: rewards.create_code(
                connection, shown, terms, acting=OPERATOR, now=self.clock.now()
            )
        )

    async def redeems(
        self, user_id: int, typed: str, *, product: str | None = None, key: str | None = None
    ) -> Redeemed | HamyonError:
        wish = Redemption(user_id, typed, product, "tester", key)
        return await in_transaction(self.pool, rewards.redeem, wish, now=self.clock.now())

    async def outcome(self, user_id: int, typed: str, *, product: str | None = None) -> str:
        """``ok``, or the code of the refusal."""
        answer = await self.redeems(user_id, typed, product=product)
        return answer.code if isinstance(answer, HamyonError) else "ok"

    async def bonuses(self) -> list[tuple[str, int, int]]:
        """Every bonus in the order of writing: its state, its amount, what was taken back."""
        rows = await self.pool.fetch("SELECT state, amount, taken_back FROM bonuses ORDER BY id")
        return [(row["state"], row["amount"], row["taken_back"]) for row in rows]

    async def notices(self, user_id: int) -> list[tuple[str, dict[str, object]]]:
        rows = await self.pool.fetch(
            "SELECT kind, facts FROM notices WHERE user_id = $1 ORDER BY id", user_id
        )
        return [(row["kind"], row["facts"]) for row in rows]


async def findings(pool: Pool, since: datetime | None = None) -> list[Finding]:
    """What the audits of the ledger and of rewards find."""
    return [*await ledger.audit(pool, since), *await rewards.audit(pool, since)]


async def all_at_once(count: int, request: Callable[[int], Awaitable[T]]) -> list[T]:
    """The answers of ``count`` callers who begin at the same moment."""
    barrier = asyncio.Barrier(count)

    async def call(number: int) -> T:
        await barrier.wait()
        return await request(number)

    return await asyncio.gather(*(call(number) for number in range(count)))


@pytest.fixture
async def scene(pool: Pool) -> AsyncIterator[Scene]:
    """Over the test's database; ends with both audits, whole and of what is new."""
    began = datetime.now(UTC)
    yield Scene(pool)
    assert await findings(pool) == []
    assert await findings(pool, began) == []


@pytest.fixture
async def crowd(database: Database) -> AsyncIterator[Scene]:
    """As ``scene``, with many connections, all open before a race begins."""
    opened = await open_pool(database.dsn, min_size=CONNECTIONS, max_size=CONNECTIONS)
    yield Scene(opened)
    assert await findings(opened) == []
    opened.terminate()
