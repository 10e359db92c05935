"""What is sent: the vendor's documented bodies, exact amounts, plain times, and nothing that was not given."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clients.billing.operations import IMPORT_CSV, OPERATIONS, PAUSE, SEARCH_USERS
from clients.errors import Operation, Refused
from tests.support.billing import Billing
from tests.support.billing_calls import BARE, FULL, ORDER_ID, SUBS_ID, Calls
from tests.support.billing_contract import body_schema, faults, fields
from tests.support.scripted_vendor import ScriptedVendor

pytestmark = pytest.mark.anyio

WITH_JSON = [operation for operation in OPERATIONS if operation != IMPORT_CSV]

# The scripted vendor keeps nothing from one example that the next could trip over.
many = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)

idents = st.from_regex(r"[-A-Za-z_0-9]{1,256}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8"), max_size=256)
amounts = st.decimals(min_value=0, max_value=Decimal("1e12"), allow_nan=False, allow_infinity=False)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1990, 1, 1), datetime(2199, 1, 1), timezones=zones)  # noqa: DTZ001 - hypothesis adds the zone
metadata = st.dictionaries(texts, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts, max_size=4)


def _name(operation: Operation) -> str:
    return operation.name


async def _sent(vendor: ScriptedVendor, call: Any) -> Any:
    """The body of the one request that a call makes, before the vendor refuses it."""
    vendor.heard.clear()
    with pytest.raises(Refused):
        await call
    (heard,) = vendor.heard
    return heard.json()


@pytest.mark.parametrize("calls", [BARE, FULL], ids=["bare", "full"])
@pytest.mark.parametrize("operation", WITH_JSON, ids=_name)
async def test_every_body_is_the_contracts(
    operation: Operation, calls: Calls, vendor: ScriptedVendor, client: Billing
) -> None:
    """With the least and with the most that can be given, the body is one that the contract allows."""
    body = await _sent(vendor, calls[operation](client))

    assert faults(operation.name[5:], body) == []
    assert vendor.heard[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize("operation", WITH_JSON, ids=_name)
async def test_every_known_field_can_be_sent(operation: Operation, vendor: ScriptedVendor, client: Billing) -> None:
    """There is an argument for each field that the contract knows, and for no other."""
    body = await _sent(vendor, FULL[operation](client))

    assert set(body) == fields(body_schema(operation.name[5:]))


@pytest.mark.parametrize("operation", WITH_JSON, ids=_name)
async def test_what_is_not_given_is_left_out(operation: Operation, vendor: ScriptedVendor, client: Billing) -> None:
    """
    Null may mean something to the vendor, so that it is sent in two places only:
    for a pause without end, and where the vendor demands the key of a search.
    """
    body = await _sent(vendor, BARE[operation](client))

    nulls = {name for name, value in body.items() if value is None}
    assert nulls == {PAUSE: {"pause_till"}, SEARCH_USERS: {"email"}}.get(operation, set())


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("9.90", "9.90"),
        ("1E+3", "1000"),
        ("1E-7", "0.0000001"),
        ("12345678901234567890.123", "12345678901234567890.123"),
    ],
)
async def test_an_amount_is_sent_digit_for_digit(
    amount: str, written: str, vendor: ScriptedVendor, client: Billing
) -> None:
    """Money is a plain decimal string: no float comes near it, and no exponent shows."""
    body = await _sent(vendor, client.payments.refund("user-ada", ORDER_ID, amount=Decimal(amount)))

    assert body == {"external_id": "user-ada", "order_id": ORDER_ID, "amount": written, "soft_refund": False}


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity"])
async def test_what_is_no_amount_is_not_sent(amount: str, vendor: ScriptedVendor, client: Billing) -> None:
    """A refund of no number would be a full one if the vendor passed over it, so it never leaves."""
    with pytest.raises(ValueError, match="no amount of money"):
        await client.payments.refund("user-ada", ORDER_ID, amount=Decimal(amount))

    assert vendor.heard == []


async def test_a_time_is_sent_in_utc(vendor: ScriptedVendor, client: Billing) -> None:
    """Whatever zone a time was given in, the vendor reads it in UTC and with a `Z`."""
    midnight_in_berlin = datetime(2026, 12, 24, 0, 0, 0, 120417, tzinfo=timezone(timedelta(hours=1)))

    body = await _sent(vendor, client.subscriptions.defer(SUBS_ID, defer_till=midnight_in_berlin))

    assert body == {"subs_id": SUBS_ID, "defer_till": "2026-12-23T23:00:00.120417Z"}


async def test_a_time_without_a_zone_is_not_sent(vendor: ScriptedVendor, client: Billing) -> None:
    """A time without a zone is no moment, and a guess could charge a customer early."""
    with pytest.raises(ValueError, match="no time zone"):
        await client.subscriptions.pause(SUBS_ID, pause_till=datetime(2026, 12, 24))  # noqa: DTZ001 - that is the point

    assert vendor.heard == []


async def test_a_search_takes_fields_that_only_the_caller_knows(vendor: ScriptedVendor, client: Billing) -> None:
    """
    The vendor's further filters are sent as they are given, but none can take
    the place of a known one: not of the customer that was asked for, nor of a
    filter that was not.
    """
    further = {"page": 2, "nested": {"any": [None, True]}, "external_id": "user-eve", "subs_id": SUBS_ID}

    body = await _sent(vendor, client.subscriptions.search(external_id="user-ada", vendor_fields=further))

    assert body == {"external_id": "user-ada", "page": 2, "nested": {"any": [None, True]}}


async def test_an_update_takes_fields_that_only_the_caller_knows(vendor: ScriptedVendor, client: Billing) -> None:
    """The same for an update, so that neither another price point nor an unchecked price slips in."""
    further = {"apple_pay_merchant_name": "Brightside", "ident": "other", "next_price": 0.1, "descriptor": "X"}

    body = await _sent(
        vendor, client.catalog.update_price_point("plain", vendor_fields=further, next_price=Decimal("11.99"))
    )

    assert body == {"ident": "plain", "next_price": "11.99", "apple_pay_merchant_name": "Brightside"}


async def test_an_update_tells_null_from_nothing(vendor: ScriptedVendor, client: Billing) -> None:
    """To empty a field and to leave it alone are two things: only what is given as None is null."""
    body = await _sent(vendor, client.catalog.update_price_point("plain", lifetime_price=None, next_period=3))

    assert body == {"ident": "plain", "lifetime_price": None, "next_period": 3}


async def test_a_new_price_point_has_no_nulls(vendor: ScriptedVendor, client: Billing) -> None:
    """Where there is nothing to empty, None is the same as nothing."""
    body = await _sent(
        vendor,
        client.catalog.create_price_point(
            "plain", intro_type="no_intro", currency_code="USD", features=("a", "b"), lifetime_price=None
        ),
    )

    assert body == {"ident": "plain", "intro_type": "no_intro", "currency_code": "USD", "features": ["a", "b"]}


async def test_a_file_is_sent_as_it_is(vendor: ScriptedVendor, client: Billing) -> None:
    """An import's bytes reach the vendor untouched and under their own media type, whatever is in them."""
    content = b'\xef\xbb\xbfident,features\r\nplain,"a,b"\r\n\xff'

    with pytest.raises(Refused):
        await client.catalog.import_csv(content)

    (heard,) = vendor.heard
    assert (heard.body, heard.headers["content-type"]) == (content, "text/csv")


