"""The levers of the sandbox over HTTP, for whoever sits at the same machine."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import TypeVar, get_args
from urllib.parse import parse_qs

import msgspec

from clients.sandbox.arrivals import Request
from clients.sandbox.choices import Choices
from clients.sandbox.credentials import credentials
from clients.sandbox.emulator import Sandbox
from clients.sandbox.faults import Fault, Kind
from clients.sandbox.replies import Reply

PREFIX = "_sandbox"

Ask = TypeVar("Ask")

# A page in the user's browser is such a peer too, so names and addresses of this machine only.
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
# What a browser says of a request that another site's page made.
_FOREIGN_SITES = frozenset({"cross-site", "same-site"})


class Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /_sandbox/clock`."""

    advance: float


class Control:
    """`/_sandbox/`: faults, clock, ledger, requests, credentials, choices, reset.

    Args:
        sandbox: What it controls.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._levers: dict[tuple[str, str], Callable[[Request], object]] = {
            ("GET", ""): self._overview,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._advance,
            ("GET", "ledger"): self._ledger,
            ("GET", "requests"): self._requests,
            ("GET", "credentials"): self._credentials,
            ("GET", "choices"): self._choices,
            ("POST", "choices"): self._choose,
            ("POST", "reset"): self._reset,
        }

    def answer(self, request: Request) -> Reply:
        """Pull the lever that the request names, if its sender may."""
        if (objection := _objection(request)) is not None:
            return Reply.json({"error": objection}, status=403)
        name = "/".join((request.segments or ())[1:])
        methods = {method for method, lever in self._levers if lever == name}
        if not methods:
            return Reply.json(
                {"error": f"there is no /{PREFIX}/{name}; GET /{PREFIX}/ lists what there is"}, status=404
            )
        if request.method not in methods:
            allowed = ", ".join(sorted(methods)).encode()
            return Reply.json({"error": "wrong method"}, status=405, extra=((b"allow", allowed),))
        try:
            return Reply.json(self._levers[request.method, name](request))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            return Reply.json({"error": str(error)}, status=400)

    def _overview(self, _: Request) -> object:
        return {
            "levers": [f"{method} /{PREFIX}/{name}" for method, name in self._levers],
            "operations": [f"{operation.vendor}: {operation.name}" for operation in self._sandbox.operations],
            "fault_kinds": get_args(Kind),
        }

    def _faults(self, _: Request) -> object:
        return {"faults": self._sandbox.faults.in_force()}

    def _add_fault(self, request: Request) -> object:
        self._sandbox.faults.add(_body(request, Fault))
        return self._faults(request)

    def _clear_faults(self, request: Request) -> object:
        self._sandbox.faults.clear()
        return self._faults(request)

    def _clock(self, _: Request) -> object:
        clock = self._sandbox.clock
        return {"now": clock.now(), "skipped_seconds": clock.skipped_seconds}

    def _advance(self, request: Request) -> object:
        self._sandbox.clock.advance(_body(request, Advance).advance)
        return self._clock(request)

    def _ledger(self, request: Request) -> object:
        return {"entries": self._sandbox.account(_query(request, "account")).ledger.entries}

    def _requests(self, request: Request) -> object:
        operation = _query(request, "operation", default="")
        arrived = self._sandbox.requests
        return {"requests": [received for received in arrived if operation in {"", received.operation}]}

    def _credentials(self, request: Request) -> object:
        return credentials(_query(request, "tenant"))

    def _choices(self, _: Request) -> object:
        return self._sandbox.choices

    def _choose(self, request: Request) -> object:
        chosen = _body(request, Choices)
        with self._sandbox.lock:
            for name in Choices.__struct_fields__:
                setattr(self._sandbox.choices, name, getattr(chosen, name))
        return chosen

    def _reset(self, _: Request) -> object:
        self._sandbox.reset()
        return {}


def _objection(request: Request) -> str | None:
    try:
        local = ip_address(request.peer).is_loopback
    except ValueError:
        local = False
    if not local:
        return "only this machine may"
    if "origin" in request.headers or request.headers.get("sec-fetch-site") in _FOREIGN_SITES:
        return "no web page may"
    host = request.headers.get("host", "")
    # A name that was made to resolve to this machine is how a page gets around its own origin.
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if name.lower() not in _LOOPBACK_NAMES:
        return "only under this machine's own name"
    return None


def _query(request: Request, name: str, *, default: str = "default") -> str:
    values = parse_qs(request.query.decode("latin-1")).get(name, [default])
    return values[-1]


def _body(request: Request, shape: type[Ask]) -> Ask:
    return msgspec.json.decode(request.body or b"", type=shape)
