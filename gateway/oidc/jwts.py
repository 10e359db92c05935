"""JWTs of one issuer (OpenID Connect): who stands behind one.

What a JWT may do is told by its claims, whose names are settings. A JWT is
limited to the customer that its subject claim names, unless the operator says
that this issuer has no customers: a mapping that was forgotten at the identity
provider then refuses everybody, and opens nothing. `admin` is never granted.
"""

import json
import re
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final, cast

import msgspec
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from clients.secret import Secret
from gateway.oidc.identity_provider import IdentityProvider, UnknownKey
from gateway.oidc.signing_keys import ALGORITHMS
from gateway.principal import Mode, Principal
from gateway.problems import TokenExpired, TokenInvalid
from gateway.scopes import SCOPES
from gateway.settings import NO_SUBJECT, OidcSettings
from gateway.tokens.lifecycle import TENANT, Recogniser
from gateway.tokens.secret_form import hash_of

GRANTED: Final = frozenset(SCOPES) - {"admin"}
"""What a JWT can be allowed: the operator's own power is given at the gateway, and not elsewhere."""

LARGEST_TOKEN: Final = 8 * 1024
"""Bytes, looked at before anything is parsed."""

LONGEST_TEXT: Final = 256
"""Characters of `sub` and of a customer's identifier."""

LEEWAY_SECONDS: Final = 30
"""How far the issuer's clock may be ahead of ours. `exp` has none: what is over is over."""

REMEMBERED_SECONDS: Final = 60
"""How long a verified JWT is believed: a signature costs a hundred times the look-up."""

MOST_REMEMBERED: Final = 10_000
"""Verified JWTs kept: some megabytes."""

_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_REFUSED_HEADERS: Final = frozenset({"crit", "b64", "jku", "jwk", "x5u"})
"""Extensions that we would have to understand, and keys that a token brings along."""

# RFC 9864's name for what all issuers still call EdDSA: the library warns of the old one.
_VERIFIERS: Final = {
    name: JWSRegistry.algorithms["Ed25519" if name == "EdDSA" else name] for name in sorted(ALGORITHMS)
}


class _Claims(msgspec.Struct, frozen=True):
    """The claims that every JWT must have, whatever the settings say."""

    iss: str
    aud: str | list[str]
    exp: float
    sub: str
    nbf: float | None = None
    iat: float | None = None


class _Verified(msgspec.Struct, frozen=True):
    principal: Principal
    until: float
    generation: int


class Authenticator:
    """Tells the two kinds of tokens apart by their form.

    Args:
        tokens: Knows our own.
        jwts: Knows the issuer's.
    """

    def __init__(self, tokens: Recogniser, jwts: Recogniser) -> None:
        self._tokens = tokens
        self._jwts = jwts

    async def principal(self, secret: Secret) -> Principal:
        """Who stands behind `secret`."""
        return await self._kind(secret).principal(secret)

    def known(self, secret_hash: str) -> Principal | None:
        """Who stands behind a secret, if nothing has to be asked."""
        return self._tokens.known(secret_hash) or self._jwts.known(secret_hash)

    def remembers(self, secret_hash: str) -> bool:
        """Whether it was found to be genuine not long ago."""
        return self._tokens.remembers(secret_hash) or self._jwts.remembers(secret_hash)

    def _kind(self, secret: Secret) -> Recogniser:
        # Our own tokens hold no dot.
        return self._jwts if _FORM.fullmatch(secret.reveal()) else self._tokens


