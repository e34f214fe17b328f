"""Payments and their rewards in plain Python: what must come of everything, said a second time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, assert_never

from hamyon.payments.types import Charge, Declined, Opened, RefundMade, Unclear
from tests.payments.life.books import (
    DISCOUNT_PERCENT,
    HOUSES,
    KEY_HOURS,
    MISMATCH,
    PACKAGES,
    STARS_MAX,
    STARS_MIN,
    Payment,
    Refund,
    Refused,
)
from tests.payments.life.calls import (
    Ask,
    Buy,
    Call,
    Check,
    EndHold,
    GrantDue,
    Hold,
    Outcome,
    Redeem,
    Send,
    Spend,
    Tell,
)
from tests.payments.life.rewards import Rewards

UNCLEAR: Final = "payment_unclear"
Answers = Callable[[str], Any]
"""What the vendor answered to the next call, which must be of this name."""


@dataclass(slots=True)
class Model(Rewards):
    """Applies calls to its books."""

    def apply(self, call: Call, made: str | None, answers: Answers) -> Outcome:
        """What must come of a call. ``made``: the id that the services gave to what they made."""
        try:
            return self._apply(call, made, answers)
        except Refused as refused:
            return Outcome(str(refused), made if "payment" in str(refused) else None)

    def _apply(self, call: Call, made: str | None, answers: Answers) -> Outcome:
        match call:
            case Buy():
                self._buy(call, made, answers)
                return Outcome("ok", made)
            case Tell(gateway, Charge() as fact):
                return Outcome(self._charge(gateway, fact))
            case Tell(gateway, RefundMade() as fact):
                return Outcome(self._refund(gateway, fact))
            case Ask():
                self._ask(call, made)
                return Outcome("ok", made)
            case Send():
                return Outcome(self._send(call, answers))
            case Check():
                return Outcome(self._check(call, answers))
            case Redeem(who, code):
                self.redeem(who, code)
            case Spend():
                self.spend(call)
            case Hold():
                self.hold(call)
            case EndHold():
                self.end_hold(call)
            case GrantDue():
                self.grant_due()
            case _:
                assert_never(call)  # type: ignore[arg-type]  # a fact is one of the two
        return Outcome("ok")

    # --- buying -----------------------------------------------------------------------------------

    def _buy(self, call: Buy, made: str | None, answers: Answers) -> None:
        known = self.kept.get((call.who, call.key)) if call.key is not None else None
        if known is not None:
            if known[0] != call.wish:
                raise Refused(MISMATCH)
            assert made == known[1]
        else:
            payment = self._frozen(call)
            assert made is not None
            assert made not in self.payments
            self.payments[made] = payment
            if call.key is not None:
                self.kept[call.who, call.key] = call.wish, made
        assert made is not None
        payment = self.payments[made]
        if not payment.is_open:
            if payment.state == "canceled" or self.hour - payment.hour > KEY_HOURS:
                raise Refused("payment_declined")
            answer = answers("open")
            self._open(payment, answer)
            if isinstance(answer, Declined):
                raise Refused("payment_declined")

    def _frozen(self, call: Buy) -> Payment:
        rate = None
        if call.package is not None or call.asset != "credit":
            asset, amount, price = self._package(call)
        else:
            if not STARS_MIN <= call.count <= STARS_MAX:
                raise Refused("stars_out_of_range")
            rate = self.terms.rate
            asset, amount, price = "credit", call.count * rate[0] // rate[1], call.count
        is_discounted = call.is_discounted and self.discounts.get(call.who, "none") is None
        if is_discounted:
            price = max(price * (100 - DISCOUNT_PERCENT) // 100, 1)
        if call.expected not in {None, price}:
            raise Refused("price_mismatch")
        return Payment(call.who, call.gateway, price, asset, amount, rate, self.hour, is_discounted)

    def _package(self, call: Buy) -> tuple[str, int, int]:
        """What a purchase brings, and its price."""
        if call.package is None:
            found = [
                (asset, amount, call.count)
                for asset, amount, prices in PACKAGES.values()
                if asset == call.asset and prices.get(call.gateway) == call.count
            ]
            if not found:
                raise Refused("package_not_found")
            return found[0]
        asset, amount, prices = PACKAGES.get(call.package, ("", 0, {}))
        if call.gateway not in prices:
            raise Refused("package_not_found")
        return asset, amount * call.count, prices[call.gateway] * call.count

    def _open(self, payment: Payment, answer: object) -> None:
        match answer:
            case Opened() if payment.state != "canceled":
                payment.is_open = True
                payment.charge = payment.charge or answer.external_id
                if payment.state == "created" and payment.charge is not None:
                    payment.state = "pending"
                payment.is_watched = payment.paid is None and answer.external_id is not None
            case Declined() if payment.paid is None:
                payment.state, payment.is_watched = "canceled", False
            case Unclear():
                raise Refused(UNCLEAR)
            case _:
                pass

    def _check(self, call: Check, answers: Answers) -> str:
        payment = self.payments[call.payment]
        if payment.charge is not None:
            facts = answers("truth")
            if isinstance(facts, Unclear):
                raise Refused(UNCLEAR)
            for fact in facts:
                if isinstance(fact, Charge):
                    self._charge(call.gateway, fact)
                else:
                    self._refund(call.gateway, fact)
        elif payment.state != "created" or payment.is_open:
            return payment.state
        elif self.hour - payment.hour <= KEY_HOURS:
            self._open(payment, answers("open"))
        else:
            match answers("find"):
                case Charge() as found:
                    self._charge(call.gateway, found)
                case None:
                    payment.state, payment.is_watched = "canceled", False
                case _:
                    raise Refused(UNCLEAR)
        return payment.state

    # --- charges ----------------------------------------------------------------------------------

    def _by_charge(self, gateway: str, charge: str) -> tuple[str, Payment] | None:
        for name, payment in self.payments.items():
            if (payment.gateway, payment.charge) == (gateway, charge):
                return name, payment
        return None

    def _charge(self, gateway: str, fact: Charge) -> str:
        house, reference = HOUSES[gateway], str(fact.payment_id)
        known = self._by_charge(gateway, fact.external_id)
        is_known = known is not None
        if known is None:
            named = self.payments.get(reference)
            if named is None or named.gateway != gateway:
                is_paid = fact.state == "paid"
                return self._differ(gateway, "only_theirs", fact.external_id, is_noted=is_paid)
            known = reference, named
            same_amount = house.grants_what_was_paid or fact.amount_minor == named.price
            is_sellable = fact.currency == house.currency and same_amount
            if named.charge is not None and house.is_reusable and is_sellable:
                again = Payment(
                    named.who, gateway, named.price, named.asset, named.amount, named.rate,
                    self.hour, invoice=reference, is_watched=False,
                )  # fmt: skip
                known = f"{reference}/{fact.external_id}", again
        name, payment = known
        if is_known and payment.paid is not None:
            if fact.state == "canceled":
                return self._differ(gateway, "state_differs", fact.external_id)
            return "settled"
        if payment.charge not in {None, fact.external_id}:
            return self._differ(gateway, "second_charge", fact.external_id)
        if reference != (payment.invoice or name):
            return self._differ(gateway, "reference_differs", fact.external_id, payment)
        if fact.state == "paid":
            return self._paid(name, payment, fact)
        self.payments[name] = payment
        if payment.state != "canceled":
            payment.charge = fact.external_id
            payment.state = fact.state
        if payment.state == "canceled":
            payment.is_watched = False
        return "settled"

    def _paid(self, name: str, payment: Payment, fact: Charge) -> str:
        house = HOUSES[payment.gateway]
        if fact.currency != house.currency:
            return self._differ(payment.gateway, "currency_differs", fact.external_id, payment)
        if fact.amount_minor != payment.price:
            self._differ(payment.gateway, "amount_differs", fact.external_id, payment)
            if not house.grants_what_was_paid:
                return "amount_differs"
        granted = payment.brings(fact.amount_minor)
        self.payments[name] = payment
        payment.state, payment.charge, payment.is_watched = "paid", fact.external_id, False
        payment.paid, payment.granted = fact.amount_minor, granted
        self.give(payment.who, payment.asset, granted)
        self.reward(name, payment)
        if payment.is_discounted and self.discounts[payment.who] is None:
            self.discounts[payment.who] = name
        self._heal(payment.gateway, "only_theirs", fact.external_id)
        return "credited"

    # --- refunds ----------------------------------------------------------------------------------

    def _ask(self, call: Ask, made: str | None) -> None:
        payment = self.payments[call.payment]
        if payment.gateway != call.gateway:
            raise Refused("payment_not_found")
        if payment.paid is None:
            raise Refused("payment_not_refundable")
        left = payment.paid - payment.refunded
        amount = left if call.amount is None else call.amount
        if amount > left or amount <= 0:
            raise Refused("payment_refund_too_large")
        if amount < payment.paid and not HOUSES[call.gateway].refunds_parts:
            raise Refused("partial_refund_unsupported")
        if made is None:
            raise Refused("nothing was made")
        self._take_back(made, call.payment, "operator", amount)

    def _take_back(self, name: str, payment_name: str, origin: str, amount: int) -> Refund:
        payment = self.payments[payment_name]
        assert payment.paid is not None
        assert payment.granted is not None
        payment.refunded += amount
        # Of running totals: the whole money takes the whole of everything, whatever came between.
        whole = payment.granted * payment.refunded // payment.paid
        taken = max(whole - payment.taken, 0)
        payment.taken += taken
        debt = self.take(payment.who, payment.asset, taken)
        refund = Refund(payment_name, origin, amount, taken, debt, self.hour)
        for key, bonus in self.bonuses.items():
            if bonus.payment != payment_name:
                continue
            part = bonus.amount * payment.refunded // payment.paid - bonus.taken
            if part > 0:
                bonus.taken += part
                if bonus.state == "granted":
                    refund.took.append((key, part, self.take(bonus.who, bonus.asset, part)))
                else:
                    refund.took.append((key, part, None))
                    bonus.state = "canceled" if bonus.taken == bonus.amount else bonus.state
        self.refunds[name] = refund
        return refund

    def _undo(self, refund: Refund) -> None:
        payment = self.payments[refund.payment]
        payment.refunded -= refund.amount
        payment.taken -= refund.taken
        self.give(payment.who, payment.asset, refund.taken, off_debt=refund.debt)
        for key, part, debt in refund.took:
            bonus = self.bonuses[key]
            bonus.taken -= part
            if debt is not None:
                self.give(bonus.who, bonus.asset, part, off_debt=debt)
            elif bonus.state == "granted":
                self.give(bonus.who, bonus.asset, part)
            else:
                bonus.state = "held"
        refund.state = "failed"

    def _refund(self, gateway: str, fact: RefundMade) -> str:
        charged = self._by_charge(gateway, fact.charge_id)
        is_done = fact.state == "done"
        if charged is None or charged[1].paid is None:
            return self._differ(gateway, "refund_only_theirs", fact.external_id, is_noted=is_done)
        name, payment = charged
        refund = self._same_refund(name, fact)
        if refund is not None:
            return self._follow(gateway, refund, fact)
        if not is_done:
            return "nothing"
        assert payment.paid is not None
        left = payment.paid - payment.refunded
        if fact.currency != HOUSES[gateway].currency or fact.amount_minor > left:
            return self._differ(gateway, "refund_differs", fact.external_id)
        made = self._take_back(fact.external_id, name, "vendor", fact.amount_minor)
        made.state, made.external = "done", fact.external_id
        self._heal(gateway, "refund_only_theirs", fact.external_id)
        return "done"

    def _same_refund(self, payment: str, fact: RefundMade) -> Refund | None:
        is_only_one = not HOUSES[self.payments[payment].gateway].refunds_parts
        for name, refund in self.refunds.items():
            if refund.payment == payment:
                if refund.external == fact.external_id:
                    return refund
                is_open = refund.external is None and refund.state != "failed"
                if is_open and (is_only_one or name == str(fact.refund_id)):
                    return refund
        return None

    def _follow(self, gateway: str, refund: Refund, fact: RefundMade) -> str:
        is_same = (fact.amount_minor, fact.currency) == (refund.amount, HOUSES[gateway].currency)
        if refund.state in {"done", "failed"}:
            is_same = is_same and (refund.state == "done") == (fact.state == "done")
        elif fact.state == "failed":
            self._undo(refund)
            return refund.state
        if not is_same:
            return self._differ(gateway, "refund_differs", fact.external_id)
        if refund.state in {"sending", "pending"}:
            refund.state, refund.external = str(fact.state), fact.external_id
        return refund.state

    def _send(self, call: Send, answers: Answers) -> str:
        refund = self.refunds[call.refund]
        if refund.state in {"done", "failed"}:
            return refund.state
        answer = self._answer(refund, answers)
        if isinstance(answer, RefundMade):
            self._refund(call.gateway, answer)
        elif isinstance(answer, Declined):
            self._undo(refund)
        return refund.state

    def _answer(self, refund: Refund, answers: Answers) -> object:
        """What the vendor says in the end. A key that it has forgotten is never sent again."""
        if refund.state == "pending":
            return answers("find_refund")
        if self.hour - refund.hour > KEY_HOURS:
            found = answers("find_refund")
            if found is not None:
                return found
            refund.hour = self.hour
        answer = answers("refund")
        if isinstance(answer, Declined):
            found = answers("find_refund")
            return answer if found is None else found
        return answer

    # --- what operators are shown -----------------------------------------------------------------

    def _differ(
        self,
        gateway: str,
        kind: str,
        subject: str,
        payment: Payment | None = None,
        *,
        is_noted: bool = True,
    ) -> str:
        """``payment``: an operator decides about it now, so that its vendor is asked no more."""
        if is_noted:
            self.differences[gateway, kind, subject] = "open"
        if payment is not None:
            payment.is_watched = False
        return kind

    def _heal(self, gateway: str, kind: str, subject: str) -> None:
        if (gateway, kind, subject) in self.differences:
            self.differences[gateway, kind, subject] = "healed"
