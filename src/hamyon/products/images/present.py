"""Orders and models as images' callers see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from hamyon.catalog.types import ModelForSale
from hamyon.kit.storage import Storage
from hamyon.kit.texts import Language, text
from hamyon.orders.service.read import OrderView
from hamyon.orders.types import Order, OrderState

RESULT_TTL: Final = timedelta(hours=1)
"""How long a signed result URL works (contract/images.md)."""
EXPLAINED: Final = frozenset(
    {"provider_failed", "bad_output", "refused_by_safety", "deadline_passed"}
)


def generation(
    view: OrderView, storage: Storage, language: Language, eta: tuple[int, int]
) -> dict[str, object]:
    """The contract's generation. ``eta``: how long its model takes, least and most, in seconds."""
    order = view.order
    given = cast("Mapping[str, Any]", order.input)
    return {
        "id": order.id,
        "status": order.state,
        "model": order.model_key,
        "engine": order.engine,
        "prompt": given["prompt"],
        "options": given["options"],
        "references": [reference["upload_id"] for reference in given["references"]],
        "price": {"asset": order.asset, "amount": order.price},
        "charged": order.charged,
        "trial_used": order.trial,
        "error": _error(order, language),
        "results": [_without_expiry(result) for result in results(view, storage)],
        "created_at": order.created_at,
        "started_at": order.started_at,
        "finished_at": order.finished_at,
        "queue_position": view.queue_position,
        "eta_s": _eta_s(view, eta),
    }


def results(view: OrderView, storage: Storage) -> list[dict[str, object]]:
    """Signed URLs of everything that was delivered."""
    expires_at = (datetime.now(UTC) + RESULT_TTL).replace(microsecond=0)
    return [
        {
            "url": storage.sign(output.path, expires_at),
            "width": output.width,
            "height": output.height,
            "mime": output.mime,
            "bytes": output.bytes,
            "expires_at": expires_at,
        }
        for job in view.jobs
        for output in job.outputs
    ]


def _without_expiry(result: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in result.items() if name != "expires_at"}


def _error(order: Order, language: Language) -> dict[str, object] | None:
    """Why there is no picture, always with the word that the credits are back."""
    if order.state is not OrderState.FAILED:
        return None
    code = order.error_code or "provider_failed"
    key = code if code in EXPLAINED else "provider_failed"
    why = text(language, f"generation.{key}")
    returned = text(language, "generation.trial_back" if order.trial else "generation.credits_back")
    if order.trial and code == "refused_by_safety":
        returned = text(language, "generation.trial_spent")
    return {"code": code, "message": f"{why} {returned}", "retryable": order.error_retryable}


def _eta_s(view: OrderView, eta: tuple[int, int]) -> int | None:
    """A guess for people: the model's mean time, less what has passed, at least a second."""
    order = view.order
    if order.state not in {OrderState.QUEUED, OrderState.RUNNING}:
        return None
    mean_s = sum(eta) / 2
    passed_s = (datetime.now(UTC) - (order.started_at or datetime.now(UTC))).total_seconds()
    return max(1, round(mean_s - passed_s))


def model(sale: ModelForSale, engine: str) -> dict[str, object]:
    """A model of ``GET /models``. ``engine`` is the one that works for it here."""
    found, price = sale.model, sale.price
    return {
        "key": found.key,
        "name": found.name,
        "product": found.product,
        "engine": engine,
        "supports": {
            "text_to_image": True,
            "image_to_image": found.max_references > 0,
            "reference": found.max_references > 0,
        },
        "max_references": found.max_references,
        "options": {
            name: {"values": option.values, "default": option.default}
            for name, option in found.options.items()
        },
        "price": {
            "asset": price.asset,
            "amount": price.amount,
            "unit": price.unit,
            "by_option": [{"when": rule.when, "amount": rule.amount} for rule in price.by_option],
        },
        "quality_stars": found.quality_stars,
        "duration_s": {"min": found.duration_min_s, "max": found.duration_max_s},
        "active": found.active,
    }
