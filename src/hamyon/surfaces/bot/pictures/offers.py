"""What a draft would cost now, model by model, as a submit would charge it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hamyon.catalog import service as catalog
from hamyon.catalog.types import Model, ModelForSale
from hamyon.products.images import service as images
from hamyon.products.images.types import PRODUCT, Submit
from hamyon.surfaces.bot.draft import Draft
from hamyon.surfaces.bot.pictures.types import Cost, Offer, Priced
from hamyon.surfaces.bot.types import Chat, Needs


async def offer(needs: Needs, draft: Draft) -> Offer:
    """Look at the catalogue, the trial and the wallet."""
    sales = await models(needs)
    count = len(draft.references)
    choices = [
        Priced(sale.model, sale.price.asset, _amount(sale, draft, count))
        for sale in sales
        if sale.model.max_references >= count
    ]
    sale = next((sale for sale in sales if sale.model.key == draft.model_key), None)
    if sale is None:
        return Offer(None, {}, choices, None)
    options = chosen_options(sale.model, draft.options)
    if sale.model.max_references < count:
        return Offer(sale, options, choices, None)
    return Offer(sale, options, choices, await _cost(needs, draft, options))


async def _cost(needs: Needs, draft: Draft, options: Mapping[str, str]) -> Cost:
    due = await images.due(needs, wish(draft, options))
    return Cost(due.asset, due.price, due.is_free, due.trials_left, due.balance_after)


async def models(needs: Needs) -> Sequence[ModelForSale]:
    """The models that make pictures, in the order in which they are shown."""
    sales = await catalog.models(needs.pool, needs.catalog)
    return [sale for sale in sales if sale.model.product == PRODUCT]


def chosen_options(model: Model, given: Mapping[str, str]) -> dict[str, str]:
    """Every option of the model, with what was chosen where the model still offers it."""
    return {
        name: given[name] if given.get(name) in option.values else option.default
        for name, option in model.options.items()
    }


def wish(
    draft: Draft, options: Mapping[str, str], deliver: Mapping[str, object] | None = None
) -> Submit:
    """The order that a draft is about."""
    return Submit(
        user_id=draft.user_id,
        model=draft.model_key,
        prompt=draft.prompt,
        options=dict(options),
        references=list(draft.references),
        use_trial=True,
        deliver=deliver,
    )


def _amount(sale: ModelForSale, draft: Draft, count: int) -> int:
    options = chosen_options(sale.model, draft.options)
    return catalog.quote(sale, options, count).amount


# --- what was chosen last ------------------------------------------------------------------------


async def usual_model(needs: Needs, chat: Chat) -> str:
    """The model that somebody ordered last, else the first one for sale."""
    remembered = chat.choices.get("model")
    known = [sale.model.key for sale in await models(needs)]
    if isinstance(remembered, str) and remembered in known:
        return remembered
    return known[0] if known else ""


def usual_options(chat: Chat) -> dict[str, str]:
    """What somebody chose last, of every option that he ever chose."""
    remembered = chat.choices.get("options")
    if not isinstance(remembered, Mapping):
        return {}
    return {str(name): str(value) for name, value in remembered.items()}


def choices_of(chat: Chat, draft: Draft, options: Mapping[str, str]) -> dict[str, object]:
    """What to remember of an order for the next panel."""
    return {"model": draft.model_key, "options": usual_options(chat) | dict(options)}
