"""createInvoiceLink and sendInvoice."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from sandbox.telegram.books import XTR
from sandbox.telegram.call import BotCall
from sandbox.telegram.envelope import bad_request
from sandbox.telegram.markup import Markup
from sandbox.telegram.messages import Outbox
from sandbox.telegram.params import Params
from sandbox.telegram.state import Invoice, State

TITLE_LENGTH_MAX = 32
DESCRIPTION_LENGTH_MAX = 255
PAYLOAD_BYTES_MAX = 128
STARS_MAX = 10_000
"""Of one invoice; the least is 1. Neither is in the machine-readable specification."""


@dataclass(frozen=True, slots=True)
class Invoices:
    """Invoices in Stars, which are the only ones here.

    What is missing is refused in the server's words. The upper-case codes for what is too long or
    too much come from Telegram's backend; that they are these ones is an assumption.
    """

    state: State
    outbox: Outbox

    async def create_invoice_link(self, call: BotCall) -> object:
        """A link that may be paid by anybody, any number of times.

        Telegram's is ``https://t.me/$<slug>``; here it leads to this machine's own page.
        """
        invoice = self._open(call)
        return f"{call.origin}{page_path(invoice)}"

    async def send_invoice(self, call: BotCall) -> object:
        """An invoice in a chat, which can be paid there once; without buttons of its own it gets
        the one to pay with."""
        # What is wrong with the invoice is told before anything is wrong with the chat.
        _check(call.params)
        outgoing = self.outbox.open(call, is_invoice=True)
        invoice = self._open(call, chat_id=outgoing.room.peer.id)
        shown = {
            "title": invoice.title,
            "description": invoice.description,
            "start_parameter": call.params.text("start_parameter"),
            "currency": XTR,
            "total_amount": invoice.amount,
        }
        if outgoing.markup.inline is None:
            pay = {"text": f"Pay ⭐{invoice.amount}", "pay": True}
            markup = Markup({"inline_keyboard": [[pay]]}, outgoing.markup.keyboard)
            outgoing = replace(outgoing, markup=markup)
        return outgoing.put({"invoice": shown}, page_path(invoice))

    def _open(self, call: BotCall, chat_id: int | None = None) -> Invoice:
        title, description, payload, amount = _check(call.params)
        slug = secrets.token_urlsafe(12)
        invoice = Invoice(slug, call.bot, title, description, payload, amount, chat_id)
        self.state.add_invoice(invoice)
        return invoice


def _check(params: Params) -> tuple[str, str, str, int]:
    """Title, description, payload and Stars. Raises ``RefusedError`` (400)."""
    title, description = params.required("title"), params.required("description")
    payload = params.required("payload")
    if params.required("currency") != XTR:
        raise bad_request("CURRENCY_INVALID")
    if params.text("provider_token"):
        raise bad_request("PAYMENT_PROVIDER_INVALID")
    amount = _amount(params)
    if len(title) > TITLE_LENGTH_MAX:
        raise bad_request("TITLE_TOO_LONG")
    if len(description) > DESCRIPTION_LENGTH_MAX:
        raise bad_request("DESCRIPTION_TOO_LONG")
    if len(payload.encode()) > PAYLOAD_BYTES_MAX:
        raise bad_request("INVOICE_PAYLOAD_INVALID")
    return title, description, payload, amount


def page_path(invoice: Invoice) -> str:
    """Where the invoice can be paid on this machine."""
    return f"/telegram/invoice/{invoice.slug}"


def _amount(params: Params) -> int:
    """The whole Stars of the one price. Raises ``RefusedError`` (400)."""
    params.required("prices")
    prices = params.parsed("prices")
    if not isinstance(prices, list):
        raise bad_request("expected an Array of labeled prices")
    amounts = [_price(price) for price in prices]
    if not amounts:
        raise bad_request("there must be at least one price")
    if len(amounts) > 1:
        raise bad_request("STARS_INVOICE_INVALID")
    if not 1 <= amounts[0] <= STARS_MAX:
        raise bad_request("CURRENCY_TOTAL_AMOUNT_INVALID")
    return amounts[0]


def _price(price: object) -> int:
    if not isinstance(price, dict):
        raise _bad_price("LabeledPrice must be an Object")
    label, amount = price.get("label"), price.get("amount")
    if not isinstance(label, str) or not label:
        raise _bad_price("LabeledPrice label must be non-empty")
    if isinstance(amount, str) and amount.isascii() and amount.isdecimal():
        amount = int(amount[:18])
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise _bad_price('Can\'t find field "amount"')
    return amount


def _bad_price(text: str) -> Exception:
    return bad_request(f"can't parse labeled price: {text}")
