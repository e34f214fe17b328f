"""What is asked of the vendor, within its limits."""

from __future__ import annotations

import orjson
import pytest

from hamyon.kit.texts import LANGUAGES
from hamyon.providers.yookassa.bodies import payment_body, refund_body, shop_of
from tests.providers.yookassa.wishes import offer, settings_of, wish

CHARGE = "2f3b588d-000f-5000-8000-1d6e87c7fbde"


def test_a_payment() -> None:
    wanted = offer(14_905, language="uz")
    assert payment_body(wanted, shop_of(settings_of())) == {
        "amount": {"value": "149.05", "currency": "RUB"},
        "capture": True,
        "confirmation": {
            "type": "redirect",
            "return_url": "https://t.me/hamyon_bot",
            "locale": "ru_RU",
        },
        "description": "1000 credits in Hamyon",
        "metadata": {"payment_id": str(wanted.payment_id)},
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_pay_page(language: str) -> None:
    body = payment_body(offer(language=language), shop_of(settings_of()))  # type: ignore[arg-type]  # one of them
    confirmation = body["confirmation"]
    assert isinstance(confirmation, dict)
    assert confirmation["locale"] == ("en_US" if language == "en" else "ru_RU")


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({"yookassa_return_url": "https://h.example/paid"}, "https://h.example/paid"),
        ({"telegram_bot_username": "@hamyon_bot"}, "https://t.me/hamyon_bot"),
        ({"telegram_bot_username": None, "public_url": "https://h.example"}, "https://h.example"),
    ],
)
def test_where_people_return_to(changes: dict[str, object], url: str) -> None:
    assert shop_of(settings_of(**changes)).return_url == url


@pytest.mark.parametrize("letter", ["a", "ў", "🎨"])
def test_long_words_are_cut(letter: str) -> None:
    shop = shop_of(settings_of(yookassa_receipt_email="shop@h.example"))
    body = payment_body(offer(title=letter * 300, description=letter * 300), shop)
    refund = refund_body(wish(CHARGE, 100, reason=letter * 300), shop)
    receipt = body["receipt"]
    assert isinstance(receipt, dict)
    for text, limit in (
        (body["description"], 128),
        (receipt["items"][0]["description"], 128),
        (refund["description"], 250),
    ):
        assert isinstance(text, str)
        units = len(text.encode("utf-16-le")) // 2
        assert limit - 1 <= units <= limit
        assert set(text) == {letter}


def test_a_description_is_never_empty() -> None:
    body = payment_body(offer(description="", title="Credits"), shop_of(settings_of()))
    assert body["description"] == "Credits"
    assert "description" not in refund_body(wish(CHARGE, 100, reason=""), shop_of(settings_of()))


def test_receipts_of_a_shop_that_gives_them() -> None:
    shop = shop_of(
        settings_of(
            yookassa_receipt_email="shop@h.example",
            yookassa_receipt_vat_code=4,
            yookassa_receipt_tax_system_code=2,
        )
    )
    receipt = payment_body(offer(14_905), shop)["receipt"]
    assert isinstance(receipt, dict)
    assert receipt["customer"] == {"email": "shop@h.example"}
    assert receipt["tax_system_code"] == 2
    (item,) = receipt["items"]
    assert item["amount"] == {"value": "149.05", "currency": "RUB"}
    assert (item["vat_code"], item["quantity"]) == (4, 1)
    part = refund_body(wish(CHARGE, 105), shop)["receipt"]
    assert isinstance(part, dict)
    assert part["items"][0]["amount"]["value"] == "1.05"
    assert "receipt" not in refund_body(wish(CHARGE, 105, is_whole=True), shop)
    simple = shop_of(settings_of(yookassa_receipt_email="shop@h.example"))
    plain = payment_body(offer(), simple)["receipt"]
    assert isinstance(plain, dict)
    assert "tax_system_code" not in plain


def test_the_same_wish_makes_the_same_bytes() -> None:
    shop = shop_of(settings_of(yookassa_receipt_email="shop@h.example"))
    wanted, back = offer(), wish(CHARGE, 100)
    assert orjson.dumps(payment_body(wanted, shop)) == orjson.dumps(payment_body(wanted, shop))
    assert orjson.dumps(refund_body(back, shop)) == orjson.dumps(refund_body(back, shop))
