"""The table of error codes in ``docs/api.md``, out of the classes and the catalogue.

``python -m tests.error_codes`` writes it anew.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import hamyon
from hamyon.kit.errors import HamyonError
from hamyon.kit.texts import catalogue

API = Path(__file__).parents[1] / "docs" / "api.md"
BEGIN = "<!-- codes: written by `python -m tests.error_codes` -->\n"
END = "<!-- /codes -->"


def _kinds(kind: type[HamyonError] = HamyonError) -> Iterator[type[HamyonError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)


def codes() -> dict[str, int]:
    """Every code with its status, after loading every module that could declare one."""
    for module in pkgutil.walk_packages(hamyon.__path__, "hamyon."):
        if not module.name.endswith(("__main__", ".runner")):
            importlib.import_module(module.name)
    return {kind.code: kind.status for kind in _kinds() if kind.__module__.startswith("hamyon.")}


def table() -> str:
    """The Markdown table, by status and code."""
    sentences = catalogue("en")
    rows = sorted((status, code) for code, status in codes().items())
    lines = ["| status | code | what people read |", "|---|---|---|"]
    lines += [f"| {status} | `{code}` | {sentences[f'error.{code}']} |" for status, code in rows]
    return "\n" + "\n".join(lines) + "\n\n"


def main() -> None:
    """Write the table between its marks."""
    text = API.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    API.write_text(head + BEGIN + table() + END + tail, encoding="utf-8")


if __name__ == "__main__":
    main()
