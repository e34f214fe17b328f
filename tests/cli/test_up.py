"""``hamyon up`` starts, says what is wrong in one sentence, and stops cleanly."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time

import psutil
import pytest

from hamyon.cli.parts import free_port
from tests.cli.terminal import READY_S, Terminal, Up

RSS_MB_MAX = 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(terminal: Terminal, number: signal.Signals) -> None:
    up = terminal.up(free_port()).ready()
    said = up.stop(number)
    assert said.code == 0, said.output
    assert said.output.rstrip().endswith("work in hand is finished first.")
    assert "Traceback" not in said.output
    assert f"{up.url}/docs" in said.output


def test_the_sandbox_goes_with_it(terminal: Terminal) -> None:
    up = terminal.up(free_port(), "--sandbox").ready()
    children = psutil.Process(up.popen.pid).children(recursive=True)
    assert any("sandbox" in child.cmdline() for child in children)
    said = up.stop(signal.SIGINT)
    assert said.code == 0, said.output
    assert "wavespeed" in said.output
    assert not any(child.is_running() for child in children)


def test_what_it_prints_buys_credits(terminal: Terminal) -> None:
    """Its own lines, run one by one; then a click on each link that they give."""
    up = terminal.up(free_port(), "--sandbox").ready()
    lines = _curl_lines(up)
    asked = [json.loads(_shell(line)) for line in lines if "/payments/" in line or "/sync" in line]
    assert asked[0]["telegram_id"] == 777
    invoice, checkout = asked[1:]
    paid = json.loads(
        _shell(f"curl -s -H 'Accept: application/json' -d user=777 {invoice['invoice_link']}")
    )
    assert paid["ok"], paid
    _shell(f"curl -s -o /dev/null -d action=pay {checkout['payment_url']}")
    key = (terminal.folder / "var" / "api_key").read_text().strip()
    look = f"curl -s '{up.url}/api/v1/users/777/balance?asset=credit' -H 'api-key: {key}'"
    deadline = time.monotonic() + READY_S
    while json.loads(_shell(look))["balance"] != 2000:
        assert time.monotonic() < deadline, up.said()
        time.sleep(0.2)
    assert up.stop(signal.SIGINT).code == 0, up.said()


def test_the_sandbox_has_a_chat_to_open(terminal: Terminal) -> None:
    """The page that it names is there, and the bot answers who writes to it."""
    up = terminal.up(free_port(), "--sandbox").ready()
    _curl_lines(up)
    deadline = time.monotonic() + READY_S
    while not (pages := re.findall(r"http://\S+/telegram/chat\?user=\d+", up.said())):
        assert time.monotonic() < deadline, up.said()
        time.sleep(0.05)
    person, operator = pages
    assert "<html" in _shell(f"curl -sf '{person}'")
    chat = operator.replace("?user=", "/")
    _shell(
        f"curl -sf {chat}/text -H 'content-type: application/json' -d '{{\"text\": \"/admin\"}}'"
    )
    while "admin_stats" not in _shell(f"curl -sf {chat}/state"):
        assert time.monotonic() < deadline, up.said()
        time.sleep(0.2)
    assert up.stop(signal.SIGINT).code == 0, up.said()


def _curl_lines(up: Up) -> list[str]:
    deadline = time.monotonic() + READY_S
    while "Ctrl-C" not in up.said():
        assert time.monotonic() < deadline, up.said()
        time.sleep(0.05)
    whole = up.said().replace("\\\n", " ").splitlines()
    return [line for line in whole if line.startswith("curl ")]


def _shell(line: str) -> str:
    done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=30, check=True)
    return done.stdout.decode()


def test_without_a_vendor_nothing_is_for_sale(terminal: Terminal) -> None:
    up = terminal.up(free_port()).ready()
    lines = _curl_lines(up)
    assert any("/generations/submit" in line for line in lines)
    assert not any("/payments/" in line for line in lines)


def test_a_bot_needs_a_token(terminal: Terminal) -> None:
    said = terminal.run("bot")
    assert said.code == 1
    assert said.output.startswith("hamyon: BOT_TOKEN is not set")


def test_an_idle_one_is_small(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    up = terminal.up(free_port()).ready()
    root = psutil.Process(up.popen.pid)
    tree = [root, *root.children(recursive=True)]
    rss_mb = sum(process.memory_info().rss for process in tree) / (1 << 20)
    with capsys.disabled():
        print(f"\nidle `hamyon up` without PostgreSQL: {rss_mb:.0f} MB in {len(tree)} processes")
    assert rss_mb < RSS_MB_MAX


def test_a_taken_port_is_said(terminal: Terminal) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        said = terminal.run("up", PORT=port)
    assert said.code == 1
    assert said.output == (
        f"hamyon: cannot listen on 127.0.0.1:{port} (Address already in use); "
        "stop what uses the port, or set PORT to another one\n"
    )


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"LOG_LEVEL": "LOUD", "TIMEZONE": "Mars/Base"}, "\n  TIMEZONE: 'Mars/Base' is no time"),
        ({"JWT_SECRET": "short"}, "JWT_SECRET must have at least 32 bytes"),
        ({"WORKER_LEASE_S": "5"}, "WORKER_LEASE_S must be at least 10 s longer"),
        ({"STORAGE_URL": "ftp://files"}, "STORAGE_URL must look like s3://bucket/prefix"),
        ({"ENVIRONMENT": "production"}, "JWT_SECRET is missing"),
        ({"DATABASE_URL": "postgresql://x:y@127.0.0.1:1/z"}, "DATABASE_URL cannot be used"),
        ({"DATABASE_URL": "http://127.0.0.1/z"}, "DATABASE_URL cannot be used"),
        (
            {"DATABASE_URL": "postgresql://x:y@127.0.0.1:1/z", "RUN_MIGRATIONS": "true"},
            "The database does not answer",
        ),
        (
            {"BOT_TOKEN": "1:x", "BOT_MODE": "webhook", "PUBLIC_URL": "http://pay.example"},
            "BOT_MODE=webhook needs a PUBLIC_URL that starts with https://",
        ),
        ({"HAMYON_HOME": "/dev/null/var"}, "let HAMYON_HOME name another folder"),
    ],
)
def test_what_can_be_foreseen_is_one_sentence(
    terminal: Terminal, environment: dict[str, str], sentence: str
) -> None:
    said = terminal.run("up", **{"PORT": "0", **environment})
    assert said.code == 1, said.output
    assert said.output.startswith("hamyon: ")
    assert sentence in said.output
    assert "Traceback" not in said.output


def test_a_database_without_tables_is_said(terminal: Terminal) -> None:
    empty = terminal.environment["DATABASE_URL"].rpartition("/")[0] + "/postgres"
    said = terminal.run("up", PORT="0", DATABASE_URL=empty)
    assert said.code == 1, said.output
    assert "run `hamyon migrate`" in said.output


def test_no_simulators_in_production(terminal: Terminal) -> None:
    said = terminal.run("up", "--sandbox", PORT="0", ENVIRONMENT="production")
    assert said.code == 1, said.output
    assert "--sandbox" in said.output
    assert "Traceback" not in said.output
