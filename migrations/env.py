"""Alembic's environment: each step a transaction, on the connection that the runner opened."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from hamyon.kit.migrations.store import LET_APPLICATION_READ_REVISION

_attributes = context.config.attributes


def _passed(ctx: object, step: object, heads: object, run_args: object) -> None:
    """Alembic calls this after each step, before its transaction ends."""
    _attributes["passed"].append(step.up_revision_id)  # type: ignore[attr-defined]  # alembic's MigrationInfo


context.configure(
    connection=_attributes["connection"],
    transaction_per_migration=True,
    on_version_apply=_passed,
)
with context.begin_transaction():
    context.run_migrations()
if _attributes["passed"]:
    _attributes["connection"].execute(text(LET_APPLICATION_READ_REVISION))
    _attributes["connection"].commit()
