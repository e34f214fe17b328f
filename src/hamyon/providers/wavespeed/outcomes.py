"""What WaveSpeed's answers mean: every status and code, mapped once to one of our outcomes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from hamyon.kit.http import FailureKind, HttpFailure
from hamyon.orders.types import (
    Accepted,
    Canceled,
    Failed,
    Finished,
    Output,
    PollOutcome,
    Refused,
    Running,
    SubmitOutcome,
    Unknown,
)
from hamyon.providers.wavespeed.types import (
    CODE_MODERATED,
    CODE_OK,
    CODE_TIMED_OUT,
    OUTPUT_LIMIT_BYTES,
    Answer,
)

_AMBIGUOUS: Final = frozenset({408, 500, 502, 504})
"""A gateway says these also about a request that it passed on, so they prove nothing."""
_SAFETY_WORDS: Final = re.compile(
    r"\b(nsfw|moderat\w*|safety|sensitive content|content polic\w+|prohibited content)\b", re.I
)
_NO_MODEL_WORDS: Final = re.compile(
    r"\bmodel\b.*\bnot (found|exist|available)|\bunknown model", re.I
)
_NO_FUNDS_WORDS: Final = re.compile(
    r"\b(insufficient|not enough)\b.*\b(balance|credits?|funds)", re.I
)


def submit_failed(failure: HttpFailure) -> SubmitOutcome:
    """A submit without a whole answer."""
    if failure.kind is FailureKind.NOT_SENT:
        return Failed("provider_unreachable", str(failure), retryable=True, outage=True)
    return Unknown(str(failure))


def submit_outcome(answer: Answer, poll_after_s: float) -> SubmitOutcome:
    """A submit's answer. An id decides: with one the work exists, whatever else is said."""
    prediction_id = answer.data.get("id")
    if answer.status == 200 and isinstance(prediction_id, str) and prediction_id:
        # A task that is over already is polled at once: its id must be ours before its result.
        going_on = isinstance(prediction_outcome(answer.data, 0), Running)
        return Accepted(prediction_id, poll_after_s if going_on else 0.0)
    if answer.ok or (answer.status == 200 and answer.code is None):
        return Unknown("accepted without an id")
    if answer.status_meant != answer.status or answer.status != 200:
        return _http_error(answer)
    return _coded(answer.code or 0, answer.message)


def _http_error(answer: Answer) -> SubmitOutcome:
    status, said = answer.status_meant, f"{answer.status_meant} {answer.message}".strip()
    if answer.status != 200 and answer.code == CODE_MODERATED:
        return Refused(answer.message or "moderated")
    if status in _AMBIGUOUS or status > 504 or status < 300:
        return Unknown(said)
    if status in {429, 503}:
        code = "provider_busy" if status == 429 else "provider_outage"
        wish = answer.retry_after_s
        return Failed(code, said, retryable=True, outage=True, retry_after_s=wish)
    if status == 402 or _NO_FUNDS_WORDS.search(answer.message):
        return Failed("provider_funds", said, retryable=False, outage=True)
    if status == 404 or _NO_MODEL_WORDS.search(answer.message):
        return Failed("model_unavailable", said, retryable=False)
    if status in {401, 403}:
        return Failed("provider_credentials", said, retryable=False, outage=True)
    return Failed("provider_rejected", said, retryable=False)


def poll_outcome(answer: Answer, prediction_id: str, poll_after_s: float) -> PollOutcome:
    """A poll's answer. Trouble with the asking says nothing about the task."""
    named = answer.data.get("id")
    if answer.status != 200 or "status" not in answer.data:
        return Unknown(f"{answer.status} {answer.code} {answer.message}".strip())
    if named != prediction_id and (named is not None or not answer.ok):
        return Unknown("the answer is about another prediction")
    return prediction_outcome(answer.data, poll_after_s)


def prediction_outcome(data: Mapping[str, object], poll_after_s: float) -> PollOutcome:
    """A prediction as it stands. A status we do not know is not the end: the deadline is."""
    status, error = str(data.get("status") or ""), str(data.get("error") or "")[:500]
    code = data.get("code")
    code = code if isinstance(code, int) and not isinstance(code, bool) else 0
    match status:
        case "completed":
            return _completed(data, code, error)
        case "failed":
            ended = _coded(code, error)
            # The task is over: an outage would mean that only the asking failed.
            return replace(ended, outage=False) if isinstance(ended, Failed) else ended
        case "timeout":
            return Failed("provider_timeout", error or status, retryable=True)
        case "cancelled" | "canceled":
            return Canceled()
        case "deleted":
            return Failed("provider_failed", "deleted at the provider", retryable=False)
        case _:
            return Running(poll_after_s)


def _completed(data: Mapping[str, object], code: int, error: str) -> PollOutcome:
    unsafe = data.get("has_nsfw_contents")
    flagged = any(flag is True for flag in unsafe) if isinstance(unsafe, list) else unsafe is True
    if flagged or code == CODE_MODERATED:
        return Refused(error or "nsfw")
    listed = data.get("outputs")
    outputs = [made for one in listed if (made := _output(one))] if isinstance(listed, list) else []
    if not outputs:
        return Failed("no_picture", error or "completed without a picture", retryable=True)
    return Finished(outputs)


def _coded(code: int, message: str) -> Refused | Failed:
    """A task's or an envelope's own code: 1xxx is about the request, 5xxx about the provider."""
    said = f"{code} {message}".strip()
    if code == CODE_MODERATED or (code in {0, CODE_OK} and _SAFETY_WORDS.search(message)):
        return Refused(message or "moderated")
    if 1400 <= code <= 1402:
        return Failed("provider_rejected", said, retryable=False)
    if 1000 <= code < 2000:
        return Failed("provider_failed", said, retryable=False)
    if code == CODE_TIMED_OUT:
        return Failed("provider_timeout", said, retryable=True)
    if 5000 <= code < 6000:
        return Failed("provider_outage", said, retryable=True, outage=True)
    return Failed("provider_failed", said, retryable=True)


def _output(value: object) -> Output | None:
    """A URL, or the picture itself as base64, bare or as a ``data:`` URI."""
    if not isinstance(value, str) or len(value) > OUTPUT_LIMIT_BYTES * 4 // 3 + 100:
        return None
    if value.startswith(("https://", "http://")):
        return Output(url=value)
    try:
        content = base64.b64decode(value.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return Output(content=content) if content else None
