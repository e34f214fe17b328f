"""answerPreCheckoutQuery, refundStarPayment, getStarTransactions, getMyStarBalance."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.telegram.books import AlreadyRefundedError, Charge, Transaction
from sandbox.telegram.call import BotCall
from sandbox.telegram.envelope import bad_request
from sandbox.telegram.payments import Payments
from sandbox.telegram.state import State

QUERY_TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
OFFSET_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Stars:
    """The methods about Stars. Both ``CHARGE_`` codes are the backend's, and an assumption."""

    state: State
    payments: Payments

    async def answer_pre_checkout_query(self, call: BotCall) -> object:
        """Yes, or a reason that the person is shown; only the first answer in time counts."""
        number = call.params.text("pre_checkout_query_id")
        reason = None if call.params.flag("ok") else call.params.required("error_message")
        checkout = self.state.checkouts.get(number)
        # One that is answered or given up stays listed until its payment has noticed.
        if checkout is None or checkout.bot is not call.bot or checkout.answer.done():
            if number in self.state.late:
                call.bot.counts.pre_checkout["too_late"] += 1
            raise bad_request(QUERY_TOO_OLD)
        checkout.answer.set_result(reason)
        return True

    async def refund_star_payment(self, call: BotCall) -> object:
        """Give a payment back, whole and once."""
        bot, user_id = call.bot, call.params.user_id()
        charge_id = call.params.required("telegram_payment_charge_id")
        bot.counts.refund_calls.add(charge_id)
        charge = bot.books.charges.get(charge_id)
        if charge is None or charge.user_id != user_id:
            raise bad_request("CHARGE_NOT_FOUND")
        try:
            self.payments.refund(bot, charge)
        except AlreadyRefundedError as error:
            raise bad_request("CHARGE_ALREADY_REFUNDED") from error
        return True

    async def get_star_transactions(self, call: BotCall) -> object:
        """A page of what came and went, the oldest first."""
        offset = call.params.integer("offset", 0, 0, OFFSET_MAX)
        limit = call.params.integer("limit", 100, 1, 100)
        page = call.bot.books.transactions[offset : offset + limit]
        return {"transactions": [self._transaction(one) for one in page]}

    async def get_my_star_balance(self, call: BotCall) -> object:
        return {"amount": call.bot.books.stars}

    def _transaction(self, transaction: Transaction) -> dict[str, object]:
        charge = transaction.charge
        side = "receiver" if transaction.is_refund else "source"
        return {
            "id": charge.id,
            "amount": charge.amount,
            "date": transaction.date,
            side: self._partner(charge),
        }

    def _partner(self, charge: Charge) -> dict[str, object]:
        return {
            "type": "user",
            "transaction_type": "invoice_payment",
            "user": self.state.person(charge.user_id).as_user(),
            "invoice_payload": charge.payload,
        }
