"""Payments, against the sandbox: given back, and reported."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from clients.billing import wire
from clients.errors import NotFound, Refused
from tests.support.billing import Billing, owned
from tests.support.billing_calls import ORDER_ID

pytestmark = pytest.mark.anyio

USD = wire.Currency(code="USD", minor_units=2, title="US Dollar", symbol="$")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


async def test_a_refund_shows_in_the_history(shop: Billing) -> None:
    """A part is given back, softly and exactly, then the rest; more than was paid is refused."""
    paid = (await shop.payments.payments_history("user-grace"))[0]
    assert paid.amount is not None

    await shop.payments.refund("user-grace", paid.order_id, amount=Decimal("0.10"), soft_refund=True)
    part = (await shop.payments.payments_history("user-grace"))[0]
    await shop.payments.refund("user-grace", paid.order_id, reason="Unhappy", comment="By phone")
    whole = (await shop.payments.payments_history("user-grace"))[0]
    with pytest.raises(Refused):
        await shop.payments.refund("user-grace", paid.order_id)

    assert (paid.refunded, part.refunded, whole.refunded) == (Decimal("0.00"), Decimal("0.10"), paid.amount)
    assert paid.currency == USD


async def test_a_refund_of_another_customers_order_is_not_found(shop: Billing) -> None:
    """An order is refunded to the customer who paid it, or not at all."""
    paid = (await shop.payments.payments_history("user-grace"))[0]

    with pytest.raises(NotFound):
        await shop.payments.refund("user-ada", paid.order_id)
    with pytest.raises(NotFound):
        await shop.payments.refund("user-grace", ORDER_ID)

    assert (await shop.payments.payments_history("user-grace"))[0].refunded == Decimal("0.00")


async def test_the_report_goes_page_by_page(shop: Billing) -> None:
    """Starting each page where the last one ended, all transactions come, each once."""
    every = await shop.payments.transaction_report(LONG_AGO, limit=500)

    seen: list[wire.Transaction] = []
    since = LONG_AGO
    while page := await shop.payments.transaction_report(since, limit=5):
        seen += page
        assert page[-1].trx_created_at is not None
        since = datetime.fromisoformat(page[-1].trx_created_at)

    assert len(every) > 5
    assert seen == every


async def test_the_report_is_narrowed(shop: Billing) -> None:
    """To an order, a subscription or a one-off; a declined attempt is in it, and in no history."""
    ada = await owned(shop, "user-ada")
    (lifetime, *_) = (await shop.customers.my_assets("user-grace")).oneoffs
    (declined,) = [
        row
        for row in await shop.payments.transaction_report(LONG_AGO, limit=500)
        if row.status == "declined" and row.amount == Decimal("79.99")
    ]

    by_subscription = await shop.payments.transaction_report(LONG_AGO, subs_id=ada.subs_id)
    by_oneoff = await shop.payments.transaction_report(LONG_AGO, oneoff_id=lifetime.oneoff_id)
    by_order = await shop.payments.transaction_report(LONG_AGO, order_id=declined.order_id)

    assert {row.meta_subs_id for row in by_subscription} == {ada.subs_id}
    assert [(row.meta_oneoff_id, row.order_id) for row in by_oneoff] == [(lifetime.oneoff_id, lifetime.order_id)]
    assert by_order == [declined]
    assert await shop.payments.payments_history("user-eve") == []
