"""Tokens: who may call, with what rights, and until when."""

import re
from typing import Annotated, Any, Final

from litestar import Request, Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Response

from gateway.http.exchange import Exchange
from gateway.idempotency import IdempotencyKey, ledger_of, once
from gateway.needs import needs_any
from gateway.operations.intentions import OURS, SECRET
from gateway.problems import RotationConflict
from gateway.storage.tokens import TokenRecord
from gateway.tokens.desk import TokenDesk
from gateway.tokens.lifecycle import NotRotated
from routes.shapes.page import DEFAULT_LIMIT, Cursor, Limit, Page, key_of, no_cursor, page_from
from routes.shapes.tokens import DelegatedToken, IssuedToken, NewToken, RotatedToken, Rotation, Token, TokenChange

MANAGES: Final = needs_any("tokens:write", "admin")

_POSITION: Final = re.compile(r"(?P<created_at>[0-9]{1,18}) (?P<id>tok_[0-9a-f]{24})")


@get("/", opt=MANAGES, operation_id="listTokens", status_code=200)
async def list_tokens(
    desk: NamedDependency[TokenDesk],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    subject: Annotated[str | None, QueryParameter(description="Only those of this customer.", max_length=256)] = None,
) -> Page[Token]:
    """List tokens, the oldest first, those that have ended included; no secret is among it.

    `tokens:write` sees those of its own tenant and mode, `admin` all; `admin`
    of mode `test` those of mode `test`.
    """
    position = _position(cursor) if cursor is not None else None
    if subject is not None and "\0" in subject:
        return page_from([], key=_key, limit=limit, shown=Token.public)
    records = await desk.listed(subject=subject, after=position, most=limit + 1)
    return page_from(records, key=_key, limit=limit, shown=Token.public)


@post("/", opt=needs_any("tokens:write", "admin", target=("name",)), operation_id="createToken", status_code=201)
async def create_token(
    data: JSONBody[NewToken],
    desk: NamedDependency[TokenDesk],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Response[IssuedToken]:
    """Make a token and show its secret, which can't be shown again.

    `tokens:write` gives scopes that it holds itself, within its own tenant and
    mode; the new token ends no later than the one that asks, and has the same
    limits. `admin` gives any scope, in any tenant, and sets limits.
    """

    async def act() -> Response[IssuedToken]:
        record, secret = await desk.create(
            data.name,
            data.scopes,
            tenant=data.tenant,
            mode=data.mode,
            subject=data.subject,
            lifetime_seconds=data.lifetime_seconds(),
            limits=data.limits,
        )
        return _created(record, IssuedToken.issued(record, secret), request)

    return await once(ledger_of(request), idempotency_key, SECRET, act, keyed=False)


@post(
    "/delegated",
    opt=needs_any("tokens:write", "admin", target=("subject",)),
    operation_id="createDelegatedToken",
    status_code=201,
)
async def create_delegated_token(
    data: JSONBody[DelegatedToken],
    desk: NamedDependency[TokenDesk],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Response[IssuedToken]:
    """Make a short-lived token for one customer, to be given to their browser or app.

    It reaches nothing but that customer's own data, has scopes that the caller
    holds itself, and is of the caller's tenant and mode.
    """

    async def act() -> Response[IssuedToken]:
        record, secret = await desk.delegate(
            data.name, data.scopes, subject=data.subject, lifetime_seconds=data.lifetime_seconds(desk.customer_scopes)
        )
        return _created(record, IssuedToken.issued(record, secret), request)

    return await once(ledger_of(request), idempotency_key, SECRET, act, keyed=False)


@get("/{token_id:str}", opt=MANAGES, operation_id="getToken", status_code=200)
async def get_token(token_id: FromPath[str], desk: NamedDependency[TokenDesk]) -> Token:
    """Show a token without its secret."""
    return Token.public(await desk.find(token_id))


@patch("/{token_id:str}", opt=MANAGES, operation_id="updateToken", status_code=200)
async def update_token(
    token_id: FromPath[str],
    data: JSONBody[TokenChange],
    desk: NamedDependency[TokenDesk],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Token:
    """Give a token another name or less time; `admin` changes its limits, too.

    A token that can do more than the one that asks is not touched.
    """

    async def act() -> Token:
        return Token.public(await desk.change(token_id, lifetime_seconds=data.lifetime_seconds(), members=data.members))

    return await once(ledger_of(request), idempotency_key, OURS, act, keyed=False)


@delete("/{token_id:str}", opt=MANAGES, operation_id="revokeToken", status_code=204)
async def revoke_token(
    token_id: FromPath[str],
    desk: NamedDependency[TokenDesk],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Revoke a token; effective everywhere within a second.

    Its record stays, and a second time changes nothing. A token that can do
    more than the one that asks is not touched.
    """

    async def act() -> None:
        await desk.revoke(token_id)

    await once(ledger_of(request), idempotency_key, OURS, act, keyed=False)


@post("/{token_id:str}/rotate", opt=MANAGES, operation_id="rotateToken", status_code=200)
async def rotate_token(
    token_id: FromPath[str],
    desk: NamedDependency[TokenDesk],
    request: Request[Any, Any, Any],
    data: JSONBody[Rotation | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> RotatedToken:
    """Give a token a new secret and show it, which can't be done again; all else stays as it is.

    The old secret goes on to work for the overlap. A token that can do more
    than the one that asks is not touched.
    """
    overlap_seconds = (data or Rotation()).overlap_seconds()

    async def act() -> RotatedToken:
        try:
            record, secret, old_until = await desk.rotate(token_id, overlap_seconds=overlap_seconds)
        except NotRotated as why:
            raise RotationConflict(str(why)) from why
        return RotatedToken.rotated(record, secret, old_until)

    return await once(ledger_of(request), idempotency_key, SECRET, act, keyed=False)


def _created(record: TokenRecord, shown: IssuedToken, request: Request[Any, Any, Any]) -> Response[IssuedToken]:
    place = f"{Exchange.of(request.scope).occurrence.public_url}/v1/tokens/{record.id}"
    return Response(shown, headers={"Location": place})


def _key(record: TokenRecord) -> str:
    return f"{record.created_at} {record.id}"


def _position(cursor: str) -> tuple[int, str]:
    form = _POSITION.fullmatch(key_of(cursor))
    if form is None:
        raise no_cursor()
    return int(form["created_at"]), form["id"]


router = Router(
    "/tokens",
    route_handlers=[
        list_tokens,
        create_token,
        create_delegated_token,
        get_token,
        update_token,
        revoke_token,
        rotate_token,
    ],
    tags=["Tokens"],
)
