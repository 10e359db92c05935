"""How long a caller waits for vendors that never come to an end."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import msgspec

from bench.prove.caller import Caller, Seen
from bench.prove.figures import Figure
from bench.prove.stage import NO_BREAKER, Emulator, aimed_at, gateway
from bench.prove.vendor import NAMES, Vendor

KINDS: Final = ("never_answer", "dripping", "slow_head")
"""Of the sandbox's faults, those without an end; each has a tenant of its own."""

BLACKHOLE: Final = "blackhole"
"""No connection is made."""

MOST_MS: Final = 50.0
"""By which an idle gateway may be late."""

TIMER_SECONDS: Final = 0.02
"""Between two looks at how punctual the machine is."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A call, and which deadline it has."""

    method: str
    path: str
    body: Any = None
    money: bool = False


def calls() -> dict[str, Asked]:
    """One for each class, and the merged one; the order and the customer are new every time."""
    return {
        "read": Asked(method="GET", path="/v1/domains"),
        "billing read": Asked(method="GET", path="/v1/customers/user-ada/payments"),
        "merged": Asked(method="GET", path="/v1/domains/live.brightside.example"),
        "probe": Asked(method="POST", path="/v1/domains/check", body={"hostname": "live.brightside.example"}),
        "money": Asked(
            method="POST",
            path="/v1/checkout/one-click",
            body={"external_id": f"user-{uuid4().hex}", "price_point": "coach-session"},
            money=True,
        ),
    }


async def prove(
    sandbox: Emulator, vendor: Vendor, *, rounds: int, usual: float, money: float, retried: float
) -> list[Figure]:
    """Measure with these deadlines.

    Args:
        sandbox: Plays the kinds.
        vendor: Plays the blackhole.
        rounds: How often each class meets each kind.
        usual: The deadline of all but money.
        money: The deadline of money.
        retried: Another usual deadline, of a second gateway: long enough for an attempt that times out and one more.
    """
    late: dict[str, float] = {}
    for name in NAMES:
        await vendor.tell(name, "blackhole")
    await sandbox.reset()
    for kind in KINDS:
        await sandbox.fail(kind=kind, account=kind)
    common = {**aimed_at(vendor), "GATEWAY_SANDBOX": sandbox.url, **NO_BREAKER}
    hasty, patient = ({**common, **_deadlines(usual, money)}, {**common, **_deadlines(retried, money)})
    yardstick = asyncio.create_task(_late_timer())
    async with gateway(hasty) as first, gateway(patient) as second:
        for running, usually, times in ((first, usual, rounds), (second, retried, 1)):
            callers = {kind: await running.caller(tenant=kind) for kind in KINDS}
            callers[BLACKHOLE] = await running.caller(mode="live")
            for _ in range(times):
                await _round(callers, late, usual=usually, money=money)
            for caller in callers.values():
                caller.__exit__(None, None, None)
    for name in NAMES:
        await vendor.tell(name, "answer")
    await sandbox.reset()
    yardstick.cancel()
    worst = max(late, key=lambda what: late[what])
    return [
        Figure(
            what="longest wait beyond the deadline",
            value=max(late.values()),
            bound=MOST_MS,
            unit=" ms",
            places=1,
            how=(
                f"{rounds} times each of read, merged read, probe (deadline {usual:g} s) and money ({money:g} s), once "
                f"with {retried:g} s and retries; never answering, dripping, slow head, blackhole; worst: {worst}; "
                f"noise: meanwhile a timer of the caller's own was late by up to {await yardstick:.1f} ms"
            ),
        )
    ]


async def _late_timer() -> float:
    """By how many milliseconds at the most the machine lets a timer be late, until cancelled."""
    loop = asyncio.get_running_loop()
    most = 0.0
    try:
        while True:
            due = loop.time() + TIMER_SECONDS
            await asyncio.sleep(TIMER_SECONDS)
            most = max(most, loop.time() - due)
    except asyncio.CancelledError:
        return 1000 * most


async def _round(callers: Mapping[str, Caller], late: dict[str, float], *, usual: float, money: float) -> None:
    """All at once, which is little; notes by how many milliseconds each was late, if it is the worst so far."""

    async def one(kind: str, caller: Caller, name: str, asked: Asked) -> None:
        seen = await caller.call(asked.method, asked.path, asked.body, key=uuid4().hex)
        _expect_failure(seen, f"{name}, {kind}")
        over = 1000 * (seen.seconds - (money if asked.money else usual))
        late[f"{name}, {kind}"] = max(over, late.get(f"{name}, {kind}", over))

    await asyncio.gather(
        *(one(kind, caller, name, asked) for kind, caller in callers.items() for name, asked in calls().items())
    )


def _expect_failure(seen: Seen, what: str) -> None:
    # An answer before its time would look punctual.
    if not seen.failed:
        raise RuntimeError(f"{what}: answered with {seen.status} though the vendor never came to an end")


def _deadlines(usual: float, money: float) -> dict[str, str]:
    return {"GATEWAY_DEADLINE_SECONDS": f"{usual:g}", "GATEWAY_MONEY_DEADLINE_SECONDS": f"{money:g}"}
