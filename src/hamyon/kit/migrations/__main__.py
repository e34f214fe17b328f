"""For who writes a migration: ``python -m hamyon.kit.migrations dump > schema.sql``, or ``head``.

``dump`` starts a throw-away PostgreSQL, applies every migration and prints the schema.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from hamyon.kit.migrations import MigrationError, dump_schema, head, migrate
from hamyon.kit.postgres import PostgresError, start


async def _dump() -> str:
    with tempfile.TemporaryDirectory(prefix="hamyon-schema-") as home:
        running = await start(Path(home), durable=False)
        try:
            await migrate(running.owner_dsn)
            return await dump_schema(running.owner_dsn)
        finally:
            await running.stop()


def main(words: list[str]) -> int:
    """Answers the exit status."""
    try:
        match words:
            case ["dump"]:
                sys.stdout.write(asyncio.run(_dump()))
            case ["head"]:
                sys.stdout.write(head() + "\n")
            case _:
                sys.stderr.write("usage: python -m hamyon.kit.migrations dump|head\n")
                return 2
    except (MigrationError, PostgresError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
