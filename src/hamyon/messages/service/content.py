"""What a broadcast says: what Telegram could not take is refused before anything is written.

Operators write plain text. It is escaped on its way out, so nothing in it is markup and no stray
``<`` can fail ten thousand sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import Final
from urllib.parse import urlsplit

from hamyon.media.types import Upload
from hamyon.messages.errors import InvalidBroadcast
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
from hamyon.messages.types.broadcast import (
    BUTTON_TEXT_MAX,
    CAPTION_MAX,
    TEXT_MAX,
    Content,
    ContentType,
    LinkButton,
    StoredFile,
)

URL_MAX: Final = 2048
_FILES: Final = {
    ContentType.TEXT: (0, 0),
    ContentType.PHOTO: (1, 1),
    ContentType.VIDEO: (1, 1),
    ContentType.ALBUM: (2, ALBUM_MAX),
}
"""How many files a message of each type has, at least and at most."""


def check(content: Content) -> None:
    """Raises InvalidBroadcast for what no message can be made of, whoever's the uploads are."""
    least, most = _FILES[content.type]
    if not least <= len(content.upload_ids) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        raise InvalidBroadcast(problem=f"a {content.type} has {wanted} upload_ids")
    if len(set(content.upload_ids)) < len(content.upload_ids):
        raise InvalidBroadcast(problem="an upload is named twice")
    is_text = content.type is ContentType.TEXT
    if is_text and not content.text.strip():
        raise InvalidBroadcast(problem="the text is empty")
    limit = TEXT_MAX if is_text else CAPTION_MAX
    if _length(content.text) > limit:
        raise InvalidBroadcast(problem=f"the text is longer than {limit} characters")
    if content.button is not None:
        _check_button(content.button, content.type)


def _check_button(button: LinkButton, kind: ContentType) -> None:
    if kind is ContentType.ALBUM:
        raise InvalidBroadcast(problem="an album carries no button")
    if not button.text.strip() or _length(button.text) > BUTTON_TEXT_MAX:
        raise InvalidBroadcast(problem=f"the button needs 1 to {BUTTON_TEXT_MAX} characters")
    if not _is_link(button.url):
        raise InvalidBroadcast(problem="the button's url is no http or https address")


def _is_link(url: str) -> bool:
    if len(url) > URL_MAX or any(one.isspace() or not one.isprintable() for one in url):
        return False
    try:
        parts = urlsplit(url)
        # A port that is none raises when it is read.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _length(text: str) -> int:
    """Telegram counts UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def files_of(content: Content, uploads: Sequence[Upload]) -> Sequence[StoredFile]:
    """The files as the broadcast keeps them. Raises InvalidBroadcast for one of another kind."""
    wanted = "video/" if content.type is ContentType.VIDEO else "image/"
    for upload in uploads:
        if not upload.mime.startswith(wanted):
            raise InvalidBroadcast(problem=f"upload {upload.id} is {upload.mime}, not {wanted}*")
    return [
        StoredFile(upload.path, upload.mime, upload.bytes, upload.width, upload.height)
        for upload in uploads
    ]


def message_of(content: Content, files: Sequence[StoredFile]) -> Outgoing:
    """The message as it is sent to everybody."""
    html = escape(content.text, quote=False)
    if not files:
        return TextMessage(html, _keyboard(content.button))
    kind = FileKind.VIDEO if content.type is ContentType.VIDEO else FileKind.PHOTO
    outgoing = [
        File(
            kind=kind,
            path=file.path,
            name=f"{number}.{file.path.rpartition('.')[2]}",
            mime=file.mime,
            bytes=file.bytes,
            width=file.width,
            height=file.height,
            ref=file.ref,
        )
        for number, file in enumerate(files, 1)
    ]
    return FileMessage(outgoing, html, _keyboard(content.button))


def _keyboard(button: LinkButton | None) -> Keyboard:
    return [[Button(button.text, url=button.url)]] if button is not None else ()


def with_refs(
    files: Sequence[StoredFile], refs: Sequence[str | None]
) -> Sequence[StoredFile] | None:
    """The files with the channel's own ids; None when it did not tell all of them."""
    if len(refs) != len(files) or None in refs:
        return None
    return [replace(file, ref=ref) for file, ref in zip(files, refs, strict=True)]
