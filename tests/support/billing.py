"""The billing clients on a vendor of the test's choice, and one call of each operation."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec
from opentelemetry.sdk.trace import TracerProvider

from clients.billing import NAME, judge, operations
from clients.billing.catalog import CatalogClient
from clients.billing.checkout import CheckoutClient
from clients.billing.customers import CustomersClient
from clients.billing.payments import PaymentsClient
from clients.billing.secret_key import SecretKeyed
from clients.billing.subscriptions import SubscriptionsClient
from clients.errors import Operation
from clients.secret import Secret
from clients.timeouts import Timeouts
from clients.transport import Upstream, layered

SUBS_ID: Final = "8b0f5d0e-2c8f-4f0e-8f55-1f6f3f4f9b21"
ORDER_ID: Final = "3f0c8a52-6f0b-4a53-9d2e-0b1b1c7f9a10"
ONEOFF_ID: Final = "0d7b4c1a-6a35-4b02-9c86-2f2a5e0d8e54"
A_TIME: Final = datetime(2026, 12, 24, 18, 30, tzinfo=UTC)

# A call that takes longer than this on loopback hangs.
_SECONDS: Final = 10.0


class Billing(msgspec.Struct, frozen=True, kw_only=True):
    """All clients of one organization."""

    catalog: CatalogClient
    subscriptions: SubscriptionsClient
    payments: PaymentsClient
    checkout: CheckoutClient
    customers: CustomersClient


Call = Callable[[Billing], Awaitable[object]]


@asynccontextmanager
async def billing(url: str, *, org_id: str, secret_key: str | None) -> AsyncIterator[Billing]:
    """Clients of one organization at the vendor that answers at `url`."""
    timeouts = Timeouts(answer=dict.fromkeys(("read", "probe", "write", "money"), _SECONDS))
    transport = layered(judge, upstream=NAME, timeouts=timeouts, tracer_provider=TracerProvider())
    key = Secret(secret_key) if secret_key is not None else None
    upstream = Upstream(f"{url}/{org_id}/v1", SecretKeyed(transport, key))
    try:
        yield Billing(
            catalog=CatalogClient(upstream),
            subscriptions=SubscriptionsClient(upstream),
            payments=PaymentsClient(upstream),
            checkout=CheckoutClient(upstream),
            customers=CustomersClient(upstream),
        )
    finally:
        await upstream.aclose()


def _bare(client: Billing) -> Mapping[Operation, Callable[[], Awaitable[object]]]:
    subscriptions, checkout = client.subscriptions, client.checkout
    return {
        operations.PRICE_POINTS: client.catalog.list_price_points,
        operations.CREATE_PRICE_POINT: lambda: client.catalog.create_price_point(
            "plain", intro_type="no_intro", currency_code="USD", features=["premium-access"]
        ),
        operations.UPDATE_PRICE_POINT: lambda: client.catalog.update_price_point("plain"),
        operations.EXPORT_CSV: client.catalog.export_csv,
        operations.IMPORT_CSV: lambda: client.catalog.import_csv(b"ident\r\nplain\r\n"),
        operations.FEATURES: client.catalog.list_features,
        operations.CREATE_FEATURE: lambda: client.catalog.create_feature("plain", feature_type="timebased"),
        operations.SEARCH_SUBSCRIPTIONS: subscriptions.search,
        operations.ENABLE_AUTORENEW: lambda: subscriptions.enable_autorenew(SUBS_ID),
        operations.DISABLE_AUTORENEW: lambda: subscriptions.disable_autorenew(SUBS_ID),
        operations.PAUSE: lambda: subscriptions.pause(SUBS_ID, pause_till=None),
        operations.RESUME: lambda: subscriptions.resume(SUBS_ID),
        operations.DEFER: lambda: subscriptions.defer(SUBS_ID, defer_till=A_TIME),
        operations.DISCOUNT: lambda: subscriptions.discount(SUBS_ID, percent=20),
        operations.MIGRATE: lambda: subscriptions.migrate(SUBS_ID, pp_ident="plain", strategy="price_prorate"),
        operations.REFUND: lambda: client.payments.refund("user-ada", ORDER_ID),
        operations.PAYMENTS_HISTORY: lambda: client.payments.payments_history("user-ada"),
        operations.TRANSACTION_REPORT: lambda: client.payments.transaction_report(A_TIME),
        operations.CREATE_CLIENT_SESSION: lambda: checkout.create_client_session(
            # Without an address the vendor's newer SDKs are served, but not its reference obeyed.
            pp_ident="plain",
            external_id="user-ada",
            integration_type="primer",
            email_address="ada@example.com",
        ),
        operations.UPDATE_CLIENT_SESSION: lambda: checkout.update_client_session(
            "ct_1", order_id=ORDER_ID, pp_ident="plain"
        ),
        operations.CREATE_PAYMENT: lambda: checkout.create_payment(ORDER_ID, payment_method_token="pmt_ok"),
        operations.RESUME_PAYMENT: lambda: checkout.resume_payment(ORDER_ID, resume_token="rt_ok"),
        operations.ONE_CLICK: lambda: checkout.one_click("user-ada", pp_ident="plain"),
        operations.MY_ASSETS: lambda: client.customers.my_assets("user-ada"),
        operations.SEARCH_USERS: lambda: client.customers.search_users(None),
    }


def _full(client: Billing) -> Mapping[Operation, Callable[[], Awaitable[object]]]:
    subscriptions, checkout = client.subscriptions, client.checkout
    why = {"external_id": "user-ada", "reason": "Asked for it", "comment": "By e-mail"}
    return {
        **_bare(client),
        operations.PRICE_POINTS: lambda: client.catalog.list_price_points(
            ident="plain", currency_code="USD", feature_ident="premium-access"
        ),
        operations.CREATE_PRICE_POINT: lambda: client.catalog.create_price_point("plain", **_everything()),
        operations.UPDATE_PRICE_POINT: lambda: client.catalog.update_price_point("plain", **_everything()),
        operations.SEARCH_SUBSCRIPTIONS: lambda: subscriptions.search(
            external_id="user-ada", intro_type="no_intro", subs_id=SUBS_ID, status_eq=["RECURRING", 3]
        ),
        operations.ENABLE_AUTORENEW: lambda: subscriptions.enable_autorenew(SUBS_ID, **why),
        operations.DISABLE_AUTORENEW: lambda: subscriptions.disable_autorenew(SUBS_ID, **why),
        operations.PAUSE: lambda: subscriptions.pause(SUBS_ID, pause_till=A_TIME, **why),
        operations.RESUME: lambda: subscriptions.resume(SUBS_ID, **why),
        operations.DEFER: lambda: subscriptions.defer(SUBS_ID, defer_till=A_TIME, **why),
        operations.DISCOUNT: lambda: subscriptions.discount(SUBS_ID, percent=20, count_of_iterations=3, **why),
        operations.MIGRATE: lambda: subscriptions.migrate(
            SUBS_ID, pp_ident="plain", strategy="delayed_start", strict_mode=False, **why
        ),
        operations.REFUND: lambda: client.payments.refund(
            order_id=ORDER_ID, amount=Decimal("4.99"), soft_refund=True, **why
        ),
        operations.TRANSACTION_REPORT: lambda: client.payments.transaction_report(
            A_TIME, subs_id=SUBS_ID, order_id=ORDER_ID, oneoff_id=ONEOFF_ID, limit=500
        ),
        operations.CREATE_CLIENT_SESSION: lambda: checkout.create_client_session(
            pp_ident="plain",
            external_id="user-ada",
            integration_type="stripe",
            region="us-east-1",
            email_address="ada@example.com",
            country_code="DE",
            client_metadata={"campaign": "autumn"},
        ),
        operations.UPDATE_CLIENT_SESSION: lambda: checkout.update_client_session(
            "ct_1", order_id=ORDER_ID, pp_ident="plain", client_metadata={"campaign": "autumn"}
        ),
        operations.CREATE_PAYMENT: lambda: checkout.create_payment(
            ORDER_ID,
            payment_method_token="pmt_ok",
            client_metadata={"campaign": "autumn"},
            email_address="ada@example.com",
            country_code="DE",
            postal_code="10115",
            subdivision="BE",
            tax_calculation_id="tax_1",
        ),
        operations.ONE_CLICK: lambda: checkout.one_click(
            "user-ada", pp_ident="plain", client_metadata={"placement": "upsell"}
        ),
        operations.SEARCH_USERS: lambda: client.customers.search_users("ada@example.com"),
    }
