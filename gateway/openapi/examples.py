"""What calls look like: captured on the sandbox, and one of each problem."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

import msgspec

from gateway.http.rfc9457 import Fault, Occurrence, Problem, UpstreamReference

_AT: Final = Occurrence("", "/v1/...", "req_Vq3nT0c9sKjT2mXbq1hZkQ", "4bf92f3577b34da6a3ce929d0e0e4736")
"""Where the problems of the document happened: nowhere."""


class Sent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request as it was sent."""

    path: dict[str, str] = {}
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    media_type: str | None = None
    body: Any = None


class Received(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer as it came, less what changes from one run to the next."""

    status: int
    headers: dict[str, str] = {}
    media_type: str | None = None
    body: Any = None

    @property
    def succeeded(self) -> bool:
        """Whether it is a success."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One call."""

    title: str
    sent: Sent
    received: Received

    @property
    def key(self) -> str:
        """The title as a name."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


Examples = Mapping[str, list[Example]]
"""By `operationId`."""


@cache
def captured() -> Examples:
    """The examples that came with this release."""
    text = files("gateway.openapi").joinpath("examples.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, list[Example]])


def of_problems(problems: Iterable[type[Problem]]) -> dict[str, Any]:
    """One example of each."""
    return {
        problem.code: {
            "summary": problem.title,
            "value": msgspec.json.decode(msgspec.json.encode(_occurred(problem).body(_AT))),
        }
        for problem in sorted(problems, key=lambda problem: problem.code)
    }


def _occurred(problem: type[Problem]) -> Problem:
    faults = [Fault("/member", "This member is missing.")] if problem.code == "validation_failed" else []
    spoke = problem.code.startswith("upstream_") or problem.outcome is not None
    return problem(
        " ".join((problem.__doc__ or problem.title).split()),
        faults=faults,
        upstream=UpstreamReference("vendor") if spoke else None,
    )
