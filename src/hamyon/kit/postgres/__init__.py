"""PostgreSQL 18 of our own, for a machine without one: ``running = await start(home)``.

Everything lies in ``home/postgres``: the data, the passwords, the remembered port, the log. The
server listens on 127.0.0.1 only and has no socket in the file system: the path of one may have at
most 107 bytes, and whoever reaches a socket with local trust needs no password.
"""

from __future__ import annotations

from hamyon.kit.postgres.attached import Attached, attach
from hamyon.kit.postgres.binaries import binary
from hamyon.kit.postgres.errors import PostgresError, Problem
from hamyon.kit.postgres.server import Running, start

__all__ = ["Attached", "PostgresError", "Problem", "Running", "attach", "binary", "start"]
