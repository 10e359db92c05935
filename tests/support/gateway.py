"""A gateway served for real, and tenants that tests call it as."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import time
from types import TracebackType
from typing import Self, TypeVar
from uuid import uuid4

import httpx
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from typing_extensions import override

from clients.sandbox.account import Account
from clients.sandbox.emulator import Sandbox
from clients.sandbox.faults import Fault
from gateway.app import create_app
from gateway.principal import Mode
from gateway.scopes import SCOPES
from gateway.serving import server
from gateway.settings import Settings
from gateway.storage.database import Database
from gateway.storage.tokens import TokenRecord, TokenStore
from gateway.tokens.lifecycle import Tokens
from tests.support.plain import PLAIN

T = TypeVar("T")


class Spans(InMemorySpanExporter):
    """What a gateway has sent of its traces."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: set[str] = set()
        """The names of all that there have ever been, those of spans that are cleared too."""

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.attributes.update(name for span in spans for name in span.attributes or {})
        return super().export(spans)


class RunningGateway:
    """The real application behind a real server on a port of its own.

    Args:
        settings: As the environment would give them.
        traced: Whether every trace is kept, to be looked at; what is kept in the cache is given at once only without.
    """

    def __init__(self, settings: Settings, *, traced: bool = True) -> None:
        self.settings = settings
        self.spans = Spans()
        self.app = create_app(settings, *([SimpleSpanProcessor(self.spans)] if traced else []))
        self._serving = server.in_thread(self.app, server.listen("127.0.0.1", 0))
        self.url = ""

    def __enter__(self) -> Self:
        self.url = self._serving.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._serving.__exit__(kind, error, trace)

    def token(
        self,
        *,
        tenant: str = "default",
        mode: Mode = "test",
        scopes: Sequence[str] = tuple(SCOPES),
        subject: str | None = None,
        lifetime_seconds: int | None = None,
    ) -> tuple[TokenRecord, str]:
        """A new token: what is kept of it, and its secret."""
        record, secret = self._on_tokens(
            lambda tokens: tokens.create(
                "test", scopes, tenant=tenant, mode=mode, subject=subject, lifetime_seconds=lifetime_seconds
            )
        )
        return record, secret.reveal()

    def revoke(self, token_id: str) -> None:
        """Withdraw a token, as the command line would."""
        assert self._on_tokens(lambda tokens: tokens.revoke(token_id))

    def _on_tokens(self, act: Callable[[Tokens], Awaitable[T]]) -> T:
        async def done() -> T:
            database = Database(self.settings.database_url)
            try:
                return await act(Tokens(TokenStore(database), time))
            finally:
                await database.close()

        return asyncio.run(done())

    def client(self, secret: str | None = None) -> httpx.Client:
        """An HTTP client aimed here, holding `secret` if there is one."""
        headers = {"authorization": f"Bearer {secret}"} if secret is not None else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=PLAIN)


class Tenant:
    """One tenant of a test's own, and its accounts in the sandbox.

    Args:
        name: That nobody else uses.
        gateway: Where it calls.
        sandbox: Where its calls end.
    """

    def __init__(self, name: str, gateway: RunningGateway, sandbox: Sandbox) -> None:
        self.name = name
        self._gateway = gateway
        self._sandbox = sandbox

    @property
    def account(self) -> Account:
        """Its accounts at both vendors, with the story's data to begin with."""
        return self._sandbox.account(self.name)

    def neighbour(self) -> "Tenant":
        """Another tenant of the same gateway, that nobody knows."""
        return Tenant(f"t{uuid4().hex[:12]}", self._gateway, self._sandbox)

    def client(self, scopes: Sequence[str] = tuple(SCOPES), *, subject: str | None = None) -> httpx.Client:
        """An HTTP client that holds a token of this tenant."""
        _, secret = self._gateway.token(tenant=self.name, scopes=scopes, subject=subject)
        return self._gateway.client(secret)

    def fails(self, operation: str, kind: str, **details: object) -> None:
        """From now on this tenant's calls of `operation` fail; see `faults.Fault`."""
        self._sandbox.faults.add(Fault(operation=operation, kind=kind, account=self.name, **details))  # type: ignore[arg-type]  # checked by Fault's users through its own decoder

    def fails_after(self, calls: int, operation: str, kind: str, **details: object) -> None:
        """The same, but so many calls work before."""
        for _ in range(calls):
            self.fails(operation, "close_keepalive", times=1)
        self.fails(operation, kind, **details)

    def calls(self, operation: str) -> int:
        """How many calls of `operation` arrived from this tenant."""
        return sum(seen.operation == operation and seen.account == self.name for seen in self._sandbox.requests)
