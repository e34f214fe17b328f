"""Broadcasts that there are: sending one that was put together, watching and steering it."""

from __future__ import annotations

from typing import Final, cast

from hamyon.kit.db import Connection
from hamyon.kit.web.permission import Role
from hamyon.messages.errors import BroadcastNotFound
from hamyon.messages.service import broadcasts, progress, segments
from hamyon.messages.service import content as contents
from hamyon.messages.service.progress import Rates
from hamyon.messages.types import Button
from hamyon.messages.types.broadcast import (
    Broadcast,
    BroadcastId,
    BroadcastState,
    Progress,
)
from hamyon.surfaces.bot.flows.operators.acts import Act, Wish, once_only
from hamyon.surfaces.bot.flows.operators.desk import (
    WORDS_MAX,
    Desk,
    Screen,
    Shown,
    rows_of,
)
from hamyon.surfaces.bot.flows.operators.drafts import Draft, content_lines, segment_line
from hamyon.surfaces.bot.flows.operators.errors import NothingPending
from hamyon.surfaces.bot.phrases import day, number, paragraphs, time_of_day
from hamyon.surfaces.bot.pictures.lengths import cut

LISTED_MAX: Final = 6
LIGHTS: Final = {
    BroadcastState.DRAFT: "⚪",
    BroadcastState.SCHEDULED: "🕓",
    BroadcastState.RUNNING: "🟢",
    BroadcastState.PAUSED: "⏸",
    BroadcastState.COMPLETED: "✅",
    BroadcastState.CANCELED: "⚫",
}
VERBS: Final = {
    BroadcastState.DRAFT: ("start", "cancel"),
    BroadcastState.SCHEDULED: ("start", "cancel"),
    BroadcastState.RUNNING: ("pause", "cancel"),
    BroadcastState.PAUSED: ("resume", "cancel"),
    BroadcastState.COMPLETED: (),
    BroadcastState.CANCELED: (),
}
"""What can be done in each state."""


# --- looking --------------------------------------------------------------------------------------


async def every(desk: Desk, of: str) -> Shown:
    found, _ = await progress.listed(
        desk.needs.pool,
        before_id=None,
        limit=LISTED_MAX,
        rates=Rates.of(desk.needs.settings),
        now=desk.needs.clock.now(),
    )
    rows = [[_button(desk, one)] for one in found]
    new = desk.see(desk.word("broadcasts.button_new"), "compose")
    return Shown(desk.say("broadcasts.title"), [[new], *rows, [desk.back()]])


def _button(desk: Desk, found: Progress) -> Button:
    one = found.broadcast
    words = cut(one.content.text.replace("\n", " "), 30)
    return desk.see(f"{LIGHTS[one.state]} {one.id} · {words}", "broadcast", one.id)


async def card(desk: Desk, of: str) -> Shown:
    """How far it is; the same button again says how far it is then."""
    found = await progress.view(
        desk.needs.pool,
        _id(of),
        rates=Rates.of(desk.needs.settings),
        now=desk.needs.clock.now(),
    )
    refresh = desk.see(desk.word("broadcasts.button_refresh"), "broadcast", of)
    verbs = [desk.do(f"broadcast_{verb}", of) for verb in VERBS[found.broadcast.state]]
    return Shown(_card(desk, found), [*rows_of(refresh, *verbs), [desk.back("broadcasts")]])


def _card(desk: Desk, found: Progress) -> str:
    one, tally, language = found.broadcast, found.tally, desk.language
    pace = (
        desk.say(
            "broadcasts.line_pace",
            pace=f"{found.pace:.1f}",
            eta="–" if found.eta_s is None else number(language, found.eta_s),
        )
        if found.pace is not None
        else None
    )
    return paragraphs(
        desk.say(
            "broadcasts.line_card",
            light=LIGHTS[one.state],
            id=one.id,
            state=desk.word(f"broadcasts.label_{one.state}"),
            text=cut(one.content.text, WORDS_MAX) or "–",
        ),
        desk.say(
            "broadcasts.line_tally",
            recipients=number(language, one.recipients),
            sent=number(language, tally.sent),
            blocked=number(language, tally.blocked),
            failed=number(language, tally.failed),
        ),
        pace,
        desk.say("broadcasts.line_schedule", at=_at(desk, one))
        if one.state is BroadcastState.SCHEDULED
        else None,
    )


def _at(desk: Desk, one: Broadcast) -> str:
    assert one.schedule_at is not None
    zone = desk.needs.settings.zone
    return f"{day(desk.language, one.schedule_at, zone)} {time_of_day(one.schedule_at, zone)}"


