"""Promo codes as operators make and change them, and the one form that all spellings have."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Final

from hamyon.kit.db import Connection, Pool
from hamyon.kit.money import Asset
from hamyon.ledger.types import AMOUNT_LIMIT
from hamyon.rewards.errors import InvalidPromoCode, PromoCodeNotFound, PromoCodeTaken
from hamyon.rewards.store import promo_codes as store
from hamyon.rewards.store import promo_uses
from hamyon.rewards.types import PromoCode, PromoTerms, PromoUse
from hamyon.users.service.audit import record_act
from hamyon.users.types import Acting

CODE_LENGTH_MAX: Final = 64
PERCENT_MAX: Final = 1000
LIMIT_MAX: Final = 2**31 - 1
GIVEN_ASSETS: Final = frozenset({Asset.CREDIT, Asset.REVIVAL, Asset.TOKEN})
"""Never USD: that is earned, and can be withdrawn."""

_INVISIBLE: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs"})
_WRITABLE: Final = frozenset("LMN")


def normalized(typed: str) -> str:
    """The form by which codes are compared: Unicode's compatible one, without case, spaces and
    signs that nobody sees. The form of a form is itself."""
    return _plain(_plain(typed).casefold().upper())


def _plain(text: str) -> str:
    # Normalising makes spaces out of some signs, and where one is left out its neighbours join.
    compatible = unicodedata.normalize("NFKC", text)
    seen = "".join(sign for sign in compatible if unicodedata.category(sign) not in _INVISIBLE)
    return unicodedata.normalize("NFKC", seen)


async def create_code(
    connection: Connection, shown: str, terms: PromoTerms, *, acting: Acting, now: datetime
) -> PromoCode:
    """Make a code. Raises InvalidPromoCode, and PromoCodeTaken when another spelling exists."""
    code = normalized(shown)
    _check_code(code)
    _check_terms(terms, uses=0)
    made = await store.insert_code(
        connection, code, " ".join(shown.split()), terms, created_by=acting.actor, now=now
    )
    if made is None:
        raise PromoCodeTaken(promo_code=code)
    act = acting.act("promo_code.create", f"promo_code:{code}", after=_facts(made))
    await record_act(connection, act)
    return made


async def patch_code(
    connection: Connection,
    typed: str,
    changes: Mapping[str, object],
    *,
    acting: Acting,
    reason: str | None = None,
) -> PromoCode:
    """Change some of a code's terms, by their names. What was redeemed stays as it was given.

    Raises PromoCodeNotFound, InvalidPromoCode.
    """
    before = await store.lock_code(connection, normalized(typed))
    if before is None:
        raise PromoCodeNotFound
    terms = replace(before.terms, **changes)  # type: ignore[arg-type]  # the route knows the names
    _check_terms(terms, uses=before.uses)
    after = await store.update_terms(connection, before.code, terms)
    act = acting.act(
        "promo_code.change",
        f"promo_code:{before.code}",
        before=_facts(before),
        after=_facts(after),
        reason=reason,
    )
    await record_act(connection, act)
    return after


async def codes(
    connection: Connection | Pool, *, before: tuple[datetime, str] | None, limit: int
) -> tuple[Sequence[PromoCode], tuple[datetime, str] | None]:
    """Every code, newest first, and what the next page begins behind."""
    found = await store.codes_page(connection, before=before, limit=limit + 1)
    page = found[:limit]
    more = len(found) > limit
    return page, (page[-1].created_at, page[-1].code) if more else None


async def uses(
    connection: Connection | Pool, typed: str, *, before_id: int | None, limit: int
) -> tuple[Sequence[PromoUse], int | None]:
    """Who redeemed a code, newest first, and the id that the next page lies before.

    Raises PromoCodeNotFound.
    """
    code = normalized(typed)
    if not await store.code_exists(connection, code):
        raise PromoCodeNotFound
    found = await promo_uses.uses_page(connection, code, before_id=before_id, limit=limit + 1)
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None


def _facts(code: PromoCode) -> dict[str, object]:
    return {"shown": code.shown, "uses": code.uses, **asdict(code.terms)}


def _check_code(code: str) -> None:
    if not 0 < len(code) <= CODE_LENGTH_MAX:
        raise InvalidPromoCode(problem=f"a code has 1 to {CODE_LENGTH_MAX} letters")
    # It stands in addresses and in the ledger's keys.
    if not all(unicodedata.category(sign)[0] in _WRITABLE or sign in "-_" for sign in code):
        raise InvalidPromoCode(problem="a code has letters, digits, - and _ only")


def _check_terms(terms: PromoTerms, *, uses: int) -> None:
    if terms.percent is not None:
        if terms.asset is not None or terms.amount is not None:
            raise InvalidPromoCode(problem="it gives an amount of an asset, or a percent")
        if not 0 < terms.percent <= PERCENT_MAX:
            raise InvalidPromoCode(problem=f"a percent lies between 1 and {PERCENT_MAX}")
    elif terms.asset not in GIVEN_ASSETS or terms.amount is None:
        raise InvalidPromoCode(
            problem="it gives an amount of credit, revival or token, or a percent"
        )
    elif not 0 < terms.amount <= AMOUNT_LIMIT:
        raise InvalidPromoCode(problem=f"an amount lies between 1 and {AMOUNT_LIMIT}")
    for limit in (terms.total_limit, terms.per_user_limit):
        if limit is not None and not 0 < limit <= LIMIT_MAX:
            raise InvalidPromoCode(problem=f"a limit lies between 1 and {LIMIT_MAX}")
    if terms.total_limit is not None and terms.total_limit < uses:
        raise InvalidPromoCode(problem=f"it was used {uses} times already")
    if terms.products is not None and not terms.products:
        raise InvalidPromoCode(problem="products names one at least, or is null for all")
    if terms.valid_from and terms.valid_until and terms.valid_from >= terms.valid_until:
        raise InvalidPromoCode(problem="it would end before it begins")
