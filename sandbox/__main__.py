"""``python -m sandbox --port N [--seed S] [--faults FILE]``: serve until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from sandbox.app import build_app, serving
from sandbox.faults import FaultOrder
from sandbox.telegram.settings import DEFAULT_TOKEN
from sandbox.wavespeed.settings import DEFAULT_KEY
from sandbox.yookassa.settings import DEFAULT_SECRET_KEY, DEFAULT_SHOP_ID


async def _serve(host: str, port: int, seed: int, order: FaultOrder | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(build_app(seed=seed, order=order), host=host, port=port) as address:
        sys.stdout.write(
            f"sandbox ready at {address} (WaveSpeed key: {DEFAULT_KEY},"
            f" YooKassa shop: {DEFAULT_SHOP_ID}, its key: {DEFAULT_SECRET_KEY},"
            f" Telegram bot: {DEFAULT_TOKEN})\n"
        )
        sys.stdout.flush()
        await stop.wait()


def main() -> int:
    """Parse the command line and serve. Exit code 2 when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=0, help="replays faults by probability")
    parser.add_argument(
        "--faults", type=Path, help="JSON: {seed?, rules?, mix?} or a list of rules"
    )
    asked = parser.parse_args()
    try:
        order = None
        if asked.faults is not None:
            order = FaultOrder.from_json(asked.faults.read_bytes())
        uvloop.run(_serve(asked.host, asked.port, asked.seed, order))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
