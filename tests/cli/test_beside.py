"""Commands beside a running service, over the embedded PostgreSQL that it holds."""

from __future__ import annotations

import re
import signal
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from hamyon.cli.parts import free_port
from hamyon.kit import postgres
from tests.cli.terminal import Terminal, Up

pytestmark = pytest.mark.xdist_group("laptop")


def _status(service: Up, key: str) -> int:
    request = urllib.request.Request(
        f"{service.url}/api/v1/users/1/balance", headers={"api-key": key}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _secret(output: str) -> str:
    found = re.search(r"^hk_\S+$", output, re.MULTILINE)
    assert found is not None, output
    return found[0]


def test_keys_live_and_end_while_it_runs(laptop: Terminal, service: Up) -> None:
    made = laptop.run("keys", "create", "bot", "--scopes", "users")
    assert made.code == 0, made.output
    first = _secret(made.output)
    assert _status(service, first) == 404  # The key is good; the person is nobody.
    assert laptop.run("keys", "create", "bot").code == 1
    second = _secret(laptop.run("keys", "rotate", "bot").output)
    assert [_status(service, key) for key in (first, second)] == [404, 404]
    listed = laptop.run("keys", "list").output
    assert listed.count("bot") == listed.count("valid") == 2
    assert first not in listed
    assert laptop.run("keys", "revoke", "bot").code == 0
    assert [_status(service, key) for key in (first, second)] == [401, 401]
    again = laptop.run("keys", "revoke", "bot")
    assert again.code == 1
    assert again.output == "hamyon: there is no valid key named bot; see `hamyon keys list`\n"


def test_unknown_scopes_are_named(laptop: Terminal, service: Up) -> None:
    said = laptop.run("keys", "create", "other", "--scopes", "users,sky")
    assert said.code == 1
    assert said.output.startswith("hamyon: unknown scopes: sky; there are: ")


def test_audit_migrate_and_doctor(laptop: Terminal, service: Up) -> None:
    assert laptop.run("audit").output == "The money is sound: no finding.\n"
    assert laptop.run("migrate").output == "The database is at the newest version.\n"
    doctor = laptop.run("doctor")
    assert doctor.code == 0, doctor.output
    assert "taken" in doctor.output
    assert "runs on port" in doctor.output
    assert max(map(len, doctor.output.splitlines())) <= 80
    assert service.popen.poll() is None


def test_a_second_service_is_refused(laptop: Terminal, service: Up) -> None:
    said = laptop.run("up", PORT=str(free_port()))
    assert said.code == 1
    assert "already runs the database" in said.output
    assert "Traceback" not in said.output


def test_demo_uses_the_running_one(laptop: Terminal, service: Up) -> None:
    said = laptop.run("demo", "--size", "1024*1024", "--out", "pictures")
    assert said.code == 0, said.output
    assert len(list((laptop.folder / "pictures").glob("*.png"))) == 1


async def test_stopped_it_gives_the_database_back(laptop: Terminal, service: Up) -> None:
    home = Path(laptop.folder / "var")
    attached = await postgres.attach(home)
    assert attached is not None
    assert attached.application_dsn not in repr(attached)
    assert service.stop(signal.SIGINT).code == 0
    assert await postgres.attach(home) is None
    assert "at rest" in " ".join(laptop.run("doctor").output.replace("│", " ").split())
    assert laptop.run("keys", "list").code == 0


def test_it_ends_with_its_database(laptop: Terminal) -> None:
    up = laptop.up(free_port()).ready()
    servers = [
        child for child in psutil.Process(up.popen.pid).children() if child.name() == "postgres"
    ]
    for server in servers:
        server.kill()
    assert len(servers) == 1
    assert up.popen.wait(60) == 1
    assert "the embedded database ended by itself" in up.said()
