"""What is left when something of ours goes wrong: one problem for the caller, one line for us, no secret in either."""

import json
from typing import Any

import httpx
import pytest

from gateway.http.cors import Cors
from gateway.http.edge import Edge
from gateway.http.paths import Namesakes
from gateway.metrics import Metrics
from gateway.observing.reporting import Reporter
from gateway.serving import server
from gateway.serving.stopping import Notice
from gateway.telemetry import logger, tracer_provider


async def crashing(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An application that fails while it holds a secret."""
    if scope["type"] == "lifespan":
        for answer in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{answer}.complete"})
        return
    bearer = dict(scope["headers"])[b"authorization"].decode()
    if scope["path"] == "/late":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"99")]})
    raise RuntimeError(f"no way with {len(bearer)} characters")


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_crash_tells_the_caller_nothing_and_the_log_no_secret(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The request id leads from one to the other; values of variables stay out of both."""
    log = logger("info", form)
    edge = Edge(
        crashing,
        public_url="https://api.example.com",
        namesakes=Namesakes([]),
        body_limits={},
        cors=Cors(()),
        shortcut=None,
        reporter=Reporter(tracer_provider(), Metrics(), log),
        log=log,
        notice=Notice(),
    )
    with server.in_thread(edge, server.listen("127.0.0.1", 0)) as url:
        reply = httpx.get(f"{url}/v1/x", headers={"Authorization": "Bearer canary-7f3"})
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{url}/late", headers={"Authorization": "Bearer canary-7f3"})

    assert reply.status_code == 500
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert body == {
        "type": "https://api.example.com/problems/internal_error",
        "title": "Internal error",
        "status": 500,
        "detail": "Something went wrong on our side.",
        "instance": "/v1/x",
        "code": "internal_error",
        "request_id": reply.headers["x-request-id"],
        "trace_id": body["trace_id"],
        "retryable": False,
    }
    logged = capfd.readouterr().err
    assert body["request_id"] in logged
    assert "no way with 17 characters" in logged
    assert "canary" not in logged
    if form == "json":
        assert all(json.loads(line) for line in logged.splitlines() if line.startswith("{"))
