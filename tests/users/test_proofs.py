"""Sign-in cannot be forged: ten thousand mutants of genuine proofs, none of them accepted."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

import pytest

from hamyon.users.errors import SignInExpired, SignInRefused, SignInUnavailable
from hamyon.users.service.proofs import read_init_data, read_widget
from hamyon.users.types import SignIn
from tests.users.signing import (
    BOT_TOKEN,
    OTHER_BOT_TOKEN,
    init_data,
    mini_app_fields,
    mini_app_hash,
    query,
    signed_widget,
    widget_fields,
    widget_hash,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
DAY = 24 * 3600
REFUSALS = (SignInRefused, SignInExpired)


def test_a_genuine_init_data_says_who_it_is(sign_in: SignIn) -> None:
    fields = mini_app_fields(AT - 5, 777, start_param="ref_42")

    person = read_init_data(init_data(fields), sign_in, now=NOW)

    assert (person.id, person.first_name, person.last_name) == (777, "Oʻktam & Со", "+=%")
    assert (person.username, person.language_code) == ("oktam", "uz")
    assert person.start_param == "ref_42"
    assert person.auth_date == NOW - timedelta(seconds=5)


def test_a_genuine_widget_says_who_it_is_without_a_last_name(sign_in: SignIn) -> None:
    person = read_widget(signed_widget(widget_fields(AT - 5)), sign_in, now=NOW)

    assert (person.id, person.first_name, person.last_name) == (777, "Oʻktam", None)


def test_the_published_example_of_init_data_holds() -> None:
    """The well-known vector that other implementations (init-data-golang) test against."""
    raw = (
        "query_id=AAHdF6IQAAAAAN0XohDhrOrc&user=%7B%22id%22%3A279058397%2C%22first_name%22%3A%22"
        "Vladislav%22%2C%22last_name%22%3A%22Kibenko%22%2C%22username%22%3A%22vdkfrost%22%2C%22"
        "language_code%22%3A%22ru%22%2C%22is_premium%22%3Atrue%7D&auth_date=1662771648&hash="
        "c501b71e775f74ce10e377dea85a7ea24ecd640b223ea86dfe453e0eaed2e2b2"
    )
    sign_in = SignIn("5768337691:AAH5YkoiEuPk8-FZa32hStHTqXiLPtAEhx8", b"0" * 32, DAY, 3600, DAY)

    person = read_init_data(raw, sign_in, now=datetime.fromtimestamp(1662771700, UTC))

    assert (person.id, person.username) == (279058397, "vdkfrost")


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_bot_token_nothing_is_ever_valid(sign_in: SignIn, token: str | None) -> None:
    bare = replace(sign_in, bot_token=token)
    fields = mini_app_fields(AT)
    with pytest.raises(SignInUnavailable):
        read_init_data(init_data(fields, ""), bare, now=NOW)
    with pytest.raises(SignInUnavailable):
        read_widget(signed_widget(widget_fields(AT), ""), bare, now=NOW)


def test_age_is_judged_at_both_ends(sign_in: SignIn) -> None:
    for age_s, accepted in ((DAY, True), (DAY + 1, False), (-60, True), (-61, False)):
        fields, widget = mini_app_fields(AT - age_s), signed_widget(widget_fields(AT - age_s))
        if accepted:
            assert read_init_data(init_data(fields), sign_in, now=NOW).id == 777
            assert read_widget(widget, sign_in, now=NOW).id == 777
            continue
        with pytest.raises(SignInExpired):
            read_init_data(init_data(fields), sign_in, now=NOW)
        with pytest.raises(SignInExpired):
            read_widget(widget, sign_in, now=NOW)


def _signed_query(fields: dict[str, str]) -> str:
    return init_data(fields)


@pytest.mark.parametrize(
    "user",
    [
        "",
        "null",
        "[]",
        "7",
        "{",
        "{}",
        '{"id":"777"}',
        '{"id":777.0}',
        '{"id":true}',
        '{"id":0}',
        '{"id":-7}',
        '{"id":9223372036854775808}',
        '{"id":777,"first_name":7}',
        '{"id":777,"first_name":"\\u0000"}',
        '{"id":777,"is_bot":true}',
        '{"id":777,"username":"' + "x" * 513 + '"}',
        "[" * 2000,
    ],
)
def test_a_signed_but_malformed_person_is_refused(sign_in: SignIn, user: str) -> None:
    fields = {**mini_app_fields(AT), "user": user}
    with pytest.raises(SignInRefused):
        read_init_data(_signed_query(fields), sign_in, now=NOW)


def test_half_a_surrogate_pair_becomes_storable(sign_in: SignIn) -> None:
    fields = {**mini_app_fields(AT), "user": '{"id":777,"first_name":"a\\ud800"}'}
    assert read_init_data(_signed_query(fields), sign_in, now=NOW).first_name == "a?"


def test_signed_lines_cannot_be_cut_at_other_places(sign_in: SignIn) -> None:
    """``a=1\\nb=2`` signs the same lines as the two fields do; a line break is never a value's."""
    fields = mini_app_fields(AT)
    merged = dict(fields)
    merged["query_id"] += "\nsignature=" + merged.pop("signature")
    assert mini_app_hash(merged) == mini_app_hash(fields)
    with pytest.raises(SignInRefused):
        read_init_data(init_data(merged), sign_in, now=NOW)

    widget = widget_fields(AT)
    joined = dict(widget)
    joined["photo_url"] += "\nusername=" + joined.pop("username")
    assert widget_hash(joined) == widget_hash(widget)
    with pytest.raises(SignInRefused):
        read_widget(signed_widget(joined), sign_in, now=NOW)


