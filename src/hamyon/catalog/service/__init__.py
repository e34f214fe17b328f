"""The catalogue's use cases: ``sale``, ``operators``, ``providers``, ``margins``."""

from hamyon.catalog.service.margins import margin_percent, thin_margins, warn_of_thin_margins
from hamyon.catalog.service.operators import (
    entries,
    get_entry,
    patch_model,
    price_versions,
    set_price,
)
from hamyon.catalog.service.providers import (
    PROVIDERS,
    claim_call,
    note_balance,
    note_outage,
    note_success,
    pause,
    provider_status,
    read_provider,
    read_providers,
    resume,
)
from hamyon.catalog.service.sale import (
    choose_options,
    forget_models,
    get_model,
    models,
    models_namespace,
    quote,
)

__all__ = [
    "PROVIDERS",
    "choose_options",
    "claim_call",
    "entries",
    "forget_models",
    "get_entry",
    "get_model",
    "margin_percent",
    "models",
    "models_namespace",
    "note_balance",
    "note_outage",
    "note_success",
    "patch_model",
    "pause",
    "price_versions",
    "provider_status",
    "quote",
    "read_provider",
    "read_providers",
    "resume",
    "set_price",
    "thin_margins",
    "warn_of_thin_margins",
]
