"""The 72-hour bearer, and how it is kept fresh.

The vendor issues an access token for 72 hours and a long-lived refresh token.
One call, `POST {auth}/validate`, tells when the current token expires, and
gives a new one once it has. An expired token on any other call is 400 or 401.

Source: FunnelFlux documentation, "Authentication".
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any, Final, Protocol

import httpx
import msgspec
from typing_extensions import override

from clients.call import Call
from clients.domains.client import NAME
from clients.domains.envelope import PossiblyExpired, decoded
from clients.errors import CredentialsRefused, Operation, UpstreamError
from clients.secret import Secret
from clients.spans import background, child
from clients.transport import Upstream

VALIDATE: Final = Operation(NAME, "POST /validate", "read")
"""A read by its effect: it may be repeated, for a valid token is answered with itself."""

REFRESH_BEFORE: Final = 3600.0
"""Seconds before expiry from which on the vendor is asked for the next token."""

ASK_AGAIN: Final = 60.0
"""Seconds between two unneeded validations: within the last hour, or while the vendor can't be asked."""


_CLEAR_NO: Final = frozenset({400, 401, 403})
"""How a refused validation may look; only 401 is documented."""


class Bearers(msgspec.Struct, frozen=True):
    """What authenticates one account."""

    access: Secret
    refresh: Secret | None
    expires_at: float | None = None
    """Unix time; None until the vendor has told."""


class Kept(msgspec.Struct, frozen=True):
    """What a keeper keeps: the bearers in clear. It travels to where it is encrypted, and no further."""

    access: str
    refresh: str | None
    expires_at: float | None
    asked_at: float
    """When the vendor was asked, as Unix time."""


class Turn(Protocol):
    """The time in which one of all processes may have the bearers renewed."""

    @property
    def granted(self) -> bool:
        """False: somebody else is at it for longer than we could wait."""

    @property
    def version(self) -> int:
        """Grows each time that bearers are kept."""

    @property
    def kept(self) -> Secret | None:
        """What is kept, as `Kept` in JSON; None: nothing is, or nobody can tell."""

    async def keep(self, renewed: Secret, *parts: Secret) -> int:
        """Keep what the vendor renewed, for all processes.

        Args:
            renewed: `Kept` in JSON.
            parts: Each of the tokens in it.

        Returns:
            The version that it has.
        """


class Keeper(Protocol):
    """Shares one account's bearers between processes, and over restarts."""

    def turn(self) -> AbstractAsyncContextManager[Turn]:
        """Wait for one's turn; never fails, whatever becomes of the place where things are kept."""


class _Alone:
    """The turn of a process that shares nothing."""

    granted = True
    version = 0
    kept = None

    async def keep(self, renewed: Secret, *parts: Secret) -> int:  # noqa: ARG002 - the names are the protocol's
        return 0


class Memory:
    """Keeps nothing beyond this process."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Granted at once: nobody else has these bearers."""
        yield _Alone()


_PRINTABLE: Final = r"^[\x21-\x7e]+\Z"
"""What a header can carry: anything else is no token."""

FURTHEST: Final = 4102444800.0
"""The year 2100: an expiry beyond it is no Unix time in seconds."""


class _Tokens(msgspec.Struct, frozen=True):
    access_token: Annotated[str, msgspec.Meta(pattern=_PRINTABLE)]
    expires_at: Any = None
    refresh_token: Annotated[str, msgspec.Meta(pattern=_PRINTABLE)] | None = None

    @property
    def expiry(self) -> float | None:
        """When the token expires; None where the vendor gave no Unix time: its unit is known from a sample only."""
        try:
            expiry = float(self.expires_at)
        except (TypeError, ValueError, OverflowError):
            return None
        return expiry if 0 < expiry < FURTHEST else None


class _Validated(msgspec.Struct, frozen=True):
    tokens: _Tokens


