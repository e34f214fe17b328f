"""The doors over real HTTP: what the contract says is asked and answered."""

from __future__ import annotations

from typing import Any

from hamyon.kit.web.permission import Role
from hamyon.users.service import operators
from hamyon.users.types import Contact
from tests.users.conftest import ADMIN_API_KEY, API_KEY, OWNER, Client, Deps, met
from tests.users.signing import (
    OTHER_BOT_TOKEN,
    init_data,
    mini_app_fields,
    signed_widget,
    widget_fields,
)

MINI_APP = "/api/v1/auth/telegram/miniapp"
WIDGET = "/api/auth/telegram"


def _now(deps: Deps) -> int:
    return int(deps.clock.now().timestamp())


async def _enter(deps: Deps, client: Client, user_id: int = 777) -> dict[str, Any]:
    body = {"init_data": init_data(mini_app_fields(_now(deps), user_id))}
    status, answer = await client.call("POST", MINI_APP, body)
    assert status == 200, answer
    assert isinstance(answer, dict)
    return answer


def _widget_body(fields: dict[str, str]) -> dict[str, Any]:
    return {**fields, "id": int(fields["id"]), "auth_date": int(fields["auth_date"])}


async def test_sync_answers_as_the_contract_says(client: Client) -> None:
    body = {"telegram_id": 42, "first_name": "A", "language_code": "ru"}
    assert (await client.call("POST", "/api/v1/users/sync", body, key=API_KEY))[0] == 200
    invited = {"telegram_id": 2**63 - 1, "referral_code": "ref_42"}

    status, answer = await client.call("POST", "/api/v1/users/sync", invited, key=API_KEY)

    assert status == 200
    assert answer.pop("created_at").endswith("Z")
    assert answer == {
        "telegram_id": 2**63 - 1,
        "referral_code": "ref_9223372036854775807",
        "referral_applied": True,
        "referrer_telegram_id": 42,
        "bonus_percent": 10,
        "language": "en",
        "is_new": True,
    }
    status, again = await client.call("POST", "/api/v1/users/sync", invited, key=API_KEY)
    assert (again["is_new"], again["referral_applied"]) == (False, False)


MALFORMED: tuple[object, ...] = (
    {},
    {"telegram_id": 0},
    {"telegram_id": -1},
    {"telegram_id": 2**63},
    {"telegram_id": "x"},
    {"telegram_id": None},
    {"telegram_id": 1, "first_name": "a\u0000b"},
    {"telegram_id": 1, "first_name": "\ud800"},
    {"telegram_id": 1, "first_name": "x" * 257},
    {"telegram_id": 1, "referral_code": "\u0000"},
    {"telegram_id": 1, "unknown": 1},
    [],
    "x",
)


async def test_malformed_sync_is_refused_and_creates_nobody(client: Client, deps: Deps) -> None:
    for body in MALFORMED:
        status, answer = await client.call("POST", "/api/v1/users/sync", body, key=API_KEY)
        assert (status, answer["code"]) == (422, "invalid_input"), body
    assert await deps.pool.fetchval("SELECT count(*) FROM users") == 0


async def test_a_person_syncs_himself_and_nobody_else(client: Client, deps: Deps) -> None:
    token = (await _enter(deps, client))["token"]
    path = "/api/v1/users/sync"
    assert (await client.call("POST", path, {"telegram_id": 777}, bearer=token))[0] == 200
    status, answer = await client.call("POST", path, {"telegram_id": 778}, bearer=token)
    assert (status, answer["code"]) == (404, "not_found")
    assert (await client.call("POST", path, {"telegram_id": 778}))[0] == 401
    assert await deps.pool.fetchval("SELECT count(*) FROM users") == 1


async def test_the_mini_app_signs_in_and_its_person_is_described(
    client: Client, deps: Deps
) -> None:
    answer = await _enter(deps, client)
    assert set(answer) == {"token", "refresh_token", "expires_in", "user", "is_new_user"}
    assert (answer["expires_in"], answer["is_new_user"]) == (3600, True)
    assert answer["user"]["telegram_id"] == 777
    assert answer["user"]["language"] == "uz"
    assert not (await _enter(deps, client))["is_new_user"]
    assert await deps.pool.fetchval("SELECT address FROM login_sessions LIMIT 1") == "127.0.0.1"


