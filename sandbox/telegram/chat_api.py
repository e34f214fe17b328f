"""What the chat page and tests do for a person, in JSON, under ``/telegram/chat/{user_id}/``.

* ``GET state?version=&memory=&wait_s=``: what is new since a version that an earlier answer told
  with its ``memory``; waits for it, at most ``wait_s``. ``is_whole`` says that it is all there is
* ``POST text {text, reply_to?}``, ``start {payload?}``, ``press {message_id, data}``,
  ``pay {message_id}``, ``app {url}`` (a Mini App, opened as this person), ``block``, ``unblock``
* ``POST photo``, ``document``: multipart with ``file`` (photos: several are an album),
  ``caption``, ``reply_to``
* ``POST person {first_name?, last_name?, username?, language_code?}``
* ``GET /telegram/chat/file/{file_id}``: the bytes

``?token=`` chooses the bot; the first one is asked otherwise. What cannot be done is answered
with ``{error}``, a sentence.
"""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from sandbox.telegram.bots import Bot
from sandbox.telegram.chat_view import ChatView
from sandbox.telegram.chats import Chat
from sandbox.telegram.envelope import json_response
from sandbox.telegram.identity import PersonPatch, change_person
from sandbox.telegram.people import NotPossibleError, People, Upload
from sandbox.telegram.rooms import CHAT_ID_LIMIT
from sandbox.telegram.state import Person, State

WAIT_S_MAX = 50.0
UNKNOWN_MIME = "application/octet-stream"
SHOWN_INLINE = frozenset(
    {"image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "video/webm"}
)
FILE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, max-age=86400, immutable",
}


