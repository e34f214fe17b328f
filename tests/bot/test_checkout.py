"""Telegram's question before it takes Stars is answered once, truly and in time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from hamyon.kit.texts import LANGUAGES, Language, text
from hamyon.surfaces.bot.intake import take
from tests.bot.conftest import Open
from tests.bot.customers import Customers, running_bot
from tests.bot.news import asked
from tests.bot.scripted import scripted
from tests.bot.still_proxy import StillProxy
from tests.fixtures.database import Database
from tests.fixtures.service import eventually

ALI, VALI = 101, 202


async def _foreign_link(customers: Customers, payload: str) -> str:
    """A link to an invoice of the bot that we did not open."""
    made = await customers.call(
        "createInvoiceLink",
        title="Credits",
        description="Credits",
        payload=payload,
        currency="XTR",
        prices=[{"label": "Credits", "amount": 70}],
    )
    return str(made["result"])


async def test_only_our_invoices_at_their_price_are_paid(shop: Open) -> None:
    customers = await shop()
    async with running_bot(customers.service.deps):
        link = await customers.invoice(ALI)
        for payload in ("x", "0" * 32 + "." + "0" * 32, "пятьдесят"):
            paid = await customers.click(await _foreign_link(customers, payload), ALI)
            assert paid.charge_id is None
            assert paid.error == text("en", "payment.unknown_invoice")
        await customers.service.as_owner("UPDATE payments SET amount_minor = 71")
        paid = await customers.click(link, ALI)
        assert (paid.charge_id, paid.error) == (None, text("en", "payment.price_changed"))
    stats = await customers.stats()
    assert stats["charges"] == 0
    assert stats["pre_checkout"]["refused"] == stats["calls"]["answerPreCheckoutQuery"] == 4


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_no_is_said_in_the_persons_language(shop: Open, language: Language) -> None:
    customers = await shop()
    query = asked(1, "q-1")
    query["pre_checkout_query"]["from"]["language_code"] = f"{language}-XX"
    async with scripted() as (script, bot):
        await take(customers.needs(bot), query)
    assert script.answers == [
        {
            "pre_checkout_query_id": "q-1",
            "ok": False,
            "error_message": text(language, "payment.unknown_invoice"),
        }
    ]


async def test_a_locked_table_is_a_no_and_the_next_click_pays(shop: Open) -> None:
    """Somebody waits at the till: better a no now than a payment that nobody could explain."""
    customers = await shop()
    async with running_bot(customers.service.deps):
        link = await customers.invoice(ALI)
        connection = await customers.owner()
        async with connection.transaction():
            await connection.execute("LOCK TABLE payments IN ACCESS EXCLUSIVE MODE")
            paid = await customers.click(link, ALI)
        await connection.close()
        assert (paid.charge_id, paid.error) == (None, text("en", "payment.try_again"))
        assert (await customers.click(link, ALI)).charge_id
        await customers.has(ALI, 1000)
    stats = await customers.stats()
    assert stats["pre_checkout"]["unanswered"] == stats["pre_checkout"]["too_late"] == 0


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[StillProxy]:
    """Asked for before ``shop``, so that it outlives the service."""
    async with StillProxy.before(database.dsn) as made:
        yield made


async def test_a_frozen_database_is_a_no(proxy: StillProxy, shop: Open) -> None:
    """The connections stay open and nothing moves: not even a cancellation is heard."""
    customers = await shop(database_url=proxy.dsn)
    async with running_bot(customers.service.deps):
        links = {user_id: await customers.invoice(user_id) for user_id in (ALI, VALI)}
        proxy.moves.clear()
        for user_id, link in links.items():
            paid = await customers.click(link, user_id)
            assert (paid.charge_id, paid.error) == (None, text("en", "payment.try_again"))
        proxy.moves.set()

        async def pays() -> bool:
            return (await customers.click(links[ALI], ALI)).charge_id is not None

        await eventually(pays)
        await customers.has(ALI, 1000)
    assert (await customers.stats())["pre_checkout"]["unanswered"] == 0


async def test_a_refusing_database_is_a_no(shop: Open) -> None:
    customers = await shop()
    async with running_bot(customers.service.deps):
        link = await customers.invoice(ALI)
        await customers.service.as_owner("REVOKE SELECT ON payments FROM hamyon_app")
        paid = await customers.click(link, ALI)
        await customers.service.as_owner("GRANT SELECT ON payments TO hamyon_app")
        assert paid.error == text("en", "payment.try_again")


async def test_an_answer_that_gets_lost_is_not_given_again(shop: Open) -> None:
    """Telegram takes the first answer only, and the person's next click is a new question."""
    customers = await shop()
    match = {"vendor": "telegram", "operation": "answerPreCheckoutQuery", "times": 1}
    await customers.sandbox.vendor_settings("telegram", pre_checkout_timeout_s=1)
    async with running_bot(customers.service.deps):
        link = await customers.invoice(ALI)
        await customers.sandbox.fault("refuse", match)
        with capture_logs() as logs:
            assert (await customers.click(link, ALI)).charge_id is None
        assert [one["was_yes"] for one in logs if "did not arrive" in one["event"]] == [True]
        assert (await customers.click(link, ALI)).charge_id
        await customers.has(ALI, 1000)
    assert (await customers.stats())["calls"]["answerPreCheckoutQuery"] == 1
