"""Short ways to move test money."""

from __future__ import annotations

from hamyon.kit.db import Connection, Pool
from hamyon.ledger import service
from hamyon.ledger.types import WALLET, Line, Transfer, TransferKind


async def deposit(
    connection: Connection, user_id: int, amount: int, key: str, *, asset: str = "credit"
) -> bool:
    return await service.grant(
        connection,
        user_id=user_id,
        asset=asset,
        amount=amount,
        kind=TransferKind.DEPOSIT,
        from_role="sales:stars",
        key=key,
        actor="tester",
        reference=key,
    )


async def hold(connection: Connection, user_id: int, amount: int, key: str) -> int:
    return await service.open_hold(
        connection, user_id=user_id, asset="credit", amount=amount, key=key
    )


async def capture(connection: Connection, key: str, amount: int) -> bool:
    return await service.capture(
        connection,
        key,
        amount=amount,
        kind=TransferKind.GENERATION,
        to_role="revenue:images",
        transfer_key=f"capture:{key}",
        reference=key,
    )


async def claw_back(connection: Connection, user_id: int, amount: int, key: str) -> int:
    return await service.claw_back(
        connection,
        user_id=user_id,
        asset="credit",
        amount=amount,
        kind=TransferKind.REFUND,
        to_role="sales:stars",
        key=key,
        actor="tester",
    )


async def reverse(connection: Connection, of_key: str, key: str) -> bool:
    return await service.reverse(connection, of_key, key=key, actor="tester", reason="a test")


def transfer(key: str, moves: dict[int, int]) -> Transfer:
    """Between people: ``moves`` maps a person to what the wallet gains."""
    lines = tuple(Line(user_id, WALLET, "credit", amount) for user_id, amount in moves.items())
    return Transfer(TransferKind.ADMIN_ADJUSTMENT, key, "tester", lines)


async def wallet(connection: Connection | Pool, user_id: int) -> tuple[int, int]:
    """``(posted, held)`` in credits."""
    balance = await service.balance(connection, user_id, "credit")
    return (balance.posted, balance.held) if balance else (0, 0)


async def debt(connection: Connection | Pool, user_id: int) -> int:
    """What the person owes, in credits: zero or more."""
    return -sum(owed.posted for owed in await service.debts(connection, user_id))


async def assert_sound(connection: Connection | Pool) -> None:
    findings = await service.audit(connection)
    assert findings == []
