"""What can be refused about an order."""

from __future__ import annotations

from hamyon.kit.errors import HamyonError, NotFound


class OrderNotFound(NotFound):
    code = "order_not_found"


class TooManyActive(HamyonError):
    """``limit`` and the ``active`` ids."""

    code = "too_many_active"
    status = 409


class NotFinished(HamyonError):
    code = "not_finished"
    status = 409


class NotCancelable(HamyonError):
    """The order ended already, or its provider stops nothing; ``state`` says where it stands."""

    code = "not_cancelable"
    status = 409


class NotInReview(HamyonError):
    code = "not_in_review"
    status = 409


class NothingToCharge(HamyonError):
    """Nothing of this order lies in our storage, so there is nothing to charge for."""

    code = "nothing_to_charge"
    status = 409


class NotRefundable(HamyonError):
    """Not settled yet, or settled without a charge; ``status`` says how it stands."""

    code = "not_refundable"
    status = 409


class RefundTooLarge(HamyonError):
    """More than what is ``left`` of the charge after earlier refunds."""

    code = "refund_too_large"
    status = 409


class ProviderUnavailable(HamyonError):
    """Operators or the breaker closed the model's provider; nothing was held."""

    code = "provider_unavailable"
    status = 503

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.facts.get("retry_after_s", 60))}


class DownloadFailed(Exception):
    """An output could not be fetched. ``permanent`` when asking again cannot help."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent
