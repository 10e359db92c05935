"""The vendor's refusals, in all their forms, and what is no answer of the vendor's at all."""

import pytest

from clients.billing.operations import CREATE_PAYMENT, FEATURES, OPERATIONS
from clients.errors import (
    BareNotFound,
    CredentialsRefused,
    Garbled,
    NotFound,
    Operation,
    RateLimited,
    Refused,
    Unavailable,
    UpstreamError,
)
from tests.support.billing import Billing
from tests.support.billing_calls import failure
from tests.support.scripted_vendor import ScriptedVendor

pytestmark = pytest.mark.anyio


def _name(operation: Operation) -> str:
    return operation.name


@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
async def test_an_error_under_200_is_a_refusal(operation: Operation, vendor: ScriptedVendor, client: Billing) -> None:
    """The vendor sends errors under HTTP 200 too: its code, words and request id are kept."""
    vendor.refuses(code="double_purchase")

    refusal = await failure(client, operation)

    assert isinstance(refusal, Refused)
    assert (refusal.status, refusal.code, refusal.request_id, refusal.detail) == (
        200,
        "double_purchase",
        "acMMsjP9",
        "Not today.",
    )


@pytest.mark.parametrize("code", ["double_purchase", "invalid_price", "invalid_customer", "payment_failed"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
async def test_a_known_code_counts_under_500_unless_money_may_have_moved(
    operation: Operation, code: str, vendor: ScriptedVendor, client: Billing
) -> None:
    """A documented code says what happened, but not what a failing server had charged before it sent it."""
    vendor.refuses(code=code, status=500)

    refusal = await failure(client, operation)

    assert type(refusal) is (Unavailable if operation.kind == "money" else Refused)
    assert refusal.code == code


@pytest.mark.parametrize("code", ["double_purchase", "payment_failed"])
@pytest.mark.parametrize("status", [200, 402, 499])
async def test_a_known_code_below_500_is_a_refusal_of_money_too(
    code: str, status: int, vendor: ScriptedVendor, client: Billing
) -> None:
    """The server works, and says no."""
    vendor.refuses(code=code, status=status)

    assert isinstance(await failure(client, CREATE_PAYMENT), Refused)


@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
@pytest.mark.parametrize("body", ["{}", '{"detail": "Not Found"}', '{"error": "nothing here"}'])
async def test_a_bare_404_is_an_answer_to_a_read(
    operation: Operation, body: str, vendor: ScriptedVendor, client: Billing
) -> None:
    """Without the envelope it says nothing of what a write did, and enough of what a read looked for."""
    vendor.says(body, status=404)

    refusal = await failure(client, operation)

    assert type(refusal) is (BareNotFound if operation.repeatable else Garbled)
    assert len(vendor.heard) == 1


@pytest.mark.parametrize("body", ["[]", '"no"', '{"status": "success", "data": {}}', '{"status": "gone"}'])
async def test_another_404_is_no_answer(body: str, vendor: ScriptedVendor, client: Billing) -> None:
    """JSON that is no object, and an envelope that says something else than no."""
    vendor.says(body, status=404)

    assert isinstance(await failure(client, FEATURES), Garbled)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, Refused), (401, CredentialsRefused), (403, CredentialsRefused), (404, NotFound), (422, Refused)],
)
async def test_a_refusal_is_told_by_its_status(
    status: int, expected: type[UpstreamError], vendor: ScriptedVendor, client: Billing
) -> None:
    """The statuses are not documented, so that they mean what HTTP says; without a code the type stands for it."""
    vendor.refuses(status=status)

    refusal = await failure(client, CREATE_PAYMENT)

    assert type(refusal) is expected
    assert (refusal.status, refusal.code) == (status, "api_exception")


async def test_an_unknown_code_under_500_tells_nothing(vendor: ScriptedVendor, client: Billing) -> None:
    """A server that failed may have acted before it did, whatever envelope it found."""
    vendor.refuses(code="database_on_fire", status=500)

    assert isinstance(await failure(client, CREATE_PAYMENT), Unavailable)


async def test_a_vendor_that_asks_to_slow_down_says_how_long(vendor: ScriptedVendor, client: Billing) -> None:
    """What the vendor asks for is kept, in seconds."""
    vendor.says("slow down", status=429, header="retry-after: 7")

    refusal = await failure(client, CREATE_PAYMENT)

    assert isinstance(refusal, RateLimited)
    assert refusal.retry_after == 7


@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
async def test_a_page_is_no_answer(operation: Operation, vendor: ScriptedVendor, client: Billing) -> None:
    """A login page or a proxy's notice under 200 is not the vendor's yes to anything."""
    vendor.says("<html><body>Welcome!</body></html>", media_type="text/html")

    assert isinstance(await failure(client, operation), Garbled)


async def test_a_page_under_502_is_an_outage(vendor: ScriptedVendor, client: Billing) -> None:
    """What a proxy shows in the vendor's place says that the vendor is away."""
    vendor.says("<html>", status=502, media_type="text/html")

    assert isinstance(await failure(client, CREATE_PAYMENT), Unavailable)


async def test_half_an_answer_is_none(vendor: ScriptedVendor, client: Billing) -> None:
    """An answer that ends before its announced length may have said anything."""
    vendor.succeeds('{"action_required_token": "", "checkout_status": "succeeded"}')
    vendor.breaks_off()

    assert isinstance(await failure(client, CREATE_PAYMENT), Garbled)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'"success"',
        b"[]",
        b'{"status": "success", "data": {"checkout_status": "succeeded"}',
        b'{"status": "success", "data": {"checkout_status": "succeeded", "note": "\xff"}}',
        b'{"status": "SUCCESS", "data": {"checkout_status": "succeeded"}}',
        b'{"status": true, "data": {"checkout_status": "succeeded"}}',
        b'{"status": "success", "data": ' + b"[" * 100_000,
    ],
    ids=["empty", "null", "text", "list", "unclosed", "no-utf-8", "other-case", "no-text", "deep"],
)
async def test_what_is_not_the_envelope_is_no_answer(body: bytes, vendor: ScriptedVendor, client: Billing) -> None:
    """Nothing but the documented envelope, whole and readable, is a yes to a payment."""
    vendor.says(body)

    assert isinstance(await failure(client, CREATE_PAYMENT), Garbled)


async def test_a_redirect_is_not_followed(vendor: ScriptedVendor, client: Billing) -> None:
    """The vendor has no redirects, and whoever answers one must not get the request again."""
    vendor.says("", status=307, header=f"location: {vendor.url}/elsewhere")

    assert isinstance(await failure(client, CREATE_PAYMENT), Garbled)
    assert len(vendor.heard) == 1
