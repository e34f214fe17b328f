"""What the vendor's cabinet and its past are for tests; for this machine only, without faults.

* ``POST /yookassa/plant``: a JSON list of payments with their refunds, as if made before:
  ``{id?, status?, amount: "100.00", created_at, captured_at?, metadata?, description?, refunds?}``;
  one whose id is known is replaced
* ``POST /yookassa/cabinet/refund``: ``{payment_id, amount}``, a refund made by hand
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from sandbox.yookassa.amounts import parse_amount, parse_value
from sandbox.yookassa.cards import GOOD_CARD
from sandbox.yookassa.envelope import RefusedError, json_response
from sandbox.yookassa.objects import Cancellation, Payment, Refund, Status, new_id
from sandbox.yookassa.payments import CHECKOUT_PATH
from sandbox.yookassa.refunds import make_refund
from sandbox.yookassa.state import State

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class _Planted(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str | None = Field(None, min_length=1, max_length=36)
    status: Status = Status.SUCCEEDED
    amount: str
    created_at: datetime
    metadata: dict[str, str] = {}
    description: str | None = None

    @field_validator("amount")
    @classmethod
    def _is_money(cls, value: str) -> str:
        parse_value(value)
        return value


class PlantedRefund(_Planted):
    """A refund that was made before; a pending one stays so."""


class PlantedPayment(_Planted):
    """A payment that was made before; captured when it was created, unless it says when."""

    captured_at: datetime | None = None
    refunds: tuple[PlantedRefund, ...] = ()


_PLANTED = TypeAdapter(list[PlantedPayment])


@dataclass(frozen=True, slots=True)
class Cabinet:
    """The handlers."""

    state: State

    async def plant(self, request: web.Request) -> web.Response:
        """Remember payments and refunds, without a word to anybody. Raises ``ValueError``."""
        origin = f"{request.scheme}://{request.host}"
        given = _PLANTED.validate_json(await request.read())
        payments = [self._payment(one, origin) for one in given]
        self.state.books.plant(payments)
        return json_response({"planted": len(payments), "ids": [one.id for one in payments]})

    async def refund(self, request: web.Request) -> web.Response:
        """A refund made by hand: it carries no metadata. Raises ``ValueError``."""
        given = await _form_or_json(request)
        self.state.let_time_pass()
        try:
            amount = {"value": given.get("amount"), "currency": "RUB"}
            payment_id = str(given.get("payment_id"))
            refund = make_refund(self.state, payment_id, parse_amount(amount), metadata={})
        except RefusedError as error:
            return error.response()
        return json_response(refund.shown())

    def _payment(self, one: PlantedPayment, origin: str) -> Payment:
        created_ms = _ms(one.created_at)
        payment_id = one.id or new_id(created_ms, "000f")
        payment = Payment(
            id=payment_id,
            position=(created_ms, self.state.books.next_number()),
            amount_minor=parse_value(one.amount),
            status=one.status,
            metadata=one.metadata,
            description=one.description,
            return_url=origin,
            confirmation_url=f"{origin}{CHECKOUT_PATH}/{payment_id}",
        )
        if one.status is Status.CANCELED:
            payment.cancellation = Cancellation("yoo_money", "expired_on_confirmation")
        elif one.status is Status.SUCCEEDED:
            payment.card = GOOD_CARD
            payment.captured_ms = created_ms if one.captured_at is None else _ms(one.captured_at)
        elif one.status is Status.WAITING:
            payment.card = GOOD_CARD
            payment.ends_ms = created_ms + self.state.settings.hold_s * 1000
        else:
            payment.ends_ms = created_ms + self.state.settings.unpaid_s * 1000
        payment.refunds = [self._refund(refund, payment.id) for refund in one.refunds]
        return payment

    def _refund(self, one: PlantedRefund, payment_id: str) -> Refund:
        created_ms = _ms(one.created_at)
        canceled = one.status is Status.CANCELED
        return Refund(
            id=one.id or new_id(created_ms, "0015"),
            payment_id=payment_id,
            position=(created_ms, self.state.books.next_number()),
            amount_minor=parse_value(one.amount),
            status=one.status,
            metadata=one.metadata,
            description=one.description,
            cancellation=Cancellation("payment_network", "general_decline") if canceled else None,
        )


async def _form_or_json(request: web.Request) -> Mapping[str, object]:
    if request.content_type != "application/json":
        return {name: str(value) for name, value in (await request.post()).items()}
    given = orjson.loads(await request.read())
    if not isinstance(given, dict):
        raise TypeError("the body must be an object")
    return given


def _ms(at: datetime) -> int:
    """Milliseconds since 1970; a time without a zone is UTC."""
    return (at.replace(tzinfo=at.tzinfo or UTC) - _EPOCH) // _MS
