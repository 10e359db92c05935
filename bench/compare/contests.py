"""Which contests are held, and which figures come of them."""

from collections.abc import Sequence
from typing import Final

from bench.compare.contest import Contest, Entrant, held
from bench.compare.figures import Figure
from bench.compare.peers import Server
from bench.compare.stage import Stage

OURS: Final = "gateway"
MISSING: Final = "gateway, nothing kept"
BFF: Final = "FastAPI + httpx"
KEEPING: Final = "FastAPI + aiocache"
CACHING: Final = "nginx proxy_cache"
DIRECT: Final = "the vendor itself"

HIT: Final = "a kept list, 2 KB"
LARGE: Final = "a kept list, 50 KB"
MISS: Final = "a list from the vendor, 2 KB"
LARGE_MISS: Final = "a list from the vendor, 50 KB"
MERGED: Final = "two calls merged"
SLOW: Final = "two calls of 20 ms merged"

SMALL: Final = "/v1/domains?limit=500"
BIG: Final = "/v1/features?limit=500"


async def contests(on: Stage, *, rounds: int, seconds: float) -> list[Contest]:
    """Hold them all."""
    found = on.servers

    def entrants(*paths: tuple[str, str, str]) -> list[Entrant]:
        return [
            Entrant(server=found[server], path=path, called=called) for server, path, called in paths if server in found
        ]

    kept = entrants((OURS, SMALL, ""), ("nginx", "/cached/domains", CACHING))
    all_kept = kept + entrants(
        ("gateway, 10 % traced", SMALL, ""),
        ("gateway, all traced", SMALL, ""),
        ("gateway, metrics sent", SMALL, ""),
        ("gateway, one line each", SMALL, ""),
        (BFF, "/cached/domains", KEEPING),
    )
    all_kept.insert(1, Entrant(server=found[OURS], path=SMALL, called="gateway, each head new", varied=True))
    asked = entrants(
        (MISSING, SMALL, OURS),
        ("nginx", "/domains", ""),
        ("traefik", "/domains", ""),
        ("caddy", "/domains", ""),
        ("fast-gateway", "/domains", ""),
        ("@fastify/http-proxy", "/domains", ""),
        (BFF, "/domains", ""),
    )
    large = entrants((OURS, BIG, ""), ("nginx", "/cached/features", CACHING))
    large_asked = entrants((MISSING, BIG, OURS), (BFF, "/features", ""))
    merged = entrants((MISSING, "/v1/domains/track.example.com", OURS), (BFF, "/domains/track.example.com", ""))
    slow = entrants((MISSING, "/v1/domains/slow.example.com", OURS), (BFF, "/domains/slow.example.com", ""))
    itself = Server(name=DIRECT, url=on.vendor, token="", pid=0, version="")
    slow.append(Entrant(server=itself, path="/domains/slow.example.com"))
    planned: Sequence[tuple[str, list[Entrant], int]] = (
        (HIT, all_kept, 64),
        (HIT, kept, 16),
        (HIT, kept, 1),
        (LARGE, large, 64),
        (MISS, asked, 64),
        (MISS, entrants((MISSING, SMALL, OURS), ("fast-gateway", "/domains", "")), 16),
        (MISS, entrants((MISSING, SMALL, OURS)), 1),
        (LARGE_MISS, large_asked, 64),
        (MERGED, merged, 64),
        (SLOW, slow, 1),
    )
    return [
        await held(name, them, connections=connections, rounds=rounds, seconds=seconds)
        for name, them, connections in planned
    ]


def figures(of: Sequence[Contest]) -> list[Figure]:
    """What they say, as far as the peers took part."""
    by = {(contest.name, contest.connections): contest for contest in of}
    rates = (
        # what, contest, ours, theirs, must, aim
        ("a hit beside nginx `proxy_cache`, c=64", (HIT, 64), OURS, CACHING, 0.35, 0.50),
        ("the same, 10 % of traces kept", (HIT, 64), "gateway, 10 % traced", CACHING, 0.25, 0.40),
        ("a hit beside FastAPI + aiocache, c=64", (HIT, 64), OURS, KEEPING, 7, 10),
        ("a miss beside FastAPI + httpx, c=64", (MISS, 64), OURS, BFF, 9, 12),
        ("a miss beside fast-gateway, c=16", (MISS, 16), OURS, "fast-gateway", 0.60, 0.80),
        ("a miss beside traefik, c=64", (MISS, 64), OURS, "traefik", 0.35, 0.50),
        ("a miss beside caddy, c=64", (MISS, 64), OURS, "caddy", 0.45, 0.65),
        ("two calls merged beside FastAPI + httpx, c=64", (MERGED, 64), OURS, BFF, 12, 18),
    )
    found = []
    for what, where, ours, theirs, must, aim in rates:
        contest = by[where]
        if contest.has(ours, theirs):
            ratio, noise = contest.ratio(ours, theirs)
            found.append(
                Figure(
                    what=what,
                    value=ratio,
                    noise=noise,
                    must=must,
                    aim=aim,
                    at_least=True,
                    unit="x",
                    how=f"{contest.rate(ours):,.0f}/s to {contest.rate(theirs):,.0f}/s",
                )
            )
    many, one = by[MISS, 64].cpu_us(OURS), by[MISS, 1].cpu_us(OURS)
    slow = by[SLOW, 1]
    return [
        *found,
        Figure(
            what="CPU of a miss at c=64 over c=1",
            value=many / one,
            must=1.1,
            aim=0.9,
            how=f"{many:,.0f} µs over {one:,.0f} µs",
        ),
        Figure(
            what="two calls of 20 ms merged, over one of them, c=1",
            value=slow.p50_ms(OURS) - slow.p50_ms(DIRECT),
            must=1.5,
            aim=1.0,
            unit=" ms",
            how=f"{slow.p50_ms(OURS):.2f} ms over {slow.p50_ms(DIRECT):.2f} ms at the median",
        ),
    ]
