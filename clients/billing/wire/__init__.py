"""What FunnelFox Billing sends, as it sends it.

Money is a decimal string in major units on the wire, though the vendor's
reference types it as a number: both decode to an exact `Decimal`. Closed sets
of the vendor's are plain strings here, because it may add to them. An item
needs nothing but what names it; every other member may be missing or null, and
a list that is the whole answer may be null, but must be there.

Source: FunnelFox seed, "Response format", and the vendor's reference.
"""

from clients.billing.wire.catalog import (
    CsvFile,
    Currency,
    Feature,
    FeatureReference,
    Features,
    PricePoint,
    PricePoints,
)
from clients.billing.wire.payments import (
    ClientSession,
    Migration,
    Payment,
    PaymentResult,
    Payments,
    SessionNames,
)
from clients.billing.wire.purchases import (
    Assets,
    AssetsAnswer,
    FoundSubscriptions,
    FoundUsers,
    Oneoff,
    Subscription,
    User,
)
from clients.billing.wire.transactions import Transaction, Transactions

__all__ = [
    "Assets",
    "AssetsAnswer",
    "ClientSession",
    "CsvFile",
    "Currency",
    "Feature",
    "FeatureReference",
    "Features",
    "FoundSubscriptions",
    "FoundUsers",
    "Migration",
    "Oneoff",
    "Payment",
    "PaymentResult",
    "Payments",
    "PricePoint",
    "PricePoints",
    "SessionNames",
    "Subscription",
    "Transaction",
    "Transactions",
    "User",
]
