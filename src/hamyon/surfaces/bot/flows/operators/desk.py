"""An operator at work, the screens that he opens, and the buttons that lead to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiogram import Bot
from aiogram.filters.callback_data import CallbackData

from hamyon.kit.errors import PermissionDenied
from hamyon.kit.texts import Language, Markup, rich_text, text
from hamyon.kit.web.permission import Role
from hamyon.messages.types import Button, Keyboard
from hamyon.surfaces.bot.memory import expect
from hamyon.surfaces.bot.pictures.lengths import LABEL_MAX, cut
from hamyon.surfaces.bot.types import Chat, Needs
from hamyon.users.types import Acting, User

ASKED_BY: Final = "asked_by"
"""Among a question's facts: the update that asked it."""
LIST_MAX: Final = 8
"""How many things a list shows, each with its button."""
WORDS_MAX: Final = 300
"""How much of anybody's words a card shows."""


class See(CallbackData, prefix="os"):
    """Opens a screen; ``of`` names what it is about."""

    screen: str
    of: str = ""


class Do(CallbackData, prefix="od"):
    """Begins an act on ``of``."""

    act: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """An operator in the middle of an update."""

    needs: Needs
    bot: Bot
    person: User
    language: Language
    acting: Acting

    def require(self, least: Role) -> None:
        """Raises PermissionDenied."""
        if not self.may(least):
            raise PermissionDenied

    def may(self, least: Role) -> bool:
        """Whether his role is enough."""
        return self.acting.operator.role >= least

    async def expect(self, what: str, facts: Mapping[str, object] | None = None) -> None:
        """Ask him for ``what``. The update that asks answers nothing itself: see ``is_asking``."""
        asked_by = {ASKED_BY: self.acting.request_id}
        await expect(self.needs, self.person.id, what, {**(facts or {}), **asked_by})

    def is_asking(self, chat: Chat) -> bool:
        """Whether this very update asked what the chat expects.

        Then it comes again because its question was lost on the way, and the text that it brings
        was taken before.
        """
        return chat.facts.get(ASKED_BY) == self.acting.request_id

    def say(self, key: str, **facts: object) -> Markup:
        """HTML in his language; facts are escaped."""
        return Markup(rich_text(self.language, f"operators.{key}", facts))

    def word(self, key: str, **facts: object) -> str:
        """The same without HTML: for buttons, and as a fact of another sentence."""
        return text(self.language, f"operators.{key}", facts)

    def see(self, label: str, screen: str, of: object = "") -> Button:
        """A button that opens a screen."""
        return Button(cut(label, LABEL_MAX), data=See(screen=screen, of=str(of)).pack())

    def do(self, act: str, of: object = "") -> Button:
        """A button that begins an act, named after it."""
        return Button(self.word(f"{act}.button"), data=Do(act=act, of=str(of)).pack())

    def back(self, screen: str = "menu", of: object = "") -> Button:
        """A button that leads back."""
        key = "button_menu" if screen == "menu" else "button_back"
        return self.see(self.word(key), screen, of)


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands in the chat after something was opened or done."""

    html: str
    rows: Keyboard = ()


Render: TypeAlias = Callable[[Desk, str], Awaitable[Shown]]


@dataclass(frozen=True, slots=True)
class Screen:
    """What can be looked at by who has at least this role."""

    least: Role
    render: Render


def name_of(user: User) -> str:
    """How a person is called: his name, with the username that makes it certain."""
    names = " ".join(part for part in (user.first_name, user.last_name) if part)
    handle = f"@{user.username}" if user.username else ""
    return cut(" ".join(part for part in (names, handle) if part) or str(user.id), WORDS_MAX)


def rows_of(*buttons: Button | None, width: int = 2) -> list[Sequence[Button]]:
    """Buttons in rows; None is left out."""
    shown = [button for button in buttons if button is not None]
    return [shown[at : at + width] for at in range(0, len(shown), width)]
