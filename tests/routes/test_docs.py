"""What the gateway says about itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.problems import catalogue
from gateway.scopes import OWN_SCOPES
from tests.support.gateway import RunningGateway


@pytest.fixture
def anyone(gateway: RunningGateway) -> Iterator[httpx.Client]:
    """A client without a token."""
    with gateway.client() as client:
        yield client


def test_the_served_document_is_the_committed_one(anyone: httpx.Client) -> None:
    """What tools download is what reviewers have read, and it is valid OpenAPI."""
    committed = json.loads(Path("openapi/gateway.json").read_text())

    served = anyone.get("/openapi.json").json()

    assert served == committed
    OpenAPIV31SpecValidator(served).validate()


def test_every_operation_names_its_failures_and_scopes(anyone: httpx.Client) -> None:
    """Nobody has to guess what a call may answer, or which token it takes."""
    document = anyone.get("/openapi.json").json()

    for path, item in document["paths"].items():
        for operation in item.values():
            problems = {status for status in operation["responses"] if not status.startswith("2")}
            assert {"400", "422", "500"} <= problems
            if path.startswith("/v1/"):
                scopes, any_of = operation["x-scopes"], operation.get("x-scopes-any", [])
                assert scopes or any_of or path in {"/v1/me", "/v1/operations", "/v1/operations/{operation_id}"}
                assert {"401", "503"} <= problems
                assert {"403"} <= problems or not {*scopes, *any_of}
                assert {"502", "504"} <= problems or not {*scopes} - OWN_SCOPES
                ways = [[*scopes, one] for one in any_of] or [scopes]
                assert operation["security"] == [{"bearer": way} for way in ways]
                assert all(f"`{scope}`" in operation["description"] for scope in [*scopes, *any_of])


@pytest.mark.parametrize("code", [problem.code for problem in catalogue()])
def test_every_code_has_a_page(anyone: httpx.Client, code: str) -> None:
    """For people by default, for programs when they ask for JSON."""
    page = anyone.get(f"/problems/{code}")
    data = anyone.get(f"/problems/{code}", headers={"Accept": "application/json"})

    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert code in page.text
    assert data.json()["code"] == code
    assert all(data.json()[member] for member in ("title", "status", "meaning", "remedy"))


def test_a_code_has_one_status() -> None:
    """The catalogue has each code once."""
    codes = [problem.code for problem in catalogue()]

    assert len(codes) == len(set(codes)) > 25


def test_an_unknown_code_has_no_page(anyone: httpx.Client) -> None:
    """And what was asked for is not repeated in HTML."""
    reply = anyone.get("/problems/%3Cscript%3E")

    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


def test_the_index_lists_every_code(anyone: httpx.Client) -> None:
    """One place to read them all."""
    listed = anyone.get("/problems", headers={"Accept": "application/json"}).json()["data"]
    page = anyone.get("/problems")

    assert [row["code"] for row in listed] == [problem.code for problem in catalogue()]
    assert all(f'href="problems/{row["code"]}"' in page.text for row in listed)
