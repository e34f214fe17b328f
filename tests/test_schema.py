"""``schema.sql`` is the sum of the migrations, and every migration can be undone."""

from __future__ import annotations

from hamyon.kit.migrations import FOLDER, downgrade, dump_schema, migrate
from tests.fixtures.database import Database

SCHEMA = FOLDER.parent / "schema.sql"
ADVICE = "write it anew: python -m hamyon.kit.migrations dump > schema.sql"


async def test_the_schema_file_is_the_sum_of_the_migrations(database: Database) -> None:
    assert SCHEMA.exists(), ADVICE
    assert SCHEMA.read_text(encoding="utf-8") == await dump_schema(database.owner_dsn), ADVICE


async def test_every_migration_goes_down_and_up_again(database: Database) -> None:
    before = await dump_schema(database.owner_dsn)
    names = sorted(path.stem for path in (FOLDER / "versions").glob("*.py"))
    assert await downgrade(database.owner_dsn, "base") == names[::-1]
    left = await dump_schema(database.owner_dsn)
    assert "CREATE" not in left, left
    assert await migrate(database.owner_dsn) == names
    assert await dump_schema(database.owner_dsn) == before
