"""What secrets are, and where they were written although they must not be."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.fixtures.service import Service


@dataclass(slots=True)
class Search:
    """The marks, and everything that was written."""

    marks: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)

    def mark(self, name: str, secret: str) -> None:
        """Remember a secret in each way in which it may be written."""
        assert len(secret) >= 10, name
        for way in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}:
            self.marks[way] = name

    def found(self, where: str, text: str) -> list[str]:
        """Which marks stand there, with what stands before them."""
        hits = []
        for way, name in self.marks.items():
            at = text.find(way)
            if at >= 0:
                hits.append(f"{name} in {where}: ...{text[max(0, at - 200) : at]!r}")
        return hits

    def keep(self, headers: object, body: bytes) -> None:
        """Remember an answer, to be searched."""
        self.answers.append(f"{headers} {body.decode(errors='replace')}")


async def ask(service: Service, search: Search, method: str, path: str, **options: Any) -> Any:
    """Call, and keep the answer when it is a refusal."""
    api = service.api
    async with api.session.request(method, f"{api.url}{path}", **options) as answer:
        body = await answer.read()
        if answer.status >= 400:
            search.keep(dict(answer.headers), body)
            return answer.status
        return json.loads(body) if "json" in answer.content_type else body
