"""The exported file, in whichever form the vendor sends it."""

import pytest

from clients.billing import wire
from clients.billing.operations import OPERATIONS
from clients.errors import Garbled, Operation, Refused, Unavailable
from tests.support.billing import Billing
from tests.support.billing_calls import failure
from tests.support.scripted_vendor import ScriptedVendor

pytestmark = pytest.mark.anyio


def _name(operation: Operation) -> str:
    return operation.name


async def test_a_file_is_handed_on_byte_for_byte(vendor: ScriptedVendor, client: Billing) -> None:
    """What the vendor exports is what the caller gets, with the vendor's own media type, whatever its encoding."""
    content = b'ident,price\r\n"a\xff",9.90\r\n'
    vendor.says(content, media_type="text/csv; charset=windows-1252")

    file = await client.catalog.export_csv()

    assert file == wire.CsvFile(content=content, media_type="text/csv; charset=windows-1252")


@pytest.mark.parametrize("data", ['"ident\\r\\nplän"', '{"csv": "ident\\r\\nplän", "rows": 1}'])
async def test_a_file_may_come_inside_the_envelope(data: str, vendor: ScriptedVendor, client: Billing) -> None:
    """Whether the vendor wraps its export is not documented: the text in its JSON is the same file."""
    vendor.succeeds(data)

    file = await client.catalog.export_csv()

    assert file == wire.CsvFile(content="ident\r\nplän".encode(), media_type="text/csv; charset=utf-8")


@pytest.mark.parametrize("data", ["{}", '{"a": "ident", "b": "ident"}', "[1]", "null"])
async def test_data_without_a_file_is_none(data: str, vendor: ScriptedVendor, client: Billing) -> None:
    """Where it is not plain which text is the file, none is."""
    vendor.succeeds(data)

    with pytest.raises(Garbled):
        await client.catalog.export_csv()


async def test_an_error_called_a_file_is_an_error(vendor: ScriptedVendor, client: Billing) -> None:
    """A refusal under a file's media type is still a refusal."""
    vendor.says(
        '{"status": "error", "req_id": "r", "error": [{"msg": "Export failed", "type": "api_exception"}]}',
        media_type="text/csv",
    )

    with pytest.raises(Refused, match="Export failed"):
        await client.catalog.export_csv()


async def test_a_file_under_an_error_status_is_none(vendor: ScriptedVendor, client: Billing) -> None:
    """Only a success has a file."""
    vendor.says("ident\r\n", status=500, media_type="text/csv")

    with pytest.raises(Unavailable):
        await client.catalog.export_csv()


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if "export" not in item.name], ids=_name)
async def test_only_the_export_answers_a_file(operation: Operation, vendor: ScriptedVendor, client: Billing) -> None:
    """To any other call a file is no answer, an import's own included."""
    vendor.says("ident\r\nplain\r\n", media_type="text/csv")

    assert isinstance(await failure(client, operation), Garbled)
