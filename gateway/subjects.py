"""Tokens that are limited to one customer: which routes take them, and what they reach there.

A route says where its customer comes from; one that does not say it refuses
such tokens. What a caller leaves out is filled in from the token, and another
customer's id is refused before any vendor is called. A resource that is named
without its customer must be known to be the customer's: else it is as if it
did not exist.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from time import time
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, quote

import msgspec

from gateway.problems import NotFound, SubjectMismatch
from gateway.storage.database import Unavailable
from gateway.storage.ownership import OwnershipStore
from gateway.telemetry import Log

MEMBER: Final = "external_id"
"""What a customer's id is called in paths, queries and bodies."""

UNCHECKED: Final = "vendor_fields"
"""A member of bodies that goes to the vendor as it is, and could name anyone."""


class Whose(StrEnum):
    """Where a route's customer comes from."""

    NOBODY = "nobody"
    """It is about none: everybody may read it."""
    TOKEN = "token"  # noqa: S105 - a place, not a secret
    """It is whoever's token it is: the route shows what is theirs."""
    PATH = "path"
    QUERY = "query"
    BODY = "body"


class Owned(msgspec.Struct, frozen=True):
    """The customer is whose resource this is."""

    kind: str
    """A key of `Owners`."""
    place: Literal["path", "body"]
    name: str
    """Of the path parameter or the body's member that identifies it."""


Source = Whose | Owned

Owners = Mapping[str, Callable[[Any, str], Awaitable[bool]]]
"""By kind of resource: whether the one with this id is the subject's, in this tenant's context."""


def checked_place(scope: Any, source: Source | None, subject: str) -> None:
    """Hold path and query to the subject, and fill in what the query leaves out.

    Raises:
        SubjectMismatch: The route is not for such tokens, or names another customer.
    """
    match source:
        case None:
            raise SubjectMismatch("The token is limited to one customer, and this route is not about one.")
        case Whose.PATH:
            _same(scope["path_params"][MEMBER], subject)
        case Whose.QUERY:
            query = scope["query_string"].decode("latin-1")
            given = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == MEMBER]
            for value in given:
                _same(value, subject)
            if not given:
                scope["query_string"] = f"{query}{'&' if query else ''}{MEMBER}={quote(subject, safe='')}".encode()
        case _:
            pass  # The body tells, or the resource.


def filled(body: bytes, members: frozenset[str], subject: str) -> bytes:
    """The JSON body with the subject filled in, where it takes one; a body that is no object stays as it is.

    Args:
        body: As it came.
        members: That the route takes.
        subject: Whose token it is.

    Raises:
        SubjectMismatch: It names another customer, or could.
    """
    if not members & {MEMBER, UNCHECKED}:
        return body
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body  # Decoding it again tells what is wrong.
    if not isinstance(given, dict):
        return body
    if given.get(UNCHECKED) is not None:
        raise SubjectMismatch(f"`{UNCHECKED}` is not for a token that is limited to one customer.")
    if MEMBER in members:
        if given.get(MEMBER) is not None:
            _same(given[MEMBER], subject)
        given[MEMBER] = subject
    return msgspec.json.encode(given)


async def check_owned(owners: Owners, tenant: Any, owned: Owned, ident: str) -> None:
    """Hold a resource to the subject.

    Raises:
        NotFound: It is another's, or nobody knows whose.
    """
    if not await owners[owned.kind](tenant, ident):
        raise NotFound(f"There is no such {owned.kind}.")


def _same(given: object, subject: str) -> None:
    if given != subject:
        raise SubjectMismatch("The token is limited to another customer.")


class Belongings:
    """What customers own and which ids mean the same, as far as this gateway saw it begin; of one tenant in one mode.

    Args:
        store: Where it is kept.
        tenant: Whose customers they are.
        mode: Of the tenant.
        log: Is told what could not be kept.
    """

    def __init__(self, store: OwnershipStore, tenant: str, mode: str, log: Log) -> None:
        self._store = store
        self._place = (tenant, mode)
        self._log = log

    async def add(self, kind: str, ident: str, subject: str) -> None:
        """Record whose a new resource is.

        Raises:
            Unavailable: The database failed.
        """
        await self._store.add(*self._place, kind, ident, subject=subject, at=int(time()))

    async def try_add(self, kind: str, ident: str, subject: str) -> None:
        """The same after something that can't be undone: a database that fails costs the owner access, and no more."""
        try:
            await self.add(kind, ident, subject)
        except Unavailable:
            self._log.error("owner not recorded", kind=kind, resource=ident)

    async def alias(self, kind: str, ident: str, *, of: str) -> None:
        """Record that a resource has got another id; as `try_add`."""
        if ident == of:
            return
        try:
            await self._store.alias(*self._place, kind, ident, first=await self.first(kind, of))
            if (subject := await self.owner(kind, of)) is not None:
                await self.add(kind, ident, subject)
        except Unavailable:
            self._log.error("alias not recorded", kind=kind, resource=ident)

    async def owner(self, kind: str, ident: str) -> str | None:
        """Whose it is; None: nothing is known of it.

        Raises:
            Unavailable: The database failed.
        """
        return await self._store.owner(*self._place, kind, ident)

    async def first(self, kind: str, ident: str) -> str:
        """The id that a resource had first, which all its later ones stand for.

        Raises:
            Unavailable: The database failed.
        """
        return await self._store.first(*self._place, kind, ident) or ident

    async def ids(self, kind: str, ident: str) -> list[str]:
        """Every id of a resource.

        Raises:
            Unavailable: The database failed.
        """
        first = await self.first(kind, ident)
        return [first, *await self._store.later(*self._place, kind, first)]
