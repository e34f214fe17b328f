"""Payments' long run: ``python -m tests.long.payments DSN [--lives N] [--steps N] [--seed N]``.

DSN names a migrated database whose login is its owner; it is filled with test money. Prints the
seed first and the counts last: the same seed on the same code lives the same lives again, but for
who wins where several things happen at the same moment.
"""

from __future__ import annotations

import argparse
import logging
import secrets

import structlog

from tests.payments.machine import live


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--lives", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    options = parser.parse_args()
    # Vendors that do not answer are what this is about, and not worth a line each.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(f"seed {options.seed}, {options.lives} lives of {options.steps} steps", flush=True)
    outcomes = live(options.dsn, lives=options.lives, steps=options.steps, seed_number=options.seed)
    for name, count in sorted(outcomes.items()):
        print(f"{count:>9} {name}")
    print(f"{sum(outcomes.values()):>9} in all; the audits found nothing")


if __name__ == "__main__":
    main()