class Jwts:
    """Verifies JWTs and reads their claims.

    Args:
        settings: Whose, for whom, and how the claims are called.
        issuer: Has the keys.
        now: The current Unix time.
    """

    def __init__(self, settings: OidcSettings, issuer: IdentityProvider, now: Callable[[], float]) -> None:
        self._settings = settings
        self._issuer = issuer
        self._now = now
        self._remembered: OrderedDict[str, _Verified] = OrderedDict()

    async def principal(self, secret: Secret) -> Principal:
        """Who stands behind a JWT.

        Raises:
            TokenInvalid: It is not the issuer's, not for us, or does not say what it must.
            TokenExpired: Its time is over.
            IdentityProviderUnavailable: There are no keys to check it with.
        """
        token = secret.reveal()
        if len(token) > LARGEST_TOKEN:
            raise TokenInvalid(f"The JWT is larger than {LARGEST_TOKEN} bytes.")
        name = hash_of(secret)
        if (known := self.known(name)) is not None:
            return known
        claims = await self._verified(token)
        standard = self._checked(claims)
        principal = self._mapped(standard.sub, claims)
        until = min(standard.exp, self._now() + REMEMBERED_SECONDS)
        self._remembered[name] = _Verified(principal, until, self._issuer.generation)
        self._remembered.move_to_end(name)
        if len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return principal

    def known(self, secret_hash: str) -> Principal | None:
        """Who stands behind a JWT that was verified not long ago."""
        known = self._remembered.get(secret_hash)
        if known is None or self._now() >= known.until or known.generation != self._issuer.generation:
            return None
        self._remembered.move_to_end(secret_hash)
        return known.principal

    def remembers(self, secret_hash: str) -> bool:
        """Whether its signature was found right not long ago."""
        return secret_hash in self._remembered

    async def _verified(self, token: str) -> dict[str, Any]:
        """The claims of a JWT whose signature is the issuer's."""
        signed, _, signature = token.rpartition(".")
        head, _, payload = signed.partition(".")
        header = _object(head)
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise TokenInvalid("The JWT's algorithm must be RS256, PS256, ES256 or EdDSA.")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise TokenInvalid("The JWT's `typ` must be JWT or at+jwt.")
        if not isinstance(kid, str | None) or not _REFUSED_HEADERS.isdisjoint(header):
            raise TokenInvalid("The JWT's header holds something that is not accepted.")
        try:
            found = await self._issuer.key(kid, algorithm)
            genuine = _VERIFIERS[algorithm].verify(signed.encode(), _bytes(signature), found.key)
        except UnknownKey as error:
            raise TokenInvalid("The JWT is not signed with a key of the configured issuer.") from error
        except (JoseError, ValueError):
            genuine = False
        if not genuine:
            raise TokenInvalid("The JWT's signature is not right.")
        return _object(payload)

    def _checked(self, claims: dict[str, Any]) -> _Claims:
        """The standard claims, each as it must be."""
        try:
            standard = msgspec.convert(claims, _Claims)
        except (msgspec.ValidationError, OverflowError) as error:
            raise TokenInvalid(f"The JWT's claims are not acceptable: {error}.") from error
        now = self._now()
        audiences = [standard.aud] if isinstance(standard.aud, str) else standard.aud
        if standard.iss != self._settings.issuer:
            raise TokenInvalid("The JWT's `iss` is not the configured issuer.")
        if self._settings.audience not in audiences:
            raise TokenInvalid("The JWT's `aud` does not name this gateway.")
        if not isfinite(standard.exp):
            raise TokenInvalid("The JWT's `exp` is no moment.")
        if now >= standard.exp:
            raise TokenExpired("The JWT has expired.")
        if any(moment is not None and moment > now + LEEWAY_SECONDS for moment in (standard.nbf, standard.iat)):
            raise TokenInvalid("The JWT is not valid yet; compare the clocks.")
        return standard

    def _mapped(self, sub: str, claims: Mapping[str, Any]) -> Principal:
        """What the configured claims amount to."""
        names = self._settings
        tenant, mode = _text("tenant", names.tenant_claim, claims), _text("mode", names.mode_claim, claims)
        if not TENANT.fullmatch(tenant):
            raise TokenInvalid(f"The JWT's claim `{names.tenant_claim}` is no tenant's name.")
        if mode not in {"live", "test"}:
            raise TokenInvalid(f"The JWT's claim `{names.mode_claim}` must be `live` or `test`.")
        limited = names.subject_claim != NO_SUBJECT
        return Principal(
            # A space: neither an issuer nor the id of a token has one.
            holder=f"{names.issuer} {_text('caller', 'sub', {'sub': sub})}",
            token_id=None,
            tenant=tenant,
            mode=cast("Mode", mode),
            scopes=_scopes(names.scope_claim, claims) & GRANTED,
            subject=_text("customer", names.subject_claim, claims) if limited else None,
            expires_at=int(claims["exp"]),
        )


def _text(meaning: str, name: str, claims: Mapping[str, Any]) -> str:
    value = claims.get(name)
    if value is None:
        raise TokenInvalid(f"The JWT lacks the claim `{name}`, which names the {meaning}.")
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT or not value.isprintable():
        raise TokenInvalid(f"The JWT's claim `{name}` must be a text of 1 to {LONGEST_TEXT} characters.")
    return value


def _scopes(name: str, claims: Mapping[str, Any]) -> frozenset[str]:
    """The words of a text or the members of an array (OAuth 2.0 has the one, many issuers the other)."""
    value = claims.get(name)
    listed = value.split() if isinstance(value, str) else value
    if listed is None:
        raise TokenInvalid(f"The JWT lacks the claim `{name}`, which names the scopes.")
    if not isinstance(listed, list) or not all(isinstance(scope, str) for scope in listed):
        raise TokenInvalid(f"The JWT's claim `{name}` must be a text or an array of texts.")
    return frozenset(listed)


def _bytes(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _object(segment: str) -> dict[str, Any]:
    """A part of a JWT as a JSON object, in which no name is there twice."""
    try:
        found = json.loads(_bytes(segment).decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TokenInvalid("The JWT can't be read; was it copied whole?") from error
    if not isinstance(found, dict):
        raise TokenInvalid("The JWT can't be read; was it copied whole?")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
