"""The ledger's use cases. Each one is safe to run again with the same key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from hamyon.kit.db import Connection, Pool
from hamyon.ledger import store
from hamyon.ledger.errors import AmountTooLarge
from hamyon.ledger.types import (
    AMOUNT_LIMIT,
    DEBT,
    WALLET,
    Balance,
    Finding,
    LedgerLine,
    Line,
    Moved,
    Transfer,
    TransferKind,
    WalletEffect,
)
from hamyon.users.errors import UserBlocked, UserNotFound
from hamyon.users.types import Condition


def _refuse_too_large(*amounts: int) -> None:
    # Beyond 64 bits the driver could not even send the amount for the database to refuse it.
    if any(abs(amount) > AMOUNT_LIMIT for amount in amounts):
        raise AmountTooLarge(limit=AMOUNT_LIMIT)


async def open_hold(
    connection: Connection, *, user_id: int, asset: str, amount: int, key: str
) -> int:
    """Set ``amount`` aside for an order; returns what was available afterwards.

    The same key again holds nothing more and returns the same.
    Raises InsufficientFunds, IdempotencyMismatch, InvalidAmount, AmountTooLarge.
    """
    _refuse_too_large(amount)
    return await store.open_hold(connection, user_id=user_id, asset=asset, amount=amount, key=key)


async def capture(
    connection: Connection,
    hold_key: str,
    *,
    amount: int,
    kind: TransferKind,
    to_role: str,
    transfer_key: str,
    reference: str,
) -> bool:
    """End a hold: ``amount`` goes to ``to_role``, the rest comes back and pays off debt first.

    True when this call ended it, False when this same call had ended it before. Raises
    HoldNotFound, HoldExceeded, InvalidAmount, AmountTooLarge; IdempotencyMismatch when
    ``transfer_key`` stands for another input; HoldClosed when the hold ended in another way.
    """
    _refuse_too_large(amount)
    return await store.capture(
        connection,
        key=hold_key,
        amount=amount,
        kind=kind,
        to_role=to_role,
        transfer_key=transfer_key,
        reference=reference,
    )


async def release(connection: Connection, hold_key: str) -> bool:
    """End a hold and take nothing. Raises HoldNotFound, HoldClosed."""
    return await store.capture(
        connection,
        key=hold_key,
        amount=0,
        kind=TransferKind.REFUND,
        to_role="none",
        transfer_key=hold_key,
        reference=hold_key,
    )


async def post(connection: Connection, transfer: Transfer) -> bool:
    """Post a transfer; money that comes into a wallet pays off debt first.

    False when the key was posted before with the same input. Raises InsufficientFunds,
    IdempotencyMismatch, InvalidTransfer, AmountTooLarge.
    """
    _refuse_too_large(*(line.amount for line in transfer.lines))
    return await store.post(connection, transfer, input_hash=input_hash(transfer))


def input_hash(transfer: Transfer) -> bytes:
    """What makes two transfers of one key the same: their kind and their lines."""
    lines = [(line.user_id, line.role, line.asset, line.amount) for line in transfer.lines]
    return hashlib.sha256(orjson.dumps([transfer.kind, lines])).digest()


async def grant(
    connection: Connection,
    *,
    user_id: int,
    asset: str,
    amount: int,
    kind: TransferKind,
    from_role: str,
    key: str,
    actor: str,
    reason: str | None = None,
    reference: str | None = None,
) -> bool:
    """Give ``amount`` to a person out of a system account; a negative amount takes it."""
    lines = (Line(user_id, WALLET, asset, amount), Line(None, from_role, asset, -amount))
    return await post(connection, Transfer(kind, key, actor, lines, reason, reference))


async def claw_back(
    connection: Connection,
    *,
    user_id: int,
    asset: str,
    amount: int,
    kind: TransferKind,
    to_role: str,
    key: str,
    actor: str,
    reason: str | None = None,
    reference: str | None = None,
) -> int:
    """Take ``amount`` back: what is available from the wallet, the rest as a debt.

    Returns the debt that it made; the same key again returns the same. Nothing spendable goes
    negative. Raises IdempotencyMismatch, InvalidAmount, AmountTooLarge.
    """
    _refuse_too_large(amount)
    return await store.claw_back(
        connection,
        user_id=user_id,
        asset=asset,
        amount=amount,
        kind=kind,
        to_role=to_role,
        key=key,
        actor=actor,
        reason=reason,
        reference=reference,
    )


async def reverse(
    connection: Connection,
    of_key: str,
    *,
    key: str,
    actor: str,
    reason: str,
    kind: TransferKind = TransferKind.REFUND,
) -> bool:
    """Undo a transfer whole, once. False when this key undid it before.

    A debt that was paid off in the meantime comes back to the wallet. Raises TransferNotFound,
    AlreadyReversed, InsufficientFunds, IdempotencyMismatch, InvalidTransfer.
    """
    return await store.reverse(
        connection, of_key=of_key, key=key, kind=kind, actor=actor, reason=reason
    )


async def balance(connection: Connection | Pool, user_id: int, asset: str) -> Balance | None:
    """A wallet, or None when it was never used. Never cached: old money is wrong money."""
    return await store.wallet(connection, user_id=user_id, asset=asset)


async def balance_of_active(connection: Connection | Pool, user_id: int, asset: str) -> Balance:
    """The wallet of somebody who may come in, asked and checked in one round trip.

    Raises UserNotFound, UserBlocked.
    """
    standing, wallet = await store.standing_and_wallet(connection, user_id=user_id, asset=asset)
    if standing is None:
        raise UserNotFound(telegram_id=user_id)
    if standing == "blocked":
        raise UserBlocked
    return wallet


async def balances(connection: Connection | Pool, user_id: int) -> Sequence[Balance]:
    """Every wallet that a person has used."""
    return await store.balances(connection, user_id=user_id)


async def debts(connection: Connection | Pool, user_id: int) -> Sequence[Balance]:
    """What a person owes; ``posted`` is negative."""
    return [
        debt for debt in await store.balances(connection, user_id=user_id, role=DEBT) if debt.posted
    ]


async def history(
    connection: Connection | Pool, user_id: int, asset: str, *, before_id: int | None, limit: int
) -> Sequence[LedgerLine]:
    """A wallet's lines, newest first."""
    return await store.history(
        connection, user_id=user_id, asset=asset, before_id=before_id, limit=limit
    )


