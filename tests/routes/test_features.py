"""What callers see when they add features."""

from typing import Any

import httpx
import pytest

from tests.support.gateway import Tenant


@pytest.mark.parametrize("feature_type", ["timebased", "lifetime", "consumable"])
def test_a_new_feature_is_answered_as_it_reads(api: httpx.Client, feature_type: str) -> None:
    """The answer is what the list shows from then on."""
    reply = api.post("/v1/features", json={"ident": "winter_Radio-1", "feature_type": feature_type})

    assert reply.status_code == 201
    assert reply.json() == {"ident": "winter_Radio-1", "feature_type": feature_type, "missing": []}
    assert {"ident": "winter_Radio-1", "feature_type": feature_type} in api.get("/v1/features").json()["data"]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/feature_type", "/ident"]),
        ({"ident": "winter radio", "feature_type": "eternal", "title": "Radio"}, ["/feature_type", "/ident", "/title"]),
        ({"ident": "radio\n", "feature_type": "lifetime"}, ["/ident"]),
        ({"ident": "a" * 257, "feature_type": "lifetime"}, ["/ident"]),
        ({"ident": "", "feature_type": None}, ["/feature_type", "/ident"]),
        ({"ident": 7, "feature_type": 7}, ["/feature_type", "/ident"]),
    ],
)
def test_what_is_no_feature_stops_at_our_door(
    api: httpx.Client, tenant: Tenant, body: dict[str, Any], pointers: list[str]
) -> None:
    """Every fault at once, and the vendor is not called."""
    reply = api.post("/v1/features", json=body)

    assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
    assert sorted(fault["pointer"] for fault in reply.json()["errors"]) == pointers
    assert tenant.calls("POST /feature/create") == 0


def test_an_existing_feature_is_refused_by_the_vendor(api: httpx.Client) -> None:
    """How the vendor refuses it is not documented; its words are passed on."""
    reply = api.post("/v1/features", json={"ident": "premium-access", "feature_type": "timebased"})

    assert (reply.status_code, reply.json()["code"]) == (422, "upstream_rejected")


@pytest.mark.parametrize(
    ("details", "code"),
    [
        ({"status": 500}, "upstream_error"),
        ({"status": 200, "body": '{"features":[{"ident":"another"}]}'}, "not_found"),
    ],
)
def test_a_feature_that_cannot_be_read_back_is_created_all_the_same(
    api: httpx.Client, tenant: Tenant, details: dict[str, Any], code: str
) -> None:
    """The write holds; what could not be read is null, and `missing` says why."""
    tenant.fails("POST /features", "status", **details)

    reply = api.post("/v1/features", json={"ident": "radio", "feature_type": "lifetime"})

    assert reply.status_code == 201
    missing = reply.json()["missing"]
    assert reply.json() == {"ident": "radio", "feature_type": None, "missing": missing}
    assert [(part["part"], part["problem"]["code"]) for part in missing] == [("feature", code)]


def test_a_lost_answer_is_never_called_a_failure(api: httpx.Client, tenant: Tenant) -> None:
    """It was created here, and the caller is told to look."""
    tenant.fails("POST /feature/create", "drop_after", times=1)

    reply = api.post("/v1/features", json={"ident": "radio", "feature_type": "lifetime"})

    assert (reply.status_code, reply.json()["code"], reply.json()["outcome"]) == (504, "outcome_unknown", "unknown")
    assert "radio" in [row["ident"] for row in api.get("/v1/features").json()["data"]]
    assert tenant.calls("POST /feature/create") == 1
