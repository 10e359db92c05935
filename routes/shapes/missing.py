"""How an answer names what it lacks."""

import msgspec

from clients.errors import UpstreamError
from gateway.http.rfc9457 import Occurrence, Problem, ProblemBody
from gateway.problems import (
    problem_of,
)


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer that could not be had; the rest of the answer holds."""

    part: str
    """The member that is null."""
    problem: ProblemBody
    """Why, in the form that it would have had as an answer of its own."""

    @classmethod
    def of(cls, part: str, error: UpstreamError | Problem, at: Occurrence) -> "Missing":
        """`part` is missing because of `error`."""
        problem = problem_of(error) if isinstance(error, UpstreamError) else error
        return cls(part=part, problem=problem.body(at))
