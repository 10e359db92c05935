"""What callers see when price points go out and come in as a file."""

import codecs
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.support.gateway import Tenant

HEADER = "ident,intro_type,currency_code,features,next_price,next_period,next_period_duration"


def row(ident: str) -> str:
    """A line that the vendor accepts."""
    return f'{ident},no_intro,USD,"premium-access,workout-plans",9.99,1,months'


def file(*lines: str, end: str = "\r\n") -> bytes:
    """Lines as a file."""
    return "".join(line + end for line in lines).encode()


def imported(
    api: httpx.Client, content: bytes | Iterator[bytes], media_type: str | None = "text/csv"
) -> httpx.Response:
    """Send a file."""
    headers = {"content-type": media_type} if media_type is not None else {}
    return api.post("/v1/price-points/import", content=content, headers=headers)


def test_the_export_is_the_vendors_file(api: httpx.Client, tenant: Tenant) -> None:
    """Byte for byte, under the vendor's media type, as a download that no browser takes for anything else."""
    reply = api.get("/v1/price-points.csv")

    assert reply.status_code == 200
    assert reply.content == tenant.account.catalog.export()
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert reply.headers["content-disposition"] == 'attachment; filename="price-points.csv"'
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_exported_cells_stay_as_they_are(api: httpx.Client, tenant: Tenant) -> None:
    """Whatever the vendor sends, we change none of it, formulas and gone-wrong quotes included."""
    content = 'ident;price\n=1+1;"\u00e9\0'
    tenant.fails("POST /pp/export_csv", "status", status=200, body=json.dumps({"csv": content}))

    reply = api.get("/v1/price-points.csv")

    assert reply.content == content.encode()
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"


def test_a_failing_export_is_a_problem(api: httpx.Client, tenant: Tenant) -> None:
    """Half a file is none."""
    tenant.fails("POST /pp/export_csv", "truncated")

    reply = api.get("/v1/price-points.csv")

    assert (reply.status_code, reply.json()["code"]) == (502, "upstream_invalid_response")


def test_an_import_tells_what_became_of_each_row(api: httpx.Client, tenant: Tenant) -> None:
    """The vendor answers nothing; what is there afterwards tells."""
    reply = imported(api, file(HEADER, row("zz-new"), row("monthly-premium"), row("aa-new")))

    assert reply.status_code == 200
    assert reply.json() == {
        "inserted": ["zz-new", "aa-new"],
        "skipped_existing": ["monthly-premium"],
        "absent": [],
        "missing": [],
    }
    assert api.get("/v1/price-points/zz-new").json()["next_price"] == "9.99"
    assert tenant.calls("POST /pp/import_csv") == 1


def test_an_export_can_be_imported(api: httpx.Client) -> None:
    """What comes out goes in: all of it exists."""
    exported = api.get("/v1/price-points.csv").content

    reply = imported(api, exported)

    assert reply.status_code == 200
    idents = [row["ident"] for row in api.get("/v1/price-points").json()["data"]]
    assert sorted(reply.json()["skipped_existing"]) == idents
    assert (reply.json()["inserted"], reply.json()["absent"]) == ([], [])


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (codecs.BOM_UTF8 + file(HEADER, row("winter")), "text/csv"),
        (file(HEADER, row("winter"), end="\n"), "text/csv; charset=utf-8"),
        (file(HEADER, "", row("winter"), "", end="\n"), 'Text/CSV; charset="UTF-8"'),
        (file(HEADER, row("winter")).rstrip(), "text/csv;header=present"),
        (file(f'"{HEADER[:5]}"{HEADER[5:]}', row('"winter"')), "text/csv"),
    ],
)
def test_every_honest_form_of_a_file_is_read(api: httpx.Client, content: bytes, media_type: str) -> None:
    """A byte order mark, any line end, blank lines, a missing last line end, and quotes that need not be."""
    reply = imported(api, content, media_type)

    assert reply.status_code == 200
    assert reply.json()["inserted"] == ["winter"]


def test_a_row_that_the_vendor_passes_over_is_absent(api: httpx.Client, tenant: Tenant) -> None:
    """The vendor said yes, and yet it is not there."""
    tenant.fails("POST /pp/import_csv", "status", status=200, body='{"status":"success","data":{}}')

    reply = imported(api, file("ident", "winter", "lifetime"))

    assert reply.json() == {
        "inserted": [],
        "skipped_existing": ["lifetime"],
        "absent": ["winter"],
        "missing": [],
    }


