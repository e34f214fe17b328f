"""What an order brought, as messages; and what can be done with it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast
from uuid import UUID

from hamyon.kit.pictures import EXTENSION
from hamyon.kit.texts import Language, text
from hamyon.messages.types import (
    ALBUM_MAX,
    Button,
    File,
    FileKind,
    FileMessage,
    Keyboard,
    Outgoing,
    TextMessage,
)
from hamyon.orders.types import Job, Order, StoredOutput
from hamyon.surfaces.bot.draft import NewDraft
from hamyon.surfaces.bot.pictures.callbacks import Act, Ended, order_code

PHOTO_BYTES_MAX: Final = 10 * 1024 * 1024
PHOTO_SIDES_MAX: Final = 10_000
PHOTO_RATIO_MAX: Final = 20
DOCUMENT_BYTES_MAX: Final = 50 * 1024 * 1024
"""What Telegram takes as what (wire.md, 5.2)."""


def outputs_of(jobs: Sequence[Job]) -> list[StoredOutput]:
    """Everything that an order brought, in its order."""
    return [output for job in jobs for output in job.outputs]


def messages(
    order: Order, outputs: Sequence[StoredOutput], caption: str, links: str, rows: Keyboard
) -> list[Outgoing]:
    """First what can be looked at in the chat, with ``caption``; then the same in full quality.

    ``links`` is the text for files that no bot can upload; it is empty when there are none. The
    last message has the buttons, which an album cannot have.
    """
    photos = [
        _file(order, number, output, FileKind.PHOTO)
        for number, output in enumerate(outputs, 1)
        if _is_photo(output)
    ]
    documents = [
        _file(order, number, output, FileKind.DOCUMENT)
        for number, output in enumerate(outputs, 1)
        if output.bytes <= DOCUMENT_BYTES_MAX
    ]
    sent: list[Outgoing] = [FileMessage(group) for group in _albums(photos)]
    if links:
        sent += [FileMessage(group) for group in _albums(documents)]
        return [*_captioned(sent, caption), TextMessage(links, rows)]
    *others, last = documents
    sent += [FileMessage(group) for group in _albums(others)]
    return _captioned([*sent, FileMessage([last], buttons=rows)], caption)


def _captioned(sent: Sequence[Outgoing], caption: str) -> list[Outgoing]:
    """The caption on the first of them, if there is any."""
    if not sent:
        return [TextMessage(caption)]
    first, *rest = sent
    assert isinstance(first, FileMessage)
    return [FileMessage(first.files, caption, first.buttons), *rest]


def is_too_large(output: StoredOutput) -> bool:
    """No bot can upload it."""
    return output.bytes > DOCUMENT_BYTES_MAX


def _is_photo(output: StoredOutput) -> bool:
    longer, shorter = max(output.width, output.height), min(output.width, output.height)
    return (
        output.bytes <= PHOTO_BYTES_MAX
        and output.width + output.height <= PHOTO_SIDES_MAX
        and longer <= PHOTO_RATIO_MAX * shorter
    )


def _file(order: Order, number: int, output: StoredOutput, kind: FileKind) -> File:
    return File(
        kind=kind,
        path=output.path,
        name=f"{order.model_key}-{order.id.hex[-8:]}-{number}.{EXTENSION[output.mime]}",
        mime=output.mime,
        bytes=output.bytes,
        width=output.width,
        height=output.height,
    )


def _albums(files: Sequence[File]) -> list[Sequence[File]]:
    return [files[at : at + ALBUM_MAX] for at in range(0, len(files), ALBUM_MAX)]


def buttons(language: Language, order_id: UUID, acts: Sequence[Act]) -> list[list[Button]]:
    """What can be done next, a row each two."""
    code = order_code(order_id)
    named = {
        Act.AGAIN: "picture.button_again",
        Act.CHANGE: "picture.button_change",
        Act.REFERENCE: "picture.button_reference",
        Act.SEND: "picture.button_send",
    }
    shown = [
        Button(text(language, named[act]), data=Ended(act=act, order=code).pack()) for act in acts
    ]
    return [shown[at : at + 2] for at in range(0, len(shown), 2)]


def draft_of(order: Order, *, bot_id: int, key: str) -> NewDraft:
    """The beginning of another picture with the same wish, values and references."""
    given = cast("Mapping[str, Any]", order.input)
    deliver = order.deliver or {}
    is_here = deliver.get("chat_id") == order.user_id
    reply_to = deliver.get("reply_to_message_id") if is_here else None
    return NewDraft(
        bot_id=bot_id,
        user_id=order.user_id,
        chat_id=order.user_id,
        model_key=order.model_key,
        key=key,
        options=given["options"],
        prompt=given["prompt"],
        upload_ids=[UUID(reference["upload_id"]) for reference in given["references"]],
        prompt_message_id=reply_to if isinstance(reply_to, int) else None,
    )
