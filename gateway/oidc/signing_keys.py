"""Which published keys can sign JWTs, and with which algorithms: the whole list, and nothing adds to it."""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

SMALLEST_RSA: Final = 2048
"""Bits; smaller keys are not safe."""

LARGEST_RSA: Final = 8192
"""Bits; larger ones take too long."""

_BY_CURVE: Final[Mapping[tuple[str, str | None], frozenset[str]]] = {
    ("RSA", None): frozenset({"RS256", "PS256"}),
    ("EC", "P-256"): frozenset({"ES256"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA", "Ed25519"}),
}
"""What each type of key can sign. A symmetric key is none of them: it could not be public."""

ALGORITHMS: Final = frozenset().union(*_BY_CURVE.values())
"""Every algorithm that is accepted; no setting, and nothing an issuer says, adds to them."""


class SigningKey(msgspec.Struct, frozen=True):
    """One public key of the issuer."""

    kid: str | None
    algorithms: frozenset[str]
    """What it may be used for, by its type and by what the issuer says."""
    key: Key


class _Jwk(msgspec.Struct, frozen=True):
    """What a published key says of itself."""

    kty: str
    kid: str | None = None
    use: str | None = None
    key_ops: tuple[str, ...] = ("verify",)
    alg: str | None = None
    crv: str | None = None
    n: str = ""


def signing_key(jwk: dict[str, Any]) -> SigningKey | None:
    """The key, if it can be one that signs tokens; an issuer's other keys are passed over."""
    try:
        said = msgspec.convert(jwk, _Jwk)
        algorithms = _BY_CURVE.get((said.kty, said.crv if said.kty != "RSA" else None), frozenset())
        if said.alg is not None:
            algorithms &= {said.alg}
        meant = said.use in {None, "sig"} and "verify" in said.key_ops and "d" not in jwk
        # Looked at first, because the library would only warn.
        if not (meant and algorithms) or (said.kty == "RSA" and not SMALLEST_RSA <= _bits(said.n) <= LARGEST_RSA):
            return None
        return SigningKey(said.kid, algorithms, JWKRegistry.import_key(jwk, said.kty))
    except (msgspec.ValidationError, JoseError, ValueError, TypeError, KeyError):
        return None  # One key that is no key leaves the others alone.


def _bits(number: str) -> int:
    return int.from_bytes(urlsafe_b64decode(number + "=" * (-len(number) % 4))).bit_length()
