"""The fixtures of all tests; each group has its module."""

from __future__ import annotations

pytest_plugins = [
    "tests.fixtures.database",
    "tests.fixtures.sandbox",
    "tests.fixtures.service",
    "tests.fixtures.valkey",
]
