"""The rules of the cache, with a vendor that answers when it is told to."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.errors import Operation, Refused, TimedOut
from clients.timeouts import began
from clients.tracing import attempts
from gateway.cache.memory import MOST_VARIANTS, OVERHEAD, Held, Memory
from gateway.cache.policy import Cache
from gateway.cache.readings import Outcome, Reading
from gateway.cache.tenant import TenantCache
from gateway.cache.topics import Choice, Key, Kind, Lifetime, Topic

TOPIC = Topic(name="things", kind="list", shape=list[int], operation=Operation("vendor", "GET /things", "read"))

LONG = Lifetime(3600.0, 3600.0, 3600.0)


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:  # noqa: D102 - the class says it
        return self.seconds


def cache(
    lifetime: Lifetime = LONG, *, seconds: float = 5.0, most_bytes: int = 2**20, clock: Clock | None = None
) -> Cache:
    """An empty one."""
    memory = Memory(most_entries=100, most_bytes=most_bytes)
    lifetimes: dict[Kind, Lifetime] = {"list": lifetime, "detail": lifetime}
    return Cache(lifetimes=lifetimes, memory=memory, seconds=seconds, clock=clock or monotonic)


def of(cache: Cache, tenant: str = "acme", reading: Reading | None = None) -> TenantCache:
    """The cache as one request sees it."""
    return TenantCache(cache, tenant, "live", reading or Reading())


class Vendor:
    """Answers with its version, as it was at some moment of the call."""

    def __init__(self) -> None:
        self.version = 0
        self.calls = 0

    def reads(self, before: int = 0, after: int = 0) -> Callable[[], Awaitable[list[int]]]:
        """A read that takes so many turns of the loop before and after it looks."""

        async def read() -> list[int]:
            self.calls += 1
            await turns(before)
            seen = self.version
            await turns(after)
            return [seen]

        return read

    async def write(self, act: "Act", written: list[int]) -> None:
        """A write that takes so many turns before and after it has its effect; its answer may be lost."""
        await turns(act.before)
        self.version += 1
        written.append(self.version)
        await turns(act.after)
        if act.fails:
            raise TimedOut("Lost.", operation=TOPIC.operation, sent=True)


async def turns(count: int) -> None:
    """Let others work."""
    for _ in range(count):
        await asyncio.sleep(0)


class Act(NamedTuple):
    """One request: when it begins, what it does, and how long the vendor takes."""

    begins: int
    writes: bool
    anew: bool
    before: int
    after: int
    fails: bool


acts = st.lists(
    st.builds(
        Act,
        begins=st.integers(0, 12),
        writes=st.booleans(),
        anew=st.booleans(),
        before=st.integers(0, 8),
        after=st.integers(0, 8),
        fails=st.booleans(),
    ),
    min_size=2,
    max_size=12,
)


@pytest.mark.parametrize("lifetime", [LONG, Lifetime(1e-9, 3600.0, 3600.0), Lifetime(1e-9, 0.0, 3600.0)])
@given(plan=acts)
@settings(deadline=None, max_examples=200)
def test_nobody_reads_something_older_than_the_last_write_that_was_answered(
    lifetime: Lifetime, plan: list[Act]
) -> None:
    """Whatever overlaps: reads, insisting reads, background loads, writes, and writes whose answer was lost."""

    async def carried_out() -> None:
        kept, vendor = cache(lifetime), Vendor()
        answered = 0

        async def act(one: Act) -> None:
            nonlocal answered
            await turns(one.begins)
            if one.writes:
                written: list[int] = []
                with suppress(TimedOut):
                    async with of(kept).dropping(TOPIC):
                        await vendor.write(one, written)
                answered = max([answered, *written])
                return
            least = answered
            reading = Reading(oldest=-1.0) if one.anew else Reading()
            [seen] = await of(kept, reading=reading).fetch(TOPIC, vendor.reads(one.before, one.after))
            assert seen >= least

        await asyncio.gather(*map(act, plan))
        await kept.close()

    asyncio.run(carried_out())


@given(one=st.tuples(st.text(), st.text()), other=st.tuples(st.text(), st.text()))
def test_no_two_keys_read_the_same(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Whatever tenants and topics are called."""
    keys = [Key(tenant, "live", topic) for tenant, topic in (one, other)]

    assert (str(keys[0]) == str(keys[1])) == (one == other)
    assert [Key.parsed(str(key)) for key in keys] == keys


