"""Traces as text: what arrived, and what was expected, in the same form, so that the difference can be read."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

import msgspec

from tests.support.collector import Span, Value

_STATEMENT: Final = re.compile(r"(SELECT|INSERT|UPDATE|DELETE) [^'\"]+", re.DOTALL)
"""Values are not in it, and neither is text that could be one."""

_FORMS: Final[Mapping[str, tuple[str, str]]] = {
    "gateway.request_id": (r"req_[A-Za-z0-9_-]{22}", "<request id>"),
    "gateway.token_id": (r"tok_[0-9a-f]+", "<token id>"),
    "gateway.operation_id": (r"op_[0-9a-f]{32}", "<operation id>"),
    "gateway.upstream.request_id": (r"[0-9a-zA-Z_-]{8,64}", "<vendor's request id>"),
    "gateway.deadline.remaining": (r"(?!0\.0)\d{1,2}\.\d{1,3}", "<seconds>"),
    "server.port": (r"\d{4,5}", "<port>"),
}
"""What is never the same twice: the form of its value, and what stands for it."""


class Expected(msgspec.Struct, frozen=True):
    """A span that should be there, and those below it."""

    name: str
    kind: str
    attributes: Mapping[str, Value] = {}
    failed: bool = False
    links: tuple[str, ...] = ()
    """Each `trace 1: cache`: the trace's place among all of the journey, and the span's name."""
    below: tuple["Expected", ...] = ()


def expected(*roots: Expected) -> str:
    """The text of traces that should be there."""
    return "\n".join(f"trace {place}\n{_shown(root, 1)}" for place, root in enumerate(roots, 1))


def arrived(spans: Sequence[Span], *, without: frozenset[str] = frozenset()) -> str:
    """The text of traces that are there, in the order of their beginning.

    Args:
        spans: All that arrived.
        without: Names of first spans, whose traces are left out.
    """
    traces = [list(members) for _, members in groupby(sorted(spans, key=_trace), key=_trace)]
    roots = [_root(members) for members in traces]
    told = sorted(
        ((root, members) for root, members in zip(roots, traces, strict=True) if root.name not in without),
        key=lambda one: one[0].began,
    )
    # Due twice a second, in whichever request comes then: only in the first one it is sure to be there.
    regular = [span for span in spans if span.name == "SELECT token_changes"][1:]
    told = [(root, [span for span in members if span not in regular]) for root, members in told]
    places = {
        (span.trace_id, span.span_id): f"trace {place}: {span.name}"
        for place, (_, members) in enumerate(told, 1)
        for span in members
    }
    return expected(*(_tree(root, members, places) for root, members in told))


def _trace(span: Span) -> str:
    return span.trace_id


def _root(members: Iterable[Span]) -> Span:
    """The one span of a trace whose parent, if any, is not ours."""
    known = {span.span_id: span for span in members}
    (root,) = (span for span in known.values() if span.parent_id not in known)
    assert not root.parent_id, f"the parent of {root.name} did not arrive"
    return root


def _tree(span: Span, members: Sequence[Span], places: Mapping[tuple[str, str], str]) -> Expected:
    assert not span.words, f"{span.name} says {span.words}"
    below = [one for one in members if one.parent_id == span.span_id]
    return Expected(
        span.name,
        span.kind,
        {name: _normal(name, value) for name, value in span.attributes.items()},
        span.failed,
        tuple(places.get(link, "a span that did not arrive") for link in span.links),
        tuple(_tree(one, members, places) for one in _in_order(below)),
    )


def _in_order(spans: Iterable[Span]) -> Iterator[Span]:
    """One after the other; of those that were there at the same time, first what we did, and each kind by name."""
    together: list[Span] = []
    for span in sorted(spans, key=lambda one: one.began):
        if together and span.began >= max(one.ended for one in together):
            yield from sorted(together, key=_among_others)
            together = []
        together.append(span)
    yield from sorted(together, key=_among_others)


def _among_others(span: Span) -> tuple[bool, str]:
    return span.kind != "INTERNAL", span.name


def _normal(name: str, value: Value) -> Value:
    if name == "db.query.text":
        return "<statement>" if _STATEMENT.fullmatch(str(value)) else value
    form, stands = _FORMS.get(name, ("", ""))
    return stands if form and re.fullmatch(form, str(value)) else value


def _shown(span: Expected, depth: int) -> str:
    indent = "  " * depth
    lines = [f"{indent}{span.name}  {span.kind}{'  FAILED' if span.failed else ''}"]
    lines += [f"{indent}  | {name} = {value!r}" for name, value in sorted(span.attributes.items())]
    lines += [f"{indent}  | linked to {link}" for link in span.links]
    return "\n".join((*lines, *(_shown(one, depth + 1) for one in span.below)))