class Credentials:
    """One account's bearer: validated at first use, renewed in time, once however many wait.

    Args:
        bearers: As configured.
        auth: Aimed at the vendor's authentication address.
        now: The current Unix time.
        keeper: Shares them with other processes; nothing is shared by default.
        expires: Is told, after each renewal, when the access token expires.
    """

    def __init__(
        self,
        bearers: Bearers,
        *,
        auth: Upstream,
        now: Callable[[], float],
        keeper: Keeper | None = None,
        expires: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._expires = expires
        self._bearers = bearers
        self._auth = auth
        self._now = now
        self._keeper = keeper or Memory()
        self._version = 0
        self._ask_at = 0.0
        self._renewal: asyncio.Task[None] | None = None

    @property
    def refresh_token(self) -> Secret | None:
        """What renews the access token, if anything does."""
        return self._bearers.refresh

    async def current(self, operation: Operation) -> Secret:
        """The access token to send with `operation`.

        Raises:
            CredentialsRefused: The vendor accepts neither it nor the refresh token.
        """
        if self._is_due(self._bearers) and self._now() >= self._ask_at:
            try:
                await self._renewed_once()
            except UpstreamError as error:
                # Unless this was a clear no, the token at hand may still be good, and a 401 will tell.
                if error.status in _CLEAR_NO:
                    raise _refused(operation, error) from error
        return self._bearers.access

    async def after_refusal(self, refused: Secret, operation: Operation) -> Secret:
        """The token to try once more with, after the vendor refused one; the same if there is no other.

        Raises:
            CredentialsRefused: The vendor refused to renew it.
        """
        if self._bearers.access == refused:
            try:
                await self._renewed_since(refused)
            except UpstreamError as error:
                # Unless this was a clear no, nobody knows better than the vendor's first refusal.
                if error.status in _CLEAR_NO:
                    raise _refused(operation, error) from error
        return self._bearers.access

    def _is_due(self, bearers: Bearers) -> bool:
        return bearers.expires_at is None or self._now() >= bearers.expires_at - REFRESH_BEFORE

    async def _renewed_since(self, refused: Secret) -> None:
        """Have the vendor asked about a token after it refused it.

        A renewal begun before the refusal is waited for, and is no answer to
        it: it may have asked while the token was good still, or nobody at all.
        """
        if self._renewal is not None and not self._renewal.done():
            await self._renewed_once()
        if self._bearers.access == refused:
            await self._renewed_once(refused)

    async def _renewed_once(self, refused: Secret | None = None) -> None:
        """Join the renewal under way, or begin one; a caller who leaves does not end it for the others."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(refused))
            # Looked at here too, or asyncio complains of a failure that every caller has left behind.
            self._renewal.add_done_callback(lambda done: done.cancelled() or done.exception())
        with child("vendor token", {"gateway.upstream": NAME}):
            await asyncio.shield(self._renewal)

    async def _renew(self, refused: Secret | None) -> None:
        with background("renew vendor token", {"gateway.upstream": NAME}):
            await self._renew_in_turn(refused)
        if self._bearers.expires_at is not None:
            self._expires(self._bearers.expires_at)

    async def _renew_in_turn(self, refused: Secret | None) -> None:
        self._ask_at = self._now() + ASK_AGAIN
        async with self._keeper.turn() as turn:
            adopted = self._is_renewed_by_others(turn)
            # What others kept is no news if it is the very token that was refused since.
            if (adopted and self._bearers.access != refused) or not turn.granted:
                return
            self._bearers = await self._asked()
            kept = Kept(
                self._bearers.access.reveal(),
                self._bearers.refresh.reveal() if self._bearers.refresh is not None else None,
                self._bearers.expires_at,
                self._now(),
            )
            parts = (part for part in (self._bearers.access, self._bearers.refresh) if part is not None)
            self._version = await turn.keep(Secret(msgspec.json.encode(kept).decode()), *parts)

    def _is_renewed_by_others(self, turn: Turn) -> bool:
        """Whether another process has asked since we last looked; its bearers are ours, then."""
        if turn.kept is None or turn.version == self._version:
            return False
        kept = msgspec.json.decode(turn.kept.reveal(), type=Kept)
        self._version = turn.version
        refresh = Secret(kept.refresh) if kept.refresh is not None else None
        self._bearers = Bearers(Secret(kept.access), refresh, kept.expires_at)
        return not self._is_due(self._bearers) or self._now() < kept.asked_at + ASK_AGAIN

    async def _asked(self) -> Bearers:
        """What the vendor makes of the bearers at hand."""
        reply = await self._auth.call(
            VALIDATE,
            "/validate",
            json=msgspec.json.encode(
                {"refresh_token": self._bearers.refresh.reveal()} if self._bearers.refresh is not None else {}
            ),
            headers={"authorization": f"Bearer {self._bearers.access.reveal()}"},
        )
        tokens = decoded(reply, VALIDATE, _Validated).tokens
        rotated = Secret(tokens.refresh_token) if tokens.refresh_token else self._bearers.refresh
        return Bearers(Secret(tokens.access_token), rotated, tokens.expiry)


def _refused(operation: Operation, error: UpstreamError) -> CredentialsRefused:
    return CredentialsRefused(
        "The vendor refused our credentials and did not renew them.", operation=operation, status=error.status
    )


class Authenticated(httpx.AsyncBaseTransport):
    """The layer that sends the bearer, and repeats a call once with a renewed one.

    Also writes are repeated: the refusal came before the call was processed.

    Args:
        inner: The next layer.
        credentials: Whose bearer is sent.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, credentials: Credentials) -> None:
        self._inner = inner
        self._credentials = credentials

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call: Call = request.extensions["call"]
        token = await self._credentials.current(call.operation)
        self._authenticate(call, token)
        try:
            return await self._inner.handle_async_request(request)
        except (CredentialsRefused, PossiblyExpired) as refusal:
            if refusal.status == httpx.codes.FORBIDDEN:
                raise
            renewed = await self._credentials.after_refusal(token, call.operation)
            if renewed == token:
                raise
            call.resends += 1
            self._authenticate(call, renewed)
            return await self._inner.handle_async_request(request)

    def _authenticate(self, call: Call, token: Secret) -> None:
        call.headers["authorization"] = f"Bearer {token.reveal()}"
        call.secrets = (token, self._credentials.refresh_token)

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()
