"""Photos, documents, films and albums, uploaded, or sent again by their file_id."""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from sandbox.telegram.bots import Bot
from sandbox.telegram.call import BotCall, Method
from sandbox.telegram.envelope import RefusedError, bad_request
from sandbox.telegram.files import KINDS, PREFIXES, File, NotAPhotoError, PhotoDimensionsError
from sandbox.telegram.messages import Outbox
from sandbox.telegram.params import Params, Upload
from sandbox.telegram.state import State
from sandbox.telegram.texts import caption

PHOTO_BYTES_MAX = 10 * 1024 * 1024
DOWNLOAD_BYTES_MAX = 20 * 1024 * 1024
ALBUM_MIN, ALBUM_MAX = 2, 10
UNKNOWN_MIME = "application/octet-stream"
ATTACH = "attach://"
NO_SUCH_FILE = "wrong file_id or the file is temporarily unavailable"
TYPE_NAMES = {
    "photo": "Photo",
    "video": "Video",
    "animation": "Animation",
    "document": "Document",
}
"""The kinds as errors name them."""
LOOKS = {
    "show_caption_above_media": "show_caption_above_media",
    "has_spoiler": "has_media_spoiler",
}
"""What may be asked of all but documents, and how a message tells of it."""
MIXED = frozenset({"photo", "video"})
"""What may stand together in one album; documents are on their own."""

Source = Upload | str
"""A file that came with the call, or what names one that is there."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file that is to be sent, with what the caller says about it."""

    kind: str
    source: Source
    given: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Media:
    """Files by URL are not fetched: every address is refused as one with nothing to send."""

    state: State
    outbox: Outbox

    def send_method(self, kind: str) -> Method:
        """sendPhoto, sendDocument, sendVideo or sendAnimation."""

        async def send(call: BotCall) -> object:
            wanted = Input(kind, _source(call.params, kind), call.params.texts)
            content = caption(self.state, wanted.given)
            outgoing = self.outbox.open(call)
            return outgoing.put(await self.content(call.bot, wanted) | content)

        return send

    async def send_media_group(self, call: BotCall) -> object:
        """Two to ten photos and videos, or documents, which are shown as one."""
        album = [input_media(call.params, one) for one in _album(call.params)]
        captions = [caption(self.state, one.given) for one in album]
        outgoing = self.outbox.open(call, count=len(album), with_markup=False)
        contents = [await self.content(call.bot, one) for one in album]
        group = {"media_group_id": str(secrets.randbelow(2**53) + 1)}
        return [
            outgoing.put(group | content | words)
            for content, words in zip(contents, captions, strict=True)
        ]

    async def content(self, bot: Bot, wanted: Input) -> dict[str, object]:
        """The part of a message that tells of a file. Raises ``RefusedError`` (400)."""
        if isinstance(wanted.source, str):
            file = _known(bot, wanted.source, wanted.kind)
        elif wanted.kind == "photo":
            file = await _photo(bot, wanted.source)
        else:
            file = _uploaded(bot, wanted, wanted.source)
        said = Params(wanted.given)
        look = {shown: True for name, shown in LOOKS.items() if said.flag(name)}
        return _shown(bot, file) | ({} if file.kind == "document" else look)


async def get_file(call: BotCall) -> object:
    """Where a file can be downloaded. Here it can be for as long as it is kept."""
    file_id = call.params.text("file_id")
    if not file_id:
        raise bad_request("file_id not specified")
    if not file_id.startswith(tuple(PREFIXES.values())):
        raise bad_request("invalid file_id")
    file = call.bot.files.find(file_id)
    if file is None:
        raise bad_request(NO_SUCH_FILE)
    if len(file.content) > DOWNLOAD_BYTES_MAX:
        raise bad_request("file is too big")
    return file.as_json() | {"file_path": file.path}


