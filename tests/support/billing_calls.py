"""One call of each billing operation with what it needs, and one with all that it takes."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import pytest

from clients.billing import operations
from clients.billing.catalog import Terms
from clients.errors import Operation, UpstreamError
from tests.support.billing import Billing

Calls = Mapping[Operation, Callable[[Billing], Awaitable[object]]]

SUBS_ID: Final = "8b0f5d0e-2c8f-4f0e-8f55-1f6f3f4f9b21"
ORDER_ID: Final = "3f0c8a52-6f0b-4a53-9d2e-0b1b1c7f9a10"
ONEOFF_ID: Final = "0d7b4c1a-6a35-4b02-9c86-2f2a5e0d8e54"
A_TIME: Final = datetime(2026, 12, 24, 18, 30, tzinfo=UTC)

_WHY: Final = {"external_id": "user-ada", "reason": "Asked for it", "comment": "By e-mail"}
_METADATA: Final = {"campaign": "autumn"}
_TERMS: Final[Terms] = {
    "lifetime_price": Decimal("149.00"),
    "intro_free_trial_period": 7,
    "intro_free_trial_period_duration": "days",
    "intro_paid_trial_price": Decimal("1.00"),
    "intro_paid_trial_period": 1,
    "intro_paid_trial_period_duration": "weeks",
    "next_price": Decimal("9.99"),
    "next_period": 1,
    "next_period_duration": "months",
    "descriptor": "EXAMPLE PREMIUM",
}

BARE: Final[Calls] = {
    operations.PRICE_POINTS: lambda to: to.catalog.list_price_points(),
    operations.CREATE_PRICE_POINT: lambda to: to.catalog.create_price_point(
        "plain", intro_type="no_intro", currency_code="USD", features=["premium-access"]
    ),
    operations.UPDATE_PRICE_POINT: lambda to: to.catalog.update_price_point("plain"),
    operations.EXPORT_CSV: lambda to: to.catalog.export_csv(),
    operations.IMPORT_CSV: lambda to: to.catalog.import_csv(b"ident\r\nplain\r\n"),
    operations.FEATURES: lambda to: to.catalog.list_features(),
    operations.CREATE_FEATURE: lambda to: to.catalog.create_feature("plain", feature_type="timebased"),
    operations.SEARCH_SUBSCRIPTIONS: lambda to: to.subscriptions.search(),
    operations.ENABLE_AUTORENEW: lambda to: to.subscriptions.enable_autorenew(SUBS_ID),
    operations.DISABLE_AUTORENEW: lambda to: to.subscriptions.disable_autorenew(SUBS_ID),
    operations.PAUSE: lambda to: to.subscriptions.pause(SUBS_ID, pause_till=None),
    operations.RESUME: lambda to: to.subscriptions.resume(SUBS_ID),
    operations.DEFER: lambda to: to.subscriptions.defer(SUBS_ID, defer_till=A_TIME),
    operations.DISCOUNT: lambda to: to.subscriptions.discount(SUBS_ID, percent=20),
    operations.MIGRATE: lambda to: to.subscriptions.migrate(SUBS_ID, pp_ident="plain", strategy="price_prorate"),
    operations.REFUND: lambda to: to.payments.refund("user-ada", ORDER_ID),
    operations.PAYMENTS_HISTORY: lambda to: to.payments.payments_history("user-ada"),
    operations.TRANSACTION_REPORT: lambda to: to.payments.transaction_report(A_TIME),
    # The reference demands the address, though the vendor's newer SDK can do without.
    operations.CREATE_CLIENT_SESSION: lambda to: to.checkout.create_client_session(
        pp_ident="plain", external_id="user-ada", integration_type="primer", email_address="ada@example.com"
    ),
    operations.UPDATE_CLIENT_SESSION: lambda to: to.checkout.update_client_session(
        "ct_1", order_id=ORDER_ID, pp_ident="plain"
    ),
    operations.CREATE_PAYMENT: lambda to: to.checkout.create_payment(ORDER_ID, payment_method_token="pmt_ok"),
    operations.RESUME_PAYMENT: lambda to: to.checkout.resume_payment(ORDER_ID, resume_token="rt_ok"),
    operations.ONE_CLICK: lambda to: to.checkout.one_click("user-ada", pp_ident="plain"),
    operations.MY_ASSETS: lambda to: to.customers.my_assets("user-ada"),
    operations.SEARCH_USERS: lambda to: to.customers.search_users(None),
}
"""Each of the 25 with nothing but what it needs."""

FULL: Final[Calls] = {
    **BARE,
    operations.PRICE_POINTS: lambda to: to.catalog.list_price_points(
        ident="plain", currency_code="USD", feature_ident="premium-access"
    ),
    operations.CREATE_PRICE_POINT: lambda to: to.catalog.create_price_point(
        "plain", intro_type="no_intro", currency_code="USD", features=["premium-access"], **_TERMS
    ),
    operations.UPDATE_PRICE_POINT: lambda to: to.catalog.update_price_point(
        "plain", intro_type="no_intro", currency_code="USD", features=["premium-access"], **_TERMS
    ),
    operations.SEARCH_SUBSCRIPTIONS: lambda to: to.subscriptions.search(
        external_id="user-ada", intro_type="no_intro", subs_id=SUBS_ID, status_eq=["RECURRING", 3]
    ),
    operations.ENABLE_AUTORENEW: lambda to: to.subscriptions.enable_autorenew(SUBS_ID, **_WHY),
    operations.DISABLE_AUTORENEW: lambda to: to.subscriptions.disable_autorenew(SUBS_ID, **_WHY),
    operations.PAUSE: lambda to: to.subscriptions.pause(SUBS_ID, pause_till=A_TIME, **_WHY),
    operations.RESUME: lambda to: to.subscriptions.resume(SUBS_ID, **_WHY),
    operations.DEFER: lambda to: to.subscriptions.defer(SUBS_ID, defer_till=A_TIME, **_WHY),
    operations.DISCOUNT: lambda to: to.subscriptions.discount(SUBS_ID, percent=20, count_of_iterations=3, **_WHY),
    operations.MIGRATE: lambda to: to.subscriptions.migrate(
        SUBS_ID, pp_ident="plain", strategy="delayed_start", strict_mode=False, dry_run=False, **_WHY
    ),
    operations.REFUND: lambda to: to.payments.refund(
        order_id=ORDER_ID, amount=Decimal("4.99"), soft_refund=True, **_WHY
    ),
    operations.TRANSACTION_REPORT: lambda to: to.payments.transaction_report(
        A_TIME, subs_id=SUBS_ID, order_id=ORDER_ID, oneoff_id=ONEOFF_ID, limit=500
    ),
    operations.CREATE_CLIENT_SESSION: lambda to: to.checkout.create_client_session(
        pp_ident="plain",
        external_id="user-ada",
        integration_type="stripe",
        region="us-east-1",
        email_address="ada@example.com",
        country_code="DE",
        client_metadata=_METADATA,
    ),
    operations.UPDATE_CLIENT_SESSION: lambda to: to.checkout.update_client_session(
        "ct_1", order_id=ORDER_ID, pp_ident="plain", client_metadata=_METADATA
    ),
    operations.CREATE_PAYMENT: lambda to: to.checkout.create_payment(
        ORDER_ID,
        payment_method_token="pmt_ok",
        client_metadata=_METADATA,
        email_address="ada@example.com",
        country_code="DE",
        postal_code="10115",
        subdivision="BE",
        tax_calculation_id="tax_1",
    ),
    operations.ONE_CLICK: lambda to: to.checkout.one_click("user-ada", pp_ident="plain", client_metadata=_METADATA),
    operations.SEARCH_USERS: lambda to: to.customers.search_users("ada@example.com"),
}
"""Each of the 25 with every argument it takes, free vendor fields aside."""


async def failure(client: Billing, operation: Operation) -> UpstreamError:
    """How the barest call of an operation fails, which it must."""
    with pytest.raises(UpstreamError) as raised:
        await BARE[operation](client)
    return raised.value
