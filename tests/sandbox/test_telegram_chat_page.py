"""What people see of their chats in the simulated Telegram, who they are, and the page itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiogram.exceptions import TelegramForbiddenError
from aiogram.types import (
    BotCommand,
    CopyTextButton,
    InlineKeyboardButton,
    KeyboardButton,
    MenuButtonWebApp,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    WebAppInfo,
)
from aiogram.utils.web_app import safe_parse_webapp_init_data

from sandbox.telegram.chat_page import STATIC
from sandbox.telegram.settings import DEFAULT_TOKEN
from tests.fixtures.sandbox import Sandbox
from tests.sandbox.telegram_people import (
    EVIL,
    OTHER_TOKEN,
    PATIENCE_S,
    Person,
    PollingBot,
    key,
    keyboard,
    polling_bot,
)


@pytest.fixture
async def person(sandbox: Sandbox) -> AsyncIterator[Person]:
    async with aiohttp.ClientSession(sandbox.url) as session:
        yield Person(session)


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[PollingBot]:
    async with polling_bot(sandbox.url, DEFAULT_TOKEN) as polling:
        yield polling


async def test_a_screen_waits_for_news(person: Person, bot: PollingBot) -> None:
    assert (await person.looks())["is_whole"] is True
    sent = await bot.api.send_message(777, "One")
    await bot.api.send_message(777, "Two")
    first = await person.looks(PATIENCE_S)
    assert first["is_whole"] is False
    assert [one["message"]["text"] for one in first["messages"]] == ["One", "Two"]
    waiting = asyncio.create_task(person.looks(PATIENCE_S))
    await asyncio.sleep(0)
    await bot.api.edit_message_text("Uno", chat_id=777, message_id=sent.message_id)
    edited = await waiting
    assert [one["message"]["text"] for one in edited["messages"]] == ["Uno"]
    assert "edit_date" in edited["messages"][0]["message"]
    await bot.api.delete_message(777, sent.message_id)
    await bot.api.send_chat_action(777, "typing")
    last = await person.looks()
    assert (last["messages"], last["deleted"]) == ([], [sent.message_id])
    assert last["action"]["name"] == "typing"
    await bot.api.send_chat_action(777, "cancel")
    assert (await person.looks())["action"] is None
    ahead = await person.screen(f"version={last['version'] + 9}")
    assert (ahead["is_whole"], len(ahead["messages"])) == (True, 1)
    whole = await person.screen()
    assert [one["message"]["text"] for one in whole["messages"]] == ["Two"]
    assert whole["deleted"] == []


async def test_a_screen_without_news_waits_no_longer_than_it_asked(person: Person) -> None:
    await person.looks()
    assert (await person.looks(0.01))["messages"] == []


async def test_after_a_reset_a_screen_begins_anew(
    person: Person, bot: PollingBot, sandbox: Sandbox
) -> None:
    await person.does("text", text="One")
    await person.looks()
    waiting = asyncio.create_task(person.looks(PATIENCE_S))
    await asyncio.sleep(0.05)
    await sandbox.reset()
    told = await asyncio.wait_for(waiting, PATIENCE_S)
    assert (told["is_whole"], told["messages"]) == (True, [])
    await person.does("text", text="Two")
    before = person.seen
    await sandbox.reset()
    await person.does("text", text="Three")
    # The version may be the same as before the reset; the memory is another one.
    anew = await person.screen(before)
    assert [one["message"]["text"] for one in anew["messages"]] == ["Three"]
    assert await bot.news()


async def test_the_bots_keyboard_and_commands(person: Person, bot: PollingBot) -> None:
    keys = ReplyKeyboardMarkup(keyboard=[[KeyboardButton(text="Create")]], resize_keyboard=True)
    await bot.api.send_message(777, "Keys", reply_markup=keys)
    await bot.api.set_my_commands([BotCommand(command="start", description="Begin")])
    russian = [BotCommand(command="start", description="Начать")]
    await bot.api.set_my_commands(russian, language_code="ru")
    screen = await person.looks()
    assert screen["keyboard"]["keyboard"] == [[{"text": "Create"}]]
    assert screen["bot"]["commands"] == [{"command": "start", "description": "Begin"}]
    await person.does("person", language_code="ru-RU")
    commands = (await person.looks())["bot"]["commands"]
    assert commands == [{"command": "start", "description": "Начать"}]
    await bot.api.send_message(777, "Gone", reply_markup=ReplyKeyboardRemove())
    assert (await person.looks())["keyboard"] is None


async def test_who_a_person_is(person: Person, bot: PollingBot) -> None:
    told = await person.does("person", first_name="Дилшод", username="dilshod", language_code="uz")
    assert (told["first_name"], told["username"], told["stars"]) == ("Дилшод", "dilshod", 1_000_000)
    await person.does("text", text="Salom")
    await person.does("person", username=None)
    await person.does("text", text="Xayr")
    first, second = [update.message for update in await bot.news()]
    assert first is not None
    assert second is not None
    assert first.from_user is not None
    assert second.from_user is not None
    assert (first.from_user.full_name, first.from_user.language_code) == ("Дилшод", "uz")
    assert (first.chat.username, second.from_user.username) == ("dilshod", None)
    assert (await person.looks())["person"]["first_name"] == "Дилшод"
    for bad in ({"first_name": ""}, {"username": "1x"}, {"language_code": "<b>"}, {"id": 1}):
        assert ": " in await person.refused("person", **bad)


async def test_a_test_changes_a_person(person: Person, bot: PollingBot) -> None:
    order = {"id": 777, "first_name": "Olim", "last_name": "Karimov", "is_deactivated": True}
    async with person.session.post("/telegram/person", json=order) as answer:
        assert answer.status == 200
        assert (await answer.json())["person"]["last_name"] == "Karimov"
    with pytest.raises(TelegramForbiddenError, match="user is deactivated"):
        await bot.api.send_message(777, "Hello?")
    assert await person.refused("text", text="Hello?") == "This account is deleted."
    async with person.session.post(
        "/telegram/person", json={"id": 777, "is_deactivated": False}
    ) as answer:
        assert answer.status == 200
    await person.does("text", text="Back")
    message = (await bot.next()).message
    assert message is not None
    assert message.from_user is not None
    assert message.from_user.full_name == "Olim Karimov"
    for bad in ({"first_name": "x"}, {"id": 0}, {"id": 2**52}, {"id": 1, "stars": 5}):
        async with person.session.post("/telegram/person", json=bad) as answer:
            assert answer.status == 400


async def test_a_token_chooses_the_bot(person: Person, bot: PollingBot, sandbox: Sandbox) -> None:
    await person.does("text", text="Before")
    await person.looks()
    bots = [{"token": DEFAULT_TOKEN}, {"token": OTHER_TOKEN, "username": "other_bot"}]
    await sandbox.vendor_settings("telegram", bots=bots)
    anew = await person.looks()
    assert (anew["is_whole"], anew["messages"]) == (True, [])
    await person.does(f"text?token={OTHER_TOKEN}", text="To the other")
    async with polling_bot(sandbox.url, OTHER_TOKEN) as other:
        assert len(await other.news()) == 1
    assert await bot.news() == []
    screen = await person.screen(f"version=0&token={OTHER_TOKEN}")
    assert (screen["bot"]["username"], len(screen["messages"])) == ("other_bot", 1)
    assert await person.refused("text?token=1:x", text="?") == "There is no such bot."


async def test_what_is_written_stays_text(person: Person, bot: PollingBot) -> None:
    await person.does("person", first_name=EVIL[:60])
    await person.does("text", text=EVIL)
    await bot.api.send_message(
        777,
        EVIL,
        reply_markup=keyboard(
            [key(EVIL, "x"), InlineKeyboardButton(text="c", copy_text=CopyTextButton(text=EVIL))]
        ),
    )
    async with person.session.get("/telegram/chat/777/state?version=0") as answer:
        assert answer.content_type == "application/json"
        told = await answer.json()
    assert [one["message"]["text"] for one in told["messages"]] == [EVIL, EVIL]
    assert told["person"]["first_name"] == EVIL[:60]


def _scripts() -> dict[str, str]:
    return {path.name: path.read_text() for path in STATIC.glob("*.js")}


async def test_the_page_and_its_parts(person: Person) -> None:
    async with person.session.get("/telegram/chat?user=777&lang=ru&start=ref_5") as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
        assert answer.content_type == "text/html"
    assert "this is not Telegram" in page
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert not re.search(r"\son\w+=|<style|\sstyle=|https?://|javascript:", page)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]
    parts = re.findall(r"/telegram/chat/static/[a-z.]+", page)
    for name in _scripts():
        parts.append(f"/telegram/chat/static/{name}")
    for part in parts:
        async with person.session.get(part) as answer:
            assert answer.status == 200, part
            assert answer.content_type in {"text/css", "text/javascript"}
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for name in ("none.js", "..%2fpeople.py", "%2e%2e%2fpeople.py"):
        async with person.session.get(f"/telegram/chat/static/{name}") as answer:
            assert answer.status == 404


def test_scripts_make_nodes_out_of_text_only() -> None:
    """Nothing that anybody has written can become HTML, a script or a dangerous link."""
    scripts = _scripts()
    assert len(scripts) >= 4
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|"
        r"createContextualFragment|setHTML|\beval\b|new Function|setAttribute\(\"on"
    )
    for name, script in scripts.items():
        assert not re.search(forbidden, script), name
        assert not re.search(r"import .* from \"(?!\./)", script), name
    # Links get an address in two places, both behind the check of its scheme.
    safe = scripts["entities.js"]
    assert re.findall(r"SAFE_LINKS = new Set\(\[(.*?)\]", safe) == [
        '"http:", "https:", "mailto:", "tel:", "tg:"'
    ]
    for name, script in scripts.items():
        for made in re.findall(r"\.href = (.+);", script):
            assert made in {"url.href", "fileAddress(file.file_id, acts.query)"}, name
        for opened in re.findall(r"window\.open\((.+?),", script):
            assert opened.startswith(("url.href", "addressWith(")), name


async def test_a_mini_app_opens_as_the_person(person: Person, bot: PollingBot) -> None:
    address = "https://app.example/start?tab=1"
    await person.does("person", first_name="Дилшод & co", language_code="uz")
    button = InlineKeyboardButton(text="Open", web_app=WebAppInfo(url=address))
    sent = await bot.api.send_message(777, "App", reply_markup=keyboard([button]))
    opened = (await person.does("app", url=address))["url"]
    assert opened.startswith(f"{address}#tgWebAppData=")
    given = parse_qs(urlsplit(opened).fragment)["tgWebAppData"][0]
    told = safe_parse_webapp_init_data(DEFAULT_TOKEN, given)
    assert told.user is not None
    assert (told.user.id, told.user.first_name, told.user.language_code) == (
        777,
        "Дилшод & co",
        "uz",
    )
    with pytest.raises(ValueError):
        safe_parse_webapp_init_data(OTHER_TOKEN, given)
    gone = "The chat has no button for this app any more."
    assert await person.refused("app", url="https://other.example/") == gone
    await bot.api.delete_message(777, sent.message_id)
    assert await person.refused("app", url=address) == gone
    menu = MenuButtonWebApp(text="App", web_app=WebAppInfo(url="https://menu.example/"))
    await bot.api.set_chat_menu_button(menu_button=menu)
    shown = (await person.looks())["bot"]["menu_button"]
    assert (shown["text"], shown["web_app"]["url"]) == ("App", "https://menu.example/")
    await person.does("app", url="https://menu.example/")


async def test_what_makes_no_sense_is_refused_in_a_sentence(person: Person) -> None:
    base = "/telegram/chat/777"
    for path in (f"{base}/state?version=x", f"{base}/state?wait_s=x"):
        async with person.session.get(path) as answer:
            told = await answer.json()
            assert (answer.status, told["error"]) == (400, "version and wait_s are numbers.")
    async with person.session.post(f"{base}/text", data=b"{") as answer:
        assert answer.status == 400
        assert (await answer.json())["error"].startswith("Invalid JSON")
    async with person.session.get(f"/telegram/chat/{2**52}/state") as answer:
        told = await answer.json()
        assert (answer.status, told["error"]) == (400, "There is no such person.")
    files = [("a.txt", b"x", "text/plain")]
    status, told = await person.uploads("document", files, reply_to="x")
    assert (status, told["error"]) == (400, "reply_to is the number of a message.")
    async with person.session.post(f"{base}/photo", data={"file": "x"}) as answer:
        assert (await answer.json())["error"] == "Send the files as files."
    assert (await person.looks())["messages"] == []
