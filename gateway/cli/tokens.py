"""`gateway token`: make, list, show, rotate and revoke tokens."""

import json
from collections.abc import Awaitable, Callable
from time import time
from typing import Final, NoReturn, TypeVar

import click
import msgspec

from gateway.cli.environment import Duration, configured, fail, printable, refuse, with_audit, with_database
from gateway.principal import Mode
from gateway.scopes import SCOPES
from gateway.storage.tokens import TokenRecord, TokenStore
from gateway.tokens.lifecycle import (
    DEFAULT_TENANT,
    HIGHEST_LIMIT,
    LONGEST_LIFETIME,
    LONGEST_NAME,
    LONGEST_OVERLAP,
    LONGEST_SUBJECT,
    OVERLAP_SECONDS,
    TENANT,
    NotRotated,
    OwnLimits,
    Tokens,
)
from routes.shapes.times import from_unix
from routes.shapes.tokens import IssuedToken, RotatedToken, Token

T = TypeVar("T")

_CREATED: Final = ("id", "token", "scopes", "tenant", "mode", "subject", "expires_at")
"""What `token create --json` prints."""

_LIFETIME: Final = Duration(1, LONGEST_LIFETIME, "more than nothing, and ten years at most")
_OVERLAP: Final = Duration(0, LONGEST_OVERLAP, "30 days at most")
_LIMIT: Final = click.IntRange(1, HIGHEST_LIMIT)


@click.group()
def token() -> None:
    """Make, list, show, rotate and revoke tokens."""


@token.command("create")
@click.option("--name", required=True, help="For people, to know it again.")
@click.option("--scope", "scopes", required=True, multiple=True, type=click.Choice(sorted(SCOPES)), help="Repeatable.")
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose vendor accounts it reaches.")
@click.option(
    "--mode", default="live", show_default=True, type=click.Choice(["live", "test"]), help="test: the sandbox only."
)
@click.option("--subject", help="Limit it to one customer, by external_id.")
@click.option("--expires-in", type=_LIFETIME, help="As in 90d, 12h, 15m or 30s; default: it does not expire.")
@click.option("--limit-per-minute", type=_LIMIT, help="Requests; default: as many as usual.")
@click.option("--limit-money-per-minute", type=_LIMIT, help="The same for requests that move money.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def create_token(  # noqa: PLR0913, PLR0917 - click passes one parameter per option, by name
    name: str,
    scopes: tuple[str, ...],
    tenant: str,
    mode: Mode,
    subject: str | None,
    expires_in: int | None,
    limit_per_minute: int | None,
    limit_money_per_minute: int | None,
    *,
    as_json: bool,
) -> None:
    """Make a token and print its secret, once."""
    if not TENANT.fullmatch(tenant):
        refuse("--tenant may hold letters, digits, '_' and '-', 64 at most.")
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        refuse(f"--name has 1 to {LONGEST_NAME} printable characters.")
    if subject is not None and not 0 < len(subject) <= LONGEST_SUBJECT:
        refuse(f"--subject has 1 to {LONGEST_SUBJECT} characters.")
    record, secret = _changed(
        lambda tokens: tokens.create(
            name,
            scopes,
            tenant=tenant,
            mode=mode,
            subject=subject,
            lifetime_seconds=expires_in,
            limits=OwnLimits(per_minute=limit_per_minute, money_per_minute=limit_money_per_minute),
        ),
        "createToken",
        lambda made: made[0].id,
    )
    if as_json:
        shown = msgspec.to_builtins(IssuedToken.issued(record, secret))
        click.echo(json.dumps({key: shown[key] for key in _CREATED}))
        return
    click.echo(secret.reveal())
    click.echo(f"{record.id}: keep the secret now, it can't be shown again.", err=True)


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of text.")
def list_tokens(*, as_json: bool) -> None:
    """List every token; no secret is among it."""
    records = _with_tokens(lambda tokens: tokens.list_all())
    if as_json:
        click.echo(_json([Token.public(record) for record in records]))
        return
    for record in records:
        ends = from_unix(record.expires_at)
        customer = "" if record.subject is None else f"  subject={printable(record.subject)}"
        click.echo(
            f"{record.id}  {record.mode:4}  {record.tenant}  {_state(record):8}  "
            f"{'does not expire     ' if ends is None else f'{ends:%Y-%m-%dT%H:%M:%SZ}'}  "
            f"{' '.join(record.scopes)}  {printable(record.name)}{customer}"
        )


@token.command("show")
@click.argument("token_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def show_token(token_id: str, *, as_json: bool) -> None:
    """Show a token, by its id, without its secret."""
    record = _found(_with_tokens(lambda tokens: tokens.find(token_id)), token_id)
    shown = msgspec.to_builtins(Token.public(record))
    if as_json:
        click.echo(json.dumps(shown))
        return
    for name, value in {**shown, "scopes": " ".join(record.scopes), "state": _state(record)}.items():
        click.echo(f"{name:24}{'' if value is None else printable(str(value))}")


@token.command("rotate")
@click.argument("token_id")
@click.option(
    "--overlap",
    type=_OVERLAP,
    default=f"{OVERLAP_SECONDS // 3600}h",
    show_default=True,
    help="For how long the old secret goes on to work; 0s: it ends at once.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def rotate_token(token_id: str, overlap: int, *, as_json: bool) -> None:
    """Give a token a new secret, by its id, and print it, once."""

    async def rotated(tokens: Tokens) -> RotatedToken:
        record = _found(await tokens.find(token_id), token_id)
        secret, old_until = await tokens.rotate(record, overlap_seconds=overlap)
        return RotatedToken.rotated(record, secret, old_until)

    try:
        shown = _changed(rotated, "rotateToken", lambda _: token_id)
    except NotRotated as why:
        fail(str(why))
    if as_json:
        click.echo(_json(shown))
        return
    click.echo(shown.token)
    ends = msgspec.to_builtins(shown)["old_secret_ends_at"]
    click.echo(f"{token_id}: keep the secret now, it can't be shown again. The old one ends at {ends}.", err=True)


@token.command("revoke")
@click.argument("token_id")
def revoke_token(token_id: str) -> None:
    """Withdraw a token, by its id; effective everywhere within a second."""
    if not _changed(lambda tokens: tokens.revoke(token_id), "revokeToken", lambda _: token_id):
        _unknown(token_id)
    click.echo(f"{token_id} is revoked.")


def _with_tokens(act: Callable[[Tokens], Awaitable[T]]) -> T:
    return with_database(configured(), lambda database: act(Tokens(TokenStore(database), time)))


def _changed(act: Callable[[Tokens], Awaitable[T]], action: str, token_id: Callable[[T], str]) -> T:
    # Servers see the change in the database by themselves, with Redis and without.
    return with_audit(
        lambda database: act(Tokens(TokenStore(database), time)), action, lambda made: {"token_id": token_id(made)}
    )


def _found(record: TokenRecord | None, token_id: str) -> TokenRecord:
    return record if record is not None else _unknown(token_id)


def _unknown(token_id: str) -> NoReturn:
    fail(f"there is no token {token_id!r}; `gateway token list` shows them.")


def _json(shown: object) -> str:
    return msgspec.json.encode(shown).decode()


def _state(record: TokenRecord) -> str:
    if record.revoked_at is not None:
        return "revoked"
    return "expired" if record.expires_at is not None and record.expires_at <= time() else "valid"
