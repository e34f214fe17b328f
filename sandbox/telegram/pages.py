"""The page on which a person pays an invoice, where Telegram has a button in the chat."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from aiohttp import web

from sandbox.telegram.books import Charge
from sandbox.telegram.door import params_of
from sandbox.telegram.envelope import RefusedError, json_response
from sandbox.telegram.invoices import page_path
from sandbox.telegram.payments import NotPaidError, Payments
from sandbox.telegram.state import Invoice, State

DEFAULT_USER_ID = 777
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
}
FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1c2733; --soft: #6b7a89; --card: #fff; --page: #e9eef3;
  --blue: #2a8bd8; --good: #1f9254; --bad: #c0392b; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #eef3f8; --soft: #93a3b3; --card: #1d2733;
  --page: #121921; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  background: var(--page); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }}
main {{ width: 100%; max-width: 24rem; padding: 1.5rem; border-radius: 1rem;
  background: var(--card); box-shadow: 0 8px 30px rgb(0 0 0 / .12); }}
.sandbox {{ margin: 0 0 1rem; color: var(--soft); font-size: .8rem; }}
h1 {{ margin: 0 0 .25rem; font-size: 1.25rem; overflow-wrap: anywhere; }}
p {{ margin: 0 0 1rem; overflow-wrap: anywhere; }}
.amount {{ font-size: 2rem; font-weight: 700; }}
label {{ display: block; margin-bottom: 1rem; color: var(--soft); font-size: .9rem; }}
input {{ width: 100%; margin-top: .25rem; padding: .65rem .75rem; border: 1px solid var(--soft);
  border-radius: .6rem; background: transparent; color: var(--ink); font: inherit; }}
button {{ width: 100%; padding: .8rem; border: 0; border-radius: .6rem; background: var(--blue);
  color: #fff; font: inherit; font-weight: 600; cursor: pointer; }}
a {{ color: var(--blue); }}
.good {{ color: var(--good); font-weight: 700; }}
.bad {{ color: var(--bad); font-weight: 700; }}
.small {{ margin: 1rem 0 0; color: var(--soft); font-size: .85rem; }}
</style>
</head>
<body>
<main>
<p class="sandbox">Sandbox: this is not Telegram, and no real Stars move.</p>
{content}
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Pages:
    """``/telegram/invoice/{slug}``: HTML for browsers, JSON for who asks for it."""

    state: State
    payments: Payments

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The invoice and its button."""
        invoice = self.state.invoices.get(request.match_info["slug"])
        if invoice is None:
            return _no_such_invoice(request)
        try:
            user_id = (await params_of(request)).user_id("user")
        except RefusedError:
            user_id = DEFAULT_USER_ID
        return _html(invoice.title, self._form(invoice, user_id))

    async def pay(self, request: web.Request) -> web.StreamResponse:
        """Pay. ``skip_pre_checkout=1`` does not ask the bot, which Telegram never leaves out."""
        invoice = self.state.invoices.get(request.match_info["slug"])
        if invoice is None:
            return _no_such_invoice(request)
        try:
            params = await params_of(request)
            user_id = params.user_id("user") if params.text("user") else DEFAULT_USER_ID
        except RefusedError as error:
            return self._not_paid(request, invoice, DEFAULT_USER_ID, str(error), 400)
        try:
            asks_bot = not params.flag("skip_pre_checkout")
            charge = await self.payments.pay(invoice, user_id, asks_bot=asks_bot)
        except NotPaidError as error:
            return self._not_paid(request, invoice, user_id, str(error))
        return self._paid(request, invoice, charge)

    def _paid(self, request: web.Request, invoice: Invoice, charge: Charge) -> web.Response:
        if _wants_json(request):
            return json_response({"ok": True, "charge_id": charge.id, "error": None})
        told = f'<h1 class="good">Paid</h1><p>{charge.amount} Stars: {escape(invoice.title)}.</p>'
        page = f"{page_path(invoice)}?user={charge.user_id}"
        again = f'<p><a href="{page}">Back to the invoice</a></p>'
        number = f'<p class="small">Charge {escape(charge.id)}</p>'
        return _html("Paid", told + again + self._balance(charge.user_id) + number)

    def _not_paid(
        self, request: web.Request, invoice: Invoice, user_id: int, error: str, status: int = 200
    ) -> web.Response:
        if _wants_json(request):
            return json_response({"ok": False, "charge_id": None, "error": error}, status)
        told = f'<p class="bad">Not paid: {escape(error)}</p>'
        return _html("Not paid", told + self._form(invoice, user_id), status)

    def _form(self, invoice: Invoice, user_id: int) -> str:
        head = (
            f"<h1>{escape(invoice.title)}</h1><p>{escape(invoice.description)}</p>"
            f'<p class="amount">{invoice.amount} Stars</p>'
        )
        if invoice.paid:
            return f'{head}<p class="good">This invoice is paid.</p>{self._balance(user_id)}'
        return (
            f'{head}<form method="post" action="{page_path(invoice)}">'
            '<label>Pay as (Telegram id)<input name="user" inputmode="numeric" '
            f'pattern="[1-9][0-9]*" required value="{user_id}"></label>'
            f"<button>Pay {invoice.amount} Stars</button></form>{self._balance(user_id)}"
        )

    def _balance(self, user_id: int) -> str:
        stars = self.state.person(user_id).stars
        return f'<p class="small">Person {user_id} has {stars} sandbox Stars.</p>'


def _no_such_invoice(request: web.Request) -> web.Response:
    error = "no such invoice"
    if _wants_json(request):
        return json_response({"ok": False, "charge_id": None, "error": error}, 404)
    return _html("No such invoice", '<h1 class="bad">There is no such invoice</h1>', 404)


def _wants_json(request: web.Request) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def _html(title: str, content: str, status: int = 200) -> web.Response:
    text = FRAME.format(title=escape(title), content=content)
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)
