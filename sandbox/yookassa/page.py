"""The HTML of the page to pay on: everything in one file, and nothing of it is believed."""

from __future__ import annotations

from html import escape

from sandbox.yookassa.cards import GOOD_CARD, REFUSED_CARDS
from sandbox.yookassa.objects import Payment, Status

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ground: #f2f3f7; --ink: #16181d; --dim: #667;
  --line: #d9dbe3; --key: #0a58ff; --warn: #8a5a00; --warn-ground: #fff4d6; }
@media (prefers-color-scheme: dark) { :root { --paper: #1d1f26; --ground: #121319; --ink: #eef0f6;
  --dim: #9aa0b2; --line: #343846; --key: #2f66f0; --warn: #ffd479; --warn-ground: #33290f; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 26rem; background: var(--paper); border: 1px solid var(--line);
  border-radius: 16px; padding: 1.5rem; }
.note { margin: 0 0 1.25rem; padding: .5rem .75rem; border-radius: 8px; font-size: .875rem;
  color: var(--warn); background: var(--warn-ground); }
.shop { margin: 0; color: var(--dim); }
h1 { margin: .25rem 0; font-size: 2rem; }
.about { margin: 0 0 1.25rem; overflow-wrap: anywhere; }
form { display: grid; gap: .625rem; margin: 0 0 1rem; }
label { font-size: .875rem; color: var(--dim); }
button, select, .back { width: 100%; padding: .75rem 1rem; border-radius: 10px; font: inherit;
  border: 1px solid var(--line); background: transparent; color: inherit; text-align: center; }
button { cursor: pointer; font-weight: 600; }
button.pay { border-color: var(--key); background: var(--key); color: #fff; }
select { text-align: left; background: var(--paper); }
.back { display: block; text-decoration: none; color: var(--dim); }
"""

_SAID = {
    Status.WAITING: "This payment is paid already. The shop has yet to accept it.",
    Status.SUCCEEDED: "This payment is paid already.",
    Status.CANCELED: "This payment is canceled.",
}


def payment_page(payment: Payment, shop_name: str) -> str:
    """The page of a payment that waits for its payer."""
    refusals = "".join(
        f'<option value="{escape(card.reason or "")}">'
        f"{escape((card.reason or '').replace('_', ' '))} (card {card.number})</option>"
        for card in REFUSED_CARDS
    )
    return _page(
        f'<p class="shop">{escape(shop_name)}</p>'
        f"<h1>{_rubles(payment.amount_minor)}</h1>"
        f'<p class="about">{escape(payment.description or "")}</p>'
        '<form method="post"><input type="hidden" name="action" value="pay">'
        f'<button class="pay">Pay (card {GOOD_CARD.number})</button></form>'
        '<form method="post"><input type="hidden" name="action" value="refuse">'
        '<label for="reason">or with a card that is refused</label>'
        f'<select id="reason" name="reason">{refusals}</select>'
        "<button>Pay with a card that is refused</button></form>"
        f"{_back(payment)}"
    )


def ended_page(payment: Payment) -> str:
    """The page of a payment that waits for nobody."""
    why = ""
    if payment.cancellation is not None:
        why = f" The reason: {escape(payment.cancellation.reason.replace('_', ' '))}."
    return _page(
        f"<h1>{_rubles(payment.amount_minor)}</h1>"
        f'<p class="about">{_SAID[payment.status]}{why}</p>{_back(payment)}'
    )


def message_page(text: str) -> str:
    """A page with one sentence."""
    return _page(f'<p class="about">{escape(text)}</p>')


def _back(payment: Payment) -> str:
    return f'<a class="back" href="{escape(payment.return_url)}">Go back</a>'


def _rubles(minor: int) -> str:
    whole = f"{minor // 100:,}".replace(",", "\N{NO-BREAK SPACE}")
    return f"{whole}.{minor % 100:02d}\N{NO-BREAK SPACE}\N{RUBLE SIGN}"


def _page(body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Sandbox payment</title><style>{_STYLE}</style></head><body><main>"
        '<p class="note">This is a sandbox that plays YooKassa. No money moves.</p>'
        f"{body}</main></body></html>"
    )
