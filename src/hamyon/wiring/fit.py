"""What stops a start: settings that do not fit together, and secrets that are missing or weak."""

from __future__ import annotations

from hamyon.kit.settings import Settings
from hamyon.products.images.types import PRODUCT as IMAGES


class UnfitSettings(Exception):
    """The settings do not fit together; the sentence says which and what to do."""


def check(settings: Settings) -> None:
    """Raises UnfitSettings with one sentence for everything that stops a start."""
    problems = []
    if settings.worker_lease_s < settings.wavespeed_timeout_s + 10:
        problems.append(
            "WORKER_LEASE_S must be at least 10 s longer than WAVESPEED_TIMEOUT_S: a worker whose "
            "lease ends while it waits for the provider would be taken for dead"
        )
    least, most = settings.stars_min, settings.stars_max
    if not all(least <= stars <= most for stars in settings.stars_presets):
        problems.append("STARS_PRESETS must lie between STARS_MIN and STARS_MAX")
    if settings.environment == "production":
        problems += _missing_in_production(settings)
    if problems:
        raise UnfitSettings("; ".join(problems))


def _missing_in_production(settings: Settings) -> list[str]:
    needed = {
        "DATABASE_URL": settings.database_url,
        "JWT_SECRET": settings.jwt_secret,
        "PUBLIC_URL": settings.public_url,
        "WAVESPEED_API_KEY": settings.wavespeed_api_key if IMAGES in settings.products else "-",
    }
    missing = [f"{name} is missing" for name, value in needed.items() if value is None]
    secrets = {
        "JWT_SECRET": settings.jwt_secret,
        "API_KEY": settings.api_key,
        "ADMIN_API_KEY": settings.admin_api_key,
        "BOT_TOKEN": settings.bot_token,
        "WAVESPEED_API_KEY": settings.wavespeed_api_key,
        "YOOKASSA_SECRET_KEY": settings.yookassa_secret_key,
    }
    weak = [
        f"{name} is a placeholder"
        for name, secret in secrets.items()
        if secret is not None and _is_placeholder(secret.get_secret_value())
    ]
    return missing + weak


def _is_placeholder(secret: str) -> bool:
    words = ("change", "example", "placeholder", "secret", "your", "xxx", "test", "demo", "<")
    return len(secret) < 16 or any(word in secret.lower() for word in words)
