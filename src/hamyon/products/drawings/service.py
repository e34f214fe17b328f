"""People in drawings: how they come, what they have, and what they can buy."""

from __future__ import annotations

import hashlib
from typing import Final

import orjson

from hamyon.catalog.errors import PackageNotFound
from hamyon.catalog.service import packages
from hamyon.kit.db import Connection, Pool, in_transaction
from hamyon.kit.texts import Language
from hamyon.ledger import service as ledger
from hamyon.ledger.types import Balance, TransferKind
from hamyon.payments.service import purchase
from hamyon.payments.service import read as payments
from hamyon.payments.service.purchase import Asking, PackageWish
from hamyon.payments.types import Payment
from hamyon.products.drawings import store
from hamyon.products.drawings.types import (
    GATEWAY,
    PRODUCT,
    UNIT,
    DailyBonus,
    Needs,
    Person,
    PersonView,
    PriceList,
    Purchase,
    Registration,
    is_empty,
)
from hamyon.rewards import service as rewards
from hamyon.users.errors import UserNotFound
from hamyon.users.service import people
from hamyon.users.types import User

WELCOME_ACCOUNT: Final = "bonus:welcome"
PAYMENTS_SHOWN_MAX: Final = 100
ROUTE: Final = "drawings.create_payment"


async def register(needs: Needs, wish: Registration) -> tuple[PersonView, bool]:
    """Meet somebody, and welcome him once; also says whether he is new to drawings.

    Safe to call at once from anywhere: of several callers who bring somebody new exactly one
    hears True. Raises UserBlocked.
    """
    now = needs.clock.now()

    async def use_case(connection: Connection) -> bool:
        contact, hooks = wish.contact(), needs.sign_in.first_contacts
        await people.sync(connection, contact, first_contacts=hooks, now=now)
        is_new = await store.insert_person(
            connection, wish.user_id, advertising_source=wish.source, now=now
        )
        if wish.source is not None:
            await people.note_source(connection, wish.user_id, wish.source)
        if is_new:
            await _welcome(connection, wish.user_id, needs.settings.drawings_welcome_revivals)
        else:
            await store.touch(connection, wish.user_id, now=now)
        return is_new

    is_new = await in_transaction(needs.pool, use_case)
    return await view(needs, wish.user_id), is_new


async def _welcome(connection: Connection, user_id: int, amount: int) -> None:
    if amount == 0:
        return
    await ledger.grant(
        connection,
        user_id=user_id,
        asset=UNIT,
        amount=amount,
        kind=TransferKind.WELCOME,
        from_role=WELCOME_ACCOUNT,
        key=f"welcome:{PRODUCT}:{user_id}",
        actor="system",
        reference=PRODUCT,
    )


async def known(connection: Connection | Pool, user_id: int) -> tuple[User, Person]:
    """Somebody whom drawings know and who may come in. Raises UserNotFound, UserBlocked."""
    person = await store.person(connection, user_id)
    if person is None:
        raise UserNotFound(telegram_id=user_id)
    return await people.require_active(connection, user_id), person


async def view(needs: Needs, user_id: int) -> PersonView:
    """Somebody as he is shown. Raises UserNotFound, UserBlocked."""
    settings, now = needs.settings, needs.clock.now()
    async with needs.pool.acquire() as connection:
        user, person = await known(connection, user_id)
        daily = await rewards.daily_status(connection, user_id, PRODUCT, settings.zone, now)
        inviter_rewarded = await rewards.was_rewarded(connection, user_id, PRODUCT)
        paid = await payments.of_user(
            connection, user_id, gateway=GATEWAY, asset=UNIT, limit=PAYMENTS_SHOWN_MAX
        )
        # The wallet last: whatever is shown as paid or claimed must be found in it.
        wallet = await ledger.balance(connection, user_id, UNIT)
        return PersonView(
            user=user,
            person=person,
            available=wallet.available if wallet is not None else 0,
            daily=daily,
            inviter_rewarded=inviter_rewarded,
            discount_offered=await offer_discount(needs, connection, user_id, wallet),
            payments=paid,
        )


async def offer_discount(
    needs: Needs, connection: Connection, user_id: int, wallet: Balance | None
) -> bool:
    """Offer the one-time discount to somebody who has nothing left; whether it ever was offered.

    A wallet with something held is not empty: an order that fails gives it back.
    """
    if await rewards.was_discount_offered(connection, user_id, PRODUCT):
        return True
    percent = needs.settings.drawings_discount_percent
    if percent == 0 or not is_empty(wallet):
        return False
    await rewards.offer_discount(connection, user_id, PRODUCT, percent)
    return True


async def claim_daily_bonus(needs: Needs, user_id: int) -> DailyBonus:
    """Give today's bonus. Raises UserNotFound, UserBlocked, AlreadyClaimed."""
    settings, now = needs.settings, needs.clock.now()

    async def use_case(connection: Connection) -> DailyBonus:
        await known(connection, user_id)
        claimed = await rewards.claim_daily(
            connection,
            user_id,
            PRODUCT,
            UNIT,
            settings.drawings_daily_revivals,
            settings.zone,
            now,
        )
        # After the wallet, as when an order ends: two that wait for each other would not end.
        await store.touch(connection, user_id, now=now)
        wallet = await ledger.balance(connection, user_id, UNIT)
        available = wallet.available if wallet is not None else 0
        return DailyBonus(claimed.granted, available, claimed.streak, claimed.next_at)

    return await in_transaction(needs.pool, use_case)


async def price_list(needs: Needs, user_id: int | None, language: Language) -> PriceList:
    """What is for sale, for nobody in particular in ``language``, or for somebody in his own.

    Raises UserNotFound, UserBlocked.
    """
    async with needs.pool.acquire() as connection:
        percent = None
        if user_id is not None:
            user, _ = await known(connection, user_id)
            language = user.language
            wallet = await ledger.balance(connection, user_id, UNIT)
            await offer_discount(needs, connection, user_id, wallet)
            discount = await rewards.open_discount(connection, user_id, PRODUCT)
            percent = discount.percent if discount is not None else None
        found = await packages.listed(connection, asset=UNIT, gateway=GATEWAY)
        return PriceList(found, language, percent)


async def create_payment(needs: Needs, wish: Purchase, caller: str, key: str | None) -> Payment:
    """A place to pay for revivals. The price is the package's, never the caller's.

    Raises UserNotFound, UserBlocked, PackageNotFound, PriceMismatch, GatewayUnavailable,
    IdempotencyMismatch, PaymentDeclined, PaymentUnclear.
    """
    await known(needs.pool, wish.user_id)
    # The discount is for revivals. What has gone from sale is refused below, where a purchase
    # that was made before still finds its answer.
    package = await packages.get(needs.pool, wish.item_name)
    if package.asset is not UNIT:
        raise PackageNotFound(package=package.key)
    return await purchase.buy_package(
        needs,
        GATEWAY,
        PackageWish(
            user_id=wish.user_id,
            package_key=wish.item_name,
            quantity=wish.quantity,
            discount_product=PRODUCT,
            expected_minor=wish.price_minor,
        ),
        Asking(caller, ROUTE, key, _input_hash(wish)),
    )


def _input_hash(wish: Purchase) -> bytes:
    """What makes two purchases of one key the same; 149 and 149.00 are one price."""
    return hashlib.sha256(orjson.dumps([wish.item_name, wish.quantity, wish.price_minor])).digest()
