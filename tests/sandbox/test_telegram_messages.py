"""Texts, buttons, edits and what else a bot does in a chat, as aiogram and as plain calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import orjson
import pytest
from aiogram import Bot
from aiogram.enums import ParseMode
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    CopyTextButton,
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    LinkPreviewOptions,
    MenuButtonDefault,
    MenuButtonWebApp,
    Message,
    MessageEntity,
    ReactionTypeEmoji,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    ReplyParameters,
    TelegramObject,
    WebAppInfo,
)
from aiogram.utils.text_decorations import html_decoration, markdown_decoration
from hypothesis import given
from hypothesis import strategies as st

from sandbox.telegram.edits import NOT_MODIFIED
from sandbox.telegram.entities import EntityError, tidy, units
from sandbox.telegram.html_parser import parse_html
from sandbox.telegram.markdown_parser import parse_markdown
from sandbox.telegram.stars import QUERY_TOO_OLD
from tests.fixtures.sandbox import Sandbox
from tests.sandbox.telegram import INVOICE, BotClient, bot_client, peer_bot

ALI = 42
MENU = InlineKeyboardMarkup(
    inline_keyboard=[
        [
            InlineKeyboardButton(text="Make", callback_data="make:1"),
            InlineKeyboardButton(text="Site", url="https://example.org/a?b=c"),
        ],
        [
            InlineKeyboardButton(text="App", web_app=WebAppInfo(url="https://example.org/app")),
            InlineKeyboardButton(text="Share", switch_inline_query=""),
            InlineKeyboardButton(text="Copy", copy_text=CopyTextButton(text="promo")),
        ],
    ]
)


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[BotClient]:
    async with bot_client(sandbox) as client:
        yield client


@pytest.fixture
async def peer(sandbox: Sandbox) -> AsyncIterator[Bot]:
    async with peer_bot(sandbox) as client:
        yield client


def entities(message: Message) -> list[tuple[str, str]]:
    """Each entity with the words that it is about, cut out by aiogram."""
    assert message.text is not None
    return [(one.type, one.extract_from(message.text)) for one in message.entities or []]


def plain(*models: TelegramObject | None) -> list[dict[str, object]]:
    """What they say, without the bot that aiogram ties them to."""
    return [one.model_dump(exclude_none=True) for one in models if one is not None]


async def test_html_becomes_entities(peer: Bot) -> None:
    text = (
        "😀<b>bold <i>both</i></b> <u>u</u> <s>s</s> <tg-spoiler>sp</tg-spoiler> "
        '<code>1&lt;2</code> <pre><code class="language-python">x = "😀"</code></pre>'
        '<a href="https://example.org/?a=1&amp;b=2">link</a> <a href="tg://user?id=7">Vali</a>'
        " <blockquote expandable>long</blockquote> <B>big</B>"
    )
    message = await peer.send_message(ALI, text, parse_mode=ParseMode.HTML)
    assert message.text == ('😀bold both u s sp 1<2 x = "😀"link Vali long big')
    assert entities(message) == [
        ("bold", "bold both"),
        ("italic", "both"),
        ("underline", "u"),
        ("strikethrough", "s"),
        ("spoiler", "sp"),
        ("code", "1<2"),
        ("pre", 'x = "😀"'),
        ("text_link", "link"),
        ("text_mention", "Vali"),
        ("expandable_blockquote", "long"),
        ("bold", "big"),
    ]
    found = {one.type: one for one in message.entities or []}
    assert found["pre"].language == "python"
    assert found["text_link"].url == "https://example.org/?a=1&b=2"
    user = found["text_mention"].user
    assert user is not None
    assert user.id == 7


async def test_markdown_becomes_entities(peer: Bot) -> None:
    text = (
        "*bold _both_* __u__ ~s~ ||sp|| `c` [link](https://example.org/\\)) 1\\.5\n"
        "```python\nx\n```\n>quoted\n>more\nend"
    )
    message = await peer.send_message(ALI, text, parse_mode=ParseMode.MARKDOWN_V2)
    assert message.text == "bold both u s sp c link 1.5\nx\n\nquoted\nmore\nend"
    assert entities(message) == [
        ("bold", "bold both"),
        ("italic", "both"),
        ("underline", "u"),
        ("strikethrough", "s"),
        ("spoiler", "sp"),
        ("code", "c"),
        ("text_link", "link"),
        ("pre", "x\n"),
        ("blockquote", "quoted\nmore\n"),
    ]


NESTABLE = ("bold", "italic", "underline", "strikethrough", "spoiler")
WORDS = st.text(st.sampled_from("abЎ😀<>&\"'*_~|`\\[](){}.!#+-=1"), min_size=1, max_size=6)


@st.composite
def formatted(draw: st.DrawFn) -> tuple[str, list[MessageEntity]]:
    """A text with entities within entities, none of a kind within its own."""
    pieces: list[str] = []
    entities: list[MessageEntity] = []

    def put(kinds: tuple[str, ...]) -> None:
        start = sum(map(units, pieces))
        pieces.append(draw(WORDS))
        if draw(st.booleans()) and kinds:
            put(kinds[1:])
            pieces.append(draw(WORDS))
        kind = kinds[0] if kinds else "code"
        if draw(st.booleans()):
            length = sum(map(units, pieces)) - start
            entities.append(MessageEntity(type=kind, offset=start, length=length))

    for _ in range(draw(st.integers(1, 3))):
        put(draw(st.permutations(NESTABLE).map(tuple)))
        pieces.append(" ,")
    return "".join(pieces), entities


@given(formatted())
def test_what_aiogram_writes_is_read_back(told: tuple[str, list[MessageEntity]]) -> None:
    """Its decorations turn entities into HTML and MarkdownV2; both parsers find the same again."""
    text, entities = told
    wanted = sorted((one.type, one.offset, one.length) for one in entities)
    for parse, decoration in ((parse_html, html_decoration), (parse_markdown, markdown_decoration)):
        shown = tidy(*parse(decoration.unparse(text, entities)))
        assert shown.text == text
        assert sorted((one.type, one.offset, one.length) for one in shown.entities) == wanted


@given(st.text(st.sampled_from("<>/abiu =\"'&;#x1*_~|`[]()!\\\n\r😀-ў"), max_size=40))
def test_no_text_breaks_a_parser(source: str) -> None:
    """It is refused in words, or its entities lie within what is shown."""
    for parse in (parse_html, parse_markdown):
        with suppress(EntityError):
            shown = tidy(*parse(source))
            assert shown.text == shown.text.strip()
            assert all(0 <= one.offset < one.end <= units(shown.text) for one in shown.entities)


@pytest.mark.parametrize(
    ("mode", "text", "told"),
    [
        ("HTML", "ў<x>y</x>", 'Unsupported start tag "x" at byte offset 2'),
        ("HTML", "<b>y", 'Can\'t find end tag corresponding to start tag "b"'),
        ("HTML", "y</b>", "Unexpected end tag at byte offset 1"),
        (
            "html",
            "<b><i>y</b></i>",
            'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"',
        ),
        ("HTML", "1 < 2", 'Unsupported start tag "" at byte offset 2'),
        ("HTML", "a<b", "Unclosed start tag at byte offset 1"),
        ("HTML", "<b x", 'Unclosed start tag "b" at byte offset 0'),
        ("HTML", "<b></b", "Unclosed end tag at byte offset 3"),
        ("HTML", '<a href="x', "Unclosed start tag at byte offset 0"),
        (
            "HTML",
            "<span class='x'>y</span>",
            'Tag "span" must have class "tg-spoiler" at byte offset 0',
        ),
        (
            "MarkdownV2",
            "1.5",
            "Character '.' is reserved and must be escaped with the preceding '\\'",
        ),
        ("MarkdownV2", "ў *y", "Can't find end of Bold entity at byte offset 3"),
        ("MarkdownV2", "[y](http://a.b", "Can't find end of a URL at byte offset 4"),
    ],
)
async def test_bad_entities(bot: BotClient, mode: str, text: str, told: str) -> None:
    answer = await bot.call("sendMessage", chat_id=ALI, text=text, parse_mode=mode)
    assert answer.refusal == (400, f"Bad Request: can't parse entities: {told}")
    assert await bot.sent() == []


async def test_the_limit_is_on_what_is_shown(bot: BotClient) -> None:
    """Tags do not count; the 4096 are UTF-16 units of the parsed text."""
    longest = "<b>" + "😀" * 2048 + "</b>"
    message = (await bot.call("sendMessage", chat_id=ALI, text=longest, parse_mode="HTML")).result
    assert message["entities"] == [{"offset": 0, "length": 4096, "type": "bold"}]
    for text, told in (
        (longest + "x", "message is too long"),
        ("x" * 4097, "message is too long"),
        ("x" * 32_769, "text is too long"),
        ("<b> </b>", "message text is empty"),
        ("", "message text is empty"),
    ):
        answer = await bot.call("sendMessage", chat_id=ALI, text=text, parse_mode="HTML")
        assert answer.refusal == (400, f"Bad Request: {told}")
    answer = await bot.call("sendMessage", chat_id=ALI, text="x", parse_mode="BBCode")
    assert answer.refusal == (400, "Bad Request: unsupported parse_mode")


async def test_blanks_are_cut_off_and_entities_move(bot: BotClient) -> None:
    sent = await bot.call(
        "sendMessage",
        chat_id=ALI,
        text=" \n hello ",
        entities=[
            {"type": "bold", "offset": 0, "length": 9},
            {"type": "code", "offset": 0, "length": 2},
        ],
    )
    assert sent.result["text"] == "hello"
    assert sent.result["entities"] == [{"offset": 0, "length": 5, "type": "bold"}]


async def test_every_kind_of_button(peer: Bot) -> None:
    message = await peer.send_message(
        ALI,
        "https://example.org",
        reply_markup=MENU,
        link_preview_options=LinkPreviewOptions(is_disabled=True),
    )
    assert plain(message.reply_markup) == plain(MENU)
    assert message.link_preview_options is not None
    assert message.link_preview_options.is_disabled is True
    for keyboard in (
        ReplyKeyboardMarkup(keyboard=[[KeyboardButton(text="Menu")]], resize_keyboard=True),
        ForceReply(input_field_placeholder="Say"),
        ReplyKeyboardRemove(),
    ):
        message = await peer.send_message(ALI, "typing", reply_markup=keyboard)
        assert message.reply_markup is None
        with pytest.raises(TelegramBadRequest, match="message can't be edited"):
            await message.edit_text("other")


def inline(**button: object) -> dict[str, object]:
    return {"inline_keyboard": [[{"text": "x", **button}]]}


@pytest.mark.parametrize(
    ("markup", "told"),
    [
        (inline(callback_data="ў" * 32 + "x"), "BUTTON_DATA_INVALID"),
        (inline(url="example"), "BUTTON_URL_INVALID"),
        (inline(url="ftp://example.org"), "BUTTON_URL_INVALID"),
        (inline(web_app={"url": "http://example.org"}), "BUTTON_URL_INVALID"),
        (inline(pay=True), "BUTTON_TYPE_INVALID"),
        (inline(copy_text={"text": ""}), "BUTTON_COPY_TEXT_INVALID"),
        (
            inline(),
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        (
            inline(text="", callback_data="x"),
            "inline keyboard button text must be non-empty",
        ),
        (
            {"inline_keyboard": [[{"callback_data": "x"}]]},
            "can't parse inline keyboard button: Can't find field \"text\"",
        ),
        (
            {"inline_keyboard": [{}]},
            'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays',
        ),
        (
            {"inline_keyboard": [[{"text": "x", "callback_data": "x"}] * 8] * 13},
            "reply markup is too long",
        ),
        ({"keyboard": [[""]]}, "keyboard button text must be non-empty"),
        (
            {"keyboard": [[7]]},
            "can't parse keyboard button: KeyboardButton must be a String or an Object",
        ),
        ("{", "can't parse reply keyboard markup JSON object"),
        ([], "object expected as reply markup"),
    ],
)
async def test_bad_markup(bot: BotClient, markup: object, told: str) -> None:
    answer = await bot.call("sendMessage", chat_id=ALI, text="x", reply_markup=markup)
    assert answer.refusal == (400, f"Bad Request: {told}")
    assert await bot.sent() == []


async def test_the_longest_button(bot: BotClient) -> None:
    for button in (
        {"callback_data": "ў" * 32},
        {"web_app": {"url": "http://127.0.0.1:8000/app"}},
        {"url": "tg://resolve?domain=x"},
    ):
        markup = inline(**button)
        sent = await bot.call("sendMessage", chat_id=ALI, text="x", reply_markup=markup)
        assert sent.result["reply_markup"] == markup


async def test_an_invoice_has_its_button_first(bot: BotClient) -> None:
    sent = (await bot.call("sendInvoice", chat_id=ALI, **INVOICE)).result
    assert sent["reply_markup"]["inline_keyboard"][0][0]["pay"] is True
    other = {"text": "Other", "callback_data": "other"}
    markup = {"inline_keyboard": [[{"text": "Buy", "pay": True}], [other]]}
    sent = (await bot.call("sendInvoice", chat_id=ALI, **INVOICE, reply_markup=markup)).result
    assert sent["reply_markup"] == markup
    wrong = await bot.call(
        "sendInvoice", chat_id=ALI, **INVOICE, reply_markup=inline(callback_data="x")
    )
    assert wrong.refusal == (400, "Bad Request: REPLY_MARKUP_BUY_EMPTY")


async def test_replies(peer: Bot, bot: BotClient) -> None:
    first = await peer.send_message(ALI, "first")
    second = await first.reply("second")
    assert second.reply_to_message is not None
    assert second.reply_to_message.text == "first"
    third = await second.reply("third")
    assert third.reply_to_message is not None
    assert third.reply_to_message.reply_to_message is None
    gone = ReplyParameters(message_id=999)
    with pytest.raises(TelegramBadRequest, match="Bad Request: message to be replied not found"):
        await peer.send_message(ALI, "x", reply_parameters=gone)
    gone = ReplyParameters(message_id=999, allow_sending_without_reply=True)
    assert (await peer.send_message(ALI, "x", reply_parameters=gone)).reply_to_message is None
    old = await bot.call("sendMessage", chat_id=ALI, text="x", reply_to_message_id=first.message_id)
    assert old.result["reply_to_message"]["text"] == "first"


async def test_a_text_is_edited(peer: Bot) -> None:
    message = await peer.send_message(ALI, "one", reply_markup=MENU)
    edited = await message.edit_text("<b>two</b>", parse_mode=ParseMode.HTML, reply_markup=MENU)
    assert isinstance(edited, Message)
    assert (edited.message_id, edited.text, entities(edited)) == (
        message.message_id,
        "two",
        [("bold", "two")],
    )
    assert edited.edit_date is not None
    for text in ("<b>two</b>", " <b>two</b>\n"):
        with pytest.raises(TelegramBadRequest, match=f"Bad Request: {NOT_MODIFIED}"):
            await message.edit_text(text, parse_mode=ParseMode.HTML, reply_markup=MENU)
    without = await message.edit_text("<b>two</b>", parse_mode=ParseMode.HTML)
    assert isinstance(without, Message)
    assert without.reply_markup is None
    with_buttons = await message.edit_reply_markup(reply_markup=MENU)
    assert isinstance(with_buttons, Message)
    assert with_buttons.text == "two"
    assert plain(with_buttons.reply_markup) == plain(MENU)
    with pytest.raises(TelegramBadRequest, match=NOT_MODIFIED):
        await message.edit_reply_markup(reply_markup=MENU)


@pytest.mark.parametrize(
    ("method", "params", "told"),
    [
        ("editMessageText", {"message_id": 99, "text": "x"}, "message to edit not found"),
        ("editMessageText", {"text": "x"}, "message to edit not found"),
        ("editMessageText", {"message_id": 1, "text": " "}, "message text is empty"),
        (
            "editMessageCaption",
            {"message_id": 1, "caption": "x"},
            "there is no caption in the message to edit",
        ),
        ("editMessageReplyMarkup", {"message_id": 1}, NOT_MODIFIED),
        (
            "editMessageReplyMarkup",
            {"message_id": 1, "reply_markup": {"keyboard": [["x"]]}},
            "inline keyboard expected",
        ),
        ("editMessageText", {"message_id": 2, "text": "x"}, "message can't be edited"),
        ("editMessageText", {"message_id": 3, "text": "x"}, "message can't be edited"),
        (
            "editMessageText",
            {"message_id": 4, "text": "x"},
            "there is no text in the message to edit",
        ),
        ("deleteMessage", {"message_id": 99}, "message to delete not found"),
        ("deleteMessage", {}, "message identifier is not specified"),
        ("deleteMessages", {}, "message identifiers are not specified"),
        ("deleteMessages", {"message_ids": [0]}, "invalid message identifier specified"),
        (
            "deleteMessages",
            {"message_ids": list(range(1, 102))},
            "too many message identifiers specified",
        ),
        ("setMessageReaction", {"message_id": 99}, "message to react not found"),
        ("pinChatMessage", {"message_id": 99}, "message to pin not found"),
        ("copyMessage", {"message_id": 99, "from_chat_id": ALI}, "message to copy not found"),
        ("copyMessage", {"message_id": 4, "from_chat_id": ALI}, "the message can't be copied"),
        ("forwardMessage", {"message_id": 99, "from_chat_id": ALI}, "message to forward not found"),
        (
            "forwardMessage",
            {"message_id": 2, "from_chat_id": ALI},
            "the message can't be forwarded",
        ),
        ("sendChatAction", {"action": "dancing"}, "wrong parameter action in request"),
    ],
)
async def test_what_cannot_be_done_to_messages(
    bot: BotClient, method: str, params: dict[str, object], told: str
) -> None:
    """1 is a text, 2 the person's own, 3 came with a keyboard, 4 is an invoice."""
    await bot.call("sendMessage", chat_id=ALI, text="one")
    await bot.charge(await bot.link(), ALI)
    await bot.call("sendMessage", chat_id=ALI, text="three", reply_markup={"keyboard": [["x"]]})
    await bot.call("sendInvoice", chat_id=ALI, **INVOICE)
    before = await bot.sent()
    answer = await bot.call(method, chat_id=ALI, **params)
    assert answer.refusal == (400, f"Bad Request: {told}")
    assert await bot.sent() == before


