"""Writing to many people: putting the message together, choosing whom, sending, watching."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from aiogram import F, Router
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, Message
from pydantic import Field

from hamyon.kit.web.permission import Role
from hamyon.media import service as media
from hamyon.messages.errors import PreviewFailed
from hamyon.messages.service import broadcasts, segments
from hamyon.messages.service import content as contents
from hamyon.messages.types import ALBUM_MAX, Button, Sent, Target
from hamyon.surfaces.bot.filters import Expecting, Operates
from hamyon.surfaces.bot.flows.operators.access import least
from hamyon.surfaces.bot.flows.operators.acts import begin
from hamyon.surfaces.bot.flows.operators.desk import Desk, Do, Screen, Shown
from hamyon.surfaces.bot.flows.operators.drafts import (
    TURNS,
    Draft,
    content_lines,
    criterion_words,
)
from hamyon.surfaces.bot.flows.operators.mailings import ACTS
from hamyon.surfaces.bot.phrases import number, paragraphs
from hamyon.surfaces.bot.pictures.lengths import LABEL_MAX, cut
from hamyon.surfaces.bot.pictures.references import picture_in, upload
from hamyon.surfaces.bot.screens import show
from hamyon.surfaces.bot.types import Chat

CONTENT: Final = "operators.broadcast"
"""The next text or photo is what the broadcast says."""
BUTTON: Final = "operators.broadcast_button"
SOURCE: Final = "operators.broadcast_source"
TIME: Final = "operators.broadcast_time"
TIME_FORM: Final = "%Y-%m-%d %H:%M"
SOURCE_MAX: Final = 256
TYPED: Final = ~F.text.startswith("/")


class Turn(CallbackData, prefix="ob"):
    """Chooses the value of a criterion that stands at ``to``; behind the last one, none."""

    criterion: str
    to: Annotated[int, Field(ge=0)]


class Compose(CallbackData, prefix="obc"):
    """``clear``, ``preview``, or asks for what is typed: ``button``, ``source``, ``time``."""

    act: Literal["clear", "preview", "button", "source", "time"]


ASKED: Final = {"button": BUTTON, "source": SOURCE, "time": TIME}


def register(router: Router) -> None:
    """The handlers that only broadcasts need."""
    admin = least(Role.ADMIN)
    messages, presses = router.message, router.callback_query
    messages.register(take_content, TYPED, Expecting(CONTENT), Operates(), flags=admin)
    for what, handler in ((BUTTON, take_button), (SOURCE, take_source), (TIME, take_time)):
        messages.register(handler, F.text, TYPED, Expecting(what), Operates(), flags=admin)
    presses.register(turn, Turn.filter(F.criterion.in_(TURNS)), flags=admin)
    presses.register(clear, Compose.filter(F.act == "clear"), flags=admin)
    presses.register(preview, Compose.filter(F.act == "preview"), flags=admin)
    presses.register(ask, Compose.filter(F.act.in_(ASKED)), flags=admin)


# --- the panel ------------------------------------------------------------------------------------


async def panel(desk: Desk, of: str) -> Shown:
    """The broadcast that is being put together, and how many people it would reach now."""
    await desk.expect(CONTENT)
    draft = await Draft.of(desk)
    recipients = await segments.count(desk.needs.pool, draft.people, desk.needs.segment_sources)
    html = paragraphs(
        desk.say("broadcasts.compose"),
        *content_lines(desk, draft.content),
        desk.say("broadcasts.line_recipients", recipients=number(desk.language, recipients)),
    )
    return Shown(html, _panel_rows(desk, draft))


def _panel_rows(desk: Desk, draft: Draft) -> list[list[Button]]:
    turns = [
        Button(
            cut(criterion_words(desk, name, draft.segment.get(name)), LABEL_MAX),
            data=Turn(criterion=name, to=draft.next_of(name)).pack(),
        )
        for name in TURNS
    ]
    turns.append(_compose(desk, "source", draft.segment.get("advertising_source")))
    return [
        *(turns[at : at + 2] for at in range(0, len(turns), 2)),
        [_compose(desk, "button"), _compose(desk, "clear")],
        [_compose(desk, "preview"), _compose(desk, "time")],
        [
            Button(
                desk.word("broadcast_send.button"),
                data=Do(act="broadcast_send", of=draft.digest).pack(),
            )
        ],
        [desk.back("broadcasts")],
    ]


def _compose(desk: Desk, act: str, chosen: object = None) -> Button:
    label = desk.word(f"broadcasts.button_{act}")
    label = label if chosen is None else f"{label}: {chosen}"
    return Button(cut(label, LABEL_MAX), data=f"{Compose.__prefix__}:{act}")


async def _again(event: Message | CallbackQuery, desk: Desk) -> None:
    shown = await panel(desk, "")
    await show(event, shown.html, shown.rows)


async def turn(query: CallbackQuery, desk: Desk, callback_data: Turn) -> None:
    draft = await Draft.of(desk)
    await draft.turned(callback_data.criterion, callback_data.to).keep(desk)
    await _again(query, desk)


async def clear(query: CallbackQuery, desk: Desk) -> None:
    await Draft().keep(desk)
    await _again(query, desk)


async def ask(query: CallbackQuery, desk: Desk, callback_data: Compose) -> None:
    await desk.expect(ASKED[callback_data.act])
    zone = str(desk.needs.settings.zone)
    html = desk.say(f"broadcasts.ask_{callback_data.act}", zone=zone)
    await show(query, html, [[desk.back("compose")]])


async def preview(query: CallbackQuery, desk: Desk) -> None:
    """The message as everybody would get it, to the operator alone."""
    draft = await Draft.of(desk)
    contents.check(draft.content)
    sender = broadcasts.require_sender(desk.needs.senders)
    uploads = await media.get_own(desk.needs.pool, desk.person.id, draft.content.upload_ids)
    files = contents.files_of(draft.content, uploads)
    outcome = await sender.send(Target(desk.person.id), contents.message_of(draft.content, files))
    if not isinstance(outcome, Sent):
        raise PreviewFailed(problem=str(getattr(outcome, "reason", type(outcome).__name__)))
    await desk.expect(CONTENT)


# --- what is typed --------------------------------------------------------------------------------


async def take_content(message: Message, desk: Desk, chat: Chat) -> None:
    """A text takes the place of the text; a photo is put to the others, its caption is the text."""
    if desk.is_asking(chat):
        await _again(message, desk)
        return
    picture, text = picture_in(message), message.text or message.caption
    if picture is None and message.text is None:
        await show(message, desk.say("broadcasts.hint_content"), [[desk.back("compose")]])
        return
    draft = await Draft.of(desk)
    if text is not None:
        draft = replace(draft, text=text)
    if picture is not None:
        kept = str((await upload(desk.needs, desk.bot, desk.person.id, picture)).id)
        photos = list(dict.fromkeys([*draft.upload_ids, kept]))
        if len(photos) > ALBUM_MAX:
            await show(
                message,
                desk.say("broadcasts.hint_photos", limit=ALBUM_MAX),
                [[desk.back("compose")]],
            )
            return
        draft = replace(draft, upload_ids=photos)
    await draft.keep(desk)
    await _again(message, desk)


async def take_button(message: Message, desk: Desk) -> None:
    """``Open https://example.org``: what stands on the button, and where it leads."""
    text, _, url = (message.text or "").strip().rpartition(" ")
    if not text.strip() or not _is_link(url):
        await show(message, desk.say("broadcasts.hint_button"), [[desk.back("compose")]])
        return
    draft = await Draft.of(desk)
    await replace(draft, button_text=text.strip(), button_url=url).keep(desk)
    await _again(message, desk)


def _is_link(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


async def take_source(message: Message, desk: Desk) -> None:
    """The advertisement that people came from; ``-`` for whichever."""
    source = (message.text or "").strip().replace("\x00", "")[:SOURCE_MAX]
    draft = await Draft.of(desk)
    chosen = None if source == "-" else source
    await draft.choosing("advertising_source", chosen).keep(desk)
    await _again(message, desk)


async def take_time(message: Message, desk: Desk) -> None:
    """When it starts by itself, by the clock of ``TIMEZONE``."""
    zone = desk.needs.settings.zone
    try:
        # The zone is ours, and is put to it at once.
        at = datetime.strptime((message.text or "").strip(), TIME_FORM).replace(tzinfo=zone)
    except ValueError:
        at = None
    if at is None or at <= desk.needs.clock.now():
        html = desk.say("broadcasts.hint_time", zone=str(zone))
        await show(message, html, [[desk.back("compose")]])
        return
    draft = replace(await Draft.of(desk), schedule_at=at.isoformat())
    await draft.keep(desk)
    await begin(message, desk, ACTS, "broadcast_schedule", draft.digest)


SCREENS: Final = {"compose": Screen(Role.ADMIN, panel)}
