"""``/v3/refunds``: create, look at, list; and ``/v3/me``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aiohttp import web

from sandbox.faults import Fault
from sandbox.yookassa.checks import check_refund
from sandbox.yookassa.door import authorize, perform
from sandbox.yookassa.envelope import RefusedError, invalid, json_response
from sandbox.yookassa.lists import Query, page, read_query
from sandbox.yookassa.objects import Cancellation, Refund, Status
from sandbox.yookassa.payments import no_such_payment
from sandbox.yookassa.state import State
from sandbox.yookassa.timeline import Timeline

REFUND_STATES = (Status.PENDING, Status.SUCCEEDED, Status.CANCELED)
_OF_THE_VENDOR = frozenset({"insufficient_funds", "general_decline"})


@dataclass(frozen=True, slots=True)
class Refunds:
    """The handlers."""

    state: State

    async def create(self, request: web.Request, _faults: Sequence[Fault]) -> web.Response:
        """Send money back, whole or in part."""

        def act(body: dict[str, object]) -> web.Response:
            wanted = check_refund(body)
            refund = make_refund(
                self.state,
                wanted.payment_id,
                wanted.amount_minor,
                metadata=dict(wanted.metadata),
                description=wanted.description,
            )
            return json_response(refund.shown())

        return await perform(self.state, request, act)

    async def get(self, request: web.Request, _faults: Sequence[Fault]) -> web.Response:
        authorize(self.state, request)
        self.state.let_time_pass()
        refund = self.state.books.refunds.get(request.match_info["refund"])
        if refund is None:
            raise RefusedError(404, "Refund not found or forbidden", parameter="refund_id")
        return json_response(refund.shown())

    async def list(self, request: web.Request, _faults: Sequence[Fault]) -> web.Response:
        """A page, newest first."""
        authorize(self.state, request)
        self.state.let_time_pass()
        query = read_query(request.query, states=REFUND_STATES, names=("payment_id",))
        return json_response(page(self._matching(query), query.limit, Refund.shown))

    async def me(self, request: web.Request, _faults: Sequence[Fault]) -> web.Response:
        """The shop's settings."""
        authorize(self.state, request)
        if set(request.query) - {"on_behalf_of"}:
            raise invalid(next(iter(set(request.query))), "Unknown parameter")
        settings = self.state.settings
        return json_response(
            {
                "account_id": settings.shop_id,
                "status": "enabled",
                "test": True,
                "fiscalization_enabled": settings.receipt_required,
                "payment_methods": settings.payment_methods,
            }
        )

    def _matching(self, query: Query) -> Iterator[Refund]:
        timeline = self.state.books.refunds.listed(query.status)
        if query.payment_id is not None:
            payment = self.state.books.payments.get(query.payment_id)
            refunds = payment.refunds if payment is not None else []
            timeline = Timeline(r for r in refunds if query.status in {None, r.status})
        return timeline.newest_first(query.created.since_ms, query.below(query.created.until_ms))


def make_refund(
    state: State,
    payment_id: str,
    amount_minor: int,
    *,
    metadata: dict[str, str],
    description: str | None = None,
) -> Refund:
    """Refund as the settings say it ends. Raises ``RefusedError`` (404, 400)."""
    payment = state.books.payments.get(payment_id)
    if payment is None:
        raise no_such_payment()
    settings = state.settings.refunds
    ending = None
    if (reason := settings.cancel_reason) is not None:
        party = "yoo_money" if reason in _OF_THE_VENDOR else "payment_network"
        ending = Cancellation(party, reason)
    return state.books.refund(
        payment,
        amount_minor,
        state.now_ms,
        metadata=metadata,
        description=description,
        pending_s=settings.pending_s,
        ending=ending,
    )