def test_the_vendor_judges_the_columns(api: httpx.Client, tenant: Tenant) -> None:
    """Which it needs is not documented, so its own words are the answer."""
    reply = imported(api, file("ident,colour", "winter,blue"))

    assert (reply.status_code, reply.json()["code"]) == (422, "upstream_rejected")
    assert tenant.calls("POST /pp/import_csv") == 1


def test_nothing_is_sent_if_the_price_points_cannot_be_read_before(api: httpx.Client, tenant: Tenant) -> None:
    """Without that nobody could say afterwards what was inserted."""
    tenant.fails("POST /price_points", "status", status=500)

    reply = imported(api, file(HEADER, row("winter")))

    assert (reply.status_code, reply.json()["code"]) == (502, "upstream_error")
    assert tenant.calls("POST /pp/import_csv") == 0


def test_an_import_that_cannot_be_read_back_is_made_all_the_same(api: httpx.Client, tenant: Tenant) -> None:
    """What was there before is known, and `missing` names what is not."""
    tenant.fails_after(1, "POST /price_points", "status", status=500)

    reply = imported(api, file(HEADER, row("winter"), row("monthly-premium")))

    assert reply.status_code == 200
    missing = reply.json()["missing"]
    assert reply.json() == {
        "inserted": None,
        "skipped_existing": ["monthly-premium"],
        "absent": None,
        "missing": missing,
    }
    assert [(part["part"], part["problem"]["code"]) for part in missing] == [
        ("inserted", "upstream_error"),
        ("absent", "upstream_error"),
    ]
    assert tenant.calls("POST /pp/import_csv") == 1


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "empty", "truncated"])
def test_a_lost_answer_is_never_called_a_failure(api: httpx.Client, tenant: Tenant, kind: str) -> None:
    """The file was sent once; whether it was taken is unknown."""
    tenant.fails("POST /pp/import_csv", kind)

    reply = imported(api, file(HEADER, row("winter")))

    assert (reply.status_code, reply.json()["code"], reply.json()["outcome"]) == (504, "outcome_unknown", "unknown")
    assert tenant.calls("POST /pp/import_csv") == 1


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "text/csv; charset=windows-1252",
        "text/csv; charset=utf-16",
    ],
)
def test_only_csv_in_utf_8_is_read(api: httpx.Client, tenant: Tenant, media_type: str | None) -> None:
    """What is called something else is refused before it is looked at."""
    reply = imported(api, file(HEADER, row("winter")), media_type)

    assert (reply.status_code, reply.json()["code"]) == (415, "unsupported_media_type")
    assert tenant.calls("POST /pp/import_csv") == 0


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        (b"", {"/1": "Line 1: The file is empty."}),
        (codecs.BOM_UTF8, {"/1": "Line 1: The file is empty."}),
        (b"\n\r\n\n", {"/1": "Line 1: The file is empty."}),
        (b"ident,price\n", {"/2": "Line 2: There is no row below the header."}),
        (b"name,price\na,1\n", {"/1/ident": "Line 1: The header has no column of this name."}),
        (b"Ident\na\n", {"/1/ident": "Line 1: The header has no column of this name."}),
        (b"ident;price\na;1\n", {"/1/ident": "Line 1: The header has no column of this name."}),
        (
            b"ident, ,price,,price\na,1,2,3,4\n",
            {
                "/1/2": "Line 1: Column 2 has no name.",
                "/1/4": "Line 1: Column 4 has no name.",
                "/1/price": "Line 1: The header has this column twice.",
            },
        ),
        (
            b"ident,a/b~c\na,=1\n",
            {"/2/a~1b~0c": "Line 2: The cell begins a formula."},
        ),
        (
            b"ident,price\na\nb,1,2\n\nc,1\n",
            {
                "/2": "Line 2: The row has 1 cells, the header 2.",
                "/3": "Line 3: The row has 3 cells, the header 2.",
            },
        ),
        (
            b'ident,note\na,"one\ntwo"\n\nb b,x\na,y\n',
            {
                "/5/ident": "Line 5: Expected 1 to 256 of A-Z, a-z, 0-9, _ and -.",
                "/6/ident": "Line 6: The same ident as on line 2.",
            },
        ),
        (b"ident,note\n,x\n", {"/2/ident": "Line 2: Expected 1 to 256 of A-Z, a-z, 0-9, _ and -."}),
        (b'ident\n"a\n"\n', {"/2/ident": "Line 2: Expected 1 to 256 of A-Z, a-z, 0-9, _ and -."}),
        (
            b"ident\n" + b"a" * 257 + b"\n",
            {"/2/ident": "Line 2: Expected 1 to 256 of A-Z, a-z, 0-9, _ and -."},
        ),
        (
            b'ident,note\nb c,1\na,"x"y\nd e,1\n',
            {
                "/2/ident": "Line 2: Expected 1 to 256 of A-Z, a-z, 0-9, _ and -.",
                "/3": "Line 3: The row can't be read: ',' expected after '\"'.",
            },
        ),
        (
            b'ident,note\na,"x\nb,y\nc,z\n',
            {"/2": "Line 2: The row can't be read: unexpected end of data."},
        ),
        (b'"ident\na\n', {"/1": "Line 1: The row can't be read: unexpected end of data."}),
        (b'ident,note\na,b"c"\n', {"/2": "Line 2: The row can't be read: a quote stands where none can."}),
        (b"ident,note\na,x\0y\n", {"/2/note": "Line 2: The cell holds a NUL."}),
        (
            b"ident,note\na\0,x\n",
            {"/2/ident": "Line 2: Expected 1 to 256 of A-Z, a-z, 0-9, _ and -."},
        ),
        (
            b"ident,note\na,x\nb,caf\xe9\nc,caf\xc3\xa9\nd,\xff\n",
            {"/3": "Line 3: Byte 6 is not UTF-8.", "/5": "Line 5: Byte 3 is not UTF-8."},
        ),
        (
            "ident\nsömmer".encode("utf-16"),
            {"/1": "Line 1: Byte 1 is not UTF-8.", "/2": "Line 2: Byte 4 is not UTF-8."},
        ),
        (
            b"ident,note\na," + b"x" * 131_073 + b"\n",
            {"/2": "Line 2: The row can't be read: field larger than field limit (131072)."},
        ),
    ],
)
def test_a_file_with_faults_is_refused_by_line(
    api: httpx.Client, tenant: Tenant, content: bytes, faults: dict[str, str]
) -> None:
    """Each fault points to its line, and to its column where there is one; nothing is sent."""
    reply = imported(api, content)

    assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
    assert {fault["pointer"]: fault["detail"] for fault in reply.json()["errors"]} == faults
    assert tenant.calls("POST /pp/import_csv") == 0