def _id(of: str) -> BroadcastId:
    if not of.isascii() or not of.isdigit():
        raise BroadcastNotFound(broadcast_id=0)
    return BroadcastId(int(of))


# --- sending what was put together ----------------------------------------------------------------


def _require_confirmed(draft: Draft, wish: Wish) -> None:
    """Raises NothingPending when the draft is not what the button stood under any more."""
    if draft.digest != wish.of:
        raise NothingPending


async def _plan_send(desk: Desk, wish: Wish) -> str:
    draft = await Draft.of(desk)
    _require_confirmed(draft, wish)
    contents.check(draft.content)
    broadcasts.require_sender(desk.needs.senders)
    recipients = await segments.count(desk.needs.pool, draft.people, desk.needs.segment_sources)
    facts: dict[str, object] = {"recipients": number(desk.language, recipients)}
    if wish.act == "broadcast_schedule" and draft.starts_at is not None:
        zone = desk.needs.settings.zone
        facts["at"] = (
            f"{day(desk.language, draft.starts_at, zone)} {time_of_day(draft.starts_at, zone)}"
        )
    return paragraphs(
        *content_lines(desk, draft.content),
        segment_line(desk, draft.segment),
        desk.say(f"{wish.act}.plan", **facts),
    )


async def _send(desk: Desk, wish: Wish) -> Shown:
    """Write it down as HTTP does, and without a time for it start it in the same transaction."""
    draft = await Draft.of(desk)
    now, sources = desk.needs.clock.now(), desk.needs.segment_sources
    schedule_at = draft.starts_at if wish.act == "broadcast_schedule" else None

    async def effect(connection: Connection) -> dict[str, object]:
        # Asked in here: a press that comes again, after the draft is gone, gets its first answer.
        _require_confirmed(draft, wish)
        broadcasts.require_sender(desk.needs.senders)
        made = await broadcasts.create(
            connection,
            draft.content,
            draft.people,
            paid=False,
            schedule_at=schedule_at,
            sources=sources,
            acting=desk.acting,
            now=now,
        )
        if schedule_at is None:
            await broadcasts.start(
                connection, made.id, sources=sources, acting=desk.acting, now=now
            )
        return {"id": made.id}

    made = await once_only(desk, wish, effect)
    if draft.digest == wish.of:
        await Draft().keep(desk)
    return await _done(desk, wish, str(made["id"]))


async def _done(desk: Desk, wish: Wish, of: str) -> Shown:
    shown = await card(desk, of)
    return Shown(paragraphs(desk.say(f"{wish.act}.done"), shown.html), shown.rows)


# --- steering -------------------------------------------------------------------------------------


async def _plan_start(desk: Desk, wish: Wish) -> str:
    one = await progress.found(desk.needs.pool, _id(wish.of))
    return paragraphs(
        *content_lines(desk, one.content),
        segment_line(desk, one.segment.criteria),
        await _plan_move(desk, wish),
    )


async def _plan_move(desk: Desk, wish: Wish) -> str:
    one = await progress.found(desk.needs.pool, _id(wish.of))
    return desk.say(f"{wish.act}.plan", id=one.id, recipients=number(desk.language, one.recipients))


async def _start(desk: Desk, wish: Wish) -> Shown:
    broadcasts.require_sender(desk.needs.senders)

    async def effect(connection: Connection) -> None:
        await broadcasts.start(
            connection,
            _id(wish.of),
            sources=desk.needs.segment_sources,
            acting=desk.acting,
            now=desk.needs.clock.now(),
        )

    await once_only(desk, wish, effect)
    return await _done(desk, wish, wish.of)


async def _move(desk: Desk, wish: Wish) -> Shown:
    verb = cast("broadcasts.Verb", wish.act.removeprefix("broadcast_"))

    async def effect(connection: Connection) -> None:
        await broadcasts.move(
            connection, _id(wish.of), verb, acting=desk.acting, now=desk.needs.clock.now()
        )

    await once_only(desk, wish, effect)
    return await _done(desk, wish, wish.of)


SCREENS: Final = {
    "broadcasts": Screen(Role.ADMIN, every),
    "broadcast": Screen(Role.ADMIN, card),
}
ACTS: Final = {
    "broadcast_send": Act(Role.ADMIN, _plan_send, _send),
    "broadcast_schedule": Act(Role.ADMIN, _plan_send, _send),
    "broadcast_start": Act(Role.ADMIN, _plan_start, _start),
    "broadcast_pause": Act(Role.ADMIN, _plan_move, _move),
    "broadcast_resume": Act(Role.ADMIN, _plan_move, _move),
    "broadcast_cancel": Act(Role.ADMIN, _plan_move, _move),
}
COMMANDS: Final = {"broadcast": "broadcasts"}
