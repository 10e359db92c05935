"""The API document: what tools make of our routes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from gateway.app import document
from gateway.problems import catalogue
from tests.support import examples

DOCUMENT = document()

OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}


def test_names_are_clean_and_prose_is_whole() -> None:
    """What generators turn into method and type names, and people read first."""
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) for name in DOCUMENT["components"]["schemas"])
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]*)+", name) for name in OPERATIONS)
    assert len(OPERATIONS) == sum(len(item) for item in DOCUMENT["paths"].values())
    for _, _, operation in OPERATIONS.values():
        assert not operation["summary"].endswith(".")
        assert operation["description"]
        assert all(
            "Request fulfilled" not in answer.get("description", "") for answer in operation["responses"].values()
        )


def test_absent_parameters_are_absent_and_not_null() -> None:
    """A query can't say null, and bounds of integers are integers."""
    parameters = [each for _, _, operation in OPERATIONS.values() for each in operation.get("parameters", ())]

    assert parameters
    assert '"null"' not in json.dumps(parameters)
    assert not re.search(r"\d\.\d", json.dumps([each["schema"] for each in parameters]))


def test_a_key_is_demanded_where_money_moves_and_may_be_sent_with_every_other_write() -> None:
    """A client that is made from the document can leave it out wherever the gateway does not insist on it."""
    keys = {
        name: parameter["required"]
        for name, (_, _, operation) in OPERATIONS.items()
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "Idempotency-Key"
    }

    demanded = {name for name, required in keys.items() if required}
    assert demanded == {
        "createPayment",
        "resumePayment",
        "payWithOneClick",
        "createRefund",
        "discountSubscription",
    }
    assert {"createDomain", "createCheckoutSession", "createToken", "migrateSubscription"} <= keys.keys() - demanded


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_an_example(name: str) -> None:
    """Of its body, of each identifier in its path, and of its success."""
    _, _, operation = OPERATIONS[name]

    for parameter in operation.get("parameters", ()):
        assert parameter["in"] != "path" or parameter["examples"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert content["examples"]
    for status, answer in operation["responses"].items():
        if status in {"200", "201"} and "content" in answer:
            assert any("examples" in content for content in answer["content"].values())


def shown() -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Each example with its place and its schema."""
    for name, (_, _, operation) in OPERATIONS.items():
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (content for part in contents for content in part.get("content", {}).values()):
            for title, example in content.get("examples", {}).items():
                yield f"{name}: {title}", content["schema"], example["value"]
        for parameter in operation.get("parameters", ()):
            for example in parameter.get("examples", {}).values():
                yield f"{name}: {parameter['name']}", parameter["schema"], example["value"]
    for code, example in DOCUMENT["components"]["examples"].items():
        yield code, {"$ref": "#/components/schemas/ProblemBody"}, example["value"]


def test_every_example_is_as_its_schema_says() -> None:
    """Nobody is shown what would be refused, or what never comes."""
    for place, schema, value in shown():
        validator = Draft202012Validator(
            schema | {"components": DOCUMENT["components"]}, format_checker=FormatChecker()
        )
        assert [f"{place}: {error.message}" for error in validator.iter_errors(value)] == []


def test_the_examples_are_what_the_sandbox_answers() -> None:
    """They are captured and never written: `make openapi-examples` gives the committed ones."""
    assert examples.written() == Path("gateway/openapi/examples.json").read_text()


def test_every_problem_is_answered_somewhere() -> None:
    """What no operation names can be met only where there is no operation."""
    named = {code for answer in DOCUMENT["components"]["responses"].values() for code in answer["x-codes"]}

    assert {problem.code for problem in catalogue()} - named == {"method_not_allowed"}


def test_answers_tell_of_their_headers() -> None:
    """Of those that mean something to a program."""
    answers = DOCUMENT["components"]["responses"]

    for _, _, operation in OPERATIONS.values():
        for status, answer in operation["responses"].items():
            told = answers[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
            assert {"X-Request-Id", "Server-Timing"} <= told["headers"].keys()
            assert status not in {"401", "403"} or "WWW-Authenticate" in told["headers"]
            assert status != "503" or "Retry-After" in told["headers"]
    assert "Location" in OPERATIONS["createDomain"][2]["responses"]["201"]["headers"]


def test_limits_are_told_wherever_a_token_is_needed() -> None:
    """With each answer to a known caller, and with the refusal of one who asks too often; nowhere else."""
    for _, _, operation in OPERATIONS.values():
        limited = operation["security"] != []
        assert ("429" in operation["responses"]) is limited
        for status, answer in operation["responses"].items():
            if status.startswith("2"):
                assert ({"RateLimit", "RateLimit-Policy"} <= {*answer["headers"]}) is limited


def test_what_is_made_is_linked_to_what_takes_it() -> None:
    """So that tools can go on by themselves."""
    links = OPERATIONS["createDomain"][2]["responses"]["201"]["links"]

    assert links.keys() == {"getDomain", "deleteDomain", "refreshDomain"}
    assert links["getDomain"]["parameters"] == {"hostname": "$response.body#/hostname"}


def test_problems_of_helpers_are_found() -> None:
    """What a handler's functions raise, the handler answers."""
    answers = OPERATIONS["createPayment"][2]["responses"]

    assert answers["409"]["$ref"].endswith(
        "DoublePurchaseOrIdempotencyInProgressOrOperationInProgressOrPaymentCancelled"
    )
