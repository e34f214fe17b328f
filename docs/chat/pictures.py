"""Makes the pictures of this folder: one story in three languages, clicked through in a browser.

    pip install playwright            # somewhere beside the project; and Debian's chromium
    PYTHONPATH=src python docs/chat/pictures.py [--language ru]

It starts `./run.sh up --sandbox` with an empty folder of its own, and walks: a referral link, a
picture from a photo, an empty balance, a top-up, a failure with the credits back, a question to
support and its answer by an operator.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from hamyon.kit.texts import Language, text

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OPERATOR, INVITER = 1, 5
PEOPLE: dict[Language, tuple[int, str]] = {
    "uz": (701, "Dilshod"),
    "ru": (702, "Анна"),
    "en": (703, "Emma"),
}
WISHES: dict[Language, tuple[str, str, str, str, str]] = {
    "en": (
        "make it a watercolour",
        "a fox reading by the fire",
        "a lighthouse in a storm",
        "Where did my last picture go?",
        "Good evening, Emma! It could not be made, so you paid nothing.",
    ),
    "ru": (
        "сделай акварелью",
        "лиса читает у камина",
        "маяк в шторм",
        "Куда делась моя последняя картинка?",
        "Добрый вечер, Анна! Она не получилась, и вы ничего не заплатили.",
    ),
    "uz": (
        "akvarelga aylantir",
        "olov yonida kitob oʻqiyotgan tulki",
        "boʻrondagi mayoq",
        "Oxirgi suratim qayerda?",
        "Assalomu alaykum, Dilshod! U chiqmadi, shuning uchun pul olinmadi.",
    ),
}
PHONE = {"width": 400, "height": 820}


@contextmanager
def service() -> Iterator[str]:
    """The sandbox's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        log = Path(home) / "said"
        with log.open("wb") as out:
            running = subprocess.Popen(
                [str(ROOT / "run.sh"), "up", "--sandbox"],
                env=os.environ | {"HAMYON_HOME": home, "PORT": str(port), "COLUMNS": "200"},
                stdout=out,
                stderr=out,
                cwd=ROOT,
                start_new_session=True,
            )
        try:
            for _ in range(600):
                found = re.search(r"(http://127\.0\.0\.1:\d+)/telegram/chat", log.read_text())
                if found:
                    break
                time.sleep(0.1)
            assert found, log.read_text()
            yield found[1]
        finally:
            os.killpg(running.pid, signal.SIGINT)
            running.wait(30)


def post(url: str, body: object, headers: dict[str, str] | None = None) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"content-type": "application/json", **(headers or {})}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


class Chat:
    """One person's page."""

    def __init__(self, browser: Browser, url: str, language: Language) -> None:
        self.language = language
        context = browser.new_context(
            viewport=PHONE, device_scale_factor=1.5, color_scheme="light", locale=language
        )
        self.page: Page = context.new_page()
        self.page.goto(url)
        self.shots: list[Path] = []

    def word(self, key: str, **facts: object) -> str:
        """The longest part of a phrase of the bot that has no fact in it."""
        parts = re.split(r"\{\w+\}|<[^>]+>", text(self.language, key, facts))
        return max(parts, key=len).strip()

    def say(self, words: str) -> None:
        self.page.fill("#text", words)
        self.page.press("#text", "Enter")

    def hears(self, words: str, *, timeout_s: float = 40) -> None:
        """Wait until the newest messages hold the words."""
        try:
            self._hears(words, timeout_s)
        except Exception:
            self.page.screenshot(path=Path(tempfile.gettempdir()) / "chat-failed.png")
            raise

    def _hears(self, words: str, timeout_s: float) -> None:
        self.page.wait_for_function(
            """words => [...document.querySelectorAll('.row.theirs')].slice(-4)
                .some(row => row.textContent.includes(words))""",
            arg=words,
            timeout=timeout_s * 1000,
        )

    def press(self, key: str) -> None:
        """The newest button with these words."""
        buttons = self.page.locator(".inline-keyboard button, .inline-keyboard a")
        buttons.filter(has_text=self.word(key)).last.click(timeout=30_000)

    def shot(self, name: str) -> None:
        self.page.wait_for_timeout(900)
        path = Path(tempfile.gettempdir()) / f"chat-{self.language}-{name}.png"
        self.page.screenshot(path=path)
        self.shots.append(path)


