"""The 25 operations, how careful we must be with each, and which need the secret key.

Source: FunnelFox seed, "Available endpoints"; which need the key: the vendor's
documentation, "Authentication", and `security: []` in its reference.
"""

from typing import Final

from clients.errors import Kind, Operation

NAME: Final = "funnelfox"


def _post(path: str, kind: Kind) -> Operation:
    return Operation(NAME, f"POST {path}", kind)


PRICE_POINTS: Final = _post("/price_points", "read")
CREATE_PRICE_POINT: Final = _post("/pp/create", "write")
UPDATE_PRICE_POINT: Final = _post("/pp/update", "write")
EXPORT_CSV: Final = _post("/pp/export_csv", "read")
IMPORT_CSV: Final = _post("/pp/import_csv", "write")
FEATURES: Final = _post("/features", "read")
CREATE_FEATURE: Final = _post("/feature/create", "write")

SEARCH_SUBSCRIPTIONS: Final = _post("/subscription/search", "read")
ENABLE_AUTORENEW: Final = _post("/subscription/enable_autorenew", "write")
DISABLE_AUTORENEW: Final = _post("/subscription/disable_autorenew", "write")
PAUSE: Final = _post("/subscription/pause", "write")
RESUME: Final = _post("/subscription/resume", "write")
DEFER: Final = _post("/subscription/defer", "write")
DISCOUNT: Final = _post("/discount", "write")
MIGRATE: Final = _post("/subscription/migration", "money")
PREVIEW_MIGRATION: Final = _post("/subscription/migration", "probe")
"""The same operation with `dry_run`: nothing is charged, so it may be repeated."""

REFUND: Final = _post("/payment/refund", "money")
PAYMENTS_HISTORY: Final = _post("/payments_history", "read")
TRANSACTION_REPORT: Final = _post("/transaction_report", "read")

CREATE_CLIENT_SESSION: Final = Operation(NAME, "POST /checkout/create_client_session", "write", orphan_harmless=True)
UPDATE_CLIENT_SESSION: Final = _post("/checkout/update_client_session", "write")
CREATE_PAYMENT: Final = _post("/checkout/create_payment", "money")
RESUME_PAYMENT: Final = _post("/checkout/resume_payment", "money")
ONE_CLICK: Final = _post("/checkout/one_click", "money")

MY_ASSETS: Final = _post("/my_assets", "read")
SEARCH_USERS: Final = _post("/search_users", "read")

WITH_SECRET_KEY: Final = (
    REFUND,
    ENABLE_AUTORENEW,
    DISABLE_AUTORENEW,
    MIGRATE,
    DISCOUNT,
    DEFER,
    PAUSE,
    RESUME,
    SEARCH_SUBSCRIPTIONS,
    EXPORT_CSV,
    IMPORT_CSV,
    UPDATE_PRICE_POINT,
    CREATE_PRICE_POINT,
    CREATE_FEATURE,
    PAYMENTS_HISTORY,
    TRANSACTION_REPORT,
    SEARCH_USERS,
)
"""The 17 that the vendor answers to the holder of the secret key only."""

PUBLIC: Final = (
    CREATE_CLIENT_SESSION,
    UPDATE_CLIENT_SESSION,
    CREATE_PAYMENT,
    ONE_CLICK,
    RESUME_PAYMENT,
    MY_ASSETS,
    PRICE_POINTS,
    FEATURES,
)
"""The 8 that anyone may call who knows the organization's id."""

OPERATIONS: Final = WITH_SECRET_KEY + PUBLIC
"""All of them, each once: a migration's dry run is no operation of its own."""

_NAMES_WITH_SECRET_KEY: Final = frozenset(operation.name for operation in WITH_SECRET_KEY)


def needs_secret_key(operation: Operation) -> bool:
    """Whether the vendor answers it to the holder of the secret key only."""
    return operation.name in _NAMES_WITH_SECRET_KEY
