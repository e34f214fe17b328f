"""People: created once whoever races, refreshed by what is told, blocked, found."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import orjson
import pytest

from hamyon.kit.cache import Cache
from hamyon.kit.clock import MovedClock
from hamyon.kit.db import Connection, Pool, in_transaction
from hamyon.kit.web.permission import Operator, Role
from hamyon.users.errors import ProtectedUser, UserBlocked, UserNotFound
from hamyon.users.service import audit, operators, people
from hamyon.users.store import people as store
from hamyon.users.types import (
    Acting,
    Contact,
    Synced,
    User,
    UserStatus,
    referral_code,
    referrer_of_code,
)
from tests.users.conftest import OWNER, met


class Welcome:
    """A first contact that writes into the creating transaction, as gifts do."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails

    async def on_first_contact(self, connection: Connection, user: User, code: str | None) -> None:
        await connection.execute(
            "INSERT INTO notices (key, user_id, kind, facts) VALUES ($1, $2, 'welcome', $3)",
            f"welcome:{user.id}",
            user.id,
            {"code": code, "referrer_id": user.referrer_id},
        )
        if self.fails:
            raise RuntimeError("no gifts today")


async def _sync(
    pool: Pool, clock: MovedClock, contact: Contact, hooks: Sequence[Welcome] = ()
) -> Synced:
    return await in_transaction(
        pool,
        lambda connection: people.sync(connection, contact, first_contacts=hooks, now=clock.now()),
    )


@pytest.mark.parametrize(
    ("code", "owner"),
    [
        ("ref_1", 1),
        ("ref_9223372036854775807", 2**63 - 1),
        ("ref_9223372036854775808", None),
        ("ref_0", None),
        ("ref_-1", None),
        ("ref_01", None),
        ("ref_1 ", None),
        ("ref_1\n", None),
        ("ref_٣", None),
        ("REF_1", None),
        ("1", None),
        ("", None),
        (None, None),
    ],
)
def test_a_referral_code_names_one_person_or_nobody(code: str | None, owner: int | None) -> None:
    assert referrer_of_code(code) == owner
    if owner is not None:
        assert referral_code(owner) == code


async def test_ten_callers_at_once_create_one_person_and_one_of_them_knows(
    pool: Pool, clock: MovedClock
) -> None:
    await met(pool, clock, Contact(42))
    await met(pool, clock, Contact(43))
    for user_id in range(1000, 1010):
        contacts = [
            Contact(user_id, first_name="A", referral_code=f"ref_{42 + at % 2}") for at in range(10)
        ]
        results = await asyncio.gather(
            *(_sync(pool, clock, contact, [Welcome()]) for contact in contacts)
        )

        new = [result for result in results if result.is_new]
        assert len(new) == 1
        assert [result.referral_applied for result in results].count(True) == 1
        assert {result.user.referrer_id for result in results} == {new[0].user.referrer_id}
    assert await pool.fetchval("SELECT count(*) FROM users") == 12
    assert await pool.fetchval("SELECT count(*) FROM notices") == 10


async def test_a_failing_first_contact_creates_nobody(pool: Pool, clock: MovedClock) -> None:
    with pytest.raises(RuntimeError):
        await _sync(pool, clock, Contact(1), [Welcome(fails=True)])
    assert await pool.fetchval("SELECT count(*) FROM users") == 0
    assert await pool.fetchval("SELECT count(*) FROM notices") == 0

    assert (await _sync(pool, clock, Contact(1), [Welcome()])).is_new
    facts = await pool.fetchval("SELECT facts FROM notices")
    assert facts == {"code": None, "referrer_id": None}


async def test_a_code_counts_only_for_somebody_new(pool: Pool, clock: MovedClock) -> None:
    await met(pool, clock, Contact(1))
    await met(pool, clock, Contact(2))

    late = await met(pool, clock, Contact(2, referral_code="ref_1"))
    invited = await met(pool, clock, Contact(3, referral_code="ref_1"))
    again = await met(pool, clock, Contact(3, referral_code="ref_2"))

    assert (late.referral_applied, late.user.referrer_id) == (False, None)
    assert (invited.referral_applied, invited.user.referrer_id) == (True, 1)
    assert (again.referral_applied, again.user.referrer_id) == (False, 1)


async def test_ones_own_and_unknown_codes_are_ignored(pool: Pool, clock: MovedClock) -> None:
    codes = ("ref_7", "ref_999", "ref_x", "promo", "ref_9223372036854775808")
    for user_id, code in enumerate(codes, start=7):
        synced = await met(pool, clock, Contact(user_id, referral_code=code))
        assert (synced.is_new, synced.referral_applied) == (True, False), code
        assert synced.user.referrer_id is None


