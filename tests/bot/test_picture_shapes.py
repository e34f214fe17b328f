"""Whatever people wish and operators name things: words, buttons and albums fit Telegram."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamyon.catalog.types import (
    OPTION_NAMES,
    Model,
    ModelForSale,
    Option,
    Price,
    PriceId,
    PriceUnit,
)
from hamyon.kit.money import Asset
from hamyon.kit.texts import LANGUAGES, Language
from hamyon.messages.types import Button, FileKind, FileMessage, TextMessage
from hamyon.orders.service.read import OrderView
from hamyon.orders.types import Order, OrderId, OrderState, StoredOutput
from hamyon.surfaces.bot.draft import Draft, DraftId
from hamyon.surfaces.bot.pictures import status
from hamyon.surfaces.bot.pictures.callbacks import (
    Act,
    Choose,
    Create,
    Ended,
    Show,
    Stop,
    View,
    fingerprint,
    meant,
    order_code,
    order_of_code,
)
from hamyon.surfaces.bot.pictures.lengths import CAPTION_MAX, TEXT_MAX, cut, units, visible
from hamyon.surfaces.bot.pictures.letters import caption_html
from hamyon.surfaces.bot.pictures.panel import PAGE, Screen, models_screen, panel, values_screen
from hamyon.surfaces.bot.pictures.results import DOCUMENT_BYTES_MAX, PHOTO_BYTES_MAX, messages
from hamyon.surfaces.bot.pictures.results import buttons as next_buttons
from hamyon.surfaces.bot.pictures.types import Cost, Offer, Priced
from tests.bot.studio import PRICE, USER, WISH


@settings(deadline=None)
@given(elapsed_s=st.floats(0, 1e7), longest_s=st.integers(1, 10_000))
def test_a_bar_never_says_that_it_is_done(elapsed_s: float, longest_s: int) -> None:
    percent = status.progress_percent(elapsed_s, longest_s)
    assert 0 <= percent <= 98
    assert status.progress_percent(elapsed_s + 1, longest_s) >= percent


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", OrderState)
def test_every_state_has_words(language: Language, state: OrderState) -> None:
    order = dataclasses.replace(order_of(WISH), state=state)
    shown = status.screen(language, OrderView(order, (), 3), None, datetime.now(UTC))
    assert units(visible(shown.html)) <= TEXT_MAX
    assert bool(shown.rows) == (state is OrderState.QUEUED)


def order_of(prompt: str) -> Order:
    now = datetime.now(UTC)
    return Order(
        id=OrderId(UUID(int=7)),
        user_id=USER,
        product="images",
        model_key="seedream-v4",
        engine="wavespeed",
        state=OrderState.COMPLETED,
        input={"prompt": prompt, "options": {}, "references": []},
        asset="credit",
        price=PRICE,
        charged=PRICE,
        trial=False,
        deliver=None,
        error_code=None,
        error_message=None,
        error_retryable=False,
        created_at=now,
        started_at=now - timedelta(seconds=5),
        finished_at=now,
        deadline_at=now,
        settled_at=now,
    )


@settings(deadline=None)
@given(st.text(max_size=4000), st.text(min_size=1, max_size=200), st.text(max_size=300))
def test_a_caption_fits(prompt: str, model: str, cost: str) -> None:
    for language in LANGUAGES:
        html = caption_html(language, model=model, cost="x" * len(cost), prompt=prompt)
        assert units(visible(html)) <= CAPTION_MAX


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("prompt", ["<b>&amp;" * 500, "😀" * 4000, "слово " * 700, "x" * 4000])
def test_a_long_wish_is_cut_in_a_caption(language: Language, prompt: str) -> None:
    html = caption_html(language, model="Nano Banana Pro", cost="Charged.", prompt=prompt)
    assert CAPTION_MAX - 2 <= units(visible(html)) <= CAPTION_MAX
    assert visible(html).endswith("…")


@settings(deadline=None)
@given(st.text(max_size=300), st.integers(0, 200))
def test_a_cut_keeps_the_beginning(text: str, room: int) -> None:
    shown = cut(text, room)
    assert units(shown) <= room
    assert shown == text or text.startswith(shown.removesuffix("…"))


BIG = st.integers(0, 2**63 - 1)


@settings(deadline=None)
@given(BIG, BIG, st.integers(0, 2**31 - 1), st.integers(0, 999), st.text(max_size=200), st.uuids())
def test_a_buttons_words_fit_and_come_back(
    draft: int, amount: int, attempt: int, page: int, name: str, order: UUID
) -> None:
    mark = fingerprint(name)
    presses = [
        Show(draft=draft, view=View.VALUES, option=mark, page=page),
        Choose(draft=draft, option=mark, value=mark),
        Create(draft=draft, attempt=attempt, amount=amount),
        Stop(order=order_code(order)),
        Ended(act=Act.REFERENCE, order=order_code(order)),
    ]
    for press in presses:
        packed = press.pack()
        assert len(packed.encode()) <= 64
        assert type(press).unpack(packed) == press
    assert order_of_code(order_code(order)) == order
    assert meant(mark, [f"{name} ", name]) == name


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_other_code_is_an_order(code: str) -> None:
    found = order_of_code(code)
    assert found is None or order_code(found) == code.rstrip("=")


KEY = "m" * 63
"""As long as operators may make it."""
names = st.text(min_size=1, max_size=300)
options = st.dictionaries(
    st.sampled_from([*OPTION_NAMES, "a_new_one"]),
    st.lists(st.text(min_size=1, max_size=32), min_size=2, max_size=100, unique=True),
    max_size=5,
)


def offer_of(name: str, values: Mapping[str, Sequence[str]], cost: Cost | None) -> Offer:
    model = Model(
        key=KEY,
        product="images",
        engine="wavespeed",
        name=name,
        path_text="a",
        path_edit="b",
        max_references=10,
        options={key: Option(tuple(of), of[0]) for key, of in values.items()},
        quality_stars=3,
        duration_min_s=1,
        duration_max_s=2,
        deadline_s=3,
        active=True,
        sort=1,
    )
    now = datetime.now(UTC)
    price = Price(PriceId(1), Asset.CREDIT, PriceUnit.ORDER, 7, (), "a", now, None)
    chosen = {key: of[-1] for key, of in values.items()}
    return Offer(ModelForSale(model, price), chosen, [Priced(model, "credit", 2**62)] * 3, cost)


@settings(deadline=None, max_examples=30)
@given(
    prompt=st.text(max_size=4000),
    name=names,
    values=options,
    amount=st.integers(0, 2**62),
    balance=st.integers(-(2**62), 2**62),
    draft_id=BIG,
    references=st.integers(0, 15),
    is_free=st.booleans(),
)
def test_panels_fit_in_every_language(
    *,
    prompt: str,
    name: str,
    values: dict[str, list[str]],
    amount: int,
    balance: int,
    draft_id: int,
    references: int,
    is_free: bool,
) -> None:
    draft = Draft(
        id=DraftId(draft_id),
        user_id=USER,
        chat_id=USER,
        prompt_message_id=1,
        panel_message_id=2,
        media_group_id=None,
        prompt=prompt,
        upload_ids=[UUID(int=number) for number in range(references)],
        model_key=KEY,
        options={},
        order_id=None,
        attempt=2**31 - 1,
    )
    cost = Cost("credit", amount, is_free, 1, balance)
    for language in LANGUAGES:
        for offer in (offer_of(name, values, cost), offer_of(name, values, None)):
            screens = [panel(language, draft, offer, trouble="a sentence")]
            screens.append(models_screen(language, draft, offer))
            assert offer.sale is not None
            model = offer.sale.model
            for option, of in values.items():
                pages = [
                    values_screen(language, draft, model, offer.options, option, page)
                    for page in range(len(of) // PAGE + 2)
                ]
                shown = {one.text.removeprefix("✓ ") for page in pages for one in _flat(page)}
                assert shown >= set(of)
                screens += pages
            for screen in screens:
                assert 0 < units(visible(screen.html)) <= TEXT_MAX
                for button in _flat(screen):
                    assert 0 < units(button.text) <= 64
                    assert button.data is not None
                    assert len(button.data.encode()) <= 64


def _flat(screen: Screen) -> list[Button]:
    return [button for row in screen.rows for button in row]


sizes = st.builds(
    StoredOutput,
    path=st.just("orders/a.png"),
    mime=st.sampled_from(["image/png", "image/jpeg", "image/webp"]),
    width=st.integers(1, 12_000),
    height=st.integers(1, 12_000),
    bytes=st.sampled_from([1, PHOTO_BYTES_MAX, PHOTO_BYTES_MAX + 1, DOCUMENT_BYTES_MAX + 1]),
)


@settings(deadline=None)
@given(st.lists(sizes, min_size=1, max_size=25))
def test_results_come_as_telegram_takes_them(outputs: Sequence[StoredOutput]) -> None:
    order = order_of(WISH)
    rows = next_buttons("en", order.id, (Act.AGAIN, Act.CHANGE, Act.REFERENCE))
    large = [output for output in outputs if output.bytes > DOCUMENT_BYTES_MAX]
    sent = messages(order, outputs, "a caption", "links" if large else "", rows)
    files = [file for one in sent if isinstance(one, FileMessage) for file in one.files]
    documents = [file for file in files if file.kind is FileKind.DOCUMENT]
    photos = [file for file in files if file.kind is FileKind.PHOTO]
    assert len(documents) == len(outputs) - len(large)
    for photo in photos:
        assert photo.width is not None
        assert photo.height is not None
        assert photo.bytes <= PHOTO_BYTES_MAX
        assert photo.width + photo.height <= 10_000
        assert max(photo.width, photo.height) <= 20 * min(photo.width, photo.height)
    names = [file.kind for file in files]
    assert all(not (a is FileKind.DOCUMENT and b is FileKind.PHOTO) for a, b in pairwise(names))
    *others, last = sent
    assert isinstance(last, FileMessage | TextMessage)
    assert last.buttons == rows
    assert not any(one.buttons for one in others if isinstance(one, FileMessage))
    captions = [
        one.caption_html if isinstance(one, FileMessage) else one.html
        for one in sent
        if isinstance(one, FileMessage | TextMessage)
    ]
    assert captions[0] == "a caption"
    assert captions.count("a caption") == 1
