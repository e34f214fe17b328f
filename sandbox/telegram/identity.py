"""Who a person is, as the page and tests say it."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from sandbox.telegram.rooms import CHAT_ID_LIMIT
from sandbox.telegram.state import Person, State


class PersonPatch(BaseModel):
    """What is to change; null takes away what a person need not have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_name: str = Field("", min_length=1, max_length=64)
    last_name: str | None = Field(None, min_length=1, max_length=64)
    username: str | None = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9_]{3,31}$")
    language_code: str | None = Field(None, pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]+)*$")


class PersonOrder(PersonPatch):
    """What only a test does to a person, who is named by ``id``."""

    id: PositiveInt
    is_deactivated: bool = False
    topics: frozenset[PositiveInt] = frozenset()

    @model_validator(mode="after")
    def _is_an_id(self) -> Self:
        if self.id >= CHAT_ID_LIMIT:
            raise ValueError("no such id")
        return self


def change_person(state: State, person: Person, patch: PersonPatch) -> dict[str, object]:
    """Set what the patch names, and show it in every open chat; the person then."""
    for name in patch.model_fields_set - {"id"}:
        setattr(person, name, getattr(patch, name))
    for bot in state.bots.values():
        if person.id in bot.chats:
            bot.chats[person.id].touch()
    return as_json(person)


def as_json(person: Person) -> dict[str, object]:
    """The person as the page shows it."""
    return person.as_user() | {"stars": person.stars, "is_deactivated": person.is_deactivated}