async def test_ones_own_code_is_harmless_to_whoever_loses_the_race(
    pool: Pool, clock: MovedClock
) -> None:
    """The loser's INSERT sees the winner's row, and a table's CHECK comes before ON CONFLICT."""
    await met(pool, clock, Contact(7))
    async with pool.acquire() as connection:
        made = await store.insert_user(
            connection, Contact(7), language="en", referrer_id=7, now=clock.now()
        )
    assert made is None


async def test_two_who_invite_each_other_make_no_circle(pool: Pool, clock: MovedClock) -> None:
    for first in range(100, 140, 2):
        await asyncio.gather(
            met(pool, clock, Contact(first, referral_code=f"ref_{first + 1}")),
            met(pool, clock, Contact(first + 1, referral_code=f"ref_{first}")),
        )
    circles = await pool.fetchval(
        "SELECT count(*) FROM users a JOIN users b ON a.referrer_id = b.id AND b.referrer_id = a.id"
    )
    assert circles == 0


async def test_a_told_field_is_written_and_an_untold_one_stays(
    pool: Pool, clock: MovedClock
) -> None:
    await met(pool, clock, Contact(1, "old", "Old", "Name", "ru-RU"))

    partly = await met(pool, clock, Contact(1, username="new", given=frozenset({"username"})))
    assert (partly.user.username, partly.user.first_name) == ("new", "Old")
    assert partly.user.language == "ru"

    erased = await met(pool, clock, Contact(1, "new", "Old", None, "de"))
    assert (erased.user.last_name, erased.user.language) == (None, "ru")
    assert (await met(pool, clock, Contact(1, "new", "Old", None, "uz"))).user.language == "uz"
    async with pool.acquire() as connection:
        assert (await people.profile(connection, 1)).language == "uz"


async def test_somebody_whose_language_we_do_not_speak_gets_english(
    pool: Pool, clock: MovedClock
) -> None:
    assert (await met(pool, clock, Contact(1, language_code="de"))).user.language == "en"
    assert (await met(pool, clock, Contact(2))).user.language == "en"


async def test_meeting_again_at_once_writes_nothing_and_later_it_does(
    pool: Pool, clock: MovedClock
) -> None:
    contact = Contact(1, "a", "b", "c", "uz")
    first = await met(pool, clock, contact)
    version = await pool.fetchval("SELECT xmin::text FROM users WHERE id = 1")
    clock.advance(seconds=50)
    await met(pool, clock, contact)
    assert await pool.fetchval("SELECT xmin::text FROM users WHERE id = 1") == version
    clock.advance(seconds=20)
    again = await met(pool, clock, contact)
    assert again.user.seen_at - first.user.seen_at > timedelta(seconds=60)


async def test_a_profile_survives_its_way_through_redis(pool: Pool, clock: MovedClock) -> None:
    await met(pool, clock, Contact(1))
    user = (await met(pool, clock, Contact(2, "a", "Ў", None, "uz", "ref_1"))).user
    codec = people.PROFILES.codec
    assert codec is not None
    assert codec.decode(codec.encode(user)) == user
    assert orjson.loads(codec.encode(user))["id"] == 2


async def test_a_cached_profile_is_dropped_when_it_changes(
    pool: Pool, clock: MovedClock, cache: Cache, profile_cache: Cache
) -> None:
    await met(pool, clock, Contact(1, "old"))
    assert (await people.cached_profile(pool, profile_cache, people.PROFILES, 1)).username == "old"
    await met(pool, clock, Contact(1, "new"))
    async with asyncio.timeout(10):
        while True:
            found = await people.cached_profile(pool, profile_cache, people.PROFILES, 1)
            if found.username == "new":
                break
            await asyncio.sleep(0.005)
    with pytest.raises(UserNotFound):
        await people.cached_profile(pool, profile_cache, people.PROFILES, 2)


# --- blocks --------------------------------------------------------------------------------------


async def test_blocking_and_unblocking_are_written_down(pool: Pool, clock: MovedClock) -> None:
    await met(pool, clock, Contact(1, "a"))
    for _ in range(2):
        async with pool.acquire() as connection, connection.transaction():
            blocked = await people.block(
                connection, 1, reason="Spam", acting=OWNER_2, now=clock.now()
            )
            assert (blocked.is_blocked, blocked.blocked_reason) == (True, "Spam")
    with pytest.raises(UserBlocked):
        await met(pool, clock, Contact(1, "b"))
    for _ in range(2):
        async with pool.acquire() as connection, connection.transaction():
            opened = await people.unblock(connection, 1, reason="A mistake", acting=OWNER_2)
            assert (opened.is_blocked, opened.blocked_reason) == (False, None)

    found, more = await audit.acts(pool, limit=10)
    assert more is None
    assert [(one.act.action, one.act.subject, one.act.reason) for one in found] == [
        ("user.unblock", "user:1", "A mistake"),
        ("user.block", "user:1", "Spam"),
    ]
    act = found[1].act
    assert (act.actor, act.address, act.request_id) == ("user:2", "203.0.113.8", "request-2")
    assert act.before == {"blocked": False, "blocked_reason": None}
    assert act.after == {"blocked": True, "blocked_reason": "Spam"}


