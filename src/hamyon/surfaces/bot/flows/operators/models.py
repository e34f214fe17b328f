"""Models: what is for sale and for how much; switching and pricing them."""

from __future__ import annotations

from typing import Final

from hamyon.catalog import service as catalog
from hamyon.catalog.errors import InvalidPrice, ModelNotFound
from hamyon.catalog.service.operators import PRICE_MAX
from hamyon.catalog.types import CatalogueEntry, ModelPatch, NewPrice, Price, PriceUnit
from hamyon.kit.db import Connection
from hamyon.kit.money import Asset
from hamyon.kit.texts import Markup
from hamyon.kit.web.permission import Role
from hamyon.surfaces.bot.flows.operators.acts import Act, Ask, Wish, once_only
from hamyon.surfaces.bot.flows.operators.desk import Desk, Screen, Shown, rows_of
from hamyon.surfaces.bot.phrases import amount, paragraphs
from hamyon.surfaces.bot.pictures.callbacks import fingerprint, meant

SHOWN_MAX: Final = 40
RULES_MAX: Final = 10


async def every(desk: Desk, of: str) -> Shown:
    entries = (await catalog.entries(desk.needs.pool))[:SHOWN_MAX]
    buttons = [
        [desk.see(f"{_light(entry)} {entry.model.name}", "model", fingerprint(entry.model.key))]
        for entry in entries
    ]
    told = "\n".join(
        desk.say("models.line_model", light=_light(entry), name=entry.model.name,
                 price=_price(desk, entry.price))
        for entry in entries
    )  # fmt: skip
    return Shown(paragraphs(desk.say("models.title"), told), [*buttons, [desk.back()]])


async def _meant(desk: Desk, mark: str) -> CatalogueEntry:
    """The model of a button: a key may be longer than its data. Raises ModelNotFound."""
    entries = {entry.model.key: entry for entry in await catalog.entries(desk.needs.pool)}
    key = meant(mark, entries)
    if key is None:
        raise ModelNotFound(model=mark)
    return entries[key]


async def card(desk: Desk, of: str) -> Shown:
    entry = await _meant(desk, of)
    switch = desk.do("model_off" if entry.model.active else "model_on", of)
    rows = rows_of(
        switch if desk.may(Role.ADMIN) else None,
        desk.do("price", of) if desk.may(Role.OWNER) and entry.price is not None else None,
    )
    return Shown(_card(desk, entry), [*rows, [desk.back("models")]])


def _card(desk: Desk, entry: CatalogueEntry) -> str:
    model = entry.model
    price = entry.price
    rules = (
        [
            desk.say(
                "models.line_rule",
                when=", ".join(f"{name} = {value}" for name, value in rule.when.items()),
                price=amount(desk.language, price.asset, rule.amount),
            )
            for rule in price.by_option[:RULES_MAX]
        ]
        if price is not None
        else []
    )
    state = "models.line_on" if model.active else "models.line_off"
    return paragraphs(
        desk.say(
            "models.line_card",
            light=_light(entry),
            name=model.name,
            model=model.key,
            product=model.product,
            engine=model.engine,
            state=desk.word(state),
            price=_price(desk, entry.price),
        ),
        "\n".join(rules),
    )


def _light(entry: CatalogueEntry) -> str:
    return "🟢" if entry.model.active else "⚪"


def _price(desk: Desk, price: Price | None) -> str:
    return amount(desk.language, price.asset, price.amount) if price is not None else "–"


# --- acts -----------------------------------------------------------------------------------------


async def _plan_switch(desk: Desk, wish: Wish) -> str:
    model = (await _meant(desk, wish.of)).model
    return desk.say(f"{wish.act}.plan", name=model.name, model=model.key)


async def _switch(desk: Desk, wish: Wish) -> Shown:
    key = (await _meant(desk, wish.of)).model.key
    patch = ModelPatch(active=wish.act == "model_on")
    await once_only(
        desk,
        wish,
        lambda connection: catalog.patch_model(connection, key, patch, acting=desk.acting),
    )
    return _changed(desk, wish)


async def _plan_price(desk: Desk, wish: Wish) -> str:
    assert wish.amount is not None
    entry = await _meant(desk, wish.of)
    if not 0 < wish.amount <= PRICE_MAX:
        raise InvalidPrice(problem=f"an amount must lie between 1 and {PRICE_MAX}")
    asset = entry.price.asset if entry.price is not None else Asset.CREDIT
    has_rules = entry.price is not None and bool(entry.price.by_option)
    return desk.say(
        "price.plan",
        name=entry.model.name,
        old=_price(desk, entry.price),
        new=amount(desk.language, asset, wish.amount),
        rules=Markup("\n" + desk.say("price.line_rules") if has_rules else ""),
    )


async def _set_price(desk: Desk, wish: Wish) -> Shown:
    amount_minor = wish.amount
    assert amount_minor is not None
    key = (await _meant(desk, wish.of)).model.key

    async def effect(connection: Connection) -> None:
        before = (await catalog.get_entry(connection, key)).price
        # Only the base amount changes: what an option costs is another question.
        price = NewPrice(
            asset=before.asset if before is not None else Asset.CREDIT,
            unit=before.unit if before is not None else PriceUnit.PICTURE,
            amount=amount_minor,
            by_option=before.by_option if before is not None else (),
        )
        await catalog.set_price(connection, key, price, acting=desk.acting)

    await once_only(desk, wish, effect)
    return _changed(desk, wish)


def _changed(desk: Desk, wish: Wish) -> Shown:
    catalog.forget_models(desk.needs.catalog)
    return Shown(desk.say(f"{wish.act}.done"), [[desk.back("model", wish.of)]])


SCREENS: Final = {"models": Screen(Role.SUPPORT, every), "model": Screen(Role.SUPPORT, card)}
ACTS: Final = {
    "model_on": Act(Role.ADMIN, _plan_switch, _switch),
    "model_off": Act(Role.ADMIN, _plan_switch, _switch),
    "price": Act(Role.OWNER, _plan_price, _set_price, (Ask.AMOUNT,)),
}
COMMANDS: Final = {"admin_models": "models"}
