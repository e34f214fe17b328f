"""The status of an order in the chat, kept fresh until the order ends."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final, assert_never
from uuid import UUID

from hamyon.catalog import service as catalog
from hamyon.catalog.errors import ModelNotFound
from hamyon.catalog.types import Model
from hamyon.kit import store as kit_store
from hamyon.kit.db import Connection, transaction
from hamyon.kit.texts import Language, rich_text, text
from hamyon.messages.types import Button, Edit, Gone, Moved, Refused, Target, Unclear, Wait
from hamyon.orders.errors import OrderNotFound
from hamyon.orders.service import read
from hamyon.orders.service.read import OrderView
from hamyon.orders.types import Order, OrderId, OrderState
from hamyon.surfaces.bot.phrases import paragraphs
from hamyon.surfaces.bot.pictures.callbacks import Stop, order_code
from hamyon.surfaces.bot.pictures.lengths import cut
from hamyon.surfaces.bot.pictures.panel import NAME_MAX, Screen
from hamyon.surfaces.bot.store import drafts as store
from hamyon.surfaces.bot.types import Needs
from hamyon.users.service import people

ENTRY: Final = "order_status"
"""The queue's entry point; its payload is ``{order}:{step}:{what was shown}``."""
EVERY_S: Final = 3.0
SLOWER_BY: Final = 20
"""After a minute each look is a twentieth of the order's age behind the last one."""
EVERY_MAX_S: Final = 300.0
WATCHED_FOR: Final = timedelta(hours=48)
"""Longer than any order takes, the operators' review with it."""
CELLS: Final = 10
USUAL_S: Final = 60
"""How long a picture takes when its model is not for sale any more."""


def screen(language: Language, view: OrderView, model: Model | None, now: datetime) -> Screen:
    """How an order stands, in words, with a button while it can be canceled for sure."""
    order = view.order
    name = rich_text(
        language,
        "picture.line_model",
        {"model": cut(model.name if model else order.model_key, NAME_MAX)},
    )
    match order.state:
        case OrderState.QUEUED:
            facts = {"position": view.queue_position or 1}
            stop = Stop(order=order_code(order.id))
            button = Button(text(language, "picture.button_cancel"), data=stop.pack())
            return Screen(
                paragraphs(rich_text(language, "picture.queued", facts), name), [[button]]
            )
        case OrderState.RUNNING:
            html = paragraphs(
                rich_text(language, "picture.running"), _progress(order, model, now), name
            )
            return Screen(html, [])
        case OrderState.REVIEW:
            return Screen(paragraphs(rich_text(language, "picture.review"), name), [])
        case OrderState.COMPLETED | OrderState.FAILED | OrderState.CANCELED:
            return Screen(paragraphs(rich_text(language, "picture.ended"), name), [])
        case _ as never:
            assert_never(never)


def _progress(order: Order, model: Model | None, now: datetime) -> str:
    """A bar by the time that such a picture takes; the last part is never full, because nobody
    knows."""
    elapsed_s = max(0, int((now - (order.started_at or now)).total_seconds()))
    percent = progress_percent(elapsed_s, model.duration_max_s if model else USUAL_S)
    full = percent * CELLS // 100
    minutes, seconds = divmod(elapsed_s, 60)
    return f"{'▰' * full}{'▱' * (CELLS - full)} {percent} % · {minutes}:{seconds:02}"


def progress_percent(elapsed_s: float, duration_max_s: float) -> int:
    """90 at the longest time that the model takes, and closer and closer to 99 behind it."""
    share = elapsed_s / max(duration_max_s, 1)
    return int(90 * share) if share <= 1 else int(99 - 9 / share)


async def look(needs: Needs, order: Order, language: Language) -> Screen:
    """The status as it is now."""
    try:
        model = (await catalog.get_model(needs.pool, needs.catalog, order.model_key)).model
    except ModelNotFound:
        model = None  # It is no longer for sale; the order goes on all the same.
    return screen(language, await read.view(needs.pool, order), model, needs.clock.now())


# --- kept fresh -----------------------------------------------------------------------------------


async def watch(
    connection: Connection, order_id: UUID, *, step: int, shown: str, delay_s: float
) -> None:
    """Queue the next look. A look that runs twice queues one that follows."""
    await kit_store.add_job(
        connection,
        ENTRY,
        f"{order_id}:{step}:{shown}",
        delay=timedelta(seconds=delay_s),
        dedupe_key=f"{ENTRY}:{order_id}:{step}",
    )


async def keep_fresh(needs: Needs, payload: str) -> None:
    """Show how the order stands, when that says anything new, and come again until it ends.

    Its end is told by a letter, which takes this message away; until then it says that it ended.
    """
    raw_id, step, shown = payload.split(":")
    draft = await store.of_order(needs.pool, UUID(raw_id))
    if draft is None or draft.panel_message_id is None:
        return
    try:
        order = await read.own_order(needs.pool, OrderId(UUID(raw_id)), draft.user_id)
    except OrderNotFound:
        return
    now = needs.clock.now()
    person = await people.profile(needs.pool, draft.user_id)
    current = await look(needs, order, person.language)
    mark, delay_s, is_told = digest(current), _pause_s(order, now), True
    sender = needs.senders.get("telegram")
    if mark != shown and sender is not None:
        edit = Edit(draft.panel_message_id, current.html, current.rows)
        outcome = await sender.send(Target(draft.chat_id), edit)
        if isinstance(outcome, Gone | Moved | Refused):
            return
        is_told = not isinstance(outcome, Wait | Unclear)
        if isinstance(outcome, Wait):
            delay_s = max(delay_s, outcome.retry_after_s)
    is_over = is_told and order.state not in read.ACTIVE_STATES
    if is_over or now > order.created_at + WATCHED_FOR:
        return
    async with transaction(needs.pool) as connection:
        known = mark if is_told else shown
        await watch(connection, order.id, step=int(step) + 1, shown=known, delay_s=delay_s)


def digest(shown: Screen) -> str:
    """What tells one screen from another, in a few letters."""
    said = f"{shown.html}\n{shown.rows!r}".encode()
    return hashlib.blake2s(said, digest_size=6).hexdigest()


def _pause_s(order: Order, now: datetime) -> float:
    """Often at first; an order that operators look at for hours moves slowly."""
    age_s = (now - order.created_at).total_seconds()
    return min(max(EVERY_S, age_s / SLOWER_BY), EVERY_MAX_S)
