"""Faults on request, for any vendor: by rule, or with a probability that replays from a seed."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt, model_validator

SUBJECTS_MAX = 50_000
RULES_MAX = 1_000


class FaultKind(StrEnum):
    """What may go wrong. The comment of each group says when it happens."""

    # With the request or its answer; any operation.
    LATENCY = "latency"
    STATUS = "status"
    HANG = "hang"
    REFUSE = "refuse"
    ACCEPTED_THEN_CUT = "accepted_then_cut"
    ANSWER_TRUNCATED = "answer_truncated"
    NOT_JSON = "not_json"
    # With the job; decided when it is submitted.
    COMPLETED_WITHOUT_OUTPUTS = "completed_without_outputs"
    NSFW = "nsfw"
    FAILED = "failed"
    STUCK_PROCESSING = "stuck_processing"
    # With what it made; for all downloads of a job (submit) or for one download (output).
    OUTPUT_BROKEN = "output_broken"
    OUTPUT_TRUNCATED = "output_truncated"
    OUTPUT_HUGE = "output_huge"
    OUTPUT_BOMB = "output_bomb"
    OUTPUT_WRONG_TYPE = "output_wrong_type"
    OUTPUT_404 = "output_404"
    # With its webhook; decided when the job is submitted, or when a vendor tells of an event.
    WEBHOOK_DUPLICATE = "webhook_duplicate"
    WEBHOOK_LATE = "webhook_late"
    WEBHOOK_LOST = "webhook_lost"
    WEBHOOK_BAD_SIGNATURE = "webhook_bad_signature"
    WEBHOOK_BEFORE_ANSWER = "webhook_before_answer"


REQUEST_KINDS = frozenset(
    {
        FaultKind.LATENCY,
        FaultKind.STATUS,
        FaultKind.HANG,
        FaultKind.REFUSE,
        FaultKind.ACCEPTED_THEN_CUT,
        FaultKind.ANSWER_TRUNCATED,
        FaultKind.NOT_JSON,
    }
)
OUTPUT_KINDS = frozenset(kind for kind in FaultKind if kind.startswith("output_"))
WEBHOOK_KINDS = frozenset(kind for kind in FaultKind if kind.startswith("webhook_"))

_USES: dict[FaultKind, frozenset[str]] = {
    FaultKind.LATENCY: frozenset({"seconds", "accepted"}),
    FaultKind.STATUS: frozenset({"status", "retry_after", "message", "accepted"}),
    FaultKind.HANG: frozenset({"seconds", "accepted"}),
    FaultKind.NOT_JSON: frozenset({"accepted"}),
    FaultKind.NSFW: frozenset({"flagged"}),
    FaultKind.FAILED: frozenset({"code", "message", "state"}),
    FaultKind.STUCK_PROCESSING: frozenset({"seconds"}),
    FaultKind.OUTPUT_TRUNCATED: frozenset({"cut"}),
    FaultKind.OUTPUT_HUGE: frozenset({"bytes"}),
    FaultKind.OUTPUT_WRONG_TYPE: frozenset({"content"}),
    FaultKind.WEBHOOK_DUPLICATE: frozenset({"copies", "seconds"}),
    FaultKind.WEBHOOK_LATE: frozenset({"seconds"}),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request as rules see it. ``operation`` is ``submit``, ``result``, ``output``...

    A vendor that tells of events makes a call of each, with the operation ``notification``.
    """

    vendor: str
    operation: str
    model: str = ""
    prompt: str = ""


class Match(BaseModel):
    """Which calls a rule is about; what is left out matches everything.

    ``nth`` (from 1) is the only matching call that it strikes, ``times`` the most that it strikes,
    ``probability`` the chance per call, drawn from the seed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: str | None = None
    operation: str | None = None
    model: str | None = None
    prompt_contains: str | None = None
    nth: PositiveInt | None = None
    probability: float = Field(1.0, ge=0, le=1)
    times: PositiveInt | None = None


class Fault(BaseModel):
    """What happens. Only the fields that the kind uses may be given.

    ``accepted`` asks for the real handling first (the job exists and is paid) and the fault in the
    answer only; ``content`` is what an output of a wrong type really is; ``state`` is the terminal
    state of a failed job; ``cut`` cuts the connection where the file would merely end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    seconds: NonNegativeFloat | None = None
    accepted: bool | None = None
    status: int | None = Field(None, ge=400, le=599)
    retry_after: str | int | None = None
    message: str | None = None
    flagged: bool = False
    code: int | None = None
    state: Literal["failed", "cancelled", "timeout"] = "failed"
    cut: bool = False
    bytes: PositiveInt | None = None
    content: Literal["html", "gif"] = "html"
    copies: int = Field(2, ge=2, le=20)

    @model_validator(mode="after")
    def _only_its_own_fields(self) -> Self:
        unknown = self.model_fields_set - {"kind"} - _USES.get(self.kind, frozenset())
        if unknown:
            raise ValueError(f"{self.kind} does not use {', '.join(sorted(unknown))}")
        return self


