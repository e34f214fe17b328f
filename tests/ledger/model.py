"""The ledger in plain Python: what the database must do, said a second time and simply.

Every call is a value, so that it can be made again with its key, by the model and by the database.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from hamyon.kit.db import Connection
from hamyon.ledger import service
from hamyon.ledger.types import AMOUNT_LIMIT, DEBT, WALLET, Line, Transfer, TransferKind

Person: TypeAlias = tuple[int, str]
Account: TypeAlias = tuple[int | None, str, str]


class Refused(Exception):
    """The model's refusal; ``code`` is that of the typed error which the ledger must raise."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class OpenHold:
    user_id: int
    asset: str
    amount: int
    key: str


@dataclass(frozen=True, slots=True)
class Capture:
    hold: str
    amount: int
    to_role: str


@dataclass(frozen=True, slots=True)
class Release:
    hold: str


@dataclass(frozen=True, slots=True)
class Post:
    kind: TransferKind
    key: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class ClawBack:
    user_id: int
    asset: str
    amount: int
    to_role: str
    key: str


@dataclass(frozen=True, slots=True)
class Reverse:
    of: str
    key: str


Call: TypeAlias = OpenHold | Capture | Release | Post | ClawBack | Reverse


async def perform(connection: Connection, call: Call) -> int | bool:
    """The call on the real ledger."""
    match call:
        case OpenHold():
            return await service.open_hold(
                connection,
                user_id=call.user_id,
                asset=call.asset,
                amount=call.amount,
                key=call.key,
            )
        case Capture():
            return await service.capture(
                connection,
                call.hold,
                amount=call.amount,
                kind=TransferKind.GENERATION,
                to_role=call.to_role,
                transfer_key=f"capture:{call.hold}",
                reference=call.hold,
            )
        case Release():
            return await service.release(connection, call.hold)
        case Post():
            return await service.post(
                connection, Transfer(call.kind, call.key, "tester", call.lines)
            )
        case ClawBack():
            return await service.claw_back(
                connection,
                user_id=call.user_id,
                asset=call.asset,
                amount=call.amount,
                kind=TransferKind.REFUND,
                to_role=call.to_role,
                key=call.key,
                actor="tester",
            )
        case Reverse():
            return await service.reverse(
                connection, call.of, key=call.key, actor="tester", reason="a test"
            )
        case _:
            assert_never(call)


@dataclass(slots=True)
class Hold:
    opened: OpenHold
    available_after: int
    captured: int | None = None


@dataclass(frozen=True, slots=True)
class Written:
    kind: str
    call: object
    lines: tuple[tuple[Account, int], ...]
    result: int | bool = True
    reverses: str | None = None