async def recent(
    connection: Connection | Pool, user_id: int, *, limit: int
) -> Sequence[tuple[str, LedgerLine]]:
    """The newest lines of all wallets of a person, each with its asset."""
    return await store.recent(connection, user_id=user_id, limit=limit)


async def wallet_effect(
    connection: Connection, *, user_id: int, asset: str, key: str
) -> WalletEffect:
    """What the transfer ``key`` did to a wallet; only in the transaction that posted it."""
    return await store.wallet_effect(connection, user_id=user_id, asset=asset, key=key)


async def transferred(connection: Connection | Pool, *, reference: str, kind: TransferKind) -> int:
    """What transfers of one kind brought into wallets for ``reference``, in minor units."""
    return await store.transferred(connection, reference=reference, kind=kind)


async def moved_since(connection: Connection | Pool, *, since: datetime) -> Sequence[Moved]:
    """What wallets gained and lost, by kind and asset."""
    rows = await store.moved_since(connection, since=since)
    return [Moved(TransferKind(kind), asset, gained, lost) for kind, asset, gained, lost in rows]


async def audit(connection: Connection | Pool, since: datetime | None = None) -> Sequence[Finding]:
    """The ledger's broken invariants: sums, cached balances, overdrafts, debts, reversals.

    Empty is sound. Rows carry the time at which their transaction began: ``since`` must reach back
    by the longest transaction, or one that committed late is missed until the next whole audit.
    """
    return await store.audit(connection, since=since)


@dataclass(frozen=True, slots=True)
class BalanceSegments:
    """Who can spend at least so much, for choosing whom to write to."""

    @property
    def criteria(self) -> frozenset[str]:
        return frozenset({"balance_min"})

    def condition(self, criterion: str, value: object) -> Condition:
        """``value`` names an ``asset`` and an ``amount`` of its minor units."""
        assert criterion == "balance_min"
        assert isinstance(value, Mapping)
        return Condition(store.HAS_AT_LEAST, (value["asset"], value["amount"]))
