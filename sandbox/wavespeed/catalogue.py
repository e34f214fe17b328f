"""Models, prices, balance and the webhook secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from sandbox.faults import Fault
from sandbox.wavespeed.door import authorize, read_object
from sandbox.wavespeed.envelope import RefusedError, success
from sandbox.wavespeed.models import MODELS, BadInputError, Model, describe, price_micro_usd
from sandbox.wavespeed.state import State


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Handlers of ``/models``, ``/model/price``, ``/balance`` and ``/webhook/secret``."""

    state: State

    async def models(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        authorize(self.state, request)
        return success([describe(model) for model in self._sold().values()])

    async def price(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        """What a request would cost in dollars, and after the discount."""
        model_id, micro_usd = await self._price(request)
        rate = self.state.settings.discount_rate
        return success(
            {
                "model_id": model_id,
                "price": micro_usd / 1_000_000,
                "discounted_price": round(micro_usd * (1 - rate)) / 1_000_000,
                "discount_rate": rate,
                "currency": "USD",
            }
        )

    async def legacy_price(
        self, request: web.Request, _faults: Sequence[Fault]
    ) -> web.StreamResponse:
        """The same at the old address, in the old form."""
        _, micro_usd = await self._price(request)
        return success({"unit_price": micro_usd / 1_000_000})

    async def balance(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        account = authorize(self.state, request)
        return success({"balance": account.balance_micro_usd / 1_000_000})

    async def secret(self, request: web.Request, _faults: Sequence[Fault]) -> web.StreamResponse:
        account = authorize(self.state, request)
        return success({"secret": account.secret})

    def _sold(self) -> dict[str, Model]:
        withdrawn = self.state.settings.withdrawn_models
        return {path: model for path, model in MODELS.items() if path not in withdrawn}

    async def _price(self, request: web.Request) -> tuple[str, int]:
        authorize(self.state, request)
        body = await read_object(request)
        model = self._sold().get(str(body.get("model_id")))
        if model is None:
            raise RefusedError(404, f"model not found: {body.get('model_id')}")
        inputs = body.get("inputs") or {}
        if not isinstance(inputs, dict):
            raise RefusedError(400, "inputs must be an object")
        try:
            return model.path, price_micro_usd(model, inputs)
        except BadInputError as error:
            raise RefusedError(400, error.message, code=error.code) from error
