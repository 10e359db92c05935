"""FunnelFox Billing on the wire: its paths, its keys, its envelope."""

from secrets import token_urlsafe

import msgspec

from clients.sandbox.accounts import Accounts
from clients.sandbox.arrivals import Request
from clients.sandbox.billing.endpoints import ENDPOINTS, Endpoint, File, Upload
from clients.sandbox.billing.uploads import uploaded
from clients.sandbox.choices import Choices
from clients.sandbox.clock import Clock
from clients.sandbox.credentials import credentials, org_tenant, same
from clients.sandbox.refusals import BillingRefused, Coded, Invalid, Malformed, NotThere
from clients.sandbox.replies import CSV, Header, Reply
from clients.sandbox.vendor import Operation

# The largest JSON body is a merchant's metadata; a file may be as large as the server reads.
_MAX_JSON_BYTES = 1024 * 1024

# "acMMsjP9", in the vendor's sample: eight characters.
_REQ_ID_BYTES = 6

# What the vendor's browser SDK needs, in its older and its newer releases.
_ALLOW_ORIGIN: Header = (b"access-control-allow-origin", b"*")
_PREFLIGHT: tuple[Header, ...] = (
    _ALLOW_ORIGIN,
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"content-type, x-sdk-version"),
    (b"access-control-max-age", b"600"),
)


class FunnelFox:
    """The billing API: `/{org_id}/v1/...`."""

    name = "funnelfox"

    def __init__(self, accounts: Accounts, *, clock: Clock, choices: Choices) -> None:
        self._accounts = accounts
        self._clock = clock
        self._choices = choices

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The 25."""
        return tuple(Operation(vendor=self.name, name=f"POST {path}") for path in ENDPOINTS)

    def claims(self, segments: tuple[str, ...]) -> bool:
        """Return whether a path is this vendor's: all but the other's, the SDK's telemetry included."""
        return bool(segments[0])

    def route(self, method: str, segments: tuple[str, ...]) -> Operation | Reply:
        """Find the operation; the form of the vendor's 404 and 405 is not documented, chosen here."""
        if segments[0] == "sdk_report":
            # The SDK's crash pixel lives beside the API; it only has to be answered.
            return Reply(status=204, extra=(_ALLOW_ORIGIN,))
        path = "/" + "/".join(segments[2:])
        endpoint = ENDPOINTS.get(path) if segments[1:2] == ("v1",) else None
        # A slash in a segment came escaped, and is part of no path of the vendor's.
        if endpoint is None or any("/" in segment for segment in segments[2:]):
            return self.failure(404, "", "There is nothing here.")
        if method == "OPTIONS" and endpoint.public:
            return Reply(status=204, extra=_PREFLIGHT)
        if method != "POST":
            allowed = b"OPTIONS, POST" if endpoint.public else b"POST"
            refused = self.failure(405, "", "This path takes POST.")
            return msgspec.structs.replace(refused, extra=((b"allow", allowed),))
        return Operation(vendor=self.name, name=f"POST {path}")

    def tenant(self, request: Request) -> str | None:
        """Return whose organization the path names."""
        return org_tenant((request.segments or ("",))[0])

    def answer(self, operation: Operation, request: Request) -> Reply:
        """Do what is asked, effects included, and answer it."""
        endpoint = ENDPOINTS[operation.name.removeprefix("POST ")]
        try:
            found = self._done(endpoint, request)
        except Coded as no:
            return _refusal(no, status=self._choices.coded_status)
        except BillingRefused as no:
            return _refusal(no, status=no.status)
        if isinstance(found, File):
            disposition = (b"content-disposition", b'attachment; filename="price-points.csv"')
            return Reply(body=found.content, content_type=CSV, extra=(disposition,))
        return Reply.json({"status": "success", "data": {} if found is None else found})

    def failure(self, status: int, code: str, message: str) -> Reply:
        """Return the vendor's error envelope."""
        return _refusal(BillingRefused(message, code=code or None), status=status)

    def opened(self, operation: Operation, reply: Reply) -> Reply:
        """Let browsers read the answers, errors included, of the operations that they may call."""
        if not ENDPOINTS[operation.name.removeprefix("POST ")].public:
            return reply
        return msgspec.structs.replace(reply, extra=(*reply.extra, _ALLOW_ORIGIN))

    def _done(self, endpoint: Endpoint, request: Request) -> object:
        tenant = self.tenant(request)
        if tenant is None:
            raise NotThere("There is no such organization.")
        given = request.headers.get("ff-secret-key", "")
        if not endpoint.public and not same(given, credentials(tenant).secret_key):
            # The status is not documented by the vendor; chosen here.
            raise BillingRefused("The secret key is missing or wrong.", status=401)
        ask = _asked(endpoint, request)
        return endpoint.effect(self._accounts.of(tenant), ask, self._clock.now())


def _number(text: str) -> int | float:
    # JSON has one kind of number: 5.0 is as good an integer as 5.
    number = float(text)
    return int(number) if number.is_integer() else number


_JSON = msgspec.json.Decoder(float_hook=_number)


def _asked(endpoint: Endpoint, request: Request) -> msgspec.Struct:
    body = request.body
    if body is None or (endpoint.ask is not Upload and len(body) > _MAX_JSON_BYTES):
        raise BillingRefused("The body is too large.", status=413)
    if endpoint.ask is Upload:
        return Upload(uploaded(request, body))
    if not body and endpoint.bodiless:
        body = b"{}"
    try:
        return msgspec.convert(_JSON.decode(body.decode()), endpoint.ask)
    except msgspec.ValidationError as error:
        raise Invalid(str(error)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"The body is no JSON: {error}") from None


def _refusal(no: BillingRefused, *, status: int) -> Reply:
    # Only one `type` is known from the vendor, so it is the only one sent.
    item = {"msg": no.message, "type": "api_exception"}
    if no.code is not None:
        item["code"] = no.code
    return Reply.json({"status": "error", "req_id": token_urlsafe(_REQ_ID_BYTES), "error": [item]}, status=status)