@dataclass(slots=True)
class Model:
    """Balances, holds and transfers. ``history`` has ``(kind, amount, balance after)`` a line."""

    balance: defaultdict[Account, int] = field(default_factory=lambda: defaultdict(int))
    holds: dict[str, Hold] = field(default_factory=dict)
    written: dict[str, Written] = field(default_factory=dict)
    history: defaultdict[Account, list[tuple[str, int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def held(self, person: Person) -> int:
        return sum(
            hold.opened.amount
            for hold in self.holds.values()
            if hold.captured is None and (hold.opened.user_id, hold.opened.asset) == person
        )

    def available(self, person: Person) -> int:
        return self.balance[(person[0], WALLET, person[1])] - self.held(person)

    def apply(self, call: Call) -> int | bool:
        match call:
            case OpenHold():
                return self._open_hold(call)
            case Capture():
                return self._end_hold(call.hold, call.amount, call)
            case Release():
                return self._end_hold(call.hold, 0, call)
            case Post():
                return self._post(call)
            case ClawBack():
                return self._claw_back(call)
            case Reverse():
                return self._reverse(call)
            case _:
                assert_never(call)

    def _open_hold(self, call: OpenHold) -> int:
        _check_amount(call.amount, least=1)
        first = self.holds.get(call.key)
        if first:
            if first.opened != call:
                raise Refused("idempotency_mismatch")
            return first.available_after
        after = self.available((call.user_id, call.asset)) - call.amount
        if after < 0:
            raise Refused("insufficient_funds")
        self.holds[call.key] = Hold(call, after)
        return after

    def _end_hold(self, key: str, amount: int, call: Capture | Release) -> bool:
        _check_amount(amount, least=0)
        hold = self.holds.get(key)
        if hold is None:
            raise Refused("hold_not_found")
        if hold.captured is not None:
            first = self.written.get(f"capture:{key}") if amount else None
            if first and first.call != call:
                raise Refused("idempotency_mismatch")
            if hold.captured != amount:
                raise Refused("hold_closed")
            return False
        if amount > hold.opened.amount:
            raise Refused("hold_exceeded")
        user_id, asset = hold.opened.user_id, hold.opened.asset
        hold.captured = amount
        if isinstance(call, Capture) and amount:
            lines = {(user_id, WALLET, asset): -amount, (None, call.to_role, asset): amount}
            self._write(f"capture:{key}", "generation", call, lines)
        self._pay_debt((user_id, asset), f"release:{key}")
        return True

    def _post(self, call: Post) -> bool:
        if any(abs(line.amount) > AMOUNT_LIMIT for line in call.lines):
            raise Refused("amount_too_large")
        lines = {(line.user_id, line.role, line.asset): line.amount for line in call.lines}
        sums: defaultdict[str, int] = defaultdict(int)
        for line in call.lines:
            sums[line.asset] += line.amount
        if len(lines) < 2 or len(lines) < len(call.lines) or any(sums.values()):
            raise Refused("invalid_transfer")
        if not all(lines.values()):
            raise Refused("invalid_transfer")
        return self._settle(call.key, call.kind, call, lines)

    def _claw_back(self, call: ClawBack) -> int:
        _check_amount(call.amount, least=1)
        first = self.written.get(call.key)
        if first:
            if first.call != call:
                raise Refused("idempotency_mismatch")
            return first.result
        person = (call.user_id, call.asset)
        taken = min(call.amount, self.available(person))
        lines: dict[Account, int] = {
            (None, call.to_role, call.asset): call.amount,
            (call.user_id, WALLET, call.asset): -taken,
            (call.user_id, DEBT, call.asset): taken - call.amount,
        }
        lines = {account: amount for account, amount in lines.items() if amount}
        self._settle(call.key, "refund", call, lines, result=call.amount - taken)
        return call.amount - taken

    def _reverse(self, call: Reverse) -> bool:
        of = self.written.get(call.of)
        if of is None:
            raise Refused("transfer_not_found")
        by = next((key for key, w in self.written.items() if w.reverses == call.of), None)
        if by is not None and by != call.key:
            raise Refused("already_reversed")
        if by is None and call.key in self.written:
            raise Refused("idempotency_mismatch")
        lines: defaultdict[Account, int] = defaultdict(int)
        for (user_id, role, asset), amount in of.lines:
            owed = -self.balance[(user_id, role, asset)]
            part = min(-amount, owed) if role == DEBT else -amount
            lines[(user_id, role, asset)] += part
            lines[(user_id, WALLET, asset)] += -amount - part
        kept = {account: amount for account, amount in lines.items() if amount}
        if by is None and not kept:
            raise Refused("invalid_transfer")
        return self._settle(call.key, "refund", call, kept, reverses=call.of)

    def _settle(
        self,
        key: str,
        kind: str,
        call: Call,
        lines: dict[Account, int],
        result: int | bool = True,
        reverses: str | None = None,
    ) -> bool:
        if key in self.written:
            if self.written[key].call != call:
                raise Refused("idempotency_mismatch")
            return False
        people = set()
        for (user_id, role, asset), amount in lines.items():
            if user_id is None:
                continue
            people.add((user_id, asset))
            if role == WALLET and self.available((user_id, asset)) + amount < 0:
                raise Refused("insufficient_funds")
            if role == DEBT and self.balance[(user_id, role, asset)] + amount > 0:
                raise Refused("invalid_transfer")
            if abs(self.balance[(user_id, role, asset)] + amount) > AMOUNT_LIMIT:
                raise Refused("amount_too_large")
        self._write(key, kind, call, lines, result, reverses)
        for user_id, asset in people:
            self._pay_debt((user_id, asset), f"{key}:{user_id}:{asset}")
        return True

    def _pay_debt(self, person: Person, cause: str) -> None:
        user_id, asset = person
        wallet, debt = (user_id, WALLET, asset), (user_id, DEBT, asset)
        paid = min(-self.balance[debt], self.available(person))
        if paid > 0:
            self._write(f"debt:{cause}", "debt", cause, {wallet: -paid, debt: paid})

    def _write(
        self,
        key: str,
        kind: str,
        call: object,
        lines: dict[Account, int],
        result: int | bool = True,
        reverses: str | None = None,
    ) -> None:
        assert key not in self.written
        for account, amount in lines.items():
            self.balance[account] += amount
            self.history[account].append((kind, amount, self.balance[account]))
        self.written[key] = Written(kind, call, tuple(lines.items()), result, reverses)


def _check_amount(amount: int, *, least: int) -> None:
    if abs(amount) > AMOUNT_LIMIT:
        raise Refused("amount_too_large")
    if amount < least:
        raise Refused("invalid_amount")
