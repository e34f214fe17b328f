"""The vendor is the sandbox, over real HTTP."""

from tests.fixtures.sandbox import sandbox, sandbox_server

__all__ = ["sandbox", "sandbox_server"]
