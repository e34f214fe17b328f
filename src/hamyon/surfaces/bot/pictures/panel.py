"""The panel under a wish: what will be made, with which model and values, and for how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from hamyon.catalog.types import OPTION_NAMES, Model
from hamyon.kit.texts import Language, rich_text, text
from hamyon.messages.types import Button, Keyboard
from hamyon.surfaces.bot.draft import REFERENCES_MAX, Draft
from hamyon.surfaces.bot.phrases import amount, paragraphs
from hamyon.surfaces.bot.pictures.callbacks import Choose, Create, Shop, Show, View, fingerprint
from hamyon.surfaces.bot.pictures.lengths import LABEL_MAX, cut
from hamyon.surfaces.bot.pictures.types import Cost, Offer, Priced

PAGE: Final = 12
ROW: Final = 3
NAME_MAX: Final = 80
QUOTED_MAX: Final = 200
"""Of the wish: it stands whole in the message that the panel replies to."""


@dataclass(frozen=True, slots=True)
class Screen:
    """What a message says, and the buttons under it."""

    html: str
    rows: Keyboard


def panel(language: Language, draft: Draft, offer: Offer, *, trouble: str | None = None) -> Screen:
    """The panel's front. ``trouble``: a sentence about what was refused just now."""
    warning = rich_text(language, "bot.refusal", {"sentence": trouble}) if trouble else None
    parts = [_wish(language, draft), _choice(language, draft, offer), warning or ""]
    parts.append(_price(language, offer.cost) if offer.cost else _missing(language, offer))
    if not draft.prompt:
        parts.append(rich_text(language, "picture.ask_wish"))
    return Screen(paragraphs(*parts), _front_rows(language, draft, offer))


def models_screen(language: Language, draft: Draft, offer: Offer) -> Screen:
    """The models that take this draft's pictures, each with what it would cost."""
    rows = [[_model_button(language, draft, priced)] for priced in offer.choices]
    return Screen(rich_text(language, "picture.choose_model"), [*rows, [_front(language, draft)]])


def values_screen(
    language: Language, draft: Draft, model: Model, chosen: Mapping[str, str], name: str, page: int
) -> Screen:
    """The values of one option, a page of them; the chosen one is marked."""
    values = model.options[name].values
    last = (len(values) - 1) // PAGE
    page = max(0, min(page, last))
    buttons = [
        Button(
            _label(value, marked=value == chosen.get(name)),
            data=Choose(draft=draft.id, option=fingerprint(name), value=fingerprint(value)).pack(),
        )
        for value in values[page * PAGE : (page + 1) * PAGE]
    ]
    rows = [buttons[at : at + ROW] for at in range(0, len(buttons), ROW)]
    facts = {"option": cut(option_label(language, name), NAME_MAX)}
    turns = _turns(draft, name, page, last)
    return Screen(
        rich_text(language, "picture.choose_value", facts),
        [*rows, *([turns] if turns else []), [_front(language, draft)]],
    )


def option_label(language: Language, name: str) -> str:
    """What an option is called; one that we have no word for is called by its name."""
    if name in OPTION_NAMES:
        return text(language, f"picture.label_{name}")
    return name.replace("_", " ")


# --- the front's parts ----------------------------------------------------------------------------


def _wish(language: Language, draft: Draft) -> str | None:
    if not draft.prompt:
        return None
    return rich_text(language, "picture.line_wish", {"prompt": cut(draft.prompt, QUOTED_MAX)})


def _choice(language: Language, draft: Draft, offer: Offer) -> str:
    """The model, its values and the pictures that it works from, a line each."""
    lines = []
    if offer.sale is not None:
        model = cut(offer.sale.model.name, NAME_MAX)
        lines.append(rich_text(language, "picture.line_model", {"model": model}))
        for name, value in offer.options.items():
            option = cut(option_label(language, name), NAME_MAX)
            lines.append(escape(f"▫️ {option}: {value}", quote=False))
    if count := len(draft.references):
        lines.append(rich_text(language, "picture.line_references", {"count": count}))
    if len(draft.upload_ids) > count:
        facts = {"limit": REFERENCES_MAX}
        lines.append(rich_text(language, "picture.references_cut", facts))
    return "\n".join(lines)


