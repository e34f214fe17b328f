"""The simulated WaveSpeed as one vendor of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from aiohttp import ClientSession, TCPConnector, web

from sandbox.counters import Stats
from sandbox.faults import Fault, FaultEngine
from sandbox.gate import Describe, Gate, Handler
from sandbox.wavespeed.accounts import open_accounts
from sandbox.wavespeed.catalogue import Catalogue
from sandbox.wavespeed.door import VENDOR, describe, describe_job, describe_submit
from sandbox.wavespeed.envelope import RefusedError, refusal
from sandbox.wavespeed.files import Files
from sandbox.wavespeed.media import Media
from sandbox.wavespeed.outputs import Outputs
from sandbox.wavespeed.predictions import Predictions
from sandbox.wavespeed.settings import WaveSpeedSettings
from sandbox.wavespeed.state import State
from sandbox.wavespeed.webhooks import Sender
from sandbox.wavespeed.work import Work


class WaveSpeed:
    """Routes, memory and background work of one simulated vendor."""

    name = VENDOR

    def __init__(self, engine: FaultEngine) -> None:
        self._engine = engine
        self.state = State(Stats())
        self._work = Work(self.state, Sender(self.state))

    def mount(self, app: web.Application) -> None:
        """Add the documented endpoints and the two hosts of files."""
        state = self.state
        predictions = Predictions(state, self._work)
        catalogue, media, outputs = Catalogue(state), Media(state), Outputs(state)
        result = describe_job(state, "result")
        api = "/api/v3"
        routes: list[tuple[str, str, Describe, Handler]] = [
            ("GET", f"{api}/predictions/{{job}}/result", result, predictions.result),
            ("GET", f"{api}/predictions/{{job}}", result, predictions.result),
            ("POST", f"{api}/predictions", describe("list"), predictions.list),
            ("POST", f"{api}/predictions/delete", describe("delete"), predictions.delete),
            ("GET", f"{api}/models", describe("models"), catalogue.models),
            ("POST", f"{api}/model/price", describe("price"), catalogue.price),
            ("POST", f"{api}/model/pricing", describe("price"), catalogue.legacy_price),
            ("GET", f"{api}/balance", describe("balance"), catalogue.balance),
            ("GET", f"{api}/webhook/secret", describe("webhook_secret"), catalogue.secret),
            ("POST", f"{api}/media/upload/binary", describe("upload"), media.upload),
            ("POST", f"{api}/media/uploads", describe("upload_ticket"), media.ticket),
            ("PUT", "/media-uploads/{token}", describe("upload_put"), media.put),
            ("GET", "/media/{file}/{name}", describe("media"), media.get),
            ("GET", "/outputs/{job}/{name}", describe_job(state, "output"), outputs.get),
            ("POST", f"{api}/{{model:.+}}", describe_submit, predictions.submit),
        ]
        for method, path, described, handler in routes:
            gate = Gate(self._engine, state.stats, refusal)
            app.router.add_route(method, path, gate.wrap(described, _in_envelope(handler)))

    async def start(self) -> None:
        """Open what needs a running loop."""
        self.state.open_session = ClientSession(connector=TCPConnector(limit=200))

    async def stop(self) -> None:
        """Stop all work and close connections."""
        self.state.jobs.clear()
        await self._work.stop()
        await self.state.session.close()

    def reset(self) -> None:
        """Forget jobs, files, counters, balances and settings."""
        self.state.jobs.clear()
        self._work.cancel()
        self.state.files = Files()
        self.state.settings = WaveSpeedSettings()
        self.state.accounts = open_accounts(self.state.settings.keys)
        self.state.stats.clear()

    def settings(self) -> dict[str, object]:
        """The settings in force."""
        return self.state.settings.model_dump(mode="json")

    def change_settings(self, patch: Mapping[str, object]) -> None:
        """Change what the patch names; new ``keys`` open fresh accounts.

        Raises ``pydantic.ValidationError`` and changes nothing for a bad value.
        """
        merged = self.settings() | dict(patch)
        webhooks = patch.get("webhooks")
        if isinstance(webhooks, Mapping):
            merged["webhooks"] = cast("dict[str, object]", self.settings()["webhooks"]) | dict(
                webhooks
            )
        self.state.settings = WaveSpeedSettings.model_validate(merged)
        if "keys" in patch:
            self.state.accounts = open_accounts(self.state.settings.keys)

    def report(self, *, brief: bool) -> dict[str, object]:
        """The counters, and what is in memory now."""
        report = self.state.stats.report(brief=brief)
        report["jobs_in_memory"] = len(self.state.jobs)
        report["balances_usd"] = {
            key: account.balance_micro_usd / 1_000_000
            for key, account in self.state.accounts.items()
        }
        return report


def _in_envelope(handler: Handler) -> Handler:
    """The handler with the vendor's refusals turned into its answers."""

    async def answered(request: web.Request, faults: Sequence[Fault]) -> web.StreamResponse:
        try:
            return await handler(request, faults)
        except RefusedError as error:
            return error.response()

    return answered
