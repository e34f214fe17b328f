"""Terminals over a test's database, and one over an embedded PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hamyon.cli.parts import free_port
from tests.cli.terminal import Terminal, Up
from tests.fixtures.database import Database


@pytest.fixture
def terminal(tmp_path: Path, database: Database) -> Iterator[Terminal]:
    """Commands that find a database at the newest version."""
    made = Terminal(tmp_path, {"DATABASE_URL": database.dsn, "RUN_MIGRATIONS": "false"})
    yield made
    made.close()


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """No configuration at all: everything is embedded and local."""
    made = Terminal(tmp_path_factory.mktemp("laptop"), {"PORT": str(free_port())})
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(laptop: Terminal) -> Up:
    """The service that runs on the laptop."""
    return laptop.up(int(laptop.environment["PORT"])).ready()
