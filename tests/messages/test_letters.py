"""What a notice says: amounts, money and times as each language writes them, and no other HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from hamyon.kit.texts import LANGUAGES, Language
from hamyon.messages.kinds import OPERATORS, PEOPLE
from hamyon.messages.service import facts, letters
from hamyon.messages.types import Target, TextMessage
from hamyon.notices.types import Notice
from hamyon.users.types import User

TASHKENT = ZoneInfo("Asia/Tashkent")
THEN = datetime(2026, 5, 1, tzinfo=UTC)
BY_COMPOSERS = {"support_reply", "support_closed", "support_message"}
"""What these say is made by composers; the sentences are no letters of their own."""

PAID = {"payment_id": "p", "gateway": "stars", "telegram_id": 7}
FACTS: Mapping[str, Mapping[str, object]] = {
    "order_completed": {},
    "order_failed": {},
    "order_canceled": {},
    "order_refunded": {"order_id": "o", "amount": 27, "asset": "credit"},
    "payment_received": PAID
    | {"asset": "credit", "amount": 1, "paid_minor": 70, "currency": "XTR"},
    "payment_canceled": PAID | {"reason": "expired_on_confirmation"},
    "payment_refunded": {
        "payment_id": "p",
        "amount_minor": 15000,
        "currency": "RUB",
        "asset": "credit",
        "taken": 100,
        "debt": 22,
    },
    "refund_failed": PAID | {"amount_minor": 199, "currency": "RUB", "error": "<no> & never"},
    "referral_bonus": {"asset": "revival", "amount": 3},
    "referral_join_bonus": {"asset": "token", "amount": 5},
    "referral_first_bonus": {"asset": "USD", "amount": 1_250_000},
    "promo_bonus": {"asset": "credit", "amount": 1500},
    "payment_mismatch": PAID | {"difference": "only_theirs", "subject": "tx", "id": 3},
    "payment_mismatches": PAID | {"open": 2, "run_id": "r", "kinds": {"only_ours": 2}},
    "discount_used_again": PAID | {"discount_id": 4},
    "order_review": {"order_id": "o", "product": "images", "price": 27},
    "thin_margin": {
        "model": "seedream",
        "options": {"size": "2K", "n": 1},
        "price": 27,
        "cost_micro_usd": 27_500,
        "percent": -2,
    },
    "audit_findings": {
        "count": 12,
        "findings": [{"check": "c<1>", "subject": "s", "detail": "d" * 900}] * 12,
    },
    "daily_report": {
        "day": "2026-05-01",
        "users": {"total": 1234567, "new_today": 3, "active_1d": 9},
        "generations": {"total": 50, "by_status": {"completed": 49}, "success_rate": 0.98},
        "top_models": [{"model": "seedream", "orders": 40}],
        "sold": 1000,
        "granted": 5,
        "spent": 800,
        "refunded": 0,
        "revenue": {"XTR": 70, "RUB": 199_00},
        "provider_cost_micro_usd": 1_234_560,
        "margin_micro_usd": -20_000,
        "odd": {
            "orders_in_review": 2,
            "closed_providers": ["wavespeed"],
            "last_audit_at": "2026-05-01T18:30:00+00:00",
        },
    },
    "broadcast_finished": {
        "id": 1,
        "sent": 5,
        "recipients": 7,
        "blocked": 1,
        "failed": 1,
        "seconds": 3,
    },
    "broadcast_stopped": {"id": 1, "sent": 5, "recipients": 7, "reason": "no"},
}


def user(language: Language) -> User:
    return User(7, None, "A", None, language, None, None, False, None, None, THEN, THEN)


def said(language: Language, kind: str, *, to_operators: bool = False, **more: object) -> str:
    notice = Notice("k", kind, {**FACTS[kind], **more}, None if to_operators else 7)
    letter = letters.plain_letter(notice, user(language), TASHKENT)
    assert letter.target == Target(7)
    (message,) = letter.messages
    assert isinstance(message, TextMessage)
    return message.html


class Tags(HTMLParser):
    """Fails for what Telegram would not parse."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        assert tag in {"b", "i", "code"}, tag
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_finds_its_facts(language: Language) -> None:
    told = [(kind, False) for kind in PEOPLE] + [(kind, True) for kind in OPERATORS]
    for kind, to_operators in told:
        if kind in BY_COMPOSERS:
            continue
        html = said(language, kind, to_operators=to_operators)
        assert not re.search(r"[{}]|None|True|\[", html), html
        assert len(html) < 4096
        tags = Tags()
        tags.feed(html)
        assert not tags.open


