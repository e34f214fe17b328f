"""The simulated Telegram as one vendor of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from aiohttp import ClientSession, TCPConnector, web

from sandbox.counters import Stats
from sandbox.faults import Call, Fault, FaultEngine
from sandbox.gate import Gate, always
from sandbox.telegram.bots import Bot, open_bots
from sandbox.telegram.call import BotCall
from sandbox.telegram.chat_api import ChatApi
from sandbox.telegram.chat_page import ChatPage
from sandbox.telegram.chat_view import ChatView
from sandbox.telegram.control import Control
from sandbox.telegram.delivery import Delivery
from sandbox.telegram.door import VENDOR, Describe, authorize, params_of
from sandbox.telegram.downloads import Downloads
from sandbox.telegram.envelope import RefusedError, failure, struck, success, with_retry_after
from sandbox.telegram.methods import Methods
from sandbox.telegram.pages import Pages
from sandbox.telegram.params import Params
from sandbox.telegram.payments import Payments
from sandbox.telegram.people import People
from sandbox.telegram.settings import TelegramSettings
from sandbox.telegram.state import State
from sandbox.telegram.updates import Updates

RESTART = "Internal Server Error: restart"
RESET = "the sandbox was reset"
SECTIONS = ("updates", "webhooks", "limits")


class Telegram:
    """Routes, memory and background work of one simulated vendor."""

    name = VENDOR

    def __init__(self, engine: FaultEngine) -> None:
        self.state = State(Stats())
        self._engine = engine
        self._delivery = Delivery(self.state, self._reply)
        self._updates = Updates(engine, self.state, self._delivery)
        self._payments = Payments(self.state, self._updates)
        self._methods = Methods.build(self.state, self._updates, self._delivery, self._payments)

    def mount(self, app: web.Application) -> None:
        """Add the Bot API, the pages to pay on, and what only tests do."""
        pages = Pages(self.state, self._payments)
        gate = Gate(self._engine, self.state.stats, struck)
        guarded = gate.wrap(Describe(self._methods), self._call)

        async def answer(request: web.Request) -> web.StreamResponse:
            response = await guarded(request)
            is_limit = isinstance(response, web.Response) and response.status == 429
            return with_retry_after(cast("web.Response", response)) if is_limit else response

        for method in ("GET", "POST"):
            app.router.add_route(method, "/bot{token:[^/]+}/{method:[^/]+}", answer)
            app.router.add_route(method, "/bot{rest:.*}", _not_found)
        fetched = gate.wrap(always(Call(VENDOR, "download")), Downloads(self.state).download)
        app.router.add_get("/file/bot{token:[^/]+}/{path:.+}", fetched)
        app.router.add_get("/telegram/invoice/{slug}", pages.show)
        app.router.add_post("/telegram/invoice/{slug}", pages.pay)
        people = People(self.state, self._updates, self._payments)
        ChatApi(self.state, people, ChatView(people)).mount(app)
        ChatPage().mount(app)
        Control(self.state, self._payments).mount(app)

    async def start(self) -> None:
        """Open what needs a running loop."""
        self.state.open_session = ClientSession(connector=TCPConnector(limit=0))

    async def stop(self) -> None:
        """Stop all work and close connections."""
        self._forget()
        await self.state.session.close()

    def reset(self) -> None:
        """Forget bots' memories, people, invoices, counters and settings."""
        self._forget()
        self.state.settings = TelegramSettings()
        self.state.bots = open_bots(self.state.settings.bots, self.state.bots)
        self.state.stats.clear()

    def settings(self) -> dict[str, object]:
        """The settings in force."""
        return self.state.settings.model_dump(mode="json")

    def change_settings(self, patch: Mapping[str, object]) -> None:
        """Change what the patch names; new ``bots`` start from nothing.

        Raises ``pydantic.ValidationError`` and changes nothing for a bad value.
        """
        merged = self.settings() | dict(patch)
        for section in SECTIONS:
            given = patch.get(section)
            if isinstance(given, Mapping):
                now = cast("dict[str, object]", self.settings()[section])
                merged[section] = now | dict(given)
        self.state.settings = TelegramSettings.model_validate(merged)
        if "bots" in patch:
            self._forget()
            self.state.bots = open_bots(self.state.settings.bots, self.state.bots)

    def report(self, *, brief: bool) -> dict[str, object]:
        """Requests and answers of all, and each bot's counters by its id."""
        stats = self.state.stats
        return {
            "requests": dict(stats.requests),
            "answers": dict(stats.answers),
            "bots": {str(bot.id): bot.report(brief=brief) for bot in self.state.bots.values()},
        }

    async def _call(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        """A call of a method, answered in the vendor's form."""
        try:
            bot = authorize(self.state, request.match_info["token"])
            params = await params_of(request)
            call = BotCall(bot, params, request)
            return success(await self._methods.run(request.match_info["method"], call))
        except RefusedError as error:
            return error.response()

    async def _reply(self, bot: Bot, params: Params) -> None:
        await self._methods.reply(bot, params)

    def _forget(self) -> None:
        """Everything that happened, and everything that is still under way."""
        self._updates.cancel()
        for bot in self.state.bots.values():
            self._delivery.close(bot)
            bot.wake(RefusedError(500, RESTART))
            for chat in bot.chats.values():
                chat.wake()
        for checkout in self.state.checkouts.values():
            if not checkout.answer.done():
                checkout.answer.set_result(RESET)
        self.state.checkouts.clear()
        self.state.late.clear()
        self.state.invoices.clear()
        self.state.people.clear()
        self.state.groups.clear()
        self.state.taps.by_id.clear()


async def _not_found(_request: web.Request) -> web.StreamResponse:
    return failure(404, "Not Found")
