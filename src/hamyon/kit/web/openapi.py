"""What ``/openapi.json`` says of permissions and refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, assert_never

from fastapi import FastAPI

from hamyon.kit.errors import (
    HamyonError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from hamyon.kit.web.permission import (
    Access,
    Open,
    OperatorOnly,
    Permission,
    ServiceOnly,
    ServiceOrUser,
    UserOnly,
    Vendor,
)

MEDIA_TYPE: Final = "application/problem+json"
SECURITY_SCHEMES: Final = {
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}
_BOUNDS: Final = frozenset(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
INT64_MAX: Final = 2**63 - 1
PROBLEM_SCHEMA: Final = {
    "type": "object",
    "title": "Problem",
    "description": "A refusal (RFC 9457). The facts of the case stand beside the named fields.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence, by Accept-Language."},
        "code": {"type": "string", "description": "Stable; programs decide by it."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
    "additionalProperties": True,
}


def permission_label(permission: Permission) -> str:
    """One word, or two: ``open``, ``service:orders``, ``operator:finance``; tests read it too."""
    match permission:
        case Open():
            return "open"
        case Vendor():
            return "vendor"
        case ServiceOnly(scope):
            return f"service:{scope}"
        case UserOnly():
            return "user"
        case ServiceOrUser(scope):
            return f"service:{scope}|user"
        case OperatorOnly(role):
            return f"operator:{role.name.lower()}"
        case _ as never:
            assert_never(never)


def _security(permission: Permission) -> list[dict[str, list[str]]]:
    match permission:
        case Open() | Vendor():
            return []
        case ServiceOnly():
            return [{"api-key": []}]
        case UserOnly():
            return [{"bearer": []}]
        case ServiceOrUser() | OperatorOnly():
            return [{"api-key": []}, {"bearer": []}]
        case _ as never:
            assert_never(never)


def documented(access: Access, options: Mapping[str, Any]) -> dict[str, Any]:
    """A route's options, with its security and every refusal it can answer."""
    errors: list[type[HamyonError]] = [TooManyRequests, Unavailable, HamyonError, InvalidInput]
    if not isinstance(access.permission, Open | Vendor):
        errors += [Unauthenticated, PermissionDenied]
    if isinstance(access.permission, ServiceOrUser):
        errors.append(NotFound)  # What a person hears who names somebody else.
    if {"POST", "PUT", "PATCH", "DELETE"} & set(options.get("methods") or ()):
        errors.append(TooLarge)
    responses = {**_responses([*errors, *access.raises]), **(options.get("responses") or {})}
    extra = {
        "security": _security(access.permission),
        "x-permission": permission_label(access.permission),
        **(options.get("openapi_extra") or {}),
    }
    return {**options, "responses": responses, "openapi_extra": extra}


def _responses(errors: Iterable[type[HamyonError]]) -> dict[int | str, dict[str, Any]]:
    by_status: dict[int | str, list[str]] = {}
    for error in errors:
        codes = by_status.setdefault(error.status, [])
        if error.code not in codes:
            codes.append(error.code)
    return {status: _response(int(status), codes) for status, codes in by_status.items()}


def _response(status: int, codes: list[str]) -> dict[str, Any]:
    examples = {
        code: {
            "value": {
                "type": f"urn:hamyon:problem:{code}",
                "title": code.replace("_", " ").capitalize(),
                "status": status,
                "detail": code.replace("_", " ").capitalize(),
                "code": code,
                "request_id": "0190f3c2a4b87c1e9d5f6a7b8c9d0e1f",
            }
        }
        for code in codes
    }
    return {
        "description": "Codes: " + ", ".join(f"`{code}`" for code in codes),
        "content": {
            MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
        },
    }


def install_openapi(app: FastAPI) -> None:
    """Add the security schemes and the problem's schema to what FastAPI makes."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        components = document.setdefault("components", {})
        components.setdefault("securitySchemes", {}).update(SECURITY_SCHEMES)
        components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
        _exact_bounds(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _exact_bounds(node: object) -> None:
    """FastAPI writes bounds as floats, and the float next to 2^63 - 1 is 2^63, which we refuse."""
    if isinstance(node, list):
        for item in node:
            _exact_bounds(item)
    elif isinstance(node, dict):
        for name, item in node.items():
            if name in _BOUNDS and isinstance(item, float) and item.is_integer():
                node[name] = min(int(item), INT64_MAX)
            else:
                _exact_bounds(item)
