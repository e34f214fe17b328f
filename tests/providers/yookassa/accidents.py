"""What can go wrong on the way to a vendor and back, as the sandbox plays it."""

from __future__ import annotations

from typing import Final

LOST_ANSWERS: Final[list[dict[str, object]]] = [
    {"kind": "accepted_then_cut"},
    {"kind": "answer_truncated"},
    {"kind": "not_json"},
    {"kind": "hang", "accepted": True, "seconds": 30},
    {"kind": "status", "status": 500, "accepted": True},
    {"kind": "status", "status": 502, "accepted": True},
    {"kind": "status", "status": 504, "accepted": True},
]
"""The vendor does what it is asked, and the asker does not hear of it."""

NEVER_ARRIVED: Final[list[dict[str, object]]] = [
    {"kind": "refuse"},
    {"kind": "not_json", "accepted": False},
    {"kind": "status", "status": 408},
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
]
"""The vendor does nothing, and the asker cannot be sure of it, or may ask again."""

REFUSALS: Final[list[tuple[int, str]]] = [
    (400, "invalid_request"),
    (401, "invalid_credentials"),
    (403, "forbidden"),
    (404, "not_found"),
    (405, "invalid_request"),
    (410, "gone"),
    (415, "invalid_request"),
]
"""HTTP status and the sandbox's code for it."""
