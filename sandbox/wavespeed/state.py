"""Everything that the simulated vendor remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import ClientSession

from sandbox.counters import Stats
from sandbox.wavespeed.accounts import Account, open_accounts
from sandbox.wavespeed.files import Files
from sandbox.wavespeed.jobs import Jobs
from sandbox.wavespeed.settings import WaveSpeedSettings


@dataclass(slots=True)
class State:
    """One vendor's memory. ``session`` fetches references and delivers webhooks."""

    stats: Stats
    settings: WaveSpeedSettings = field(default_factory=WaveSpeedSettings)
    accounts: dict[str, Account] = field(default_factory=dict)
    jobs: Jobs = field(default_factory=Jobs)
    files: Files = field(default_factory=Files)
    open_session: ClientSession | None = None

    def __post_init__(self) -> None:
        if not self.accounts:
            self.accounts = open_accounts(self.settings.keys)

    @property
    def session(self) -> ClientSession:
        """The session of the running application."""
        if self.open_session is None:
            raise RuntimeError("the sandbox is not started")
        return self.open_session
