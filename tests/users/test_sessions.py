"""Login sessions: one exchange a refresh token, and an end that holds everywhere at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from hamyon.kit.cache import Cache
from hamyon.kit.clock import MovedClock
from hamyon.kit.db import Pool, in_transaction
from hamyon.kit.errors import HamyonError
from hamyon.users.errors import SessionEnded, SignInExpired, TokenExpired, UserBlocked
from hamyon.users.service import people, sessions
from hamyon.users.service.authentication import DatabaseAuthenticator
from hamyon.users.types import SessionId, SignedIn, SignIn, Tokens
from tests.users.conftest import OWNER, Deps, authenticator_of
from tests.users.signing import init_data, mini_app_fields, signed_widget, widget_fields


@pytest.fixture
def authenticator(deps: Deps) -> DatabaseAuthenticator:
    return authenticator_of(deps)


async def _enter(deps: Deps, user_id: int = 777, start_param: str | None = None) -> SignedIn:
    at = int(deps.clock.now().timestamp())
    raw = init_data(mini_app_fields(at, user_id, start_param=start_param))
    return await in_transaction(
        deps.pool,
        lambda connection: sessions.sign_in_with_init_data(
            connection, raw, deps.sign_in, address="203.0.113.9", now=deps.clock.now()
        ),
    )


async def _refresh(deps: Deps, token: str) -> Tokens:
    return await sessions.refresh(deps.pool, token, deps.sign_in, now=deps.clock.now())


async def _end_reason(pool: Pool, user_id: int) -> list[str | None]:
    rows = await pool.fetch(
        "SELECT end_reason FROM login_sessions WHERE user_id = $1 ORDER BY id", user_id
    )
    return [row["end_reason"] for row in rows]


async def _is_refused_soon(authenticator: DatabaseAuthenticator, token: str) -> HamyonError:
    """Another process hears of a change a moment after its commit, never by the clock."""
    async with asyncio.timeout(10):
        while True:
            try:
                await authenticator.authenticate_bearer(token)
            except HamyonError as refusal:
                return refusal
            await asyncio.sleep(0.005)


async def test_the_first_sign_in_creates_the_person_and_counts_his_invitation(
    deps: Deps, authenticator: DatabaseAuthenticator
) -> None:
    await _enter(deps, 42)

    signed_in = await _enter(deps, 777, start_param="ref_42")
    again = await _enter(deps, 777, start_param="ref_42")

    assert signed_in.synced.is_new
    assert signed_in.synced.referral_applied
    assert signed_in.synced.user.referrer_id == 42
    assert signed_in.synced.user.language == "uz"
    assert not again.synced.is_new
    caller = await authenticator.authenticate_bearer(signed_in.tokens.access)
    assert caller.user_id == 777


async def test_secrets_are_not_in_the_database_nor_in_what_is_printed(deps: Deps) -> None:
    signed_in = await _enter(deps)
    kept = str(await deps.pool.fetch("SELECT * FROM refresh_tokens"))
    assert "hr_" not in kept
    assert signed_in.tokens.refresh not in repr(signed_in)
    assert signed_in.tokens.access not in repr(signed_in)
    assert "AAEhBOweik6" not in repr(deps.sign_in)


async def test_a_widget_proof_opens_one_session_however_many_present_it(deps: Deps) -> None:
    fields = signed_widget(widget_fields(int(deps.clock.now().timestamp())))

    async def enter() -> SignedIn | SignInExpired:
        try:
            return await in_transaction(
                deps.pool,
                lambda connection: sessions.sign_in_with_widget(
                    connection, fields, deps.sign_in, address=None, now=deps.clock.now()
                ),
            )
        except SignInExpired as refusal:
            return refusal

    results = await asyncio.gather(*(enter() for _ in range(10)))

    assert sum(isinstance(result, SignedIn) for result in results) == 1
    assert await deps.pool.fetchval("SELECT count(*) FROM login_sessions") == 1


async def test_spent_proofs_are_forgotten_only_when_they_are_too_old_anyway(deps: Deps) -> None:
    fields = signed_widget(widget_fields(int(deps.clock.now().timestamp())))

    async def enter() -> SignedIn:
        async with deps.pool.acquire() as connection, connection.transaction():
            await sessions.forget_expired(connection, now=deps.clock.now())
            return await sessions.sign_in_with_widget(
                connection, fields, deps.sign_in, address=None, now=deps.clock.now()
            )

    await enter()
    for _ in range(6):
        deps.clock.advance(hours=5)
        with pytest.raises(SignInExpired):
            await enter()
    async with deps.pool.acquire() as connection:
        await sessions.forget_expired(connection, now=deps.clock.now())
    assert await deps.pool.fetchval("SELECT count(*) FROM spent_proofs") == 0


async def test_refreshing_goes_on_and_on(deps: Deps, authenticator: DatabaseAuthenticator) -> None:
    tokens = (await _enter(deps)).tokens
    seen = {tokens.refresh}
    for _ in range(5):
        deps.clock.advance(days=20)
        with pytest.raises(TokenExpired):
            await authenticator.authenticate_bearer(tokens.access)
        tokens = await _refresh(deps, tokens.refresh)
        seen.add(tokens.refresh)
        assert (await authenticator.authenticate_bearer(tokens.access)).user_id == 777
    assert len(seen) == 6


async def test_a_refresh_token_ends_by_time(deps: Deps) -> None:
    tokens = (await _enter(deps)).tokens
    deps.clock.advance(seconds=deps.sign_in.refresh_ttl_s)
    with pytest.raises(SessionEnded):
        await _refresh(deps, tokens.refresh)


async def test_replaying_a_refresh_token_ends_the_whole_family(
    deps: Deps, authenticator: DatabaseAuthenticator
) -> None:
    first = (await _enter(deps)).tokens
    second = await _refresh(deps, first.refresh)
    assert (await authenticator.authenticate_bearer(second.access)).user_id == 777

    with pytest.raises(SessionEnded):
        await _refresh(deps, first.refresh)

    with pytest.raises(SessionEnded):
        await _refresh(deps, second.refresh)
    for access in (first.access, second.access):
        assert isinstance(await _is_refused_soon(authenticator, access), SessionEnded)
    assert await _end_reason(deps.pool, 777) == ["refresh_reused"]


async def test_of_parallel_refreshes_of_one_token_at_most_one_wins(deps: Deps) -> None:
    for user_id in range(1, 6):
        tokens = (await _enter(deps, user_id)).tokens

        async def exchange(token: str = tokens.refresh) -> Tokens | None:
            try:
                return await _refresh(deps, token)
            except SessionEnded:
                return None

        won = [made for made in await asyncio.gather(*(exchange() for _ in range(10))) if made]

        assert len(won) == 1
        assert await _end_reason(deps.pool, user_id) == ["refresh_reused"]
        with pytest.raises(SessionEnded):
            await _refresh(deps, won[0].refresh)


async def test_an_unknown_refresh_token_is_refused(deps: Deps) -> None:
    for token in ("", "hr_", "hr_" + "A" * 43, "Ў" * 20, "\ud800", "A" * 5000):
        with pytest.raises(SessionEnded):
            await _refresh(deps, token)


async def test_an_access_token_is_no_refresh_token_and_the_reverse(
    deps: Deps, authenticator: DatabaseAuthenticator
) -> None:
    tokens = (await _enter(deps)).tokens
    with pytest.raises(SessionEnded):
        await _refresh(deps, tokens.access)
    with pytest.raises(HamyonError) as refused:
        await authenticator.authenticate_bearer(tokens.refresh)
    assert refused.value.status == 401


async def test_logging_out_ends_this_session_in_every_process(
    deps: Deps, other_cache: Cache
) -> None:
    here, elsewhere = authenticator_of(deps), authenticator_of(replace(deps, cache=other_cache))
    one, two = (await _enter(deps)).tokens, (await _enter(deps)).tokens
    for door in (here, elsewhere):
        await door.authenticate_bearer(one.access)
    session_id = SessionId(UUID((await here.authenticate_bearer(one.access)).session_id))

    async with deps.pool.acquire() as connection, connection.transaction():
        await sessions.logout(connection, session_id, now=deps.clock.now())

    for door in (here, elsewhere):
        assert isinstance(await _is_refused_soon(door, one.access), SessionEnded)
        assert (await door.authenticate_bearer(two.access)).user_id == 777
    with pytest.raises(SessionEnded):
        await _refresh(deps, one.refresh)


async def test_logging_out_everywhere_ends_all_sessions_of_one_person_only(
    deps: Deps, other_cache: Cache
) -> None:
    elsewhere = authenticator_of(replace(deps, cache=other_cache))
    mine = [(await _enter(deps)).tokens for _ in range(3)]
    stranger = (await _enter(deps, 778)).tokens
    for tokens in (*mine, stranger):
        await elsewhere.authenticate_bearer(tokens.access)

    async with deps.pool.acquire() as connection, connection.transaction():
        ended = await sessions.logout_all(connection, 777, now=deps.clock.now())

    assert len(ended) == 3
    for tokens in mine:
        assert isinstance(await _is_refused_soon(elsewhere, tokens.access), SessionEnded)
    assert (await elsewhere.authenticate_bearer(stranger.access)).user_id == 778


async def test_the_blocked_are_refused_at_every_door_and_come_back(
    deps: Deps, other_cache: Cache, sign_in: SignIn
) -> None:
    elsewhere = authenticator_of(replace(deps, cache=other_cache))
    tokens = (await _enter(deps)).tokens
    await elsewhere.authenticate_bearer(tokens.access)
    await _block(deps.pool, deps.clock)

    assert isinstance(await _is_refused_soon(elsewhere, tokens.access), UserBlocked)
    with pytest.raises(UserBlocked):
        await _enter(deps)
    with pytest.raises(UserBlocked):
        await _refresh(deps, tokens.refresh)
    async with deps.pool.acquire() as connection:
        with pytest.raises(UserBlocked):
            await people.require_active(connection, 777)

    async with deps.pool.acquire() as connection, connection.transaction():
        await people.unblock(connection, 777, reason="A mistake", acting=OWNER)
    fresh = await _refresh(deps, tokens.refresh)
    async with asyncio.timeout(10):
        while True:
            try:
                assert (await elsewhere.authenticate_bearer(fresh.access)).user_id == 777
                break
            except UserBlocked:
                await asyncio.sleep(0.005)


async def _block(pool: Pool, clock: MovedClock) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await people.block(connection, 777, reason="Spam", acting=OWNER, now=clock.now())


async def test_a_token_of_a_session_that_never_was_is_refused(
    deps: Deps, authenticator: DatabaseAuthenticator
) -> None:
    tokens = (await _enter(deps)).tokens
    await deps.pool.execute("DELETE FROM refresh_tokens")
    await deps.pool.execute("DELETE FROM login_sessions")
    with pytest.raises(SessionEnded):
        await authenticator.authenticate_bearer(tokens.access)


async def test_a_call_is_remembered_at_most_once_a_minute(
    deps: Deps, authenticator: DatabaseAuthenticator
) -> None:
    tokens = (await _enter(deps)).tokens
    entered_at = await deps.pool.fetchval("SELECT seen_at FROM users WHERE id = 777")
    for seconds, expected in ((0, 0), (50, 0), (20, 70), (50, 70), (20, 140)):
        deps.clock.advance(seconds=seconds)
        await authenticator.authenticate_bearer(tokens.access)
        seen_at = await deps.pool.fetchval("SELECT seen_at FROM users WHERE id = 777")
        assert round((seen_at - entered_at).total_seconds() / 10) * 10 == expected
