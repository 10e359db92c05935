"""What the log says: a line for each request and each attempt, and nothing that is anybody's."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from clients.sandbox.emulator import Sandbox
from gateway.telemetry import Line, Log, adopt_stdlib, logger
from gateway.telemetry.writing import Together
from tests.support.gateway import RunningGateway, Tenant
from tests.support.timing import until


@pytest.fixture
def talking(gateway: RunningGateway) -> Iterator[RunningGateway]:
    """A gateway that logs at the usual level."""
    with RunningGateway(msgspec.structs.replace(gateway.settings, log_level="info")) as running:
        yield running


def test_a_request_and_its_attempts_are_one_story(
    talking: RunningGateway, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    """The request's id and its trace's lead from one line to the other."""
    caller = Tenant("talking", talking, sandbox)
    caller.fails("POST /features", "status", status=503, times=1)
    with caller.client() as api:
        capfd.readouterr()
        reply = api.get("/v1/features?limit=7", headers={"x-request-id": "theirs-1"})

    first, second, request = lines(capfd, 3)
    token_id = request["token_id"]
    story = {"trace_id": request["trace_id"], "request_id": reply.headers["x-request-id"], "tenant": "talking"}
    assert without_times(first) == {
        "level": "info",
        "event": "upstream attempt",
        "upstream": "funnelfox",
        "operation": "POST /features",
        "status": 503,
        "error": "Unavailable",
        "mode": "test",
        "token_id": token_id,
        **story,
    }
    assert (second["status"], second["resend"], "error" in second) == (200, 1, False)
    assert without_times(request) == {
        "level": "info",
        "event": "request",
        "method": "GET",
        "route": "/v1/features",
        "status": 200,
        "cache": "bypass",
        "attempts": 2,
        "client_request_id": "theirs-1",
        "mode": "test",
        "token_id": token_id,
        **story,
    }
    assert request["ms"] >= request["upstream_ms"] > 0


def test_no_line_holds_what_is_somebodys(
    talking: RunningGateway, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither tokens, credentials, queries, bodies, addresses nor customers."""
    caller = Tenant("quiet", talking, sandbox)
    with caller.client() as api:
        secret = api.headers["authorization"].removeprefix("Bearer ")
        api.get("/v1/domains?q=canary-query")
        api.post("/v1/domains", json={"hostname": "canary-host.example.com"})
        api.post("/v1/customers/search", json={"email": "canary@example.com"})
        api.get("/v1/customers/canary@example.com/payments")
        api.get("/canary-path?canary=1")
    made = caller.account.credentials

    logged = json.dumps(lines(capfd, 5, of="request"))

    for canary in ("canary", secret, made.access_token, made.refresh_token, made.secret_key):
        assert canary not in logged


def test_a_value_cannot_make_a_line_of_its_own() -> None:
    """Neither in JSON nor for people; and half a character is no crash."""
    for form in ("json", "console"):
        written = io.StringIO()
        log = logger("info", form, written)

        log.info("x", value='a\n{"level":"error"}\x1b[2J', odd="\ud800", missing=None)

        assert written.getvalue().count("\n") == 1
        assert "\x1b[2J" not in written.getvalue()
        assert "missing" not in written.getvalue()


def test_below_the_level_nothing_is_written() -> None:
    """And what is above it is."""
    written = io.StringIO()
    log = logger("warning", "json", written)

    log.debug("a")
    log.info("b")
    log.warning("c", count=1)
    log.error("d")

    assert [json.loads(line)["event"] for line in written.getvalue().splitlines()] == ["c", "d"]


def test_libraries_speak_in_our_form_and_not_all_the_time() -> None:
    """A library that says the same for minutes is heard once; one that helps nobody is not heard."""
    written = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        adopt_stdlib(logger("debug", "json", written))
        for number in range(50):
            logging.getLogger("a.library").warning("try %d failed", number)
        logging.getLogger("a.library").info("hello")
        logging.getLogger("a.library").error("bad %d", "no number")
        logging.getLogger("a.library").error("it broke", exc_info=ValueError("why"))
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)

    said = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["level"], line["event"], line["logger"]) for line in said] == [
        ("warning", "try 0 failed", "a.library"),
        ("error", "bad %d", "a.library"),
        ("error", "it broke", "a.library"),
    ]
    assert "ValueError: why" in said[-1]["exception"]


@pytest.mark.parametrize("end", ["", "raise ValueError", "sys.exit(3)"])
def test_no_line_is_lost_when_the_process_ends(end: str) -> None:
    """Lines wait for each other a moment, but not for one that never comes."""
    program = f"import sys; from gateway.telemetry import logger; logger('info', 'json').info('last'); {end}"

    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)

    assert '"event":"last"' in ended.stderr


def test_a_line_waits_a_moment_at_most(capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody has to write another to see it."""
    log = logger("info", "json")

    log.info("alone")

    until(lambda: '"event":"alone"' in capfd.readouterr().err)


def test_a_warning_waits_for_nothing_and_comes_in_its_place(capfd: pytest.CaptureFixture[str]) -> None:
    """What was told before it stands before it."""
    log = logger("info", "json")

    log.info("a")
    log.warning("b")

    assert [json.loads(line)["event"] for line in capfd.readouterr().err.splitlines()] == ["a", "b"]


def test_a_crowd_of_failed_requests_is_written_together() -> None:
    """While a vendor is down its failures are no reason to write each line by itself; a crash is."""
    written: list[str] = []
    log = Log(written.append, level="info", form="json", together=Together(written.append))

    for _ in range(100):
        log.line("error", Line(event="request"))
    log.error("crash")

    assert len(written) < 50
    assert json.loads("".join(written).splitlines()[100])["event"] == "crash"


def test_lines_of_several_workers_are_never_torn() -> None:
    """They are written whole, and in portions that a pipe takes whole; a longer one goes alone."""
    written: list[str] = []
    together = Together(written.append)
    lines = [b"x" * length for length in (1000, 2000, 3000, 5000, 10, 4095)]

    for line in lines:
        together.add(line)
    together.flush()

    assert "".join(written) == "".join(f"{line.decode()}\n" for line in lines)
    assert [len(portion) for portion in written] == [3002, 3001, 5001, 11, 4096]


def lines(capfd: pytest.CaptureFixture[str], count: int, *, of: str | None = None) -> list[dict[str, Any]]:
    """What is written, once so many lines are about requests and attempts, or about one of them."""
    said: list[dict[str, Any]] = []

    def told() -> list[dict[str, Any]]:
        return [line for line in said if line["event"] in ({of} if of else {"request", "upstream attempt"})]

    def complete() -> bool:
        said.extend(json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{"))
        return len(told()) >= count

    until(complete)
    assert len(told()) == count
    return said


def without_times(line: dict[str, Any]) -> dict[str, Any]:
    """A line less what differs from one run to the next."""
    return {name: value for name, value in line.items() if name not in {"timestamp", "ms", "upstream_ms"}}
