"""Requests that no client library makes: raw bytes, each answered by a problem and never a 500."""

from __future__ import annotations

import json

import pytest

from tests.doors.raw import answered
from tests.doors.scene import VICTIM, open_scene
from tests.fixtures.service import ADMIN_KEY, API_KEY, Launch

KEY = f"api-key: {API_KEY}\r\n".encode()
JSON = b"Content-Type: application/json\r\n"
SYNC = b"/api/v1/users/sync"
BALANCE = b"/api/v1/users/%s/balance" % str(VICTIM).encode()


def post(body: bytes, headers: bytes = JSON, path: bytes = SYNC) -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"POST " + path + b" HTTP/1.1\r\nHost: a\r\n" + KEY + headers + length + b"\r\n" + body


def get(path: bytes, headers: bytes = KEY) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n"


def sync(**fields: object) -> bytes:
    return json.dumps({"telegram_id": VICTIM, **fields}).encode()


# Statuses that may answer; 400 where the bytes are no HTTP, which uvicorn says by itself.
STRANGE: dict[str, tuple[bytes, set[int]]] = {
    "NUL in a path": (get(b"/api/v1/generations/%00"), {404, 422}),
    "NUL in a file's path": (get(b"/files/uploads/%00.jpg?expires=1&signature=a"), {404}),
    "NUL in a query": (get(b"/api/v1/generations?telegram_id=7&cursor=%00"), {422}),
    "NUL in a trial's product": (get(BALANCE[:-7] + b"trial?product=a%00"), {422}),
    "NUL in a name": (post(sync(first_name="a\0b")), {422}),
    "a surrogate half": (post(b'{"telegram_id": 7, "first_name": "\\ud800"}'), {422}),
    "a surrogate pair turned": (post(b'{"telegram_id": 7, "first_name": "\\udc00\\ud83d"}'), {422}),
    "not UTF-8 in the body": (post(b'{"telegram_id": 7, "first_name": "\xff\xfe"}'), {422}),
    "a BOM": (post(b"\xef\xbb\xbf" + sync()), {200, 422}),
    "UTF-16": (post(sync().decode().encode("utf-16")), {200, 422}),
    "no JSON": (post(b"{"), {422}),
    "NaN": (post(b'{"telegram_id": NaN}'), {422}),
    "Infinity": (post(b'{"telegram_id": Infinity}'), {422}),
    "1e400": (post(b'{"telegram_id": 1e400}'), {422}),
    "an integer of 5,000 digits": (post(b'{"telegram_id": ' + b"9" * 5000 + b"}"), {422}),
    "an id of 65 bits": (post(b'{"telegram_id": 18446744073709551616}'), {422}),
    "a list for an object": (post(b"[]"), {422}),
    "null": (post(b"null"), {422}),
    "nothing": (post(b""), {422}),
    "100,000 brackets": (post(b"[" * 100_000), {422}),
    "a deep object": (post(b'{"a":' * 30_000 + b"1" + b"}" * 30_000), {422}),
    "a field twice": (post(b'{"telegram_id": 7, "telegram_id": %d}' % VICTIM), {200, 422}),
    "a form for JSON": (
        post(b"telegram_id=7", b"Content-Type: application/x-www-form-urlencoded\r\n"),
        {415, 422},
    ),
    "text for JSON": (post(sync(), b"Content-Type: text/plain\r\n"), {415, 422}),
    "no content type": (post(sync(), b""), {200, 415, 422}),
    "JSON for multipart": (post(b"{}", JSON, b"/api/v1/media/upload"), {415, 422}),
    "multipart without a boundary": (
        post(b"--", b"Content-Type: multipart/form-data\r\n", b"/api/v1/media/upload"),
        {422},
    ),
    "a boundary of 10,000 characters": (
        post(
            b"--",
            b"Content-Type: multipart/form-data; boundary=" + b"a" * 10_000 + b"\r\n",
            b"/api/v1/media/upload",
        ),
        {422},
    ),
    "a telegram_id of superscripts": (
        post(
            b'--b\r\nContent-Disposition: form-data; name="telegram_id"\r\n\r\n\xc2\xb2\r\n'
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n'
            b"--b--\r\n",
            b"Content-Type: multipart/form-data; boundary=b\r\n",
            b"/api/v1/media/upload",
        ),
        {422},
    ),
    "not UTF-8 in a path": (get(b"/api/v1/generations/%ff%fe"), {404, 422}),
    "raw bytes in a path": (get(b"/api/v1/\xff\xfe"), {400, 404}),
    "not UTF-8 in a query": (get(BALANCE + b"?asset=%ff"), {422}),
    "not UTF-8 in a language": (get(BALANCE, KEY + b"Accept-Language: \xff\xfe\r\n"), {200}),
    "not UTF-8 in a key": (get(BALANCE, b"api-key: \xff\xfe\xc3\r\n"), {401}),
    "not UTF-8 in a token": (get(BALANCE, b"Authorization: Bearer \xff.\xfe.\xfd\r\n"), {401}),
    "an empty key": (get(BALANCE, b"api-key: \r\n"), {401}),
    "two keys": (get(BALANCE, KEY + KEY), {401}),
    "a key and a token": (get(BALANCE, KEY + b"Authorization: Bearer a.b.c\r\n"), {401}),
    "a request id with a line break": (get(BALANCE, KEY + b"X-Request-ID: a%0d%0ab\r\n"), {200}),
    "a request id of 10,000 characters": (
        get(BALANCE, KEY + b"X-Request-ID: " + b"a" * 10_000 + b"\r\n"),
        {200},
    ),
    "not UTF-8 in an idempotency key": (
        post(b"{}", JSON + b"Idempotency-Key: \xff\r\n", b"/api/v1/generations/submit"),
        {422},
    ),
    "a query that names somebody twice": (
        get(b"/api/v1/generations?telegram_id=1&telegram_id=%d" % VICTIM),
        {422},
    ),
    "a huge query": (get(BALANCE + b"?asset=" + b"a" * 30_000), {422}),
    "HEAD": (b"HEAD " + BALANCE + b" HTTP/1.1\r\nHost: a\r\n" + KEY + b"\r\n", {405}),
    "OPTIONS": (b"OPTIONS " + BALANCE + b" HTTP/1.1\r\nHost: a\r\n\r\n", {405}),
    "TRACE": (b"TRACE " + BALANCE + b" HTTP/1.1\r\nHost: a\r\n\r\n", {405}),
    "an unknown method": (b"BREW " + BALANCE + b" HTTP/1.1\r\nHost: a\r\n\r\n", {400, 405}),
    "an absolute address": (get(b"http://b" + BALANCE), {200, 404}),
    "dots in a path": (get(b"/files/../../etc/passwd"), {404}),
    "encoded dots in a path": (
        get(b"/files/%2e%2e/%2e%2e/etc/passwd?expires=9&signature=a"),
        {404},
    ),
    "an encoded slash": (get(b"/api%2fv1/info"), {200, 404}),
    "dates beyond the calendar": (
        get(b"/files/a.png?expires=99999999999999999999&signature=a"),
        {404},
    ),
    "superscript digits": (get(b"/files/a.png?expires=%C2%B2&signature=a"), {404}),
    "a signature that is no text": (get(b"/files/a.png?expires=1&signature=%ff%00"), {404}),
    "a cursor of digits": (
        get(b"/api/v1/admin/users?cursor=WzFd", f"api-key: {ADMIN_KEY}\r\n".encode()),
        {422},
    ),
    "a search for a NUL": (
        get(b"/api/v1/admin/users?query=%00", f"api-key: {ADMIN_KEY}\r\n".encode()),
        {422},
    ),
    "a search for half a surrogate": (
        get(b"/api/v1/admin/users?query=%ED%A0%80", f"api-key: {ADMIN_KEY}\r\n".encode()),
        {200, 422},
    ),
    "a search for a huge number": (
        get(b"/api/v1/admin/users?query=" + b"9" * 100, f"api-key: {ADMIN_KEY}\r\n".encode()),
        {200},
    ),
}