class Rule(BaseModel):
    """A fault and the calls that it strikes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: Match = Match()
    fault: Fault

    @model_validator(mode="after")
    def _operation_fits(self) -> Self:
        operation = self.match.operation
        if operation is None:
            return self
        if self.fault.kind in REQUEST_KINDS:
            if operation == "notification":
                raise ValueError(f"{self.fault.kind} strikes requests, not a notification")
            return self
        possible = ["submit"]
        if self.fault.kind in OUTPUT_KINDS:
            possible.append("output")
        elif self.fault.kind in WEBHOOK_KINDS:
            possible.append("notification")
        if operation not in possible:
            raise ValueError(f"{self.fault.kind} strikes {' or '.join(possible)}, not {operation}")
        return self

    def applies(self, call: Call) -> bool:
        """Whether the call is one of those that this rule is about."""
        match = self.match
        return (
            match.vendor in {None, call.vendor}
            and self._operation_applies(call.operation)
            and match.model in {None, call.model}
            and (match.prompt_contains is None or match.prompt_contains in call.prompt)
        )

    def _operation_applies(self, operation: str) -> bool:
        if self.match.operation is not None:
            return operation == self.match.operation
        if self.fault.kind in REQUEST_KINDS:
            return operation != "notification"
        return operation == "submit" or (
            operation == "notification" and self.fault.kind in WEBHOOK_KINDS
        )


@dataclass(slots=True)
class ActiveRule:
    """A rule with what it has done so far."""

    id: int
    rule: Rule
    seen: int = 0
    fired: int = 0


@dataclass(slots=True)
class FaultEngine:
    """The rules in force.

    A chance depends only on the seed, the rule, the operation, the prompt and how often that
    prompt was seen there; a run with the same prompts meets the same faults in any interleaving.
    """

    seed: int = 0
    active: list[ActiveRule] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    _next_id: int = 1
    _subjects: OrderedDict[tuple[int, str, str], int] = field(default_factory=OrderedDict)

    def add(self, rules: Sequence[Rule]) -> list[ActiveRule]:
        """Put rules in force. Raises ``ValueError`` above ``RULES_MAX``."""
        if len(self.active) + len(rules) > RULES_MAX:
            raise ValueError(f"at most {RULES_MAX} rules")
        added = [ActiveRule(self._next_id + number, rule) for number, rule in enumerate(rules)]
        self._next_id += len(added)
        self.active += added
        return added

    def clear(self) -> None:
        """Forget every rule and every count, so that a run can start again from its seed."""
        self.active.clear()
        self.fired.clear()
        self._subjects.clear()
        self._next_id = 1

    def pick(self, call: Call) -> tuple[Fault, ...]:
        """What strikes this call, in the order of the rules; counts the call for each of them."""
        struck: list[Fault] = []
        for active in self.active:
            match = active.rule.match
            if match.times is not None and active.fired >= match.times:
                continue
            if not active.rule.applies(call):
                continue
            active.seen += 1
            if match.nth is not None and active.seen != match.nth:
                continue
            if match.probability < 1 and self._chance(active.id, call) >= match.probability:
                continue
            active.fired += 1
            self.fired[active.rule.fault.kind.value] += 1
            struck.append(active.rule.fault)
        return tuple(struck)

    def _chance(self, rule_id: int, call: Call) -> float:
        subject = (rule_id, call.operation, call.prompt)
        occurrence = self._subjects.pop(subject, 0) + 1
        self._subjects[subject] = occurrence
        if len(self._subjects) > SUBJECTS_MAX:
            self._subjects.popitem(last=False)
        text = f"{self.seed}|{rule_id}|{call.operation}|{call.prompt}|{occurrence}"
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64


def first(faults: Sequence[Fault], *kinds: FaultKind) -> Fault | None:
    """The first fault of one of these kinds."""
    return next((fault for fault in faults if fault.kind in kinds), None)


class FaultOrder(BaseModel):
    """A file of faults, or what ``POST /_control/faults`` takes: rules, and a mix by probability.

    ``mix`` maps a kind, or ``kind@operation``, to a probability.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int | None = None
    rules: tuple[Rule, ...] = ()
    mix: dict[str, float] = {}

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read an order, or a bare list of rules. Raises ``ValueError``."""
        given = orjson.loads(content)
        return cls.model_validate({"rules": given} if isinstance(given, list) else given)

    def all_rules(self) -> list[Rule]:
        """The rules, then one for each entry of the mix. Raises ``ValueError`` for a bad entry."""
        mixed = []
        for name, probability in self.mix.items():
            kind, _, operation = name.partition("@")
            match = Match(operation=operation or "submit", probability=probability)
            mixed.append(Rule(match=match, fault=Fault(kind=FaultKind(kind))))
        return [*self.rules, *mixed]
