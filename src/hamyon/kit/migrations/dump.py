"""The schema as text, the same for the same schema: what ``schema.sql`` holds."""

from __future__ import annotations

import asyncio
import os
import re

from hamyon.kit.migrations.errors import MigrationError, MigrationProblem
from hamyon.kit.postgres import binary

_HEADING = re.compile(r"^--\n-- [^\n]*\n--\n", re.MULTILINE)
_PREAMBLE_END = "SET row_security = off;\n"
_NOISE = re.compile(r"^(?:SET default_[a-z_]+ = .*;|\\unrestrict .*)\n", re.MULTILINE)
_BLANKS = re.compile(r"\n{3,}")


async def dump_schema(dsn: str) -> str:
    """Everything that the migrations made, rights included. Raises MigrationError.

    Names of owners, versions and comments of the dumping program are left out, so that only a
    change of the schema changes the text. Alembic's own table is not part of it.
    """
    from psycopg.conninfo import conninfo_to_dict

    names = {"dbname": "PGDATABASE"}
    parts = {
        names.get(key, f"PG{key.upper()}"): str(value)
        for key, value in conninfo_to_dict(dsn).items()
        if value is not None
    }
    process = await asyncio.create_subprocess_exec(
        binary("pg_dump"),
        *("--schema-only", "--no-owner", "--exclude-table=alembic_version"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | parts,
    )
    dumped, complaints = await process.communicate()
    if process.returncode != 0:
        raise MigrationError(
            MigrationProblem.FAILED,
            f"The schema could not be dumped: {complaints.decode(errors='replace').strip()}",
        )
    return _stable(dumped.decode())


def _stable(dumped: str) -> str:
    """Without the preamble, headings and settings of the dump; the statements keep every line."""
    statements = dumped.partition(_PREAMBLE_END)[2] or dumped
    return _BLANKS.sub("\n\n", _NOISE.sub("", _HEADING.sub("", statements))).strip() + "\n"
