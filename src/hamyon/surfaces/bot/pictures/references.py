"""Pictures that people send, as uploads: fetched from Telegram and kept as HTTP's are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import Message

from hamyon.kit.pictures import UploadTooLarge
from hamyon.media import service as media
from hamyon.media.errors import UploadNotFound
from hamyon.media.service import FILE_BYTES_MAX
from hamyon.media.types import Upload
from hamyon.surfaces.bot.types import Needs

_TOO_BIG: Final = "file is too big"
_GONE: Final = ("wrong file_id", "temporarily unavailable", "invalid file")


@dataclass(frozen=True, slots=True)
class SentPicture:
    """A picture that lies at Telegram."""

    file_id: str
    bytes: int | None


def picture_in(message: Message) -> SentPicture | None:
    """The picture of a message in its best quality; None when there is none.

    Documents that say that they are pictures count: what they really are, the bytes will tell.
    """
    if message.photo:
        best = max(message.photo, key=lambda size: size.width * size.height)
        return SentPicture(best.file_id, best.file_size)
    document = message.document
    if document is not None and (document.mime_type or "").startswith("image/"):
        return SentPicture(document.file_id, document.file_size)
    return None


def pictures_of(message: Message) -> Sequence[SentPicture]:
    """The picture that a message brings, and the one of the message that it replies to."""
    earlier = message.reply_to_message
    found = (picture_in(message), picture_in(earlier) if earlier is not None else None)
    return [picture for picture in found if picture is not None]


async def upload(needs: Needs, bot: Bot, user_id: int, picture: SentPicture) -> Upload:
    """Fetch a picture and keep it for the person.

    Raises UploadTooLarge, PictureRefused, TooManyPixels, UploadNotFound when Telegram does not
    give it out any more, and aiogram's errors for whatever passes.
    """
    if (picture.bytes or 0) > FILE_BYTES_MAX:
        raise UploadTooLarge(limit_bytes=FILE_BYTES_MAX, file=1)
    try:
        content = await bot.download(picture.file_id)
    except TelegramBadRequest as complaint:
        if _TOO_BIG in complaint.message:
            raise UploadTooLarge(limit_bytes=FILE_BYTES_MAX, file=1) from complaint
        if any(words in complaint.message for words in _GONE):
            raise UploadNotFound(upload_id=picture.file_id) from complaint
        raise
    assert content is not None
    return (await keep(needs, user_id, [content.read()]))[0]


async def keep(needs: Needs, user_id: int, contents: Sequence[bytes]) -> Sequence[Upload]:
    """Pictures become the person's uploads. Raises as ``media.upload`` does."""
    return await media.upload(
        needs.pool, needs.storage, user_id=user_id, files=contents, now=needs.clock.now()
    )
