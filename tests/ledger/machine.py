"""A hypothesis state machine: random lives of three people on PostgreSQL against the model."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from hamyon.kit import db
from hamyon.kit.errors import HamyonError
from hamyon.ledger import service
from hamyon.ledger.types import AMOUNT_LIMIT, DEBT, WALLET, Line, TransferKind
from tests.ledger.model import (
    Call,
    Capture,
    ClawBack,
    Model,
    OpenHold,
    Post,
    Refused,
    Release,
    Reverse,
    perform,
)

T = TypeVar("T")

PEOPLE = 3
WHO = st.integers(0, PEOPLE - 1)
ASSETS = st.sampled_from(["credit", "credit", "credit", "USD"])
# Small, so that balances are hit exactly and missed by one; now and then absurd.
AMOUNTS = st.one_of(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([0, -1, AMOUNT_LIMIT, AMOUNT_LIMIT + 1, 2**63 - 1, -(2**63), 2**63, 2**70]),
)
PARTS = st.integers(1, 40)
PICK = st.integers(0, 10_000)


class Session:
    """One connection and the event loop that it lives on, used from synchronous code."""

    def __init__(self, dsn: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.connection = self.run(db.connect(dsn))
        self.lives = itertools.count(1)
        self.outcomes: Counter[str] = Counter()

    def run(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self.connection.close())
        self.loop.close()


class LedgerMachine(RuleBasedStateMachine):
    """One life: people, keys and system accounts of its own, in a database shared by all lives."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.life = next(session.lives)
        self.model = Model()
        self.calls: list[Call] = []
        self.refused: list[Call] = []
        self.keys = itertools.count(1)
        self.began = session.run(session.connection.fetchval("SELECT clock_timestamp()"))

    # What can happen -----------------------------------------------------------------------------

    @initialize()
    def begin_with_something(self) -> None:
        for asset in ("credit", "USD"):
            gains = {self._person(who): 60 for who in range(PEOPLE)}
            self._move(TransferKind.WELCOME, asset, gains, "bonus")

    @rule(who=WHO, asset=ASSETS, amount=AMOUNTS)
    def deposit(self, who: int, asset: str, amount: int) -> None:
        self._move(TransferKind.DEPOSIT, asset, {self._person(who): amount}, "sales:stars")

    @rule(who=WHO, asset=ASSETS, amount=AMOUNTS, kind=st.sampled_from(["promo_code", "welcome"]))
    def grant(self, who: int, asset: str, amount: int, kind: str) -> None:
        self._move(TransferKind(kind), asset, {self._person(who): amount}, "bonus")

    @rule(payer=WHO, asset=ASSETS, amount=PARTS)
    def refer(self, payer: int, asset: str, amount: int) -> None:
        """A purchase and the referrer's share of it, in one transfer."""
        gains = {self._person(payer): 10 * amount, self._person((payer + 1) % PEOPLE): amount}
        self._move(TransferKind.REFERRAL_BONUS, asset, gains, "bonus")

    @rule(who=WHO, asset=ASSETS, amount=PARTS, fee=st.integers(0, 3))
    def pay_out(self, who: int, asset: str, amount: int, fee: int) -> None:
        lines = [
            Line(self._person(who), WALLET, asset, -amount - fee),
            Line(None, self._system("payouts"), asset, amount),
        ]
        if fee:
            lines.append(Line(None, self._system("fees"), asset, fee))
        self._call(Post(TransferKind.WITHDRAWAL, self._key(), tuple(lines)))

    @rule(giver=WHO, taker=WHO, asset=ASSETS, amount=PARTS)
    def give(self, giver: int, taker: int, asset: str, amount: int) -> None:
        """From one person to another; to oneself it is no transfer."""
        lines = (
            Line(self._person(taker), WALLET, asset, amount),
            Line(self._person(giver), WALLET, asset, -amount),
        )
        self._call(Post(TransferKind.ADMIN_ADJUSTMENT, self._key(), lines))

    @rule(who=WHO, asset=ASSETS, amount=PARTS)
    def forgive(self, who: int, asset: str, amount: int) -> None:
        lines = (
            Line(self._person(who), DEBT, asset, amount),
            Line(None, self._system("bonus"), asset, -amount),
        )
        self._call(Post(TransferKind.ADMIN_ADJUSTMENT, self._key(), lines))

    @rule(who=WHO, amounts=st.lists(st.integers(-2, 2), max_size=3), asset=ASSETS)
    def post_nonsense(self, who: int, amounts: list[int], asset: str) -> None:
        """Any few lines: mostly unbalanced, empty or twice on one account."""
        roles = [self._system("sales:stars"), self._system("bonus"), self._system("bonus")]
        lines = tuple(Line(None, role, asset, n) for role, n in zip(roles, amounts, strict=False))
        self._call(Post(TransferKind.FEE, self._key(), lines))

    @rule(who=WHO, asset=ASSETS, amount=AMOUNTS)
    def open_hold(self, who: int, asset: str, amount: int) -> None:
        self._call(OpenHold(self._person(who), asset, amount, self._key()))

    @rule(pick=PICK, missing=st.integers(-1, 12))
    def capture(self, pick: int, missing: int) -> None:
        """The whole of it, a part of it, or one more than there is."""
        hold = self._hold(pick)
        held = self.model.holds[hold].opened.amount if hold in self.model.holds else 1
        amount = held - missing % (held + 1) if missing >= 0 else held + 1
        self._call(Capture(hold, amount, self._system("revenue")))

    @rule(pick=PICK)
    def release(self, pick: int) -> None:
        self._call(Release(self._hold(pick)))

    @rule(who=WHO, asset=ASSETS, amount=AMOUNTS)
    def claw_back(self, who: int, asset: str, amount: int) -> None:
        to_role = self._system("sales:stars")
        self._call(ClawBack(self._person(who), asset, amount, to_role, self._key()))

    @rule(pick=PICK)
    def reverse(self, pick: int) -> None:
        written = [*self.model.written, "never-written"]
        self._call(Reverse(written[pick % len(written)], self._key()))

    @rule(pick=PICK, amount=PARTS)
    def reverse_a_paid_debt(self, pick: int, amount: int) -> None:
        """A claw-back makes a debt, a deposit pays of it, then the claw-back is undone."""
        who = self._person(pick % PEOPLE)
        over = self.model.available((who, "credit")) + 1 + pick % 30
        key = self._key()
        self._call(ClawBack(who, "credit", over, self._system("sales:stars"), key))
        self._move(TransferKind.DEPOSIT, "credit", {who: amount}, "sales:stars")
        owed = -self.model.balance[(who, DEBT, "credit")]
        made = [-n for (_, role, _), n in self.model.written[key].lines if role == DEBT]
        self.session.outcomes["paid debt returned"] += bool(made and owed < made[0])
        self._call(Reverse(key, self._key()))

    @rule(pick=PICK)
    def replay(self, pick: int) -> None:
        """An earlier call again, whatever has happened since; also one that was refused then."""
        calls = self.refused if pick % 5 == 4 and self.refused else self.calls
        self._call(calls[pick % len(calls)])

    @rule(pick=PICK)
    def replay_other_input(self, pick: int) -> None:
        call = self.calls[pick % len(self.calls)]
        match call:
            case OpenHold() | ClawBack() | Capture():
                self._call(replace(call, amount=call.amount + 1))
            case Post():
                kind = TransferKind.FEE if call.kind != TransferKind.FEE else TransferKind.WELCOME
                self._call(replace(call, kind=kind))
            case Reverse():
                written = list(self.model.written)
                self._call(replace(call, of=written[pick % len(written)] if written else call.of))
            case Release(hold):
                self._call(Capture(hold, 1, self._system("revenue")))

    # What must always hold -----------------------------------------------------------------------

    @invariant()
    def balances_are_the_models(self) -> None:
        rows = self.session.run(
            self.session.connection.fetch(
                "SELECT user_id, role, asset, posted, held FROM accounts WHERE user_id = ANY ($1)",
                [self._person(who) for who in range(PEOPLE)],
            )
        )
        actual = {(r["user_id"], r["role"], r["asset"]): (r["posted"], r["held"]) for r in rows}
        for (user_id, role, asset), posted in self.model.balance.items():
            if user_id is not None and posted:
                assert actual[(user_id, role, asset)][0] == posted
        for (user_id, role, asset), (posted, held) in actual.items():
            assert posted == self.model.balance[(user_id, role, asset)]
            assert held == (self.model.held((user_id, asset)) if role == WALLET else 0)
            assert posted <= 0 if role == DEBT else 0 <= held <= posted

    def teardown(self) -> None:
        paid = sum(written.kind == "debt" for written in self.model.written.values())
        self.session.outcomes["debt paid"] += paid
        self.session.run(self._compare_history())
        findings = self.session.run(service.audit(self.session.connection, self.began))
        assert findings == []

    async def _compare_history(self) -> None:
        rows = await self.session.connection.fetch(
            """
            SELECT a.user_id, a.role, a.asset, t.kind, e.amount, e.balance_after
            FROM ledger_entries e
            JOIN transfers t ON t.id = e.transfer_id JOIN accounts a ON a.id = e.account_id
            WHERE t.created_at >= $1 ORDER BY e.id
            """,
            self.began,
        )
        actual: dict[object, list[tuple[str, int, int | None]]] = {}
        for row in rows:
            line = (row["kind"], row["amount"], row["balance_after"])
            actual.setdefault((row["user_id"], row["role"], row["asset"]), []).append(line)
        expected = {
            account: [(k, n, after if account[0] is not None else None) for k, n, after in lines]
            for account, lines in self.model.history.items()
        }
        assert actual == expected

    # Machinery -----------------------------------------------------------------------------------

    def _call(self, call: Call) -> None:
        try:
            expected: int | bool | str = self.model.apply(call)
        except Refused as refused:
            expected = refused.code
        actual: int | bool | str
        try:
            actual = self.session.run(perform(self.session.connection, call))
        except HamyonError as error:
            actual = error.code
        assert (type(actual), actual) == (type(expected), expected), call
        (self.refused if isinstance(actual, str) else self.calls).append(call)
        name = type(call).__name__
        self.session.outcomes[f"{name} {actual if isinstance(actual, str | bool) else 'ok'}"] += 1

    def _move(self, kind: TransferKind, asset: str, gains: dict[int, int], role: str) -> None:
        lines = [Line(user_id, WALLET, asset, n) for user_id, n in gains.items()]
        lines.append(Line(None, self._system(role), asset, -sum(gains.values())))
        self._call(Post(kind, self._key(), tuple(lines)))

    def _person(self, who: int) -> int:
        return self.life * 10 + who

    def _system(self, role: str) -> str:
        return f"{role}:{self.life}"

    def _key(self) -> str:
        return f"life:{self.life}:{next(self.keys)}"

    def _hold(self, pick: int) -> str:
        """An open hold, made if there is none; now and then any, or one that never was."""
        if pick % 7 == 6:
            some = [*self.model.holds, f"life:{self.life}:none"]
            return some[pick // 7 % len(some)]
        still = [key for key, hold in self.model.holds.items() if hold.captured is None]
        if still:
            return still[pick % len(still)]
        key = self._key()
        self._call(OpenHold(self._person(pick % PEOPLE), "credit", 1 + pick % 20, key))
        return key


def live(dsn: str, *, lives: int, steps: int, seed_number: int) -> Counter[str]:
    """Run the machine; returns how often every operation ended in every way."""
    session = Session(dsn)
    try:

        @seed(seed_number)
        class Life(LedgerMachine):
            def __init__(self) -> None:
                super().__init__(session)

        run_state_machine_as_test(
            Life,
            settings=settings(
                max_examples=lives,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
                print_blob=False,
            ),
        )
        findings = session.run(service.audit(session.connection))
        assert findings == []
        return session.outcomes
    finally:
        session.close()