def test_tenants_share_nothing() -> None:
    """Not even where a name ends as another begins."""

    async def seen() -> list[list[int]]:
        kept = cache()
        return [
            await of(kept, tenant).fetch(topic(name), answer(number))
            for number, (tenant, name) in enumerate([("t1", "0x"), ("t10", "x"), ("t1", "0"), ("t1:live:0", "x")])
        ]

    def topic(name: str) -> Topic:
        return Topic(name=name, kind="list", shape=list[int], operation=TOPIC.operation)

    def answer(number: int) -> Callable[[], Awaitable[list[int]]]:
        async def read() -> list[int]:
            return [number]

        return read

    assert asyncio.run(seen()) == [[0], [1], [2], [3]]


def test_nobody_can_change_what_others_are_given() -> None:
    """Each reader has a value of its own."""

    async def second() -> list[int]:
        kept, vendor = cache(), Vendor()
        first = await of(kept).fetch(TOPIC, vendor.reads())
        first.append(99)
        return await of(kept).fetch(TOPIC, vendor.reads())

    assert asyncio.run(second()) == [0]


def test_a_load_that_hangs_holds_nobody_for_ever() -> None:
    """Those who wait have the time of their own request, and then an answer; the load ends, too."""

    async def waited() -> tuple[list[BaseException | list[int]], int]:
        kept = cache(seconds=0.05)
        results = await asyncio.gather(*(of(kept).fetch(TOPIC, hangs) for _ in range(3)), return_exceptions=True)
        loading = kept.state.loading
        await kept.close()
        return results, loading

    async def hangs() -> list[int]:
        await asyncio.Event().wait()
        return []

    results, loading = asyncio.run(waited())

    assert [type(result) for result in results] == [TimedOut] * 3
    assert loading == 1


def test_a_cancelled_leader_leaves_its_load_to_those_who_wait() -> None:
    """Its caller has gone; the call goes on, and is not made again."""

    async def rest() -> tuple[list[int], int]:
        kept, vendor = cache(), Vendor()
        leader = asyncio.create_task(of(kept).fetch(TOPIC, vendor.reads(before=10)))
        await turns(3)
        follower = asyncio.create_task(of(kept).fetch(TOPIC, vendor.reads()))
        await turns(1)
        leader.cancel()
        return await follower, vendor.calls

    assert asyncio.run(rest()) == ([0], 1)


def test_a_failure_is_shared_by_those_who_wait_and_forgotten_then() -> None:
    """One call, one refusal for all; the next who asks has the vendor asked."""
    calls = 0

    async def refuses() -> list[int]:
        nonlocal calls
        calls += 1
        await turns(3)
        raise Refused("No.", operation=TOPIC.operation)

    async def asked() -> list[BaseException | list[int]]:
        kept = cache()
        together = await asyncio.gather(*(of(kept).fetch(TOPIC, refuses) for _ in range(5)), return_exceptions=True)
        with pytest.raises(Refused):
            await of(kept).fetch(TOPIC, refuses)
        return together

    assert {type(result) for result in asyncio.run(asked())} == {Refused}
    assert calls == 2


@pytest.mark.parametrize(
    ("age", "fails", "status", "detail"),
    [
        (59.9, True, "hit", None),
        (60.0, False, "stale", "stale-while-revalidate"),
        (359.9, True, "stale", "stale-while-revalidate"),
        (360.0, False, "miss", None),
        (360.0, True, "stale", "stale-if-error"),
        (3659.9, True, "stale", "stale-if-error"),
    ],
)
def test_each_age_has_its_rule(age: float, fails: bool, status: str, detail: str | None) -> None:  # noqa: FBT001 - pytest passes it by name
    """Fresh, then stale while the vendor is asked, then the vendor, and something stale only where it fails."""

    async def asked() -> Outcome:
        clock, vendor = Clock(), Vendor()
        kept = cache(Lifetime(60.0, 300.0, 3600.0), clock=clock)
        await of(kept).fetch(TOPIC, vendor.reads())
        clock.seconds += age
        reading = Reading()
        await of(kept, reading=reading).fetch(TOPIC, fail if fails else vendor.reads())
        await kept.close()
        return reading.outcomes[0]

    outcome = asyncio.run(asked())

    assert (outcome.status, outcome.detail) == (status, detail)


