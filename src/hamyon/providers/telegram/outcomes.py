"""What Telegram's answers to a message mean (wire.md, 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hamyon.messages.types import (
    Edit,
    Gone,
    GoneReason,
    Moved,
    Outgoing,
    Refused,
    Removal,
    SendOutcome,
    Unclear,
    Wait,
)
from hamyon.providers.telegram.api import BotRefused, BotUnclear

FLOOD_WAIT_S: Final = 5.0
"""When Telegram says that it is too much and not for how long."""
UNREACHED_WAIT_S: Final = 2.0
"""When there was no connection."""
STRANGER_WAIT_S: Final = 60.0
"""When the token is not (or no longer) one of Telegram's: until somebody has put that right."""
_GONE: Final[tuple[tuple[str, GoneReason], ...]] = (
    ("bot was blocked by the user", "blocked"),
    ("user_is_blocked", "blocked"),
    ("bot was kicked", "blocked"),
    ("bot is not a member", "blocked"),
    ("user is deactivated", "deactivated"),
    ("input_user_deactivated", "deactivated"),
    ("can't initiate conversation", "not_found"),
    ("chat not found", "not_found"),
    ("user not found", "not_found"),
    ("peer_id_invalid", "not_found"),
)
_NOT_THERE: Final = (
    "message to edit not found",
    "message to delete not found",
    "message_id_invalid",
)
_NO_CHANGE: Final = "message is not modified"
_NO_THREAD: Final = ("message thread not found", "topic_closed", "topic_deleted")
_NO_PHOTO: Final = (
    "photo_invalid_dimensions",
    "photo_save_file_invalid",
    "image_process_failed",
    "file is too big",
    "request entity too large",
    "can't use file of type",
)
_NO_REF: Final = ("file_id", "file identifier", "file_reference", "can't use file of type")


def meaning(outcome: BotRefused | BotUnclear) -> SendOutcome:
    """What it means for a message that Telegram did not say yes."""
    if isinstance(outcome, BotUnclear):
        if not outcome.was_sent:
            return Wait(UNREACHED_WAIT_S)
        return Unclear(outcome.reason, is_likely_there=not outcome.was_answered)
    if outcome.migrate_to_chat_id is not None:
        return Moved(outcome.migrate_to_chat_id)
    if outcome.error_code == 429:
        return Wait(FLOOD_WAIT_S if outcome.retry_after_s is None else outcome.retry_after_s)
    # Both are about the token and never about the message, which can go out with the next one.
    if outcome.error_code in {401, 404}:
        return Wait(STRANGER_WAIT_S)
    reason = _gone(outcome)
    if reason is not None:
        return Gone(reason)
    return Refused(f"{outcome.error_code} {outcome.description}".strip())


def is_in_vain(outcome: BotRefused, message: Outgoing) -> bool:
    """Whether a change was refused because there is nothing to change, or not any more."""
    if not isinstance(message, Edit | Removal):
        return False
    return _says(outcome, (_NO_CHANGE, *_NOT_THERE))


def is_without_thread(outcome: BotRefused) -> bool:
    """Whether the topic is not there (any more)."""
    return _says(outcome, _NO_THREAD)


def is_about_photo(outcome: BotRefused) -> bool:
    """Whether Telegram would not take the file as a photo, and may as a document."""
    return _says(outcome, _NO_PHOTO)


def is_about_ref(outcome: BotRefused) -> bool:
    """Whether Telegram does not know a file by the id that we have of it."""
    return _says(outcome, _NO_REF)


def ref_of(message: Mapping[str, object]) -> str | None:
    """Telegram's id of a message's file: of a photo, the largest of its sizes."""
    sizes = message.get("photo")
    if isinstance(sizes, list) and sizes:
        # Telegram lists the sizes from the smallest on.
        return _file_id(sizes[-1])
    for kind in ("video", "animation", "document", "audio"):
        if kind in message:
            return _file_id(message[kind])
    return None


def _file_id(file: object) -> str | None:
    found = file.get("file_id") if isinstance(file, Mapping) else None
    return found if isinstance(found, str) else None


def _gone(outcome: BotRefused) -> GoneReason | None:
    if outcome.error_code not in {400, 403}:
        return None
    said = outcome.description.lower()
    return next((reason for words, reason in _GONE if words in said), None)


def _says(outcome: BotRefused, words: tuple[str, ...]) -> bool:
    said = outcome.description.lower()
    return any(one in said for one in words)
