"""The page on which the payer pays, or does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web
from yarl import URL

from sandbox.faults import Fault
from sandbox.yookassa.cards import GOOD_CARD, Card, refused_card
from sandbox.yookassa.objects import Cancellation, Payment, Status
from sandbox.yookassa.page import ended_page, message_page, payment_page
from sandbox.yookassa.state import State

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Checkout:
    """The handlers. Who knows the address may pay."""

    state: State

    async def show(self, request: web.Request, _faults: Sequence[Fault]) -> web.Response:
        """The page of a payment."""
        self.state.let_time_pass()
        payment = self.state.books.payments.get(request.match_info["payment"])
        if payment is None:
            return _html(message_page("There is no such payment."), 404)
        if payment.status is not Status.PENDING:
            return _html(ended_page(payment))
        return _html(payment_page(payment, self.state.settings.shop_name))

    async def submit(self, request: web.Request, _faults: Sequence[Fault]) -> web.Response:
        """``action=pay``, or ``action=refuse`` with a ``reason``; then back to the shop."""
        form = await request.post()
        action, reason = str(form.get("action", "")), str(form.get("reason", ""))
        card = GOOD_CARD if action == "pay" else refused_card(reason)
        self.state.let_time_pass()
        payment = self.state.books.payments.get(request.match_info["payment"])
        if payment is None:
            return _html(message_page("There is no such payment."), 404)
        if payment.status is not Status.PENDING:
            return _html(ended_page(payment), 409)
        if action not in {"pay", "refuse"} or card is None:
            return _html(message_page("There is no such button."), 400)
        self._use(payment, card)
        return web.Response(status=303, headers={"Location": _location(payment.return_url)})

    def _use(self, payment: Payment, card: Card) -> None:
        """Pay with the card; some are refused."""
        if card.reason is not None:
            cancellation = Cancellation(card.party, card.reason)
            self.state.books.cancel(payment, cancellation, card)
            return
        self.state.books.pay(payment, card, self.state.now_ms, self.state.settings.hold_s)


def _location(url: str) -> str:
    """The shop's address as it gave it; headers take ASCII only."""
    return url if url.isascii() else str(URL(url))


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)
