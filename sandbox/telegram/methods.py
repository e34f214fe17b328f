"""Every method that the simulated Bot API has, and how one is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from sandbox.telegram.bots import Bot
from sandbox.telegram.call import BotCall, Method
from sandbox.telegram.delivery import Delivery
from sandbox.telegram.envelope import RefusedError
from sandbox.telegram.invoices import Invoices
from sandbox.telegram.messages import Messages
from sandbox.telegram.params import Params
from sandbox.telegram.payments import Payments
from sandbox.telegram.stars import Stars
from sandbox.telegram.state import State
from sandbox.telegram.updates import Updates
from sandbox.telegram.webhooks import Webhooks

NEVER_REPLIES = frozenset({"setWebhook", "deleteWebhook", "close", "logOut"})
UNKNOWN = "unknown"


async def get_me(call: BotCall) -> object:
    """The bot itself."""
    return call.bot.as_user() | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


@dataclass(frozen=True, slots=True)
class Methods:
    """Methods by their names; callers may write them in any case."""

    by_name: Mapping[str, Method]
    names: Mapping[str, str]

    @classmethod
    def build(cls, state: State, updates: Updates, delivery: Delivery, payments: Payments) -> Self:
        messages = Messages(state)
        invoices = Invoices(state, messages)
        stars = Stars(state, payments)
        webhooks = Webhooks(delivery)
        by_name: dict[str, Method] = {
            "getMe": get_me,
            "getUpdates": updates.get_updates,
            "setWebhook": webhooks.set_webhook,
            "deleteWebhook": webhooks.delete_webhook,
            "getWebhookInfo": webhooks.get_webhook_info,
            "sendMessage": messages.send_message,
            "sendInvoice": invoices.send_invoice,
            "createInvoiceLink": invoices.create_invoice_link,
            "answerPreCheckoutQuery": stars.answer_pre_checkout_query,
            "refundStarPayment": stars.refund_star_payment,
            "getStarTransactions": stars.get_star_transactions,
            "getMyStarBalance": stars.get_my_star_balance,
        }
        return cls(by_name, {name.lower(): name for name in by_name})

    def canonical(self, name: str) -> str:
        """The name as it is documented, or ``unknown``."""
        return self.names.get(name.lower(), UNKNOWN)

    async def run(self, name: str, call: BotCall) -> object:
        """Count and answer a call. Raises ``RefusedError``."""
        method = self.canonical(name)
        if method == UNKNOWN:
            raise RefusedError(404, "Not Found: method not found")
        call.bot.counts.calls[method] += 1
        return await self.by_name[method](call)

    async def reply(self, bot: Bot, params: Params) -> None:
        """Do what a webhook's answer asks for; nobody hears what became of it."""
        method = self.canonical(params.text("method"))
        if method.startswith("get") or method in NEVER_REPLIES or method == UNKNOWN:
            return
        try:
            await self.run(method, BotCall(bot, params))
        except RefusedError:
            bot.counts.webhooks["replies_refused"] += 1