async def test_messages_are_deleted(peer: Bot) -> None:
    messages = [await peer.send_message(ALI, str(number)) for number in range(3)]
    assert await messages[0].delete() is True
    with pytest.raises(TelegramBadRequest, match="message to delete not found"):
        await messages[0].delete()
    with pytest.raises(TelegramBadRequest, match="message to edit not found"):
        await messages[0].edit_text("x")
    assert await peer.delete_messages(ALI, [one.message_id for one in messages]) is True
    with pytest.raises(TelegramBadRequest, match="message to edit not found"):
        await messages[2].edit_text("x")


async def test_copies_and_forwards(peer: Bot) -> None:
    text = await peer.send_message(ALI, "<b>x</b>", parse_mode=ParseMode.HTML, reply_markup=MENU)
    forwarded = await text.forward(43)
    assert forwarded.chat.id == 43
    assert (forwarded.text, entities(forwarded)) == ("x", [("bold", "x")])
    assert forwarded.forward_origin is not None
    assert forwarded.forward_origin.type == "user"
    assert forwarded.reply_markup is None
    with pytest.raises(TelegramBadRequest, match="message can't be edited"):
        await forwarded.edit_text("y")
    copied = await peer.copy_message(43, ALI, text.message_id)
    edited = await peer.edit_message_text("y", chat_id=43, message_id=copied.message_id)
    assert isinstance(edited, Message)
    assert edited.text == "y"
    assert edited.forward_origin is None
    ids = [text.message_id, 999]
    assert len(await peer.copy_messages(43, ALI, ids)) == 1
    assert len(await peer.forward_messages(43, ALI, ids)) == 1


