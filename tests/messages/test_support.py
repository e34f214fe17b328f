"""Support over HTTP and in the database: one thread under way, answers once, acts written down."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from hamyon.kit.db import in_transaction
from hamyon.kit.errors import HamyonError
from hamyon.kit.ids import new_id
from hamyon.media import store as media_store
from hamyon.messages.service import support
from hamyon.messages.types.support import BODY_MAX, PHOTOS_MAX, REPLY_MAX, Written
from hamyon.users.service import people
from tests.doors.scene import Scene, uploaded
from tests.fixtures.service import Answer, Launch, Service, eventually

ANNA, BELLA = 777, 778
WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted"
OWNER = "key:env:ADMIN_API_KEY"


async def wrote(
    service: Service, user_id: int, body: str, key: str, upload_ids: tuple[Any, ...] = ()
) -> Written:
    """What a person wrote, as the bot keeps it."""
    user = await people.profile(service.pool, user_id)
    written: Written = await in_transaction(
        service.pool,
        lambda connection: support.write(
            connection, user, body=body, upload_ids=upload_ids, key=key
        ),
    )
    return written


async def call(
    service: Service, method: str, path: str, body: object = None, **more: Any
) -> Answer:
    return await service.api.call(method, f"/admin/support/threads{path}", body, admin=True, **more)


async def acts(service: Service) -> list[dict[str, Any]]:
    rows = await service.pool.fetch(
        """
        SELECT actor, action, subject, before, after, reason FROM audit_log
        WHERE action LIKE 'support.%' ORDER BY id
        """
    )
    return [dict(row) for row in rows]


async def told(service: Service) -> list[tuple[str, int | None]]:
    rows = await service.pool.fetch(
        "SELECT kind, user_id FROM notices WHERE kind LIKE 'support_%' ORDER BY id"
    )
    return [(row["kind"], row["user_id"]) for row in rows]


async def started(launch: Launch) -> Service:
    service = await launch(worker=False)
    for user_id in (ANNA, BELLA):
        await service.api.sync(user_id)
    return service


async def test_a_thread_from_question_to_end(launch: Launch) -> None:
    service = await started(launch)
    thread = (await wrote(service, ANNA, "Hello?", "1")).thread
    path = f"/{thread.id}"
    answer = await call(service, "GET", path)
    assert answer.status == 200
    assert answer.body["thread"]["status"] == "open"
    assert [one["text"] for one in answer.body["messages"]] == ["Hello?"]
    answer = await call(service, "POST", f"{path}/reply", {"text": "Hello!"})
    assert answer.status == 200, answer.body
    assert answer.body["thread"]["status"] == "answered"
    assert [one["author"] for one in answer.body["messages"]] == ["person", OWNER]
    assert (await wrote(service, ANNA, "Thanks", "2")).thread.status == "open"
    answer = await call(service, "POST", f"{path}/close", {"reason": "solved"})
    assert (answer.status, answer.body["status"]) == (200, "closed")
    assert answer.body["closed_by"] == OWNER
    again = await call(service, "POST", f"{path}/close")
    assert again.body == answer.body
    answer = await call(service, "POST", f"{path}/reply", {"text": "One more thing"})
    assert (answer.status, answer.code) == (409, "support_thread_closed")
    later = await wrote(service, ANNA, "Again me", "3")
    assert later.thread.id != thread.id
    assert [(act["action"], act["before"], act["reason"]) for act in await acts(service)] == [
        ("support.reply", {"status": "open"}, None),
        ("support.close", {"status": "open"}, "solved"),
    ]
    assert {act["subject"] for act in await acts(service)} == {f"support_thread:{thread.id}"}
    assert await told(service) == [
        ("support_message", None),
        ("support_reply", ANNA),
        ("support_message", None),
        ("support_closed", ANNA),
        ("support_message", None),
    ]


async def test_two_messages_at_once_open_one_thread(launch: Launch) -> None:
    service = await started(launch)
    written = await asyncio.gather(
        *(wrote(service, ANNA, f"{number}", str(number)) for number in range(10))
    )
    assert len({one.thread.id for one in written}) == 1
    _, messages = await support.thread(service.pool, written[0].thread.id)
    assert sorted(int(one.body) for one in messages) == list(range(10))


async def test_a_message_counts_once_even_after_its_thread_was_closed(launch: Launch) -> None:
    service = await started(launch)
    first = await wrote(service, ANNA, "Hello?", "1")
    await call(service, "POST", f"/{first.thread.id}/close")
    again = await wrote(service, ANNA, "Hello?", "1")
    assert (again.is_new, again.thread.id) == (False, first.thread.id)
    assert again.thread.status == "closed"
    threads = await call(service, "GET", "")
    assert len(threads.body["items"]) == 1
    assert len(await told(service)) == 2


async def test_an_answer_is_given_once_a_key(launch: Launch) -> None:
    service = await started(launch)
    thread = (await wrote(service, ANNA, "Hello?", "1")).thread
    other = (await wrote(service, BELLA, "Me, too", "2")).thread
    key = {"headers": {"Idempotency-Key": "k"}}
    answers = await asyncio.gather(
        *(call(service, "POST", f"/{thread.id}/reply", {"text": "Hello!"}, **key) for _ in range(4))
    )
    assert {answer.status for answer in answers} == {200}
    assert len(await acts(service)) == 1
    assert (await told(service)).count(("support_reply", ANNA)) == 1
    for path, text in ((thread.id, "Good bye!"), (other.id, "Hello!")):
        answer = await call(service, "POST", f"/{path}/reply", {"text": text}, **key)
        assert (answer.status, answer.code) == (409, "idempotency_mismatch")
    for _ in range(2):  # Without a key each one counts.
        await call(service, "POST", f"/{thread.id}/reply", {"text": "Hello!"})
    assert len(await acts(service)) == 3


async def test_lists_are_by_status_and_in_pages(launch: Launch) -> None:
    service = await started(launch)
    for user_id in range(1, 6):
        await service.api.sync(user_id)
        await wrote(service, user_id, "Hello?", str(user_id))
    await call(service, "POST", "/2/close")
    await call(service, "POST", "/4/reply", {"text": "Hello!"})
    seen, cursor = [], ""
    while True:
        answer = await call(service, "GET", f"?limit=2{cursor}")
        seen += [one["id"] for one in answer.body["items"]]
        if answer.body["next_cursor"] is None:
            break
        cursor = f"&cursor={answer.body['next_cursor']}"
    assert seen == [4, 2, 5, 3, 1]
    by_status = {}
    for status in ("open", "answered", "closed"):
        answer = await call(service, "GET", f"?status={status}")
        by_status[status] = [one["id"] for one in answer.body["items"]]
    assert by_status == {"open": [5, 3, 1], "answered": [4], "closed": [2]}
    assert (await call(service, "GET", "?status=lost")).status == 422


async def test_photos_are_the_persons_own_and_few(launch: Launch) -> None:
    service = await started(launch)
    scene = Scene(service)
    photos = [(await uploaded(scene, ANNA, seed))["upload_id"] for seed in range(4)]
    written = await wrote(service, ANNA, "look", "1", tuple(photos[:1]))
    await wrote(service, ANNA, "", "1", tuple(photos[:2]))
    await wrote(service, ANNA, "and here", "1", tuple(photos[2:3]))
    with pytest.raises(HamyonError) as refused:
        await wrote(service, ANNA, "", "1", tuple(photos[3:]))
    assert refused.value.code == "too_many_support_photos"
    assert refused.value.facts == {"limit": PHOTOS_MAX}
    answer = await call(service, "GET", f"/{written.thread.id}")
    (message,) = answer.body["messages"]
    assert message["text"] == "look\nand here"
    assert [photo["upload_id"] for photo in message["photos"]] == photos[:3]
    for photo in message["photos"]:
        async with service.api.session.get(photo["url"]) as file:
            assert file.status == 200
    await service.as_owner(
        "UPDATE uploads SET expires_at = now() - interval '1 day' WHERE id = $1", photos[1]
    )
    answer = await call(service, "GET", f"/{written.thread.id}")
    urls = [photo["url"] for photo in answer.body["messages"][0]["photos"]]
    assert [url is None for url in urls] == [False, True, False]


async def test_photos_that_come_at_once_are_all_kept(launch: Launch) -> None:
    """The second one waits for the first one's transaction, and must see what that one wrote."""
    service = await started(launch)
    scene = Scene(service)
    photos = [UUID((await uploaded(scene, ANNA, seed))["upload_id"]) for seed in range(3)]
    await wrote(service, ANNA, "look", "1", (photos[0],))
    anna = await people.profile(service.pool, ANNA)
    async with service.pool.acquire() as connection, connection.transaction():
        await support.write(connection, anna, body="", upload_ids=(photos[1],), key="1")
        second = asyncio.create_task(wrote(service, ANNA, "", "1", (photos[2],)))

        async def waits() -> bool:
            return bool(await service.as_owner(WAITING))

        await eventually(waits)
    message = (await second).message
    assert set(message.upload_ids) == set(photos)