def story(browser: Browser, language: Language, sandbox: str) -> list[Path]:
    user_id, name = PEOPLE[language]
    first, second, third, question, answer = WISHES[language]
    page = f"{sandbox}/telegram/chat?lang={language}&theme=light"
    me = Chat(browser, f"{page}&user={user_id}&name={name}&start=ref_{INVITER}", language)
    me.page.click("#start-button")
    me.hears(me.word("people.start.invited"))
    me.shot("1-start")

    photo = next(ROOT.glob(".venv/lib/python3*/site-packages/skimage/data/chelsea.png"))
    me.page.set_input_files("#files", [str(photo)])
    me.page.fill("#caption", first) if me.page.locator("#caption").count() else None
    me.page.click("#attach-send")
    me.hears(me.word("picture.line_model")[2:])
    me.shot("2-panel")
    me.press("picture.button_create_free")
    me.hears(me.word("picture.was_free"))
    me.hears(me.word("picture.button_again")[2:])
    me.shot("3-picture")

    me.say(second)
    me.hears(me.word("people.doors.button_topup")[2:])
    me.shot("4-empty")
    me.say("/topup")
    me.hears(me.word("people.topup.choose"))
    me.page.locator(".inline-keyboard button").filter(has_text="70 ⭐").first.click()
    me.hears(me.word("people.topup.button_pay"))
    with me.page.context.expect_page() as opened:
        me.press("people.topup.button_pay")
    opened.value.locator("button").first.click()
    opened.value.wait_for_load_state()
    opened.value.close()
    me.hears("1000" if language == "en" else "000")
    me.shot("5-paid")

    rule = {"match": {"vendor": "wavespeed"}, "fault": {"kind": "failed"}}
    post(f"{sandbox}/_control/faults", {"rules": [rule]})
    me.say(third)
    me.hears(me.word("picture.line_model")[2:])
    me.press("picture.button_create")
    me.hears(me.word("generation.credits_back"))
    post_delete(f"{sandbox}/_control/faults")
    me.shot("6-back")

    team = Chat(browser, f"{page}&user={OPERATOR}&name=Team", language)
    team.say("/admin")
    team.page.wait_for_selector(".row.theirs .inline-keyboard")
    me.say("/support")
    me.hears(me.word("support.button_done")[2:])
    me.say(question)
    me.hears(me.word("support.received"))
    team.hears(question)
    team.press("support.button_reply")
    team.hears(team.word("support.ask_reply"))
    team.say(answer)
    team.hears(team.word("support.replied"))
    team.say("/admin_stats")
    team.page.wait_for_timeout(1500)
    me.hears(answer)
    me.shot("7-support")
    team.shot("8-operator")
    return me.shots + team.shots


def post_delete(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE")).read()


def sheet(shots: list[Path], path: Path) -> None:
    """Eight screens, four a row."""
    pictures = [Image.open(shot).convert("RGB") for shot in shots]
    width, height, gap = *pictures[0].size, 24
    whole = Image.new("RGB", (4 * width + 5 * gap, 2 * height + 3 * gap), (222, 228, 234))
    for number, picture in enumerate(pictures):
        whole.paste(
            picture,
            (gap + number % 4 * (width + gap), gap + number // 4 * (height + gap)),
        )
    whole.resize((whole.width * 2 // 3, whole.height * 2 // 3), Image.Resampling.LANCZOS).save(
        path, quality=82, optimize=True
    )


def main(languages: list[Language]) -> None:
    with service() as sandbox, sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        post(f"{sandbox}/telegram/chat/{INVITER}/start", {})
        post(f"{sandbox}/telegram/chat/{OPERATOR}/start", {})
        time.sleep(2)
        for language in languages:
            sheet(story(browser, language, sandbox), FOLDER / f"{language}.jpg")
        browser.close()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--language", choices=["uz", "ru", "en"])
    given = options.parse_args()
    main([given.language] if given.language else ["en", "ru", "uz"])