async def test_small_things_in_a_chat(peer: Bot) -> None:
    message = await peer.send_message(ALI, "x")
    assert await peer.send_chat_action(ALI, "typing") is True
    assert await message.react([ReactionTypeEmoji(emoji="👍")]) is True
    assert await message.react([]) is True
    with pytest.raises(TelegramBadRequest, match="REACTIONS_TOO_MANY"):
        await message.react([ReactionTypeEmoji(emoji="👍"), ReactionTypeEmoji(emoji="👎")])
    assert await message.pin() is True
    chat = await peer.get_chat(ALI)
    assert (chat.id, chat.type, chat.first_name) == (ALI, "private", f"Person {ALI}")
    assert chat.pinned_message is not None
    assert chat.pinned_message.message_id == message.message_id
    assert await message.unpin() is True
    with pytest.raises(TelegramBadRequest, match="message to unpin not found"):
        await message.unpin()
    assert (await peer.get_chat(ALI)).pinned_message is None
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await peer.get_chat(-5)


async def test_commands_by_scope_and_language(peer: Bot) -> None:
    everybody = [BotCommand(command="start", description="Begin")]
    uzbek = [BotCommand(command="start", description="Boshlash")]
    ali = BotCommandScopeChat(chat_id=ALI)
    await peer.set_my_commands(everybody)
    await peer.set_my_commands(uzbek, scope=BotCommandScopeAllPrivateChats(), language_code="uz")
    assert plain(*await peer.get_my_commands()) == plain(*everybody)
    assert await peer.get_my_commands(scope=ali) == []
    await peer.set_my_commands(everybody, scope=ali)
    assert plain(*await peer.get_my_commands(scope=ali)) == plain(*everybody)
    private = BotCommandScopeAllPrivateChats()
    assert plain(*await peer.get_my_commands(scope=private, language_code="uz")) == plain(*uzbek)
    await peer.delete_my_commands(scope=private, language_code="uz")
    assert await peer.get_my_commands(scope=private, language_code="uz") == []


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"commands": [{"command": "Start", "description": "x"}]}, "BOT_COMMAND_INVALID"),
        (
            {"commands": [{"command": "x" * 33, "description": "x"}]},
            "command length must not exceed 32",
        ),
        (
            {"commands": [{"command": "x", "description": ""}]},
            "command description must be non-empty",
        ),
        (
            {"commands": [{"command": "x", "description": "x" * 257}]},
            "BOT_COMMAND_DESCRIPTION_INVALID",
        ),
        (
            {"commands": [{"command": "x"}]},
            "can't parse BotCommand: Can't find field \"description\"",
        ),
        ({"commands": [{"command": "x", "description": "x"}] * 101}, "BOT_COMMANDS_TOO_MUCH"),
        ({"commands": [], "language_code": "uzb"}, "invalid language code specified"),
        ({"scope": {"type": "moon"}}, "can't parse BotCommandScope: Unsupported type specified"),
        ({"scope": {"type": "chat"}}, "can't parse BotCommandScope: Empty chat_id specified"),
        ({"scope": {"type": "chat", "chat_id": -5}}, "chat not found"),
    ],
)
async def test_bad_commands(bot: BotClient, params: dict[str, object], told: str) -> None:
    answer = await bot.call("setMyCommands", **params)
    assert answer.refusal == (400, f"Bad Request: {told}")


