"""Which calls a rule strikes, and that a seed replays."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pydantic import ValidationError

from sandbox.faults import Call, Fault, FaultEngine, FaultKind, FaultOrder, Match, Rule

SUBMIT = Call("wavespeed", "submit", "m", "a cat")


def _rule(kind: str = "latency", **match: Any) -> Rule:
    return Rule(match=Match.model_validate(match), fault=Fault(kind=FaultKind(kind)))


@pytest.mark.parametrize(
    ("match", "struck"),
    [
        ({}, True),
        ({"vendor": "wavespeed", "operation": "submit", "model": "m"}, True),
        ({"prompt_contains": "cat"}, True),
        ({"vendor": "gemini"}, False),
        ({"operation": "result"}, False),
        ({"model": "n"}, False),
        ({"prompt_contains": "dog"}, False),
    ],
)
def test_matches_what_it_names(match: dict[str, Any], *, struck: bool) -> None:
    engine = FaultEngine()
    engine.add([_rule(**match)])
    assert bool(engine.pick(SUBMIT)) is struck


def test_nth_and_times() -> None:
    engine = FaultEngine()
    engine.add([_rule(nth=2), _rule("hang", times=2)])
    picked = [[fault.kind.value for fault in engine.pick(SUBMIT)] for _ in range(4)]
    assert picked == [["hang"], ["latency", "hang"], [], []]
    assert engine.fired == {"hang": 2, "latency": 1}


def test_a_fault_of_a_job_strikes_only_its_submission() -> None:
    engine = FaultEngine()
    engine.add([_rule("nsfw"), _rule("output_404")])
    assert not engine.pick(Call("wavespeed", "output", "m", "a cat"))
    assert len(engine.pick(SUBMIT)) == 2
    engine.clear()
    engine.add([_rule("output_404", operation="output")])
    assert not engine.pick(SUBMIT)
    assert engine.pick(Call("wavespeed", "output", "m", "a cat"))


def test_a_seed_replays_in_any_order() -> None:
    calls = [Call("wavespeed", "submit", "m", f"prompt {number % 150}") for number in range(300)]

    def run(seed: int, order: list[Call]) -> list[tuple[str, int, tuple[FaultKind, ...]]]:
        engine = FaultEngine(seed=seed)
        engine.add(FaultOrder(mix={"latency": 0.2, "nsfw": 0.1}).all_rules())
        seen: dict[str, int] = {}
        picked = []
        for call in order:
            seen[call.prompt] = seen.get(call.prompt, 0) + 1
            kinds = tuple(fault.kind for fault in engine.pick(call))
            picked.append((call.prompt, seen[call.prompt], kinds))
        return sorted(picked)

    shuffled = list(calls)
    random.Random(1).shuffle(shuffled)
    first = run(7, calls)
    assert run(7, shuffled) == first
    assert run(8, calls) != first
    struck = sum(FaultKind.LATENCY in kinds for _, _, kinds in first)
    assert 30 <= struck <= 90


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": {"kind": "earthquake"}},
        {"fault": {"kind": "refuse", "seconds": 1}},
        {"fault": {"kind": "status", "status": 200}},
        {"fault": {"kind": "nsfw"}, "match": {"operation": "result"}},
        {"fault": {"kind": "latency"}, "match": {"colour": "red"}},
        {"fault": {"kind": "latency"}, "match": {"probability": 2}},
        {"match": {}},
    ],
)
def test_a_rule_without_sense_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate(rule)


def test_a_mix_names_known_kinds() -> None:
    with pytest.raises(ValueError, match="earthquake"):
        FaultOrder(mix={"earthquake": 0.5}).all_rules()
    rules = FaultOrder(mix={"status@result": 0.5}).all_rules()
    assert rules[0].match.operation == "result"
