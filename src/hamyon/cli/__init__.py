"""The command line: one small module a command."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line. Ctrl-C is quiet, also while the modules are still being loaded."""
    try:
        from hamyon.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
