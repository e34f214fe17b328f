"""News: written, changed and taken away by operators, and what people read of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hamyon.messages.service import news
from tests.fixtures.service import Answer, Launch, Service

PIECE = {"title": "Summer", "body": "It is <b>here</b>"}


async def call(service: Service, method: str, path: str = "", body: object = None) -> Answer:
    return await service.api.call(method, f"/admin/news{path}", body, admin=True)


async def made(service: Service, **more: object) -> dict[str, Any]:
    answer = await call(service, "POST", body=PIECE | more)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.body
    return found


async def read(service: Service, language: Any = "en", product: str = "images") -> list[str]:
    """The titles that somebody reads now."""
    now = service.deps.clock.now()
    found = await news.published(service.pool, language, product, now=now)
    return [piece.article.title for piece in found]


async def acts(service: Service) -> list[dict[str, Any]]:
    rows = await service.pool.fetch(
        """
        SELECT action, subject, before, after FROM audit_log
        WHERE action LIKE 'news.%' ORDER BY id
        """
    )
    return [dict(row) for row in rows]


async def test_a_piece_is_written_changed_and_taken_away(launch: Launch) -> None:
    service = await launch(worker=False)
    piece = await made(service, language="uz", link="https://example.org/a?b=1")
    assert piece["title"] == "Summer"
    assert await read(service, "uz") == ["Summer"]
    path = f"/{piece['id']}"
    answer = await call(service, "PATCH", path, {"title": "Autumn", "language": None})
    assert answer.status == 200, answer.body
    assert answer.body["body"] == PIECE["body"]
    assert (answer.body["language"], answer.body["link"]) == (None, "https://example.org/a?b=1")
    assert await read(service, "ru") == ["Autumn"]
    # What may not be absent stays as it is.
    same = await call(service, "PATCH", path, {"title": None, "active": None, "publish_at": None})
    assert same.body["title"] == "Autumn"
    assert (await call(service, "DELETE", path)).status == 204
    assert await read(service, "ru") == []
    for method, body in (("PATCH", {"title": "x"}), ("DELETE", None)):
        answer = await call(service, method, path, body)
        assert (answer.status, answer.code) == (404, "news_not_found")
    told = await acts(service)
    assert [act["action"] for act in told] == [
        "news.create",
        "news.change",
        "news.change",
        "news.delete",
    ]
    assert {act["subject"] for act in told} == {f"news:{piece['id']}"}
    assert (told[1]["before"]["title"], told[1]["after"]["title"]) == ("Summer", "Autumn")
    assert told[3]["before"]["title"] == "Autumn"


async def test_people_read_what_is_for_them_and_now(launch: Launch) -> None:
    service = await launch(worker=False)
    now = service.deps.clock.now()
    days = [(now - timedelta(days=ago)).isoformat() for ago in range(4)]
    later = (now + timedelta(hours=1)).isoformat()
    await made(service, title="old", publish_at=days[3])
    await made(service, title="pinned", publish_at=days[2], pinned=True)
    await made(service, title="uz", language="uz", publish_at=days[1])
    await made(service, title="traffic", product="traffic", publish_at=days[1])
    await made(service, title="off", active=False, publish_at=days[1])
    await made(service, title="later", publish_at=later)
    assert await read(service, "uz") == ["pinned", "uz", "old"]
    assert await read(service, "en") == ["pinned", "old"]
    assert await read(service, "en", "traffic") == ["pinned", "traffic", "old"]
    listed = (await call(service, "GET", "?limit=4")).body
    titles = [one["title"] for one in listed["items"]]
    cursor = listed["next_cursor"]
    titles += [
        one["title"] for one in (await call(service, "GET", f"?cursor={cursor}")).body["items"]
    ]
    assert titles == ["later", "off", "traffic", "uz", "pinned", "old"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"title": "x" * 256},
        {"body": "x" * 4001},
        {"body": "a\0b"},
        {"link": "javascript:alert(1)"},
        {"link": "ftp://example.org"},
        {"link": "https://"},
        {"link": "https://example.org/a b"},
        {"language": "de"},
        {"product": "Images"},
        {"publish_at": "2026-01-01T00:00:00"},
        {"unknown": 1},
    ],
)
async def test_what_no_news_can_be(launch: Launch, wrong: dict[str, object]) -> None:
    service = await launch(worker=False)
    piece = await made(service)
    for method, path in (("POST", ""), ("PATCH", f"/{piece['id']}")):
        body = PIECE | wrong if method == "POST" else wrong
        answer = await call(service, method, path, body)
        assert (answer.status, answer.code) == (422, "invalid_input")
    assert len(await acts(service)) == 1


async def test_a_picture_must_be_the_operators_own(launch: Launch) -> None:
    service = await launch(worker=False)
    answer = await call(
        service, "POST", body=PIECE | {"upload_id": "00000000-0000-4000-8000-000000000001"}
    )
    assert (answer.status, answer.code) == (404, "upload_not_found")
    assert await acts(service) == []
