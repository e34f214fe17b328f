"""Every setting, from the environment or ``.env``. ``.env.example`` lists them all."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Product = Literal["images", "drawings"]
"""The products that can be mounted."""

Names = Annotated[tuple[str, ...], NoDecode]
Numbers = Annotated[tuple[NonNegativeInt, ...], NoDecode, Field(min_length=1)]

YOOKASSA_NETWORKS: Final = (
    "185.71.76.0/27",
    "185.71.77.0/27",
    "77.75.153.0/25",
    "77.75.154.128/25",
    "77.75.156.11/32",
    "77.75.156.35/32",
    "2a02:5180::/32",
)
"""Where YooKassa's notifications come from (wire.md, 4.6)."""


def _split(value: object) -> object:
    """``a, b`` -> ``("a", "b")``; what is no string stays as it is."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class Settings(BaseSettings):
    """Values with their defaults; a laptop needs none of them set."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    # Where it runs
    environment: Literal["local", "production"] = "local"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    public_url: str | None = None
    hamyon_home: Path = Path("var")
    products: Annotated[tuple[Product, ...], NoDecode] = ("images", "drawings")
    timezone: str = "Asia/Tashkent"

    # Parts
    database_url: SecretStr | None = None
    migrations_database_url: SecretStr | None = None
    run_migrations: bool = True
    redis_url: SecretStr | None = None
    storage_url: str | None = None
    database_pool_size: PositiveInt = 16

    # Who may call
    api_key: SecretStr | None = None
    admin_api_key: SecretStr | None = None
    jwt_secret: SecretStr | None = None
    admin_telegram_ids: Annotated[tuple[int, ...], NoDecode] = ()
    cors_origins: Names = ()
    trusted_proxies: Names = ()
    rate_limit_rps: PositiveFloat = 50.0
    rate_limit_burst: PositiveInt = 100
    access_token_ttl_s: PositiveInt = 3600
    refresh_token_ttl_s: PositiveInt = 30 * 24 * 3600
    init_data_ttl_s: PositiveInt = 24 * 3600

    # What is said of what happens
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] = "console"
    sentry_dsn: SecretStr | None = None

    # Telegram
    bot_token: SecretStr | None = None
    telegram_bot_username: str | None = None
    telegram_api_base_url: str = "https://api.telegram.org"
    telegram_timeout_s: PositiveFloat = 10.0
    bot_mode: Literal["polling", "webhook"] = "polling"
    broadcast_rate_per_s: int = Field(30, ge=1, le=30)
    broadcast_paid_rate_per_s: int = Field(1000, ge=1, le=1000)

    # Providers
    wavespeed_api_key: SecretStr | None = None
    wavespeed_api_base_url: str = "https://api.wavespeed.ai"
    wavespeed_timeout_s: PositiveFloat = 30.0

    # Payments
    stars_enabled: bool = True
    stars_exchange_numerator: PositiveInt = 1000
    stars_exchange_denominator: PositiveInt = 70
    stars_presets: Numbers = (70, 140, 210, 350, 700, 1400)
    stars_min: PositiveInt = 70
    stars_max: PositiveInt = 10_000
    yookassa_shop_id: str | None = None
    yookassa_secret_key: SecretStr | None = None
    yookassa_api_base_url: str = "https://api.yookassa.ru"
    # The vendor works on a call for up to 30 s before it answers "unknown" (wire.md, 4.1).
    yookassa_timeout_s: PositiveFloat = 35.0
    yookassa_notification_networks: Names = YOOKASSA_NETWORKS
    yookassa_return_url: str | None = None
    yookassa_receipt_email: str | None = None
    yookassa_receipt_vat_code: int = Field(1, ge=1, le=12)
    yookassa_receipt_tax_system_code: int | None = Field(None, ge=1, le=6)
    reconcile_hours: PositiveInt = 26

    # Rewards
    referral_bonus_percent: int = Field(10, ge=0, le=100)
    referral_first_payment_only: bool = False
    referral_join_bonus_credits: int = Field(0, ge=0, le=10**9)
    referral_daily_cap: int = Field(0, ge=0)
    referral_hold_days: int = Field(0, ge=0, le=365)
    drawings_welcome_revivals: int = Field(1, ge=0)
    drawings_daily_revivals: Numbers = (1, 1, 1, 1, 1, 1, 2)
    drawings_discount_percent: int = Field(20, ge=0, le=99)

    # Money and work
    max_parallel_generations_per_user: PositiveInt = 2
    trial_generations_limit: int = Field(1, ge=0)
    order_review_s: int = Field(24 * 3600, ge=0, le=24 * 3600)
    margin_warning_percent: int = Field(20, ge=0, le=100)
    breaker_failures: PositiveInt = 8
    breaker_open_s: PositiveFloat = 30.0
    worker_lease_s: PositiveFloat = 60.0
    worker_heartbeat_s: PositiveFloat = 30.0
    report_hour: int = Field(9, ge=0, le=23)

    # Caches
    profile_cache_s: PositiveFloat = 300.0
    statistics_cache_s: PositiveFloat = 60.0
    catalog_cache_s: PositiveFloat = 600.0

    @field_validator(
        "products",
        "admin_telegram_ids",
        "cors_origins",
        "trusted_proxies",
        "stars_presets",
        "drawings_daily_revivals",
        "yookassa_notification_networks",
        mode="before",
    )
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return _split(value)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError) as error:
            raise ValueError(f"{value!r} is no time zone; try Asia/Tashkent") from error
        return value

    @field_validator("trusted_proxies", "yookassa_notification_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            ip_network(part)
        return value

    @field_validator(
        "public_url",
        "wavespeed_api_base_url",
        "telegram_api_base_url",
        "yookassa_api_base_url",
        "yookassa_return_url",
    )
    @classmethod
    def _no_trailing_slash(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/") if value else value

    @property
    def zone(self) -> ZoneInfo:
        """Where a calendar day begins."""
        return ZoneInfo(self.timezone)

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Whose ``X-Forwarded-For`` is believed."""
        return tuple(ip_network(part) for part in self.trusted_proxies)

    @property
    def base_url(self) -> str:
        """Where people and vendors reach us; ``PUBLIC_URL``, or this machine."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def order_review(self) -> timedelta:
        return timedelta(seconds=self.order_review_s)
