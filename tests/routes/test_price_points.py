"""What callers see when they write price points."""

from typing import Any

import httpx
import pytest

from tests.support.gateway import Tenant

USD = {"code": "USD", "minor_units": 2, "title": "US Dollar", "symbol": "$"}

NOTHING = {
    "lifetime_price": None,
    "intro_free_trial_period": None,
    "intro_free_trial_period_duration": None,
    "intro_paid_trial_price": None,
    "intro_paid_trial_period": None,
    "intro_paid_trial_period_duration": None,
    "next_price": None,
    "next_period": None,
    "next_period_duration": None,
}

YEARLY = {
    "ident": "yearly-winter",
    "currency_code": "USD",
    "intro_type": "no_intro",
    "features": ["premium-access", "workout-plans"],
    "next_price": "49.90",
    "next_period": 1,
    "next_period_duration": "years",
}

TRIAL = YEARLY | {
    "ident": "trial-winter",
    "intro_type": "paid_trial",
    "intro_paid_trial_price": "0.5",
    "intro_paid_trial_period": 3,
    "intro_paid_trial_period_duration": "days",
    "descriptor": "Winter 2.0_a-b",
}

LIFETIME = {
    "ident": "-_Life1",
    "currency_code": "KWD",
    "intro_type": "no_intro",
    "features": ["lifetime-access"],
    "lifetime_price": "12.345",
}


def pointers(reply: httpx.Response) -> list[str]:
    """Where a refused body is wrong."""
    return sorted(fault["pointer"] for fault in reply.json()["errors"])


@pytest.mark.parametrize("sent", [YEARLY, TRIAL, LIFETIME], ids=["plain", "paid trial", "one-off"])
def test_a_new_price_point_is_answered_as_it_reads(api: httpx.Client, sent: dict[str, Any]) -> None:
    """The answer to the write is what a read gives, `missing` aside, and Location leads there."""
    reply = api.post("/v1/price-points", json=sent)

    assert reply.status_code == 201
    assert reply.headers["location"] == f"/v1/price-points/{sent['ident']}"
    read = api.get(reply.headers["location"])
    assert reply.json() == read.json() | {"missing": []}


def test_what_is_written_is_what_was_asked_for(api: httpx.Client) -> None:
    """Every member that was given comes back, amounts with the currency's digits, and all others are null."""
    reply = api.post("/v1/price-points", json=TRIAL)

    assert reply.json() == NOTHING | {
        "ident": "trial-winter",
        "currency": USD,
        "intro_type": "paid_trial",
        "features": [{"ident": "premium-access"}, {"ident": "workout-plans"}],
        "intro_paid_trial_price": "0.50",
        "intro_paid_trial_period": 3,
        "intro_paid_trial_period_duration": "days",
        "next_price": "49.90",
        "next_period": 1,
        "next_period_duration": "years",
        "missing": [],
    }


def test_null_says_the_same_as_leaving_out_when_creating(api: httpx.Client) -> None:
    """A client that writes out every member is understood."""
    reply = api.post("/v1/price-points", json=NOTHING | YEARLY)

    assert reply.status_code == 201
    assert (reply.json()["lifetime_price"], reply.json()["next_price"]) == (None, "49.90")


@pytest.mark.parametrize(
    ("wrong", "faults"),
    [
        ({"ident": "winter sale"}, ["/ident"]),
        ({"ident": ""}, ["/ident"]),
        ({"ident": "a" * 257}, ["/ident"]),
        ({"ident": "winter\n"}, ["/ident"]),
        ({"ident": "wînter"}, ["/ident"]),
        ({"descriptor": "A" * 23}, ["/descriptor"]),
        ({"descriptor": "WINTER\n"}, ["/descriptor"]),
        ({"descriptor": "WINTER*"}, ["/descriptor"]),
        ({"descriptor": None}, ["/descriptor"]),
        ({"currency_code": ""}, ["/currency_code"]),
        ({"currency_code": None}, ["/currency_code"]),
        ({"intro_type": "half_trial"}, ["/intro_type"]),
        ({"features": "premium-access,workout-plans"}, ["/features"]),
        ({"features": ["premium-access", "a b", 7]}, ["/features/1", "/features/2"]),
        ({"next_period": 0}, ["/next_period"]),
        ({"next_period": -1}, ["/next_period"]),
        ({"next_period": 1.5}, ["/next_period"]),
        ({"next_period": "1"}, ["/next_period"]),
        ({"next_period": True}, ["/next_period"]),
        ({"next_period": 2**31}, ["/next_period"]),
        ({"next_period_duration": "fortnights"}, ["/next_period_duration"]),
        ({"colour": "red"}, ["/colour"]),
        ({"vendor_fields": {}}, ["/vendor_fields"]),
    ],
)
def test_what_the_vendor_would_refuse_stops_at_our_door(
    api: httpx.Client, tenant: Tenant, wrong: dict[str, Any], faults: list[str]
) -> None:
    """Patterns, ranges and closed sets that the vendor documents are checked before it is called."""
    reply = api.post("/v1/price-points", json=YEARLY | wrong)

    assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
    assert pointers(reply) == faults
    assert tenant.calls("POST /pp/create") == 0


