"""What a query of Prometheus asks for, and whether our metrics have it."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import promql_parser
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import AggregateExpr, BinaryExpr, Call, MatrixSelector, ParenExpr, SubqueryExpr, VectorSelector

OF_THE_TARGET: Final = frozenset({"instance", "job"})
"""Labels that Prometheus adds."""

Samples = Mapping[str, AbstractSet[str]]


def samples(text: str) -> dict[str, frozenset[str]]:
    """The labels of each sample of Prometheus' text, by its name."""
    found: dict[str, frozenset[str]] = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            found[one.name] = found.get(one.name, frozenset()) | one.labels.keys()
    return found


def lacking(query: str, known: Samples) -> list[str]:
    """Metrics and labels of a query that are not among ours.

    Raises:
        ValueError: It is no PromQL.
    """
    return sorted(set(_lacking(promql_parser.parse(query), known)))


def _lacking(part: promql_parser.Expr, known: Samples) -> Iterator[str]:
    match part:
        case VectorSelector():
            name = str(part.name)
            if name not in known:
                yield name
                return
            labels = known[name] | OF_THE_TARGET
            yield from (f"{name}{{{one.name}}}" for one in part.matchers.matchers if one.name not in labels)
        case AggregateExpr():
            yield from _lacking(part.expr, known)
            asked = part.modifier.labels if part.modifier is not None else []
            for name in _names(part.expr):
                have = known.get(name, frozenset(asked)) | OF_THE_TARGET
                yield from (f"{name} by {label}" for label in asked if label not in have)
        case _:
            for inner in _parts(part):
                yield from _lacking(inner, known)


def _names(part: promql_parser.Expr) -> Iterator[str]:
    if isinstance(part, VectorSelector):
        yield str(part.name)
    for inner in _parts(part):
        yield from _names(inner)


def _parts(part: promql_parser.Expr) -> Iterator[promql_parser.Expr]:
    match part:
        case BinaryExpr():
            yield from (part.lhs, part.rhs)
        case Call():
            yield from part.args
        case MatrixSelector():
            yield part.vector_selector
        case AggregateExpr() | ParenExpr() | SubqueryExpr():
            yield part.expr
        case _:
            pass  # A number or a text.
