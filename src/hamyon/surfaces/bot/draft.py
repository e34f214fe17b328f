"""A draft: the picture that a person is putting together in the chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NewType
from uuid import UUID

DraftId = NewType("DraftId", int)

REFERENCES_MAX: Final = 14
"""What the most generous model takes; nobody collects more."""


@dataclass(frozen=True, slots=True)
class NewDraft:
    """The beginning of a picture. ``key`` names the act that began it, so that it begins once.

    Keys are a bot's and a person's own: Telegram counts updates and messages for each bot anew.
    """

    bot_id: int
    user_id: int
    chat_id: int
    model_key: str
    key: str
    options: Mapping[str, str] = field(default_factory=dict)
    prompt: str = ""
    upload_ids: Sequence[UUID] = ()
    prompt_message_id: int | None = None
    media_group_id: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A picture that a person is putting together under its panel.

    ``options`` is what he chose; the model's defaults are not in it. ``order_id``: it was ordered,
    and nothing of it changes any more. Of more pictures than ``REFERENCES_MAX`` one is kept in
    ``upload_ids``, so that the panel can say that the rest is left out.
    """

    id: DraftId
    user_id: int
    chat_id: int
    prompt_message_id: int | None
    panel_message_id: int | None
    media_group_id: str | None
    prompt: str
    upload_ids: Sequence[UUID]
    model_key: str
    options: Mapping[str, str]
    order_id: UUID | None
    attempt: int

    @property
    def references(self) -> Sequence[UUID]:
        """The pictures that it is made from."""
        return self.upload_ids[:REFERENCES_MAX]
