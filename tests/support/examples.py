"""The examples of the API document: one walk through the gateway on the sandbox, written down.

Run as a module, it prints them as `make openapi-examples` commits them. The
sandbox's clock stands still and its identifiers repeat, so that two walks give
the same; what the gateway itself makes anew is replaced.
"""

import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import httpx
import msgspec
import pytest

from clients.sandbox.billing.identities import Identities
from clients.sandbox.clock import Clock
from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.app import document
from gateway.openapi.examples import Example, Received, Sent
from gateway.openapi.headers import EVERYWHERE, KNOWN, OF_LIMITS
from gateway.settings import FunnelFluxSettings, Settings
from tests.support.gateway import RunningGateway
from tests.support.walk import STEPS, Step

NOW: Final = 1_767_268_800
"""2026-01-01T12:00:00Z: what the sandbox's clock shows."""

REPLACED: Final = {
    "request_id": "req_Vq3nT0c9sKjT2mXbq1hZkQ",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "fetched_at": "2026-01-01T12:00:00Z",
    "since": "2026-01-01T12:00:00Z",
}
"""Members that differ from one run to the next."""

TOKEN_TIMES: Final = ("created_at", "expires_at", "revoked_at", "last_used_at", "old_secret_ends_at")
"""Those of tokens, whose clock is the real one."""

NAMELESS: Final = (
    (re.compile(r"op_[0-9a-f]{32}"), "op_019b7a1b2c00f3c1d5a9e7b20468ace1"),
    (re.compile(r"tok_[0-9a-f]{24}"), "tok_5f2b8c7d9e1a3b4c5d6e7f80"),
    (re.compile(r"fgw_(live|test)_[0-9A-Za-z]{38}"), r"fgw_\1_ThisIsNoSecretButShowsHowOneLooks00000"),
)
"""Texts that differ: ids of operations, ids and secrets of tokens."""

REPLACED_HEADERS: Final = {"Age": "0", "ETag": 'W/"30995f9c57200add7e5184c5f71f1fdc"'}
"""The same of headers."""

_TTL: Final = re.compile(r"ttl=\d+")
"""What a header counts down."""


class Stage(NamedTuple):
    """A gateway on a sandbox where nothing is left to chance."""

    gateway: RunningGateway
    sandbox: Sandbox


@contextmanager
def stage(*, cached: bool = True) -> Iterator[Stage]:
    """The default tenant's story, always the same; not `cached`: every read sees the sandbox as it is."""
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as folder,
    ):
        patch.setattr(Identities, "become_unique", lambda _: None)
        with SandboxServer(clock=Clock(lambda: NOW)) as server:
            settings = Settings(
                cache_list_fresh_seconds=60 if cached else 0,
                cache_detail_fresh_seconds=10 if cached else 0,
                database_url=Secret(f"sqlite:///{Path(folder) / 'gateway.db'}"),
                sandbox=server.url,
                log_level="error",
                limit_per_minute=0,
                limit_money_per_minute=0,
                limit_probe_per_minute=0,
                encryption_keys=Secret("an-encryption-key-of-the-examples-only"),
                funnelflux=FunnelFluxSettings(cname_target="cname.sandbox.example.net"),
            )
            with RunningGateway(settings) as gateway:
                yield Stage(gateway, server.sandbox)


def captured() -> dict[str, list[Example]]:
    """The examples of every operation, by its id."""
    operations = {
        operation["operationId"]: (method.upper(), path)
        for path, item in document()["paths"].items()
        for method, operation in item.items()
    }
    answers: dict[str, Any] = {}
    found: dict[str, list[Example]] = {}
    with stage() as (gateway, sandbox):
        _, secret = gateway.token()
        _, live = gateway.token(mode="live")
        with gateway.client(secret) as api, gateway.client(live) as operator:
            for step in STEPS:
                if step.operation not in operations:
                    continue
                if step.clock_seconds:
                    sandbox.clock.advance(step.clock_seconds)
                sent = _sent(step, answers)
                reply = _call(operator if step.live else api, *operations[step.operation], sent)
                if reply.status_code != step.expect:
                    told = f"{reply.status_code} instead of {step.expect}: {reply.text}"
                    raise AssertionError(f"{step.operation}: {told}")
                received = _received(reply, step.shortened)
                answers[step.title or step.operation] = answers[step.operation] = _body(reply)
                if step.title:
                    shown = Example(title=step.title, sent=_nameless(sent), received=received)
                    found.setdefault(step.operation, []).append(shown)
    return dict(sorted(found.items()))


