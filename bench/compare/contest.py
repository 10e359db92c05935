"""Who answers more: several servers, the same load, in turn, round after round."""

from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

from bench.compare.load import Ask, Run, load
from bench.compare.peers import Server
from bench.compare.processes import cpu_seconds

WARM_SECONDS: Final = 1.0


class Entrant(msgspec.Struct, frozen=True, kw_only=True):
    """One server and what it is asked."""

    server: Server
    path: str
    called: str = ""
    """As the table has it, where a server enters more than once."""
    varied: bool = False
    """Whether no two requests have the same head."""

    @property
    def name(self) -> str:
        """As the table has it."""
        return self.called or self.server.name


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    run: Run
    cpu_us: float
    """Processor time per request, in microseconds; the kernel's share for the server included."""


class Contest(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    name: str
    connections: int
    samples: dict[str, list[Sample]]

    def has(self, *names: str) -> bool:
        """Whether all of them took part."""
        return all(name in self.samples for name in names)

    def rate(self, name: str) -> float:
        """The median of requests a second."""
        return median(sample.run.rate for sample in self.samples[name])

    def cpu_us(self, name: str) -> float:
        """The median of processor microseconds per request."""
        return median(sample.cpu_us for sample in self.samples[name])

    def p50_ms(self, name: str) -> float:
        """The median of the rounds' medians."""
        return median(sample.run.p50_ms for sample in self.samples[name])

    def p99_ms(self, name: str) -> float:
        """The median of the rounds' 99th percentiles."""
        return median(sample.run.p99_ms for sample in self.samples[name])

    def ratio(self, ours: str, theirs: str) -> tuple[float, float]:
        """How often as many we answer; the median of the rounds' ratios, and how far they lie apart.

        Returns:
            The ratio, and half the way from the least to the greatest as a share of it.
        """
        pairs = zip(self.samples[ours], self.samples[theirs], strict=True)
        ratios = [mine.run.rate / other.run.rate for mine, other in pairs]
        middle = median(ratios)
        return middle, (max(ratios) - min(ratios)) / 2 / middle

    def spread(self, name: str) -> float:
        """Half the way from the slowest to the fastest round as a share of the median."""
        rates = [sample.run.rate for sample in self.samples[name]]
        return (max(rates) - min(rates)) / 2 / median(rates)


async def held(name: str, entrants: Sequence[Entrant], *, connections: int, rounds: int, seconds: float) -> Contest:
    """Hold a contest.

    Whoever is first in one round is last in the next, so that a machine that
    grows slower meets all alike.
    """
    samples: dict[str, list[Sample]] = {entrant.name: [] for entrant in entrants}
    for entrant in entrants:
        await _run(entrant, connections, WARM_SECONDS)
    for number in range(rounds):
        for entrant in entrants if number % 2 == 0 else reversed(entrants):
            samples[entrant.name].append(await _run(entrant, connections, seconds))
    return Contest(name=name, connections=connections, samples=samples)


async def _run(entrant: Entrant, connections: int, seconds: float) -> Sample:
    server = entrant.server
    before = cpu_seconds(server.pid) if server.pid else 0.0
    run = await load(
        Ask(
            url=f"{server.url}{entrant.path}",
            token=server.token,
            connections=connections,
            seconds=seconds,
            varied=entrant.varied,
        )
    )
    used = cpu_seconds(server.pid) - before if server.pid else 0.0
    return Sample(run=run, cpu_us=used / run.requests * 1e6)
