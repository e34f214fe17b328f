"""aiogram's way to Telegram: the shared client, with its time-outs and byte limits."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

import aiohttp
from aiogram import Bot
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.base import BaseSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ParseMode
from aiogram.exceptions import TelegramNetworkError
from aiogram.methods import TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import InputFile

from hamyon.kit.errors import FileGone
from hamyon.kit.http import FailureKind, HttpClient, HttpFailure

ANSWER_LIMIT_BYTES: Final = 1024 * 1024
DOWNLOAD_LIMIT_BYTES: Final = 20 * 1024 * 1024
"""What Telegram lets a bot download (wire.md, 5.2)."""

GONE: Final = frozenset({400, 404, 410})
"""What the file server answers for a file that it does not have any more."""


def open_bot(http: HttpClient, *, token: str, base_url: str, timeout_s: float) -> Bot:
    """The bot as aiogram's handlers know it: HTML, without previews of links."""
    return Bot(
        token,
        session=HttpSession(http, base_url=base_url, timeout_s=timeout_s),
        default=DefaultBotProperties(parse_mode=ParseMode.HTML, link_preview_is_disabled=True),
    )


class HttpSession(BaseSession):
    """Sends each call once. A failure is a TelegramNetworkError that names the host and no more."""

    def __init__(self, http: HttpClient, *, base_url: str, timeout_s: float) -> None:
        super().__init__(api=TelegramAPIServer.from_base(base_url), timeout=timeout_s)
        self._http = http

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ASYNC109 -- aiogram names it
    ) -> TelegramType:
        """Call ``method``. Raises aiogram's TelegramAPIError and its kin."""
        form = await self._form(bot, method)
        try:
            response = await self._http.request(
                "POST",
                self.api.api_url(token=bot.token, method=method.__api_method__),
                data=form,
                timeout_s=self.timeout if timeout is None else timeout,
                limit_bytes=ANSWER_LIMIT_BYTES,
            )
        except HttpFailure as failure:
            raise TelegramNetworkError(method=method, message=str(failure)) from failure
        answer = self.check_response(
            bot=bot,
            method=method,
            status_code=response.status,
            content=response.body.decode("utf-8", "replace"),
        )
        result: Any = answer.result
        return result  # type: ignore[no-any-return]  # pydantic made it the method's own type

    async def _form(self, bot: Bot, method: TelegramMethod[Any]) -> aiohttp.FormData:
        """The call's fields, with the files that they name attached."""
        form = aiohttp.FormData(quote_fields=False)
        files: dict[str, InputFile] = {}
        for name, value in method.model_dump(warnings=False).items():
            prepared = self.prepare_value(value, bot=bot, files=files)
            if prepared:
                form.add_field(name, prepared)
        for name, file in files.items():
            content = b"".join([piece async for piece in file.read(bot)])
            form.add_field(name, content, filename=file.filename or name)
        return form

    async def stream_content(
        self,
        url: str,
        headers: dict[str, Any] | None = None,
        timeout: int = 30,  # noqa: ASYNC109
        chunk_size: int = 65536,
        raise_for_status: bool = True,
    ) -> AsyncGenerator[bytes, None]:
        """A file's bytes in pieces, at most 20 MB. Raises HttpFailure and FileGone."""
        async with self._http.stream(
            url, headers=headers, timeout_s=timeout, limit_bytes=DOWNLOAD_LIMIT_BYTES
        ) as answer:
            if raise_for_status and answer.status in GONE:
                raise FileGone
            if raise_for_status and answer.status != 200:
                raise HttpFailure(FailureKind.UNKNOWN, f"{answer.status} for a file")
            async for piece in answer.pieces:
                yield piece

    async def close(self) -> None:
        """The shared client is closed by who opened it."""
