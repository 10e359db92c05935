"""What was measured, and what was promised."""

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version

import msgspec
from rich.console import Console
from rich.table import Table

from gateway import VERSION


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number beside the bound that it must keep."""

    what: str
    value: float
    bound: float
    at_least: bool = False
    """Whether the bound is the least that is promised; otherwise it is the most."""
    unit: str = ""
    places: int = 2
    """Decimals that are shown."""
    how: str
    """How it was measured: how often, and how far it can be trusted."""

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    @property
    def measured(self) -> str:
        """The number as people read it."""
        return f"{self.value:,.{self.places}f}{self.unit}"

    @property
    def promised(self) -> str:
        """The bound as people read it."""
        return f"{'>=' if self.at_least else '<='} {self.bound:,.{self.places}f}{self.unit}"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-len(ordered) * share // 1) - 1))]


def shown(figures: Iterable[Figure], console: Console) -> None:
    """Print the table."""
    table = Table(title="What is promised when things fail", title_justify="left", show_lines=True)
    for name in ("figure", "measured", "promised", ""):
        table.add_column(name, no_wrap=name != "figure", justify="left" if name == "figure" else "right")
    table.add_column("how", ratio=1)
    for figure in figures:
        verdict = "[green]pass[/]" if figure.holds else "[bold red]FAIL[/]"
        table.add_row(figure.what, figure.measured, figure.promised, verdict, figure.how)
    console.print(table)


def surroundings() -> str:
    """What ran, and on what, in one line."""
    parts = [f"gateway {VERSION}", f"{platform.python_implementation()} {platform.python_version()}"]
    parts += [f"{name} {version(name)}" for name in ("uvloop", "uvicorn", "litestar", "httpx")]
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    parts += [
        f"{platform.system()} {platform.release()} {platform.machine()}",
        f"{os.cpu_count()} cores",
        f"load {load}",
    ]
    return " · ".join(parts)
