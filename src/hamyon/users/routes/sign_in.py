"""HTTP: in through Telegram, on with refresh tokens, out by logout."""

from __future__ import annotations

from typing import Final, Self
from uuid import UUID

from pydantic import Field

from hamyon.kit.db import in_transaction
from hamyon.kit.web.models import AnswerModel, StrictModel, TelegramId
from hamyon.kit.web.permission import OPEN, USER, allow
from hamyon.kit.web.routing import RequestFacts, Router, UserCaller
from hamyon.users import errors
from hamyon.users.routes.people import PersonAnswer, person_answer
from hamyon.users.routes.request import Deps, PersonName
from hamyon.users.service import sessions
from hamyon.users.types import SessionId, SignedIn, Tokens

SIGN_IN_LIMIT: Final = "sign_in"
"""The limit by address of everything that opens a session; it must fail closed."""

sign_in_router = Router("/api", tags=["sign-in"])


class MiniAppRequest(StrictModel):
    init_data: str = Field(
        min_length=1, max_length=8192, description="`Telegram.WebApp.initData`, as it is."
    )


class WidgetRequest(StrictModel):
    """The Login Widget's fields, exactly as Telegram gave them; leave out what it left out."""

    id: TelegramId
    first_name: PersonName | None = None
    last_name: PersonName | None = None
    username: PersonName | None = None
    photo_url: str | None = Field(None, max_length=2048)
    auth_date: int = Field(ge=1, le=2**53, examples=[1795250000])
    hash: str = Field(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$")

    def received(self) -> dict[str, str]:
        """What was received, as the text that was signed. Clients write null for "left out"."""
        return {name: str(value) for name, value in self if value is not None}


class RefreshRequest(StrictModel):
    refresh_token: str = Field(min_length=1, max_length=512)


class TokensAnswer(AnswerModel):
    token: str
    refresh_token: str = Field(description="Good for one refresh; a second use ends the session.")
    expires_in: int = Field(description="Seconds for which `token` holds.")

    @classmethod
    def of(cls, tokens: Tokens) -> Self:
        return cls(
            token=tokens.access, refresh_token=tokens.refresh, expires_in=tokens.expires_in_s
        )


class SignInAnswer(TokensAnswer):
    user: PersonAnswer
    is_new_user: bool

    @classmethod
    def of_sign_in(cls, signed_in: SignedIn) -> Self:
        tokens = TokensAnswer.of(signed_in.tokens)
        return cls(
            **tokens.model_dump(),
            user=person_answer(signed_in.synced.user),
            is_new_user=signed_in.synced.is_new,
        )


class LogoutAnswer(AnswerModel):
    ended_sessions: int


_SIGN_IN_ERRORS: Final = (
    errors.SignInRefused,
    errors.SignInExpired,
    errors.SignInUnavailable,
    errors.UserBlocked,
)


@sign_in_router.post("/v1/auth/telegram/miniapp", summary="Sign in from the Mini App")
@allow(OPEN, limit=SIGN_IN_LIMIT, raises=_SIGN_IN_ERRORS)
async def sign_in_miniapp(body: MiniAppRequest, facts: RequestFacts, needs: Deps) -> SignInAnswer:
    signed_in = await in_transaction(
        needs.pool,
        lambda connection: sessions.sign_in_with_init_data(
            connection,
            body.init_data,
            needs.sign_in,
            address=facts.address,
            now=needs.clock.now(),
        ),
    )
    return SignInAnswer.of_sign_in(signed_in)


@sign_in_router.post("/auth/telegram", summary="Sign in with the Login Widget")
@allow(OPEN, limit=SIGN_IN_LIMIT, raises=_SIGN_IN_ERRORS)
async def sign_in_widget(body: WidgetRequest, facts: RequestFacts, needs: Deps) -> SignInAnswer:
    signed_in = await in_transaction(
        needs.pool,
        lambda connection: sessions.sign_in_with_widget(
            connection,
            body.received(),
            needs.sign_in,
            address=facts.address,
            now=needs.clock.now(),
        ),
    )
    return SignInAnswer.of_sign_in(signed_in)


@sign_in_router.post("/v1/auth/refresh", summary="Exchange a refresh token")
@allow(OPEN, limit=SIGN_IN_LIMIT, raises=(errors.SessionEnded, errors.UserBlocked))
async def refresh(body: RefreshRequest, needs: Deps) -> TokensAnswer:
    tokens = await sessions.refresh(
        needs.pool, body.refresh_token, needs.sign_in, now=needs.clock.now()
    )
    return TokensAnswer.of(tokens)


@sign_in_router.post("/v1/auth/logout", summary="End this session")
@allow(USER)
async def logout(caller: UserCaller, needs: Deps) -> LogoutAnswer:
    session_id = SessionId(UUID(caller.session_id))
    await in_transaction(
        needs.pool,
        lambda connection: sessions.logout(connection, session_id, now=needs.clock.now()),
    )
    needs.cache.drop(sessions.SESSIONS, str(session_id))
    return LogoutAnswer(ended_sessions=1)


@sign_in_router.post("/v1/auth/logout_all", summary="End all sessions of this person")
@allow(USER)
async def logout_all(caller: UserCaller, needs: Deps) -> LogoutAnswer:
    ended = await in_transaction(
        needs.pool,
        lambda connection: sessions.logout_all(connection, caller.user_id, now=needs.clock.now()),
    )
    for session_id in ended:
        needs.cache.drop(sessions.SESSIONS, str(session_id))
    return LogoutAnswer(ended_sessions=len(ended))