async def test_a_photo_behind_the_close_opens_another_thread(launch: Launch) -> None:
    service = await started(launch)
    scene = Scene(service)
    photos = [UUID((await uploaded(scene, ANNA, seed))["upload_id"]) for seed in range(3)]
    first = await wrote(service, ANNA, "look", "1", (photos[0],))
    await call(service, "POST", f"/{first.thread.id}/close")
    for _ in range(2):  # Each comes twice.
        for photo in photos[1:]:
            later = await wrote(service, ANNA, "", "1", (photo,))
            assert later.thread.id != first.thread.id
        same = await wrote(service, ANNA, "look", "1", (photos[0],))
        assert same.thread.status == "closed"
    assert list(later.message.upload_ids) == photos[1:]
    assert (await told(service)).count(("support_message", None)) == 2
    answer = await call(service, "GET", "")
    assert sorted(one["status"] for one in answer.body["items"]) == ["closed", "open"]


async def test_a_caption_is_kept_that_is_part_of_another(launch: Launch) -> None:
    service = await started(launch)
    for _ in range(2):
        for said in ("not this one", "this one", " this "):
            written = await wrote(service, ANNA, said, "1")
    assert written.message.body == "not this one\nthis one\nthis"


async def test_an_old_thread_is_opened_with_one_look_at_its_photos(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await started(launch)
    scene = Scene(service)
    photo = (await uploaded(scene, ANNA, 1))["upload_id"]
    for number in range(5):
        gone = tuple(str(new_id()) for _ in range(2))
        written = await wrote(service, ANNA, "look", str(number), (*gone, photo))
    looks, look = [], media_store.own_uploads

    async def counted(*args: Any, **kwargs: Any) -> Any:
        looks.append(kwargs["ids"])
        return await look(*args, **kwargs)

    monkeypatch.setattr(media_store, "own_uploads", counted)
    answer = await call(service, "GET", f"/{written.thread.id}")
    for message in answer.body["messages"]:
        urls = [one["url"] for one in message["photos"]]
        assert [url is None for url in urls] == [True, True, False]
    assert len(looks) == 1


async def test_what_is_too_long_is_refused(launch: Launch) -> None:
    service = await started(launch)
    with pytest.raises(HamyonError) as refused:
        await wrote(service, ANNA, "😀" * (BODY_MAX // 2 + 1), "1")
    assert refused.value.code == "support_text_too_long"
    thread = (await wrote(service, ANNA, "x" * BODY_MAX, "2")).thread
    facts = await service.pool.fetchval("SELECT facts FROM notices WHERE kind = 'support_message'")
    assert facts["text"] == "x" * 500
    answer = await call(service, "POST", f"/{thread.id}/reply", {"text": "😀" * REPLY_MAX})
    assert (answer.status, answer.code) == (422, "support_text_too_long")
    for text in ("", "x" * (REPLY_MAX + 1), "a\0b"):
        answer = await call(service, "POST", f"/{thread.id}/reply", {"text": text})
        assert (answer.status, answer.code) == (422, "invalid_input")
    assert await acts(service) == []


async def test_what_is_not_there(launch: Launch) -> None:
    service = await started(launch)
    for method, path, body in (
        ("GET", "/1", None),
        ("POST", "/1/reply", {"text": "Hello"}),
        ("POST", "/1/close", {}),
    ):
        answer = await call(service, method, path, body)
        assert (answer.status, answer.code) == (404, "support_thread_not_found")