def test_an_unknown_widget_field_is_refused_even_when_signed(sign_in: SignIn) -> None:
    with pytest.raises(SignInRefused):
        read_widget(signed_widget({**widget_fields(AT), "phone": "1"}), sign_in, now=NOW)


def test_oversized_input_is_refused_even_when_signed(sign_in: SignIn) -> None:
    many = {**mini_app_fields(AT), **{f"x_{'a' * n}": "1" for n in range(40)}}
    long = {**mini_app_fields(AT), "start_param": "a" * 8192}
    for fields in (many, long):
        with pytest.raises(SignInRefused):
            read_init_data(init_data(fields), sign_in, now=NOW)


# --- mutants -------------------------------------------------------------------------------------

MUTANTS = 6_000
"""Of each scheme."""


def _changed(value: str, dice: random.Random) -> str:
    """Another value of about the same look: one character replaced, added or taken away."""
    at = dice.randrange(len(value)) if value else 0
    letter = dice.choice("0123456789abcdefXYZ-_ Ў")
    kinds = [value[:at] + letter + value[at:], value[:at] + value[at + 1 :]]
    kinds.append(value[:at] + letter + value[at + 1 :])
    return next((kind for kind in dice.sample(kinds, 3) if kind != value), value + letter)


def _forged_fields(fields: dict[str, str], dice: random.Random, at: int) -> dict[str, str]:
    """Signed fields with one of them changed, gone, added, swapped or given another's value."""
    forged = dict(fields)
    name = dice.choice([key for key in fields if key != "hash"])
    other = dice.choice([key for key in fields if key not in {"hash", name}])
    kind = dice.randrange(6)
    if kind == 0:
        forged[name] = _changed(forged[name], dice)
    elif kind == 1:
        del forged[name]
    elif kind == 2:
        forged[name], forged[other] = forged[other], forged[name]
    elif kind == 3:
        forged["auth_date"] = str(at + dice.choice([-1, 1]) * dice.randrange(1, 10 * DAY))
    elif kind == 4:
        forged["_".join(dice.choices("abcdef", k=4))] = dice.choice(["", "1", "true"])
    else:
        forged[name.upper() if dice.random() < 0.5 else name + "_"] = forged.pop(name)
    return forged


