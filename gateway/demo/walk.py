"""The walk: the main jobs of the gateway, one request after the other, each printed short."""

import re
from collections.abc import Callable
from secrets import randbits
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

import httpx
from opentelemetry import trace
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from clients.sandbox.server import SandboxServer
from gateway.demo import shown

NEW: Final = "shop.example.com"
"""The hostname that the walk registers."""

BUYER: Final = "walker"
"""The customer who buys in the walk."""

DNS_SECONDS: Final = 3600
"""How far the sandbox's clock is put on, so that a pending hostname gets through all its states."""

MERGED_SPANS: Final = 3
"""Of the merged call: the request and its two vendor calls."""


_UUID: Final = re.compile(r"([0-9a-f]{8})-[0-9a-f-]{27}")


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
        request: str,
        show: Callable[[Any], str],
        *,
        expect: int = 200,
        body: object = None,
        headers: dict[str, str] | None = None,
        token: str | None = None,
    ) -> Any:
        """Send one request, print what came of it, and return the answer's body.

        Args:
            title: What it is for.
            request: Method and path, as in "GET /v1/domains".
            show: The answer in a line or two.
            expect: The status that it must have.
            body: Sent as JSON.
            headers: Sent besides the token.
            token: Another than usual; empty: none.

        Raises:
            StepFailed: The status is not `expect`.
        """
        method, _, path = request.partition(" ")
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}" if token else ""
        started = perf_counter()
        reply = self._api.request(method, path, json=body, headers=sent)
        took = (perf_counter() - started) * 1000
        colour = "green" if reply.is_success else "yellow"
        self._console.print(Text(f"\n  {title}", "bold"))
        self._console.print(
            Text.assemble(
                (f"    {method:<6} {_UUID.sub(_short, path):<48}", "cyan"),
                (f" {reply.status_code}", colour),
                (f" {took:6.1f} ms", "dim"),
            )
        )
        if reply.status_code != expect:
            raise StepFailed(f"{request}: expected {expect}, got {reply.status_code}: {reply.text[:500]}")
        content = reply.json() if reply.content else None
        for line in show(content).splitlines():
            self._console.print(Text(f"           {line}"))
        return content


def walk(api: httpx.Client, sandbox: SandboxServer, spans: shown.Collected, console: Console) -> None:
    """All steps, and the trace of the merged call at the end.

    Raises:
        StepFailed: A step was not answered as it should be.
        httpx.HTTPError: It was not answered at all.
    """
    steps = Walk(api, console)
    merged = randbits(128) | 1
    _domains(steps, sandbox, merged)
    _billing(steps)
    _tokens(steps)
    console.print(Text("\n  The merged call, as its trace", "bold"))
    console.print(Padding(shown.tree(spans.of(merged)), (0, 0, 0, 4)))
    if len(spans.of(merged)) < MERGED_SPANS:
        raise StepFailed("the trace of the merged call is not whole")


def _domains(steps: Walk, sandbox: SandboxServer, merged: int) -> None:
    traceparent = f"00-{trace.format_trace_id(merged)}-{trace.format_span_id(randbits(64) | 1)}-01"
    steps.step("Which domains are there?", "GET /v1/domains", shown.domains)
    steps.step("Register a hostname", "POST /v1/domains", shown.records, body={"hostname": NEW}, expect=201)
    steps.step("Where is it?", f"GET /v1/domains/{NEW}", shown.verdict)
    sandbox.sandbox.clock.advance(DNS_SECONDS)
    steps.step("The owner has published the records; look again", f"POST /v1/domains/{NEW}/refresh", shown.verdict)
    steps.step(
        "One answer from two vendor calls at once",
        f"GET /v1/domains/{NEW}",
        shown.verdict,
        headers={"traceparent": traceparent},
    )
    owned = {"hostname": "owned.example.net"}
    steps.step("Somebody else's hostname", "POST /v1/domains", shown.problem, body=owned, expect=409)
    nonsense = {"hostnam": "x", "tls": True}
    steps.step("Nonsense, all faults at once", "POST /v1/domains", shown.problem, body=nonsense, expect=422)
    steps.step("Remove it", f"DELETE /v1/domains/{NEW}", lambda _: "gone", expect=204)


def _billing(steps: Walk) -> None:
    steps.step("What can be bought?", "GET /v1/price-points?limit=4", shown.prices)
    steps.step("What does a customer get?", "GET /v1/features", shown.features)
    wish = {
        "price_point": "yearly-premium",
        "external_id": BUYER,
        "email_address": "walker@example.com",
        "integration_type": "fakeintegration",
    }
    order = steps.step(
        "A customer goes to the checkout", "POST /v1/checkout/sessions", shown.session, body=wish, expect=201
    )
    card = {"order_id": order["order_id"], "payment_method_token": "pmt_insufficient_funds"}
    pay = "POST /v1/checkout/payments"
    steps.step("Their card has no funds", pay, shown.problem, body=card, expect=402, headers=_key())
    card["payment_method_token"] = "pmt_3ds"  # noqa: S105 - a magic token of the sandbox
    asked = steps.step("Another card's bank wants to know", pay, shown.payment, body=card, headers=_key())
    resume = f"POST /v1/checkout/payments/{asked['order_id']}/resume"
    paid = steps.step(
        "They have answered their bank", resume, shown.payment, body={"resume_token": "rt_ok"}, headers=_key()
    )
    known = steps.step("All about them, from three vendor calls", f"GET /v1/customers/{BUYER}", shown.customer)
    pause = f"POST /v1/subscriptions/{known['subscriptions'][0]['id']}/pause"
    steps.step("They take a break", pause, shown.subscription, body={"pause_till": None})
    back = {"external_id": BUYER, "order_id": paid["order_id"], "amount": "20.00", "soft_refund": True}
    steps.step("They get something back", "POST /v1/refunds", shown.refund, body=back, headers=_key())


def _tokens(steps: Walk) -> None:
    steps.step("Without a token", "GET /v1/domains", shown.problem, expect=401, token="")
    wish = {"name": "a partner", "scopes": ["domains:read", "catalog:read"], "expires_in": "90d"}
    partner = steps.step("A partner gets a token of their own", "POST /v1/tokens", shown.token, body=wish, expect=201)
    steps.step("With it they read domains", "GET /v1/domains?limit=1", shown.domains, token=partner["token"])
    taken = {"hostname": "partner.example.com"}
    steps.step(
        "What it does not allow", "POST /v1/domains", shown.problem, body=taken, expect=403, token=partner["token"]
    )
    limited = {"subject": BUYER, "scopes": ["customers:read", "payments:read"]}
    customer = steps.step(
        "The shop's backend gives a customer a token, for minutes",
        "POST /v1/tokens/delegated",
        shown.token,
        body=limited,
        expect=201,
    )["token"]
    steps.step("They see what they paid", f"GET /v1/customers/{BUYER}/payments", shown.payments, token=customer)
    steps.step(
        "And nobody else's payments", "GET /v1/customers/user-ada/payments", shown.problem, expect=403, token=customer
    )
    steps.step("The partner's is withdrawn", f"DELETE /v1/tokens/{partner['id']}", lambda _: "revoked", expect=204)
    steps.step("And refused", "GET /v1/domains", shown.problem, expect=401, token=partner["token"])


def _short(uuid: re.Match[str]) -> str:
    """Enough of an identifier to know it again."""
    return f"{uuid[1]}..."


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}
