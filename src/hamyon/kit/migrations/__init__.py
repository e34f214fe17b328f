"""The database's schema, step by step: ``migrations/versions/NNNN_name.py`` and its SQL.

Alembic and SQLAlchemy run in a process of their own and never load into the server; a database
that is at the newest revision costs one statement.
"""

from __future__ import annotations

from hamyon.kit.migrations.dump import dump_schema
from hamyon.kit.migrations.errors import MigrationError, MigrationProblem
from hamyon.kit.migrations.steps import FOLDER, current, downgrade, head, migrate

__all__ = [
    "FOLDER",
    "MigrationError",
    "MigrationProblem",
    "current",
    "downgrade",
    "dump_schema",
    "head",
    "migrate",
]