async def test_strange_requests_get_plain_answers(launch: Launch) -> None:
    scene = await open_scene(launch, worker=False)
    wrong = []
    for name, (raw, allowed) in STRANGE.items():
        status, head, body = await answered(scene, raw)
        problem = status < 400 or b"application/problem+json" in head or status == 400
        if status not in allowed or not problem:
            wrong.append(f"{name}: {status} {body[:200]!r}")
    assert not wrong, "\n".join(wrong)


async def test_what_is_no_http_ends_the_connection_and_not_the_server(launch: Launch) -> None:
    scene = await open_scene(launch, worker=False)
    for raw in (b"\0" * 100 + b"\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET\r\n\r\n"):
        status, _, _ = await answered(scene, raw)
        assert status == 400
    assert (await scene.call("GET", "/health"))[0] == 200


@pytest.mark.parametrize("path", ["/api/v1/admin/roles", "/api/v1/users/1/balance"])
async def test_a_wrong_method_is_told_the_right_ones(launch: Launch, path: str) -> None:
    scene = await open_scene(launch, worker=False)
    shown = (await scene.call("GET", "/openapi.json"))[1]
    methods = {
        method.upper()
        for known, operations in json.loads(shown)["paths"].items()
        if known.replace("{telegram_id}", "1") == path
        for method in operations
    }
    status, _, headers = await scene.call("PATCH", path, headers=scene.owner())
    assert status == 405
    assert {method.strip() for method in headers["Allow"].split(",")} == methods
