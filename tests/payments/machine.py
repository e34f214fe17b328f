"""A hypothesis state machine: random lives of four people who pay and are given money back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from hamyon.payments.types import Charge, ChargeState, RefundMade, RefundState
from tests.payments.life.books import CODES, HOUSES, INVITERS, PACKAGES, PEOPLE, Payment, Terms
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
from tests.payments.life.choices import (
    ASSETS,
    COUNT,
    HOW,
    MOODS,
    PAYER,
    PICK,
    STATES,
    TERMS,
    differing,
    pick_of,
)
from tests.payments.life.life import Life
from tests.payments.life.session import Session
from tests.payments.life.toy import Mood

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
        count=COUNT,
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
        key = self.life.key() if has_key else None
        self.life.call(Buy(who, "stars", None, asset, stars, key=key, mood=mood))

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
            key, hold = pick_of(some, pick)
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
        self._tell_charge(
            self.life.charge(name, payment, "exactly", pick, ChargeState.PAID), gateway
        )

    @rule(package=st.sampled_from([*PACKAGES]), counts=st.tuples(COUNT, COUNT))
    def pay_at_once(self, package: str, counts: tuple[int, int]) -> None:
        """Two who have one inviter pay at the same moment."""
        told = []
        for who, count in zip((2, 3), counts, strict=True):
            self.life.call(Buy(who, "yookassa", package, PACKAGES[package][0], count))
            name, payment = list(self.life.model.payments.items())[-1]
            fact = self.life.charge(name, payment, "exactly", 0, ChargeState.PAID)
            self.life.shop.gateways["yookassa"].charges[fact.external_id] = fact
            told.append(Tell("yookassa", fact))
        self.life.calls += told
        self.life.at_once(told)

    @rule(pick=PICK, how=HOW, state=STATES)
    def tell(self, pick: int, how: str, state: ChargeState) -> None:
        """Of a charge: right or wrong, early or late, in any order, as often as it comes."""
        name, payment = self._some_payment(pick)
        self._tell_charge(self.life.charge(name, payment, how, pick, state), payment.gateway)

    def _some_payment(self, pick: int) -> tuple[str, Payment]:
        """One that is awaited, if there is any; now and then any; made if there is none."""
        if not self.life.model.payments:
            self.life.call(Buy(pick % PEOPLE, "yookassa", "life_credits", "credit", 1))
        some = self.life.model.payments
        awaited = {name: payment for name, payment in some.items() if payment.paid is None}
        return pick_of(awaited if awaited and pick % 4 else some, pick)

    def _tell_charge(self, fact: Charge, gateway: str) -> None:
        self.life.shop.gateways[gateway].charges[fact.external_id] = fact
        self.life.call(Tell(gateway, fact))

    @rule(pick=PICK, part=st.integers(0, 4), is_told=st.booleans())
    def refund_there(self, pick: int, part: int, is_told: bool) -> None:
        """The vendor sends money back by itself, perhaps for a charge that we do not know yet."""
        vendor = self.life.shop.gateways[list(HOUSES)[pick % len(HOUSES)]]
        if not vendor.charges:
            return
        charge_id, charge = pick_of(vendor.charges, pick)
        left = vendor.left(charge_id)
        amount = max([charge.amount_minor, left, left // 2, left // 3, 1][part], 1)
        made = self._made_there(vendor.name, charge, amount)
        if is_told:
            self.life.call(Tell(vendor.name, made))

    def _made_there(self, gateway: str, charge: Charge, amount: int) -> RefundMade:
        vendor, now = self.life.shop.gateways[gateway], self.life.shop.clock.now()
        name, done = f"there-{self.life.key()}", RefundState.DONE
        made = RefundMade(name, charge.external_id, done, amount, charge.currency, now)
        vendor.refunds[name] = made
        return made

    @rule(who=PAYER, gateway=st.sampled_from([*HOUSES]))
    def refund_before_its_charge(self, who: int, gateway: str) -> None:
        self.life.call(Buy(who, gateway, "life_credits", "credit", 1))
        name, payment = list(self.life.model.payments.items())[-1]
        paid = self.life.charge(name, payment, "exactly", 0, ChargeState.PAID)
        self.life.shop.gateways[gateway].charges[paid.external_id] = paid
        made = self._made_there(gateway, paid, paid.amount_minor)
        for fact in (made, paid, made):
            self.life.call(Tell(gateway, fact))

    @rule(pick=PICK)
    def pay_again(self, pick: int) -> None:
        """One invoice, one more charge."""
        name, payment = self._left(pick)
        fact = self.life.charge(name, payment, "again", pick, ChargeState.PAID)
        self._tell_charge(fact, payment.gateway)

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
        name, payment = self._left(pick) if pick % 8 or not payments else pick_of(payments, pick)
        rest = (payment.paid or 1) - payment.refunded
        amounts = {"half": rest // 2, "third": rest // 3, "one": 1, "most": rest - 1}
        amount = None if part == "all" else amounts.get(part, rest + 1)
        gateway = payment.gateway if pick % 20 else list(HOUSES)[pick % len(HOUSES)]
        self.life.call(Ask(gateway, name, self.life.ids[name], amount))

    @rule(pick=PICK, part=st.sampled_from(["all", "half"]))
    def spend_and_ask(self, pick: int, part: str) -> None:
        """What was bought, and what an inviter had of it, is gone when its money goes back."""
        name, payment = self._left(pick)
        for who in {payment.who, INVITERS.get(payment.who, payment.who)}:
            there = self.life.model.purses[who, payment.asset].available
            if there:
                self.life.call(Spend(who, payment.asset, there, self.life.key()))
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

    @rule(pick=PICK, mood=MOODS)
    def ask_and_wait(self, pick: int, mood: Mood) -> None:
        """Days go by before it turns out that no money goes back; bonuses are granted meanwhile."""
        name, payment = self._left(pick)
        rest = (payment.paid or 0) - payment.refunded
        self.life.flush()
        self.life.call(Ask(payment.gateway, name, self.life.ids[name], max(rest // 2, 1)))
        refunds = self.life.model.refunds
        sending = [n for n, r in refunds.items() if (r.payment, r.state) == (name, "sending")]
        if sending:
            refund = sending[-1]
            self.pass_time(24 * 3, is_swept=True)
            self.life.call(Send(payment.gateway, refund, mood))
            self.life.call(Send(payment.gateway, refund, Mood.FAILING))

    def _left(self, pick: int) -> tuple[str, Payment]:
        """A payment of which money can go back, made if there is none."""
        payments = self.life.model.payments
        left = {n: p for n, p in payments.items() if p.paid is not None and p.paid > p.refunded}
        if not left:
            self.buy_and_pay(2, pick, "life_credits")
            self.life.flush()
            self.life.view()
            return list(self.life.model.payments.items())[-1]
        return pick_of(left, pick)

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
            name, refund = pick_of(some, pick)
            self.life.call(Send(self.life.model.payments[refund.payment].gateway, name, mood))

    @rule(pick=PICK, mood=MOODS)
    def check(self, pick: int, mood: Mood) -> None:
        watched = {name: p for name, p in self.life.model.payments.items() if p.is_watched}
        if watched:
            name, payment = pick_of(watched, pick)
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
            if isinstance(call, Buy | Send):
                call = replace(call, mood=list(Mood)[pick // 7 % len(Mood)])
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
        wrong = differing(self.life.view(), self.life.model.view())
        assert not wrong, wrong

    def teardown(self) -> None:
        if hasattr(self, "life"):
            self.life.flush()
            self.pass_time(LAST_HOURS, is_swept=True)
            self.everything_is_as_in_the_model()
            self.life.end()


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
