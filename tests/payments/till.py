"""How tests buy: as a person at the sandbox's pages, and as a bot that tells the service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp

from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Answer, Service


@dataclass(slots=True)
class Till:
    """Buys through a service whose vendors are a sandbox."""

    service: Service
    sandbox: Sandbox
    _updates: dict[str, dict[str, Any]] = field(default_factory=dict)
    _offset: int = 0

    # --- Telegram Stars -------------------------------------------------------------------------

    async def invoice(self, user_id: int, stars: int, **more: object) -> dict[str, Any]:
        """An invoice's ``payment_id`` and ``invoice_link``."""
        answer = await self.service.api.call(
            "POST", "/payments/stars/invoice", {"telegram_id": user_id, "stars": stars, **more}
        )
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.body
        return body

    async def pay_stars(self, link: str, payer_id: int) -> dict[str, Any]:
        """Pay an invoice as somebody; the message that the bot is told of it."""
        async with (
            aiohttp.ClientSession(headers={"Accept": "application/json"}) as session,
            session.post(link, data={"user": str(payer_id), "skip_pre_checkout": "1"}) as answer,
        ):
            paid = await answer.json()
        assert paid["ok"], paid
        return await self.told(paid["charge_id"])

    async def told(self, charge_id: str, kind: str = "successful_payment") -> dict[str, Any]:
        """The message about a charge, as the bot's getUpdates brings it."""
        while (found := self._updates.get(f"{kind}:{charge_id}")) is None:
            updates = await self.bot("getUpdates", offset=self._offset, timeout=5)
            assert updates, "the bot was told nothing"
            for update in updates:
                self._offset = update["update_id"] + 1
                self._keep(update.get("message", {}))
        return found

    def _keep(self, message: dict[str, Any]) -> None:
        for kind in ("successful_payment", "refunded_payment"):
            if kind in message:
                charge_id = message[kind]["telegram_payment_charge_id"]
                self._updates[f"{kind}:{charge_id}"] = message

    @property
    def _token(self) -> str:
        token = self.service.settings.bot_token
        assert token is not None
        return token.get_secret_value()

    async def bot(self, method: str, **params: object) -> Any:
        """A call of the Bot API."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.sandbox.url}/bot{self._token}/{method}", json=params) as answer,
        ):
            body = await answer.json()
        assert body["ok"], body
        return body["result"]

    async def confirm(self, message: dict[str, Any], **changed: object) -> Answer:
        """Tell the service of a charge, as a bot of the owner's does."""
        paid = message["successful_payment"]
        return await self.service.api.call(
            "POST",
            "/payments/stars/confirm",
            {
                "telegram_id": message["from"]["id"],
                "total_amount": paid["total_amount"],
                "currency": paid["currency"],
                "invoice_payload": paid["invoice_payload"],
                "telegram_payment_charge_id": paid["telegram_payment_charge_id"],
                "provider_payment_charge_id": paid["provider_payment_charge_id"],
                **changed,
            },
        )

    async def bought_stars(self, user_id: int, stars: int) -> dict[str, Any]:
        """Stars bought, paid and credited. Returns the payment as operators see it."""
        opened = await self.invoice(user_id, stars)
        answer = await self.confirm(await self.pay_stars(opened["invoice_link"], user_id))
        assert answer.status == 200, answer.body
        return await self.payment(opened["payment_id"])

    # --- YooKassa -------------------------------------------------------------------------------

    async def checkout(
        self, user_id: int, package: str = "credits_1000", quantity: int = 1
    ) -> dict[str, Any]:
        """A payment through YooKassa, opened."""
        wish = {
            "telegram_id": user_id,
            "gateway": "yookassa",
            "package": package,
            "quantity": quantity,
        }
        answer = await self.service.api.call("POST", "/payments/checkout", wish)
        assert answer.status == 201, answer.body
        body: dict[str, Any] = answer.body
        return body

    async def external_id(self, payment_id: str) -> str:
        """YooKassa's id of a payment of ours."""
        found = await self.service.pool.fetchval(
            "SELECT external_id FROM payments WHERE id = $1", UUID(payment_id)
        )
        assert found is not None
        return str(found)

    # --- what came of it ------------------------------------------------------------------------

    async def payment(self, payment_id: str) -> dict[str, Any]:
        """A payment as its row stands."""
        row = await self.service.pool.fetchrow(
            "SELECT * FROM payments WHERE id = $1", UUID(payment_id)
        )
        assert row is not None
        return dict(row)

    async def available(self, user_id: int, asset: str = "credit") -> int:
        """What somebody can spend."""
        answer = await self.service.api.call("GET", f"/users/{user_id}/balance?asset={asset}")
        assert answer.status == 200, answer.body
        return int(answer.body["balance"])

    async def debt(self, user_id: int, asset: str = "credit") -> int:
        """What somebody owes."""
        owed = await self.service.pool.fetchval(
            "SELECT -posted FROM accounts WHERE user_id = $1 AND role = 'debt' AND asset = $2",
            user_id,
            asset,
        )
        return int(owed or 0)

    async def refund(self, payment_id: str, key: str, amount: int | None = None) -> Answer:
        """An operator's refund; ``amount`` in minor units."""
        body: dict[str, object] = {"reason": "asked by the person"}
        if amount is not None:
            body["amount"] = amount
        return await self.service.api.call(
            "POST",
            f"/admin/payments/{payment_id}/refund",
            body,
            admin=True,
            headers={"Idempotency-Key": key},
        )
