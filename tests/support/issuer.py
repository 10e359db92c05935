"""An OpenID Connect issuer, served over HTTP: it signs JWTs, publishes its keys, and can be made to misbehave."""

import json
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread
from time import time
from typing import Any, Self, cast
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64encode
from typing_extensions import override

AUDIENCE = "funnel-gateway"

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/keys"


def encoded(part: object) -> str:
    """A part of a JWT; text is taken as the JSON that it is."""
    text = part if isinstance(part, str) else json.dumps(part)
    return urlsafe_b64encode(text.encode()).decode()


def signed(header: object, claims: object, key: Key, algorithm: str) -> str:
    """A JWT of any header and claims, sensible or not."""
    message = f"{encoded(header)}.{encoded(claims)}"
    model = JWSRegistry.algorithms["Ed25519" if algorithm == "EdDSA" else algorithm]
    return f"{message}.{urlsafe_b64encode(model.sign(message.encode(), key)).decode()}"


def new_key(algorithm: str) -> Key:
    """A private key for an algorithm."""
    parameters: Any = {"kid": uuid4().hex, "use": "sig"}
    match algorithm[:2]:
        case "ES":
            return ECKey.generate_key("P-256", parameters)
        case "Ed":
            return OKPKey.generate_key("Ed25519", parameters)
        case _:
            return RSAKey.generate_key(2048, parameters)


def self_signed(folder: Path) -> Path:
    """A file with a certificate of this machine's, signed by nobody else, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = folder / "issuer.pem"
    path.write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


class Issuer:
    """Listens on loopback, counts what is asked, and signs with its newest key.

    Args:
        algorithm: Of its first key.
        certificate: A file with a certificate and its key, to be served over TLS.
    """

    def __init__(self, algorithm: str = "ES256", *, certificate: Path | None = None) -> None:
        self.algorithm = algorithm
        self.keys: list[Key] = [new_key(algorithm)]
        self.requests: list[str] = []
        self.behaviour = "answer"
        """`answer`, `fail` (503), `garbage`, `redirect`, `huge`, `hang` or `lie` (another issuer's name)."""
        self.cache_control: str | None = None
        self.published: list[dict[str, Any]] | None = None
        """In place of the public halves of `keys`."""
        self.jwks_uri: str | None = None
        """In place of its own."""
        self.asked = Event()
        """Something was asked."""
        self.released = Event()
        """Ends what hangs."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._scheme = "http"
        if certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """Its name."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def rotate(self, algorithm: str | None = None) -> None:
        """Publish a new key in the place of all others, and sign with it."""
        self.algorithm = algorithm or self.algorithm
        self.keys = [new_key(self.algorithm)]

    def fetches(self) -> int:
        """How often its keys were asked for."""
        return self.requests.count(JWKS)

    def header(self, **changes: Any) -> dict[str, Any]:
        """The header of its JWTs; a change to None takes a member away."""
        return _changed({"alg": self.algorithm, "typ": "at+jwt", "kid": self.keys[-1].kid}, changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of its JWTs, of an hour; a change to None takes one away."""
        now = int(time())
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "user-1",
            "iat": now,
            "exp": now + 3600,
            "tenant": "default",
            "mode": "test",
            "scope": "openid profile customers:read catalog:read",
            "external_id": "user-alice",
        }
        return _changed(usual, changes)

    def token(self, **changes: Any) -> str:
        """A JWT with changed claims."""
        return signed(self.header(), self.claims(**changes), self.keys[-1], self.algorithm)

    def document(self, path: str) -> bytes:
        """What stands at a path."""
        if path == DISCOVERY:
            name = "https://other.example" if self.behaviour == "lie" else self.url
            return json.dumps({"issuer": name, "jwks_uri": self.jwks_uri or f"{self.url}{JWKS}"}).encode()
        keys = self.published if self.published is not None else [key.as_dict(private=False) for key in self.keys]
        return json.dumps({"keys": keys}).encode()


def _changed(usual: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def _handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            issuer.requests.append(self.path)
            issuer.asked.set()
            status, body = 200, issuer.document(self.path)
            match issuer.behaviour:
                case "hang":
                    issuer.released.wait(30)
                case "fail":
                    status, body = 503, b"{}"
                case "garbage":
                    body = b"<html>\xff</html>"
                case "redirect":
                    status = 302
                case "huge":
                    body = body[:-1] + b" " * 300_000 + body[-1:]
                case _:
                    pass
            self.close_connection = True
            self.send_response(status)
            self.send_header("connection", "close")
            self.send_header("content-length", str(len(body)))
            if status == 302:
                self.send_header("location", f"{issuer.url}{self.path}?again")
            if issuer.cache_control is not None:
                self.send_header("cache-control", issuer.cache_control)
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return cast("type[BaseHTTPRequestHandler]", Handler)
