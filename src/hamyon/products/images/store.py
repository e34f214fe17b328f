"""The one statement of images: the whole submit in one round trip (docs/decisions/0002)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from hamyon.kit.db import Pool, refusals, transaction
from hamyon.kit.errors import HamyonError, IdempotencyMismatch
from hamyon.ledger.errors import InsufficientFunds
from hamyon.media.errors import UploadNotFound
from hamyon.orders.errors import TooManyActive
from hamyon.products.images.errors import PriceChanged
from hamyon.users.errors import UserBlocked, UserNotFound

REFUSALS: dict[str, type[HamyonError]] = {
    kind.code: kind
    for kind in (
        IdempotencyMismatch,
        InsufficientFunds,
        PriceChanged,
        TooManyActive,
        UploadNotFound,
        UserBlocked,
        UserNotFound,
    )
}


_SUBMIT = """
    SELECT images_submit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
        $17, $18, $19, $20)
"""


async def submit(
    pool: Pool,
    *,
    caller: str,
    route: str,
    key: str | None,
    input_hash: bytes,
    order_id: UUID,
    job_id: UUID,
    user_id: int,
    model_key: str,
    engine: str,
    provider_path: str,
    order_input: Mapping[str, object],
    upload_ids: Sequence[UUID],
    asset: str,
    price: int,
    price_id: int,
    trial_limit: int,
    deliver: Mapping[str, object] | None,
    deadline_s: int,
    active_max: int,
    position: int,
    free_only: bool,
) -> dict[str, Any]:
    """Claim the key, keep the pictures, reserve the trial, hold the price, open the order.

    One transaction: whatever is refused leaves nothing behind. ``free_only``: raises PriceChanged
    for what the trial does not pay.
    """
    given = (
        caller,
        route,
        key,
        input_hash,
        order_id,
        job_id,
        user_id,
        model_key,
        engine,
        provider_path,
        order_input,
        upload_ids,
        asset,
        price,
        price_id,
        trial_limit,
        deliver,
        deadline_s,
        active_max,
        position,
    )
    with refusals(REFUSALS):
        if free_only:
            return await _submit_free(pool, given)
        return cast("dict[str, Any]", await pool.fetchval(_SUBMIT, *given))


async def _submit_free(pool: Pool, given: Sequence[object]) -> dict[str, Any]:
    """Whether the trial is still there only the submit itself can tell; a refusal undoes it."""
    async with transaction(pool) as connection:
        facts = cast("dict[str, Any]", await connection.fetchval(_SUBMIT, *given))
        if facts["amount"] and not facts.get("replayed"):
            raise PriceChanged
        return facts
