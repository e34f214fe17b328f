"""The simulated YooKassa as one vendor of the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from aiohttp import ClientSession, TCPConnector, web

from sandbox.control import for_this_machine
from sandbox.counters import Stats
from sandbox.faults import Fault, FaultEngine
from sandbox.gate import Describe, Gate, Handler
from sandbox.yookassa.books import Books
from sandbox.yookassa.cabinet import Cabinet
from sandbox.yookassa.checkout import Checkout
from sandbox.yookassa.door import describe, describe_body, describe_payment
from sandbox.yookassa.envelope import RefusedError, refusal
from sandbox.yookassa.keys import Keys
from sandbox.yookassa.notifications import VENDOR, Sender
from sandbox.yookassa.objects import Payment, Refund
from sandbox.yookassa.payments import CHECKOUT_PATH, Payments
from sandbox.yookassa.refunds import Refunds
from sandbox.yookassa.settings import YooKassaSettings
from sandbox.yookassa.state import State

TICK_S = 0.1
NOTIFICATION_COUNTS = ("sent", "answered", "failed", "lost")


class YooKassa:
    """Routes, memory and background work of one simulated vendor."""

    name = VENDOR

    def __init__(self, engine: FaultEngine) -> None:
        self.state = State(engine, Stats(), Books(self._tell))
        self._sender = Sender(self.state)
        self._clock: asyncio.Task[None] | None = None

    def mount(self, app: web.Application) -> None:
        """Add the documented endpoints, the page to pay on, and what tests need."""
        state = self.state
        payments, refunds, checkout = Payments(state), Refunds(state), Checkout(state)
        api, one = "/v3", "/v3/payments/{payment}"
        show, pay = describe_payment(state, "checkout"), describe_payment(state, "pay")
        get = describe_payment(state, "get_payment")
        capture = describe_payment(state, "capture_payment")
        cancel = describe_payment(state, "cancel_payment")
        routes: list[tuple[str, str, Describe, Handler]] = [
            ("POST", f"{api}/payments", describe_body("create_payment"), payments.create),
            ("GET", f"{api}/payments", describe("list_payments"), payments.list),
            ("GET", one, get, payments.get),
            ("POST", f"{one}/capture", capture, payments.capture),
            ("POST", f"{one}/cancel", cancel, payments.cancel),
            ("POST", f"{api}/refunds", describe_body("create_refund"), refunds.create),
            ("GET", f"{api}/refunds", describe("list_refunds"), refunds.list),
            ("GET", f"{api}/refunds/{{refund}}", describe("get_refund"), refunds.get),
            ("GET", f"{api}/me", describe("me"), refunds.me),
            ("GET", f"{CHECKOUT_PATH}/{{payment}}", show, checkout.show),
            ("POST", f"{CHECKOUT_PATH}/{{payment}}", pay, checkout.submit),
        ]
        gate = Gate(state.engine, state.stats, refusal)
        for method, path, described, handler in routes:
            app.router.add_route(method, path, gate.wrap(described, self._answering(handler)))
        cabinet = Cabinet(state)
        app.router.add_post("/yookassa/plant", for_this_machine(cabinet.plant))
        app.router.add_post("/yookassa/cabinet/refund", for_this_machine(cabinet.refund))

    async def start(self) -> None:
        """Open what needs a running loop."""
        self.state.open_session = ClientSession(connector=TCPConnector(limit=0))
        self._clock = asyncio.get_running_loop().create_task(self._tick())

    async def stop(self) -> None:
        """Stop all work and close connections."""
        if self._clock is not None:
            self._clock.cancel()
            with suppress(asyncio.CancelledError):
                await self._clock
        await self._sender.stop()
        await self.state.session.close()

    def reset(self) -> None:
        """Forget payments, keys, counters and settings."""
        self._sender.cancel()
        self.state.books = Books(self._tell)
        self.state.keys = Keys()
        self.state.settings = YooKassaSettings()
        self.state.stats.clear()

    def settings(self) -> dict[str, object]:
        """The settings in force."""
        return self.state.settings.model_dump(mode="json")

    def change_settings(self, patch: Mapping[str, object]) -> None:
        """Change what the patch names, also inside its sections; then time has passed.

        Raises ``pydantic.ValidationError`` and changes nothing for a bad value.
        """
        merged = self.settings()
        for name, value in patch.items():
            before = merged.get(name)
            if isinstance(before, dict) and isinstance(value, Mapping):
                value = before | dict(value)
            merged[name] = value
        self.state.settings = YooKassaSettings.model_validate(merged)
        self._sender.release()
        self.state.let_time_pass()

    def report(self, *, brief: bool) -> dict[str, object]:
        """The counters; ``brief`` leaves single payments out."""
        books, stats = self.state.books, self.state.stats
        report: dict[str, object] = {
            "requests": dict(stats.requests),
            "answers": dict(stats.answers),
            "payments": books.counts["created"],
            "succeeded": books.counts["succeeded"],
            "canceled": books.counts["canceled"],
            "refunds": books.counts["refunds_succeeded"],
            "refunds_created": books.counts["refunds_created"],
            "refunds_canceled": books.counts["refunds_canceled"],
            "planted": books.counts["planted"],
            "sums_minor": {
                name: books.sums_minor[name] for name in ("created", "succeeded", "refunded")
            },
            "in_memory": {
                "payments": books.payments.by_status(),
                "refunds": books.refunds.by_status(),
            },
            "key_repeats": self.state.keys.repeats,
            "repeated_metadata": books.created_by_metadata.repeated(),
            "repeated_refund_metadata": books.refunded_by_metadata.repeated(),
            "notifications": dict.fromkeys(NOTIFICATION_COUNTS, 0) | dict(stats.webhooks),
        }
        if not brief:
            report["refunded_minor"] = dict(books.refunded_minor)
        return report

    def _tell(self, event: str, item: Payment | Refund) -> None:
        self._sender.tell(event, item)

    async def _tick(self) -> None:
        """What is due happens also when nobody asks."""
        while True:
            await asyncio.sleep(TICK_S)
            self.state.let_time_pass()

    def _answering(self, handler: Handler) -> Handler:
        """The handler with the vendor's refusals turned into its answers."""

        async def answered(request: web.Request, faults: Sequence[Fault]) -> web.StreamResponse:
            try:
                response = await handler(request, faults)
            except RefusedError as error:
                return error.response()
            await self._sender.before_answer()
            return response

        return answered
