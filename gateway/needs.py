"""What a route asks of its caller: declared beside its handler, enforced by `gateway.auth`."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from gateway.cache.topics import Topic
from gateway.principal import Principal
from gateway.subjects import Source


class Needs(msgspec.Struct, frozen=True):
    """What a route asks of its caller."""

    scopes: frozenset[str]
    """All of them."""
    any_of: frozenset[str] = frozenset()
    """One of them, if there are any."""
    token: bool = True
    """False: anyone may call."""

    customer: Source | None = None
    """Where the customer comes from whom the call is about; None: tokens that are limited to one are refused."""

    target: tuple[str, ...] = ()
    """Members of the body that say what the request is about, for the audit."""

    live_only: bool = False
    """Whether a test token may not call: what the route is about belongs to no mode but live."""

    largest_body: int | None = None
    """Bytes, where the body may be larger than elsewhere."""

    money: bool = False
    """Whether a call changes what money moves: it needs a key, has a limit of its own, and places kept for it."""

    probe: bool = False
    """Whether each call makes a vendor look something up outside; the same."""

    cached: Topic | Callable[[str], Topic] | None = None
    """What the answer is made from and nothing else, so that it may be kept; a function of the path's parameter."""

    folded: frozenset[bytes] = frozenset()
    """Query parameters whose case means nothing."""

    def admits(self, principal: Principal) -> bool:
        """Whether this caller may be let in, as far as their scopes and mode say."""
        return (
            self.scopes <= principal.scopes
            and (not self.any_of or bool(self.any_of & principal.scopes))
            and (not self.live_only or principal.mode == "live")
        )

    @property
    def reads(self) -> bool:
        """Whether nothing is changed: the scopes allow nothing else."""
        return all(scope.endswith(":read") for scope in self.scopes | self.any_of)


class UndeclaredRoute(Exception):
    """A route does not say who may call it, or names a scope that does not exist."""


def needs(
    *scopes: str,
    customer: Source | None = None,
    target: tuple[str, ...] = (),
    largest_body: int | None = None,
    money: bool = False,
    probe: bool = False,
    live_only: bool = False,
    cached: Topic | Callable[[str], Topic] | None = None,
    folded: Iterable[str] = (),
) -> dict[str, Any]:
    """The `opt` of a route whose caller must hold all of `scopes`; none: any token will do."""
    declared = Needs(
        frozenset(scopes),
        customer=customer,
        target=target,
        largest_body=largest_body,
        money=money,
        probe=probe,
        live_only=live_only,
        cached=cached,
        folded=frozenset(name.encode() for name in folded),
    )
    return {"needs": declared}


def needs_any(*scopes: str, target: tuple[str, ...] = ()) -> dict[str, Any]:
    """The `opt` of a route whose caller must hold one of `scopes`."""
    return {"needs": Needs(frozenset(), any_of=frozenset(scopes), target=target)}


def needs_nothing() -> dict[str, Any]:
    """The `opt` of a route that anyone may call."""
    return {"needs": Needs(frozenset(), token=False)}
