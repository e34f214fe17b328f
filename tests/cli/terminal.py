"""A terminal of a test: ``hamyon`` as real processes, with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
READY_S = 60.0
COMMAND_S = 60.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    output: str


@dataclass(slots=True)
class Up:
    """A running ``hamyon up``."""

    popen: subprocess.Popen[bytes]
    url: str
    log: Path

    def ready(self) -> Up:
        """Wait until it answers."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            assert self.popen.poll() is None, self.said()
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise AssertionError(self.said())

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self, number: int) -> Said:
        """Send a signal and wait for the end."""
        self.popen.send_signal(number)
        return Said(self.popen.wait(COMMAND_S), self.said())


@dataclass(slots=True)
class Terminal:
    """Runs commands in ``folder``; ``environment`` is all that they see of settings."""

    folder: Path
    environment: Mapping[str, str]
    started: list[Up] = field(default_factory=list)

    def run(self, *words: str, **environment: str) -> Said:
        """A command to its end; both streams, as a person sees them."""
        done = subprocess.run(
            [sys.executable, "-m", "hamyon", *words],
            cwd=self.folder,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_S,
            check=False,
        )
        return Said(done.returncode, done.stdout.decode())

    def up(self, port: int, *words: str, **environment: str) -> Up:
        """``hamyon up``, which may not be ready yet."""
        log = self.folder / f"up-{len(self.started)}.log"
        with log.open("wb") as file:
            popen = subprocess.Popen(
                [sys.executable, "-m", "hamyon", "up", *words],
                cwd=self.folder,
                env=self._environment({"PORT": str(port), **environment}),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        made = Up(popen, f"http://127.0.0.1:{port}", log)
        self.started.append(made)
        return made

    def close(self) -> None:
        """End what a failed test left running, gently first: children must go along."""
        for up in self.started:
            if up.popen.poll() is None:
                up.popen.terminate()
                try:
                    up.popen.wait(30)
                except subprocess.TimeoutExpired:
                    up.popen.kill()
                    up.popen.wait()

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "COLUMNS": "80",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "HAMYON_HOME": str(self.folder / "var"),
            **self.environment,
            **more,
        }
