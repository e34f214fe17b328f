"""What the HTTP edge itself refuses."""

from __future__ import annotations

from hamyon.kit.errors import HamyonError, InvalidInput, Unavailable


class MethodNotAllowed(HamyonError):
    """The path exists, but not with this method."""

    code = "method_not_allowed"
    status = 405


class BodyTimeout(HamyonError):
    """The body did not arrive in time."""

    code = "body_timeout"
    status = 408


class InvalidCursor(InvalidInput):
    """The cursor is not one that this list gave out."""

    code = "invalid_cursor"


class LimitUnknown(Unavailable):
    """A limit that must not be guessed cannot be counted now, so nobody may pass."""

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.facts.get("retry_after_s", 1))}
