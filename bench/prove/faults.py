"""Reads while a share of the vendor's answers fails: how many callers notice, and what it costs the vendor."""

from collections.abc import Mapping
from typing import Final

from bench.prove.caller import crowd
from bench.prove.figures import Figure
from bench.prove.stage import NO_BREAKER, Emulator, gateway

KINDS: Final[tuple[Mapping[str, object], ...]] = (
    {"kind": "status", "status": 503},
    {"kind": "reset_before"},
    {"kind": "truncated"},
)
"""What goes wrong, each as often as the others."""

READS: Final[Mapping[str, str]] = {
    "/v1/domains": "GET /domains",
    "/v1/features": "POST /features",
    "/v1/customers/user-ada/payments": "POST /payments_history",
}
"""What is called, and what the gateway calls for it: one vendor call each, of both vendors."""

AT_ONCE: Final = 16


async def prove(sandbox: Emulator, *, calls: int) -> list[Figure]:
    """Measure at 10 % and at 100 % faults, the latter with and without the breaker."""
    tenth, amplified = await _measured(sandbox, NO_BREAKER, share=0.1, calls=calls)
    _, guarded = await _measured(sandbox, {}, share=1.0, calls=calls)
    _, unguarded = await _measured(sandbox, NO_BREAKER, share=1.0, calls=calls)
    how = f"{calls:,} reads of both vendors, {AT_ONCE} at once; 503, reset and half a body at random"
    return [
        Figure(
            what="reads that succeed at 10 % faults", value=100 * tenth, bound=99.5, at_least=True, unit=" %", how=how
        ),
        Figure(what="vendor calls per read at 10 % faults", value=amplified, bound=1.2, places=3, how="the same calls"),
        Figure(
            what="vendor calls per read at 100 % faults",
            value=unguarded,
            bound=1.2,
            places=3,
            how=f"{calls:,} reads; the breaker is set never to open, so that the retries show",
        ),
        Figure(
            what="the same with the breaker as it is",
            value=guarded,
            bound=1.2,
            places=3,
            how=f"{calls:,} reads; most are answered without calling the vendor",
        ),
    ]


async def _measured(sandbox: Emulator, settings: Mapping[str, str], *, share: float, calls: int) -> tuple[float, float]:
    """The share of reads that succeed, and vendor calls per read."""
    async with gateway({"GATEWAY_SANDBOX": sandbox.url, **settings}) as running:
        with await running.caller() as caller:
            await crowd(caller, tuple(READS), calls=len(READS), at_once=1)  # Credentials are validated at first use.
            await sandbox.reset()
            for turn, kind in enumerate(KINDS):
                # The sandbox asks the first fault, then of what is left the next: so each gets the same share of all.
                each = share / len(KINDS)
                for operation in READS.values():
                    await sandbox.fail(**kind, operation=operation, probability=min(1.0, each / (1 - each * turn)))
            seen = await crowd(caller, tuple(READS), calls=calls, at_once=AT_ONCE)
    arrived = await sandbox.arrived(tuple(READS.values()))
    await sandbox.reset()
    return sum(not answer.failed for answer in seen) / calls, arrived / calls
