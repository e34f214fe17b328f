"""What can be refused, and how it is said.

An error is a stable ``code``, an HTTP status and the facts of the case. The sentence for people
is not here: it lies in the catalogue (``texts/``) under ``error.{code}`` in three languages, and
is filled with the facts.
"""

from __future__ import annotations

from typing import ClassVar


class HamyonError(Exception):
    """A refusal that callers may see. Subclasses name the case; slices keep theirs in errors.py.

    ``facts`` are JSON values; they fill the sentence and stand beside it in the answer.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, **facts: object) -> None:
        super().__init__(self.code, facts)
        self.facts = facts

    def headers(self) -> dict[str, str]:
        """Extra HTTP headers of the answer, ``Retry-After`` for example."""
        return {}


class Unauthenticated(HamyonError):
    """No credentials, or credentials that do not hold."""

    code = "unauthenticated"
    status = 401


class PermissionDenied(HamyonError):
    """The caller is known and may not do this."""

    code = "permission_denied"
    status = 403


class FileGone(HamyonError):
    """A file that somebody sent is not given out any more by whoever kept it."""

    code = "file_gone"
    status = 410


class NotFound(HamyonError):
    """Absent, or somebody else's: strangers cannot tell the two apart."""

    code = "not_found"
    status = 404


class InvalidInput(HamyonError):
    """Malformed input; ``errors`` lists ``{field, message}``."""

    code = "invalid_input"
    status = 422


class TooLarge(HamyonError):
    """The body is longer than the route takes; ``limit_bytes`` says how long it may be."""

    code = "body_too_large"
    status = 413


class TooManyRequests(HamyonError):
    """A limit of calls was reached; ``retry_after_s`` says when to come back."""

    code = "too_many_requests"
    status = 429

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.facts.get("retry_after_s", 1))}


class IdempotencyMismatch(HamyonError):
    """The key was used before with another input."""

    code = "idempotency_mismatch"
    status = 409


class KeyRequired(HamyonError):
    """The route moves money and was called without ``Idempotency-Key``."""

    code = "idempotency_key_required"
    status = 422


class Unavailable(HamyonError):
    """The service cannot do this now, and nothing was changed."""

    code = "unavailable"
    status = 503
