"""The letters that bring an order's result into the chat, or say why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from html import escape
from typing import Final
from uuid import UUID

from hamyon.catalog import service as catalog
from hamyon.catalog.errors import ModelNotFound
from hamyon.catalog.types import CatalogCache
from hamyon.kit.db import Pool
from hamyon.kit.storage import Storage
from hamyon.kit.texts import Language, Markup, rich_text, text
from hamyon.ledger import service as ledger
from hamyon.messages.types import Letter, Outgoing, Removal, Target, TextMessage
from hamyon.notices.types import Notice
from hamyon.orders.service import read
from hamyon.orders.service.read import OrderView
from hamyon.orders.types import Order, OrderId, OrderState, StoredOutput
from hamyon.products.images import present
from hamyon.products.images.types import PRODUCT
from hamyon.surfaces.bot.phrases import amount, paragraphs
from hamyon.surfaces.bot.pictures.callbacks import Act
from hamyon.surfaces.bot.pictures.lengths import CAPTION_MAX, TEXT_MAX, cut, units, visible
from hamyon.surfaces.bot.pictures.panel import NAME_MAX
from hamyon.surfaces.bot.pictures.results import (
    buttons,
    is_too_large,
    messages,
    outputs_of,
)
from hamyon.users.types import User

COMPLETED: Final = "order_completed"
FAILED: Final = "order_failed"
CANCELED: Final = "order_canceled"
KINDS: Final = (COMPLETED, FAILED, CANCELED)
LINK_LIFE: Final = timedelta(days=7)
"""How long a link to a file that no bot can upload works, from the order's end."""
LINES_SEARCHED: Final = 100


@dataclass(frozen=True, slots=True)
class Told:
    """What a notice says of its order. It stays as it was, whatever becomes of the order."""

    order_id: OrderId
    charged: int
    is_trial: bool
    chat_id: int
    reply_to: int | None = None
    status_message_id: int | None = None
    topic_id: int | None = None
    is_late: bool = False
    error_code: str | None = None

    @property
    def target(self) -> Target:
        return Target(self.chat_id, self.reply_to, self.topic_id)


class PictureLetters:
    """``Composer`` of the notices that an order of images ended.

    Composing one again gives the same: what may change meanwhile, such as a balance, is read as it
    was when the order ended.
    """

    def __init__(self, pool: Pool, storage: Storage, models: CatalogCache) -> None:
        self._pool = pool
        self._storage = storage
        self._models = models

    async def compose(self, notice: Notice, user: User) -> Letter | None:
        """None for orders that were not meant to be brought into this person's chat."""
        told = told_by(notice, user)
        if told is None:
            return None
        order = await read.own_order(self._pool, told.order_id, user.id)
        if notice.kind == COMPLETED:
            sent = await self._completed(user.language, told, order)
        else:
            sent = _unsuccessful(user.language, told, order, notice.kind, self._storage)
        if told.status_message_id is not None and not told.is_late:
            sent = [*sent, Removal(told.status_message_id)]
        return Letter(told.target, sent)

    async def _completed(self, language: Language, told: Told, order: Order) -> Sequence[Outgoing]:
        view = await read.view(self._pool, order)
        outputs = outputs_of(view.jobs)
        caption = caption_html(
            language,
            model=await self._model_name(order),
            cost=await self._cost(language, told, order),
            prompt=str(order.input["prompt"]),
        )
        rows = buttons(language, order.id, (Act.AGAIN, Act.CHANGE, Act.REFERENCE))
        return messages(order, outputs, caption, self._links(language, order, outputs), rows)

    async def _cost(self, language: Language, told: Told, order: Order) -> str:
        """What it took, and what was left then."""
        if told.is_late:
            return rich_text(language, "picture.gift")
        if told.is_trial:
            return rich_text(language, "picture.was_free")
        if not told.charged:
            return rich_text(language, "picture.took_nothing")
        lines = await ledger.history(
            self._pool, order.user_id, order.asset, before_id=None, limit=LINES_SEARCHED
        )
        reference = str(order.id)
        line = next((one for one in lines if one.reference == reference and one.amount < 0), None)
        facts = {"price": amount(language, order.asset, told.charged)}
        if line is None:
            return rich_text(language, "picture.took", facts)
        facts["left"] = amount(language, order.asset, line.balance_after)
        return rich_text(language, "picture.took_and_left", facts)

    async def _model_name(self, order: Order) -> str:
        try:
            return (await catalog.get_model(self._pool, self._models, order.model_key)).model.name
        except ModelNotFound:
            return order.model_key

    def _links(self, language: Language, order: Order, outputs: Sequence[StoredOutput]) -> str:
        """Links to what is too large for a bot; empty when nothing is."""
        large = [output for output in outputs if is_too_large(output)]
        if not large:
            return ""
        expires_at = (order.finished_at or order.created_at) + LINK_LIFE
        title = text(language, "picture.line_link")
        links = [
            f'<a href="{escape(self._storage.sign(output.path, expires_at))}">{title} {number}</a>'
            for number, output in enumerate(large, 1)
        ]
        facts = {"days": LINK_LIFE.days}
        return paragraphs(rich_text(language, "picture.too_large", facts), "\n".join(links))


