"""What was measured, beside what we want."""

from collections.abc import Iterable

import msgspec
from rich.console import Console
from rich.table import Table

from bench.compare.contest import Contest


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number."""

    what: str
    value: float
    must: float
    aim: float
    at_least: bool = False
    """Whether more is better."""
    unit: str = ""
    places: int = 2
    noise: float | None = None
    """Half the way from the least to the greatest of the rounds, as a share; None: there is one number only."""
    how: str = ""

    @property
    def verdict(self) -> str:
        """How far it got."""
        if self._reaches(self.aim):
            return "aim"
        return "must" if self._reaches(self.must) else "missed"

    def _reaches(self, bound: float) -> bool:
        # Compared as shown: what reads like the bound has reached it.
        value = round(self.value, self.places)
        return value >= bound if self.at_least else value <= bound

    def cells(self) -> tuple[str, ...]:
        """As the table has it."""
        sign = ">=" if self.at_least else "<="
        noise = "" if self.noise is None else f" ±{self.noise:.0%}"
        return (
            self.what,
            f"{self.value:,.{self.places}f}{self.unit}{noise}",
            f"{sign} {self.must:g}{self.unit}",
            f"{sign} {self.aim:g}{self.unit}",
            self.verdict,
            self.how,
        )


HEADINGS = ("figure", "measured", "must", "aim", "reached", "how")
CONTEST = ("contest", "c", "server", "requests/s", "±", "CPU µs/request", "p50 ms", "p99 ms")


def rows(contests: Iterable[Contest]) -> list[tuple[str, ...]]:
    """All contests, a row for each server."""
    return [
        (
            contest.name,
            str(contest.connections),
            name,
            f"{contest.rate(name):,.0f}",
            f"{contest.spread(name):.0%}",
            f"{contest.cpu_us(name):,.0f}",
            f"{contest.p50_ms(name):.2f}",
            f"{contest.p99_ms(name):.2f}",
        )
        for contest in contests
        for name in contest.samples
    ]


def printed(console: Console, title: str, headings: Iterable[str], lines: Iterable[tuple[str, ...]]) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*line)
    console.print(table)


def markdown(headings: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    """The same table for a document."""
    head = [headings, tuple("---" for _ in headings)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (*head, *lines))
