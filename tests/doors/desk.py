"""How the routes of support and news are called."""

from __future__ import annotations

from dataclasses import replace

from hamyon.kit.db import transaction
from hamyon.messages.service import support
from hamyon.users.service import people
from tests.doors.calls import REASON, Call, Recipe, Things, at, numbers
from tests.doors.scene import Scene

_THREADS = "/api/v1/admin/support/threads"
_NEWS = "/api/v1/admin/news"


async def _with_thread(scene: Scene, its: Things) -> Things:
    """A question of this person that waits for an answer."""
    user = await people.profile(scene.service.pool, its.user)
    async with transaction(scene.service.pool) as connection:
        written = await support.write(
            connection, user, body="Hello?", upload_ids=(), key=f"matrix-{next(numbers)}"
        )
    return replace(its, thread=written.thread.id)


async def _with_news(scene: Scene, its: Things) -> Things:
    made = await scene.admin("POST", _NEWS.removeprefix("/api/v1"), {"title": "A", "body": "B"})
    return replace(its, news=made.body["id"])


def _of_thread(path: str, body: object = None) -> Recipe:
    return Recipe(
        lambda its: Call(f"{_THREADS}/{its.thread}{path}", body), thing=True, fresh=_with_thread
    )


def _of_news(body: object, done: int) -> Recipe:
    return Recipe(lambda its: Call(f"{_NEWS}/{its.news}", body), done, thing=True, fresh=_with_news)


OF_DESK: dict[str, Recipe] = {
    f"GET {_THREADS}": at(_THREADS),
    f"GET {_THREADS}/{{thread_id}}": _of_thread(""),
    f"POST {_THREADS}/{{thread_id}}/reply": _of_thread("/reply", {"text": "Hello!"}),
    f"POST {_THREADS}/{{thread_id}}/close": _of_thread("/close", REASON),
    f"GET {_NEWS}": at(_NEWS),
    f"POST {_NEWS}": Recipe(lambda _: Call(_NEWS, {"title": "A", "body": "B"}), 201),
    f"PATCH {_NEWS}/{{news_id}}": _of_news({"title": "C"}, 200),
    f"DELETE {_NEWS}/{{news_id}}": _of_news(None, 204),
}
