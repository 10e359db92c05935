"""Requests that come in the same moment, seen from their sockets."""

import socket
from contextlib import ExitStack
from threading import Event
from typing import Any
from uuid import uuid4

import pytest

from clients.sandbox.emulator import Sandbox
from tests.support.gateway import Tenant
from tests.support.sockets import LIST, PATH, Watched, caller, get, known_head, shown

MANY = 20


@pytest.fixture
def tenant(watched: Watched, sandbox: Sandbox) -> Tenant:
    """One that no other test knows."""
    return Tenant(f"t{uuid4().hex[:12]}", watched, sandbox)


def test_each_is_answered_whoever_comes_along(watched: Watched, tenant: Tenant) -> None:
    """With what its own account has, once."""
    neighbour = tenant.neighbour()
    secrets = [shown(tenant), shown(neighbour)]
    with ExitStack() as stack:
        callers = [stack.enter_context(caller(watched)) for _ in range(MANY)]
        heads = [known_head(watched, one, secrets[number % 2]) for number, one in enumerate(callers)]
        calls = tenant.calls(LIST) + neighbour.calls(LIST)
        for one, head in zip(callers, heads, strict=True):
            one.send(head)
        answers = [one.answer() for one in callers]

    assert {status for status, _, _ in answers} == {200}
    assert len({headers["x-request-id"] for _, headers, _ in answers}) == MANY
    tags = [headers["etag"] for _, headers, _ in answers]
    assert len({*tags[::2]}) == len({*tags[1::2]}) == 1
    assert tags[0] != tags[1]
    assert tenant.calls(LIST) + neighbour.calls(LIST) == calls


def test_who_will_send_no_more_is_answered(watched: Watched, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its end comes together with its request."""
    secret = shown(tenant)
    edge: Any = watched.app
    at_once, busy, go_on = edge.at_once, Event(), Event()

    def held_up(*request: Any) -> Any:
        busy.set()
        go_on.wait(10)
        return at_once(*request)

    with caller(watched) as other, caller(watched) as one:
        heads = [known_head(watched, each, secret) for each in (other, one)]
        monkeypatch.setattr(edge, "at_once", held_up)
        other.send(heads[0])
        assert busy.wait(10)
        one.send(heads[1])
        one.connection.shutdown(socket.SHUT_WR)
        go_on.set()

        assert one.answer()[0] == 200
        assert one.ended


def test_a_request_and_half_of_the_next_are_answered_in_order(watched: Watched, tenant: Tenant) -> None:
    """What comes before a turn waits for it."""
    secret = shown(tenant)
    with caller(watched) as one:
        head = known_head(watched, one, secret)
        other = get(secret, f"{PATH}?limit=1")
        for cut in range(1, len(other), 7):
            one.send(head)
            one.send(other[:cut])
            first = one.answer()
            one.send(other[cut:])
            second = one.answer()

            assert (first[0], second[0]) == (200, 200)
            assert len(second[2]) < len(first[2])


def test_a_mistake_of_ours_costs_one_connection(
    watched: Watched, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who have come along have their turns."""
    edge: Any = watched.app
    soon = edge.soon
    away = tenant.neighbour()
    secrets = [shown(tenant), shown(away)]

    def stumbles(asked: Any, ahead: Any, scheme: str, **more: Any) -> Any:
        if ahead.caller is not None and ahead.caller.tenant == away.name:
            raise RuntimeError("canary")
        return soon(asked, ahead, scheme, **more)

    with ExitStack() as stack:
        callers = [stack.enter_context(caller(watched)) for _ in range(MANY)]
        heads = [known_head(watched, one, secrets[number % 2]) for number, one in enumerate(callers)]
        monkeypatch.setattr(edge, "soon", stumbles)
        with away.client() as writer:
            made = {"ident": f"f{uuid4().hex[:8]}", "feature_type": "timebased"}
            writer.post(PATH, json=made, headers={"idempotency-key": uuid4().hex})
        for one, head in zip(callers, heads, strict=True):
            one.send(head)

        assert {one.answer()[0] for one in callers[::2]} == {200}
        assert all(one.ended for one in callers[1::2])
