"""``/_control``: faults, settings, statistics and reset, for this machine only.

* ``GET|POST|DELETE /_control/faults``: a list of ``{match, fault}``, or ``{seed?, rules?, mix?}``
* ``GET|POST /_control/settings``: ``{seed?, <vendor>: {...}}``
* ``GET /_control/stats``: counters (``?brief=1`` without single prompts and webhook addresses)
* ``POST /_control/reset``: no jobs, files, faults or counts; settings and balances as at the start
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import orjson
from aiohttp import web

from sandbox.faults import ActiveRule, FaultEngine, FaultOrder
from sandbox.types import Vendor

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Control:
    """The handlers; none of them needs a key."""

    engine: FaultEngine
    vendors: Sequence[Vendor]

    def mount(self, app: web.Application) -> None:
        """Add the routes."""
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "faults", self.list_faults),
            ("POST", "faults", self.add_faults),
            ("DELETE", "faults", self.clear_faults),
            ("GET", "settings", self.show_settings),
            ("POST", "settings", self.change_settings),
            ("GET", "stats", self.stats),
            ("POST", "reset", self.reset),
        ]
        for method, path, handler in routes:
            app.router.add_route(method, f"/_control/{path}", for_this_machine(handler))

    async def list_faults(self, _request: web.Request) -> web.Response:
        active = [_rule(rule) for rule in self.engine.active]
        return _json({"seed": self.engine.seed, "rules": active, "fired": self.engine.fired})

    async def add_faults(self, request: web.Request) -> web.Response:
        """Put rules in force, after those that are there."""
        order = FaultOrder.from_json(await request.read())
        return _json([_rule(rule) for rule in apply_order(self.engine, order)])

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self.engine.clear()
        return _json({})

    async def show_settings(self, _request: web.Request) -> web.Response:
        return _json(self._settings())

    async def change_settings(self, request: web.Request) -> web.Response:
        """Change what is named; unknown names and bad values change nothing (400)."""
        patch = orjson.loads(await request.read())
        if not isinstance(patch, dict):
            raise TypeError("settings must be an object")
        known = {vendor.name for vendor in self.vendors} | {"seed"}
        if unknown := set(patch) - known:
            raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
        seed = patch.get("seed", self.engine.seed)
        if not isinstance(seed, int):
            raise TypeError("seed must be an integer")
        for vendor in self.vendors:
            vendor.change_settings(patch.get(vendor.name, {}))
        self.engine.seed = seed
        return _json(self._settings())

    async def stats(self, request: web.Request) -> web.Response:
        brief = request.query.get("brief") in {"1", "true"}
        report: dict[str, object] = {v.name: v.report(brief=brief) for v in self.vendors}
        return _json(report | {"faults_fired": self.engine.fired})

    async def reset(self, _request: web.Request) -> web.Response:
        self.engine.clear()
        self.engine.seed = 0
        for vendor in self.vendors:
            vendor.reset()
        return _json({})

    def _settings(self) -> dict[str, object]:
        return {"seed": self.engine.seed} | {v.name: v.settings() for v in self.vendors}


def apply_order(engine: FaultEngine, order: FaultOrder) -> list[ActiveRule]:
    """Put an order of faults in force. Raises ``ValueError`` and changes nothing for a bad one."""
    added = engine.add(order.all_rules())
    if order.seed is not None:
        engine.seed = order.seed
    return added


def _rule(active: ActiveRule) -> dict[str, object]:
    rule = active.rule.model_dump(mode="json", exclude_defaults=True)
    return {"id": active.id, "seen": active.seen, "fired": active.fired} | rule


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def for_this_machine(handler: Handler) -> Handler:
    """Only callers on the loopback interface; bad input is answered with its reason."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        if not _is_loopback(request.remote):
            return _json({"error": "only for this machine"}, 403)
        try:
            return await handler(request)
        except (ValueError, TypeError) as error:
            return _json({"error": str(error)}, 400)

    return guarded


def _is_loopback(address: str | None) -> bool:
    try:
        return address is not None and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
