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
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from hamyon.kit.limits import Limit
from tests.doors.scene import OTHER, VICTIM, Scene, open_scene, uploaded
from tests.doors.shop import Purchases, package_body, purchases_of
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch

_numbers = itertools.count()
SEED = 20_261_121
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "6"))
"""Of each kind for each operation and caller; the long run takes more."""
_ORDER = "/api/v1/generations/{generation_id}"
NEED_A_PERSON = frozenset(
    [f"{_ORDER}/retry", f"{_ORDER}/refresh", f"{_ORDER}/cancel", "/api/v1/media/upload"]
)
ALWAYS = frozenset({"telegram_id", "chat_id", "from", "to"})
"""The person; and a window, since a document cannot say that one end comes before the other."""
NOT_SET_UP = b'"code":"gateway_unavailable"'
"""Says 503 of a way to pay that there is none here, which is no failure."""
WISHES: dict[str, dict[str, Any]] = {
    "POST /api/v1/payments/stars/invoice": {"stars": 70, "asset": "credit"},
    "POST /api/v1/admin/payments/mismatches/{mismatch_id}/resolve": {"decision": "dismiss"},
    "POST /api/v1/admin/promo_codes": {
        "code": "WISHED", "asset": "credit", "amount": 5, "percent": None, "from": None,
        "until": None, "products": None,
    },
}  # fmt: skip
ENDS_SESSIONS = ("/api/v1/auth/logout", "/api/v1/auth/logout_all")


@dataclass(slots=True)
class Caller:
    """Who calls, and the ids that are his: half of the requests name them.

    ``ids_at`` has those of single operations, where a name means something else. ``wishes`` are
    what a body must say for the operation to be done, since chance hardly ever says it.
    """

    name: str
    headers: Mapping[str, str]
    ids: Mapping[str, Any]
    ids_at: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    wishes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """What was sent, and what was answered otherwise than it may be."""

    sent: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)


async def test_every_operation_answers_as_documented(launch: Launch, sandbox: Sandbox) -> None:
    scene = await open_scene(launch, sandbox, max_parallel_generations_per_user=1000)
    # Wrong keys by the hundred are what is sent here, and each is to be looked at.
    scene.service.deps.limiter._limits["failures"] = Limit(1e6, 1_000_000)
    callers = [await service(scene, sandbox), await person(scene, sandbox)]
    tally = Tally()
    for caller in callers:
        await asyncio.to_thread(ask_everything, scene.service.api.url, caller, tally)
    assert not tally.wrong, f"{len(tally.wrong)} kinds:\n\n" + "\n\n".join(tally.wrong.values())
    assert tally.sent > 100 * EXAMPLES
    # The requests reach what lies behind the first checks.
    assert tally.by_status[200] > tally.sent / 10, tally.by_status


async def service(scene: Scene, sandbox: Sandbox) -> Caller:
    order = await scene.service.api.ordered(VICTIM)
    upload = await uploaded(scene, VICTIM)
    bought = await purchases_of(scene, sandbox, VICTIM)
    ids = {
        "generation_id": order,
        "order_id": order,
        "key": "seedream-v4",
        "name": "wavespeed",
        "upload": upload["upload_id"],
        "run_id": bought.run,
        "mismatch_id": bought.mismatch,
        "charge_id": bought.external,
        "from": "2026-02-01T00:00:00Z",
        "to": "2026-02-02T00:00:00Z",
    }
    return Caller(
        "owner",
        scene.owner(),
        {**of_person(VICTIM, bought), **ids, **bought.charge},
        {"PATCH /api/v1/admin/packages/{key}": {"key": bought.package}},
        WISHES | {"POST /api/v1/admin/packages": package_body("wished")},
    )


async def person(scene: Scene, sandbox: Sandbox) -> Caller:
    order = await scene.service.api.ordered(OTHER)
    bought = await purchases_of(scene, sandbox, OTHER)
    ids = of_person(OTHER, bought) | {"generation_id": order}
    return Caller("person", await scene.bearer(OTHER), ids, wishes=WISHES)


def of_person(user_id: int, bought: Purchases) -> dict[str, Any]:
    """What may be named of a person and of what he can buy."""
    return {
        "telegram_id": user_id,
        "chat_id": user_id,
        "payment_id": bought.rubles,
        "code": bought.promo,
        "gateway": "yookassa",
        "package": bought.package,
        "item_name": "revivals_5",
        "quantity": 1,
        "price": "149.00",
    }


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
    turns = itertools.cycle((True, False))

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def ask(case: Case[Any]) -> None:
        if mode is GenerationMode.POSITIVE:
            name_own(case, caller, operation, everything=next(turns))
        send(case, session, tally, mode)

    ask()


def name_own(
    case: Case[Any],
    caller: Caller,
    operation: APIOperation[Any, Any, Any, Any],
    *,
    everything: bool,
) -> None:
    """Name what is the caller's own; what some must send, always."""
    ids = {**caller.ids, **caller.ids_at.get(operation.label, {})}
    for place in (case.path_parameters, case.query, case.body):
        if isinstance(place, dict):
            sent = {name for name, value in place.items() if value is not None}
            known = sent & ids.keys()
            place.update({name: ids[name] for name in known if everything or name in ALWAYS})
    if isinstance(case.body, dict) and everything:
        case.body.update(caller.wishes.get(operation.label, {}))
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
        excluded: list[CheckFunction] = [positive_data_acceptance]
        if NOT_SET_UP in response.content:
            excluded.append(not_a_server_error)
        case.validate_response(response, excluded_checks=excluded)
    except FailureGroup as group:
        found += [f"{failure}" for failure in group.exceptions]
    if mode is GenerationMode.POSITIVE and b'"code":"invalid_input"' in response.content:
        found.append("what the document allows was called malformed")
    for failure in found:
        key = f"{case.operation.label}: {failure.splitlines()[0]}"
        story = f"{key}\n{failure}\n{case.as_curl_command()}\n{response.status_code} "
        tally.wrong.setdefault(key, story + f"{response.content[:300]!r}")