def input_media(params: Params, given: object, *, for_album: bool = True) -> Input:
    """An InputMedia. Raises ``RefusedError`` (400)."""
    if not isinstance(given, dict):
        raise _bad_media("expected an Object")
    kind, media = given.get("type"), given.get("media")
    if not isinstance(kind, str):
        raise _bad_media('Can\'t find field "type"')
    source = _named(params, media) if isinstance(media, str) and media else None
    if source is None:
        raise _bad_media("media not found")
    if kind not in KINDS:
        raise _bad_media(f'type "{kind}" is unsupported')
    if for_album and kind == "animation":
        raise _bad_media(f'type "{kind}" can\'t be used in sendMediaGroup')
    texts = {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in given.items()
        if value is not None
    }
    return Input(kind, source, texts)


def _album(params: Params) -> list[object]:
    """Raises ``RefusedError`` (400); that one is too few is documented, its code an assumption."""
    params.required("media")
    try:
        album = orjson.loads(params.text("media"))
    except orjson.JSONDecodeError as error:
        raise bad_request("can't parse media JSON object") from error
    if not isinstance(album, list):
        raise bad_request("expected an Array of InputMedia")
    if not album:
        raise bad_request("there are no messages to send")
    if len(album) > ALBUM_MAX:
        raise bad_request("too many messages to send as an album")
    if len(album) < ALBUM_MIN:
        raise bad_request("MULTI_MEDIA_TOO_SHORT")
    kinds = {one.get("type") for one in album if isinstance(one, dict)}
    if kinds & set(KINDS) and len(kinds) > 1 and not kinds <= MIXED:
        raise bad_request("can't use the media of the specified type in the album")
    return album


def _source(params: Params, kind: str) -> Source:
    """The file of a call that sends one. Raises ``RefusedError`` (400)."""
    text = params.text(kind)
    found = _named(params, text) if text else params.files.get(kind)
    if found is None:
        raise bad_request(f"there is no {kind} in the request")
    return found


def _named(params: Params, text: str) -> Source | None:
    if text.startswith(ATTACH):
        return params.files.get(text.removeprefix(ATTACH))
    return text


def _known(bot: Bot, text: str, kind: str) -> File:
    """A file that is there. Raises ``RefusedError`` (400)."""
    if text.startswith(("http://", "https://")):
        raise bad_request("wrong type of the web page content")
    file = bot.files.find(text)
    if file is None:
        raise bad_request(NO_SUCH_FILE)
    # Photos are only photos; of the others each may be sent as any, and stays what it is.
    if file.kind != kind and "photo" in {file.kind, kind}:
        raise bad_request(f"can't use file of type {TYPE_NAMES[file.kind]} as {TYPE_NAMES[kind]}")
    return file


async def _photo(bot: Bot, upload: Upload) -> File:
    """Raises ``RefusedError`` (400)."""
    _check_filled(upload)
    if len(upload.content) > PHOTO_BYTES_MAX:
        raise bad_request("file is too big")
    try:
        return (await bot.files.add_photo(upload.content))[-1]
    except PhotoDimensionsError as error:
        raise bad_request("PHOTO_INVALID_DIMENSIONS") from error
    except NotAPhotoError as error:
        raise bad_request("IMAGE_PROCESS_FAILED") from error


def _uploaded(bot: Bot, wanted: Input, upload: Upload) -> File:
    _check_filled(upload)
    said = Params(wanted.given)
    width, height = (said.integer(name, 0, 0, 10_000) for name in ("width", "height"))
    mime = upload.mime
    if mime == UNKNOWN_MIME:
        default = UNKNOWN_MIME if wanted.kind == "document" else "video/mp4"
        mime = mimetypes.guess_type(upload.name)[0] or default
    file = bot.files.add(upload.content, mime, upload.name, width, height, wanted.kind)
    file.duration_s = said.integer("duration", 0, 0, 24 * 3600)
    return file


def _check_filled(upload: Upload) -> None:
    if not upload.content:
        raise bad_request("file must be non-empty")


def _shown(bot: Bot, file: File) -> dict[str, object]:
    if file.kind == "photo":
        return {"photo": [one.as_size() for one in bot.files.photo(file)]}
    if file.kind == "animation":
        return {"animation": file.as_video(), "document": file.as_document()}
    if file.kind == "video":
        return {"video": file.as_video()}
    return {"document": file.as_document()}


def _bad_media(text: str) -> RefusedError:
    return bad_request(f"can't parse InputMedia: {text}")