def told_by(notice: Notice, user: User) -> Told | None:
    """What the facts say (``ImagesRules.delivery``); None when there is nothing to bring here.

    Only a person's own chat counts: whoever ordered over HTTP could name anybody's.
    """
    facts = notice.facts
    deliver = facts.get("deliver")
    if facts.get("product") != PRODUCT or not isinstance(deliver, Mapping):
        return None
    if deliver.get("chat_id") != user.id:
        return None
    charged, error_code = facts.get("charged"), facts.get("error_code")
    return Told(
        order_id=OrderId(UUID(str(facts["order_id"]))),
        charged=charged if isinstance(charged, int) else 0,
        is_trial=facts.get("trial") is True,
        is_late=notice.key.startswith("late:"),
        error_code=error_code if isinstance(error_code, str) else None,
        chat_id=user.id,
        reply_to=_number(deliver, "reply_to_message_id"),
        status_message_id=_number(deliver, "status_message_id"),
        topic_id=_number(deliver, "message_thread_id"),
    )


def _number(deliver: Mapping[str, object], name: str) -> int | None:
    """A message's number as Telegram counts them; anything else names no message."""
    value = deliver.get(name)
    return value if isinstance(value, int) and 0 < value < 2**31 else None


def caption_html(language: Language, *, model: str, cost: str, prompt: str) -> str:
    """What stands under the picture; of the wish as much as there is room for."""
    head = paragraphs(
        rich_text(language, "picture.line_result", {"model": cut(model, NAME_MAX)}) + "\n" + cost
    )
    return _with_wish(head, prompt, CAPTION_MAX)


def _with_wish(head: str, prompt: str, units_max: int) -> str:
    room = units_max - units(visible(head)) - len("\n\n")
    shown = cut(prompt.strip(), room)
    quote = Markup(f"<blockquote expandable>{escape(shown, quote=False)}</blockquote>")
    return paragraphs(head, quote if shown else None)


def _unsuccessful(
    language: Language, told: Told, order: Order, kind: str, storage: Storage
) -> Sequence[Outgoing]:
    """Why there is no picture, and that what it would have cost is back."""
    if kind == CANCELED:
        back = "generation.trial_back" if told.is_trial else "generation.credits_back"
        said = paragraphs(rich_text(language, "picture.canceled"), rich_text(language, back))
    else:
        said = escape(f"😔 {failure(language, told, order, storage)}", quote=False)
    rows = buttons(language, order.id, (Act.AGAIN, Act.CHANGE))
    return [TextMessage(_with_wish(said, str(order.input["prompt"]), TEXT_MAX // 4), rows)]


def failure(language: Language, told: Told, order: Order, storage: Storage) -> str:
    """The reason, as every caller of images reads it."""
    failed = replace(
        order, state=OrderState.FAILED, error_code=told.error_code, trial=told.is_trial
    )
    shown = present.generation(OrderView(failed, (), None), storage, language, (0, 0))
    error = shown["error"]
    assert isinstance(error, dict)
    return str(error["message"])
