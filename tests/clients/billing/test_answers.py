"""What the vendor tells is read exactly, and with patience for what it leaves out, adds or calls by new names."""

from decimal import Decimal

import pytest

from clients.billing import wire
from clients.billing.operations import EXPORT_CSV, MY_ASSETS, OPERATIONS
from clients.errors import Garbled, Operation
from tests.support.billing import Billing
from tests.support.billing_calls import A_TIME, BARE, ORDER_ID, SUBS_ID
from tests.support.scripted_vendor import ScriptedVendor

pytestmark = pytest.mark.anyio

READS = [operation for operation in OPERATIONS if operation.kind == "read"]
NOTHING_TO_TELL = [
    operation for operation in OPERATIONS if operation.kind == "write" and "session" not in operation.name
]
EMPTY = {
    MY_ASSETS: wire.Assets(subscriptions=[], oneoffs=[]),
    EXPORT_CSV: wire.CsvFile(content=b"ident", media_type="text/csv; charset=utf-8"),
}
"""What the reads make of nothing that are no lists."""


def _name(operation: Operation) -> str:
    return operation.name


async def test_a_price_is_the_same_as_number_and_as_string(vendor: ScriptedVendor, client: Billing) -> None:
    """
    The vendor's reference says number and its samples say string: both give the
    exact amount with all its digits, and none was ever a float.
    """
    vendor.succeeds(
        """{"price_points": [
            {"ident": "a", "next_price": 9.90, "lifetime_price": 10, "intro_paid_trial_price": 0.10000000000000000555},
            {"ident": "b", "next_price": "9.90", "lifetime_price": "10", "intro_paid_trial_price": "12345678901234.5"}
        ]}"""
    )

    points = await client.catalog.list_price_points()

    assert points == [
        wire.PricePoint(
            ident="a",
            next_price=Decimal("9.90"),
            lifetime_price=Decimal(10),
            intro_paid_trial_price=Decimal("0.10000000000000000555"),
        ),
        wire.PricePoint(
            ident="b",
            next_price=Decimal("9.90"),
            lifetime_price=Decimal(10),
            intro_paid_trial_price=Decimal("12345678901234.5"),
        ),
    ]
    assert [str(point.next_price) for point in points] == ["9.90", "9.90"]


async def test_payments_are_exact(vendor: ScriptedVendor, client: Billing) -> None:
    """What was paid and given back is exact, and times are the vendor's text, with a zone or without."""
    vendor.succeeds(
        f"""{{"payments": [{{"order_id": "{ORDER_ID}", "subs_id": "{SUBS_ID}", "oneoff_id": null, "refunded": 0.1,
            "amount": "9.99", "currency": {{"code": "USD", "minor_units": 2, "title": "US Dollar", "symbol": "$"}},
            "created_at": "2026-11-09T07:14:09.551023", "last4": "0042", "network": "VISA",
            "payment_method": "PAYMENT_CARD", "new_member": [1]}}]}}"""
    )

    payments = await client.payments.payments_history("user-ada")

    assert payments == [
        wire.Payment(
            order_id=ORDER_ID,
            subs_id=SUBS_ID,
            amount=Decimal("9.99"),
            refunded=Decimal("0.1"),
            currency=wire.Currency(code="USD", minor_units=2, title="US Dollar", symbol="$"),
            created_at="2026-11-09T07:14:09.551023",
            last4="0042",
            network="VISA",
            payment_method="PAYMENT_CARD",
        )
    ]


async def test_a_transaction_keeps_what_is_known(vendor: ScriptedVendor, client: Billing) -> None:
    """A row with undocumented values, both types of a counter, and a member that is new is read all the same."""
    vendor.succeeds(
        """{"transactions": [
            {"trx_id": "t1", "amount": 1.10, "amount_usd": "1.1000", "status": "HALF_SETTLED", "meta_retry_step": 2,
             "meta_subs_iteration": "3", "is_cit": true, "pp_version": 4, "trx_created_at": "2026-11-09T07:14:08Z",
             "quantum_state": {"up": 0.5}},
            {"trx_id": "t2", "amount_usd": null}
        ]}"""
    )

    rows = await client.payments.transaction_report(A_TIME)

    assert rows == [
        wire.Transaction(
            trx_id="t1",
            amount=Decimal("1.10"),
            amount_usd=Decimal("1.1000"),
            status="HALF_SETTLED",
            meta_retry_step=2,
            meta_subs_iteration="3",
            is_cit=True,
            pp_version=4,
            trx_created_at="2026-11-09T07:14:08Z",
        ),
        wire.Transaction(trx_id="t2"),
    ]


