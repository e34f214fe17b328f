"""``hamyon doctor`` on those who take money: what is missing, what answers, what is wrong."""

from __future__ import annotations

import pytest

from tests.cli.terminal import Terminal
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import BOT_TOKEN

PARTS = ("telegram", "stars", "yookassa")


def _rows(terminal: Terminal, **environment: str) -> dict[str, tuple[str, str]]:
    """State and sentence by part; a sentence may go over several lines of the table."""
    said = terminal.run("doctor", **environment)
    rows: dict[str, tuple[str, str]] = {}
    name = ""
    for line in said.output.splitlines():
        cells = [cell.strip() for cell in line.split("│")[1:-1]]
        if len(cells) != 3:
            continue
        name = cells[0] or name
        state, sentence = rows.get(name, ("", ""))
        rows[name] = (state or cells[1], f"{sentence} {cells[2]}".strip())
    assert set(PARTS) <= rows.keys(), said.output
    return rows


@pytest.fixture
def vendors(sandbox: Sandbox) -> dict[str, str]:
    """Settings that lead to the sandbox."""
    return {
        "BOT_TOKEN": BOT_TOKEN,
        "TELEGRAM_API_BASE_URL": sandbox.url,
        "YOOKASSA_SHOP_ID": sandbox.yookassa_shop_id,
        "YOOKASSA_SECRET_KEY": sandbox.yookassa_secret_key,
        "YOOKASSA_API_BASE_URL": sandbox.url,
    }


async def test_who_answers(terminal: Terminal, vendors: dict[str, str]) -> None:
    rows = _rows(terminal, **vendors)
    assert rows["telegram"] == ("ok", "@hamyon_sandbox_bot, updates by polling")
    assert rows["stars"] == ("ok", "answers; takes XTR")
    assert rows["yookassa"] == ("ok", "answers; takes RUB")


async def test_what_is_missing(terminal: Terminal) -> None:
    rows = _rows(terminal)
    assert {rows[part][0] for part in PARTS} == {"note"}
    assert "BOT_TOKEN is not set" in rows["telegram"][1]
    assert "BOT_TOKEN is not set" in rows["stars"][1]
    assert "YOOKASSA_SHOP_ID and YOOKASSA_SECRET_KEY are not set" in rows["yookassa"][1]


async def test_what_is_wrong(terminal: Terminal, vendors: dict[str, str]) -> None:
    wrong = {
        "BOT_TOKEN": "777001:unknown-token-0123456789abcdefghijk",
        "YOOKASSA_SECRET_KEY": "another-key",
    }
    rows = _rows(terminal, **vendors | wrong)
    assert {rows[part][0] for part in PARTS} == {"bad"}
    assert "Unauthorized" in rows["telegram"][1]
    assert "key is refused" in rows["yookassa"][1]
    assert "unknown-token" not in str(rows)


async def test_half_a_shop_and_another_bot(terminal: Terminal, vendors: dict[str, str]) -> None:
    changed = {"TELEGRAM_BOT_USERNAME": "other_bot", "STARS_ENABLED": "false"}
    del vendors["YOOKASSA_SECRET_KEY"]
    rows = _rows(terminal, **vendors | changed)
    assert rows["telegram"][0] == "bad"
    assert "@hamyon_sandbox_bot" in rows["telegram"][1]
    assert rows["stars"][0] == "note"
    assert rows["yookassa"] == (
        "bad",
        "YOOKASSA_SECRET_KEY is not set, the other half of the key is",
    )


async def test_a_webhook_that_telegram_cannot_reach(
    terminal: Terminal, vendors: dict[str, str]
) -> None:
    rows = _rows(terminal, **vendors, BOT_MODE="webhook")
    assert rows["telegram"][0] == "bad"
    assert "https://" in rows["telegram"][1]
