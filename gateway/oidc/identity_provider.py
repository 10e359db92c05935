"""The issuer of JWTs: where its keys are, and which it has now.

Its two documents are fetched over the vendors' own socket layer: bounded in
time and size, no redirects, no compression. They are fetched in the background
of requests, never once per request.
"""

import asyncio
import math
import re
from collections.abc import Callable, Sequence
from contextvars import Context
from time import monotonic
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
from opentelemetry.sdk.trace import TracerProvider

from clients.budget import Budget
from clients.errors import Garbled, Operation, RateLimited, Unavailable, UpstreamError
from clients.retry import Retried
from clients.timeouts import Timed, Timeouts, began
from clients.tracing import Traced
from clients.transport import Socket, Upstream
from gateway.oidc.signing_keys import SigningKey, signing_key
from gateway.problems import IdentityProviderUnavailable
from gateway.setting_values import on_loopback
from gateway.telemetry import Log

T = TypeVar("T")

FETCH_SECONDS: Final = 5.0
"""For both documents with all attempts; somebody may be waiting."""

ATTEMPT_SECONDS: Final = 3.0
"""For one attempt at one document."""

LARGEST_DOCUMENT: Final = 256 * 1024
"""Bytes; real ones have a few thousand."""

MOST_KEYS: Final = 100
"""Of one issuer; real ones have two or three."""

USUAL_SECONDS: Final = 3600.0
"""How long keys are fresh if the issuer does not say."""

LEAST_SECONDS: Final = 300.0
"""How long they are fresh at the least: an issuer that says 0 is not asked all the time."""

MOST_SECONDS: Final = 6 * 3600.0
"""And at the most: a key that the issuer withdrew is not believed for longer."""

GRACE_SECONDS: Final = 300.0
"""After its freshness a key is used for so long while new ones are fetched; after that, a request waits for them."""

KEPT_SECONDS: Final = 24 * 3600.0
"""How long keys outlive an issuer that does not answer."""

RETRY_SECONDS: Final = 5.0
"""After a failed fetch, none for so long."""

UNKNOWN_KEY_SECONDS: Final = 5.0
"""A key that we do not know causes one fetch in so long, however many tokens name one."""

DISCOVERY: Final = Operation("identity_provider", "GET /.well-known/openid-configuration", "read")
KEY_SET: Final = Operation("identity_provider", "GET jwks_uri", "read")

_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,2000}")
_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=\"?(\d{1,9})")

State = Literal["starting", "ok", "stale", "unavailable"]


class _Discovery(msgspec.Struct, frozen=True):
    issuer: str
    jwks_uri: str