async def test_a_session_keeps_the_vendors_whole_object(vendor: ScriptedVendor, client: Billing) -> None:
    """
    Newer servers tell the payment form more than is documented. All of it is
    kept: whole numbers as they are, others as exact decimals.
    """
    vendor.succeeds(
        f"""{{"client_token": "ct_1", "order_id": "{ORDER_ID}", "amount_total": 1099, "tax_rate": 0.10,
            "huge": 123456789012345678901, "valid_countries": [{{"code": "DE", "name": "Germany"}}], "none": null}}"""
    )

    session = await client.checkout.create_client_session(
        pp_ident="plain", external_id="user-ada", integration_type="primer"
    )

    assert session == wire.ClientSession(
        client_token="ct_1",
        order_id=ORDER_ID,
        vendor={
            "client_token": "ct_1",
            "order_id": ORDER_ID,
            "amount_total": 1099,
            "tax_rate": Decimal("0.10"),
            "huge": 123456789012345678901,
            "valid_countries": [{"code": "DE", "name": "Germany"}],
            "none": None,
        },
    )
    assert str(session.vendor["tax_rate"]) == "0.10"


@pytest.mark.parametrize("operation", READS, ids=_name)
async def test_no_rows_may_come_as_null(operation: Operation, vendor: ScriptedVendor, client: Billing) -> None:
    """A list that is null is an empty one; the export, which is no list, is told by its own tests."""
    vendor.succeeds(
        """{"price_points": null, "features": null, "subscriptions": null, "oneoffs": null,
            "payments": null, "transactions": null, "users": null, "csv": "ident"}"""
    )

    found = await BARE[operation](client)

    assert found == EMPTY.get(operation, [])


async def test_a_list_that_is_not_there_is_no_empty_one(vendor: ScriptedVendor, client: Billing) -> None:
    """To tell that there are no payments, an answer has to speak of payments."""
    vendor.succeeds('{"items": []}')

    with pytest.raises(Garbled):
        await client.payments.payments_history("user-ada")


async def test_assets_need_one_of_two_lists(vendor: ScriptedVendor, client: Billing) -> None:
    """A customer who owns no one-offs is read where the vendor leaves that list out."""
    vendor.succeeds('{"subscriptions": []}')

    assets = await client.customers.my_assets("user-ada")

    assert assets == wire.Assets(subscriptions=[], oneoffs=[])


async def test_assets_without_any_list_are_none(vendor: ScriptedVendor, client: Billing) -> None:
    """An answer about something else must not read as a customer who owns nothing."""
    vendor.succeeds("{}")

    with pytest.raises(Garbled):
        await client.customers.my_assets("user-ada")


async def test_a_subscription_needs_only_its_id(vendor: ScriptedVendor, client: Billing) -> None:
    """What is missing is None, and a status that nobody has heard of passes through."""
    vendor.succeeds(
        f'{{"subscriptions": [{{"subs_id": "{SUBS_ID}", "status": ["FROZEN", "PAUSED"], "moon": "full"}}]}}'
    )

    found = await client.subscriptions.search()

    assert found == [wire.Subscription(subs_id=SUBS_ID, status=["FROZEN", "PAUSED"])]


@pytest.mark.parametrize("operation", NOTHING_TO_TELL, ids=_name)
@pytest.mark.parametrize("data", ["{}", "null", '{"ident": "plain"}'])
async def test_a_done_write_has_nothing_to_tell(
    operation: Operation, data: str, vendor: ScriptedVendor, client: Billing
) -> None:
    """It was done if the envelope says so; the empty object beside it is the vendor's habit, not its yes."""
    vendor.succeeds(data)

    assert await BARE[operation](client) is None


@pytest.mark.parametrize("operation", READS, ids=_name)
async def test_a_read_may_come_without_its_envelope(
    operation: Operation, vendor: ScriptedVendor, client: Billing
) -> None:
    """The vendor's reference shows the inner object alone; of a read that is as good."""
    vendor.says(
        """{"price_points": [], "features": [], "subscriptions": [], "oneoffs": [],
            "payments": [], "transactions": [], "users": [], "csv": "ident"}"""
    )

    found = await BARE[operation](client)

    assert found == EMPTY.get(operation, [])
