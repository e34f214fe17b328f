"""Migrations on a real PostgreSQL: once, in order, whole or not at all, with clear refusals."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from hamyon.kit.db import Pool, connect
from hamyon.kit.migrations import (
    FOLDER,
    MigrationError,
    MigrationProblem,
    current,
    downgrade,
    dump_schema,
    head,
    migrate,
    runner,
    store,
)
from tests.fixtures.database import Database

VERSION = """
from hamyon.kit.migrations.scripts import scripts

revision = {revision!r}
down_revision = {before!r}
upgrade, downgrade = scripts(__file__)
"""


class Steps:
    """A folder of migrations that a test writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "versions").mkdir(parents=True)
        (folder / "sql").mkdir()
        (folder / "env.py").write_text((FOLDER / "env.py").read_text())

    def add(self, name: str, up: str, down: str, before: str | None) -> None:
        version = VERSION.format(revision=name, before=before)
        (self.folder / "versions" / f"{name}.py").write_text(version)
        (self.folder / "sql" / f"{name}.up.sql").write_text(up)
        (self.folder / "sql" / f"{name}.down.sql").write_text(down)


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    """Two steps; the first is full of what a driver could take for a placeholder."""
    made = Steps(tmp_path / "100% mine")
    made.add(
        "0001_first",
        "CREATE TABLE a (id int, name text DEFAULT '%s :name $1 100%');"
        "INSERT INTO a VALUES (1); INSERT INTO a SELECT '2'::int WHERE 'x' LIKE '%x';",
        "DROP TABLE a;",
        None,
    )
    made.add("0002_second", "CREATE TABLE b (id int);", "DROP TABLE b;", "0001_first")
    return made


async def revision(dsn: str) -> str | None:
    connection = await connect(dsn, role=None)
    try:
        return await current(connection)
    finally:
        await connection.close()


