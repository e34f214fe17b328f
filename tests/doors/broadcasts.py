"""How the routes of broadcasts are called."""

from __future__ import annotations

from dataclasses import replace

from tests.doors.calls import Call, Fresh, Recipe, Things, post
from tests.doors.scene import Scene

_BROADCASTS = "/api/v1/admin/broadcasts"
_ROUTE = f"{_BROADCASTS}/{{number}}"
# To nobody, so that nobody has to be written to.
_SEGMENT = {"segment": {"advertising_source": "the matrix"}}
_CONTENT = {"content": {"type": "text", "text": "The matrix"}}


def _after(*verbs: str) -> Fresh:
    """A broadcast of its own for each call, to which this was done."""

    async def make(scene: Scene, its: Things) -> Things:
        body = {**_CONTENT, **_SEGMENT}
        made = await scene.admin("POST", "/admin/broadcasts", body)
        number = made.body["id"]
        if "run" in verbs:
            # One to nobody would be completed at once.
            await scene.service.as_owner(
                "UPDATE broadcasts SET state = 'running', started_at = now() WHERE id = $1", number
            )
        for verb in verbs:
            if verb != "run":
                await scene.admin("POST", f"/admin/broadcasts/{number}/{verb}")
        return replace(its, broadcast=number)

    return make


def _to(verb: str, done: int, *before: str) -> Recipe:
    def call(its: Things) -> Call:
        return Call(f"{_BROADCASTS}/{its.broadcast}/{verb}", {})

    return Recipe(call, done, thing=True, fresh=_after(*before))


def _of(path: str) -> Recipe:
    return Recipe(
        lambda its: Call(f"{_BROADCASTS}/{its.broadcast}{path}"), thing=True, fresh=_after()
    )


OF_BROADCASTS: dict[str, Recipe] = {
    f"GET {_BROADCASTS}": Recipe(lambda _: Call(_BROADCASTS)),
    f"POST {_BROADCASTS}": post(_BROADCASTS, lambda _: {**_CONTENT, **_SEGMENT}, 201),
    f"POST {_BROADCASTS}/count": post(f"{_BROADCASTS}/count", lambda _: _SEGMENT),
    f"GET {_ROUTE}": _of(""),
    f"GET {_ROUTE}/recipients": _of("/recipients"),
    # A key has no chat and a person has: what was canceled is shown to neither.
    f"POST {_ROUTE}/preview": _to("preview", 409, "cancel"),
    f"POST {_ROUTE}/start": _to("start", 200),
    f"POST {_ROUTE}/pause": _to("pause", 200, "run"),
    f"POST {_ROUTE}/resume": _to("resume", 200, "run", "pause"),
    f"POST {_ROUTE}/cancel": _to("cancel", 200),
}