async def test_what_a_bot_tells_of_itself(peer: Bot, bot: BotClient) -> None:
    await peer.set_my_name("Hamyon")
    await peer.set_my_name("Ҳамён", language_code="uz")
    await peer.set_my_description("Pictures")
    await peer.set_my_short_description("Short")
    assert (await peer.get_my_name()).name == "Hamyon"
    assert (await peer.get_my_name(language_code="uz")).name == "Ҳамён"
    assert (await peer.get_my_description(language_code="ru")).description == "Pictures"
    assert (await peer.get_my_short_description()).short_description == "Short"
    too_long = await bot.call("setMyDescription", description="x" * 513)
    assert too_long.refusal == (400, "Bad Request: DESCRIPTION_TOO_LONG")
    button = MenuButtonWebApp(text="Open", web_app=WebAppInfo(url="https://example.org/app"))
    assert plain(await peer.get_chat_menu_button(ALI)) == plain(MenuButtonDefault())
    await peer.set_chat_menu_button(menu_button=button)
    assert plain(await peer.get_chat_menu_button(ALI)) == plain(button)
    await peer.set_chat_menu_button(ALI, MenuButtonDefault())
    assert plain(await peer.get_chat_menu_button(ALI)) == plain(MenuButtonDefault())
    assert plain(await peer.get_chat_menu_button()) == plain(button)