@pytest.mark.parametrize(
    "amount",
    [
        "1e3",
        "1E3",
        "-1",
        "+1",
        "NaN",
        "Infinity",
        "0.001",
        "9.999",
        "9.900",
        "0",
        "0.00",
        "",
        " 1",
        "1 ",
        "1\n",
        "1.",
        ".5",
        "1,5",
        "1_000",
        "0x10",
        "$5",
        "٣",
        "1.5.0",
        "9" * 16,
        "9" * 5000,
        9.99,
        5,
        True,
    ],
)
@pytest.mark.parametrize("method", ["post", "patch"])
def test_what_is_no_amount_is_no_price(api: httpx.Client, tenant: Tenant, amount: object, method: str) -> None:
    """A price is a plain decimal string above zero, with the currency's digits at most; never a float."""
    if method == "post":
        reply = api.post("/v1/price-points", json=YEARLY | {"next_price": amount})
    else:
        reply = api.patch("/v1/price-points/monthly-premium", json={"next_price": amount})

    assert reply.status_code == 422
    assert pointers(reply) == ["/next_price"]
    assert tenant.calls("POST /pp/create") + tenant.calls("POST /pp/update") == 0


@pytest.mark.parametrize(
    ("currency", "amount", "refused"),
    [
        ("JPY", "980", False),
        ("JPY", "980.0", True),
        ("jpy", "980.5", True),
        ("KWD", "1.234", False),
        ("KWD", "1.2345", True),
        ("USD", "1.23", False),
        ("USD", "1.234", True),
        ("CLF", "1.2345", False),
        ("GOLD", "1.234567", False),
    ],
)
def test_amounts_have_the_digits_of_their_currency(
    api: httpx.Client, tenant: Tenant, currency: str, amount: str, *, refused: bool
) -> None:
    """Yen have none, dinars three; a currency that is none of ISO 4217 is left to the vendor."""
    api.post("/v1/price-points", json=YEARLY | {"currency_code": currency, "next_price": amount})

    assert tenant.calls("POST /pp/create") == (0 if refused else 1)


@pytest.mark.parametrize(
    ("wrong", "faults"),
    [
        ({"next_period": None}, ["/next_period"]),
        ({"next_period_duration": None}, ["/next_period_duration"]),
        ({"next_price": None, "next_period": None}, ["/next_period", "/next_price"]),
        ({"lifetime_price": "99"}, ["/next_period", "/next_period_duration", "/next_price"]),
        (
            {"intro_type": "free_trial"},
            ["/intro_free_trial_period", "/intro_free_trial_period_duration"],
        ),
        (
            {"intro_type": "free_trial", "intro_free_trial_period": 7},
            ["/intro_free_trial_period_duration"],
        ),
        ({"intro_free_trial_period": 7}, ["/intro_free_trial_period"]),
        (
            {"intro_type": "paid_trial", "intro_paid_trial_price": "1", "intro_free_trial_period_duration": "days"},
            [
                "/intro_free_trial_period_duration",
                "/intro_paid_trial_period",
                "/intro_paid_trial_period_duration",
            ],
        ),
        (
            {"lifetime_price": "0.00", "intro_type": "paid_trial", "intro_paid_trial_price": "0.001"},
            [
                "/intro_paid_trial_price",
                "/intro_type",
                "/lifetime_price",
                "/next_period",
                "/next_period_duration",
                "/next_price",
            ],
        ),
    ],
)
def test_members_that_contradict_each_other_are_all_named(
    api: httpx.Client, tenant: Tenant, wrong: dict[str, Any], faults: list[str]
) -> None:
    """Each member is right by itself; together they make no price point."""
    reply = api.post("/v1/price-points", json=YEARLY | wrong)

    assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
    assert pointers(reply) == faults
    assert tenant.calls("POST /pp/create") == 0