OWNER_2 = Acting(Operator(2, "2", Role.OWNER), "203.0.113.8", "request-2")


async def test_an_undone_block_leaves_no_row_in_the_audit_log(
    pool: Pool, clock: MovedClock
) -> None:
    await met(pool, clock, Contact(1))

    async def block_and_fail() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await people.block(connection, 1, reason="Spam", acting=OWNER_2, now=clock.now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await block_and_fail()
    assert await pool.fetchval("SELECT count(*) FROM audit_log") == 0
    async with pool.acquire() as connection:
        assert not (await people.require_active(connection, 1)).is_blocked


async def test_operators_block_only_those_below_them(pool: Pool, clock: MovedClock) -> None:
    for user_id in range(1, 6):
        await met(pool, clock, Contact(user_id))
    roles = {1: Role.SUPPORT, 2: Role.FINANCE, 3: Role.ADMIN, 4: Role.OWNER}
    service = Acting(Operator(None, "bot", Role.OWNER))
    async with pool.acquire() as connection, connection.transaction():
        for user_id, role in roles.items():
            await operators.grant_role(
                connection, user_id, role, reason=None, acting=service, now=clock.now()
            )

        async def may(acting: Acting, user_id: int) -> bool:
            try:
                await people.block(connection, user_id, reason="x", acting=acting, now=clock.now())
            except ProtectedUser:
                return False
            await people.unblock(connection, user_id, reason="x", acting=acting)
            return True

        for actor, role in roles.items():
            acting = Acting(Operator(actor, str(actor), role))
            assert [await may(acting, user_id) for user_id in range(1, 6)] == [
                user_id < actor or user_id == 5 for user_id in range(1, 6)
            ]
        assert not await may(service, 4)
        with pytest.raises(UserNotFound):
            await people.block(connection, 99, reason="x", acting=service, now=clock.now())
        with pytest.raises(UserNotFound):
            await people.unblock(connection, 99, reason="x", acting=service)


# --- finding -------------------------------------------------------------------------------------


async def _found(pool: Pool, query: str | None, status: UserStatus | None = None) -> list[int]:
    page = await people.search(pool, query=query, status=status, after=None, limit=50)
    return sorted(user.id for user in page.users)


async def test_people_are_found_by_what_is_known_of_them(pool: Pool, clock: MovedClock) -> None:
    await met(pool, clock, Contact(11, "Dilnoza_K", "Dilnoza", "Karimova"))
    await met(pool, clock, Contact(12, "100%real", "Ўктам", "Dilovar"))
    await met(pool, clock, Contact(113, "11111", None, None))
    async with pool.acquire() as connection:
        await people.block(connection, 12, reason="x", acting=OWNER, now=clock.now())

    assert await _found(pool, None) == [11, 12, 113]
    assert await _found(pool, "  ") == [11, 12, 113]
    assert await _found(pool, "11") == [11, 113]
    assert await _found(pool, "ref_11") == [11]
    assert await _found(pool, "@dilnoza_k") == [11]
    assert await _found(pool, "DIL") == [11, 12]
    assert await _found(pool, "dilnoza kar") == [11]
    assert await _found(pool, "ўкт") == [12]
    assert await _found(pool, "%") == []
    assert await _found(pool, "100%") == [12]
    assert await _found(pool, "d_l") == []
    assert await _found(pool, "\\") == []
    assert await _found(pool, "nobody") == []
    assert await _found(pool, None, "blocked") == [12]
    assert await _found(pool, "dil", "active") == [11]


async def test_pages_show_everybody_once_newest_first(pool: Pool, clock: MovedClock) -> None:
    await met(pool, clock, Contact(1))
    # People of one moment are told apart by their ids.
    await pool.execute(
        "INSERT INTO users (id, created_at) SELECT n, '2026-01-01' FROM generate_series(2, 24) n"
    )
    seen: list[int] = []
    after = None
    for _ in range(20):
        page = await people.search(pool, query=None, status=None, after=after, limit=6)
        assert len(page.users) <= 6
        seen += [user.id for user in page.users]
        after = page.next_after
        if after is None:
            break
    assert seen == [1, *range(24, 1, -1)]