def test_what_is_past_its_end_is_worth_nothing() -> None:
    """The failure is the answer then."""

    async def asked() -> None:
        clock, vendor = Clock(), Vendor()
        kept = cache(Lifetime(60.0, 300.0, 3600.0), clock=clock)
        await of(kept).fetch(TOPIC, vendor.reads())
        clock.seconds += 3660
        await of(kept).fetch(TOPIC, fail)

    with pytest.raises(TimedOut):
        asyncio.run(asked())


async def fail() -> list[int]:
    """A vendor that does not answer."""
    raise TimedOut("Too late.", operation=TOPIC.operation, sent=True)


def test_those_who_insist_share_a_call_of_their_own() -> None:
    """Several at once share one; one that is under way for others won't do, as Redis may answer it."""

    async def asked() -> int:
        kept, vendor = cache(), Vendor()
        readings = [Reading(), *(Reading(oldest=-1.0) for _ in range(5))]
        await asyncio.gather(*(of(kept, reading=reading).fetch(TOPIC, vendor.reads(3)) for reading in readings))
        return vendor.calls

    assert asyncio.run(asked()) == 2


@pytest.mark.parametrize(
    ("header", "oldest"),
    [
        (b"no-cache", -1.0),
        (b"max-age=0", -1.0),
        (b"Max-Age=30", 30.0),
        (b"max-age=30, no-store", 30.0),
        (b"no-cache, no-store", -1.0),
        (b"private", math.inf),
        (b"x-no-cache", math.inf),
        (b"max-age=soon", math.inf),
    ],
)
def test_directives_are_read_as_they_are_meant(header: bytes, oldest: float) -> None:
    """What a caller does not say is not taken for a wish."""
    assert Reading.of([(b"cache-control", header)]).oldest == oldest


@pytest.mark.parametrize(
    ("reading", "age", "stale"),
    [
        (Reading(), 3000.0, True),
        (Reading(oldest=10.0), 200.0, True),
        (Reading(oldest=10.0), 3000.0, True),
        (Reading(stores=False), 3000.0, True),
        (Reading(oldest=-1.0), 70.0, False),
        (Reading(oldest=-1.0, stores=False), 70.0, False),
    ],
)
def test_only_who_insists_gets_a_failure_where_something_stale_will_do(
    reading: Reading, age: float, *, stale: bool
) -> None:
    """`max-age=10` prefers what is new, and `no-store` leaves nothing behind: neither asks for a failure."""

    async def asked() -> None:
        clock, vendor = Clock(), Vendor()
        kept = cache(Lifetime(60.0, 300.0, 3600.0), clock=clock)
        await of(kept).fetch(TOPIC, vendor.reads())
        clock.seconds += age
        if stale:
            await of(kept, reading=reading).fetch(TOPIC, fail)
        else:
            with pytest.raises(TimedOut):
                await of(kept, reading=reading).fetch(TOPIC, fail)
        await kept.close()

    asyncio.run(asked())

    assert [outcome.detail for outcome in reading.outcomes] == ["stale-if-error" if stale else None]


@pytest.mark.parametrize(("oldest", "stale"), [(200.0, True), (100.0, True), (99.0, False)])
def test_what_is_as_young_as_the_caller_asks_will_do_where_the_vendor_fails(oldest: float, *, stale: bool) -> None:
    """Also where nothing stale is given to others then."""

    async def asked() -> tuple[BaseException | list[int], ...]:
        clock, vendor = Clock(), Vendor()
        kept = cache(Lifetime(60.0, 300.0, 0.0), clock=clock)
        await of(kept).fetch(TOPIC, vendor.reads())
        clock.seconds += 100
        answer = await asyncio.gather(
            of(kept, reading=Reading(oldest=oldest)).fetch(TOPIC, fail), return_exceptions=True
        )
        await kept.close()
        return tuple(answer)

    (answer,) = asyncio.run(asked())

    assert isinstance(answer, list) == stale


