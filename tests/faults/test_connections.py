"""Vendors to whom no sound connection is made, under every class of operation."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from clients.sandbox.server import SandboxServer
from tests.faults.asks import ASKS, Ask
from tests.faults.playing import Played, assert_answered, gateway_settings, played
from tests.faults.promises import Promise, Row
from tests.faults.table import CONNECTIONS, HANDSHAKES
from tests.support.certificates import Authority
from tests.support.front import Front
from tests.support.gateway import RunningGateway, Tenant

SHORT = {
    "deadline_seconds": 6.0,
    "money_deadline_seconds": 6.0,
    "read_attempt_seconds": 1.2,
    "connect_seconds": 1.2,
}
"""So that what hangs is ended soon; three attempts and their pauses fit into one deadline, on a busy machine too."""

ROWS = (*CONNECTIONS, *HANDSHAKES)

CASES = [pytest.param((row, ask), id=f"{row.name} - {ask.name}") for row in ROWS for ask in ASKS]

Seen = Callable[[Row], tuple[Mapping[str, Played], list[bytes]]]
Faults = Mapping[str, Callable[[Front], object]]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Row, Ask]:
    """Each in its turn for every test, so that processes which share the work seldom play the same row."""
    one: tuple[Row, Ask] = request.param
    return one


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """The only one that gateways trust while these tests run."""
    trusted = Authority(tmp_path_factory.mktemp("trusted"), "trusted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("certifi.where", lambda: str(trusted.bundle))
        yield trusted


@pytest.fixture(scope="module")
def faults(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """How each row's fault begins."""
    stranger = Authority(tmp_path_factory.mktemp("stranger"), "stranger")

    def shown(tls: ssl.SSLContext | None) -> Callable[[Front], None]:
        return lambda front: front.shows(tls)

    return {
        "nobody listens": Front.refuses,
        "no connection is made": Front.fills_up,
        "nobody accepts": Front.never_accepts,
        "expired": shown(authority.server(days=(-2, -1))),
        "not yet valid": shown(authority.server(days=(1, 2))),
        "somebody else's": shown(authority.server(name=x509.DNSName("other.example"))),
        "untrusted": shown(stranger.server()),
        "no TLS": shown(None),
        "no handshake": Front.never_accepts,
    }


@pytest.fixture(scope="module")
def seen(
    sandbox_server: SandboxServer, authority: Authority, faults: Faults, tmp_path_factory: pytest.TempPathFactory
) -> Seen:
    """Tells what became of every call under one row's fault, and what was sent to nobody; each row is played once."""
    behind = urlsplit(sandbox_server.url).port
    assert behind is not None

    @cache
    def play(number: int) -> tuple[Mapping[str, Played], list[bytes]]:
        row = ROWS[number]
        tls = authority.server() if row in HANDSHAKES else None
        unheard: list[bytes] = []
        with Front(behind, tls=tls) as front:

            @contextmanager
            def fault(_: Tenant) -> Iterator[None]:
                faults[row.kind](front)
                yield
                unheard.extend(front.unheard())
                front.forwards()

            url = f"{'https' if tls else 'http'}://127.0.0.1:{front.port}"
            settings = gateway_settings(tmp_path_factory.mktemp("gateway"), url, **SHORT)
            with RunningGateway(settings) as gateway:
                return played(gateway, sandbox_server.sandbox, fault), unheard

    return lambda row: play(ROWS.index(row))


def promised(row: Row, ask: Ask) -> Promise:
    """What looks before it acts ends as a look does: the act was never sent."""
    return row.read * 0 if ask.looks_first else row.promise(ask.kind)


def test_a_bad_connection_is_answered_as_promised(row: Row, ask: Ask, seen: Seen) -> None:
    """What was never sent has never happened, so even a charge may be made anew; else nobody knows."""
    outcomes, _ = seen(row)

    reply = outcomes[ask.name].during

    assert_answered(reply, ask, promised(row, ask))
    assert reply.json()["upstream"] == {"name": ask.vendor, "status": None, "code": None, "request_id": None}


def test_what_may_have_left_is_sent_once(row: Row, ask: Ask, seen: Seen) -> None:
    """Requests on the wire: none without a sound connection; reads thrice, probes twice, all else once."""
    outcomes, unheard = seen(row)
    method, _, path = ask.operation.partition(" ")

    lines = [piece.partition(b"\r\n")[0].decode("latin-1") for piece in unheard]

    sent = [line for line in lines if line.startswith(f"{method} ") and line.endswith(f"{path} HTTP/1.1")]
    assert len(sent) == promised(row, ask).calls
    assert outcomes[ask.name].calls == 0


def test_nothing_is_left_of_a_bad_connection(row: Row, ask: Ask, seen: Seen) -> None:
    """The same gateway answers the next call."""
    outcomes, _ = seen(row)

    assert outcomes[ask.name].afterwards.status_code == ask.answer


def test_a_connection_that_ends_as_it_begins_is_no_crash(
    sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whether the first byte has left is a matter of chance; a charge is unreachable or unknown, as it happened."""
    behind = urlsplit(sandbox_server.url).port
    assert behind is not None
    with Front(behind) as front:
        settings = gateway_settings(tmp_path_factory.mktemp("gateway"), f"http://127.0.0.1:{front.port}")
        with RunningGateway(settings) as gateway:
            tenant = Tenant("reset", gateway, sandbox_server.sandbox)
            with tenant.client() as api:
                one_click = next(ask for ask in ASKS if ask.name == "pay with one click")
                charges = [one_click.prepare(api) for _ in range(20)]
                front.hangs_up()

                codes = {charge().json()["code"] for charge in charges}

                assert codes <= {"outcome_unknown", "upstream_unreachable"}
                assert tenant.calls(one_click.operation) == 0