async def test_the_widget_takes_its_fields_as_they_were_signed(client: Client, deps: Deps) -> None:
    body = _widget_body(signed_widget(widget_fields(_now(deps))))
    changes: tuple[tuple[dict[str, object], int, str], ...] = (
        ({"id": 778}, 401, "sign_in_refused"),
        ({"last_name": "None"}, 401, "sign_in_refused"),
        ({"first_name": None}, 401, "sign_in_refused"),
        ({"hash": "0" * 64}, 401, "sign_in_refused"),
        ({"phone": "1"}, 422, "invalid_input"),
        ({"hash": "x"}, 422, "invalid_input"),
        ({"id": 777.5}, 422, "invalid_input"),
    )
    for change, expected, code in changes:
        status, answer = await client.call("POST", WIDGET, body | change)
        assert (status, answer["code"]) == (expected, code), change

    # Clients write null for what Telegram left out.
    status, answer = await client.call("POST", WIDGET, body | {"last_name": None})
    assert (status, answer["user"]["telegram_id"]) == (200, 777)
    status, answer = await client.call("POST", WIDGET, body)
    assert (status, answer["code"]) == (401, "sign_in_expired")


async def test_what_was_not_signed_for_us_opens_nothing(client: Client, deps: Deps) -> None:
    fields = mini_app_fields(_now(deps))
    for raw, code in (
        (init_data(fields, OTHER_BOT_TOKEN), "sign_in_refused"),
        (init_data(mini_app_fields(_now(deps) - 90_000)), "sign_in_expired"),
        ("x", "sign_in_refused"),
    ):
        status, answer = await client.call("POST", MINI_APP, {"init_data": raw})
        assert (status, answer["code"]) == (401, code)
    assert await deps.pool.fetchval("SELECT count(*) FROM users") == 0


async def test_without_a_bot_sign_in_is_unavailable(client: Client, deps: Deps) -> None:
    object.__setattr__(deps.sign_in, "bot_token", None)
    raw = init_data(mini_app_fields(_now(deps)), "")
    status, answer = await client.call("POST", MINI_APP, {"init_data": raw})
    assert (status, answer["code"]) == (503, "sign_in_unavailable")
    body = _widget_body(signed_widget(widget_fields(_now(deps)), ""))
    assert (await client.call("POST", WIDGET, body))[0] == 503


async def test_refresh_and_logout_over_http(client: Client, deps: Deps) -> None:
    one, two = await _enter(deps, client), await _enter(deps, client)
    path = "/api/v1/auth/"
    status, fresh = await client.call(
        "POST", path + "refresh", {"refresh_token": one["refresh_token"]}
    )
    assert status == 200
    assert set(fresh) == {"token", "refresh_token", "expires_in"}

    assert await client.call("POST", path + "logout", bearer=fresh["token"]) == (
        200,
        {"ended_sessions": 1},
    )
    for token in (one["token"], fresh["token"]):
        status, answer = await client.call("POST", path + "logout", bearer=token)
        assert (status, answer["code"]) == (401, "session_ended")
    three = await _enter(deps, client)
    assert (await client.call("POST", path + "logout_all", bearer=two["token"]))[1] == {
        "ended_sessions": 2
    }
    for tokens in (two, three):
        assert (await client.call("POST", path + "logout", bearer=tokens["token"]))[0] == 401
        body = {"refresh_token": tokens["refresh_token"]}
        status, answer = await client.call("POST", path + "refresh", body)
        assert (status, answer["code"]) == (401, "session_ended")
    assert (await client.call("POST", path + "logout", key=ADMIN_API_KEY))[0] == 403


async def test_operators_find_block_and_unblock(client: Client, deps: Deps) -> None:
    person, operator = await _enter(deps, client, 777), await _enter(deps, client, 1)
    token = operator["token"]
    assert (await client.call("GET", "/api/v1/admin/users", bearer=token))[0] == 403
    await _give(deps, 1, Role.SUPPORT)

    status, page = await client.call(
        "GET", "/api/v1/admin/users?query=ref_777&status=active", bearer=token
    )
    assert (status, [item["telegram_id"] for item in page["items"]]) == (200, [777])
    path = "/api/v1/admin/users/777/"
    reason = {"reason": "Spam"}
    status, blocked = await client.call("POST", path + "block", reason, bearer=token)
    assert (status, blocked["status"], blocked["blocked_reason"]) == (200, "blocked", "Spam")
    status, answer = await client.call("POST", "/api/v1/auth/logout", bearer=person["token"])
    assert (status, answer["code"]) == (403, "user_blocked")
    sync = {"telegram_id": 777}
    assert (await client.call("POST", "/api/v1/users/sync", sync, key=API_KEY))[0] == 403
    assert (await client.call("POST", path + "unblock", reason, bearer=token))[0] == 200
    assert (await client.call("POST", "/api/v1/auth/logout", bearer=person["token"]))[0] == 200

    for target, code in (("1", "protected_user"), ("9", "user_not_found")):
        status, answer = await client.call(
            "POST", f"/api/v1/admin/users/{target}/block", reason, bearer=token
        )
        assert answer["code"] == code
    for bad in ({}, {"reason": ""}, {"reason": "\u0000"}):
        assert (await client.call("POST", path + "block", bad, bearer=token))[0] == 422


