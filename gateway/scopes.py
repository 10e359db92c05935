"""What a token can be allowed to do."""

from collections.abc import Mapping
from typing import Final

SCOPES: Final[Mapping[str, str]] = {
    "domains:read": "Read custom domains and check hostnames.",
    "domains:write": "Register and remove custom domains.",
    "catalog:read": "Read price points and features.",
    "catalog:write": "Create and change price points and features.",
    "subscriptions:read": "Read subscriptions.",
    "subscriptions:write": "Pause, resume, cancel, defer, discount and move subscriptions.",
    "payments:read": "Read payments and transactions.",
    "payments:refund": "Give payments back.",
    "payments:charge": "Charge a saved card.",
    "customers:read": "Find customers and read what they own.",
    "checkout:write": "Open checkout sessions and pay them.",
    "tokens:write": "Make and manage tokens of the own tenant and mode, with scopes it holds itself.",
    "admin": "Operate the gateway: tenants, all tokens, the audit, the cache. It implies no other scope.",
}
"""Every scope a token can have, and what it allows."""

OWN_SCOPES: Final = frozenset({"tokens:write", "admin"})
"""Those that are about the gateway itself: what they allow calls no vendor."""
