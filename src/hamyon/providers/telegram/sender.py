"""Messages to people through a bot.

A message of files may take more than one call: an album holds ten, photos that Telegram would not
take go as documents, and documents go with documents only. The parts are decided before the first
call, so a refusal there has sent nothing. A later part that Telegram asks to wait with is waited
for; when it stays unclear, so is the whole message, and whoever sends it again sends its first
part again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from hamyon.kit.storage import NoSuchFile, Storage, StorageFailed, UnsafePath
from hamyon.messages.types import (
    Edit,
    FileMessage,
    Gone,
    Keyboard,
    Moved,
    Outgoing,
    Refused,
    Removal,
    SendOutcome,
    Sent,
    Target,
    TextMessage,
    Unclear,
    Wait,
)
from hamyon.providers.telegram.api import Answered, Attachment, BotApi, BotOutcome, BotRefused
from hamyon.providers.telegram.outcomes import (
    is_about_photo,
    is_about_ref,
    is_in_vain,
    is_without_thread,
    meaning,
    ref_of,
)
from hamyon.providers.telegram.parts import (
    UPLOAD_BYTES_MAX,
    Item,
    as_documents,
    described,
    is_oversized,
    planned,
    without_refs,
)

CHANNEL: Final = "telegram"
UPLOADS_MAX: Final = 8
"""So many messages are uploaded at a time: their files are held in memory."""
UPLOAD_TURN_S: Final = 60.0
STORAGE_WAIT_S: Final = 5.0
LATER_PART_TRIES: Final = 3
LATER_PART_WAIT_MAX_S: Final = 20.0
TOO_LARGE: Final = "too large"
"""Why a file that no bot can upload is refused: a link to it can be sent instead."""


class TelegramSender:
    """One bot; the files are in ``storage``."""

    def __init__(self, api: BotApi, storage: Storage) -> None:
        self._api = api
        self._storage = storage
        self._turns = asyncio.Semaphore(UPLOADS_MAX)

    @property
    def channel(self) -> str:
        """Its name in our tables."""
        return CHANNEL

    async def send(self, target: Target, message: Outgoing, *, paid: bool = False) -> SendOutcome:
        """Send once. A file of over 50 MB that Telegram has no id of is refused as too large."""
        match message:
            case TextMessage():
                return await self._text(target, message, paid=paid)
            case FileMessage():
                return await self._files(target, message, paid=paid)
            case Edit():
                words = _words("text", message.html) | {"message_id": message.message_id}
                return await self._change("editMessageText", target, message, words)
            case Removal():
                which = {"message_id": message.message_id}
                return await self._change("deleteMessage", target, message, which)

    async def _text(self, target: Target, message: TextMessage, *, paid: bool) -> SendOutcome:
        params = _head(target, paid=paid) | _words("text", message.html)
        outcome = await self._call(
            "sendMessage", params | {"reply_markup": _markup(message.buttons)}
        )
        if isinstance(outcome, Answered):
            return Sent(_ids(outcome.result))
        return meaning(outcome)

    async def _change(
        self, method: str, target: Target, message: Edit | Removal, words: Mapping[str, object]
    ) -> SendOutcome:
        params: dict[str, object] = {"chat_id": target.chat_id, **words}
        if isinstance(message, Edit):
            params["reply_markup"] = _markup(message.buttons)
        outcome = await self._api.call(method, params)
        if isinstance(outcome, BotRefused) and is_in_vain(outcome, message):
            return Sent()
        return Sent() if isinstance(outcome, Answered) else meaning(outcome)

    # --- files ------------------------------------------------------------------------------------

    async def _files(self, target: Target, message: FileMessage, *, paid: bool) -> SendOutcome:
        if any(is_oversized(file) for file in message.files):
            return Refused(TOO_LARGE)
        left = planned([Item(number, file) for number, file in enumerate(message.files)])
        ids: list[int] = []
        refs: list[str | None] = [None] * len(message.files)
        caption, is_first = message.caption_html, True
        while left:
            part = left.pop(0)
            params = _head(target, paid=paid)
            if message.buttons and not left:
                params["reply_markup"] = _markup(message.buttons)
            outcome = await self._part(params, part, caption, is_first=is_first)
            if isinstance(outcome, BotRefused):
                milder = _milder(part, outcome)
                if milder is None:
                    return _broken_off(meaning(outcome), is_first=is_first)
                left = planned(milder) + left
            elif isinstance(outcome, Sent):
                ids += outcome.message_ids
                for item, ref in zip(part, outcome.refs, strict=True):
                    refs[item.number] = ref
                caption, is_first = "", False
            else:
                return _broken_off(outcome, is_first=is_first)
        return Sent(tuple(ids), tuple(refs))

    async def _part(
        self, params: Mapping[str, object], part: Sequence[Item], caption: str, *, is_first: bool
    ) -> SendOutcome | BotRefused:
        """One call; a part behind the first is tried some times when it surely did not arrive.

        A refusal is given as it is, for whoever knows a milder way.
        """
        tries = 1 if is_first else LATER_PART_TRIES
        while True:
            tries -= 1
            outcome = await self._upload(params, part, caption)
            if isinstance(outcome, BotRefused) and isinstance(meaning(outcome), Wait):
                outcome = meaning(outcome)
            if not isinstance(outcome, Wait) or tries == 0:
                return outcome
            if outcome.retry_after_s > LATER_PART_WAIT_MAX_S:
                return outcome
            await asyncio.sleep(outcome.retry_after_s)

    async def _upload(
        self, params: Mapping[str, object], part: Sequence[Item], caption: str
    ) -> SendOutcome | BotRefused:
        if all(item.file.ref is not None for item in part):
            return await self._call_part(params, part, caption, {})
        try:
            async with asyncio.timeout(UPLOAD_TURN_S):
                await self._turns.acquire()
        except TimeoutError:
            return Wait(STORAGE_WAIT_S, is_ours=True)
        try:
            files = await self._contents(part)
            if not isinstance(files, dict):
                return files
            return await self._call_part(params, part, caption, files)
        finally:
            self._turns.release()

    async def _contents(self, part: Sequence[Item]) -> dict[str, Attachment] | Refused | Wait:
        """The files that must be uploaded, by the names under which the call speaks of them."""
        files: dict[str, Attachment] = {}
        try:
            for item in part:
                if item.file.ref is None:
                    content = await self._storage.get(item.file.path)
                    files[item.field] = Attachment(item.file.name, item.file.mime, content)
        except (NoSuchFile, UnsafePath) as failure:
            return Refused(f"no such file: {failure}")
        except StorageFailed:
            return Wait(STORAGE_WAIT_S, is_ours=True)
        # What was said of a file's size may be less than its size.
        if sum(len(file.content) for file in files.values()) > UPLOAD_BYTES_MAX:
            return Refused(TOO_LARGE)
        return files

    async def _call_part(
        self,
        params: Mapping[str, object],
        part: Sequence[Item],
        caption: str,
        files: Mapping[str, Attachment],
    ) -> SendOutcome | BotRefused:
        method, content = described(part, caption)
        outcome = await self._call(method, {**params, **content}, files)
        if isinstance(outcome, BotRefused):
            return outcome
        if not isinstance(outcome, Answered):
            return meaning(outcome)
        messages = outcome.result if isinstance(outcome.result, list) else [outcome.result]
        told = [one if isinstance(one, Mapping) else {} for one in messages]
        refs = [ref_of(one) for one in told]
        # It has arrived, whatever the answer leaves out.
        refs = (refs + [None] * len(part))[: len(part)]
        return Sent(tuple(number for one in told for number in _ids(one)), tuple(refs))

    async def _call(
        self,
        method: str,
        params: Mapping[str, object],
        files: Mapping[str, Attachment] | None = None,
    ) -> BotOutcome:
        """Call; when the topic is not there, once more without it."""
        outcome = await self._api.call(method, params, files=files)
        has_thread = params.get("message_thread_id") is not None
        if has_thread and isinstance(outcome, BotRefused) and is_without_thread(outcome):
            everywhere = {**params, "message_thread_id": None}
            outcome = await self._api.call(method, everywhere, files=files)
        return outcome


def _milder(part: Sequence[Item], refusal: BotRefused) -> list[Item] | None:
    """The part as Telegram may take it after this refusal; None when there is no other way."""
    if is_about_photo(refusal) and any(item.is_photo for item in part):
        return as_documents(part)
    if is_about_ref(refusal) and any(item.file.ref is not None for item in part):
        if any(is_oversized(replace(item.file, ref=None)) for item in part):
            return None
        return without_refs(part)
    return None


def _broken_off(outcome: SendOutcome, *, is_first: bool) -> SendOutcome:
    """Behind the first part it is no longer true that nothing was sent.

    A refusal stays one nevertheless: sending the first part again and again would help nobody.
    """
    if is_first or not isinstance(outcome, Wait | Gone | Moved | Unclear):
        return outcome
    return Unclear(f"a later part: {outcome}", is_likely_there=True)


def _head(target: Target, *, paid: bool) -> dict[str, object]:
    """Where to, and how. A message that was taken back meanwhile is no reason to say nothing."""
    reply = None
    if target.reply_to is not None:
        reply = {"message_id": target.reply_to, "allow_sending_without_reply": True}
    return {
        "chat_id": target.chat_id,
        "message_thread_id": target.topic_id,
        "reply_parameters": reply,
        "allow_paid_broadcast": True if paid else None,
    }


def _words(name: str, html: str) -> dict[str, object]:
    return {name: html, "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}}


def _markup(buttons: Keyboard) -> dict[str, object] | None:
    if not buttons:
        return None
    rows = [
        [
            {"text": one.text, "url": one.url}
            if one.url is not None
            else {"text": one.text, "callback_data": one.data}
            for one in row
        ]
        for row in buttons
    ]
    return {"inline_keyboard": rows}


def _ids(message: object) -> tuple[int, ...]:
    number = message.get("message_id") if isinstance(message, Mapping) else None
    return (number,) if isinstance(number, int) else ()
