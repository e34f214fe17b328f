"""HTTP: owners look after packages for sale."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import Path
from pydantic import Field

from hamyon.catalog.errors import InvalidPackage, PackageKeyTaken, PackageNotFound
from hamyon.catalog.service import packages
from hamyon.catalog.types import Package, PackagePatch
from hamyon.kit.db import in_transaction
from hamyon.kit.money import Asset
from hamyon.kit.texts import Language
from hamyon.kit.web.models import AnswerModel, Int64, StrictModel
from hamyon.kit.web.permission import OWNER, allow
from hamyon.kit.web.routing import Router
from hamyon.surfaces.admin.request import Deps
from hamyon.users.routes.request import TEXT, ActingOperator, Reason

router = Router("/api/v1/admin/packages", tags=["operators"])

KEY = "^[a-z0-9][a-z0-9_-]{0,62}$"
PackageKey = Annotated[str, Path(pattern=KEY)]
Title = Annotated[str, Field(min_length=1, max_length=32, pattern=TEXT)]
Prices = Annotated[
    dict[str, Int64],
    Field(
        min_length=1,
        max_length=20,
        description="By gateway, in minor units of its currency: kopecks, whole Stars.",
        examples=[{"yookassa": 14900, "stars": 100}],
    ),
]
Sort = Annotated[int, Field(ge=-(2**31), lt=2**31)]


class TitlesBody(StrictModel):
    """What Telegram can show as an invoice's title, in every language."""

    uz: Title = Field(examples=["5 ta jonlantirish"])
    ru: Title = Field(examples=["5 оживашек"])
    en: Title = Field(examples=["5 revivals"])

    def titles(self) -> dict[Language, str]:
        """As the service takes them."""
        return {"uz": self.uz, "ru": self.ru, "en": self.en}


class CreateRequest(StrictModel):
    key: str = Field(pattern=KEY, examples=["revivals_100"])
    titles: TitlesBody
    asset: Asset
    amount: Int64 = Field(description="Minor units of the asset.", examples=[100])
    bonus: Int64 = Field(0, description="What is given on top.")
    prices: Prices
    active: bool = True
    sort: Sort = 0
    reason: Reason | None = None

    def package(self) -> Package:
        """As the service takes it."""
        return Package(
            key=self.key,
            titles=self.titles.titles(),
            asset=self.asset,
            amount=self.amount,
            bonus=self.bonus,
            prices=self.prices,
            active=self.active,
            sort=self.sort,
        )


class ChangeRequest(StrictModel):
    """What is left out stays as it is; titles and prices are replaced whole."""

    titles: TitlesBody | None = None
    asset: Asset | None = None
    amount: Int64 | None = None
    bonus: Int64 | None = None
    prices: Prices | None = None
    active: bool | None = None
    sort: Sort | None = None
    reason: Reason | None = None

    def patch(self) -> PackagePatch:
        """As the service takes it."""
        return PackagePatch(
            titles=self.titles.titles() if self.titles is not None else None,
            asset=self.asset,
            amount=self.amount,
            bonus=self.bonus,
            prices=self.prices,
            active=self.active,
            sort=self.sort,
        )


class PackageAnswer(AnswerModel):
    key: str = Field(examples=["revivals_5"])
    titles: dict[Language, str]
    asset: Asset
    amount: int
    bonus: int
    prices: dict[str, int]
    active: bool
    sort: int

    @classmethod
    def of(cls, package: Package) -> Self:
        return cls(**{name: getattr(package, name) for name in package.__slots__})


class PackageList(AnswerModel):
    items: list[PackageAnswer]


@router.get("", summary="Every package, for sale or not")
@allow(OWNER)
async def list_packages(needs: Deps) -> PackageList:
    found = await packages.listed(needs.pool, include_inactive=True)
    return PackageList(items=[PackageAnswer.of(package) for package in found])


@router.post("", status_code=201, summary="Put a package up for sale")
@allow(OWNER, raises=(InvalidPackage, PackageKeyTaken))
async def create_package(body: CreateRequest, acting: ActingOperator, needs: Deps) -> PackageAnswer:
    package = await in_transaction(
        needs.pool,
        lambda connection: packages.create(
            connection, body.package(), acting=acting, reason=body.reason
        ),
    )
    return PackageAnswer.of(package)


@router.patch("/{key}", summary="Change a package; purchases that exist keep their numbers")
@allow(OWNER, raises=(PackageNotFound, InvalidPackage))
async def change_package(
    key: PackageKey, body: ChangeRequest, acting: ActingOperator, needs: Deps
) -> PackageAnswer:
    package = await in_transaction(
        needs.pool,
        lambda connection: packages.change(
            connection, key, body.patch(), acting=acting, reason=body.reason
        ),
    )
    return PackageAnswer.of(package)
