"""JWTs of a real issuer, at the front door."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import time
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import RSAKey
from joserfc.util import urlsafe_b64encode
from opentelemetry.trace import SpanKind

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import BadSettings, OidcSettings, Settings, from_environment
from tests.support.gateway import RunningGateway
from tests.support.issuer import AUDIENCE, Issuer, encoded, new_key, self_signed, signed
from tests.support.plain import PLAIN
from tests.support.timing import PATIENCE


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """One issuer for all tests that leave it alone."""
    with Issuer("RS256") as serving:
        yield serving


def settings_for(issuer: Issuer, sandbox_url: str, folder: Path, **claims: str) -> Settings:
    """A gateway's settings that accept the issuer's JWTs."""
    return Settings(
        database_url=Secret(f"sqlite:///{folder / 'gateway.db'}"),
        sandbox=sandbox_url,
        log_level="error",
        limit_guesses_per_minute=0,  # These tests guess all the time.
        oidc=OidcSettings(issuer=issuer.url, audience=AUDIENCE, **claims),
    )


@pytest.fixture(scope="module")
def door(issuer: Issuer, sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a gateway that accepts the issuer's JWTs."""
    configured = settings_for(issuer, sandbox_server.url, tmp_path_factory.mktemp("oidc"))
    with RunningGateway(configured) as running:
        yield running.url


@pytest.fixture(scope="module")
def caller(door: str) -> Iterator[httpx.Client]:
    """Keeps its connection, for many calls."""
    with httpx.Client(base_url=door, timeout=30, verify=PLAIN) as client:
        yield client


def get(door: str, token: str, path: str = "/v1/price-points") -> httpx.Response:
    """Ask for something with a JWT."""
    return httpx.get(f"{door}{path}", headers={"authorization": f"Bearer {token}"}, timeout=30, verify=PLAIN)


def refusal(reply: httpx.Response) -> tuple[int, str, str]:
    """The status, the code and what the developer reads."""
    body = reply.json()
    return reply.status_code, body["code"], body["detail"]


def test_a_jwt_lets_its_customer_in(door: str, issuer: Issuer) -> None:
    """It reaches what its scopes allow, and of its own customer only."""
    token = issuer.token()

    catalog, refused = get(door, token), get(door, token, "/v1/domains")

    assert catalog.status_code == 200
    assert refusal(refused)[:2] == (403, "insufficient_scope")


