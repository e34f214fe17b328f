"""What somebody has bought behind a running service, for tests of its doors."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hamyon.kit.db import transaction
from hamyon.payments.service import read
from hamyon.payments.service.differ import differ
from hamyon.payments.types import MismatchKind, PaymentId
from tests.doors.scene import Scene
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Service, eventually, hurried
from tests.payments.till import Till

STARS = 140
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Purchases:
    """A person's payments of both kinds, and what operators have of them.

    ``charge`` is that of the Stars as the bot was told of it, ``external`` YooKassa's id of the
    rubles, which can be given back in parts.
    """

    stars: str
    charge: dict[str, Any]
    rubles: str
    external: str
    promo: str
    package: str
    mismatch: int
    run: str

    def spellings(self) -> list[str]:
        """The ids as an answer may repeat them; a mismatch's would be found in any number."""
        raw = [self.stars, self.rubles, self.external, self.promo, self.package, self.run]
        return [*raw, self.charge["telegram_payment_charge_id"]]


class Shop(Till):
    """A till that takes rubles, too."""

    async def bought_rubles(self, user_id: int) -> str:
        """A payment through YooKassa, paid and credited because an operator asked."""
        opened = await self.checkout(user_id)
        await self.sandbox.pay(opened["payment_url"])
        answer = await self.service.api.call(
            "POST", f"/admin/payments/{opened['payment_id']}/recheck", admin=True
        )
        assert (answer.status, answer.body["state"]) == (200, "paid"), answer.body
        return str(opened["payment_id"])


async def purchases_of(scene: Scene, sandbox: Sandbox, user_id: int) -> Purchases:
    """Somebody bought in every way there is; needs a worker, and leaves it nothing to do."""
    shop = Shop(scene.service, sandbox)
    opened = await shop.invoice(user_id, STARS)
    charge = await shop.pay_stars(opened["invoice_link"], user_id)
    assert (await shop.confirm(charge)).status == 200
    rubles = await shop.bought_rubles(user_id)
    purchases = Purchases(
        stars=opened["payment_id"],
        charge=charge["successful_payment"],
        rubles=rubles,
        external=await shop.external_id(rubles),
        promo=await promo_code(scene),
        package=await package(scene),
        mismatch=await mismatch(scene, rubles),
        run=await compared(scene),
    )
    await everything_handled(scene.service)
    return purchases


async def promo_code(scene: Scene) -> str:
    """A code that everybody may use again and again."""
    code = f"OFTEN{next(_numbers)}"
    terms = {"asset": "credit", "amount": 5, "per_user_limit": 1_000_000}
    await scene.admin("POST", "/admin/promo_codes", {"code": code, **terms})
    return code


async def package(scene: Scene) -> str:
    """One more package for sale."""
    key = f"made_{next(_numbers)}"
    await scene.admin("POST", "/admin/packages", package_body(key))
    return key


def package_body(key: str) -> dict[str, object]:
    """As operators make one."""
    titles = {"uz": "10 kredit", "ru": "10 кредитов", "en": "10 credits"}
    return {
        "key": key,
        "titles": titles,
        "asset": "credit",
        "amount": 10,
        "prices": {"yookassa": 9_900},
    }


async def mismatch(scene: Scene, payment_id: str) -> int:
    """A difference about a payment that operators have not decided about."""
    subject = f"made-{next(_numbers)}"
    async with transaction(scene.service.pool) as connection:
        payment = await read.payment(connection, PaymentId(UUID(payment_id)))
        await differ(
            connection, payment.gateway, MismatchKind.REFUND_ONLY_OURS, subject, payment=payment
        )
        found = await connection.fetchval(
            "SELECT id FROM payment_mismatches WHERE subject = $1", subject
        )
    return int(found)


async def compared(scene: Scene) -> str:
    """A comparison of an old day's books, at its end."""
    window = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    started = await scene.admin(
        "POST", "/admin/payments/reconcile", {"gateway": "yookassa", **window}
    )
    run = str(started.body["run_id"])

    async def is_done() -> bool:
        found = await scene.admin("GET", f"/admin/payments/reconcile/{run}")
        return bool(found.body["state"] == "done")

    await eventually(is_done)
    return run


async def everything_handled(service: Service) -> None:
    """Wait until no event waits for the worker, which does not wait for its hour either."""

    async def look() -> bool:
        waiting = await service.pool.fetchval("SELECT count(*) FROM inbox WHERE handled_at IS NULL")
        return bool(waiting == 0)

    async with hurried(service):
        await eventually(look)
