"""The catalogue's statements, by what they are about."""

from hamyon.catalog.store.models import (
    end_price,
    entries,
    entry,
    insert_price,
    lock_model,
    models_for_sale,
    price_versions,
    update_model,
)
from hamyon.catalog.store.packages import (
    insert_package,
    lock_package,
    package,
    package_of_price,
    packages,
    update_package,
)
from hamyon.catalog.store.providers import (
    claim_probe,
    count_outage,
    lock_provider,
    pause,
    provider,
    providers,
    reset_outages,
    resume,
    set_balance,
)

__all__ = [
    "claim_probe",
    "count_outage",
    "end_price",
    "entries",
    "entry",
    "insert_package",
    "insert_price",
    "lock_model",
    "lock_package",
    "lock_provider",
    "models_for_sale",
    "package",
    "package_of_price",
    "packages",
    "pause",
    "price_versions",
    "provider",
    "providers",
    "reset_outages",
    "resume",
    "set_balance",
    "update_model",
    "update_package",
]
