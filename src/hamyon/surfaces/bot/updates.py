"""Reading updates: what Telegram tells of money, taken strictly, and nothing else of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hamyon.kit.texts import DEFAULT_LANGUAGE, Language, language_of
from hamyon.kit.web.models import INT64_MAX
from hamyon.payments.types import AT_ONCE_MAX, XTR, StarEvent

TIME_MAX: Final = 253_402_300_799
"""The last second of the year 9999."""

Id = Annotated[int, Field(ge=1, le=INT64_MAX)]
Stars = Annotated[int, Field(ge=1, le=AT_ONCE_MAX)]
Text = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]
"""The database's texts know no NUL."""


@dataclass(frozen=True, slots=True)
class Strange:
    """An update about money that cannot be read. ``problem`` names fields, never their content."""

    problem: str


@dataclass(frozen=True, slots=True)
class Question:
    """Telegram's question before it takes Stars."""

    id: str
    payload: str
    amount: int
    currency: str
    language: Language


def money_of(update: Mapping[str, object]) -> StarEvent | Question | Strange | None:
    """What an update tells or asks about money; None for every other one."""
    if _PreCheckout.TOLD in update:
        asked = _read(_PreCheckout, update[_PreCheckout.TOLD])
        return asked if isinstance(asked, Strange) else asked.question()
    message = update.get("message")
    if not isinstance(message, Mapping):
        return None
    told: _Paid | _Refunded | Strange
    if _Paid.TOLD in message:
        told = _read(_Paid, message)
    elif _Refunded.TOLD in message:
        told = _read(_Refunded, message)
    else:
        return None
    if isinstance(told, Strange):
        return told
    event = told.event()
    return event if event.currency == XTR else Strange(f"{event.kind} currency is not XTR")


def person_of(update: Mapping[str, object]) -> int | None:
    """Whose update it is, as far as the order of one person's updates is concerned."""
    for kind in ("message", "callback_query", "pre_checkout_query", "my_chat_member"):
        told = update.get(kind)
        sender = told.get("from") if isinstance(told, Mapping) else None
        person_id = sender.get("id") if isinstance(sender, Mapping) else None
        if isinstance(person_id, int):
            return person_id
    return None


def lane_of(update: Mapping[str, object]) -> tuple[int, bool] | None:
    """Updates of one lane are taken one after the other: a person's money has its own, because a
    question before a payment must not wait for a picture that is being fetched."""
    person_id = person_of(update)
    if person_id is None:
        return None
    message = update.get("message")
    told = message if isinstance(message, Mapping) else update
    return person_id, any(kind.TOLD in told for kind in (_PreCheckout, _Paid, _Refunded))


@dataclass(frozen=True, slots=True)
class Arrival:
    """What somebody's ``/start`` says of how he came here."""

    referral_code: str | None = None
    source: str | None = None


def arrival_of(event: object) -> Arrival:
    """``/start ref_777`` names who invited, ``/start src_spring`` an advertisement.

    Anything else names nobody. What follows is at most 64 letters, digits, ``_`` and ``-``: more
    Telegram does not let through.
    """
    said = getattr(event, "text", None)
    found = _START.fullmatch(said) if isinstance(said, str) else None
    if found is None:
        return Arrival()
    payload = found["payload"]
    if payload.startswith("ref_"):
        return Arrival(referral_code=payload)
    return Arrival(source=payload) if payload.startswith("src_") else Arrival()


_START = re.compile(r"/start(?:@\w+)?\s+(?P<payload>[A-Za-z0-9_-]{1,64})", re.ASCII)


# --- as Telegram writes them ----------------------------------------------------------------------


class _Part(BaseModel):
    """Telegram adds fields as it likes. Those that count are of exactly their type; of the others
    none can cost anybody his payment, so they are objects of any kind."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)
    TOLD: ClassVar[str]
    """The update's or message's field that this is about."""


class _Sender(_Part):
    id: Id
    language_code: object = None

    @property
    def language(self) -> Language:
        code = self.language_code
        return (language_of(code) if isinstance(code, str) else None) or DEFAULT_LANGUAGE


class _PrivateChat(_Part):
    """Its id is the person's."""

    id: Id
    type: Literal["private"]


class _Payment(_Part):
    currency: Text
    total_amount: Stars
    invoice_payload: Text
    telegram_payment_charge_id: Text
    provider_payment_charge_id: object = None

    @property
    def provider_charge_id(self) -> str | None:
        given = self.provider_payment_charge_id
        return given[:256] if isinstance(given, str) else None


class _Paid(_Part):
    """A message's ``from`` is who paid, wherever the invoice was shown."""

    TOLD = "successful_payment"
    sender: _Sender = Field(alias="from")
    date: int = Field(ge=1, le=TIME_MAX)
    successful_payment: _Payment

    def event(self) -> StarEvent:
        paid = self.successful_payment
        return _event("successful_payment", self.sender.id, paid, self.date)


class _Refunded(_Part):
    """Stars come back in the private chat with the bot; who sends that message is not promised."""

    TOLD = "refunded_payment"
    chat: _PrivateChat
    date: int = Field(ge=1, le=TIME_MAX)
    refunded_payment: _Payment

    def event(self) -> StarEvent:
        refunded = self.refunded_payment
        return _event("refunded_payment", self.chat.id, refunded, self.date)


class _PreCheckout(_Part):
    TOLD = "pre_checkout_query"
    id: Text
    sender: _Sender = Field(alias="from")
    currency: Text
    total_amount: Stars
    invoice_payload: Text

    def question(self) -> Question:
        return Question(
            id=self.id,
            payload=self.invoice_payload,
            amount=self.total_amount,
            currency=self.currency,
            language=self.sender.language,
        )


def _event(
    kind: Literal["successful_payment", "refunded_payment"],
    telegram_id: int,
    payment: _Payment,
    at: int,
) -> StarEvent:
    return StarEvent(
        kind=kind,
        telegram_id=telegram_id,
        total_amount=payment.total_amount,
        currency=payment.currency,
        invoice_payload=payment.invoice_payload,
        telegram_payment_charge_id=payment.telegram_payment_charge_id,
        at=at,
        provider_payment_charge_id=payment.provider_charge_id,
    )


Read = TypeVar("Read", bound=_Part)


def _read(kind: type[Read], raw: object) -> Read | Strange:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        # Names of fields are Telegram's own; their values are somebody's.
        problems = {
            f"{'.'.join(str(part) for part in problem['loc'])} {problem['type']}"
            for problem in error.errors(include_input=False, include_url=False)
        }
        return Strange(f"{kind.TOLD}: {', '.join(sorted(problems))}")
