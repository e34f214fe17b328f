"""What the documentation says is so: settings, codes, commands, links, and every line of shell."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hamyon.cli.app import app
from hamyon.cli.parts import free_port
from hamyon.kit.settings import Settings
from tests import error_codes
from tests.cli.terminal import Terminal
from tests.fixtures.database import Database

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLE = ROOT / ".env.example"
LOCKS = [ROOT / "requirements.lock", ROOT / "requirements-dev.lock"]
SHELL_S = 25.0
ALIEN = re.compile(
    r"/(?:work|root|home)/\w"  # paths of somebody's machine
    r"|pythonhosted|pypi\.(?:org|python)|npmjs|registry\.|githubusercontent|cdnjs"
    r"|\b(?:the lead|helper \d|subagent)\b",
    re.IGNORECASE,
)
"""What only whoever wrote the project knew, and addresses that it has no need to name."""


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


# --- settings, codes, commands --------------------------------------------------------------------


def test_every_setting_is_in_the_example_and_nothing_else() -> None:
    named = re.findall(r"^([A-Z][A-Z0-9_]*)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) == {name.upper() for name in Settings.model_fields}


@pytest.mark.usefixtures("no_settings")
def test_the_example_holds_the_defaults() -> None:
    assert Settings(_env_file=EXAMPLE) == Settings(_env_file=None)


def test_every_setting_of_the_example_is_explained() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"[A-Z]", line):
            assert re.match(r"# \S.*[.]$", before), line


def test_every_error_code_is_in_the_api_document() -> None:
    text = error_codes.API.read_text(encoding="utf-8")
    found = text.partition(error_codes.BEGIN)[2].partition(error_codes.END)[0]
    assert found == error_codes.table(), "write it anew: python -m tests.error_codes"


def _commands(group: typer.Typer, before: str = "") -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield before + (command.name or command.callback.__name__)
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from _commands(inner.typer_instance, f"{before}{inner.name} ")


def test_every_command_is_in_the_operations_document() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    commands = list(_commands(app))
    assert "keys create" in commands
    missing = [name for name in commands if not re.search(rf"`(?:hamyon )?{name}[` ]", text)]
    assert missing == []


# --- links and words ------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.S | re.M)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    missing = [
        target
        for target in targets
        if "://" not in target and not (document.parent / target.partition("#")[0]).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_named_files_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|benchmarks|src|docs)/[\w./]+)`", text))
    named |= {f"src/hamyon/{path}" for path in re.findall(r"`((?:kit|orders)/[\w/]+\.py)`", text)}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def _texts() -> Iterator[Path]:
    """Every text file that belongs to the project."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and path != Path(__file__):
            yield path


def test_the_project_names_nothing_of_its_making() -> None:
    found = []
    for path in _texts():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{_name(path)}: {match[0]}" for match in ALIEN.finditer(text)]
    assert found == []


# --- lock files -----------------------------------------------------------------------------------


def _locked(lock: Path) -> dict[str, str]:
    """What a lock file says of each package, its lines joined."""
    lines = lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    entries = [line for line in lines if line and not line.lstrip().startswith("#")]
    return {canonicalize_name(re.split(r"[=;\s\[]", entry)[0]): entry for entry in entries}


@pytest.mark.parametrize("lock", LOCKS, ids=_name)
def test_locked_packages_have_hashes_and_no_address(lock: Path) -> None:
    locked = _locked(lock)
    assert len(locked) > 20
    for name, entry in locked.items():
        assert re.match(r"[\w.-]+(\[[\w,]+\])?==[\w.!+-]+\s", entry), entry[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), name
    assert "://" not in lock.read_text(encoding="utf-8")


@pytest.mark.parametrize("python", ["3.11.0", "3.12.0", "3.13.0"])
@pytest.mark.parametrize("lock", LOCKS, ids=_name)
def test_a_lock_is_whole_for_every_python_that_we_promise(lock: Path, python: str) -> None:
    """Made on one Python, it must not forget what another one needs."""
    locked = _locked(lock)
    there = {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "extra": "",
    }
    missing = []
    for name in locked:
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # Another Python's or platform's only.
        for line in needed:
            wanted = Requirement(line)
            applies = wanted.marker is None or wanted.marker.evaluate(there)
            if applies and canonicalize_name(wanted.name) not in locked:
                missing.append(f"{wanted.name} (for {name})")
    assert missing == []


# --- the lines of shell ---------------------------------------------------------------------------


def _shell(document: Path) -> str:
    blocks = re.findall(r"^```sh\n(.*?)^```", document.read_text(encoding="utf-8"), re.S | re.M)
    assert blocks, f"no shell in {document}"
    return "set -euo pipefail\n" + "\n".join(blocks)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the lines call curl")
@pytest.mark.parametrize("words", [(), ("--sandbox",)], ids=["offline", "webhooks"])
def test_every_line_of_shell_works(
    tmp_path: Path, database: Database, words: tuple[str, ...]
) -> None:
    terminal = Terminal(tmp_path, {"DATABASE_URL": database.dsn, "RUN_MIGRATIONS": "false"})
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    try:
        up = terminal.up(free_port(), *words).ready()
        for name in ("README.md", "docs/api.md", "docs/operations.md"):
            done = subprocess.run(
                ["bash", "-c", _shell(ROOT / name)],
                cwd=tmp_path,
                env={**terminal.environment, "PATH": "/usr/local/bin:/usr/bin:/bin", "API": up.url},
                capture_output=True,
                timeout=SHELL_S,
                check=False,
            )
            assert done.returncode == 0, f"{name}: {done.stdout.decode()} {done.stderr.decode()}"
            if name == "docs/api.md":
                assert b'"status":"completed"' in done.stdout
                assert (b"wavespeed" if words else b"offline") in done.stdout
        assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    finally:
        terminal.close()
