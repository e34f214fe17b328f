"""Every method that the simulated Bot API has, and how one is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from sandbox.telegram.bots import Bot
from sandbox.telegram.call import BotCall, Method
from sandbox.telegram.callbacks import Callbacks
from sandbox.telegram.copies import Copies
from sandbox.telegram.delivery import Delivery
from sandbox.telegram.edits import Edits
from sandbox.telegram.envelope import RefusedError
from sandbox.telegram.invoices import Invoices
from sandbox.telegram.media import Media, get_file
from sandbox.telegram.messages import Messages, Outbox
from sandbox.telegram.params import Params
from sandbox.telegram.payments import Payments
from sandbox.telegram.profiles import Profiles
from sandbox.telegram.rooms import Rooms
from sandbox.telegram.stars import Stars
from sandbox.telegram.state import State
from sandbox.telegram.talk import Talk
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
        rooms = Rooms(state)
        outbox = Outbox(state, rooms)
        media = Media(state, outbox)
        profiles = Profiles(rooms)
        by_name: dict[str, Method] = {
            "getMe": get_me,
            "getUpdates": updates.get_updates,
            "getFile": get_file,
            "answerCallbackQuery": Callbacks(state).answer_callback_query,
            **_webhooks(Webhooks(delivery)),
            **_sending(media, Messages(state, outbox), Copies(state, rooms, outbox)),
            **_edits(Edits(state, rooms, media)),
            **_talk(Talk(rooms)),
            **_profile(profiles),
            **_payments(Invoices(state, outbox), Stars(state, payments)),
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


def _webhooks(webhooks: Webhooks) -> dict[str, Method]:
    return {
        "setWebhook": webhooks.set_webhook,
        "deleteWebhook": webhooks.delete_webhook,
        "getWebhookInfo": webhooks.get_webhook_info,
    }


def _sending(media: Media, messages: Messages, copies: Copies) -> dict[str, Method]:
    return {
        "sendMessage": messages.send_message,
        "sendPhoto": media.send_method("photo"),
        "sendDocument": media.send_method("document"),
        "sendVideo": media.send_method("video"),
        "sendAnimation": media.send_method("animation"),
        "sendMediaGroup": media.send_media_group,
        "copyMessage": copies.copy_message,
        "copyMessages": copies.copy_messages,
        "forwardMessage": copies.forward_message,
        "forwardMessages": copies.forward_messages,
    }


def _edits(edits: Edits) -> dict[str, Method]:
    return {
        "editMessageText": edits.edit_message_text,
        "editMessageCaption": edits.edit_message_caption,
        "editMessageMedia": edits.edit_message_media,
        "editMessageReplyMarkup": edits.edit_message_reply_markup,
        "deleteMessage": edits.delete_message,
        "deleteMessages": edits.delete_messages,
    }


def _talk(talk: Talk) -> dict[str, Method]:
    return {
        "getChat": talk.get_chat,
        "sendChatAction": talk.send_chat_action,
        "setMessageReaction": talk.set_message_reaction,
        "pinChatMessage": talk.pin_chat_message,
        "unpinChatMessage": talk.unpin_chat_message,
        "unpinAllChatMessages": talk.unpin_all_chat_messages,
    }


def _profile(profiles: Profiles) -> dict[str, Method]:
    return {
        "setMyCommands": profiles.set_my_commands,
        "getMyCommands": profiles.get_my_commands,
        "deleteMyCommands": profiles.delete_my_commands,
        "setChatMenuButton": profiles.set_chat_menu_button,
        "getChatMenuButton": profiles.get_chat_menu_button,
        **profiles.text_methods(),
    }


def _payments(invoices: Invoices, stars: Stars) -> dict[str, Method]:
    return {
        "sendInvoice": invoices.send_invoice,
        "createInvoiceLink": invoices.create_invoice_link,
        "answerPreCheckoutQuery": stars.answer_pre_checkout_query,
        "refundStarPayment": stars.refund_star_payment,
        "getStarTransactions": stars.get_star_transactions,
        "getMyStarBalance": stars.get_my_star_balance,
    }
