"""What goes wrong at a terminal."""

from __future__ import annotations


class Failure(Exception):
    """Something that the person at the terminal can mend; the sentence says how."""