async def test_an_unknown_tap(peer: Bot, bot: BotClient) -> None:
    with pytest.raises(TelegramBadRequest, match=f"Bad Request: {QUERY_TOO_OLD}"):
        await peer.answer_callback_query("123", "x" * 200)
    answer = await bot.call("answerCallbackQuery", callback_query_id="123", text="x" * 201)
    assert answer.refusal == (400, "Bad Request: MESSAGE_TOO_LONG")
    answer = await bot.call("answerCallbackQuery", callback_query_id="123", url="https://x.org")
    assert answer.refusal == (400, "Bad Request: URL_INVALID")


async def test_every_encoding_says_the_same(bot: BotClient) -> None:
    markup = inline(callback_data="x")
    params: dict[str, Any] = {"chat_id": ALI, "text": "<b>x</b>", "parse_mode": "HTML"}
    form = {name: str(value) for name, value in params.items()}
    form["reply_markup"] = orjson.dumps(markup).decode()
    ways: list[tuple[str, dict[str, Any]]] = [
        ("POST", {"json": params | {"reply_markup": markup}}),
        ("POST", {"json": form}),
        ("POST", {"data": form}),
        ("POST", {"data": aiohttp.FormData(form, default_to_multipart=True)}),
        ("POST", {"params": form}),
        ("GET", {"params": form}),
    ]
    for http_method, options in ways:
        sent = (await bot.request(http_method, "sendMessage", **options)).result
        assert (sent["text"], sent["entities"][0]["type"]) == ("x", "bold")
        assert sent["reply_markup"] == markup


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"chat_id": "9" * 5000, "text": "x"}, "chat not found"),
        ({"chat_id": "-" + "9" * 16, "text": "x"}, "chat not found"),
        ({"chat_id": "٤٢", "text": "x"}, "chat not found"),
        (
            {
                "chat_id": ALI,
                "text": f'<tg-emoji emoji-id="{"9" * 5000}">x</tg-emoji>',
                "parse_mode": "HTML",
            },
            "can't parse entities: Invalid custom emoji identifier specified",
        ),
        (
            {
                "chat_id": ALI,
                "text": f"![x](tg://emoji?id={'9' * 5000})",
                "parse_mode": "MarkdownV2",
            },
            "can't parse entities: Invalid tg://emoji or tg://time URL specified",
        ),
    ],
    ids=["long", "long group", "not ASCII", "HTML emoji", "Markdown emoji"],
)
async def test_strange_numbers(bot: BotClient, params: dict[str, object], told: str) -> None:
    answer = await bot.call("sendMessage", **params)
    assert answer.refusal == (400, f"Bad Request: {told}")


async def test_a_mention_of_nobody_is_plain(bot: BotClient) -> None:
    text = f'<a href="tg://user?id={"9" * 5000}">x</a>'
    sent = await bot.call("sendMessage", chat_id=ALI, text=text, parse_mode="HTML")
    assert sent.result["text"] == "x"
    assert "user" not in sent.result["entities"][0]


async def test_multipart_that_is_none(bot: BotClient) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        headers = {"Content-Type": kind}
        answer = await bot.request("POST", "sendMessage", data=b"nonsense", headers=headers)
        assert answer.refusal == (400, "Bad Request: can't parse the request")
