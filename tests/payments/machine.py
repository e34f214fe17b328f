"""A hypothesis state machine: random lives of three people who pay and are given money back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final, TypeVar
from uuid import UUID

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from hamyon.kit.ids import new_id
from hamyon.payments.types import Charge, ChargeState, PaymentId, RefundMade, RefundState
from tests.payments.life.books import CODES, HOUSES, PACKAGES, PEOPLE, Payment, Terms, View
from tests.payments.life.calls import (
    Ask,
    Buy,
    Check,
    EndHold,
    GrantDue,
    Hold,
    Redeem,
    Send,
    Spend,
    Tell,
)
from tests.payments.life.life import Life
from tests.payments.life.session import Session
from tests.payments.life.toy import Mood

WHO = st.integers(0, PEOPLE - 1)
# The last one of the chain most of all: two inviters stand behind him.
PAYER = st.sampled_from([0, 1, 2, 2, 2])
ASSETS = st.sampled_from(["credit", "credit", "credit", "token", "revival"])
MOODS = st.sampled_from([*[Mood.FINE] * 4, *Mood])
PICK = st.integers(0, 10_000)
HOW = st.sampled_from([
    *["exactly"] * 9, "more", "less", "a trifle", "in other money", "for nothing", "for another",
    "again", "again", "again", "again less", "again in other money",
])  # fmt: skip
STATES = st.sampled_from([*[ChargeState.PAID] * 5, ChargeState.PENDING, ChargeState.CANCELED])
TERMS = st.builds(
    Terms,
    percent=st.sampled_from([10, 10, 7]),
    first_only=st.sampled_from([False, False, True]),
    join_bonus=st.sampled_from([0, 15]),
    cap=st.sampled_from([0, 0, 20, 40]),
    hold_days=st.sampled_from([0, 0, 1, 3]),
    rate=st.sampled_from([(1000, 70), (10, 7), (9, 2)]),
)
V = TypeVar("V")

LAST_HOURS: Final = 24 * 30


class PaymentsMachine(RuleBasedStateMachine):
    """One life: people of its own, in a database shared by all lives."""

    life: Life

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    @initialize(terms=TERMS)
    def begin(self, terms: Terms) -> None:
        self.life = Life(self.session, terms)
        for who in range(PEOPLE):
            self.buy_and_pay(who, who, "life_credits")

    # What people do -------------------------------------------------------------------------------

    @rule(
        who=PAYER,
        package=st.sampled_from([*PACKAGES, *PACKAGES, "life_none"]),
        gateway=st.sampled_from([*HOUSES, "yookassa"]),
        count=st.integers(1, 5),
        is_discounted=st.booleans(),
        off=st.sampled_from([None, None, None, 0, 1]),
        has_key=st.booleans(),
        mood=MOODS,
    )
    def buy(
        self,
        who: int,
        package: str,
        gateway: str,
        count: int,
        is_discounted: bool,
        off: int | None,
        has_key: bool,
        mood: Mood,
    ) -> None:
        prices = PACKAGES[package][2] if package in PACKAGES else {}
        expected = prices.get(gateway, 1) * count + off if off is not None else None
        asset = PACKAGES[package][0] if package in PACKAGES else ""
        key = self.life.key() if has_key else None
        call = Buy(who, gateway, package, asset, count, is_discounted, expected, key, mood)
        self.life.call(call)

    @rule(who=PAYER, stars=st.integers(1, 61), asset=ASSETS, has_key=st.booleans(), mood=MOODS)
    def buy_stars(self, who: int, stars: int, asset: str, has_key: bool, mood: Mood) -> None:
        stars = 19 if asset == "revival" and stars % 2 else stars
        self.life.call(
            Buy(
                who,
                "stars",
                None,
                asset,
                stars,
                key=self.life.key() if has_key else None,
                mood=mood,
            )
        )

    @rule(who=PAYER, pick=PICK, part=st.integers(0, 4), is_held=st.booleans())
    def spend(self, who: int, pick: int, part: int, is_held: bool) -> None:
        """Mostly all or nearly all, so that what is refunded later is not there."""
        purses = self.life.model.purses
        full = [asset for (owner, asset), purse in purses.items() if owner == who and purse.wallet]
        asset = full[pick % len(full)] if full else "credit"
        there = purses[who, asset].available
        amount = max([there, there - 1, there // 2, 1, there + 1][part], 1)
        self.life.call((Hold if is_held else Spend)(who, asset, amount, self.life.key()))

    @rule(pick=PICK, part=st.integers(0, 2))
    def end_hold(self, pick: int, part: int) -> None:
        """All, half or nothing of it is captured; now and then of one that has ended."""
        holds = self.life.model.holds
        still = {key: hold for key, (hold, captured) in holds.items() if captured is None}
        some = still if still and pick % 5 else {key: hold for key, (hold, _) in holds.items()}
        if some:
            key, hold = _pick(some, pick)
            self.life.call(EndHold(key, [0, hold.amount // 2, hold.amount][part]))

    @rule(who=PAYER, code=st.sampled_from([*CODES]))
    def redeem(self, who: int, code: str) -> None:
        self.life.call(Redeem(who, code))

    # What vendors say -----------------------------------------------------------------------------

    @rule(who=PAYER, pick=PICK, package=st.sampled_from([*PACKAGES]))
    def buy_and_pay(self, who: int, pick: int, package: str) -> None:
        """What mostly happens."""
        asset, _, prices = PACKAGES[package]
        gateway = list(prices)[pick % len(prices)]
        self.life.call(Buy(who, gateway, package, asset, 1 + pick % 3))
        name, payment = list(self.life.model.payments.items())[-1]
        self._tell_charge(self._charge(name, payment, "exactly", pick, ChargeState.PAID), gateway)

    @rule(pick=PICK, how=HOW, state=STATES)
    def tell(self, pick: int, how: str, state: ChargeState) -> None:
        """Of a charge: right or wrong, early or late, in any order, as often as it comes."""
        name, payment = self._some_payment(pick)
        self._tell_charge(self._charge(name, payment, how, pick, state), payment.gateway)

    def _some_payment(self, pick: int) -> tuple[str, Payment]:
        """One that is awaited, if there is any; now and then any; made if there is none."""
        if not self.life.model.payments:
            self.life.call(Buy(pick % PEOPLE, "yookassa", "life_credits", "credit", 1))
        some = self.life.model.payments
        awaited = {name: payment for name, payment in some.items() if payment.paid is None}
        return _pick(awaited if awaited and pick % 4 else some, pick)

    def _charge(
        self, name: str, payment: Payment, how: str, pick: int, state: ChargeState
    ) -> Charge:
        reference, currency = payment.invoice or name, HOUSES[payment.gateway].currency
        charge_id = payment.charge or f"{payment.gateway}-{reference}"
        price = payment.paid or payment.price
        others = [*self.life.model.payments, str(new_id())]
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
            at=self.life.shop.clock.now(),
            payment_id={
                "for nothing": None,
                "for another": _uuid(others[pick % len(others)].partition("/")[0]),
            }.get(how, _uuid(reference)),
        )

    def _tell_charge(self, fact: Charge, gateway: str) -> None:
        self.life.shop.gateways[gateway].charges[fact.external_id] = fact
        self.life.call(Tell(gateway, fact))

    @rule(pick=PICK, part=st.integers(0, 4), is_told=st.booleans())
    def refund_there(self, pick: int, part: int, is_told: bool) -> None:
        """The vendor sends money back by itself, perhaps for a charge that we do not know yet."""
        vendor = self.life.shop.gateways[list(HOUSES)[pick % len(HOUSES)]]
        if not vendor.charges:
            return
        charge_id, charge = _pick(vendor.charges, pick)
        left = vendor.left(charge_id)
        amount = max([charge.amount_minor, left, left // 2, left // 3, 1][part], 1)
        made = RefundMade(
            f"there-{self.life.key()}",
            charge_id,
            RefundState.DONE,
            amount,
            charge.currency,
            self.life.shop.clock.now(),
        )
        vendor.refunds[made.external_id] = made
        if is_told:
            self.life.call(Tell(vendor.name, made))

    @rule(pick=PICK, state=st.sampled_from([RefundState.DONE, RefundState.FAILED]))
    def finish_refund(self, pick: int, state: RefundState) -> None:
        """A refund that was pending there is made, or is not; told now, or when it is asked for."""
        for vendor in self.life.shop.gateways.values():
            for key, made in vendor.refunds.items():
                if made.state is RefundState.PENDING:
                    vendor.refunds[key] = replace(made, state=state)
                    if pick % 2:
                        self.life.call(Tell(vendor.name, vendor.refunds[key]))
                    return

    @rule(pick=PICK)
    def tell_refund(self, pick: int) -> None:
        """Any refund in the vendors' books, as it stands there."""
        told = [
            Tell(vendor.name, made)
            for vendor in self.life.shop.gateways.values()
            for made in vendor.refunds.values()
        ]
        if told:
            self.life.call(told[pick % len(told)])

    # What operators and workers do ----------------------------------------------------------------

    @rule(pick=PICK, part=st.sampled_from(["all", "all", "half", "third", "one", "most", "more"]))
    def ask(self, pick: int, part: str) -> None:
        """For money to be sent back: mostly of what was paid."""
        payments = self.life.model.payments
        name, payment = self._left(pick) if pick % 8 or not payments else _pick(payments, pick)
        rest = (payment.paid or 1) - payment.refunded
        amounts = {"half": rest // 2, "third": rest // 3, "one": 1, "most": rest - 1}
        amount = None if part == "all" else amounts.get(part, rest + 1)
        gateway = payment.gateway if pick % 20 else list(HOUSES)[pick % len(HOUSES)]
        self.life.call(Ask(gateway, name, self.life.ids[name], amount))

    @rule(pick=PICK, part=st.sampled_from(["all", "half"]))
    def spend_and_ask(self, pick: int, part: str) -> None:
        """What was bought is gone when its money goes back."""
        name, payment = self._left(pick)
        there = self.life.model.purses[payment.who, payment.asset].available
        if there:
            self.life.call(Spend(payment.who, payment.asset, there, self.life.key()))
        amount = None if part == "all" else max(((payment.paid or 0) - payment.refunded) // 2, 1)
        self.life.call(Ask(payment.gateway, name, self.life.ids[name], amount))

    @rule(pick=PICK)
    def ask_for_parts(self, pick: int) -> None:
        """Two of them, and the first is not made."""
        name, payment = self._left(pick)
        rest = (payment.paid or 0) - payment.refunded
        self.life.flush()
        for part in (max(rest // 3, 1), max(rest // 2, 1)):
            self.life.call(Ask(payment.gateway, name, self.life.ids[name], part))
        refunds = self.life.model.refunds
        asked = [n for n, r in refunds.items() if (r.payment, r.origin) == (name, "operator")]
        if asked:
            self.life.call(Send(payment.gateway, asked[-2:][0], Mood.FAILING))

    def _left(self, pick: int) -> tuple[str, Payment]:
        """A payment of which money can go back, made if there is none."""
        payments = self.life.model.payments
        left = {n: p for n, p in payments.items() if p.paid is not None and p.paid > p.refunded}
        if not left:
            self.buy_and_pay(2, pick, "life_credits")
            self.life.flush()
            self.life.view()
            return list(self.life.model.payments.items())[-1]
        return _pick(left, pick)

    @rule(pick=PICK, mood=MOODS)
    def send(self, pick: int, mood: Mood) -> None:
        """A refund that was asked for, on its way or ended."""
        refunds = self.life.model.refunds
        if all(refund.state in {"done", "failed"} for refund in refunds.values()):
            self.ask(pick, "half")
            self.life.flush()
            self.life.view()
            refunds = self.life.model.refunds
        asked = {name: r for name, r in refunds.items() if r.origin == "operator"}
        still = {name: r for name, r in asked.items() if r.state in {"sending", "pending"}}
        some = still if still and pick % 8 else asked
        if some:
            name, refund = _pick(some, pick)
            self.life.call(Send(self.life.model.payments[refund.payment].gateway, name, mood))

    @rule(pick=PICK, mood=MOODS)
    def check(self, pick: int, mood: Mood) -> None:
        watched = {name: p for name, p in self.life.model.payments.items() if p.is_watched}
        if watched:
            name, payment = _pick(watched, pick)
            self.life.call(Check(payment.gateway, name, self.life.ids[name], mood))
        else:
            gateway = list(HOUSES)[pick % len(HOUSES)]
            self.life.call(Buy(2, gateway, "life_credits", "credit", 1, mood=mood))

    @rule(hours=st.integers(1, 30), is_swept=st.booleans())
    def pass_time(self, hours: int, is_swept: bool) -> None:
        self.life.flush()
        self.life.shop.clock.hour += hours
        self.life.model.hour += hours
        if is_swept:
            self.life.call(GrantDue())

    # What may come at any moment ------------------------------------------------------------------

    @rule(pick=PICK)
    def replay(self, pick: int) -> None:
        """Anything of before once more, whatever has happened since."""
        if self.life.calls:
            call = self.life.calls[pick % len(self.life.calls)]
            if not isinstance(call, Check) or self.life.model.payments[call.payment].is_watched:
                self.life.call(call)

    @rule(pick=PICK, times=st.integers(2, 3))
    def replay_at_once(self, pick: int, times: int) -> None:
        """The same fact or wish by several connections."""
        some = [call for call in self.life.calls if not call.alone]
        if some:
            self.life.flush()
            self.life.at_once([some[pick % len(some)]] * times)

    @rule(count=st.integers(2, 3))
    def gather(self, count: int) -> None:
        """Let the next things happen at the same moment."""
        self.life.wanted_at_once = count

    # What must always hold ------------------------------------------------------------------------

    @invariant()
    def everything_is_as_in_the_model(self) -> None:
        differing = _differing(self.life.view(), self.life.model.view())
        assert not differing, differing

    def teardown(self) -> None:
        if hasattr(self, "life"):
            self.life.flush()
            self.pass_time(LAST_HOURS, is_swept=True)
            self.everything_is_as_in_the_model()
            self.life.end()


def _pick(some: dict[str, V], pick: int) -> tuple[str, V]:
    """Any of them, the newest ones more often than the others."""
    names = list(some)
    name = names[-1 - (pick // 3) % min(len(names), 2 if pick % 3 else len(names))]
    return name, some[name]


def _differing(seen: View, expected: View) -> dict[tuple[str, object], tuple[object, object]]:
    """What is otherwise than expected: both, under its kind and name."""
    return {
        (kind, name): (seen[kind].get(name), expected[kind].get(name))
        for kind in seen
        for name in {**seen[kind], **expected[kind]}
        if seen[kind].get(name) != expected[kind].get(name)
    }


def _uuid(name: str) -> PaymentId:
    return PaymentId(UUID(name))


def live(dsn: str, *, lives: int, steps: int, seed_number: int) -> Counter[str]:
    """Run the machine; returns how often every call ended in every way."""
    session = Session(dsn)
    try:

        @seed(seed_number)
        class Seeded(PaymentsMachine):
            def __init__(self) -> None:
                super().__init__(session)

        run_state_machine_as_test(
            Seeded,
            settings=settings(
                max_examples=lives,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
                print_blob=False,
            ),
        )
        assert session.run(session.audit()) == []
    finally:
        session.close()
    return session.outcomes
