"""The billing clients, aimed at a vendor of the test's choice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from opentelemetry.sdk.trace import TracerProvider

from clients.billing import judge, wire
from clients.billing.catalog import CatalogClient
from clients.billing.checkout import CheckoutClient
from clients.billing.customers import CustomersClient
from clients.billing.payments import PaymentsClient
from clients.billing.secret_key import SecretKeyed
from clients.billing.subscriptions import SubscriptionsClient
from clients.secret import Secret
from clients.transport import Upstream, layered
from tests.support.plain import PLAIN
from tests.support.timing import timeouts

# A call that takes longer than this on loopback hangs.
_SECONDS: Final = 10.0


class Billing(msgspec.Struct, frozen=True, kw_only=True):
    """All clients of one organization."""

    catalog: CatalogClient
    subscriptions: SubscriptionsClient
    payments: PaymentsClient
    checkout: CheckoutClient
    customers: CustomersClient


@asynccontextmanager
async def billing(url: str, *, org_id: str, secret_key: str | None) -> AsyncIterator[Billing]:
    """Clients of one organization at the vendor that answers at `url`."""
    transport = layered(judge, timeouts=timeouts(_SECONDS), tracer_provider=TracerProvider(), tls=PLAIN)
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


async def owned(client: Billing, external_id: str) -> wire.Subscription:
    """The subscription of a customer who has exactly one."""
    (subscription,) = (await client.customers.my_assets(external_id)).subscriptions
    return subscription
