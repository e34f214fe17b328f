"""Calls on somebody's things: what recipes are made of."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp

from tests.doors.scene import Scene
from tests.doors.shop import Purchases

numbers = itertools.count()
REASON = {"reason": "the matrix"}


@dataclass(frozen=True, slots=True)
class Things:
    """Somebody and what is his: the things of the person that the matrix calls about."""

    user: int
    order: str
    job: str
    upload: str
    key: str
    path: str
    bought: Purchases
    model: str = "seedream-v4"
    provider: str = "wavespeed"
    broadcast: int = 2**62
    thread: int = 2**62
    news: int = 2**62

    def spellings(self) -> list[str]:
        """The ids as an answer may repeat them."""
        raw = [str(self.user), self.order, self.job, self.upload, self.key, self.path]
        return [*raw, self.model, self.provider, *self.bought.spellings()]


ABSENT = Things(
    user=79_999,
    order=str(UUID(int=1, version=4)),
    job=str(UUID(int=2, version=4)),
    upload=str(UUID(int=3, version=4)),
    key=str(UUID(int=4, version=4)),
    path="uploads/00/" + "0" * 64 + ".jpg",
    bought=Purchases(
        stars=str(UUID(int=5, version=4)),
        charge={
            "currency": "XTR",
            "total_amount": 70,
            "invoice_payload": "absent",
            "telegram_payment_charge_id": "absent-charge",
            "provider_payment_charge_id": "",
        },
        rubles=str(UUID(int=6, version=4)),
        external=str(UUID(int=7, version=4)),
        promo="ABSENT",
        package="absent",
        mismatch=2**62,
        run=str(UUID(int=8, version=4)),
    ),
    model="absent",
    provider="absent",
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``form``: sent as multipart instead of JSON."""

    path: str
    json: object = None
    form: dict[str, str | bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """As aiohttp takes it; made anew each time, since a form can be sent once."""
        if self.form is None:
            return {"json": self.json, "headers": self.headers} if self.json is not None else {}
        form = aiohttp.FormData()
        for name, value in self.form.items():
            filename = "a.png" if isinstance(value, bytes) else None
            form.add_field(name, value, filename=filename)
        return {"data": form, "headers": self.headers}


Fresh = Callable[[Scene, Things], Awaitable[Things]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """``done``: what the rightful caller gets. ``thing``: the call names more than a person.

    ``personal`` False: it is about nobody, so whoever is signed in gets it. ``fresh`` makes what
    one call uses up, for each rightful caller anew.
    """

    call: Callable[[Things], Call]
    done: int = 200
    thing: bool = False
    personal: bool = True
    fresh: Fresh | None = None


def at(path: str, done: int = 200) -> Recipe:
    return Recipe(lambda _: Call(path), done)


def of_user(path: str) -> Recipe:
    return Recipe(lambda its: Call(path.format(user=its.user)))


def post(
    path: str,
    body: Callable[[Things], object],
    done: int = 200,
    *,
    thing: bool = False,
    fresh: Fresh | None = None,
) -> Recipe:
    def call(its: Things) -> Call:
        bought = its.bought
        filled = path.format(user=its.user, order=its.order, key=its.key, model=its.model,
                             provider=its.provider, rubles=bought.rubles, promo=bought.promo,
                             package=bought.package, mismatch=bought.mismatch)  # fmt: skip
        return Call(filled, body(its), headers={"Idempotency-Key": f"matrix-{next(numbers)}"})

    return Recipe(call, done, thing=thing, fresh=fresh)