def _missing(language: Language, offer: Offer) -> str:
    """Why nothing can be ordered with this model."""
    if offer.sale is None:
        return rich_text(language, "picture.model_closed")
    facts = {"count": offer.sale.model.max_references}
    return rich_text(language, "picture.takes_fewer", facts)


def _price(language: Language, cost: Cost) -> str:
    facts: dict[str, object] = {
        "price": amount(language, cost.asset, cost.amount),
        "balance": amount(language, cost.asset, cost.balance),
        "after": amount(language, cost.asset, cost.balance_after),
        "missing": amount(language, cost.asset, -cost.balance_after),
        "count": cost.trials_left,
    }
    if cost.is_free:
        return rich_text(language, "picture.price_free", facts)
    return rich_text(language, "picture.price" if cost.is_enough else "picture.too_little", facts)


def _front_rows(language: Language, draft: Draft, offer: Offer) -> Keyboard:
    rows: list[Sequence[Button]] = []
    if offer.choices and (len(offer.choices) > 1 or offer.cost is None):
        show = Show(draft=draft.id, view=View.MODELS)
        label = text(language, "picture.button_models")
        if offer.sale is not None:
            label = f"🎨 {offer.sale.model.name}"
        rows.append([Button(cut(label, LABEL_MAX), data=show.pack())])
    if offer.sale is not None:
        rows += [
            [_option_button(language, draft, name, offer.options[name])]
            for name, option in offer.sale.model.options.items()
            if len(option.values) > 1
        ]
    if offer.cost is not None:
        rows += _last_row(language, draft, offer.cost)
    return rows


def _last_row(language: Language, draft: Draft, cost: Cost) -> list[Sequence[Button]]:
    """The button that orders; or the one that leads to more credits, and back with them."""
    if not cost.is_enough:
        look = Show(draft=draft.id, view=View.MAIN).pack()
        return [
            [Button(text(language, "people.doors.button_topup"), data=Shop().pack())],
            [Button(text(language, "picture.button_refresh"), data=look)],
        ]
    if not draft.prompt:
        return []
    facts = {"price": amount(language, cost.asset, cost.amount)}
    label = text(language, f"picture.button_create{'_free' if cost.is_free else ''}", facts)
    create = Create(draft=draft.id, attempt=draft.attempt, amount=cost.due)
    return [[Button(label, data=create.pack())]]


def _option_button(language: Language, draft: Draft, name: str, value: str) -> Button:
    label = f"{option_label(language, name)}: {value}"
    show = Show(draft=draft.id, view=View.VALUES, option=fingerprint(name))
    return Button(cut(label, LABEL_MAX), data=show.pack())


# --- the other sides ------------------------------------------------------------------------------


def _model_button(language: Language, draft: Draft, priced: Priced) -> Button:
    name = cut(priced.model.name, LABEL_MAX // 2)
    label = f"{name} · {amount(language, priced.asset, priced.amount)}"
    choose = Choose(draft=draft.id, option="", value=fingerprint(priced.model.key))
    is_chosen = priced.model.key == draft.model_key
    return Button(_label(label, marked=is_chosen), data=choose.pack())


def _turns(draft: Draft, name: str, page: int, last: int) -> list[Button]:
    mark = fingerprint(name)
    return [
        Button(arrow, data=Show(draft=draft.id, view=View.VALUES, option=mark, page=to).pack())
        for arrow, to in (("◀", page - 1), ("▶", page + 1))
        if 0 <= to <= last
    ]


def _front(language: Language, draft: Draft) -> Button:
    label = text(language, "picture.button_back")
    return Button(label, data=Show(draft=draft.id, view=View.MAIN).pack())


def _label(words: str, *, marked: bool) -> str:
    return cut(f"✓ {words}" if marked else words, LABEL_MAX)