async def test_lists_page_by_cursor_and_refuse_a_broken_one(client: Client, deps: Deps) -> None:
    for user_id in range(1, 6):
        await met(deps.pool, deps.clock, Contact(user_id))
    seen: list[int] = []
    path = "/api/v1/admin/users?limit=2"
    cursor = ""
    while True:
        status, page = await client.call("GET", path + cursor, key=ADMIN_API_KEY)
        assert status == 200
        seen += [item["telegram_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = "&cursor=" + page["next_cursor"]
    assert seen == [5, 4, 3, 2, 1]
    for broken in ("x", "W10", "%00"):
        status, answer = await client.call("GET", f"{path}&cursor={broken}", key=ADMIN_API_KEY)
        assert (status, answer["code"]) == (422, "invalid_cursor")


async def _give(deps: Deps, user_id: int, role: Role) -> None:
    async with deps.pool.acquire() as connection, connection.transaction():
        await operators.grant_role(
            connection, user_id, role, reason=None, acting=OWNER, now=deps.clock.now()
        )


async def test_roles_over_http_are_the_owners_business(client: Client, deps: Deps) -> None:
    token = (await _enter(deps, client, 5))["token"]
    path = "/api/v1/admin/roles"
    grant = {"telegram_id": 5, "role": "admin", "reason": "Hired"}
    status, answer = await client.call("POST", path, grant, key=ADMIN_API_KEY)
    assert (status, answer["granted_by"]) == (200, "key:env:ADMIN_API_KEY")
    assert (await client.call("POST", path, grant, bearer=token))[0] == 403
    assert (await client.call("GET", path, bearer=token))[0] == 403
    assert (await client.call("GET", path, key=API_KEY))[0] == 403
    status, page = await client.call("GET", path, key=ADMIN_API_KEY)
    assert [(item["telegram_id"], item["role"]) for item in page["items"]] == [(5, "admin")]

    log_path = "/api/v1/admin/audit_log"
    status, log = await client.call("GET", log_path + "?action=role.grant", bearer=token)
    assert status == 200
    act = log["items"][0]
    assert (act["actor"], act["subject"], act["reason"]) == (
        "key:env:ADMIN_API_KEY",
        "user:5",
        "Hired",
    )
    assert (act["address"], act["after"]) == ("127.0.0.1", {"role": "admin"})
    assert act["request_id"]

    assert await client.call("DELETE", path + "/5", key=ADMIN_API_KEY) == (204, None)
    assert (await client.call("GET", log_path, bearer=token))[0] == 403
    status, answer = await client.call("DELETE", path + "/5", key=ADMIN_API_KEY)
    assert (status, answer["code"]) == (404, "role_not_found")
    unknown = {"telegram_id": 6, "role": "admin"}
    assert (await client.call("POST", path, unknown, key=ADMIN_API_KEY))[0] == 404
    wrong = {"telegram_id": 5, "role": "king"}
    assert (await client.call("POST", path, wrong, key=ADMIN_API_KEY))[0] == 422


async def test_keys_over_http_show_their_secret_once(client: Client) -> None:
    path = "/api/v1/admin/service_keys"
    body = {"name": "console", "scopes": ["admin"], "expires_in_days": 30}
    status, made = await client.call("POST", path, body, key=ADMIN_API_KEY)
    assert (status, made["scopes"], made["valid"]) == (201, ["admin"], True)
    status, page = await client.call("GET", path, key=made["secret"])
    assert status == 200
    assert "secret" not in page["items"][0]
    status, answer = await client.call("POST", path, body, key=ADMIN_API_KEY)
    assert (status, answer["code"]) == (409, "service_key_name_taken")

    status, new = await client.call("POST", f"{path}/{made['id']}/rotate", key=ADMIN_API_KEY)
    assert status == 201
    for secret in (made["secret"], new["secret"]):
        assert (await client.call("GET", path, key=secret))[0] == 200
    status, answer = await client.call("POST", f"{path}/{new['id']}/rotate", key=ADMIN_API_KEY)
    assert (status, answer["code"]) == (409, "rotation_under_way")
    assert (await client.call("DELETE", f"{path}/{new['id']}", key=ADMIN_API_KEY))[0] == 204
    status, page = await client.call("GET", path, key=ADMIN_API_KEY)
    assert {item["id"]: item["valid"] for item in page["items"]} == {
        made["id"]: True,
        new["id"]: False,
    }
    status, answer = await client.call("DELETE", f"{path}/{new['id']}", key=ADMIN_API_KEY)
    assert (status, answer["code"]) == (404, "service_key_not_found")
    for bad in (
        {**body, "name": "env:x"},
        {**body, "name": "new", "scopes": ["god"]},
        {**body, "name": "new", "scopes": []},
        {**body, "name": "new", "expires_in_days": 0},
    ):
        assert (await client.call("POST", path, bad, key=ADMIN_API_KEY))[0] == 422