def test_what_strangers_say_is_no_html() -> None:
    assert "&lt;no&gt; &amp; never" in said("en", "refund_failed", to_operators=True)
    assert "<code>c&lt;1&gt;</code>" in said("en", "audit_findings", to_operators=True)


def test_amounts_in_each_language() -> None:
    assert "<b>1 credit</b> added for 70 ⭐" in said("en", "payment_received")
    assert "<b>1 кредит</b> за 70 ⭐" in said("ru", "payment_received")
    assert "<b>1 500 кредитов</b>".replace(" 5", "\u00a05") in said("ru", "promo_bonus")
    assert "<b>1,500 credits</b>" in said("en", "promo_bonus")
    assert "<b>3 оживашки</b>" in said("ru", "referral_bonus")
    assert "<b>5 ta token</b>" in said("uz", "referral_join_bonus")
    assert "<b>$1.25</b>" in said("en", "referral_first_bonus")
    assert "<b>$1,25</b>" in said("uz", "referral_first_bonus")


def test_a_debt_is_told_only_when_there_is_one() -> None:
    told = said("en", "payment_refunded")
    assert told.startswith("↩️ 150.00 ₽ of your payment went back to you, and 100 credits left")
    assert told.endswith("\nStill to be paid off by your next top-up: 22 credits.")
    assert said("en", "payment_refunded", debt=0).endswith("left your balance.")


def test_the_daily_report() -> None:
    told = said("en", "daily_report", to_operators=True)
    assert "<b>2026-05-01</b>" in told
    assert "People: 1,234,567, new today 3, active 9." in told
    assert "ready 49, success 98 %.\n• seedream: 40\n" in told
    assert "Revenue: 70 ⭐, 199.00 ₽." in told
    assert "took $1.23456, margin -$0.02." in told
    assert "\n⚠️ Providers switched off: wavespeed" in told
    assert told.endswith("The last audit ran: 2026-05-01 23:30")
    assert said("ru", "daily_report", to_operators=True).endswith("01.05.2026 23:30")
    never = {"last_audit_at": "never"}
    assert said("uz", "daily_report", to_operators=True, odd=never).endswith(": hech qachon")
    assert said("en", "daily_report", to_operators=True, odd={}).endswith("margin -$0.02.")


def test_what_is_counted_stands_in_its_form() -> None:
    told = said("ru", "audit_findings", to_operators=True)
    assert told.startswith("🚨 Аудит нашёл 12 вещей")
    assert told.count("•") == facts.LIST_MAX
    assert said("ru", "payment_mismatches", to_operators=True).count("2 случаях") == 1
    assert "1 case (" in said("en", "payment_mismatches", to_operators=True, open=1)


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-123456, 2, "-1,234.56"),
        (1_000_000, 6, "1.00"),
        (27, 6, "0.000027"),
    ],
)
def test_decimals(value: int, digits: int, written: str) -> None:
    assert facts.decimal("en", value, digits) == written


def test_what_is_missing_or_strange_is_no_trouble() -> None:
    for kind in OPERATORS:
        if kind not in BY_COMPOSERS:
            notice = Notice("k", kind, {"asset": "gold", "amount": 5, "odd": 3, "findings": "x"})
            letters.plain_letter(notice, user("en"), TASHKENT)
    assert facts.amount("en", 5, "gold") == "5 gold"
    assert facts.moment("en", "soon", TASHKENT) == "soon"
    assert facts.moment("en", None, TASHKENT) == "–"