class _Act(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Text(_Act):
    text: str
    reply_to: int | None = None


class _Start(_Act):
    payload: str = ""


class _Press(_Act):
    message_id: int
    data: str


class _Pay(_Act):
    message_id: int


class _App(_Act):
    url: str


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a request sits: one person's side of the chat with one bot."""

    bot: Bot
    person: Person
    request: web.Request

    @property
    def chat(self) -> Chat:
        return self.bot.chat(self.person.id)


Act = Callable[[Seat], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class ChatApi:
    """The handlers. As the pages to pay on, they are open to whoever reaches the sandbox."""

    state: State
    people: People
    view: ChatView
    _started_as: str = field(default_factory=lambda: secrets.token_hex(4))

    def mount(self, app: web.Application) -> None:
        """Add the routes."""
        acts: dict[str, Act] = {
            "text": self.text,
            "start": self.start,
            "photo": self.photo,
            "document": self.document,
            "press": self.press,
            "pay": self.pay,
            "app": self.app,
            "block": self.block,
            "unblock": self.unblock,
            "person": self.person,
        }
        app.router.add_get("/telegram/chat/file/{file_id}", self.file)
        path = "/telegram/chat/{user_id:[1-9][0-9]{0,15}}"
        app.router.add_get(f"{path}/state", self._seated(self.show))
        for name, act in acts.items():
            app.router.add_post(f"{path}/{name}", self._seated(act))

    async def show(self, seat: Seat) -> object:
        """The chat as the person sees it, or what has changed in it."""
        query = seat.request.query
        try:
            version = int(query.get("version", "0"))
            wait_s = min(WAIT_S_MAX, max(0.0, float(query.get("wait_s", "0"))))
        except ValueError as error:
            raise NotPossibleError("version and wait_s are numbers.") from error
        memory, chat = self._memory(seat), seat.chat
        # A test may leave the memory out; then version 0 is a screen that shows nothing yet.
        known = query.get("memory", memory if version else "")
        if known == memory and version <= chat.version:
            await chat.wait_changed(version, wait_s)
            # The sandbox may have been reset meanwhile, and the chat be another one.
            seat = self._seat(seat.request)
            if seat.chat is chat:
                told = self.view.since(seat.bot, seat.person, version)
                return told | {"memory": memory}
        return self.view.whole(seat.bot, seat.person) | {"memory": self._memory(seat)}

    async def text(self, seat: Seat) -> object:
        told = _Text.model_validate_json(await seat.request.read())
        message = self.people.say(seat.bot, seat.person, told.text, told.reply_to)
        return {"message_id": message["message_id"]}

    async def start(self, seat: Seat) -> object:
        told = _Start.model_validate_json(await seat.request.read() or b"{}")
        message = self.people.start(seat.bot, seat.person, told.payload)
        return {"message_id": message["message_id"]}

    async def photo(self, seat: Seat) -> object:
        uploads, caption, reply_to = await _uploads(seat.request)
        contents = [one.content for one in uploads]
        sent = await self.people.send_photos(seat.bot, seat.person, contents, caption, reply_to)
        return {"message_ids": [message["message_id"] for message in sent]}

    async def document(self, seat: Seat) -> object:
        """One message a file; the caption goes with the first."""
        uploads, caption, reply_to = await _uploads(seat.request)
        sent: list[Mapping[str, object]] = []
        for upload in uploads:
            words = "" if sent else caption
            sent.append(self.people.send_document(seat.bot, seat.person, upload, words, reply_to))
        return {"message_ids": [message["message_id"] for message in sent]}

    async def press(self, seat: Seat) -> object:
        told = _Press.model_validate_json(await seat.request.read())
        pressed = self.people.press(seat.bot, seat.person, told.message_id, told.data)
        return {"query_id": pressed}

    async def pay(self, seat: Seat) -> object:
        told = _Pay.model_validate_json(await seat.request.read())
        charge = await self.people.pay(seat.bot, seat.person, told.message_id)
        return {"charge_id": charge.id}

    async def app(self, seat: Seat) -> object:
        told = _App.model_validate_json(await seat.request.read())
        return {"url": self.people.open_app(seat.bot, seat.person, told.url)}

    async def block(self, seat: Seat) -> object:
        self.people.block(seat.bot, seat.person)
        return {}

    async def unblock(self, seat: Seat) -> object:
        self.people.unblock(seat.bot, seat.person)
        return {}

    async def person(self, seat: Seat) -> object:
        """Change who the person is, for every bot."""
        patch = PersonPatch.model_validate_json(await seat.request.read())
        return change_person(self.state, seat.person, patch)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file of the chat; what a browser could run is only ever downloaded."""
        try:
            file = self._bot(request).files.find(request.match_info["file_id"])
        except NotPossibleError as error:
            return json_response({"error": str(error)}, 404)
        if file is None:
            return json_response({"error": "There is no such file."}, 404)
        headers = dict(FILE_HEADERS)
        if file.mime not in SHOWN_INLINE:
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file.name)}"
        kind = file.mime if file.mime in SHOWN_INLINE else UNKNOWN_MIME
        return web.Response(body=file.content, content_type=kind, headers=headers)

    def _seated(self, act: Act) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler of a route: what cannot be done is told in a sentence."""

        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                return json_response(await act(self._seat(request)))
            except ValidationError as error:
                return json_response({"error": _sentence(error)}, 400)
            except NotPossibleError as error:
                return json_response({"error": str(error)}, 400)
            except web.HTTPRequestEntityTooLarge:
                return json_response({"error": "That is too much at once."}, 413)

        return handler

    def _seat(self, request: web.Request) -> Seat:
        bot, user_id = self._bot(request), int(request.match_info["user_id"])
        if user_id >= CHAT_ID_LIMIT:
            raise NotPossibleError("There is no such person.")
        return Seat(bot, self.state.person(user_id), request)

    def _bot(self, request: web.Request) -> Bot:
        token = request.query.get("token")
        bots = self.state.bots
        bot = next(iter(bots.values())) if token is None else bots.get(token)
        if bot is None:
            raise NotPossibleError("There is no such bot.")
        return bot

    def _memory(self, seat: Seat) -> str:
        """Another one after a new start, a reset or new bots, when versions begin again."""
        return f"{self._started_as}-{self.state.stats.epoch}-{id(seat.bot):x}"


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong with a body."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}." if where else f"{first['msg']}."


async def _uploads(request: web.Request) -> tuple[list[Upload], str, int | None]:
    """The files of a form, its caption and what it replies to."""
    form = await request.post()
    uploads = []
    for field_ in form.getall("file", []):
        if not isinstance(field_, web.FileField):
            raise NotPossibleError("Send the files as files.")
        name = field_.filename or "file"
        mime = field_.content_type or mimetypes.guess_type(name)[0] or UNKNOWN_MIME
        uploads.append(Upload(field_.file.read(), name, mime))
    if not uploads:
        raise NotPossibleError("There is no file to send.")
    caption, reply_to = str(form.get("caption", "")), str(form.get("reply_to", ""))
    if reply_to and not (reply_to.isascii() and reply_to.isdecimal()):
        raise NotPossibleError("reply_to is the number of a message.")
    return uploads, caption, int(reply_to) if reply_to else None
