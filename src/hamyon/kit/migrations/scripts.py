"""What a file of ``migrations/versions`` consists of: its two SQL files, each run as one script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from alembic import op

Step: TypeAlias = Callable[[], None]


def scripts(version_file: str) -> tuple[Step, Step]:
    """``upgrade`` and ``downgrade`` of ``versions/NNNN_name.py`` from ``sql/NNNN_name.*.sql``."""
    path = Path(version_file)
    sql = path.parents[1] / "sql"
    return _step(sql / f"{path.stem}.up.sql"), _step(sql / f"{path.stem}.down.sql")


def _step(path: Path) -> Step:
    def run() -> None:
        driver = op.get_bind().connection.driver_connection
        assert driver is not None
        # Bytes without parameters: the script reaches the server as it stands, many statements in
        # one message, with no percent sign or colon read as a placeholder.
        driver.execute(path.read_bytes(), prepare=False)

    return run
