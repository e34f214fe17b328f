"""What can be refused about rewards."""

from __future__ import annotations

from hamyon.kit.errors import HamyonError, NotFound, TooManyRequests


class PromoCodeNotFound(NotFound):
    """Nobody made this code. The only refusal that counts as a wrong try."""

    code = "promo_code_not_found"


class PromoCodeExpired(HamyonError):
    """The code is switched off, or its time has not begun or is over."""

    code = "promo_code_expired"
    status = 409


class PromoCodeUsedUp(HamyonError):
    """All the uses of the code are gone."""

    code = "promo_code_used_up"
    status = 409


class PromoCodeAlreadyUsed(HamyonError):
    """This person has used the code as often as one person may."""

    code = "promo_code_already_used"
    status = 409


class PromoCodeNotApplicable(HamyonError):
    """The code is for other products; ``products`` lists them."""

    code = "promo_code_not_applicable"
    status = 422


class PromoTriesExhausted(TooManyRequests):
    """Too many wrong codes; ``retry_after_s`` says when to come back."""

    code = "promo_tries_exhausted"


class PromoCodeTaken(HamyonError):
    """A code that is the same without case and spaces exists: ``promo_code``."""

    code = "promo_code_taken"
    status = 409


class InvalidPromoCode(HamyonError):
    """What an operator wrote makes no code; ``problem`` says why."""

    code = "invalid_promo_code"
    status = 422


class AlreadyClaimed(HamyonError):
    """Today's bonus was claimed; ``next_bonus_at`` says when the next one can be."""

    code = "already_claimed"
    status = 409
