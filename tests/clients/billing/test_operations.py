"""The table of operations: complete, each with its kind, and the secret key with exactly the right ones."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from clients.billing.operations import MIGRATE, OPERATIONS, PREVIEW_MIGRATION, PUBLIC, WITH_SECRET_KEY
from clients.errors import NotConfigured, Operation, Refused, Unavailable
from clients.sandbox.server import SandboxServer
from tests.support.billing import Billing, billing
from tests.support.billing_calls import BARE, FULL, ORDER_ID, SUBS_ID
from tests.support.billing_contract import PATHS
from tests.support.scripted_vendor import ScriptedVendor

pytestmark = pytest.mark.anyio


@pytest.fixture
async def keyless(vendor: ScriptedVendor) -> AsyncIterator[Billing]:
    """Clients of the scripted vendor for which no secret key is configured."""
    async with billing(vendor.url, org_id="acme", secret_key=None) as clients:
        yield clients


def _name(operation: Operation) -> str:
    return operation.name


def test_the_table_is_the_contracts() -> None:
    """
    Each of the contract's 25 operations stands in the table once, 17 of them
    under the secret key and 8 without, as the contract's `security` has it.
    """
    secret = {f"POST {path}" for path, item in PATHS.items() if item["post"]["security"]}
    public = {f"POST {path}" for path, item in PATHS.items() if not item["post"]["security"]}

    listed = Counter(operation.name for operation in OPERATIONS)

    assert listed == Counter(secret | public)
    assert ({item.name for item in WITH_SECRET_KEY}, {item.name for item in PUBLIC}) == (secret, public)
    assert (len(WITH_SECRET_KEY), len(PUBLIC)) == (17, 8)


def test_what_moves_money_is_marked() -> None:
    """
    The kind of each operation is stated, and decides whether it may be
    repeated: reads may, whatever moves money or changes something may not.
    """
    by_kind = {kind: {item.name for item in OPERATIONS if item.kind == kind} for kind in ("read", "money", "probe")}

    assert by_kind == {
        "read": {
            "POST /price_points",
            "POST /features",
            "POST /pp/export_csv",
            "POST /subscription/search",
            "POST /my_assets",
            "POST /payments_history",
            "POST /transaction_report",
            "POST /search_users",
        },
        "money": {
            "POST /payment/refund",
            "POST /subscription/migration",
            "POST /checkout/create_payment",
            "POST /checkout/resume_payment",
            "POST /checkout/one_click",
        },
        "probe": set(),
    }


def test_a_dry_run_may_be_repeated() -> None:
    """
    A dry run of a migration is the same operation for the vendor and the key,
    but a probe for us.
    """
    assert (PREVIEW_MIGRATION.name, PREVIEW_MIGRATION.kind, MIGRATE.kind) == (MIGRATE.name, "probe", "money")


def test_the_sandbox_has_the_same_operations(sandbox_server: SandboxServer) -> None:
    """Client and sandbox were written apart, and know the same 25 operations."""
    served = {operation.name for operation in sandbox_server.sandbox.operations if operation.vendor == "funnelfox"}

    assert served == {operation.name for operation in OPERATIONS}


@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
async def test_each_call_goes_where_the_vendor_has_it(
    operation: Operation, vendor: ScriptedVendor, client: Billing
) -> None:
    """
    Every operation is a POST below the organization's base, and a refusal of it
    names it.
    """
    vendor.refuses(code="invalid_price")

    with pytest.raises(Refused) as refusal:
        await FULL[operation](client)

    assert [(heard.method, heard.path) for heard in vendor.heard] == [("POST", f"/acme/v1{operation.name[5:]}")]
    assert refusal.value.operation == operation


@pytest.mark.parametrize("operation", WITH_SECRET_KEY, ids=_name)
async def test_the_secret_key_travels_with_the_17(
    operation: Operation, vendor: ScriptedVendor, client: Billing
) -> None:
    """What the vendor answers to the holder of the key only, carries it."""
    with pytest.raises(Refused):
        await BARE[operation](client)

    assert [heard.headers.get("ff-secret-key") for heard in vendor.heard] == ["sk_1"]


@pytest.mark.parametrize("operation", PUBLIC, ids=_name)
async def test_the_secret_key_never_travels_with_the_8(
    operation: Operation, vendor: ScriptedVendor, client: Billing
) -> None:
    """A key that opens everything is not sent where none is needed, under no name."""
    with pytest.raises(Refused):
        await FULL[operation](client)

    (heard,) = vendor.heard
    assert "ff-secret-key" not in heard.headers
    assert "sk_1" not in f"{heard.headers} {heard.path} {heard.body!r}"


@pytest.mark.parametrize("operation", WITH_SECRET_KEY, ids=_name)
async def test_without_a_key_the_vendor_is_not_called(
    operation: Operation, vendor: ScriptedVendor, keyless: Billing
) -> None:
    """Where no key is configured, an operation that needs it says so and sends nothing."""
    with pytest.raises(NotConfigured) as failure:
        await FULL[operation](keyless)

    assert failure.value.operation == operation
    assert vendor.heard == []


@pytest.mark.parametrize("operation", PUBLIC, ids=_name)
async def test_without_a_key_the_8_still_work(operation: Operation, vendor: ScriptedVendor, keyless: Billing) -> None:
    """What needs no key is called also by those who have none."""
    with pytest.raises(Refused):
        await BARE[operation](keyless)

    assert len(vendor.heard) == 1


async def test_a_dry_run_is_called_as_a_probe(vendor: ScriptedVendor, client: Billing) -> None:
    """The dry run needs the key like the real thing, says that it is one, and fails as what may be repeated."""
    with pytest.raises(Refused) as refusal:
        await client.subscriptions.migrate(SUBS_ID, pp_ident="plain", strategy="price_prorate", dry_run=True)

    (heard,) = vendor.heard
    assert refusal.value.operation == PREVIEW_MIGRATION
    assert heard.headers["ff-secret-key"] == "sk_1"
    assert heard.json()["dry_run"] is True


async def test_a_failure_does_not_tell_the_key(vendor: ScriptedVendor, client: Billing) -> None:
    """What a failure says of itself holds no key, so that it may be logged."""
    vendor.says("<html>", status=500)

    with pytest.raises(Unavailable) as failure:
        await client.payments.refund("user-ada", ORDER_ID)

    assert "sk_1" not in f"{failure.value!r} {vars(failure.value)}"
