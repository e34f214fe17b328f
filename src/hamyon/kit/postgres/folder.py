"""``home/postgres`` on disk: the lock, the passwords, the remembered port, the log, the data."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hamyon.kit.postgres.binaries import MAJOR_VERSION, Identity
from hamyon.kit.postgres.errors import (
    PostgresError,
    Problem,
    diagnose,
    disk_full,
    not_writable,
    other_version,
)
from hamyon.kit.postgres.store import APPLICATION, OWNER, SUPERUSER

LOG_BYTES_MAX: Final = 8 * 1024 * 1024
LOCALHOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths below ``home/postgres``, and what is done with them."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "postgres.log"

    def lock(self) -> int:
        """Hold the folder until the returned descriptor is closed; a dead process holds nothing.

        Makes the folder, with mode 0700. Raises PostgresError when another process holds it.
        """
        with _disk(self.root):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise PostgresError(
                Problem.IN_USE,
                f"Another Hamyon (process {holder or 'unknown'}) already runs the database in "
                f"{self.root}. Stop it first, or let HAMYON_HOME name another folder.",
            ) from None
        try:
            with _disk(self.root):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except PostgresError:
            os.close(descriptor)
            raise
        return descriptor

    def passwords(self) -> tuple[dict[str, str], set[str]]:
        """The password of each login, and the logins whose password was made just now."""
        passwords: dict[str, str] = {}
        made_now: set[str] = set()
        for login in (SUPERUSER, OWNER, APPLICATION):
            path = self.root / f"{login}.password"
            with _disk(self.root):
                if path.exists():
                    passwords[login] = path.read_text(encoding="ascii").strip()
                    continue
                passwords[login] = secrets.token_urlsafe(24)
                made_now.add(login)
                if login == SUPERUSER and self.data.exists():
                    raise PostgresError(
                        Problem.PASSWORD_LOST,
                        f"The file {path} is missing, and without it nobody can administer the "
                        f"database in {self.data}. Restore it from a backup.",
                    )
                _write_secret(path, passwords[login])
        return passwords, made_now

    def make_data(self, identity: Identity, initdb: Path, password: str, *, durable: bool) -> None:
        """An empty database cluster; all of it or nothing, whenever this process is killed."""
        part, secret = self.root / "data.part", self.root / "initdb.password"
        with _disk(self.root):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(mode=0o700)
            secret.unlink(missing_ok=True)
            _write_secret(secret, password)
            if identity.uid is not None and identity.gid is not None:
                for path in (self.root, part, secret):
                    os.chown(path, identity.uid, identity.gid)
        try:
            made = identity.run(
                *(initdb, "-D", part, "-U", SUPERUSER, "--pwfile", secret),
                *("--auth-local=trust", "--auth-host=scram-sha-256", "--no-instructions"),
                *(() if durable else ("--no-sync",)),
                # The collation of the server itself: the same on every operating system.
                *("--encoding=UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            )
            if made.returncode != 0:
                raise diagnose(made.stdout + made.stderr, self.root)
            with _disk(self.root):
                part.rename(self.data)
        finally:
            secret.unlink(missing_ok=True)
            shutil.rmtree(part, ignore_errors=True)

    def check_data(self) -> None:
        """Raises PostgresError: made by another major version, or not a database at all."""
        try:
            found = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
            raise diagnose("PG_VERSION is missing", self.data) from None
        except OSError as error:
            raise not_writable(self.data, error.strerror or str(error)) from error
        if found != MAJOR_VERSION:
            raise other_version(self.data, found)

    def open_log(self) -> int:
        """A descriptor that appends to the log; a log grown too long is put aside first."""
        with _disk(self.root):
            if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
                self.log.replace(self.log.with_suffix(".log.1"))
            return os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def choose_port(self, asked: int | None) -> int:
        """The port asked for, else the remembered one when it is free, else a free one.

        Raises PostgresError when the port asked for is taken.
        """
        if asked is not None:
            if not _is_free(asked):
                raise port_taken(asked)
            return asked
        try:
            remembered = int((self.root / "port").read_text(encoding="ascii"))
        except (OSError, ValueError):
            remembered = 0
        if 0 < remembered < 65536 and _is_free(remembered):
            return remembered
        with socket.socket() as probe:
            probe.bind((LOCALHOST, 0))
            return int(probe.getsockname()[1])

    def remember_port(self, port: int) -> None:
        """The next start prefers this port, so that saved database URLs go on to work."""
        with _disk(self.root):
            (self.root / "port").write_text(str(port), encoding="ascii")


def port_taken(port: int) -> PostgresError:
    """Somebody else listens there."""
    return PostgresError(
        Problem.PORT_TAKEN,
        f"Port {port} on {LOCALHOST} is taken by another program. Stop that program, or choose "
        "another port for PostgreSQL.",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As PostgreSQL does: connections of an earlier server that still fade away do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            return False
    return True


def _write_secret(path: Path, secret: str) -> None:
    """All of the secret or no file: an empty password file would lock everybody out."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """The operating system's refusals, as ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(folder) from error
        raise not_writable(folder, error.strerror or str(error)) from error
