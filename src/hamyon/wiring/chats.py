"""What only an installation with a bot needs. It brings aiogram with it, which is slow to load and
heavy to keep, so nobody imports this module before there is a ``BOT_TOKEN``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hamyon.catalog.types import CatalogCache
from hamyon.kit.db import Pool
from hamyon.kit.http import HttpClient
from hamyon.kit.queue import Handler, Schedule
from hamyon.kit.settings import Settings
from hamyon.kit.storage import Storage
from hamyon.messages.types import Composer
from hamyon.providers.telegram.session import open_bot
from hamyon.surfaces.bot import support_letters, tasks
from hamyon.surfaces.bot.dispatch import Chats
from hamyon.surfaces.bot.pictures import letters as picture_letters
from hamyon.surfaces.bot.types import Conversations, Needs


@dataclass(frozen=True, slots=True)
class ChatParts:
    """``composers`` write the letters that have buttons and pictures, by kind of notice."""

    conversations: Conversations
    composers: Mapping[str, Composer]

    def handlers(self, needs: Needs) -> dict[str, Handler]:
        """What the worker runs for chats, by entry point of the queue."""
        return tasks.handlers(needs)

    def schedules(self, needs: Needs) -> list[Schedule]:
        """What the worker runs for chats by the clock."""
        return tasks.schedules(needs)


def open_chats(
    settings: Settings, http: HttpClient, pool: Pool, storage: Storage, catalog: CatalogCache
) -> ChatParts:
    """The parts for the bot of ``BOT_TOKEN``, which must be set."""
    assert settings.bot_token is not None
    bot = open_bot(
        http,
        token=settings.bot_token.get_secret_value(),
        base_url=settings.telegram_api_base_url,
        timeout_s=settings.telegram_timeout_s,
    )
    pictures = picture_letters.PictureLetters(pool, storage, catalog)
    composers: dict[str, Composer] = {
        **dict.fromkeys(support_letters.KINDS, support_letters.SupportLetters()),
        **dict.fromkeys(picture_letters.KINDS, pictures),
    }
    return ChatParts(Chats(bot), composers)
