"""The gateway, walked: it is started on the sandbox, and the main jobs are done over real HTTP."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from secrets import randbits
from time import perf_counter, time
from typing import Any, Final

import httpx
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from rich.console import Console
from rich.text import Text
from rich.tree import Tree
from typing_extensions import override

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway import serving
from gateway.app import create_app
from gateway.settings import FunnelFluxSettings, Settings
from gateway.storage.database import Database
from gateway.storage.tokens import TokenStore
from gateway.tokens import Tokens
from gateway.upstreams import SCOPES

NEW: Final = "shop.example.com"
"""The hostname that the walk registers."""

DNS_SECONDS: Final = 3600
"""How far the sandbox's clock is put on, so that a pending hostname gets through all its states."""

PORTS_TRIED: Final = 20
"""After the wanted port; a developer's machine has some taken."""


class Collected(SpanProcessor):
    """Keeps finished spans, to draw one trace at the end."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []

    @override
    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)

    def of(self, trace_id: int) -> list[ReadableSpan]:
        """The spans of one trace, in the order of their beginning."""
        mine = [span for span in self._spans if span.context is not None and span.context.trace_id == trace_id]
        return sorted(mine, key=lambda span: span.start_time or 0)


class StepFailed(Exception):
    """A step of the walk was not answered as it should be."""


class Walk:
    """Does one step after the other, and prints each in a line or two.

    Args:
        api: Aimed at the gateway, with a token.
        console: Where to print.
    """

    def __init__(self, api: httpx.Client, console: Console) -> None:
        self._api = api
        self._console = console

    def step(
        self,
        title: str,
        method: str,
        path: str,
        *,
        expect: int,
        show: Callable[[Any], str],
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send one request and print what came of it.

        Raises:
            StepFailed: The status is not `expect`.
        """
        started = perf_counter()
        reply = self._api.request(method, path, json=body, headers=headers)
        took = (perf_counter() - started) * 1000
        content = reply.json() if reply.content else None
        colour = "green" if reply.is_success else "yellow"
        self._console.print(Text.assemble(("\n  " + title, "bold")))
        self._console.print(
            Text.assemble(
                ("    ", ""),
                (f"{method:<6} {path:<44}", "cyan"),
                (f" {reply.status_code}", colour),
                (f" {took:6.1f} ms", "dim"),
            )
        )
        if reply.status_code != expect:
            raise StepFailed(f"{method} {path}: expected {expect}, got {reply.status_code}: {reply.text[:500]}")
        for line in show(content).splitlines():
            self._console.print(Text(f"           {line}", "default"))
        return content