def test_every_fault_is_told_at_once(api: httpx.Client, tenant: Tenant) -> None:
    """One answer is enough to mend the whole body."""
    body = {
        "ident": "winter sale",
        "intro_type": "half",
        "features": ["a b", "c d"],
        "lifetime_price": "1e3",
        "next_period": 0,
        "next_period_duration": "eons",
        "descriptor": "*",
        "color": "red",
    }

    reply = api.post("/v1/price-points", json=body)

    assert pointers(reply) == [
        "/color",
        "/currency_code",
        "/descriptor",
        "/features/0",
        "/features/1",
        "/ident",
        "/intro_type",
        "/lifetime_price",
        "/next_period",
        "/next_period_duration",
    ]
    assert tenant.calls("POST /pp/create") == 0


def test_a_refusal_says_what_is_needed(api: httpx.Client) -> None:
    """The whole answer to a contradiction."""
    reply = api.post("/v1/price-points", json=YEARLY | {"next_price": "0.001", "intro_free_trial_period": 7})

    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json() == {
        "type": "/problems/validation_failed",
        "title": "Validation failed",
        "status": 422,
        "detail": "The price point contradicts itself, or an amount is none.",
        "instance": "/v1/price-points",
        "code": "validation_failed",
        "request_id": reply.headers["x-request-id"],
        "trace_id": reply.json()["trace_id"],
        "retryable": False,
        "errors": [
            {"pointer": "/intro_free_trial_period", "detail": "Not with intro_type no_intro."},
            {"pointer": "/next_price", "detail": "USD has 2 digits after the point."},
        ],
    }


@pytest.mark.parametrize(
    "unknown",
    [{"currency_code": "XTS"}, {"features": ["no-such-feature"]}, {"features": []}, {"ident": "monthly-premium"}],
)
def test_what_only_the_vendor_knows_is_left_to_it(api: httpx.Client, tenant: Tenant, unknown: dict[str, Any]) -> None:
    """Its refusal is passed on in its own words."""
    reply = api.post("/v1/price-points", json=YEARLY | unknown)

    assert (reply.status_code, reply.json()["code"]) == (422, "upstream_rejected")
    assert reply.json()["upstream"]["name"] == "funnelfox"
    assert tenant.calls("POST /pp/create") == 1


def test_a_price_point_that_cannot_be_read_back_is_created_all_the_same(api: httpx.Client, tenant: Tenant) -> None:
    """The write holds; what could not be read is null, and `missing` says why."""
    tenant.fails("POST /price_points", "status", status=503)

    reply = api.post("/v1/price-points", json=YEARLY)

    assert reply.status_code == 201
    problem = reply.json()["missing"][0]["problem"]
    assert reply.json() == NOTHING | {
        "ident": "yearly-winter",
        "currency": None,
        "intro_type": None,
        "features": None,
        "missing": [
            {
                "part": "price_point",
                "problem": {
                    "type": "/problems/upstream_error",
                    "title": "Vendor failure",
                    "status": 502,
                    "detail": "The vendor answered 503.",
                    "instance": "/v1/price-points",
                    "code": "upstream_error",
                    "request_id": reply.headers["x-request-id"],
                    "trace_id": problem["trace_id"],
                    "retryable": True,
                    "upstream": problem["upstream"],
                },
            }
        ],
    }
    assert problem["upstream"]["status"] == 503
    assert tenant.calls("POST /pp/create") == 1


