"""One person's first evening with the bot, in each language, as ``docs/chat`` shows it.

A referral link, the free picture from a photo, an empty balance, a top-up, a failure with the
credits back, and a question to support that an operator answers.
"""

from __future__ import annotations

import re

import pytest

from hamyon.kit.texts import LANGUAGES, Language, text
from tests.bot.conftest import OpenTown
from tests.bot.snaps import snap
from tests.bot.talk import buttons

GUEST, INVITER, OPERATOR = 777, 5, 1


def phrase(language: Language, key: str) -> str:
    """The longest part of what the bot says that no fact is in."""
    parts = re.split(r"\{\w+\}|<[^>]+>", text(language, key))
    return max(parts, key=len).strip()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_evening(town: OpenTown, language: Language) -> None:
    def said(key: str) -> str:
        return phrase(language, key)

    people = await town(admin_telegram_ids=(OPERATOR,))
    inviter = await people.person(INVITER, language=language)
    await inviter.say("/start")
    await inviter.hears("Anna")
    team = await people.person(OPERATOR, language=language)
    await team.say("/start")
    await team.hears("Anna")

    guest = await people.person(GUEST, language=language, first_name="Bek")
    await guest.say(f"/start ref_{INVITER}")
    await guest.hears(said("people.start.invited"))

    await guest.send_photos(snap(), caption="aquarelle")
    await guest.hears(said("picture.line_model"))
    await guest.press(said("picture.button_create_free"))
    await guest.hears(said("picture.was_free"))
    result = await guest.hears(".png")
    assert (await guest.file(result["document"]["file_id"])).startswith(b"\x89PNG")

    await guest.say("a fox")
    panel = await guest.hears(said("picture.too_little"))
    assert any(said("people.doors.button_topup") in one["text"] for one in buttons(panel))

    await guest.say("/topup")
    await guest.hears(said("people.topup.choose"))
    await guest.press("70 ⭐")
    invoice = await guest.hears(said("people.topup.payment"))
    link = next(one["url"] for one in buttons(invoice) if "url" in one)
    async with guest.session.post(link, data={"user": str(GUEST)}) as answer:
        assert answer.status == 200, await answer.text()
    await guest.hears(said("notice.payment_received"))
    await inviter.hears(said("notice.referral_bonus"))

    await people.sandbox.fault("failed", {"vendor": "wavespeed"})
    await guest.say("a lighthouse")
    await guest.hears(said("picture.line_model"))
    await guest.press(said("picture.button_create"))
    await guest.hears(text(language, "generation.credits_back"))
    assert (await people.service.api.balance(GUEST))[0] == 1000

    await guest.say("/support")
    await guest.hears(said("support.explain"))
    await guest.say("Where is it?")
    await guest.hears(said("support.received"))
    await team.hears("Where is it?")
    await team.press(said("support.button_reply"))
    await team.hears(said("support.ask_reply"))
    await team.say("It could not be made; you paid nothing.")
    await guest.hears("you paid nothing")
