"""Answers to what moves money: a yes counts only if it is the documented one."""

from decimal import Decimal

import pytest

from clients.billing import wire
from clients.billing.operations import MIGRATE, OPERATIONS, REFUND
from clients.errors import Garbled, Operation
from tests.support.billing import Billing
from tests.support.billing_calls import BARE, ORDER_ID, SUBS_ID, failure
from tests.support.scripted_vendor import ScriptedVendor

pytestmark = pytest.mark.anyio

MONEY = [operation for operation in OPERATIONS if operation.kind == "money"]


def _name(operation: Operation) -> str:
    return operation.name


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.kind in {"write", "money"}], ids=_name)
async def test_without_the_envelope_nothing_is_sure(
    operation: Operation, vendor: ScriptedVendor, client: Billing
) -> None:
    """Only the envelope says yes: what changes something is not believed to have done so without it."""
    vendor.says('{"action_required_token": "", "checkout_status": "succeeded", "client_token": "ct", "order_id": "o"}')

    assert isinstance(await failure(client, operation), Garbled)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            '{"action_required_token": "", "checkout_status": "succeeded", "order_id": "o2"}',
            wire.PaymentResult(action_required_token="", checkout_status="succeeded", order_id="o2"),
        ),
        (
            '{"action_required_token": "3ds", "checkout_status": "failed", "failed_message_for_user": ""}',
            wire.PaymentResult(action_required_token="3ds", checkout_status="failed", failed_message_for_user=""),
        ),
        (
            '{"action_required_token": null, "checkout_status": "failed", "failed_message_for_user": "No funds."}',
            wire.PaymentResult(checkout_status="failed", failed_message_for_user="No funds."),
        ),
        ('{"checkout_status": "pondering", "order_id": null}', wire.PaymentResult(checkout_status="pondering")),
        ('{"action_required_token": "3ds"}', wire.PaymentResult(action_required_token="3ds")),
    ],
    ids=["succeeded", "action-first", "null-token", "unknown-status", "token-alone"],
)
@pytest.mark.parametrize("operation", [item for item in MONEY if "checkout" in item.name], ids=_name)
async def test_a_payment_result_is_passed_on_as_it_is(
    operation: Operation, data: str, expected: wire.PaymentResult, vendor: ScriptedVendor, client: Billing
) -> None:
    """Which of its members counts first is for others to decide: here none is dropped, and none made up."""
    vendor.succeeds(data)

    assert await BARE[operation](client) == expected


@pytest.mark.parametrize("data", ['{"checkout_status": 1}', "[]", "null"])
@pytest.mark.parametrize("operation", [item for item in MONEY if item != REFUND], ids=_name)
async def test_a_yes_in_another_form_is_no_yes_to_money(
    operation: Operation, data: str, vendor: ScriptedVendor, client: Billing
) -> None:
    """Where money may have moved, a success that can't be read is no answer."""
    vendor.succeeds(data if operation != MIGRATE else data.replace('"checkout_status"', '"subs_id"'))

    assert isinstance(await failure(client, operation), Garbled)


@pytest.mark.parametrize("data", ["{}", '{"action_required_token": ""}'])
@pytest.mark.parametrize("operation", [item for item in MONEY if "checkout" in item.name], ids=_name)
async def test_a_payment_that_says_nothing_is_open(
    operation: Operation, data: str, vendor: ScriptedVendor, client: Billing
) -> None:
    """The vendor has taken it and does not say how it went: neither a success nor a failure."""
    vendor.succeeds(data)

    result = await BARE[operation](client)

    assert isinstance(result, wire.PaymentResult)
    assert (result.action_required_token or None, result.checkout_status) == (None, None)


async def test_a_migration_that_says_nothing_is_not_believed(vendor: ScriptedVendor, client: Billing) -> None:
    """Money may have moved, and not one member tells."""
    vendor.succeeds("{}")

    assert isinstance(await failure(client, MIGRATE), Garbled)


@pytest.mark.parametrize("data", ["{}", '{"refund_id": "r1"}'])
async def test_a_refund_answers_an_object(data: str, vendor: ScriptedVendor, client: Billing) -> None:
    """An object with nothing in it is all that is documented of a refund, so that it may hold anything."""
    vendor.succeeds(data)

    await client.payments.refund("user-ada", ORDER_ID)

    assert len(vendor.heard) == 1


@pytest.mark.parametrize(
    "body", ['{"status": "success"}', '{"status": "success", "data": null}', '{"status": "success", "data": "done"}']
)
async def test_a_refund_without_its_object_is_not_believed(body: str, vendor: ScriptedVendor, client: Billing) -> None:
    """A success in another form than the documented one leaves open whether money moved."""
    vendor.says(body)

    assert isinstance(await failure(client, REFUND), Garbled)


async def test_a_migration_is_read_whole(vendor: ScriptedVendor, client: Billing) -> None:
    """The charge may be a number, and the payment's result is inside."""
    vendor.succeeds(
        f"""{{"migration_strategy": "price_prorate", "charged_amount": 49.90, "subs_id": "{SUBS_ID}", "oneoff_id": null,
            "payment_result": {{"action_required_token": "", "checkout_status": "succeeded", "order_id": "o"}}}}"""
    )

    migration = await client.subscriptions.migrate(SUBS_ID, pp_ident="yearly", strategy="price_prorate")

    assert migration == wire.Migration(
        migration_strategy="price_prorate",
        charged_amount=Decimal("49.90"),
        subs_id=SUBS_ID,
        payment_result=wire.PaymentResult(action_required_token="", checkout_status="succeeded", order_id="o"),
    )
