"""The operations of the document."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from routes.docs.html import Html, joined, tag


class Operation(NamedTuple):
    """One method of one path, as the document has it."""

    method: str
    path: str
    told: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Its `operationId`, which is also its place on the page."""
        return str(self.told["operationId"])

    @property
    def line(self) -> Html:
        """Its method and its path."""
        method = tag("span", self.method, class_=f"method {self.method.lower()}")
        # It breaks before a slash, where it must.
        steps = [part for step in self.path[1:].split("/") for part in (tag("wbr"), f"/{step}")]
        return joined([method, " ", tag("code", *steps[1:])])


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """All of a document, in its order."""
    return [
        Operation(method.upper(), path, told)
        for path, item in document["paths"].items()
        for method, told in item.items()
    ]


def codes(operation: Operation, document: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """What the operation may answer but for a success: each status, and its problems."""
    found = []
    for status, answer in operation.told["responses"].items():
        if "$ref" in answer:
            named = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            found.append((status, named["x-codes"]))
    return found