def test_a_jwt_leaves_no_trace_of_its_holder(
    issuer: Issuer, sandbox_server: SandboxServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A span tells tenant and mode; a JWT has no id of a token, and its `sub` may be an e-mail address."""
    with RunningGateway(settings_for(issuer, sandbox_server.url, tmp_path)) as running:
        token = issuer.token(sub="alice@mail.example")
        assert get(running.url, token).status_code == 200

    spans = running.spans.get_finished_spans()
    [server] = [span for span in spans if span.kind is SpanKind.SERVER]
    assert server.attributes is not None
    assert (server.attributes["gateway.tenant"], server.attributes["gateway.mode"]) == ("default", "test")
    assert "gateway.token_id" not in server.attributes
    shown = caplog.text + "".join(span.to_json() for span in spans)
    assert "alice" not in shown
    assert token not in shown
    assert caplog.records == []


def test_a_jwt_is_limited_to_its_customer(door: str, issuer: Issuer) -> None:
    """Its own data are open; another's, and what is nobody's in particular, are not, however many scopes there are."""
    token = issuer.token(scope=["payments:read", "customers:read", "domains:read", "tokens:write"])

    own = get(door, token, "/v1/customers/user-alice/assets")
    refused = [get(door, token, path) for path in ("/v1/customers/user-bob/assets", "/v1/transactions", "/v1/domains")]

    assert own.status_code == 200
    assert {refusal(reply)[:2] for reply in refused} == {(403, "subject_mismatch")}


def test_where_nobody_is_a_customer_a_jwt_is_not_limited(
    issuer: Issuer, sandbox_server: SandboxServer, tmp_path: Path
) -> None:
    """The operator must say so; claims may have other names then, and scopes be an array."""
    configured = settings_for(
        issuer,
        sandbox_server.url,
        tmp_path,
        subject_claim="none",
        tenant_claim="https://claims.example/tenant",
        scope_claim="scp",
    )
    claims: dict[str, Any] = {"https://claims.example/tenant": "default", "scp": ["domains:read"], "scope": None}

    with RunningGateway(configured) as running:
        reply = get(running.url, issuer.token(tenant=None, external_id=None, **claims), "/v1/domains")

    assert reply.status_code == 200


def test_our_own_tokens_are_accepted_beside(issuer: Issuer, sandbox_server: SandboxServer, tmp_path: Path) -> None:
    """The form of a token tells whose it is; the two do not get into each other's way."""
    with RunningGateway(settings_for(issuer, sandbox_server.url, tmp_path)) as running:
        _, secret = running.token(scopes=["domains:read"])

        assert get(running.url, secret, "/v1/domains").status_code == 200
        assert refusal(get(running.url, secret[:-1] + "!"))[1] == "token_invalid"


def test_without_an_issuer_a_jwt_is_not_a_token(gateway: RunningGateway, issuer: Issuer) -> None:
    """Nobody is asked."""
    assert refusal(get(gateway.url, issuer.token()))[:2] == (401, "token_invalid")


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"])
def test_each_accepted_algorithm_works(algorithm: str, sandbox_server: SandboxServer, tmp_path: Path) -> None:
    """The list is fixed; each needs the key that is made for it."""
    with (
        Issuer(algorithm) as serving,
        RunningGateway(settings_for(serving, sandbox_server.url, tmp_path)) as running,
    ):
        assert get(running.url, serving.token()).status_code == 200


@pytest.mark.parametrize(
    ("changes", "code", "detail"),
    [
        ({"iss": "https://other.example"}, "token_invalid", "`iss`"),
        ({"aud": "another"}, "token_invalid", "`aud`"),
        ({"aud": ["a", "b"]}, "token_invalid", "`aud`"),
        ({"aud": []}, "token_invalid", "`aud`"),
        ({"exp": time() - 1}, "token_expired", "expired"),
        ({"exp": 10**400}, "token_invalid", ""),
        ({"exp": True}, "token_invalid", "exp"),
        ({"exp": "2099-01-01"}, "token_invalid", "exp"),
        ({"nbf": time() + 86_400}, "token_invalid", "not valid yet"),
        ({"iat": time() + 86_400}, "token_invalid", "not valid yet"),
        ({"sub": ""}, "token_invalid", "`sub`"),
        ({"sub": "x" * 300}, "token_invalid", "`sub`"),
        ({"tenant": "../other"}, "token_invalid", "`tenant`"),
        ({"mode": "prod"}, "token_invalid", "`mode`"),
        ({"mode": ["test"]}, "token_invalid", "`mode`"),
        ({"scope": 7}, "token_invalid", "`scope`"),
        ({"scope": ["catalog:read", 7]}, "token_invalid", "`scope`"),
        ({"external_id": ""}, "token_invalid", "`external_id`"),
        ({"external_id": 7}, "token_invalid", "`external_id`"),
        ({"external_id": "\ud800"}, "token_invalid", "`external_id`"),
        *(
            ({name: None}, "token_invalid", name)
            for name in ("iss", "aud", "exp", "sub", "tenant", "mode", "scope", "external_id")
        ),
    ],
)
def test_claims_that_are_wrong_or_missing(
    door: str, issuer: Issuer, changes: dict[str, Any], code: str, detail: str
) -> None:
    """Each is refused, and the developer reads which it was."""
    reply = get(door, issuer.token(**changes))

    status, found, words = refusal(reply)
    assert (status, found) == (401, code)
    assert detail in words
    assert 'error="invalid_token"' in reply.headers["www-authenticate"]


def test_claims_that_are_odd_and_right(door: str, issuer: Issuer) -> None:
    """Several audiences, a clock that is somewhat ahead, moments with a fraction, and claims that we do not know."""
    token = issuer.token(aud=["a", AUDIENCE], nbf=time() + 10, iat=time() + 10.5, exp=time() + 60.5, azp="app")

    assert get(door, token).status_code == 200


def test_the_operators_power_is_not_granted(issuer: Issuer, sandbox_server: SandboxServer, tmp_path: Path) -> None:
    """`admin` in a claim is passed over, like a scope that does not exist."""
    configured = settings_for(issuer, sandbox_server.url, tmp_path, subject_claim="none")

    with RunningGateway(configured) as running:
        token = issuer.token(scope="admin nonsense")
        reply = get(running.url, token, "/v1/audit-events")

    assert refusal(reply)[:2] == (403, "insufficient_scope")


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "RS512"},
        {"alg": ["RS256"]},
        {"alg": None},
        {"typ": "logout+jwt"},
        {"typ": 7},
        {"kid": 7},
        {"kid": "of-nobody"},
        {"crit": ["exp"]},
        {"b64": False, "crit": ["b64"]},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/chain"},
        {"jwk": {"kty": "oct", "k": "AA"}},
        {"alg": "ES256"},
        {"alg": "EdDSA"},
    ],
)
def test_a_header_that_asks_for_something_else(door: str, issuer: Issuer, changes: dict[str, Any]) -> None:
    """Signed by the right key all the same: what the header asks for is what is refused."""
    token = signed(issuer.header(**changes), issuer.claims(), issuer.keys[-1], "RS256")

    assert refusal(get(door, token))[:2] == (401, "token_invalid")


