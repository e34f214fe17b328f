"""What the console refuses by itself."""

from __future__ import annotations

from hamyon.kit.errors import HamyonError


class NothingPending(HamyonError):
    """What a button would do is done already, or something else was begun since."""

    code = "nothing_pending"
    status = 409
