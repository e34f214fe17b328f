"""One life: calls made on the services and on the model, whose ends must be the same."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from hamyon.kit.ids import new_id
from hamyon.payments.types import Charge, ChargeState
from tests.payments.life import rows
from tests.payments.life.books import HOUSES, PEOPLE, Payment, Terms, View
from tests.payments.life.calls import Call, GrantDue, Outcome, Tell, perform
from tests.payments.life.choices import payment_id
from tests.payments.life.session import Session, begin
from tests.payments.model import Model


class Life:
    """People of its own, in a database shared by all lives. ``calls``: all that happened;
    ``ids``: payments' ids by the model's names. ``wanted_at_once``: so many of the next calls are
    gathered, to be made at the same moment."""

    def __init__(self, session: Session, terms: Terms) -> None:
        self.session = session
        self.number = next(session.lives)
        self.keys = itertools.count(1)
        self.calls: list[Call] = []
        self.ids: dict[str, UUID] = {}
        self.gathered: list[Call] = []
        self.wanted_at_once = 0
        self.began = session.run(session.pool.fetchval("SELECT clock_timestamp()"))
        self.model = Model(terms)
        self.shop = session.run(begin(session.pool, self.model, self.number * 10))
        self.model.begin()

    def end(self) -> None:
        """What must be true of a whole life."""
        assert "held" not in {bonus.state for bonus in self.model.bonuses.values()}
        for vendor in self.shop.gateways.values():
            assert set(vendor.sent().values()) <= {1}, "a refund was sent twice"
        findings = self.session.run(self.session.audit(self.began))
        assert not findings, findings
        self.session.outcomes.update(notable(self.model))
        self.session.run(rows.age(self.session.pool, self._people(), self.began))

    def call(self, call: Call) -> None:
        self.calls.append(call)
        if self.wanted_at_once and not call.alone:
            self.gathered.append(call)
            if len(self.gathered) == self.wanted_at_once:
                self.flush()
        else:
            self.flush()
            self._alone(call)

    def flush(self) -> None:
        gathered, self.gathered, self.wanted_at_once = self.gathered, [], 0
        if gathered:
            self.at_once(gathered)

    def _alone(self, call: Call) -> None:
        answers: list[tuple[str, Any]] = []
        for vendor in self.shop.gateways.values():
            vendor.answers = answers
        actual = self.session.run(perform(self.shop, call))
        remaining = iter(answers)
        expected = self.model.apply(call, actual.made, lambda name: _next(remaining, name))
        assert actual == expected, (call, actual, expected)
        assert list(remaining) == [], "the vendor was asked for nothing"
        self._count(call, actual)

    def at_once(self, calls: Sequence[Call]) -> None:
        """The end must be as if they had come one after the other, in some order."""
        is_swept = any(isinstance(call, GrantDue) for call in calls)
        outcomes = self.session.run(self._gather(calls, is_swept=is_swept))
        seen = self.view()
        for order in itertools.permutations(range(len(calls))):
            model = copy.deepcopy(self.model)
            expected = {n: model.apply(calls[n], outcomes[n].made, _nobody) for n in order}
            if is_swept:
                model.apply(GrantDue(), None, _nobody)
            if [expected[n] for n in range(len(calls))] == outcomes and model.view() == seen:
                self.model = model
                self.session.outcomes["at once"] += len(calls)
                for call, outcome in zip(calls, outcomes, strict=True):
                    self._count(call, outcome)
                return
        raise AssertionError((calls, outcomes, seen, self.model.view()))

    async def _gather(self, calls: Sequence[Call], *, is_swept: bool) -> list[Outcome]:
        made = asyncio.gather(*(perform(self.shop, c) for c in calls), return_exceptions=True)
        outcomes = []
        for outcome in await made:
            if isinstance(outcome, BaseException):
                raise outcome
            outcomes.append(outcome)
        if is_swept:
            # A bonus that another one held was passed by; the next sweep finds it.
            await perform(self.shop, GrantDue())
        return outcomes

    def _count(self, call: Call, outcome: Outcome) -> None:
        name = type(call).__name__
        if isinstance(call, Tell):
            name = f"Tell {type(call.fact).__name__}"
        self.session.outcomes[f"{name} {outcome.name}"] += 1

    def view(self) -> View:
        vendors = self.shop.gateways.values()
        subjects = {name for vendor in vendors for name in vendor.charges}
        subjects |= {made.external_id for vendor in vendors for made in vendor.refunds.values()}
        seen, self.ids = self.session.run(rows.view(self.session.pool, self._people(), subjects))
        return seen

    def charge(
        self, name: str, payment: Payment, how: str, pick: int, state: ChargeState
    ) -> Charge:
        """What a vendor may say of a payment; ``how`` names what is wrong with it."""
        reference, currency = payment.invoice or name, HOUSES[payment.gateway].currency
        charge_id = payment.charge or f"{payment.gateway}-{reference}"
        price = payment.paid or payment.price
        others = [*self.model.payments, str(new_id())]
        return Charge(
            external_id=f"{charge_id}-{pick % 2}" if how.startswith("again") else charge_id,
            state=state,
            amount_minor={
                "more": price + 1 + pick % 20,
                "less": max(price - 1 - pick % 20, 1),
                "again less": max(price - 1 - pick % 20, 1),
                "a trifle": 1,
            }.get(how, price),
            currency="USD" if how.endswith("other money") else currency,
            at=self.shop.clock.now(),
            payment_id={
                "for nothing": None,
                "for another": payment_id(others[pick % len(others)].partition("/")[0]),
            }.get(how, payment_id(reference)),
        )

    def _people(self) -> list[int]:
        return [self.shop.first_id + who for who in range(PEOPLE)]

    def key(self) -> str:
        return f"life:{self.number}:{next(self.keys)}"


def notable(model: Model) -> dict[str, int]:
    """How often a life came to what is rare and matters."""
    payments, refunds = model.payments.values(), model.refunds.values()
    took = [part for refund in refunds for part in refund.took]
    percent_used = [name for name in model.bonuses if name.endswith("promo_percent")]
    return {
        "refund made a debt": sum(refund.debt > 0 for refund in refunds),
        "refund with a debt undone": sum(
            refund.debt > 0 and refund.state == "failed" for refund in refunds
        ),
        "debt paid off": model.debts_paid,
        "bonus taken back": len(took),
        "bonus taken back with a debt": sum((debt or 0) > 0 for _, _, debt in took),
        "bonus taken back on paper": sum(debt is None for _, _, debt in took),
        "bonus cut by the cap": model.bonuses_cut,
        "percentage used": len(percent_used),
        "discount used": sum(name is not None for name in model.discounts.values()),
        "invoice paid again": sum(p.invoice is not None and p.paid is not None for p in payments),
        "taken ahead of the refunds": sum(
            p.taken > (p.granted or 0) * p.refunded // (p.paid or 1) for p in payments
        ),
    }


def _next(answers: Any, name: str) -> Any:
    call, answer = next(answers)
    assert call == name
    return answer


def _nobody(name: str) -> Any:
    raise AssertionError(f"no vendor is asked here: {name}")
