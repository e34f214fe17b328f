"""HTTP: operators look after models and prices."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import Path
from pydantic import Field

from hamyon.catalog import service as catalog
from hamyon.catalog.errors import InvalidModel, InvalidPrice, ModelNotFound
from hamyon.catalog.types import (
    CatalogueEntry,
    Model,
    ModelPatch,
    NewPrice,
    Option,
    Price,
    PriceRule,
    PriceUnit,
)
from hamyon.kit.db import in_transaction
from hamyon.kit.money import Asset
from hamyon.kit.web.models import AnswerModel, Int64, StrictModel
from hamyon.kit.web.permission import ADMIN, OWNER, allow
from hamyon.kit.web.routing import Router
from hamyon.surfaces.admin.request import Deps
from hamyon.users.routes.request import TEXT, ActingOperator, Reason

router = Router("/api/v1/admin/models", tags=["operators"])

ModelKey = Annotated[str, Path(max_length=63, pattern="^[a-z0-9][a-z0-9-]*$")]
Word = Annotated[str, Field(min_length=1, max_length=64, pattern=TEXT)]
ProviderPath = Annotated[str, Field(min_length=1, max_length=200, pattern=TEXT)]


class OptionBody(StrictModel):
    values: Annotated[list[Word], Field(min_length=1, max_length=100)]
    default: Word


class RuleBody(StrictModel):
    """``amount`` where every option in ``when`` has that value."""

    when: dict[Word, Word] = Field(examples=[{"resolution": "4k"}])
    amount: Int64


class PriceAnswer(AnswerModel):
    id: int
    asset: Asset
    unit: PriceUnit
    amount: int
    by_option: list[RuleBody]
    set_by: str
    valid_from: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, price: Price) -> Self:
        same = ("id", "asset", "unit", "amount", "set_by", "valid_from", "ended_at")
        rules = [RuleBody(when=dict(rule.when), amount=rule.amount) for rule in price.by_option]
        return cls(**{name: getattr(price, name) for name in same}, by_option=rules)


class OperatorsModel(AnswerModel):
    key: str
    product: str
    engine: str
    name: str
    path_text: str
    path_edit: str
    max_references: int
    options: dict[str, OptionBody]
    quality_stars: int
    duration_min_s: int
    duration_max_s: int
    deadline_s: int
    active: bool
    sort: int
    price: PriceAnswer | None

    @classmethod
    def of(cls, entry: CatalogueEntry) -> Self:
        return cls(
            **_plain(entry.model), price=PriceAnswer.of(entry.price) if entry.price else None
        )


def _plain(model: Model) -> dict[str, object]:
    values = {name: getattr(model, name) for name in model.__slots__}
    options = {
        name: OptionBody(values=list(option.values), default=option.default)
        for name, option in model.options.items()
    }
    return {**values, "options": options}


class ModelWithPrices(OperatorsModel):
    prices: list[PriceAnswer] = Field(description="All versions, newest first.")


class PatchRequest(StrictModel):
    """What is left out stays as it is."""

    active: bool | None = None
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=TEXT)] | None = None
    options: dict[Word, OptionBody] | None = None
    sort: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    deadline_s: Annotated[int, Field(ge=1, le=86400)] | None = None
    path_text: ProviderPath | None = None
    path_edit: ProviderPath | None = None
    reason: Reason | None = None

    def patch(self) -> ModelPatch:
        """As the service takes it."""
        options = self.options
        return ModelPatch(
            active=self.active,
            name=self.name,
            options=None
            if options is None
            else {name: Option(tuple(one.values), one.default) for name, one in options.items()},
            sort=self.sort,
            deadline_s=self.deadline_s,
            path_text=self.path_text,
            path_edit=self.path_edit,
        )


class PriceRequest(StrictModel):
    asset: Asset = Asset.CREDIT
    unit: Literal[PriceUnit.ORDER, PriceUnit.PICTURE] = PriceUnit.PICTURE
    amount: Int64 = Field(examples=[27])
    by_option: Annotated[list[RuleBody], Field(max_length=100)] = []  # noqa: RUF012 -- pydantic copies it
    reason: Reason | None = None

    def price(self) -> NewPrice:
        """As the service takes it."""
        rules = tuple(PriceRule(rule.when, rule.amount) for rule in self.by_option)
        return NewPrice(self.asset, self.unit, self.amount, rules)


class ModelList(AnswerModel):
    items: list[OperatorsModel]


@router.get("", summary="Every model, for sale or not")
@allow(ADMIN)
async def list_models(needs: Deps) -> ModelList:
    found = await catalog.entries(needs.pool)
    return ModelList(items=[OperatorsModel.of(entry) for entry in found])


@router.get("/{key}", summary="A model and all its prices")
@allow(ADMIN, raises=(ModelNotFound,))
async def show_model(key: ModelKey, needs: Deps) -> ModelWithPrices:
    entry = await catalog.get_entry(needs.pool, key)
    prices = await catalog.price_versions(needs.pool, key)
    return ModelWithPrices(
        **OperatorsModel.of(entry).model_dump(),
        prices=[PriceAnswer.of(price) for price in prices],
    )


@router.patch("/{key}", summary="Change a model; orders that exist keep what they began with")
@allow(ADMIN, raises=(ModelNotFound, InvalidModel))
async def patch_model(
    key: ModelKey, body: PatchRequest, acting: ActingOperator, needs: Deps
) -> OperatorsModel:
    entry = await in_transaction(
        needs.pool,
        lambda connection: catalog.patch_model(
            connection, key, body.patch(), acting=acting, reason=body.reason
        ),
    )
    catalog.forget_models(needs.catalog)
    return OperatorsModel.of(entry)


@router.put("/{key}/price", summary="Set a price; orders that exist keep theirs")
@allow(OWNER, raises=(ModelNotFound, InvalidPrice))
async def set_price(
    key: ModelKey, body: PriceRequest, acting: ActingOperator, needs: Deps
) -> PriceAnswer:
    price = await in_transaction(
        needs.pool,
        lambda connection: catalog.set_price(
            connection, key, body.price(), acting=acting, reason=body.reason
        ),
    )
    catalog.forget_models(needs.catalog)
    return PriceAnswer.of(price)
