"""Walks a checkout with the generated client, as a partner's program would.

Every request and every answer is typed by the API document.
"""

import json
import os
import sys
from typing import TypeVar
from uuid import UUID, uuid4

from gateway_client import AuthenticatedClient
from gateway_client.api.checkout import create_checkout_session, create_payment, pay_with_one_click
from gateway_client.api.domains import create_domain, delete_domain, get_domain
from gateway_client.api.subscriptions import list_subscriptions, pause_subscription
from gateway_client.models import (
    DomainDetails,
    IntegrationType,
    NewDomain,
    NewPayment,
    NewSession,
    OneClick,
    Pause,
    ProblemBody,
)

T = TypeVar("T")


class Refused(Exception):
    """The answer is a problem, or one that the document does not know."""


def answered(reply: T | ProblemBody | None) -> T:
    """The data of an answer.

    Raises:
        Refused: It has none.
    """
    match reply:
        case None:
            raise Refused("this answer is not in the document")
        case ProblemBody():
            raise Refused(f"{reply.code}: {reply.detail}")
        case _:
            return reply


def walk(gateway: AuthenticatedClient) -> dict[str, object]:
    """Buy a subscription and pause it; make a domain, look at it and remove it."""
    customer = f"typed-{uuid4()}"
    wanted = NewSession(
        price_point="yearly-premium",
        external_id=customer,
        email_address="typed@example.com",
        integration_type=IntegrationType.FAKEINTEGRATION,
    )
    session = answered(create_checkout_session.sync(client=gateway, body=wanted))
    payment = answered(
        create_payment.sync(
            client=gateway,
            idempotency_key=str(uuid4()),
            body=NewPayment(order_id=UUID(session.order_id), payment_method_token=f"pmt_ok-{customer}"),
        )
    )
    owned = answered(list_subscriptions.sync(client=gateway, external_id=customer)).data[0]
    pause = Pause(pause_till=None, reason="holiday")
    paused = answered(pause_subscription.sync(owned.id, client=gateway, body=pause))
    refused = pay_with_one_click.sync(
        client=gateway,
        idempotency_key=str(uuid4()),
        body=OneClick(external_id=customer, price_point="no-such-price-point"),
    )
    name = f"{customer}.example.com"
    made: DomainDetails = answered(create_domain.sync(client=gateway, body=NewDomain(hostname=name)))
    shown = answered(get_domain.sync(name, client=gateway))
    gone = delete_domain.sync_detailed(name, client=gateway)
    return {
        "paid": payment.state.value,
        "status": paused.status,
        "declined": [refused.status, refused.code] if isinstance(refused, ProblemBody) else None,
        "same": shown.dns_records == made.dns_records and shown.to_dict()["hostname"] == name,
        "gone": gone.status_code.value,
    }


if __name__ == "__main__":
    with AuthenticatedClient(
        base_url=os.environ["GATEWAY_URL"], token=os.environ["GATEWAY_TOKEN"], raise_on_unexpected_status=True
    ) as gateway:
        json.dump(walk(gateway), sys.stdout)
