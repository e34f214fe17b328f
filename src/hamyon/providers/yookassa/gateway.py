"""YooKassa as a gateway of payments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from hamyon.kit.clock import Clock
from hamyon.payments.types.gateway import (
    Charge,
    ChargeState,
    Declined,
    Event,
    Fact,
    Gateway,
    GatewayParts,
    Listed,
    Offer,
    Opened,
    PaymentId,
    RefundMade,
    RefundState,
    RefundWish,
    Unclear,
)
from hamyon.providers.yookassa.bodies import RUB, Shop, payment_body, refund_body, shop_of
from hamyon.providers.yookassa.client import Answer, Refusal, YooKassaClient
from hamyon.providers.yookassa.notifications import (
    Networks,
    event_of,
    is_about_refund,
    is_from,
    networks_of,
)
from hamyon.providers.yookassa.objects import (
    PAYMENT_KEY,
    Unusable,
    charge_of,
    confirmation_url_of,
    is_id,
    may_have_refunds,
    our_id,
    page_of,
    refund_of,
)

PAGE: Final = 100
"""The most that the vendor gives at once."""
PAGES_MAX: Final = 100
KEY_KEPT: Final = timedelta(hours=24)
CLOCKS_DIFFER: Final = timedelta(minutes=10)
"""How much earlier than our own clock the vendor's may have made something of ours."""
_PAYMENTS: Final = "payments"
_REFUNDS: Final = "refunds"

Item: TypeAlias = Mapping[str, object]
ListPage: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Answer]]


def gateway(parts: GatewayParts) -> Gateway | None:
    """The gateway; None without a shop and its key."""
    settings = parts.settings
    if not settings.yookassa_shop_id or settings.yookassa_secret_key is None:
        return None
    client = YooKassaClient(
        parts.http,
        shop_id=settings.yookassa_shop_id,
        secret_key=settings.yookassa_secret_key.get_secret_value(),
        base_url=settings.yookassa_api_base_url,
        timeout_s=settings.yookassa_timeout_s,
    )
    networks = networks_of(settings.yookassa_notification_networks)
    return YooKassaGateway(client, parts.clock, shop_of(settings), networks)


