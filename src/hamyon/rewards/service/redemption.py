"""Redeeming a promo code.

Locks, always in this order: the person's guard, the key of idempotency, the code, the wallet.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final

from hamyon.kit import store as kit_store
from hamyon.kit.db import Connection
from hamyon.kit.errors import HamyonError
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.rewards.errors import (
    PromoCodeAlreadyUsed,
    PromoCodeExpired,
    PromoCodeNotApplicable,
    PromoCodeNotFound,
    PromoCodeUsedUp,
    PromoTriesExhausted,
)
from hamyon.rewards.service.codes import normalized
from hamyon.rewards.store import promo_codes as store
from hamyon.rewards.store import promo_uses
from hamyon.rewards.types import PromoCode, PromoGuard, PromoUse, Redeemed, Redemption
from hamyon.users.service import people

ROUTE: Final = "rewards.redeem"
ACCOUNT: Final = "bonus:promo"
WRONG_MAX: Final = 5
WINDOW: Final = timedelta(minutes=10)
BLOCK: Final = timedelta(hours=1)

REFUSALS: Final = (
    PromoCodeAlreadyUsed,
    PromoCodeExpired,
    PromoCodeNotApplicable,
    PromoCodeNotFound,
    PromoCodeUsedUp,
    PromoTriesExhausted,
)


async def redeem(
    connection: Connection, wish: Redemption, *, now: datetime
) -> Redeemed | HamyonError:
    """Give somebody what a code promises, or answer with one of ``REFUSALS``.

    A refusal is an answer and not raised, because a wrong try must be committed: the caller raises
    it after the commit. It takes back all but that count, the claim of the key too, so that the
    same key may be tried again. Raises UserNotFound, UserBlocked, IdempotencyMismatch.
    """
    await people.require_active(connection, wish.user_id)
    guard = await store.lock_guard(connection, wish.user_id)
    try:
        async with connection.transaction():
            return await _redeem_once(connection, wish, guard, now)
    except REFUSALS as refusal:
        if isinstance(refusal, PromoCodeNotFound):
            await store.update_guard(connection, wish.user_id, after_wrong_try(guard, now))
        return refusal


def after_wrong_try(guard: PromoGuard, now: datetime) -> PromoGuard:
    """The guard after one more wrong try; the fifth in ten minutes blocks the next hour."""
    wrong_at = [*(at for at in guard.wrong_at if now - at < WINDOW), now]
    if len(wrong_at) >= WRONG_MAX:
        return PromoGuard((), now + BLOCK)
    return PromoGuard(wrong_at, guard.blocked_until)


async def _redeem_once(
    connection: Connection, wish: Redemption, guard: PromoGuard, now: datetime
) -> Redeemed:
    """Claim the key and redeem, or repeat the first answer. Raises ``REFUSALS``."""
    if wish.key is None:
        return await _redeem(connection, wish, guard, now)
    claim = {
        "caller": wish.caller,
        "user_id": wish.user_id,
        "route": ROUTE,
        "key": wish.key,
    }
    input_hash = hashlib.sha256(repr((wish.typed, wish.product)).encode()).digest()
    first = await kit_store.claim_key(connection, **claim, input_hash=input_hash)  # type: ignore[arg-type]
    if first is not None:
        return Redeemed(**first)  # type: ignore[arg-type]  # what stood in an answer of ours
    redeemed = await _redeem(connection, wish, guard, now)
    await kit_store.answer_key(connection, **claim, answer=asdict(redeemed))  # type: ignore[arg-type]
    return redeemed


async def _redeem(
    connection: Connection, wish: Redemption, guard: PromoGuard, now: datetime
) -> Redeemed:
    if guard.blocked_until is not None and guard.blocked_until > now:
        left_s = (guard.blocked_until - now).total_seconds()
        raise PromoTriesExhausted(retry_after_s=math.ceil(left_s))
    code = await store.lock_code(connection, normalized(wish.typed))
    if code is None:
        raise PromoCodeNotFound
    before = await _check(connection, code, wish, now)
    use = await promo_uses.insert_use(
        connection, code.code, wish.user_id, before + 1, code.terms, now=now
    )
    await store.count_use(connection, code.code)
    return Redeemed(code.shown, use.asset, use.amount, use.percent, await _give(connection, use))


async def _check(connection: Connection, code: PromoCode, wish: Redemption, now: datetime) -> int:
    """How often this person used a locked code before, when he may use it now."""
    products = code.terms.products
    if not code.terms.is_valid(now):
        raise PromoCodeExpired
    if products is not None and wish.product not in products:
        raise PromoCodeNotApplicable(products=list(products))
    before = await promo_uses.uses_by(connection, code.code, wish.user_id)
    if before >= code.terms.per_user_limit:
        raise PromoCodeAlreadyUsed
    if code.is_used_up:
        raise PromoCodeUsedUp
    return before


async def _give(connection: Connection, use: PromoUse) -> int | None:
    """Grant an amount and answer the balance; a percentage waits for the next payment."""
    if use.asset is None or use.amount is None:
        return None
    await ledger.grant(
        connection,
        user_id=use.user_id,
        asset=use.asset,
        amount=use.amount,
        kind=TransferKind.PROMO_CODE,
        from_role=ACCOUNT,
        key=use.key,
        actor="system",
        reference=use.code,
    )
    wallet = await ledger.balance(connection, use.user_id, use.asset)
    return wallet.available if wallet is not None else 0
