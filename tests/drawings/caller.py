"""Calls drawings' routes as the owner's bot does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hamyon.kit.db import transaction
from hamyon.kit.ids import new_id
from hamyon.ledger import service as ledger
from hamyon.ledger.types import TransferKind
from hamyon.products.drawings.types import PRODUCT, UNIT
from tests.fixtures.service import Answer, Api, Service

USER = 777
FRIEND = 778


@dataclass(frozen=True, slots=True)
class Drawings:
    """A running service and its routes at the root."""

    service: Service

    @property
    def root(self) -> Api:
        """Calls of paths without ``/api/v1``."""
        return Api(self.service.api.url, self.service.api.session, prefix="")

    async def register(self, user_id: int = USER, **more: object) -> Answer:
        return await self.root.call("POST", "/users", {"chat_id": user_id, **more})

    async def known(self, user_id: int = USER, **more: object) -> int:
        """Somebody whom drawings know, with one revival."""
        answer = await self.register(user_id, **more)
        assert answer.status == 201, answer.body
        return user_id

    async def broke(self, user_id: int = USER) -> int:
        """Somebody whom drawings know, with nothing left."""
        await self.known(user_id)
        await self.give(user_id, -1)
        return user_id

    async def user(self, user_id: int = USER) -> dict[str, Any]:
        return _body(await self.root.call("GET", f"/users/{user_id}"))

    async def pricing(self, user_id: int | None = USER, **options: Any) -> dict[str, Any]:
        query = "" if user_id is None else f"?chat_id={user_id}"
        return _body(await self.root.call("GET", f"/pricing{query}", **options))

    async def claim(self, user_id: int = USER) -> Answer:
        return await self.root.call("POST", f"/users/{user_id}/daily_bonus")

    async def buy(
        self,
        price: object,
        *,
        item: str = "revivals_5",
        quantity: int = 1,
        user_id: int = USER,
        key: str | None = None,
    ) -> Answer:
        wish = {"item_name": item, "quantity": quantity, "price": price}
        headers = {"Idempotency-Key": key} if key else {}
        path = f"/users/{user_id}/create_payment"
        return await self.root.call("POST", path, wish, headers=headers)

    async def give(self, user_id: int, amount: int) -> None:
        """Revivals from an operator; a negative number takes."""
        wish = {"telegram_id": user_id, "asset": UNIT, "amount": amount, "reason": "a test"}
        answer = await self.service.api.call(
            "POST", "/admin/credits", wish, admin=True, headers={"Idempotency-Key": str(new_id())}
        )
        assert answer.status == 200, answer.body

    async def revivals(self, user_id: int = USER) -> tuple[int, int]:
        """What the wallet holds, and what of it is held."""
        wallet = await ledger.balance(self.service.pool, user_id, UNIT)
        return (wallet.posted, wallet.held) if wallet is not None else (0, 0)

    async def lines(self, kind: TransferKind, user_id: int = USER) -> list[int]:
        """What a person got or gave for one reason, newest first."""
        found = await ledger.history(self.service.pool, user_id, UNIT, before_id=None, limit=100)
        return [line.amount for line in found if line.kind == kind]

    async def hold(self, key: str, user_id: int = USER) -> None:
        """Set one revival aside, as an order does."""
        async with transaction(self.service.pool) as connection:
            await ledger.open_hold(connection, user_id=user_id, asset=UNIT, amount=1, key=key)

    async def capture(self, key: str) -> None:
        """Take what was set aside, as an order does that ended well."""
        async with transaction(self.service.pool) as connection:
            await ledger.capture(
                connection,
                key,
                amount=1,
                kind=TransferKind.GENERATION,
                to_role=f"revenue:{PRODUCT}",
                transfer_key=f"capture:{key}",
                reference=key,
            )

    async def block(self, user_id: int = USER) -> None:
        answer = await self.service.api.call(
            "POST", f"/admin/users/{user_id}/block", {"reason": "a test"}, admin=True
        )
        assert answer.status == 200, answer.body

    async def package(self, key: str, **change: object) -> None:
        """Change a package as an owner does."""
        answer = await self.service.api.call("PATCH", f"/admin/packages/{key}", change, admin=True)
        assert answer.status == 200, answer.body


def _body(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.body
    return body
