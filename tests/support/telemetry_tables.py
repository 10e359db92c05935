"""The tables of `docs/observability.md`, made from the names: run as a module, it prints them."""

import sys
from collections.abc import Iterable

from gateway.telemetry.names import ATTRIBUTES, METRICS, SPANS

TYPES = {"counter": "counter", "histogram": "histogram", "up_down": "gauge", "gauge": "gauge"}


def spans() -> str:
    """Every kind of span."""
    return _table(("span", "kind", "what it is"), ((f"`{one.name}`", one.kind, one.meaning) for one in SPANS))


def attributes() -> str:
    """Every attribute."""
    return _table(("attribute", "what it says"), ((f"`{name}`", meaning) for name, meaning in ATTRIBUTES.items()))


def metrics() -> str:
    """Every metric, by its names in OTLP and in Prometheus' text."""
    rows = (
        (
            f"`{one.name}`",
            f"`{one.prometheus}{'_total' if one.kind == 'counter' else ''}`",
            TYPES[one.kind],
            ", ".join(f"`{label}`" for label in one.labels) or "-",
            one.meaning,
        )
        for one in METRICS
    )
    return _table(("OTLP", "Prometheus", "type", "attributes (labels, with `_` for `.`)", "what it counts"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(f"{spans()}\n{attributes()}\n{metrics()}")
