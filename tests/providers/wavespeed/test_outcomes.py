"""Answers that the sandbox does not give, and what they must mean."""

from __future__ import annotations

import base64

import pytest

from hamyon.orders.types import (
    Accepted,
    Canceled,
    Failed,
    Finished,
    Output,
    Refused,
    Running,
    Unknown,
)
from hamyon.providers.wavespeed.outcomes import poll_outcome, prediction_outcome, submit_outcome
from hamyon.providers.wavespeed.types import Answer

ID = "0123456789abcdef0123456789abcdef"


def answer(http: int = 200, code: int | None = 200, message: str = "", **data: object) -> Answer:
    return Answer(status=http, code=code, message=message, data=data)


@pytest.mark.parametrize(
    ("given", "kind", "code"),
    [
        (answer(id=ID, status="created"), Accepted, None),
        (answer(id=ID, status="completed", outputs=["https://x/y"]), Accepted, None),
        (answer(code=5004, id=ID, status="processing"), Accepted, None),
        (answer(code=1200, id=ID, status="failed"), Accepted, None),
        (answer(), Unknown, None),
        (answer(id=17), Unknown, None),
        (answer(code=None), Unknown, None),
        (answer(code=1200, message="no"), Refused, None),
        (answer(http=400, code=1200), Refused, None),
        (answer(code=1401), Failed, "provider_rejected"),
        (answer(code=1403), Failed, "provider_failed"),
        (answer(code=5003), Failed, "provider_outage"),
        (answer(code=429), Failed, "provider_busy"),
        (answer(code=500), Unknown, None),
        (answer(code=401), Failed, "provider_credentials"),
        (answer(http=400, code=400, message="Model x not found"), Failed, "model_unavailable"),
        (answer(http=403, message="Insufficient balance"), Failed, "provider_funds"),
        (answer(http=302, code=None), Failed, "provider_rejected"),
        (answer(http=522, code=None), Unknown, None),
    ],
)
def test_submits(given: Answer, kind: type[object], code: str | None) -> None:
    outcome = submit_outcome(given, 2.0)
    assert type(outcome) is kind
    assert getattr(outcome, "code", None) == code


def test_a_task_that_is_over_is_polled_at_once() -> None:
    over = submit_outcome(answer(id=ID, status="completed", outputs=["https://x/y"]), 2.0)
    assert over == Accepted(ID, 0.0)
    assert submit_outcome(answer(id=ID, status="odd"), 2.0) == Accepted(ID, 2.0)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"status": "created"}, Running(1.0)),
        ({"status": "processing", "code": 5004}, Running(1.0)),
        ({"status": "thinking hard"}, Running(1.0)),
        ({}, Running(1.0)),
        ({"status": "cancelled"}, Canceled()),
        ({"status": "completed", "outputs": ["https://x/y"]}, Finished([Output("https://x/y")])),
        (
            {"status": "completed", "outputs": ["https://x/y"], "has_nsfw_contents": [False]},
            Finished([Output("https://x/y")]),
        ),
        (
            {"status": "completed", "outputs": ["https://x/y"], "has_nsfw_contents": [True]},
            Refused("nsfw"),
        ),
        (
            {"status": "completed", "outputs": [base64.b64encode(b"picture").decode()]},
            Finished([Output(content=b"picture")]),
        ),
        (
            {"status": "completed", "outputs": ["data:image/png;base64,AAEC"]},
            Finished([Output(content=b"\0\1\2")]),
        ),
    ],
)
def test_predictions(data: dict[str, object], expected: object) -> None:
    assert prediction_outcome(data, 1.0) == expected


@pytest.mark.parametrize(
    "outputs", [[], None, "https://x/y", [None], [""], ["ftp://x"], [{"url": "https://x"}], ["%%"]]
)
def test_completed_without_a_picture_failed(outputs: object) -> None:
    outcome = prediction_outcome({"status": "completed", "outputs": outputs}, 1.0)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("no_picture", True)


@pytest.mark.parametrize(
    ("code", "error", "kind", "retryable"),
    [
        (1200, "", Refused, None),
        (0, "Content moderation: blocked", Refused, None),
        (0, "flagged as NSFW", Refused, None),
        (1400, "nsfw_level is missing", Failed, False),
        (1402, "", Failed, False),
        (1405, "", Failed, False),
        (5000, "", Failed, True),
        (5003, "", Failed, True),
        (5004, "", Failed, True),
        (0, "something", Failed, True),
    ],
)
def test_failed_tasks(code: int, error: str, kind: type[object], retryable: bool | None) -> None:
    outcome = prediction_outcome({"status": "failed", "code": code, "error": error}, 1.0)
    assert type(outcome) is kind
    assert getattr(outcome, "retryable", None) == retryable


@pytest.mark.parametrize(
    "given",
    [
        answer(http=404, code=404),
        answer(http=401, code=401),
        answer(http=502, code=None),
        answer(code=None),
        answer(id="another", status="completed", outputs=["https://x/y"]),
        answer(code=5000, status_text="x"),
    ],
)
def test_polls_that_say_nothing(given: Answer) -> None:
    assert isinstance(poll_outcome(given, ID, 1.0), Unknown)


def test_a_polls_own_task_is_believed_whatever_the_envelope_says() -> None:
    given = Answer(200, 1200, "", {"id": ID, "status": "failed", "code": 1200, "error": "no"})
    assert poll_outcome(given, ID, 1.0) == Refused("no")