def main() -> int:
    """Run the demo; the exit code is 0 if every step went as it should."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    spans = Collected()
    with tempfile.TemporaryDirectory(prefix="funnel-gateway-") as folder, SandboxServer() as sandbox:
        settings = Settings(
            database_url=Secret(f"sqlite:///{Path(folder) / 'demo.db'}"),
            sandbox=sandbox.url,
            log_level="error",
            log_format="console",
            funnelflux=FunnelFluxSettings(cname_target="cname.sandbox.example.net"),
        )
        token = asyncio.run(_token(settings))
        with serving.in_thread(create_app(settings, spans), _listening(_port())) as url:
            try:
                _walk(url, token, sandbox, spans, console=console)
            except (StepFailed, httpx.HTTPError) as error:
                console.print(Text(f"\n  The walk ended: {error}", "bold red"))
                return 1
            _farewell(url, token, console)
            if os.environ.get("DEMO_ONCE", "") in {"", "0"}:
                _until_interrupted(console)
    return 0


def _walk(url: str, token: Secret, sandbox: SandboxServer, spans: Collected, *, console: Console) -> None:
    merged = randbits(128) | 1
    traceparent = {"traceparent": f"00-{trace.format_trace_id(merged)}-{trace.format_span_id(randbits(64) | 1)}-01"}
    console.print(Text.assemble(("Funnel Gateway", "bold magenta"), f" at {url}, on the sandbox of both vendors"))
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token.reveal()}"}, timeout=20) as api:
        walk = Walk(api, console)
        walk.step("Which domains are there?", "GET", "/v1/domains", expect=200, show=_domains)
        walk.step("Register a hostname", "POST", "/v1/domains", body={"hostname": NEW}, expect=201, show=_records)
        walk.step("Where is it?", "GET", f"/v1/domains/{NEW}", expect=200, show=_verdict)
        sandbox.sandbox.clock.advance(DNS_SECONDS)
        walk.step(
            "The owner has published the records; look again",
            "POST",
            f"/v1/domains/{NEW}/refresh",
            expect=200,
            show=_verdict,
        )
        walk.step(
            "One answer from two vendor calls at once",
            "GET",
            f"/v1/domains/{NEW}",
            expect=200,
            show=_verdict,
            headers=traceparent,
        )
        walk.step(
            "Somebody else's hostname",
            "POST",
            "/v1/domains",
            body={"hostname": "owned.example.net"},
            expect=409,
            show=_problem,
        )
        walk.step(
            "Nonsense, all faults at once",
            "POST",
            "/v1/domains",
            body={"hostnam": "x", "tls": True},
            expect=422,
            show=_problem,
        )
        walk.step("Remove it", "DELETE", f"/v1/domains/{NEW}", expect=204, show=lambda _: "gone")
        walk.step("What can be bought?", "GET", "/v1/price-points?limit=4", expect=200, show=_prices)
        walk.step("What does a customer get?", "GET", "/v1/features", expect=200, show=_features)
        walk.step("Without a token", "GET", "/v1/domains", headers={"Authorization": ""}, expect=401, show=_problem)
    console.print(Text("\n  The merged call, as its trace", "bold"))
    console.print(_tree(spans.of(merged)))
    if len(spans.of(merged)) < 3:  # noqa: PLR2004 - the request and its two vendor calls
        raise StepFailed("the trace of the merged call is not whole")


def _domains(body: Any) -> str:
    return "\n".join(f"{row['hostname']:<28} {row['status'] or 'not looked at yet'}" for row in body["data"])


def _records(body: Any) -> str:
    rows = (f"{record['type']:<6} {record['name']}  {record['value']}" for record in body["dns_records"])
    return "\n".join((f"status {body['status']}; publish:", *rows))


def _verdict(body: Any) -> str:
    check = body["check"]
    reached = "not checked" if check is None else f"found {check['found']}, TLS {check['ssl_valid']}"
    ready = body["readiness"]
    return (
        f"hostname {body['status']}, certificate {body['ssl_status']}, {reached}\n{ready['state']}: {ready['summary']}"
    )


def _problem(body: Any) -> str:
    faults = (f"{fault['pointer']}: {fault['detail']}" for fault in body.get("errors", ()))
    return "\n".join((f"{body['code']}: {body['detail']}", *faults))


def _prices(body: Any) -> str:
    def price(row: Any) -> str:
        every = f"every {row['next_period']} {row['next_period_duration']}"
        return f"{row['lifetime_price']} once" if row["lifetime_price"] else f"{row['next_price']} {every}"

    return "\n".join(f"{row['ident']:<28} {row['currency']['code']} {price(row)}" for row in body["data"])


def _features(body: Any) -> str:
    return ", ".join(row["ident"] for row in body["data"])


def _tree(spans: Sequence[ReadableSpan]) -> Tree:
    """The spans of one trace, each below its parent."""
    known = {span.context.span_id for span in spans if span.context}
    root = Tree("", hide_root=True)
    nodes: dict[int, Tree] = {}
    for span in spans:
        parent = span.parent.span_id if span.parent and span.parent.span_id in known else 0
        above = nodes.get(parent, root)
        took = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
        attributes = span.attributes or {}
        status = attributes.get("http.response.status_code", "")
        label = Text.assemble(
            (f"{span.name}", "cyan"),
            (f"  {attributes.get('gateway.upstream', '')}", "default"),
            (f" {status}", "green" if span.status.is_ok or span.status.is_unset else "red"),
            (f"  {took:.1f} ms", "dim"),
        )
        if span.context:
            nodes[span.context.span_id] = above.add(label)
    return root


def _farewell(url: str, token: Secret, console: Console) -> None:
    console.print(Text("\n  Yours to try", "bold"))
    console.print(f"    url    {url}", soft_wrap=True)
    console.print(f"    token  {token.reveal()}", soft_wrap=True)
    console.print(f"    curl -H 'Authorization: Bearer {token.reveal()}' {url}/v1/domains", soft_wrap=True)


async def _token(settings: Settings) -> Secret:
    database = Database(settings.database_url)
    await database.migrate()
    _, secret = await Tokens(TokenStore(database), time).create("demo", sorted(SCOPES), mode="test")
    await database.close()
    return secret


def _port() -> int:
    text = os.environ.get("PORT", "8080")
    if not (text.isascii() and text.isdigit() and 0 <= int(text) <= 65535):  # noqa: PLR2004 - TCP's last port
        sys.exit(f"PORT must be a number from 0 to 65535, not {text!r}.")
    return int(text)


def _listening(port: int) -> socket.socket:
    """A socket on `port`, or on the next free one."""
    for wanted in range(port, port + PORTS_TRIED):
        try:
            return serving.listen("127.0.0.1", wanted)
        except serving.PortTaken:
            continue
    sys.exit(f"The ports {port} to {port + PORTS_TRIED - 1} are all taken; choose another with PORT=.")


def _until_interrupted(console: Console) -> None:
    console.print(Text("\n  Serving until Ctrl-C.", "dim"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print()


if __name__ == "__main__":
    sys.exit(main())