def _forged_hash(genuine: str, dice: random.Random) -> str:
    at = dice.randrange(64)
    flipped = "0123456789abcdef"[(int(genuine[at], 16) + dice.randrange(1, 16)) % 16]
    return dice.choice(
        [
            genuine[:at] + flipped + genuine[at + 1 :],
            genuine[:at] + genuine[at + 1 :],
            genuine + flipped,
            genuine.upper() if genuine.upper() != genuine else "",
            "",
            f"{dice.getrandbits(256):064x}",
            genuine[::-1] if genuine[::-1] != genuine else "",
            "0" * 64,
        ]
    )


def _init_data_mutant(dice: random.Random) -> str:
    fields = mini_app_fields(AT - dice.randrange(DAY), dice.randrange(1, 2**40))
    genuine = mini_app_hash(fields)
    raw = query({**fields, "hash": genuine})
    stranger = quote(json.dumps({"id": 1, "first_name": "Owner"}), safe="")
    name = dice.choice(list(fields))
    old = {**fields, "auth_date": str(AT - DAY - dice.randrange(1, 10**6))}
    late = {**fields, "auth_date": str(AT + 61 + dice.randrange(10**6))}
    makers: list[Callable[[], str]] = [
        lambda: query({**_forged_fields(fields, dice, AT), "hash": genuine}),
        lambda: query({**fields, "hash": _forged_hash(genuine, dice)}),
        lambda: raw + "&" + dice.choice(["user=" + stranger, raw.split("&")[0], "hash=00"]),
        lambda: "user=" + stranger + "&" + raw,
        lambda: init_data(fields, OTHER_BOT_TOKEN),
        lambda: query({**fields, "hash": widget_hash(fields)}),
        lambda: init_data(dice.choice([old, late])),
        lambda: query(fields),
        lambda: raw.replace("hash=", "Hash="),
        lambda: raw.replace(f"{name}=", f"{name}%00=", 1),
        lambda: raw.replace("=", "", 1),
        lambda: raw[: dice.randrange(len(raw))],
        lambda: query({**fields, "hash": mini_app_hash({**fields, "hash": genuine})}),
    ]
    return dice.choice(makers)()


def _widget_mutant(dice: random.Random) -> dict[str, str]:
    fields = widget_fields(AT - dice.randrange(DAY), dice.randrange(1, 2**40))
    genuine = widget_hash(fields)
    old = {**fields, "auth_date": str(AT - DAY - dice.randrange(1, 10**6))}
    late = {**fields, "auth_date": str(AT + 61 + dice.randrange(10**6))}
    makers: list[Callable[[], dict[str, str]]] = [
        lambda: {**_forged_fields(fields, dice, AT), "hash": genuine},
        lambda: {**fields, "hash": _forged_hash(genuine, dice)},
        lambda: {**fields, "last_name": dice.choice(["None", "null", ""]), "hash": genuine},
        lambda: signed_widget(fields, OTHER_BOT_TOKEN),
        lambda: {**fields, "hash": mini_app_hash(fields)},
        lambda: signed_widget(dice.choice([old, late])),
        lambda: dict(fields),
        lambda: signed_widget({**fields, "user": "{}"}),
    ]
    return dice.choice(makers)()


def test_no_mutant_of_init_data_is_accepted(sign_in: SignIn) -> None:
    dice = random.Random(20261121)
    for _ in range(MUTANTS):
        raw = _init_data_mutant(dice)
        with pytest.raises(REFUSALS):
            pytest.fail(f"accepted: {raw} as {read_init_data(raw, sign_in, now=NOW)}")


def test_no_mutant_of_widget_fields_is_accepted(sign_in: SignIn) -> None:
    dice = random.Random(20261122)
    for _ in range(MUTANTS):
        fields = _widget_mutant(dice)
        with pytest.raises(REFUSALS):
            pytest.fail(f"accepted: {fields} as {read_widget(fields, sign_in, now=NOW)}")


def test_the_makers_of_mutants_start_from_what_is_accepted(sign_in: SignIn) -> None:
    """Otherwise the mutants would be refused for a reason that has nothing to do with them."""
    raw = init_data(mini_app_fields(AT))
    assert read_init_data(raw, sign_in, now=NOW).id == 777
    assert dict(parse_qsl(raw))["hash"] == mini_app_hash(mini_app_fields(AT), BOT_TOKEN)
