"""PROOF: the ledger balances."""

from __future__ import annotations

from tests.fixtures.database import Database
from tests.ledger.machine import live

LIVES = 200
STEPS = 50

# What must have happened, or the machine proves less than it says.
WANTED = (
    "Post True", "Post False", "Post insufficient_funds", "Post invalid_transfer",
    "Post amount_too_large", "Post idempotency_mismatch",
    "OpenHold ok", "OpenHold insufficient_funds", "OpenHold idempotency_mismatch",
    "OpenHold invalid_amount", "OpenHold amount_too_large",
    "Capture True", "Capture False", "Capture hold_exceeded", "Capture hold_closed",
    "Capture idempotency_mismatch", "Capture hold_not_found",
    "Release True", "Release False", "Release hold_closed",
    "ClawBack ok", "ClawBack idempotency_mismatch", "ClawBack amount_too_large",
    "Reverse True", "Reverse False", "Reverse insufficient_funds", "Reverse already_reversed",
    "Reverse transfer_not_found", "Reverse idempotency_mismatch", "debt paid",
    "paid debt returned",
)  # fmt: skip


def test_ledger_balances(database: Database) -> None:
    outcomes = live(database.dsn, lives=LIVES, steps=STEPS, seed_number=20_260)
    assert sum(outcomes.values()) >= LIVES * STEPS * 0.9
    missing = [name for name in WANTED if not outcomes[name]]
    assert missing == [], outcomes
