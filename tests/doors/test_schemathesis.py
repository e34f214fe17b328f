"""Whatever is sent, the answer is one that the OpenAPI document describes, and never a 500.

Schemathesis makes the requests, right ones and wrong ones, for every operation and for two callers
over real HTTP. They are the same in every run: what fails here fails again.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from hamyon.kit.limits import Limit
from tests.doors.scene import OTHER, VICTIM, Scene, open_scene, uploaded
from tests.fixtures.service import Launch

_numbers = itertools.count()
SEED = 20_261_121
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "6"))
"""Of each kind for each operation and caller; the long run takes more."""
_ORDER = "/api/v1/generations/{generation_id}"
NEED_A_PERSON = frozenset(
    [f"{_ORDER}/retry", f"{_ORDER}/refresh", f"{_ORDER}/cancel", "/api/v1/media/upload"]
)
ENDS_SESSIONS = ("/api/v1/auth/logout", "/api/v1/auth/logout_all")


@dataclass(slots=True)
class Caller:
    """Who calls, and the ids that are his: half of the requests name them."""

    name: str
    headers: Mapping[str, str]
    ids: Mapping[str, Any]


@dataclass(slots=True)
class Tally:
    """What was sent, and what was answered otherwise than it may be."""

    sent: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)


async def test_every_operation_answers_as_documented(launch: Launch) -> None:
    scene = await open_scene(launch, max_parallel_generations_per_user=1000)
    # Wrong keys by the hundred are what is sent here, and each is to be looked at.
    scene.service.deps.limiter._limits["failures"] = Limit(1e6, 1_000_000)
    callers = [await service(scene), await person(scene)]
    tally = Tally()
    for caller in callers:
        await asyncio.to_thread(ask_everything, scene.service.api.url, caller, tally)
    assert not tally.wrong, f"{len(tally.wrong)} kinds:\n\n" + "\n\n".join(tally.wrong.values())
    assert tally.sent > 100 * EXAMPLES
    # The requests reach what lies behind the first checks.
    assert tally.by_status[200] > tally.sent / 10, tally.by_status


async def service(scene: Scene) -> Caller:
    order = await scene.service.api.ordered(VICTIM)
    upload = await uploaded(scene, VICTIM)
    ids = {"telegram_id": VICTIM, "generation_id": order, "order_id": order, "key": "seedream-v4",
           "name": "wavespeed", "upload": upload["upload_id"]}  # fmt: skip
    return Caller("owner", scene.owner(), ids)


async def person(scene: Scene) -> Caller:
    order = await scene.service.api.ordered(OTHER)
    ids = {"telegram_id": OTHER, "generation_id": order}
    return Caller("person", await scene.bearer(OTHER), ids)


def ask_everything(url: str, caller: Caller, tally: Tally) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    with requests.Session() as session:
        session.headers.update(caller.headers)
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            if caller.name == "person" and operation.path in ENDS_SESSIONS:
                continue
            takes_something = bool([*operation.iter_parameters()] or operation.body)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                if mode is GenerationMode.NEGATIVE and not takes_something:
                    continue  # There is nothing that could be wrong.
                fuzz(operation, mode, caller, session, tally)


def fuzz(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    caller: Caller,
    session: requests.Session,
    tally: Tally,
) -> None:
    """So many requests of one kind to one operation; every failure is kept."""

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode), named=st.booleans())
    def ask(case: Case[Any], named: bool) -> None:
        if mode is GenerationMode.POSITIVE:
            name_own(case, caller, operation, everything=named)
        send(case, session, tally, mode)

    ask()


def name_own(
    case: Case[Any],
    caller: Caller,
    operation: APIOperation[Any, Any, Any, Any],
    *,
    everything: bool,
) -> None:
    """Name what is the caller's own; the person and the key, which some must send, always."""
    always = {"telegram_id"}
    for place in (case.path_parameters, case.query, case.body):
        if isinstance(place, dict):
            known = place.keys() & caller.ids.keys()
            place.update({name: caller.ids[name] for name in known if everything or name in always})
    if operation.get_parameter("telegram_id", "query"):
        case.query = {**(case.query or {}), "telegram_id": caller.ids["telegram_id"]}
    if isinstance(case.body, dict) and operation.path in NEED_A_PERSON:
        case.body["telegram_id"] = caller.ids["telegram_id"]
    if operation.get_parameter("Idempotency-Key", "header"):
        case.headers["Idempotency-Key"] = str(next(_numbers))


def send(case: Case[Any], session: requests.Session, tally: Tally, mode: GenerationMode) -> None:
    response = case.call(session=session, timeout=20)
    tally.sent += 1
    tally.by_status[response.status_code] += 1
    found: list[str] = []
    try:
        # That right input is taken is checked below: a named rule may refuse it, too.
        case.validate_response(response, excluded_checks=[positive_data_acceptance])
    except FailureGroup as group:
        found += [f"{failure}" for failure in group.exceptions]
    if mode is GenerationMode.POSITIVE and b'"code":"invalid_input"' in response.content:
        found.append("what the document allows was called malformed")
    for failure in found:
        key = f"{case.operation.label}: {failure.splitlines()[0]}"
        story = f"{key}\n{failure}\n{case.as_curl_command()}\n{response.status_code} "
        tally.wrong.setdefault(key, story + f"{response.content[:300]!r}")