@pytest.mark.parametrize("begin", ["=1+1", "+1", "-1", "@SUM(A1)", '"\t=1"', '"\r=1"', '"\n=1"', '"=1,2"', "-"])
def test_a_cell_that_begins_a_formula_is_refused(api: httpx.Client, tenant: Tenant, begin: str) -> None:
    """Somebody opens the next export in a spreadsheet; no price is negative, so nothing is lost."""
    content = f"ident,note\na,{begin}\n".encode()

    reply = imported(api, content)

    assert reply.status_code == 422
    assert [(fault["pointer"], fault["detail"]) for fault in reply.json()["errors"]] == [
        ("/2/note", "Line 2: The cell begins a formula.")
    ]
    assert tenant.calls("POST /pp/import_csv") == 0


def test_a_header_may_not_begin_a_formula_either(api: httpx.Client) -> None:
    """A column's name is a cell like any other."""
    reply = imported(api, b"ident,=cmd\na,1\n")

    assert [fault["pointer"] for fault in reply.json()["errors"]] == ["/1/=cmd"]


def test_no_more_faults_are_told_than_anyone_reads(api: httpx.Client) -> None:
    """A hundred of them, the first ones."""
    reply = imported(api, file("ident", *("a b" for _ in range(5000))))

    assert reply.status_code == 422
    assert [fault["pointer"] for fault in reply.json()["errors"]] == [f"/{line}/ident" for line in range(2, 102)]


def test_a_hundred_thousand_rows_are_read(api: httpx.Client, tenant: Tenant) -> None:
    """Up to 8 MiB in one file; here a vendor takes it and keeps none."""
    tenant.fails("POST /pp/import_csv", "status", status=200, body='{"status":"success","data":{}}')
    idents = [f"winter-sale-{number:06}" for number in range(100_000)]
    content = file("ident,next_price,note", *(f'{ident},9.99,"{"x" * 50}"' for ident in idents), end="\n")

    reply = imported(api, content)

    assert 7_500_000 < len(content) <= 8 * 1024 * 1024
    assert reply.status_code == 200
    assert reply.json() == {"inserted": [], "skipped_existing": [], "absent": idents, "missing": []}


@pytest.mark.parametrize("announced", [True, False])
def test_a_larger_file_is_refused(api: httpx.Client, tenant: Tenant, *, announced: bool) -> None:
    """One byte over 8 MiB is too much, whether its length is announced or not."""
    content = b"ident,note\na,".ljust(8 * 1024 * 1024 + 1, b"x")

    reply = imported(api, content if announced else iter((content,)))

    assert (reply.status_code, reply.json()["code"]) == (413, "content_too_large")
    assert tenant.calls("POST /pp/import_csv") == 0
