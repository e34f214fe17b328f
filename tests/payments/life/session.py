"""What all lives of a run share, and how one of them begins."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import TypeVar

from hamyon.catalog import store as catalog_store
from hamyon.catalog.types import Package
from hamyon.kit.db import Pool, connect, in_transaction, open_pool
from hamyon.kit.money import Asset
from hamyon.kit.queue import Waker
from hamyon.kit.settings import Settings
from hamyon.kit.texts import LANGUAGES
from hamyon.ledger import service as ledger
from hamyon.ledger.types import Finding
from hamyon.payments.service import audit as payments_audit
from hamyon.rewards import service as rewards
from hamyon.rewards.store import promo_codes as codes_store
from hamyon.rewards.types import PromoTerms, ReferralTerms
from hamyon.users.service import people
from hamyon.users.types import Contact
from tests.payments.life.books import (
    CODES,
    DISCOUNT_PERCENT,
    HOUSES,
    INVITERS,
    PACKAGES,
    PEOPLE,
    STARS_MAX,
    STARS_MIN,
    USES_EACH,
    Books,
    Terms,
)
from tests.payments.life.calls import DISCOUNTED, LifeClock, Shop
from tests.payments.life.toy import ToyVendor

T = TypeVar("T")


class Session:
    """A pool and the event loop that it lives on, used from synchronous code."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.loop = asyncio.new_event_loop()
        self.pool: Pool = self.run(open_pool(dsn, min_size=3, max_size=3))
        self.outcomes: Counter[str] = Counter()
        self.run(self._furnish())
        # A database that was lived in before has people already.
        last = self.run(self.pool.fetchval("SELECT coalesce(max(id), 0) FROM users"))
        self.lives = itertools.count(last // 10 + 1)

    def run(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(work)

    async def _furnish(self) -> None:
        """The packages and codes of the model are on sale."""
        async with self.pool.acquire() as connection:
            for key, (asset, amount, prices) in PACKAGES.items():
                titles = dict.fromkeys(LANGUAGES, key)
                # A small bonus in it, which is granted with the rest.
                package = Package(key, titles, Asset(asset), amount - 1, 1, prices, True, 0)
                await catalog_store.insert_package(connection, package)
            for code, percent in CODES.items():
                terms = PromoTerms(None, None, percent, None, USES_EACH, None, None, None, True)
                await codes_store.insert_code(
                    connection,
                    code.replace(" ", ""),
                    code,
                    terms,
                    created_by="tester",
                    now=datetime.now(UTC),
                )

    async def audit(self, since: datetime | None = None) -> list[Finding]:
        """What the audits of everything that is touched here find."""
        audits = (ledger.audit, payments_audit.audit, rewards.audit)
        return [finding for audit in audits for finding in await audit(self.pool, since)]

    def close(self) -> None:
        self.run(self.pool.close())
        self.outcomes["deadlocks"] += self.run(self._deadlocks())
        self.loop.close()

    async def _deadlocks(self) -> int:
        """Retries hide them from callers; here nothing may cross at all."""
        connection = await connect(self.dsn)
        try:
            found: int = await connection.fetchval(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            )
        finally:
            await connection.close()
        return found


async def begin(pool: Pool, books: Books, first_id: int) -> Shop:
    """The people come, with their inviters' codes, and find three ways to pay."""
    clock = LifeClock(datetime.now(UTC))
    options = _settings(books.terms, clock)
    hooks = [rewards.JoinBonus(ReferralTerms.of(options))]
    for who in range(PEOPLE):
        code = f"ref_{first_id + INVITERS[who]}" if who in INVITERS else None
        contact = Contact(first_id + who, referral_code=code)
        await in_transaction(pool, people.sync, contact, first_contacts=hooks, now=clock.now())
    for who in books.discounts:
        offered = (first_id + who, DISCOUNTED, DISCOUNT_PERCENT)
        await in_transaction(pool, rewards.offer_discount, *offered)
    vendors = {
        name: ToyVendor(
            name=name,
            currency=house.currency,
            scale=0,
            invoices_are_reusable=house.is_reusable,
            grants_what_was_paid=house.grants_what_was_paid,
            refunds_parts=house.refunds_parts,
            names_charges=house.names_charges,
            clock=clock,
        )
        for name, house in HOUSES.items()
    }
    return Shop(pool, clock, options, Waker(pool), vendors, first_id)


def _settings(terms: Terms, clock: LifeClock) -> Settings:
    return Settings(
        _env_file=None,
        timezone=clock.zone,
        referral_bonus_percent=terms.percent,
        referral_first_payment_only=terms.first_only,
        referral_join_bonus_credits=terms.join_bonus,
        referral_daily_cap=terms.cap,
        referral_hold_days=terms.hold_days,
        stars_exchange_numerator=terms.rate[0],
        stars_exchange_denominator=terms.rate[1],
        stars_min=STARS_MIN,
        stars_max=STARS_MAX,
    )
