"""Every fault of the sandbox under every class of operation."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import get_args

import pytest

from clients.sandbox.faults import Kind
from clients.sandbox.server import SandboxServer
from tests.faults.asks import ASKS, Ask
from tests.faults.playing import Played, assert_answered, gateway_settings, played
from tests.faults.promises import Row
from tests.faults.table import HANGING, PROMPT
from tests.support.gateway import RunningGateway, Tenant

SHORT = {"deadline_seconds": 4.0, "money_deadline_seconds": 4.0, "read_attempt_seconds": 0.7}
"""So that what hangs is ended soon; three attempts and their pauses fit into one deadline, on a busy machine too."""

ROWS = (*PROMPT, *HANGING)

CASES = [
    pytest.param((row, ask), id=f"{row.name} - {ask.name}")
    for row in ROWS
    for ask in ASKS
    if row.vendor in {None, ask.vendor}
]

Seen = Callable[[Row], Mapping[str, Played]]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Row, Ask]:
    """Each in its turn for every test, so that processes which share the work seldom play the same row."""
    one: tuple[Row, Ask] = request.param
    return one


@pytest.fixture(scope="module")
def seen(sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Tells what became of every call under one row's fault, which is played once."""

    @cache
    def play(number: int) -> Mapping[str, Played]:
        row = ROWS[number]

        @contextmanager
        def fault(tenant: Tenant) -> Iterator[None]:
            for ask in ASKS:
                tenant.fails(ask.operation, row.kind, **row.details)
            yield
            sandbox_server.sandbox.faults.clear()

        numbers = SHORT if row in HANGING else {}
        settings = gateway_settings(tmp_path_factory.mktemp("gateway"), sandbox_server.url, **numbers)
        with RunningGateway(settings) as gateway:
            return played(gateway, sandbox_server.sandbox, fault)

    return lambda row: play(ROWS.index(row))


def test_a_failure_is_answered_as_promised(row: Row, ask: Ask, seen: Seen) -> None:
    """
    A read that fails has failed; a write or a charge that may have been
    carried out is never called failed; and the vendor's part in it is told.
    """
    promise = row.promise(ask.kind)

    reply = seen(row)[ask.name].during

    assert_answered(reply, ask, promise)
    if promise.code is not None:
        told = reply.json()["upstream"]
        assert told.keys() == {"name", "status", "code", "request_id"}
        assert (told["name"], told["status"], told["code"]) == (ask.vendor, row.said, row.code)
        assert reply.headers.get("retry-after") == row.wait


def test_a_vendor_is_called_as_often_as_is_safe(row: Row, ask: Ask, seen: Seen) -> None:
    """Reads thrice, probes twice, and what may have happened once."""
    assert seen(row)[ask.name].calls == row.promise(ask.kind).calls


def test_nothing_is_left_of_a_fault_that_is_over(row: Row, ask: Ask, seen: Seen) -> None:
    """The same gateway answers the next call."""
    assert seen(row)[ask.name].afterwards.status_code == ask.answer, row.name


def test_no_fault_is_forgotten() -> None:
    """Whatever the sandbox can do wrong is in the table."""
    assert {row.kind for row in ROWS} == set(get_args(Kind))