def test_forged_signatures(door: str, issuer: Issuer) -> None:
    """None, of another, of an attacker's key under our key's name, and of the public key taken for a shared secret."""
    head, payload, signature = issuer.token().split(".")
    public = RSAKey.import_key(issuer.keys[-1].as_dict(private=False))
    confused = f"{encoded(issuer.header(alg='HS256'))}.{payload}"
    forged = [
        f"{head}.{payload}.",
        f"{encoded(issuer.header(alg='none'))}.{payload}.",
        f"{head}.{encoded(issuer.claims(sub='user-2'))}.{signature}",
        f"{head}.{payload}.{signature[::-1]}",
        f"{head}.{payload}.A",
        signed(issuer.header(), issuer.claims(), new_key("RS256"), "RS256"),
        signed(issuer.header(alg="ES256"), issuer.claims(), new_key("ES256"), "ES256"),
        *(
            f"{confused}.{urlsafe_b64encode(hmac.digest(secret, confused.encode(), hashlib.sha256)).decode()}"
            for secret in (public.as_pem(), public.as_der(), json.dumps(public.as_dict()).encode())
        ),
    ]

    refused = {refusal(get(door, token))[:2] for token in forged}

    assert refused == {(401, "token_invalid")}


def test_what_is_no_jwt_at_all(door: str, issuer: Issuer) -> None:
    """Too long, too deep, twice the same name, no object, no JSON, no UTF-8."""
    key, header = issuer.keys[-1], issuer.header()
    claims = json.dumps(issuer.claims())
    broken = [
        issuer.token(padding="x" * 9000),
        signed(header, "[" * 4000, key, "RS256"),
        signed(header, claims[:-1] + ', "tenant": "default"}', key, "RS256"),
        signed(header, claims[:-1] + ', "nbf": NaN}', key, "RS256"),
        signed(header, claims[:-1] + ', "nbf": 1e999}', key, "RS256"),
        signed(header, "[]", key, "RS256"),
        signed(header, "\ufeff{}", key, "RS256"),
        "a.b.c",
        "_w.e30.e30",
        "e30.e30.e30.e30.e30",
        "..",
    ]

    refused = {refusal(get(door, token))[:2] for token in broken}

    assert refused == {(401, "token_invalid")}


def test_a_flood_of_unknown_keys_asks_the_issuer_once(sandbox_server: SandboxServer, tmp_path: Path) -> None:
    """Whoever invents names of keys makes us fetch once in some seconds, and not once each."""
    with Issuer() as serving, RunningGateway(settings_for(serving, sandbox_server.url, tmp_path)) as running:
        assert get(running.url, serving.token()).status_code == 200
        for number in range(20):
            token = signed(serving.header(kid=f"k{number}"), serving.claims(), serving.keys[-1], "ES256")
            assert refusal(get(running.url, token))[:2] == (401, "token_invalid")

        assert serving.fetches() == 2


def test_a_new_key_is_accepted_at_once_and_the_old_no_more(sandbox_server: SandboxServer, tmp_path: Path) -> None:
    """Also a JWT that was verified before: its key is gone, and so is what was concluded from it."""
    with Issuer() as serving, RunningGateway(settings_for(serving, sandbox_server.url, tmp_path)) as running:
        old = serving.token()
        assert get(running.url, old).status_code == 200
        serving.rotate("RS256")

        assert get(running.url, serving.token()).status_code == 200
        assert refusal(get(running.url, old))[:2] == (401, "token_invalid")


def test_an_issuer_that_goes_takes_nobody_along(sandbox_server: SandboxServer, tmp_path: Path) -> None:
    """Its last keys serve on; a key that may be newer than the outage can't be judged, which is no refusal."""
    with Issuer() as serving, RunningGateway(settings_for(serving, sandbox_server.url, tmp_path)) as running:
        assert get(running.url, serving.token()).status_code == 200
        serving.behaviour = "fail"
        known = serving.token(sub="user-2")
        serving.rotate()

        reply = get(running.url, serving.token())

        assert refusal(reply)[:2] == (503, "identity_provider_unavailable")
        assert reply.headers["retry-after"] == "5"
        assert "www-authenticate" not in reply.headers
        assert get(running.url, known).status_code == 200
        assert state_at(running.url) == {"state": "stale", "required": False}


