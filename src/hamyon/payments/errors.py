"""What payments refuse."""

from __future__ import annotations

from hamyon.kit.errors import HamyonError, NotFound


class PaymentNotFound(NotFound):
    """No such payment, or somebody else's."""

    code = "payment_not_found"


class GatewayUnavailable(HamyonError):
    """This way to pay is not set up here."""

    code = "gateway_unavailable"
    status = 503


class StarsOutOfRange(HamyonError):
    """``least`` and ``most`` Stars can be paid at once."""

    code = "stars_out_of_range"
    status = 422


class PriceMismatch(HamyonError):
    """The caller named another price; ``price`` is the right one (contract/drawings.md)."""

    code = "price_mismatch"
    status = 422


class PaymentDeclined(HamyonError):
    """The vendor did not open the payment. Nothing was charged."""

    code = "payment_declined"
    status = 502


class PaymentUnclear(HamyonError):
    """The vendor did not answer in time: the same request again finds the same payment."""

    code = "payment_unclear"
    status = 503


class InvoiceNotFound(HamyonError):
    """The payload of the charge is not one of our invoices: operators look at it."""

    code = "invoice_not_found"
    status = 422


class PaymentNotRefundable(HamyonError):
    """It was never paid; ``status`` says how it stands."""

    code = "payment_not_refundable"
    status = 409


class PaymentRefundTooLarge(HamyonError):
    """``left`` is what can still be given back, in minor units."""

    code = "payment_refund_too_large"
    status = 422


class PartialRefundUnsupported(HamyonError):
    """This gateway gives back the whole or nothing; ``whole`` is that amount."""

    code = "partial_refund_unsupported"
    status = 422


class MismatchNotFound(NotFound):
    """No such difference."""

    code = "mismatch_not_found"


class MismatchClosed(HamyonError):
    """It was resolved before."""

    code = "mismatch_closed"
    status = 409


class DecisionImpossible(HamyonError):
    """The decision does not fit this difference; ``problem`` says why."""

    code = "decision_impossible"
    status = 422


class ReconcileRunNotFound(NotFound):
    """No such run."""

    code = "reconcile_run_not_found"