def test_a_price_point_that_is_not_listed_yet_is_created_all_the_same(api: httpx.Client, tenant: Tenant) -> None:
    """The vendor said yes, whatever its list says."""
    tenant.fails("POST /price_points", "status", status=200, body='{"price_points":[{"ident":"another"}]}')

    reply = api.post("/v1/price-points", json=YEARLY)

    assert (reply.status_code, reply.json()["ident"], reply.json()["next_price"]) == (201, "yearly-winter", None)
    assert [(part["part"], part["problem"]["code"]) for part in reply.json()["missing"]] == [
        ("price_point", "not_found")
    ]


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "truncated", "empty", "html"])
def test_a_lost_answer_is_never_called_a_failure(api: httpx.Client, tenant: Tenant, kind: str) -> None:
    """Whether it was written is unknown, and nothing is sent twice."""
    tenant.fails("POST /pp/create", kind)
    tenant.fails("POST /pp/update", kind)

    created = api.post("/v1/price-points", json=YEARLY)
    changed = api.patch("/v1/price-points/monthly-premium", json={"descriptor": "PREMIUM"})

    for reply in (created, changed):
        assert (reply.status_code, reply.json()["code"], reply.json()["outcome"]) == (504, "outcome_unknown", "unknown")
    assert (tenant.calls("POST /pp/create"), tenant.calls("POST /pp/update")) == (1, 1)


@pytest.mark.parametrize(
    ("ident", "change", "expected"),
    [
        ("monthly-premium", {"next_price": "11.99"}, {"next_price": "11.99"}),
        ("monthly-premium", {"next_price": "11.9", "currency_code": "USD"}, {"next_price": "11.90"}),
        ("monthly-premium", {"descriptor": "PREMIUM"}, {}),
        (
            "monthly-premium",
            {"features": ["premium-access", "workout-plans"]},
            {"features": [{"ident": "premium-access"}, {"ident": "workout-plans"}]},
        ),
        (
            "monthly-premium",
            {"intro_type": "no_intro", "intro_free_trial_period": None, "intro_free_trial_period_duration": None},
            {"intro_type": "no_intro", "intro_free_trial_period": None, "intro_free_trial_period_duration": None},
        ),
        (
            "lifetime",
            {"lifetime_price": None, "next_price": "5", "next_period": 2, "next_period_duration": "weeks"},
            {"lifetime_price": None, "next_price": "5.00", "next_period": 2, "next_period_duration": "weeks"},
        ),
        (
            "monthly-premium",
            {"next_price": "12.00", "vendor_fields": {"next_price": "1.00", "ident": "lifetime", "tax_code": [1]}},
            {"next_price": "12.00"},
        ),
        ("monthly-premium", {"vendor_fields": {"tax_code": None}}, {}),
    ],
)
def test_a_change_changes_what_it_names(
    api: httpx.Client, tenant: Tenant, ident: str, change: dict[str, Any], expected: dict[str, Any]
) -> None:
    """
    What is left out stays, null empties, and vendor_fields never override a
    member that is known; the answer is the price point as it is then.
    """
    before = api.get(f"/v1/price-points/{ident}").json()

    reply = api.patch(f"/v1/price-points/{ident}", json=change)

    assert reply.status_code == 200
    assert reply.json() == before | expected | {"missing": []}
    assert api.get(f"/v1/price-points/{ident}").json() == before | expected
    assert tenant.calls("POST /pp/update") == 1


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({}, [""]),
        ({"vendor_fields": {}}, [""]),
        ({"vendor_fields": {"next_price": "1.00", "ident": "x"}}, [""]),
        ({"ident": "another"}, ["/ident"]),
        ({"intro_type": None, "currency_code": None}, ["/currency_code", "/intro_type"]),
        ({"features": None, "descriptor": None}, ["/descriptor", "/features"]),
        ({"vendor_fields": [1], "next_period": 0}, ["/next_period", "/vendor_fields"]),
        ({"next_period": 1, "next_period_duration": None}, ["/next_period_duration"]),
        ({"intro_free_trial_period": None, "intro_free_trial_period_duration": "days"}, ["/intro_free_trial_period"]),
        ({"intro_type": "no_intro", "intro_paid_trial_price": "1"}, ["/intro_paid_trial_price"]),
        ({"intro_type": "free_trial", "intro_free_trial_period": None}, ["/intro_free_trial_period"]),
        ({"lifetime_price": "5", "next_price": "5"}, ["/next_price"]),
        ({"lifetime_price": None, "next_price": None}, ["/next_price"]),
        ({"lifetime_price": "5", "intro_type": "free_trial"}, ["/intro_type"]),
        ({"currency_code": "JPY", "next_price": "5.5"}, ["/next_price"]),
    ],
)
def test_a_change_that_says_nothing_or_contradicts_itself_is_refused(
    api: httpx.Client, tenant: Tenant, change: dict[str, Any], faults: list[str]
) -> None:
    """Only what is in the change is judged here; what does not fit the price point, the vendor finds."""
    reply = api.patch("/v1/price-points/monthly-premium", json=change)

    assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
    assert pointers(reply) == faults
    assert tenant.calls("POST /pp/update") == 0