class _KeySet(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


class UnknownKey(Exception):
    """The issuer has no such key, or not for this algorithm."""


class IdentityProvider:
    """One issuer and its public keys.

    Keys are fetched by one call at a time, kept as long as the issuer says
    (within bounds), and outlive its outage by a day. While it is away nobody
    waits for it as long as there are keys.

    Args:
        issuer: Its identifier, to which its paths are appended.
        provider: Where the spans of calls go.
        log: Is told when the issuer goes, and when it comes back.
        clock: Seconds that only grow.
    """

    def __init__(
        self, issuer: str, *, provider: TracerProvider, log: Log, clock: Callable[[], float] = monotonic
    ) -> None:
        self._issuer = issuer
        self._log = log
        self._clock = clock
        timeouts = Timeouts(attempt={"read": ATTEMPT_SECONDS}, request={"read": FETCH_SECONDS})
        budget = Budget()
        # The environment may name a certificate authority: issuers often are inside a company.
        socket = Socket(_judge, tls=httpx.create_ssl_context(), budget=budget)
        attempt = Timed(Traced(socket, tracer_provider=provider), timeouts)
        self._upstream = Upstream("", Retried(attempt, timeouts, budget))
        self._keys: Sequence[SigningKey] = ()
        self._fetched_at = -math.inf
        self._fresh_until = -math.inf
        self._failed_at: float | None = None
        """None: the last fetch brought keys, or there was none yet."""
        self._asked_at = -math.inf
        """When an unknown key last caused a fetch."""
        self._fetching: asyncio.Task[None] | None = None
        self.generation = 0
        """Grows whenever the keys change: what was concluded from older ones counts no more."""

    @property
    def state(self) -> State:
        """How we stand: `stale` means that it does not answer and its last keys still serve."""
        if self._failed_at is not None:
            return "stale" if self._usable() else "unavailable"
        return "ok" if self._usable() else "starting"

    def start(self) -> None:
        """Begin to fetch the keys, so that the first request need not wait."""
        self._refreshed()

    async def close(self) -> None:
        """End every connection, and a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        await self._upstream.aclose()

    async def key(self, kid: str | None, algorithm: str) -> SigningKey:
        """The key that a token names.

        Args:
            kid: None: the only one for the algorithm.
            algorithm: It must be meant for this.

        Raises:
            UnknownKey: There is none.
            IdentityProviderUnavailable: The issuer does not answer, so nobody can say.
        """
        await self._current()
        if not self._knows(kid):
            await self._asked_again(kid)
        fitting = [key for key in self._keys if algorithm in key.algorithms and (kid is None or key.kid == kid)]
        if len(fitting) == 1:
            return fitting[0]
        if self._failed_at is not None and not self._knows(kid):
            raise _unavailable()  # It may be newer than the outage.
        raise UnknownKey

    def _knows(self, kid: str | None) -> bool:
        # Without a name it can't be missed: a changed key is then met when the old one's time is over.
        return kid is None or any(key.kid == kid for key in self._keys)

    def _usable(self) -> bool:
        return bool(self._keys) and self._clock() - self._fetched_at < KEPT_SECONDS

    async def _current(self) -> None:
        """See to it that there are keys."""
        if self._usable():
            overdue = self._clock() - self._fresh_until
            if overdue < 0:
                return
            fetching = self._refreshed()
            if fetching is not None and self._failed_at is None and overdue >= GRACE_SECONDS:
                await asyncio.shield(fetching)  # Nobody has asked for long: much may have changed.
            return
        if (fetching := self._refreshed()) is not None:
            await asyncio.shield(fetching)
        if not self._usable():
            raise _unavailable()

    async def _asked_again(self, kid: str | None) -> None:
        """Fetch anew for the sake of a key that we do not know, if that was not done just now."""
        if self._fetching is not None and not self._fetching.done():
            await asyncio.shield(self._fetching)
        if self._knows(kid) or self._clock() - self._asked_at < UNKNOWN_KEY_SECONDS:
            return
        if (fetching := self._refreshed()) is not None:
            self._asked_at = self._clock()
            await asyncio.shield(fetching)

    def _refreshed(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, or a new one; None: the last one failed just now."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        if self._failed_at is not None and self._clock() - self._failed_at < RETRY_SECONDS:
            return None
        # A context of its own: the fetch is for all who wait, and has neither the deadline nor the trace of one.
        self._fetching = asyncio.create_task(self._fetch(), context=Context())
        return self._fetching

    async def _fetch(self) -> None:
        began.set(asyncio.get_running_loop().time())
        try:
            keys, fresh_seconds = await self._fetched()
        except UpstreamError as error:
            self._failed(f"{type(error).__name__}: {error.detail}")
        except Exception as error:  # noqa: BLE001 - in the background: whatever is odd about an issuer, the last keys stay
            self._failed(type(error).__name__)
        else:
            self._succeeded(keys, fresh_seconds)

    def _failed(self, why: str) -> None:
        if self._failed_at is None:
            self._log.warning("identity provider is gone", error=why)
        self._failed_at = self._clock()

    def _succeeded(self, keys: Sequence[SigningKey], fresh_seconds: float) -> None:
        if self._failed_at is not None:
            self._log.info("identity provider is back")
        self._failed_at = None
        self._fetched_at = self._clock()
        self._fresh_until = self._fetched_at + fresh_seconds
        self._keys = keys
        self.generation += 1

    async def _fetched(self) -> tuple[Sequence[SigningKey], float]:
        """The keys, and for how many seconds they are fresh."""
        url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        found = _decoded(await self._upstream.call(DISCOVERY, url), _Discovery, DISCOVERY)
        if found.issuer != self._issuer:
            raise Garbled("It calls itself by another name than the configured issuer.", operation=DISCOVERY)
        if not _trusted(found.jwks_uri, self._issuer):
            raise Garbled("Its `jwks_uri` is no https URL.", operation=DISCOVERY)
        reply = await self._upstream.call(KEY_SET, found.jwks_uri)
        listed = _decoded(reply, _KeySet, KEY_SET).keys
        keys = [key for jwk in listed[:MOST_KEYS] if (key := signing_key(jwk)) is not None]
        if not keys:
            raise Garbled("It has no key that we can use.", operation=KEY_SET)
        return keys, _fresh_seconds(reply.headers.get("cache-control", ""))


def _judge(reply: httpx.Response, operation: Operation) -> None:
    if reply.status_code == 429:  # noqa: PLR2004 - HTTP's own number
        raise RateLimited("It asks us to slow down.", operation=operation, retry_after=None)
    if reply.is_server_error:
        raise Unavailable(f"It answered {reply.status_code}.", operation=operation, status=reply.status_code)
    if reply.status_code != 200:  # noqa: PLR2004 - HTTP's own number
        raise Garbled(f"It answered {reply.status_code}.", operation=operation, status=reply.status_code)


def _decoded(reply: httpx.Response, shape: type[T], operation: Operation) -> T:
    if len(reply.content) > LARGEST_DOCUMENT:
        raise Garbled("The document is too large.", operation=operation)
    try:
        return msgspec.json.decode(reply.content, type=shape)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Garbled("The document is not what it should be.", operation=operation) from error


def _trusted(url: str, issuer: str) -> bool:
    """Whether keys may be fetched from there: over TLS, or on this machine like the issuer itself."""
    if not _VISIBLE.fullmatch(url):
        return False
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and on_loopback(url) and on_loopback(issuer))


def _fresh_seconds(cache_control: str) -> float:
    said = cache_control.lower()
    if "no-store" in said or "no-cache" in said:
        return LEAST_SECONDS
    age = _MAX_AGE.search(said)
    return min(MOST_SECONDS, max(LEAST_SECONDS, float(age[1]))) if age else USUAL_SECONDS


def _unavailable() -> IdentityProviderUnavailable:
    return IdentityProviderUnavailable(
        "The identity provider does not answer, so the token can't be checked.",
        headers={"Retry-After": str(math.ceil(RETRY_SECONDS))},
    )
