"""The vendor's test cards, and what each of them answers.

The numbers, parties and reasons are those of the vendor's page about testing.
"""

from __future__ import annotations

from dataclasses import dataclass

EXPIRY_YEAR, EXPIRY_MONTH = "2030", "12"


@dataclass(frozen=True, slots=True)
class Card:
    """A test card; without a reason it pays."""

    number: str
    reason: str | None = None
    party: str = "payment_network"

    @property
    def shown(self) -> dict[str, str]:
        """The card as payments show it."""
        return {
            "first6": self.number[:6],
            "last4": self.number[-4:],
            "expiry_year": EXPIRY_YEAR,
            "expiry_month": EXPIRY_MONTH,
            "card_type": "MasterCard",
            "issuer_country": "RU",
        }


GOOD_CARD = Card("5555555555554444")

REFUSED_CARDS: tuple[Card, ...] = (
    Card("5555555555554600", "insufficient_funds"),
    Card("5555555555554543", "card_expired"),
    Card("5555555555554592", "3d_secure_failed"),
    Card("5555555555554535", "call_issuer"),
    Card("5555555555554527", "general_decline"),
    Card("5555555555554568", "fraud_suspected"),
    Card("5555555555554618", "invalid_card_number"),
    Card("5555555555554626", "invalid_csc"),
    Card("5555555555554501", "issuer_unavailable"),
    Card("5555555555554576", "payment_method_limit_exceeded"),
    Card("5555555555554550", "payment_method_restricted"),
    Card("5555555555554584", "country_forbidden", "yoo_money"),
)


def refused_card(reason: str) -> Card | None:
    """The card that is refused for this reason."""
    return next((card for card in REFUSED_CARDS if card.reason == reason), None)
