"""Whether a vendor's answer is as its document says."""

import json
from pathlib import Path
from typing import Any

import pytest

from clients.drift import Deviation, Sentinel
from clients.drift.comparison import deviations
from clients.errors import Operation
from tests.support import upstream_forms

DOMAINS = Operation("funnelflux", "GET /domains", "read")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "status": {"type": "string", "known": ["active", "pending"]},
        "count": {"type": ["integer", "null"]},
        "inner": {"oneOf": [{"$ref": "Inner"}, {"type": "null"}]},
        "rows": {"type": "array", "items": {"$ref": "Inner"}},
        "free": {"type": "object"},
        "open": {"type": "object", "properties": {}, "additionalProperties": True},
    },
}
SCHEMAS: dict[str, Any] = {
    "Base": {"type": "object", "required": ["a"], "properties": {"a": {"type": "boolean"}}},
    "Inner": {"allOf": [{"$ref": "Base"}], "properties": {"b": {"const": "x"}}},
}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"id": "1", "status": "active", "count": None, "inner": None, "rows": []}, []),
        ({"id": "1", "free": {"x": 1}, "open": {"y": 2}, "status": ""}, []),
        ({"id": "1", "new": 1}, [Deviation("unknown_field", "new")]),
        ({"id": "1", "rows": [{"a": True, "c": 1}, {"a": True, "c": 2}]}, [Deviation("unknown_field", "rows[].c")]),
        ({}, [Deviation("missing_field", "id")]),
        ({"id": "1", "inner": {"b": "x"}}, [Deviation("missing_field", "inner.a")]),
        ({"id": "1", "status": "frozen"}, [Deviation("new_value", "status", "frozen")]),
        ({"id": "1", "inner": {"a": False, "b": "y"}}, [Deviation("new_value", "inner.b", "y")]),
        ({"id": 1}, [Deviation("wrong_type", "id", "integer")]),
        ({"id": "1", "count": True}, [Deviation("wrong_type", "count", "boolean")]),
        ({"id": "1", "count": 1.0}, []),
        (None, [Deviation("wrong_type", "", "null")]),
        ([], [Deviation("wrong_type", "", "array")]),
    ],
)
def test_each_kind_of_deviation_is_found(body: object, found: list[Deviation]) -> None:
    """Unknown fields, missing ones, new values and other types; a null or an empty value where it may be is none."""
    assert deviations(body, SCHEMA, SCHEMAS) == found


@pytest.mark.parametrize(
    "text", ["ada@example.com", "4111111111111111", "sk-4111111111111111", "a b", "x" * 200, "3f0c8a52-6f0b", "ä"]
)
def test_what_may_be_somebodys_is_never_shown(text: str) -> None:
    """A customer's identifier used as a key, or an address in a status, is counted and not repeated."""
    found = deviations({"id": "1", "status": text, text: 1}, SCHEMA, SCHEMAS)

    assert {(one.kind, one.path, one.seen) for one in found} == {
        ("new_value", "status", ""),
        ("unknown_field", "?", ""),
    }


def test_a_hostile_answer_costs_no_failure() -> None:
    """Whatever comes, the sentinel says nothing or something, and never raises."""
    sentinel = Sentinel(lambda *_: None)

    for content in (b"", b"{", b"\xff", b"[" * 100_000, b'{"domains":' * 5000, b"x" * 300_000, b'{"domains": 5}'):
        sentinel.look(DOMAINS, content)
    sentinel.look(Operation("nobody", "GET /x", "read"), b"{}")


def test_all_of_the_first_answers_are_looked_at_and_then_a_few() -> None:
    """What a vendor changes is seen soon, and costs little for ever after."""
    told: list[Deviation] = []
    sentinel = Sentinel(lambda _, deviation: told.append(deviation), first=5, every=10)

    for _ in range(45):
        sentinel.look(DOMAINS, b'{"domains": [], "new": 1}')

    assert len(told) == 5 + 4


def test_the_forms_are_those_of_the_documents() -> None:
    """`make upstream-forms` writes them anew after a document has changed."""
    kept = Path("clients/drift/vendors.json").read_text(encoding="utf-8")

    assert json.loads(kept) == upstream_forms.forms()
    assert {vendor: len(one["operations"]) for vendor, one in json.loads(kept).items()} == {
        "funnelflux": 7,
        "funnelfox": 25,
    }
