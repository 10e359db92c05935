"""FunnelFlux Pro on the wire: its routes, its tokens, its two forms of failure."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from clients.sandbox.account import Account
from clients.sandbox.accounts import Accounts
from clients.sandbox.arrivals import Request
from clients.sandbox.choices import Choices
from clients.sandbox.clock import Clock
from clients.sandbox.credentials import ACCESS_TOKEN_SECONDS, access_token, credentials, same, token_holder
from clients.sandbox.refusals import DomainRefused, TokenRefused
from clients.sandbox.replies import Reply
from clients.sandbox.vendor import Operation

Ask = TypeVar("Ask")
Answer = dict[str, object]

_BASE = ("v1", "billing")
_VALIDATE = ("v1", "auth", "validate")


class Hostname(msgspec.Struct, frozen=True):
    """The body of create and check."""

    domain: str


class Renewal(msgspec.Struct, frozen=True):
    """The body of the token refresh."""

    refresh_token: str = ""


def _operation(name: str) -> Operation:
    return Operation(vendor=FunnelFlux.name, name=name)


class FunnelFlux:
    """The custom-domains API and the token refresh beside it."""

    name = "funnelflux"

    def __init__(self, accounts: Accounts, *, clock: Clock, choices: Choices) -> None:
        self._accounts = accounts
        self._clock = clock
        self._choices = choices
        self._calls: dict[str, Callable[[Account, Request], Answer]] = {
            "GET /domains": lambda account, _: {"domains": account.domains.summaries()},
            "POST /domains": _create,
            "POST /domains/check": lambda account, request: account.domains.check(_named(request)),
            "GET /domains/{domain}": lambda account, request: {"domain": account.domains.details(_in_path(request))},
            "DELETE /domains/{domain}": _delete,
            "POST /domains/{domain}/refresh": lambda account, request: account.domains.refresh(_in_path(request)),
        }

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The six of the domains API, and `POST /validate` of the other base."""
        return tuple(map(_operation, [*self._calls, "POST /validate"]))

    def claims(self, segments: tuple[str, ...]) -> bool:
        """Return whether a path is this vendor's: all below /v1."""
        return segments[:1] == ("v1",)

    def route(self, method: str, segments: tuple[str, ...]) -> Operation | Reply:
        """Find the operation; the form of the vendor's 404 and 405 is not documented, chosen here."""
        methods = _methods(segments)
        if not methods:
            return self.failure(404, "not_found", "There is nothing here.")
        if method not in methods:
            refused = self.failure(405, "method_not_allowed", "This path has other methods.")
            allowed = ", ".join(sorted(methods)).encode()
            return msgspec.structs.replace(refused, extra=((b"allow", allowed),))
        return _operation(methods[method])

    def tenant(self, request: Request) -> str | None:
        """Return whose access token it bears, expired or not."""
        holder = token_holder(_bearer(request))
        return None if holder is None else holder[0]

    def answer(self, operation: Operation, request: Request) -> Reply:
        """Do what is asked, effects included, and answer it."""
        try:
            if operation.name == "POST /validate":
                return Reply.json({"tokens": self._validated(request)})
            account = self._authenticated(request)
            return Reply.json({"success": True} | self._calls[operation.name](account, request))
        except DomainRefused as no:
            body = {"success": False, "error_code": no.code, "error_message": no.message}
            return Reply.json(body, status=self._choices.domain_refusal_status)
        except TokenRefused as no:
            return self.failure(no.status, no.error, no.description)

    def failure(self, status: int, code: str, message: str) -> Reply:
        """Return the generic error that the vendor's services share."""
        return Reply.json({"error": code or "error", "error_description": message}, status=status)

    def opened(self, _: Operation, reply: Reply) -> Reply:
        """Return the reply as it is: nothing is documented about browsers."""
        return reply

    def _authenticated(self, request: Request) -> Account:
        tenant, issued_at = self._holder(request)
        if self._expires_at(issued_at) <= self._clock.now().timestamp():
            status = self._choices.expired_token_status
            raise TokenRefused("invalid_token", "The access token has expired.", status=status)
        return self._accounts.of(tenant)

    def _validated(self, request: Request) -> Answer:
        tenant, issued_at = self._holder(request)
        ask = _body(request, Renewal) if request.body else Renewal()
        now = int(self._clock.now().timestamp())
        if self._expires_at(issued_at) > now:
            return {"access_token": _bearer(request), "expires_at": self._expires_at(issued_at)}
        if not ask.refresh_token:
            raise TokenRefused("invalid_token", "The access token has expired and no refresh token was given.")
        if not same(ask.refresh_token, credentials(tenant).refresh_token):
            raise TokenRefused("invalid_grant", "The refresh token is not valid.")
        return {"access_token": access_token(tenant, now), "expires_at": self._expires_at(now)}

    def _holder(self, request: Request) -> tuple[str, int]:
        holder = token_holder(_bearer(request))
        if holder is None:
            raise TokenRefused("invalid_token", "The access token is missing or not valid.")
        return holder

    def _expires_at(self, issued_at: int) -> int:
        # The first token of each tenant counts from the sandbox's own start.
        return int(issued_at or self._accounts.opened_at.timestamp()) + ACCESS_TOKEN_SECONDS


def _methods(segments: tuple[str, ...]) -> dict[str, str]:
    # The three shapes below /domains, and "check", which is a hostname to every method but POST.
    if segments == _VALIDATE:
        return {"POST": "POST /validate"}
    if segments[:2] != _BASE:
        return {}
    match segments[2:]:
        case ("domains",):
            return {"GET": "GET /domains", "POST": "POST /domains"}
        case ("domains", domain) if domain:
            one = {"GET": "GET /domains/{domain}", "DELETE": "DELETE /domains/{domain}"}
            return one | {"POST": "POST /domains/check"} if domain == "check" else one
        case ("domains", domain, "refresh") if domain:
            return {"POST": "POST /domains/{domain}/refresh"}
        case _:
            return {}


def _create(account: Account, request: Request) -> Answer:
    return {"domain": account.domains.create(_named(request)), "message": "Domain created."}


def _delete(account: Account, request: Request) -> Answer:
    account.domains.delete(_in_path(request))
    return {"message": "Domain deleted."}


def _in_path(request: Request) -> str:
    # Routed already, so the segments are there.
    return (request.segments or ())[3]


def _named(request: Request) -> str:
    return _body(request, Hostname).domain


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _body(request: Request, shape: type[Ask]) -> Ask:
    # How the vendor refuses a bad body is not documented; its generic error under 400 chosen here.
    if request.body is None:
        raise TokenRefused("payload_too_large", "The body is too large.", status=413)
    try:
        return msgspec.json.decode(request.body.decode(), type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TokenRefused("invalid_request", f"The body is not what it should be: {error}", status=400) from None
