"""One worker beside two, on two cores and through one Valkey; callers and vendor have to share those cores."""

from bench.compare.contest import Contest, Entrant, held
from bench.compare.contests import SMALL
from bench.compare.stage import KEPT, UNTRACED, ours


async def contest(url: str, redis: str, *, rounds: int, seconds: float) -> Contest:
    """Hold it.

    Args:
        url: The vendor's.
        redis: Of the store that all workers share.
        rounds: As in every contest.
        seconds: The same.
    """
    settings = (KEPT, UNTRACED, {"GATEWAY_REDIS_URL": redis})
    async with (
        ours("1 worker", url, *settings) as one,
        ours("2 workers", url, *settings, workers=2) as two,
    ):
        entrants = [Entrant(server=server, path=SMALL) for server in (one, two)]
        return await held("a kept list, through Redis", entrants, connections=64, rounds=rounds, seconds=seconds)
