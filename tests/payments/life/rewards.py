"""What payments bring beside what was bought, in plain Python: part of the model of payments."""

from __future__ import annotations

from dataclasses import dataclass

from tests.payments.life.books import (
    CODES,
    INVITERS,
    USES_EACH,
    Bonus,
    Books,
    Payment,
    Refused,
)


@dataclass(slots=True)
class Rewards(Books):
    """Bonuses for inviters, and percentages that wait for a payment."""

    def begin(self) -> None:
        """The people come, with their inviters' codes."""
        for who, inviter in INVITERS.items():
            if self.terms.join_bonus:
                amount = self._capped(inviter, "credit", self.terms.join_bonus)
                self.bonuses[f"join:{who}"] = Bonus(
                    inviter, who, None, "credit", amount, self.day, self.hour, "granted"
                )
                self.give(inviter, "credit", amount)

    def _capped(self, who: int, asset: str, amount: int) -> int:
        """Each asset has a cap of its own, by the day there; what was taken back still counts."""
        if self.terms.cap == 0:
            return amount
        today = sum(
            bonus.amount
            for bonus in self.bonuses.values()
            if bonus.payer is not None
            and (bonus.who, bonus.asset, bonus.day) == (who, asset, self.day)
        )
        left = max(self.terms.cap - today, 0)
        self.bonuses_cut += amount > left
        return min(amount, left)

    def reward(self, name: str, payment: Payment) -> None:
        assert payment.granted is not None
        inviter = INVITERS.get(payment.who)
        if inviter is not None:
            amount = 0
            if payment.asset != "revival" and not (
                self.terms.first_only and self._has_paid(payment.who)
            ):
                whole, rest = divmod(payment.granted * self.terms.percent, 100)
                amount = self._capped(inviter, payment.asset, whole + (rest > 0))
            hours = 24 * self.terms.hold_days if amount else 0
            self._add_bonus(f"{name}:referral", inviter, payment.who, name, amount, hours)
        if self.waiting[payment.who]:
            percent = self.waiting[payment.who].pop(0)
            amount = payment.granted * percent // 100
            self._add_bonus(f"{name}:promo_percent", payment.who, None, name, amount, 0)

    def _has_paid(self, who: int) -> bool:
        return any(b.payer == who and b.payment is not None for b in self.bonuses.values())

    def _add_bonus(
        self, name: str, who: int, payer: int | None, payment: str, amount: int, hours: int
    ) -> None:
        asset, state = self.payments[payment].asset, "held" if hours else "granted"
        due = self.hour + hours
        self.bonuses[name] = Bonus(who, payer, payment, asset, amount, self.day, due, state)
        if not hours:
            self.give(who, asset, amount)

    def grant_due(self) -> None:
        for bonus in self.bonuses.values():
            if bonus.state == "held" and bonus.due <= self.hour:
                bonus.state = "granted"
                self.give(bonus.who, bonus.asset, bonus.amount - bonus.taken)

    def redeem(self, who: int, code: str) -> None:
        if self.redeemed[who, code] == USES_EACH:
            raise Refused("promo_code_already_used")
        self.redeemed[who, code] += 1
        self.waiting[who].append(CODES[code])
