"""Every text of every route refuses what PostgreSQL cannot keep: NUL, and halves of surrogates.

Which texts there are, the OpenAPI document says; how a route is called, its recipe.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from tests.doors.calls import ABSENT, numbers
from tests.doors.recipes import RECIPES
from tests.doors.scene import VICTIM, Scene, everything
from tests.fixtures.service import Launch

BAD = {"NUL": "a\0b", "half a surrogate": "a\ud800b", "a surrogate pair turned": "\udc00\ud83d"}
PASSED_OVER = {"POST /users": {"referral_code", "advertising_source"}}
"""Codes that name nobody refuse nothing."""
PROOFS = "/auth/"
"""What stands in a proof is compared and never kept."""
Schema = Mapping[str, Any]


def resolved(schema: Schema, document: Schema) -> Iterator[Schema]:
    """The schema behind a reference, and each of several."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from resolved(document["components"]["schemas"][name], document)
    elif "anyOf" in schema:
        for one in schema["anyOf"]:
            yield from resolved(one, document)
    else:
        yield schema


def texts_of(schema: Schema, document: Schema) -> Iterator[tuple[str, ...]]:
    """Where people's own words stand in a body."""
    for one in resolved(schema, document):
        if one.get("type") == "string" and not one.keys() & {"enum", "const", "format"}:
            yield ()
        for name, inner in one.get("properties", {}).items():
            yield from ((name, *rest) for rest in texts_of(inner, document))


def with_text(body: Mapping[str, Any], place: tuple[str, ...], text: str) -> dict[str, Any]:
    """A copy with another word at a place."""
    changed = copy.deepcopy(dict(body))
    at = changed
    for name in place[:-1]:
        at = at.setdefault(name, {})
    at[place[-1]] = text
    return changed


def operations(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


@pytest.fixture
async def scene(launch: Launch) -> Scene:
    service = await launch(worker=False)
    await service.person(VICTIM, 100)
    return Scene(service)


async def document_of(scene: Scene) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads((await scene.call("GET", "/openapi.json"))[1])
    return document


async def test_bodies_take_no_text_that_cannot_be_kept(scene: Scene) -> None:
    document = await document_of(scene)
    before = await everything(scene.service)
    wrong, tried = [], 0
    for method, path, operation in operations(document):
        name = f"{method} {path}"
        call = RECIPES[name].call(ABSENT)
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None or PROOFS in path:
            continue
        assert isinstance(call.json, dict), f"{name}: the recipe sends no body"
        for place in texts_of(content["schema"], document):
            if place[-1] in PASSED_OVER.get(name, ()):
                continue
            for kind, text in BAD.items():
                tried += 1
                body = with_text(call.json, place, text)
                key = {"Idempotency-Key": f"text-{next(numbers)}"}
                status, said, _ = await scene.call(
                    method, call.path, json=body, headers=scene.owner() | key
                )
                if not refuses(status, said, place):
                    wrong.append(f"{name}, {kind} in {place}: {status} {said[:200]!r}")
    assert not wrong, "\n".join(wrong)
    assert tried > 100
    assert await everything(scene.service) == before


async def test_codes_that_cannot_be_kept_name_nobody(scene: Scene) -> None:
    codes = ("\0", "ref_\0", "src_\0", "src_a\0b", f"ref_{VICTIM}\0", "ref_" + "9" * 5_000)
    for number, code in enumerate(codes, 1):
        person = {"chat_id": VICTIM + number, "referral_code": code, "advertising_source": code}
        status, said, _ = await scene.call("POST", "/users", json=person, headers=scene.owner())
        assert status == 201, (code[:10], said)
        shown = orjson.loads(said)
        assert (shown["referred_by"], shown["advertising_source"]) == (None, None), code[:10]


def refuses(status: int, said: bytes, place: tuple[str, ...]) -> bool:
    """Whether the answer names the text; a body with half a surrogate may be none at all."""
    if status != 422:
        return False
    fields = {error["field"] for error in orjson.loads(said)["errors"]}
    return bool(fields & {".".join(place), "", "body"})


async def test_addresses_take_no_text_that_cannot_be_kept(scene: Scene) -> None:
    document = await document_of(scene)
    wrong, tried = [], 0
    for method, path, operation in operations(document):
        call = RECIPES[f"{method} {path}"].call(ABSENT)
        for parameter in operation.get("parameters", ()):
            if parameter["in"] not in {"query", "path"}:
                continue
            if () not in set(texts_of(parameter["schema"], document)):
                continue
            for text in ("a%00b", quote("\ud800", errors="surrogatepass"), "%ff"):
                tried += 1
                target = _address(path, call.path, parameter, text)
                status, said, _ = await scene.call(
                    method, target, headers=scene.owner(), json=call.json
                )
                if status >= 500 or ("%00" in text and status not in {404, 422}):
                    wrong.append(f"{method} {target}: {status} {said[:200]!r}")
    assert not wrong, "\n".join(wrong)
    assert tried > 20


def _address(route: str, called: str, parameter: Schema, text: str) -> str:
    """The recipe's address with another text in it."""
    path, _, query = called.partition("?")
    if parameter["in"] == "query":
        kept = [
            part for part in query.split("&") if part and not part.startswith(parameter["name"])
        ]
        return f"{path}?" + "&".join([*kept, f"{parameter['name']}={text}"])
    names = route.split("/")
    parts = path.split("/")
    at = names.index(f"{{{parameter['name']}}}")
    return "/".join([*parts[:at], text, *parts[at + 1 :]]) + (f"?{query}" if query else "")