async def tables(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {row["tablename"] for row in rows} - {"alembic_version"}


async def test_up_and_down(empty_database: Database, steps: Steps) -> None:
    dsn = empty_database.owner_dsn
    assert await revision(dsn) is None
    assert await migrate(dsn, folder=steps.folder) == ["0001_first", "0002_second"]
    assert await revision(dsn) == head(steps.folder) == "0002_second"
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT * FROM a ORDER BY id")
    await connection.close()
    assert [tuple(row) for row in rows] == [(n, "%s :name $1 100%") for n in (1, 2)]

    assert await downgrade(dsn, "0001_first", folder=steps.folder) == ["0002_second"]
    assert await tables(dsn) == {"a"}
    assert await downgrade(dsn, "base", folder=steps.folder) == ["0001_first"]
    assert await tables(dsn) == set()
    assert await revision(dsn) is None


async def test_a_database_at_the_head_needs_no_process(
    empty_database: Database, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = empty_database.owner_dsn
    await migrate(dsn, folder=steps.folder)
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    assert await migrate(dsn, folder=steps.folder) == []


def test_the_server_process_loads_no_alembic() -> None:
    code = (
        "import sys, hamyon.kit.migrations;"
        "sys.exit(bool({'alembic', 'sqlalchemy', 'psycopg'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_ten_at_once_migrate_once(empty_database: Database, steps: Steps) -> None:
    dsn = empty_database.owner_dsn
    gate = await asyncpg.connect(dsn)
    await gate.execute(store.TAKE_LOCK)
    calls = [asyncio.create_task(migrate(dsn, folder=steps.folder)) for _ in range(10)]
    waiting = """
        SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
    # All ten have found an empty database before the first of them may begin.
    async with asyncio.timeout(60):
        while await gate.fetchval(waiting) < len(calls):
            assert not any(call.done() for call in calls), "somebody did not wait"
            await asyncio.sleep(0.05)
    assert await tables(dsn) == set()
    await gate.close()
    applied = await asyncio.gather(*calls)
    assert sorted(applied) == [[]] * 9 + [["0001_first", "0002_second"]]


async def test_a_broken_step_leaves_nothing_of_itself(
    empty_database: Database, steps: Steps
) -> None:
    steps.add("0003_broken", "CREATE TABLE c (id int); SELECT 1/0;", "", "0002_second")
    dsn = empty_database.owner_dsn
    with pytest.raises(MigrationError, match="division by zero") as refusal:
        await migrate(dsn, folder=steps.folder)
    assert refusal.value.problem is MigrationProblem.FAILED
    assert "0001_first, 0002_second" in str(refusal.value)
    assert await tables(dsn) == {"a", "b"}
    assert await revision(dsn) == "0002_second"


async def test_a_step_does_not_wait_long_for_a_table(
    empty_database: Database, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = empty_database.owner_dsn
    await migrate(dsn, folder=steps.folder)
    steps.add("0003_alter", "ALTER TABLE a ADD c int;", "", "0002_second")
    busy = await asyncpg.connect(dsn)
    await busy.execute("BEGIN; SELECT * FROM a")
    order = runner.Order(dsn, "0003_alter", steps.folder, lock_timeout_s=0.2)
    with pytest.raises(MigrationError, match="long transactions") as refusal:
        await asyncio.to_thread(runner.carry_out, order)
    assert refusal.value.problem is MigrationProblem.LOCK_TIMEOUT
    await busy.execute("ROLLBACK")
    await busy.close()
    assert await migrate(dsn, folder=steps.folder) == ["0003_alter"]


async def test_every_step_has_the_lock_timeout(empty_database: Database, steps: Steps) -> None:
    steps.add(
        "0003_ask",
        "CREATE TABLE asked AS SELECT current_setting('lock_timeout') AS found;",
        "DROP TABLE asked;",
        "0002_second",
    )
    await migrate(empty_database.owner_dsn, folder=steps.folder)
    connection = await asyncpg.connect(empty_database.owner_dsn)
    assert await connection.fetchval("SELECT found FROM asked") == "5s"
    await connection.close()


async def test_a_database_of_a_newer_version(empty_database: Database, steps: Steps) -> None:
    dsn = empty_database.owner_dsn
    await migrate(dsn, folder=steps.folder)
    for path in (steps.folder / "versions").glob("0002*"):
        path.unlink()
    with pytest.raises(MigrationError, match="newer version") as refusal:
        await migrate(dsn, folder=steps.folder)
    assert refusal.value.problem is MigrationProblem.UNKNOWN_REVISION


async def test_refusals_of_the_database(
    empty_database: Database, steps: Steps, unused_tcp_port: int
) -> None:
    good = empty_database.owner_dsn
    password = good.split(":")[2].split("@")[0]
    cases = {
        f"postgresql://x@127.0.0.1:{unused_tcp_port}/x": MigrationProblem.UNREACHABLE,
        good.rpartition("/")[0] + "/nowhere": MigrationProblem.UNREACHABLE,
        "nonsense": MigrationProblem.UNREACHABLE,
        good.replace(password, "wrong"): MigrationProblem.DENIED,
        empty_database.dsn: MigrationProblem.DENIED,
    }
    for dsn, problem in cases.items():
        with pytest.raises(MigrationError) as refusal:
            await migrate(dsn, folder=steps.folder)
        assert refusal.value.problem is problem, dsn
        assert password not in str(refusal.value)


def test_a_folder_without_migrations(tmp_path: Path) -> None:
    with pytest.raises(MigrationError) as refusal:
        head(tmp_path)
    assert refusal.value.problem is MigrationProblem.NO_FOLDER


async def test_the_application_may_read_where_the_database_is(pool: Pool) -> None:
    async with pool.acquire() as connection:
        assert await current(connection) == head()


async def test_the_dump_follows_the_schema(empty_database: Database, steps: Steps) -> None:
    dsn = empty_database.owner_dsn
    await migrate(dsn, folder=steps.folder)
    dumped = await dump_schema(dsn)
    assert dumped == await dump_schema(dsn)
    assert dumped.startswith("CREATE TABLE public.a (")
    assert "restrict" not in dumped
    await downgrade(dsn, "0001_first", folder=steps.folder)
    assert (
        await dump_schema(dsn)
        == dumped.replace("CREATE TABLE public.b (\n    id integer\n);\n", "").strip() + "\n"
    )
    with pytest.raises(MigrationError, match="could not be dumped"):
        await dump_schema(dsn.rpartition("/")[0] + "/nowhere")


def test_revision_names_fit_and_follow_each_other() -> None:
    names = sorted(path.stem for path in (FOLDER / "versions").glob("*.py"))
    assert [name[:4] for name in names] == [f"{n:04}" for n in range(1, len(names) + 1)]
    # Alembic keeps the revision in a column of 32 characters.
    assert all(len(name) <= 32 for name in names)
    scripts = {path.name for path in (FOLDER / "sql").iterdir()}
    assert scripts == {f"{name}.{way}.sql" for name in names for way in ("up", "down")}