@pytest.mark.parametrize(("joins", "calls"), [(False, 2), (True, 1)])
def test_what_one_caller_will_not_have_kept_is_kept_for_another_who_waits(calls: int, *, joins: bool) -> None:
    """One call for both, and it is the second who has it kept; without them it is not."""

    async def asked() -> int:
        kept, vendor = cache(), Vendor()
        readings = [Reading(stores=False), *([Reading(oldest=-1.0)] if joins else [])]
        await asyncio.gather(*(of(kept, reading=reading).fetch(TOPIC, vendor.reads(3)) for reading in readings))
        await of(kept).fetch(TOPIC, vendor.reads())
        return vendor.calls

    assert asyncio.run(asked()) == calls


def test_a_load_in_the_background_has_a_time_of_its_own() -> None:
    """Neither the deadline nor the list of attempts is that of the request that happened to begin it."""
    seen: list[tuple[bool, object]] = []

    async def read() -> list[int]:
        seen.append(((began.get() or 0) > 0, attempts.get()))
        return [1]

    async def asked() -> None:
        kept = cache(Lifetime(1e-9, 3600.0))
        began.set(-1.0)
        attempts.set([])
        await of(kept).fetch(TOPIC, read)
        await of(kept).fetch(TOPIC, read)
        await turns(5)

    asyncio.run(asked())

    assert seen == [(True, []), (True, None)]


def test_what_is_larger_than_the_memory_is_shown_and_not_kept() -> None:
    """Nor does it drive out what others use."""

    async def asked() -> tuple[int, int]:
        kept, vendor = cache(most_bytes=2 * OVERHEAD), Vendor()
        await of(kept).fetch(TOPIC, vendor.reads())

        async def huge() -> list[int]:
            return [1] * 10_000

        other = Topic(name="huge", kind="list", shape=list[int], operation=TOPIC.operation)
        rows = await of(kept).fetch(other, huge)
        return len(rows), kept.state.entries

    assert asyncio.run(asked()) == (10_000, 1)


def test_memory_stays_within_its_bounds() -> None:
    """A million questions and topics take no more room than a hundred."""
    memory = Memory(most_entries=50, most_bytes=100 * OVERHEAD)
    held: Held | None = None
    for number in range(2000):
        held = memory.put(f"key {number}", b"x" * 100, fetched_at=0.0, born=0.0, lifetime=LONG)
        assert held is not None
        for question in range(3):
            memory.render(held, f"?{question}", b"y" * 100, etag=b"", about=b"")
        assert memory.size <= 100 * OVERHEAD
        assert len(memory) <= 50
    assert held is not None
    for question in range(5000):
        memory.render(held, f"?{question}", b"y" * 100, etag=b"", about=b"")
    assert len(held.variants) <= MOST_VARIANTS
    memory.drop_where(lambda _: True)

    assert (len(memory), memory.size) == (0, 0)
    assert memory.evicted > 1900


def test_an_older_value_never_takes_the_place_of_a_newer() -> None:
    """Two loads that overlap: the one that began later counts, whichever ends first."""
    memory = Memory(most_entries=5, most_bytes=2**20)
    memory.put("key", b"newer", fetched_at=2.0, born=2.0, lifetime=LONG)

    kept = memory.put("key", b"older", fetched_at=1.0, born=1.0, lifetime=LONG)

    found = memory.find("key")
    assert kept is None
    assert found is not None
    assert memory.data(found) == b"newer"


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (Choice(), {"a", "b", "c", "d"}),
        (Choice(tenant="acme"), {"a", "b"}),
        (Choice(modes=("test",)), {"b", "d"}),
        (Choice(topic="domain"), {"c", "d"}),
        (Choice(topic="domain:x.com"), {"c"}),
        (Choice(tenant="acme", topic="domain"), set()),
    ],
)
def test_a_choice_takes_what_it_says(choice: Choice, taken: set[str]) -> None:
    """By tenant, mode, and topic or family of topics."""
    keys = {
        "a": Key("acme", "live", "things"),
        "b": Key("acme", "test", "things"),
        "c": Key("other", "live", "domain:x.com"),
        "d": Key("other", "test", "domain:y.com"),
    }

    assert {name for name, key in keys.items() if choice.takes(str(key))} == taken