class YooKassaGateway:
    """A ``Gateway`` over YooKassa: its own answers decide, never a notification's body."""

    name: Final = "yookassa"
    currency: Final = RUB
    scale: Final = 2
    invoices_are_reusable: Final = False
    grants_what_was_paid: Final = False
    refunds_parts: Final = True
    is_connected: Final = True

    def __init__(
        self, client: YooKassaClient, clock: Clock, shop: Shop, networks: Networks
    ) -> None:
        self._client = client
        self._clock = clock
        self._shop = shop
        self._networks = networks

    # --- taking money -----------------------------------------------------------------------------

    async def open(self, offer: Offer) -> Opened | Declined | Unclear:
        """A payment that waits for its payer. Repeated after it was paid, it leads back to us."""
        answer = await self._client.create_payment(payment_body(offer, self._shop), offer.key)
        if isinstance(answer, Refusal):
            if not answer.is_used_key:
                return answer.declined()
            # Something in the body is another than it was (a setting, a title), so the payment
            # that this key made cannot be had by repeating; it is not older than its key.
            since = self._clock.now() - KEY_KEPT
            found = await self._carrier(offer.payment_id, since)
            answer = found or Unclear("the key was used and its payment is not to be found")
        if isinstance(answer, Unclear):
            return answer
        try:
            charge = charge_of(answer)
        except Unusable as unusable:
            return Unclear(str(unusable))
        asked = (offer.payment_id, offer.amount_minor, RUB)
        if (charge.payment_id, charge.amount_minor, charge.currency) != asked:
            return Unclear(f"{charge.external_id} is not what was asked for")
        url = confirmation_url_of(answer) or self._shop.return_url
        return Opened(url=url, external_id=charge.external_id, at=charge.at)

    async def find(
        self, payment_id: PaymentId, since: datetime, until: datetime | None = None
    ) -> Charge | Unclear | None:
        """Looks through what was made then; of several, the one that was paid."""
        found = await self._carrier(payment_id, since, until)
        try:
            return charge_of(found) if isinstance(found, Mapping) else found
        except Unusable as unusable:
            return Unclear(str(unusable))

    async def receive(self, address: str, headers: Mapping[str, str], body: bytes) -> Event | None:
        """From one of the vendor's networks, and about a payment or a refund."""
        del headers
        return event_of(body) if is_from(address, self._networks) else None

    async def truth(self, subject: str, events: Sequence[bytes]) -> Sequence[Fact] | Unclear:
        """The payment, and its refunds when it or an event speaks of any; nothing for an id that
        the vendor does not know."""
        if not is_id(subject):
            return []
        answer = await self._client.payment(subject)
        if isinstance(answer, Refusal):
            return [] if answer.is_absence else answer.unclear()
        if isinstance(answer, Unclear):
            return answer
        facts: list[Fact] = []
        try:
            charge = charge_of(answer)
            facts.append(charge)
            if may_have_refunds(answer) or any(map(is_about_refund, events)):
                refunds = await self._refunds_of(subject)
                if isinstance(refunds, Unclear):
                    return refunds
                facts += refunds
        except Unusable as unusable:
            return Unclear(f"{subject}: {unusable}")
        return facts if charge.external_id == subject else Unclear(f"another than {subject}")

    # --- giving it back ---------------------------------------------------------------------------

    async def refund(self, wish: RefundWish) -> RefundMade | Declined | Unclear:
        """All or a part of a payment."""
        answer = await self._client.create_refund(refund_body(wish, self._shop), wish.key)
        if isinstance(answer, Unclear):
            return answer
        if isinstance(answer, Refusal):
            if not answer.is_used_key:
                return answer.declined()
            found = await self.find_refund(wish)
            return found or Unclear("the key was used and its refund is not to be found")
        try:
            made = refund_of(answer)
        except Unusable as unusable:
            return Unclear(str(unusable))
        if (made.charge_id, made.refund_id) != (wish.charge_id, wish.refund_id):
            return Unclear(f"{made.external_id} is not what was asked for")
        return made

    async def find_refund(self, wish: RefundWish) -> RefundMade | Unclear | None:
        """Looks through the payment's refunds; of several, the one that gave money back."""
        try:
            made = await self._refunds_of(wish.charge_id)
        except Unusable as unusable:
            return Unclear(f"{wish.charge_id}: {unusable}")
        if isinstance(made, Unclear):
            return made
        ours = [refund for refund in made if refund.refund_id == wish.refund_id]
        rank = (RefundState.DONE, RefundState.PENDING, RefundState.FAILED)
        return min(ours, key=lambda refund: rank.index(refund.state), default=None)

    # --- comparing --------------------------------------------------------------------------------

    async def books(self, since: datetime, until: datetime, cursor: str | None) -> Listed | Unclear:
        """First the payments of the window, then its refunds; the cursor says which, and where."""
        phase, _, at = (cursor or f"{_PAYMENTS}:").partition(":")
        if phase not in {_PAYMENTS, _REFUNDS}:
            return Unclear("the cursor is none of ours")
        query = {
            "status": "succeeded",
            "created_at.gte": _moment(since),
            "created_at.lt": _moment(until),
            "limit": str(PAGE),
        }
        if at:
            query["cursor"] = at
        list_page = self._client.payments if phase == _PAYMENTS else self._client.refunds
        answer = await list_page(query)
        if isinstance(answer, Unclear):
            return answer
        if isinstance(answer, Refusal):
            return answer.unclear()
        try:
            items, following = page_of(answer)
            told: list[Fact] = [(charge_of if phase == _PAYMENTS else refund_of)(i) for i in items]
        except Unusable as unusable:
            return Unclear(f"{phase}: {unusable}")
        final = {ChargeState.PAID, RefundState.DONE}
        facts = [fact for fact in told if fact.state in final and since <= fact.at < until]
        if following is not None:
            return Listed(facts, f"{phase}:{following}")
        return Listed(facts, f"{_REFUNDS}:" if phase == _PAYMENTS else None)

    # --- looking up -------------------------------------------------------------------------------

    async def _carrier(
        self, payment_id: PaymentId, since: datetime, until: datetime | None = None
    ) -> Item | Unclear | None:
        """The vendor's payment that carries ``payment_id``."""
        query = {"created_at.gte": _moment(since - CLOCKS_DIFFER)}
        if until is not None:
            query["created_at.lt"] = _moment(until + CLOCKS_DIFFER)
        found = await _collected(
            self._client.payments, query, lambda item: our_id(item, PAYMENT_KEY) == payment_id
        )
        if isinstance(found, Unclear):
            return found
        rank = {"succeeded": 0, "waiting_for_capture": 1, "pending": 2}
        return min(found, key=lambda item: rank.get(str(item.get("status")), 3), default=None)

    async def _refunds_of(self, charge_id: str) -> Sequence[RefundMade] | Unclear:
        """Every refund of a payment. Raises Unusable."""
        found = await _collected(self._client.refunds, {"payment_id": charge_id})
        if isinstance(found, Unclear):
            return found
        made = [refund_of(item) for item in found]
        if any(refund.charge_id != charge_id for refund in made):
            raise Unusable("refunds of other payments")
        return made


async def _collected(
    list_page: ListPage, query: Mapping[str, str], wanted: Callable[[Item], bool] | None = None
) -> Sequence[Item] | Unclear:
    """All pages' objects that are ``wanted``; Unclear when one is missing, since what is on it
    may be the very thing."""
    asked = dict(query) | {"limit": str(PAGE)}
    found: list[Item] = []
    for _ in range(PAGES_MAX):
        answer = await list_page(asked)
        if isinstance(answer, Unclear):
            return answer
        if isinstance(answer, Refusal):
            return [] if answer.is_absence else answer.unclear()
        try:
            items, cursor = page_of(answer)
        except Unusable as unusable:
            return Unclear(str(unusable))
        found += [item for item in items if wanted is None or wanted(item)]
        if cursor is None:
            return found
        asked["cursor"] = cursor
    return Unclear(f"over {PAGES_MAX * PAGE} are listed")


def _moment(at: datetime) -> str:
    """Milliseconds, as the vendor counts: the first one that is not before ``at``."""
    rounded = at.astimezone(UTC) + timedelta(microseconds=-at.microsecond % 1000)
    return rounded.isoformat(timespec="milliseconds").replace("+00:00", "Z")
