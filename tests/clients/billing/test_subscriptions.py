"""Subscriptions, against the sandbox: found, and changed in each of the seven ways."""

from datetime import UTC, datetime, timedelta

import pytest

from clients.errors import NotFound, Refused
from clients.sandbox.account import Account
from tests.support.billing import Billing, owned
from tests.support.billing_calls import SUBS_ID

pytestmark = pytest.mark.anyio


async def test_subscriptions_are_found(shop: Billing) -> None:
    """By customer, by id, by status and by intro; further fields of the vendor's reach it."""
    ada = await owned(shop, "user-ada")

    by_customer = await shop.subscriptions.search(external_id="user-ada")
    by_id = await shop.subscriptions.search(subs_id=ada.subs_id, intro_type="free_trial")
    paused = await shop.subscriptions.search(status_eq=["PAUSED"])
    first = await shop.subscriptions.search(vendor_fields={"limit": 1})

    assert [[item.subs_id for item in found] for found in (by_customer, by_id)] == [[ada.subs_id], [ada.subs_id]]
    assert [item.subs_id for item in paused] == [(await owned(shop, "user-mika")).subs_id]
    assert len(first) == 1


async def test_autorenewal_goes_off_and_on(shop: Billing) -> None:
    """A cancellation is seen on the subscription, and can be taken back."""
    subs_id = (await owned(shop, "user-ada")).subs_id

    await shop.subscriptions.disable_autorenew(subs_id, external_id="user-ada", reason="Too dear", comment="Said so")
    cancelled = await owned(shop, "user-ada")
    await shop.subscriptions.enable_autorenew(subs_id, external_id="user-ada")
    renewed = await owned(shop, "user-ada")

    assert (cancelled.status, renewed.status) == (["RECURRING", "AUTORENEW_OFF"], ["RECURRING"])


async def test_a_pause_begins_and_ends(shop: Billing) -> None:
    """With an end or without one, and ended early."""
    subs_id = (await owned(shop, "user-ada")).subs_id
    till = datetime.now(UTC) + timedelta(days=30)

    await shop.subscriptions.pause(subs_id, pause_till=till)
    paused = await owned(shop, "user-ada")
    await shop.subscriptions.resume(subs_id)
    resumed = await owned(shop, "user-ada")
    await shop.subscriptions.pause(subs_id, pause_till=None)
    endless = await owned(shop, "user-ada")

    assert (paused.status, paused.is_active) == (["RECURRING", "PAUSED"], False)
    assert datetime.fromisoformat(f"{paused.next_check_at}+00:00") == till
    assert (resumed.status, resumed.is_active) == (["RECURRING"], True)
    assert (endless.status, endless.next_check_at) == (["RECURRING", "PAUSED"], None)


async def test_a_charge_is_put_off(shop: Billing) -> None:
    """The next charge comes at the moment that was named, to the microsecond and whatever its zone."""
    subs_id = (await owned(shop, "user-ada")).subs_id
    till = datetime.now(UTC) + timedelta(days=90)

    await shop.subscriptions.defer(subs_id, defer_till=till.astimezone(tz=None))

    deferred = await owned(shop, "user-ada")
    assert datetime.fromisoformat(f"{deferred.next_check_at}+00:00") == till


async def test_a_discount_is_given(shop: Billing, account: Account) -> None:
    """The percentage and the number of charges arrive; the vendor shows neither, so the sandbox's own books do."""
    subscription = await owned(shop, "user-ada")

    await shop.subscriptions.discount(subscription.subs_id, percent=25, count_of_iterations=2)

    (kept,) = [row.discount for row in account.subscriptions.all if str(row.subs_id) == subscription.subs_id]
    assert kept is not None
    assert (kept.percent, kept.charges_left) == (25, 2)


async def test_a_dry_run_moves_nothing(shop: Billing) -> None:
    """It tells what the migration would charge, and leaves the customer where they are."""
    before = await shop.customers.my_assets("user-ada")

    told = await shop.subscriptions.migrate(
        before.subscriptions[0].subs_id, pp_ident="yearly-premium", strategy="price_prorate", dry_run=True
    )

    assert told.migration_strategy == "price_prorate"
    assert told.charged_amount is not None
    assert told.charged_amount > 60
    assert await shop.customers.my_assets("user-ada") == before


async def test_a_migration_charges_and_moves(shop: Billing) -> None:
    """The new subscription is on the new price point, and the charge is among the payments."""
    subs_id = (await owned(shop, "user-ada")).subs_id

    moved = await shop.subscriptions.migrate(
        subs_id, pp_ident="yearly-premium", strategy="price_prorate", external_id="user-ada", reason="Upgrade"
    )

    (new,) = await shop.subscriptions.search(subs_id=moved.subs_id)
    assert new.price_point is not None
    assert (new.price_point.ident, new.status) == ("yearly-premium", ["RECURRING"])
    assert moved.payment_result is not None
    assert moved.payment_result.checkout_status == "succeeded"
    charges = [paid for paid in await shop.payments.payments_history("user-ada") if paid.subs_id == moved.subs_id]
    assert [paid.amount for paid in charges] == [moved.charged_amount]


async def test_a_strategy_that_does_not_apply_is_refused_if_strict(shop: Billing) -> None:
    """Strict mode refuses with 400; otherwise the other strategy is taken, and named."""
    noor = await owned(shop, "user-noor")

    with pytest.raises(Refused) as refusal:
        await shop.subscriptions.migrate(noor.subs_id, pp_ident="yearly-premium", strategy="price_prorate")
    moved = await shop.subscriptions.migrate(
        noor.subs_id, pp_ident="yearly-premium", strategy="price_prorate", strict_mode=False
    )

    assert refusal.value.status == 400
    assert moved.migration_strategy == "delayed_start"


@pytest.mark.parametrize("change", ["enable_autorenew", "disable_autorenew", "resume"])
async def test_a_subscription_that_is_not_there_is_not_found(change: str, shop: Billing) -> None:
    """What the vendor does not have, or not for this customer, is told apart from what it refuses."""
    with pytest.raises(NotFound):
        await getattr(shop.subscriptions, change)(SUBS_ID)