async def test_an_export_asks_for_a_file(vendor: ScriptedVendor, client: Billing) -> None:
    """Whoever asks for a file says that it may come as one; everything else asks for JSON alone."""
    with pytest.raises(Refused):
        await client.catalog.export_csv()
    with pytest.raises(Refused):
        await client.catalog.list_features()

    assert [heard.headers["accept"] for heard in vendor.heard] == ["text/csv, application/json", "application/json"]


@many
@given(external_id=texts, amount=st.none() | amounts, soft=st.booleans(), comment=st.none() | texts)
async def test_any_refund_is_the_contracts(
    vendor: ScriptedVendor,
    client: Billing,
    external_id: str,
    amount: Decimal | None,
    *,
    soft: bool,
    comment: str | None,
) -> None:
    """Every amount of whatever size and precision is written so that it is that amount, and allowed."""
    body = await _sent(
        vendor, client.payments.refund(external_id, ORDER_ID, amount=amount, soft_refund=soft, comment=comment)
    )

    assert faults("/payment/refund", body) == []
    assert body.get("comment") == comment
    assert (Decimal(body["amount"]) if "amount" in body else None) == amount


@many
@given(since=times, limit=st.none() | st.integers(1, 500))
async def test_any_report_is_the_contracts(
    vendor: ScriptedVendor, client: Billing, since: datetime, limit: int | None
) -> None:
    """Every moment is written so that it is that moment, to the microsecond."""
    body = await _sent(vendor, client.payments.transaction_report(since, limit=limit))

    assert faults("/transaction_report", body) == []
    assert body["last_transaction_date"].endswith("Z")
    assert datetime.fromisoformat(body["last_transaction_date"]) == since