@pytest.mark.parametrize("behaviour", ["fail", "garbage", "redirect", "huge", "lie"])
def test_without_an_issuer_at_start_a_jwt_is_not_refused(
    sandbox_server: SandboxServer, tmp_path: Path, behaviour: str
) -> None:
    """A 401 would make apps throw their login away: it is a 503 that says when to come back, and we are ready."""
    with Issuer() as serving:
        serving.behaviour = behaviour
        with RunningGateway(settings_for(serving, sandbox_server.url, tmp_path)) as running:
            reply = get(running.url, serving.token())

            assert refusal(reply)[:2] == (503, "identity_provider_unavailable")
            assert state_at(running.url) == {"state": "unavailable", "required": False}
        assert not any("again" in path for path in serving.requests)


def state_at(door: str) -> Any:
    """The identity provider's state, as readiness reports it."""
    ready = httpx.get(f"{door}/health/ready")
    assert ready.status_code == 200
    state = ready.json()["dependencies"]["identity_provider"]
    assert state.pop("since")
    return state


def test_a_slow_issuer_is_asked_once_for_all(sandbox_server: SandboxServer, tmp_path: Path) -> None:
    """All wait for one fetch, and none is lost."""
    with Issuer() as serving:
        serving.behaviour = "hang"
        with (
            RunningGateway(settings_for(serving, sandbox_server.url, tmp_path)) as running,
            ThreadPoolExecutor(8) as callers,
        ):
            replies = [callers.submit(get, running.url, serving.token(sub=f"user-{n}")) for n in range(8)]
            assert serving.asked.wait(PATIENCE)
            serving.behaviour = "answer"
            serving.released.set()

            assert {reply.result().status_code for reply in replies} == {200}
        assert serving.fetches() == 1


@pytest.mark.parametrize(("trusted", "status"), [(True, 200), (False, 503)])
def test_an_issuer_over_tls_must_be_trusted(
    sandbox_server: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool, status: int
) -> None:
    """A company's own certificate authority is named by the environment; nobody else's keys are taken."""
    certificate = self_signed(tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    with (
        Issuer(certificate=certificate) as serving,
        RunningGateway(settings_for(serving, sandbox_server.url, tmp_path)) as running,
    ):
        assert get(running.url, serving.token()).status_code == status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CLAIMS = ("iss", "aud", "exp", "sub", "nbf", "iat", "tenant", "mode", "scope", "external_id")
HEADERS = ("alg", "typ", "kid", "crit", "x5t", "cty")


@settings(max_examples=150, deadline=None)
@given(
    claims=st.dictionaries(st.sampled_from(CLAIMS), JSON, max_size=2),
    header=st.dictionaries(st.sampled_from(HEADERS), JSON, max_size=1),
)
def test_whatever_an_issuer_signs_is_answered(
    caller: httpx.Client, issuer: Issuer, claims: dict[str, Any], header: dict[str, Any]
) -> None:
    """Any value in any place lets in or is refused, and is never a crash of ours."""
    token = signed({**issuer.header(), **header}, {**issuer.claims(), **claims}, issuer.keys[-1], "RS256")

    reply = caller.get("/v1/price-points", headers={"authorization": f"Bearer {token}"})

    assert reply.status_code in {200, 401, 403}


def test_an_issuer_needs_an_audience_and_the_other_way_round() -> None:
    """Without one, JWTs that were made for anybody would be taken."""
    for name, other in (("ISSUER", "AUDIENCE"), ("AUDIENCE", "ISSUER")):
        with pytest.raises(BadSettings) as caught:
            from_environment({f"GATEWAY_OIDC_{name}": "https://id.example/"})

        assert [fault.split(":")[0] for fault in caught.value.faults] == [f"GATEWAY_OIDC_{other}"]


@pytest.mark.parametrize(
    "issuer",
    ["http://id.example", "ftp://id.example", "https://u:p@id.example", "id", "https://x?y", f"https://{'x' * 300}"],
)
def test_an_issuer_that_could_be_overheard_is_a_fault(issuer: str) -> None:
    """Its keys decide who gets in: they come over TLS, or from this machine."""
    with pytest.raises(BadSettings) as caught:
        from_environment({"GATEWAY_OIDC_ISSUER": issuer, "GATEWAY_OIDC_AUDIENCE": "x"})

    assert [fault.split(":")[0] for fault in caught.value.faults] == ["GATEWAY_OIDC_ISSUER"]


def test_the_settings_of_an_issuer() -> None:
    """Its name stays as it was given, a trailing slash included; claims can be renamed."""
    configured = from_environment(
        {
            "GATEWAY_OIDC_ISSUER": "https://id.example/",
            "GATEWAY_OIDC_AUDIENCE": "https://api.example",
            "GATEWAY_OIDC_SUBJECT_CLAIM": "sub",
            "GATEWAY_OIDC_SCOPE_CLAIM": "scp",
        }
    )

    assert configured.oidc == OidcSettings(
        issuer="https://id.example/", audience="https://api.example", subject_claim="sub", scope_claim="scp"
    )