def written() -> str:
    """The examples as a file."""
    return msgspec.json.format(msgspec.json.encode(captured()), indent=2).decode() + "\n"


def _sent(step: Step, answers: Mapping[str, Any]) -> Sent:
    body = _resolved(step.body, answers)
    return Sent(
        path={name: str(_resolved(value, answers)) for name, value in step.path.items()},
        query=dict(step.query),
        headers=dict(step.headers),
        media_type=None if body is None else "text/csv" if isinstance(body, str) else "application/json",
        body=body,
    )


def _resolved(value: Any, answers: Mapping[str, Any]) -> Any:
    """`value`, with `$step/member` replaced by what that step was answered."""
    match value:
        case str() if value.startswith("$"):
            name, *members = value[1:].split("/")
            found = answers[name]
            for member in members:
                found = found[int(member) if isinstance(found, list) else member]
            return found
        case dict():
            return {name: _resolved(part, answers) for name, part in value.items()}
        case _:
            return value


def _call(api: httpx.Client, method: str, path: str, sent: Sent) -> httpx.Response:
    place = path.format(**{name: quote(value, safe="") for name, value in sent.path.items()})
    headers = dict(sent.headers)
    if sent.media_type is not None:
        headers["content-type"] = sent.media_type
    content = sent.body.encode() if isinstance(sent.body, str) else msgspec.json.encode(sent.body)
    return api.request(
        method,
        place,
        params=sent.query,
        headers={"accept": "application/json", **headers},
        content=None if sent.body is None else content,
    )


def _body(reply: httpx.Response) -> Any:
    if not reply.content:
        return None
    return reply.json() if "json" in reply.headers.get("content-type", "") else reply.text


def _received(reply: httpx.Response, shortened: Callable[[Any], Any] | None) -> Received:
    body = _replaced(_body(reply))
    headers = {
        name: reply.headers[name] for name in KNOWN if name in reply.headers and name not in {*EVERYWHERE, *OF_LIMITS}
    }
    return Received(
        status=reply.status_code,
        headers={name: _anonymous(_steady(name, text)) for name, text in headers.items()},
        media_type=(reply.headers.get("content-type", "").partition(";")[0] or None) if reply.content else None,
        body=shortened(body) if shortened else body,
    )


def _nameless(sent: Sent) -> Sent:
    return msgspec.structs.replace(sent, path={name: _anonymous(text) for name, text in sent.path.items()})


def _anonymous(text: str) -> str:
    for form, shown in NAMELESS:
        text = form.sub(shown, text)
    return text


def _steady(name: str, text: str) -> str:
    return REPLACED_HEADERS.get(name, _TTL.sub("ttl=60", text))


def _replaced(value: Any) -> Any:
    match value:
        case dict():
            if str(value.get("id")).startswith("tok_"):
                value |= _token_times(value)
            return {
                name: REPLACED[name] if name in REPLACED and part is not None else _replaced(part)
                for name, part in value.items()
            }
        case list():
            return [_replaced(part) for part in value]
        case str():
            return _anonymous(value)
        case _:
            return value


def _token_times(token: Mapping[str, Any]) -> dict[str, str]:
    """As if it had been made when the sandbox's clock stands; to the minute, since calls take time."""
    made = datetime.fromisoformat(token["created_at"])
    shown = {}
    for name in TOKEN_TIMES:
        if text := token.get(name):
            later = timedelta(minutes=round((datetime.fromisoformat(text) - made).total_seconds() / 60))
            shown[name] = (datetime.fromtimestamp(NOW, UTC) + later).strftime("%Y-%m-%dT%H:%M:%SZ")
    return shown


if __name__ == "__main__":
    sys.stdout.write(written())