def test_a_change_is_judged_by_the_currency_that_the_price_point_has(api: httpx.Client, tenant: Tenant) -> None:
    """Half a yen is refused though the change does not name the currency."""
    reply = api.patch("/v1/price-points/weekly-jpy", json={"next_price": "980.5"})

    assert reply.status_code == 422
    assert reply.json()["errors"][0]["detail"] == "JPY has 0 digits after the point."
    assert tenant.calls("POST /pp/update") == 0


def test_a_change_that_does_not_fit_is_refused_by_the_vendor(api: httpx.Client) -> None:
    """The price point has a free trial; that the change forgets to end it only the vendor sees."""
    reply = api.patch("/v1/price-points/monthly-premium", json={"intro_type": "no_intro"})

    assert (reply.status_code, reply.json()["code"]) == (422, "upstream_rejected")


@pytest.mark.parametrize(("ident", "calls"), [("no-such", 1), ("no%20such", 0), ("a%2Fb", 0), ("a%0A", 0)])
def test_an_unknown_price_point_cannot_be_changed(api: httpx.Client, tenant: Tenant, ident: str, calls: int) -> None:
    """What can't be a name of the vendor's is not even asked for."""
    reply = api.patch(f"/v1/price-points/{ident}", json={"descriptor": "PREMIUM"})

    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert tenant.calls("POST /pp/update") == calls


def test_a_change_that_cannot_be_read_back_is_made_all_the_same(api: httpx.Client, tenant: Tenant) -> None:
    """Also where the currency could not be read before: then the vendor alone checks the amount."""
    tenant.fails("POST /price_points", "status", status=500)

    reply = api.patch("/v1/price-points/monthly-premium", json={"next_price": "11.99"})

    assert reply.status_code == 200
    assert reply.json() == NOTHING | {
        "ident": "monthly-premium",
        "currency": None,
        "intro_type": None,
        "features": None,
        "missing": reply.json()["missing"],
    }
    assert [(part["part"], part["problem"]["code"]) for part in reply.json()["missing"]] == [
        ("price_point", "upstream_error")
    ]
    assert tenant.calls("POST /pp/update") == 1


def test_a_price_point_may_be_called_import(api: httpx.Client) -> None:
    """The name of a route below is a name like any other."""
    created = api.post("/v1/price-points", json=YEARLY | {"ident": "import"})

    changed = api.patch(created.headers["location"], json={"next_price": "1.00"})

    assert (changed.status_code, changed.json()["next_price"]) == (200, "1.00")
    assert api.get("/v1/price-points/import").json()["ident"] == "import"


def test_writing_needs_its_scope(tenant: Tenant) -> None:
    """Who may only read the catalog changes nothing."""
    with tenant.client(["catalog:read"]) as reader:
        replies = [
            reader.post("/v1/price-points", json=YEARLY),
            reader.patch("/v1/price-points/monthly-premium", json={"next_price": "1"}),
            reader.post("/v1/price-points/import", content=b"ident\na\n", headers={"content-type": "text/csv"}),
            reader.post("/v1/features", json={"ident": "a", "feature_type": "lifetime"}),
        ]

    assert [reply.status_code for reply in replies] == [403] * 4
    assert all('scope="catalog:write"' in reply.headers["www-authenticate"] for reply in replies)
    assert tenant.calls("POST /pp/create") + tenant.calls("POST /pp/update") + tenant.calls("POST /pp/import_csv") == 0
