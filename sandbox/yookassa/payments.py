"""``/v3/payments``: create, look at, capture, cancel, list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from sandbox.faults import Fault
from sandbox.yookassa.amounts import parse_amount
from sandbox.yookassa.checks import check_payment, check_receipt
from sandbox.yookassa.door import authorize, perform
from sandbox.yookassa.envelope import RefusedError, json_response
from sandbox.yookassa.lists import Query, page, read_query
from sandbox.yookassa.objects import Payment, Status, new_id
from sandbox.yookassa.state import State

CHECKOUT_PATH = "/yookassa/checkout"


@dataclass(frozen=True, slots=True)
class Payments:
    """The handlers."""

    state: State

    async def create(self, request: web.Request, _faults: Sequence[Fault]) -> web.Response:
        """A payment that waits for its payer for an hour."""
        origin = f"{request.scheme}://{request.host}"

        def act(body: dict[str, object]) -> web.Response:
            return json_response(self.state.shown(self._open(body, origin)))

        return await perform(self.state, request, act)

    async def get(self, request: web.Request, _faults: Sequence[Fault]) -> web.Response:
        authorize(self.state, request)
        self.state.let_time_pass()
        return json_response(self.state.shown(self._named(request)))

    async def capture(self, request: web.Request, _faults: Sequence[Fault]) -> web.Response:
        """Take held money; all of it unless an amount says otherwise."""

        def act(body: dict[str, object]) -> web.Response:
            payment = self._named(request)
            amount_minor = payment.amount_minor
            if body.get("amount") is not None:
                amount_minor = parse_amount(body["amount"])
            if body.get("receipt") is not None:
                check_receipt(body["receipt"], amount_minor)
            self.state.books.capture(payment, amount_minor, self.state.now_ms)
            return json_response(self.state.shown(payment))

        return await perform(self.state, request, act)

    async def cancel(self, request: web.Request, _faults: Sequence[Fault]) -> web.Response:
        """Give held money back."""

        def act(_body: dict[str, object]) -> web.Response:
            payment = self._named(request)
            self.state.books.give_back(payment)
            return json_response(self.state.shown(payment))

        return await perform(self.state, request, act)

    async def list(self, request: web.Request, _faults: Sequence[Fault]) -> web.Response:
        """A page, newest first."""
        authorize(self.state, request)
        self.state.let_time_pass()
        names = ("captured_at", "payment_method")
        query = read_query(request.query, states=tuple(Status), names=names)
        return json_response(page(self._matching(query), query.limit, self.state.shown))

    def _open(self, body: Mapping[str, object], origin: str) -> Payment:
        settings, books = self.state.settings, self.state.books
        wanted = check_payment(
            body, settings.payment_methods, receipt_required=settings.receipt_required
        )
        now_ms = self.state.now_ms
        payment_id = new_id(now_ms, "000f")
        payment = Payment(
            id=payment_id,
            position=(now_ms, books.next_number()),
            amount_minor=wanted.amount_minor,
            status=Status.PENDING,
            metadata=wanted.metadata,
            description=wanted.description,
            captures_itself=wanted.captures_itself,
            return_url=wanted.return_url,
            confirmation_url=f"{origin}{CHECKOUT_PATH}/{payment_id}",
            merchant_customer_id=wanted.merchant_customer_id,
            has_receipt=wanted.has_receipt,
            method=wanted.method,
            ends_ms=now_ms + settings.unpaid_s * 1000,
        )
        books.open(payment)
        return payment

    def _named(self, request: web.Request) -> Payment:
        payment = self.state.books.payments.get(request.match_info["payment"])
        if payment is None:
            raise no_such_payment()
        return payment

    def _matching(self, query: Query) -> Iterator[Payment]:
        """What is captured in a span was created not much earlier: the rest is not looked at."""
        books, captured = self.state.books, query.captured
        since, until = [query.created.since_ms], [query.created.until_ms]
        if captured.since_ms is not None:
            since.append(captured.since_ms - books.capture_delay_ms_max)
        if captured.until_ms is not None:
            until.append(captured.until_ms - books.capture_delay_ms_min)
        since_ms = max((at_ms for at_ms in since if at_ms is not None), default=None)
        until_ms = min((at_ms for at_ms in until if at_ms is not None), default=None)
        timeline = books.payments.listed(query.status)
        for payment in timeline.newest_first(since_ms, query.below(until_ms)):
            if query.payment_method not in {None, payment.method if payment.card else ""}:
                continue
            at_ms = payment.captured_ms
            if captured.is_open or (at_ms is not None and captured.has(at_ms)):
                yield payment


def no_such_payment() -> RefusedError:
    """The vendor's sentence for a payment that is not the shop's (404)."""
    return RefusedError(
        404,
        "Incorrect payment_id. Payment doesn't exist or access denied."
        " Specify the payment ID created in your store.",
        parameter="payment_id",
    )
