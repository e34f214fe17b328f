"""The ledger's long run: ``python -m tests.long.ledger DSN [--lives N] [--steps N] [--seed N]``.

DSN names a migrated database whose login is its owner; it is filled with test money. Prints the
seed first and the counts last: the same seed on the same code lives the same lives again.
"""

from __future__ import annotations

import argparse
import secrets

from tests.ledger.machine import live


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--lives", type=int, default=5_000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.lives} lives of {options.steps} steps", flush=True)
    outcomes = live(options.dsn, lives=options.lives, steps=options.steps, seed_number=options.seed)
    for name, count in sorted(outcomes.items()):
        print(f"{count:>9} {name}")
    print(f"{sum(outcomes.values()):>9} in all; the audit found nothing")


if __name__ == "__main__":
    main()
