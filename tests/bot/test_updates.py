"""Reading updates: what counts is taken strictly, and what does not count costs nobody anything."""

from __future__ import annotations

from typing import Any

import pytest

from hamyon.payments.types import StarEvent
from hamyon.surfaces.bot.updates import Question, Strange, money_of, person_of
from tests.bot.news import MARK, OTHERS, STRANGE_MONEY, asked, changed, paid, refunded


def test_a_payment_is_read_whole() -> None:
    update = changed(
        paid(1, charge_id="stx-9", payload="p", stars=71), "message.from.id", 2**63 - 1
    )
    assert money_of(update) == StarEvent(
        kind="successful_payment",
        telegram_id=2**63 - 1,
        total_amount=71,
        currency="XTR",
        invoice_payload="p",
        telegram_payment_charge_id="stx-9",
        at=1_795_000_000,
        provider_payment_charge_id="101_0",
    )


def test_a_refund_is_the_chats_person() -> None:
    """Who sends that message is not promised; whose chat it is, is."""
    update = changed(refunded(1), "message.from", {"id": 777000, "is_bot": True})
    told = money_of(update)
    assert isinstance(told, StarEvent)
    assert (told.kind, told.telegram_id) == ("refunded_payment", 101)


def test_a_question_is_read_whole() -> None:
    assert money_of(asked(1, "q-1", "p")) == Question("q-1", "p", 70, "XTR", "uz")


@pytest.mark.parametrize(
    ("code", "language"),
    [("ru-RU", "ru"), ("uz", "uz"), ("de", "en"), (None, "en"), (5, "en"), ("x" * 5000, "en")],
)
def test_the_language_is_a_guess(code: object, language: str) -> None:
    asks = money_of(changed(asked(1, "q"), "pre_checkout_query.from.language_code", code))
    assert isinstance(asks, Question)
    assert asks.language == language
    pays = money_of(changed(paid(1), "message.from.language_code", code))
    assert isinstance(pays, StarEvent)


@pytest.mark.parametrize("value", [..., None, 7, "y" * 5000])
def test_what_does_not_count_loses_no_payment(value: object) -> None:
    path = "message.successful_payment.provider_payment_charge_id"
    assert isinstance(money_of(changed(paid(1), path, value)), StarEvent)


@pytest.mark.parametrize("update", STRANGE_MONEY.values(), ids=STRANGE_MONEY.keys())
def test_strange_money_is_named_without_its_content(update: dict[str, Any]) -> None:
    money = money_of(update)
    assert isinstance(money, Strange)
    assert money.problem
    assert MARK not in money.problem
    assert len(money.problem) < 500


@pytest.mark.parametrize("update", OTHERS.values(), ids=OTHERS.keys())
def test_the_rest_is_not_about_money(update: dict[str, Any]) -> None:
    assert money_of(update) is None


def test_whose_update_it_is() -> None:
    assert [person_of(one) for one in (paid(1), refunded(1), asked(1, "q", person_id=5))] == [
        101,
        101,
        5,
    ]
    assert person_of(OTHERS["words"]) == 101
    assert [person_of(OTHERS[name]) for name in ("only a number", "somebody strange")] == [None] * 2
