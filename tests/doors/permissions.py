"""Who may call each route, as the contract says it; what the routes declare must be this."""

from __future__ import annotations

PERMISSIONS: dict[str, frozenset[str]] = {
    "open": frozenset(
        {
            "GET /",
            "POST /api/auth/telegram",
            "GET /api/v1/admin/health",
            "POST /api/v1/auth/refresh",
            "POST /api/v1/auth/telegram/miniapp",
            "GET /api/v1/health",
            "GET /api/v1/info",
            "GET /api/v1/models",
            "GET /api/v1/sizes",
            "GET /docs",
            "GET /docs/assets/{name}",
            "GET /files/{path}",
            "GET /health",
            "GET /openapi.json",
            "GET /redoc",
        }
    ),
    "operator:admin": frozenset(
        {
            "GET /api/v1/admin/audit_log",
            "GET /api/v1/admin/broadcasts",
            "POST /api/v1/admin/broadcasts",
            "POST /api/v1/admin/broadcasts/count",
            "GET /api/v1/admin/broadcasts/{number}",
            "POST /api/v1/admin/broadcasts/{number}/cancel",
            "POST /api/v1/admin/broadcasts/{number}/pause",
            "POST /api/v1/admin/broadcasts/{number}/preview",
            "GET /api/v1/admin/broadcasts/{number}/recipients",
            "POST /api/v1/admin/broadcasts/{number}/resume",
            "POST /api/v1/admin/broadcasts/{number}/start",
            "GET /api/v1/admin/models",
            "GET /api/v1/admin/models/{key}",
            "PATCH /api/v1/admin/models/{key}",
            "GET /api/v1/admin/news",
            "POST /api/v1/admin/news",
            "DELETE /api/v1/admin/news/{news_id}",
            "PATCH /api/v1/admin/news/{news_id}",
            "GET /api/v1/admin/promo_codes",
            "POST /api/v1/admin/promo_codes",
            "PATCH /api/v1/admin/promo_codes/{code}",
            "GET /api/v1/admin/promo_codes/{code}/uses",
            "GET /api/v1/admin/providers",
            "POST /api/v1/admin/providers/{name}/pause",
            "POST /api/v1/admin/providers/{name}/resume",
            "GET /api/v1/admin/queue",
        }
    ),
    "operator:finance": frozenset(
        {
            "POST /api/v1/admin/credits",
            "POST /api/v1/admin/orders/{order_id}/refund",
            "POST /api/v1/admin/orders/{order_id}/resolve",
            "GET /api/v1/admin/payments/mismatches",
            "POST /api/v1/admin/payments/mismatches/{mismatch_id}/resolve",
            "POST /api/v1/admin/payments/reconcile",
            "GET /api/v1/admin/payments/reconcile/{run_id}",
            "POST /api/v1/admin/payments/{payment_id}/recheck",
            "POST /api/v1/admin/payments/{payment_id}/refund",
        }
    ),
    "operator:owner": frozenset(
        {
            "PUT /api/v1/admin/models/{key}/price",
            "GET /api/v1/admin/packages",
            "POST /api/v1/admin/packages",
            "PATCH /api/v1/admin/packages/{key}",
            "GET /api/v1/admin/roles",
            "POST /api/v1/admin/roles",
            "DELETE /api/v1/admin/roles/{telegram_id}",
            "GET /api/v1/admin/service_keys",
            "POST /api/v1/admin/service_keys",
            "DELETE /api/v1/admin/service_keys/{key_id}",
            "POST /api/v1/admin/service_keys/{key_id}/rotate",
        }
    ),
    "operator:support": frozenset(
        {
            "GET /api/v1/admin/orders",
            "GET /api/v1/admin/payments",
            "GET /api/v1/admin/payments/{payment_id}",
            "GET /api/v1/admin/referrals",
            "GET /api/v1/admin/stats",
            "GET /api/v1/admin/support/threads",
            "GET /api/v1/admin/support/threads/{thread_id}",
            "POST /api/v1/admin/support/threads/{thread_id}/close",
            "POST /api/v1/admin/support/threads/{thread_id}/reply",
            "GET /api/v1/admin/users",
            "GET /api/v1/admin/users/{telegram_id}",
            "POST /api/v1/admin/users/{telegram_id}/block",
            "POST /api/v1/admin/users/{telegram_id}/unblock",
        }
    ),
    "service:media|user": frozenset(
        {
            "POST /api/v1/media/upload",
        }
    ),
    "service:metrics": frozenset(
        {
            "GET /metrics",
        }
    ),
    "service:orders|user": frozenset(
        {
            "GET /api/v1/generations",
            "GET /api/v1/generations/active",
            "POST /api/v1/generations/price",
            "POST /api/v1/generations/submit",
            "GET /api/v1/generations/{generation_id}",
            "POST /api/v1/generations/{generation_id}/cancel",
            "GET /api/v1/generations/{generation_id}/events",
            "POST /api/v1/generations/{generation_id}/refresh",
            "GET /api/v1/generations/{generation_id}/results",
            "POST /api/v1/generations/{generation_id}/retry",
        }
    ),
    "service:payments": frozenset(
        {
            "POST /api/v1/payments/stars/confirm",
            "GET /pricing",
            "POST /users/{chat_id}/create_payment",
        }
    ),
    "service:payments|user": frozenset(
        {
            "POST /api/v1/payments/checkout",
            "GET /api/v1/payments/packages",
            "POST /api/v1/payments/stars/invoice",
            "GET /api/v1/payments/stars/options",
            "GET /api/v1/payments/{payment_id}",
        }
    ),
    "service:rewards": frozenset(
        {
            "POST /users/{chat_id}/daily_bonus",
        }
    ),
    "service:rewards|user": frozenset(
        {
            "POST /api/v1/promo_codes/redeem",
            "GET /api/v1/referrals/{telegram_id}",
            "GET /api/v1/users/{telegram_id}/trial",
        }
    ),
    "service:users": frozenset(
        {
            "POST /users",
            "GET /users/{chat_id}",
        }
    ),
    "service:users|user": frozenset(
        {
            "POST /api/v1/users/sync",
            "GET /api/v1/users/{telegram_id}/balance",
            "GET /api/v1/users/{telegram_id}/ledger",
        }
    ),
    "user": frozenset(
        {
            "POST /api/v1/auth/logout",
            "POST /api/v1/auth/logout_all",
        }
    ),
    "vendor": frozenset(
        {
            "POST /api/v1/telegram/webhook",
            "POST /api/v1/webhooks/{engine}/{job_id}",
            "POST /payments/{gateway}/notification",
        }
    ),
}
