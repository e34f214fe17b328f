"""The bot's statement: every Star that came or went, oldest first, by number only.

Telegram takes no dates, so the first transaction of a window is searched: transactions are only
ever added at the end, which keeps their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from hamyon.payments.types.gateway import (
    Charge,
    ChargeState,
    Fact,
    Listed,
    RefundMade,
    RefundState,
    Unclear,
)
from hamyon.payments.types.stars import XTR
from hamyon.providers.stars.payload import payment_id_of
from hamyon.providers.telegram.api import Answered, BotApi, BotRefused, BotUnclear

PAGE: Final = 100
"""The most that Telegram gives at once."""
_DOUBLINGS_MAX: Final = 40
_INVOICE_PAYMENT: Final = "invoice_payment"


class Unreadable(Exception):
    """Telegram did not say it, or not in a way that can be booked. The message is for operators."""


class StarBooks:
    """Reads the statement page by page. A page's cursor is the number of its first transaction."""

    def __init__(self, bot: BotApi, signing_key: bytes) -> None:
        self._bot = bot
        self._signing_key = signing_key

    async def page(self, since: datetime, until: datetime, cursor: str | None) -> Listed | Unclear:
        """Purchases and refunds in [since, until), up to 100 transactions at once."""
        try:
            offset = await self._first_since(since) if cursor is None else _offset(cursor)
            transactions = await self._read(offset, PAGE)
            in_window = [one for one in transactions if since <= _time(one) < until]
            facts = [fact for one in in_window if (fact := fact_of(one, self._signing_key))]
        except Unreadable as unreadable:
            return Unclear(str(unreadable))
        # A short page is not the last one by promise; an empty one is.
        over = not transactions or _time(transactions[-1]) >= until
        return Listed(facts, None if over else str(offset + len(transactions)))

    async def _first_since(self, since: datetime) -> int:
        """The number of the first transaction not before ``since``: doubling, then halving."""
        if await self._not_before(0, since):
            return 0
        before, step = 0, 1
        for _ in range(_DOUBLINGS_MAX):
            if await self._not_before(before + step, since):
                break
            before, step = before + step, step * 2
        else:
            raise Unreadable("the statement has no end")
        after = before + step
        while after - before > 1:
            middle = (before + after) // 2
            if await self._not_before(middle, since):
                after = middle
            else:
                before = middle
        return after

    async def _not_before(self, offset: int, since: datetime) -> bool:
        """Whether transaction ``offset`` is of ``since`` or later, or there is none."""
        found = await self._read(offset, 1)
        return not found or _time(found[0]) >= since

    async def _read(self, offset: int, limit: int) -> Sequence[Mapping[str, object]]:
        wanted = {"offset": offset, "limit": limit}
        outcome = await self._bot.call("getStarTransactions", wanted)
        if not isinstance(outcome, Answered):
            raise Unreadable(_why(outcome))
        result = outcome.result
        listed = result.get("transactions") if isinstance(result, Mapping) else None
        if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
            raise Unreadable("getStarTransactions answered without transactions")
        return listed


def fact_of(transaction: Mapping[str, object], signing_key: bytes) -> Fact | None:
    """A purchase or a refund; None for what is neither (gifts, withdrawals, advertising).

    A refund has the id of its purchase. Raises Unreadable.
    """
    source, receiver = _partner(transaction, "source"), _partner(transaction, "receiver")
    if source is not None and receiver is None:
        payload = source.get("invoice_payload")
        return Charge(
            external_id=_text(transaction, "id"),
            state=ChargeState.PAID,
            amount_minor=_positive(transaction, "amount"),
            currency=XTR,
            at=_time(transaction),
            payment_id=payment_id_of(payload, signing_key) if isinstance(payload, str) else None,
            payer_id=_payer(source),
        )
    if receiver is not None and source is None:
        return RefundMade(
            external_id=_text(transaction, "id"),
            charge_id=_text(transaction, "id"),
            state=RefundState.DONE,
            amount_minor=_positive(transaction, "amount"),
            currency=XTR,
            at=_time(transaction),
        )
    return None


def _partner(transaction: Mapping[str, object], side: str) -> Mapping[str, object] | None:
    """Who paid an invoice of ours, or got the money for one back.

    The type of the transaction is younger than the statement; without one a user's is an invoice.
    Stars that a bot spends on a user, as for a gift, also name him, with another type.
    """
    partner = transaction.get(side)
    if not isinstance(partner, Mapping) or partner.get("type") != "user":
        return None
    return (
        partner if partner.get("transaction_type", _INVOICE_PAYMENT) == _INVOICE_PAYMENT else None
    )


def _payer(partner: Mapping[str, object]) -> int:
    user = partner.get("user")
    if not isinstance(user, Mapping):
        raise Unreadable("a purchase without a payer")
    return _positive(user, "id")


def _time(transaction: Mapping[str, object]) -> datetime:
    try:
        return datetime.fromtimestamp(_positive(transaction, "date"), UTC)
    except (OverflowError, OSError, ValueError):
        raise Unreadable("a transaction without a usable date") from None


def _positive(data: Mapping[str, object], name: str) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise Unreadable(f"a transaction without a usable {name}")
    return value


def _text(data: Mapping[str, object], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"a transaction without a usable {name}")
    return value


def _why(outcome: BotRefused | BotUnclear) -> str:
    if isinstance(outcome, BotUnclear):
        return outcome.reason
    return f"getStarTransactions: {outcome.error_code} {outcome.description}"


def _offset(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit()):
        raise Unreadable("the cursor is none of ours")
    return int(cursor)