@many
@given(external_id=texts, pp_ident=idents, marks=st.none() | metadata)
async def test_any_session_is_the_contracts(
    vendor: ScriptedVendor, client: Billing, external_id: str, pp_ident: str, marks: Mapping[str, Any] | None
) -> None:
    """Whatever a merchant calls customers and marks orders with arrives as it was given."""
    body = await _sent(
        vendor,
        client.checkout.create_client_session(
            pp_ident=pp_ident,
            external_id=external_id,
            integration_type="primer",
            email_address="ada@example.com",
            client_metadata=marks,
        ),
    )

    assert faults("/checkout/create_client_session", body) == []
    assert (body["external_id"], body.get("client_metadata")) == (external_id, marks)


@many
@given(
    ident=idents,
    features=st.lists(idents, max_size=3),
    price=st.none() | amounts,
    period=st.none() | st.integers(1, 1000),
)
async def test_any_price_point_is_the_contracts(
    vendor: ScriptedVendor,
    client: Billing,
    *,
    ident: str,
    features: list[str],
    price: Decimal | None,
    period: int | None,
) -> None:
    """New price points and changes of old ones alike are written as the contract has them."""
    new = client.catalog.create_price_point(
        ident, intro_type="no_intro", currency_code="USD", features=features, next_price=price, next_period=period
    )
    change = client.catalog.update_price_point(ident, features=features, next_price=price, next_period=period)

    bodies = [await _sent(vendor, new), await _sent(vendor, change)]

    assert [faults("/pp/create", bodies[0]), faults("/pp/update", bodies[1])] == [[], []]
    assert [body["features"] for body in bodies] == [features, features]


@many
@given(till=times, percent=st.integers(1, 99), iterations=st.none() | st.integers(1, 1000))
async def test_any_change_of_a_subscription_is_the_contracts(
    vendor: ScriptedVendor, client: Billing, till: datetime, *, percent: int, iterations: int | None
) -> None:
    """The same for the changes that take more than the subscription's id."""
    pause = client.subscriptions.pause(SUBS_ID, pause_till=till)
    discount = client.subscriptions.discount(SUBS_ID, percent=percent, count_of_iterations=iterations)

    bodies = [await _sent(vendor, pause), await _sent(vendor, discount)]

    assert [faults("/subscription/pause", bodies[0]), faults("/discount", bodies[1])] == [[], []]
    assert datetime.fromisoformat(bodies[0]["pause_till"]) == till
