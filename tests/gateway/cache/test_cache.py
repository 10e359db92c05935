"""What is kept, what callers are told of it, and what makes it go: through the front door."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import msgspec
import pytest

from clients.sandbox.credentials import credentials
from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.principal import Mode
from gateway.settings import FunnelFluxSettings, Settings
from tests.support import caching
from tests.support.gateway import RunningGateway, Tenant
from tests.support.hanging import hang_up
from tests.support.timing import until

MODES: tuple[Mode, ...] = ("live", "test")

LIST = "GET /domains"
CHECK = "POST /domains/check"

Opened = Callable[..., AbstractContextManager[RunningGateway]]


@pytest.fixture(scope="module")
def opened(sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Opens a gateway that keeps what it reads, with other settings where they are given."""

    @contextmanager
    def opened(**changes: object) -> Iterator[RunningGateway]:
        settings = Settings(
            database_url=Secret(f"sqlite:///{tmp_path_factory.mktemp('cache') / 'gateway.db'}"),
            sandbox=sandbox_server.url,
            log_level="error",
            breaker_calls=10**8,
        )
        with RunningGateway(msgspec.structs.replace(settings, **changes), traced=False) as running:
            yield running

    return opened


@pytest.fixture(scope="module")
def keeping(opened: Opened) -> Iterator[RunningGateway]:
    """A gateway with the default times."""
    with opened() as running:
        yield running


@pytest.fixture
def kept(keeping: RunningGateway, sandbox: Sandbox) -> Tenant:
    """A tenant of a gateway that keeps what it reads."""
    return tenant_of(keeping, sandbox)


def tenant_of(gateway: RunningGateway, sandbox: Sandbox) -> Tenant:
    """A tenant that no other test knows."""
    tenant = Tenant(f"t{uuid4().hex[:12]}", gateway, sandbox)
    for label in ("bright", "gloomy"):
        tenant.account.domains.add(f"{label}.{tenant.name}.com", recorded=True)
    return tenant


def hostname_of(tenant: Tenant, label: str = "bright") -> str:
    """A hostname that nobody else has; `bright` and `gloomy` are registered."""
    return f"{label}.{tenant.name}.com"


def cache_status(reply: httpx.Response) -> str:
    """The header, less the seconds."""
    parts = reply.headers["cache-status"].split("; ")
    return "; ".join(part for part in parts if not part.startswith("ttl="))


def test_a_list_is_asked_for_once(kept: Tenant) -> None:
    """The second reader is answered from memory, and told so."""
    with kept.client() as api:
        first, second = api.get("/v1/domains"), api.get("/v1/domains")

    assert kept.calls(LIST) == 1
    assert second.json() == first.json()
    assert (cache_status(first), cache_status(second)) == ("gateway; fwd=miss; stored", "gateway; hit")
    assert second.headers["cache-control"] == "private, no-cache"
    assert int(second.headers["age"]) <= 60
    assert second.headers["etag"] == first.headers["etag"]
    assert "cache;desc=hit" in second.headers["server-timing"]
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/domains?status=active", LIST),
        ("/v1/domains/{hostname}", "GET /domains/{domain}"),
        ("/v1/price-points?limit=1", "POST /price_points"),
        ("/v1/price-points/monthly-premium", "POST /price_points"),
        ("/v1/features", "POST /features"),
    ],
)
def test_every_route_of_the_table_is_kept(kept: Tenant, path: str, operation: str) -> None:
    """The same bytes, and no second call."""
    path = path.format(hostname=hostname_of(kept))
    with kept.client() as api:
        first, second = api.get(path), api.get(path)

    assert (first.status_code, first.content) == (200, second.content)
    assert cache_status(second) == "gateway; hit"
    assert kept.calls(operation) == 1


@pytest.mark.parametrize("path", ["/v1/transactions?since=2020-01-01T00:00:00Z", "/v1/customers/user-ada/payments"])
def test_money_is_never_kept(kept: Tenant, path: str) -> None:
    """Every read of it goes to the vendor; a caller may still learn that nothing has changed."""
    with kept.client() as api:
        first = api.get(path)
        again = api.get(path, headers={"if-none-match": first.headers["etag"]})

    assert (first.status_code, again.status_code) == (200, 304)
    assert "cache-status" not in first.headers
    assert first.headers["cache-control"] == "no-store"
    assert kept.calls("POST /transaction_report") + kept.calls("POST /payments_history") == 2


def test_filters_and_pages_are_made_from_one_list(kept: Tenant) -> None:
    """Another question about the same list is no other call."""
    with kept.client() as api:
        whole = api.get("/v1/domains").json()["data"]
        first = api.get("/v1/domains", params={"limit": 1}).json()
        second = api.get("/v1/domains", params={"limit": 1, "cursor": first["meta"]["next_cursor"]}).json()

    assert [*first["data"], *second["data"]] == whole[:2]
    assert kept.calls(LIST) == 1


def test_a_question_has_one_answer_in_every_spelling(kept: Tenant) -> None:
    """The order of parameters means nothing; case means nothing where the filter says so."""
    with kept.client() as api:
        tags = {
            api.get(f"/v1/domains?{query}").headers["etag"]
            for query in ("q=BRIGHT&limit=2", "limit=2&q=bright", "limit=2&q=Bright")
        }
        other = api.get("/v1/domains?q=bright&limit=1").headers["etag"]

    assert len(tags) == 1
    assert other not in tags


def test_what_has_not_changed_is_not_sent_again(kept: Tenant) -> None:
    """304 with the headers of the request and no body; also after the vendor was asked anew, and for HEAD."""
    with kept.client() as api:
        etag = api.get("/v1/domains").headers["etag"]
        known = [
            api.get("/v1/domains", headers={"if-none-match": etag}),
            api.get("/v1/domains", headers={"if-none-match": f'"another", {etag.removeprefix("W/")}'}),
            api.get("/v1/domains", headers={"if-none-match": "*"}),
            api.get("/v1/domains", headers={"if-none-match": etag, "cache-control": "no-cache"}),
            api.head("/v1/domains", headers={"if-none-match": etag}),
        ]
        changed = api.get("/v1/domains", headers={"if-none-match": '"another"'})

    assert {(reply.status_code, reply.content, reply.headers["etag"]) for reply in known} == {(304, b"", etag)}
    assert all({"x-request-id", "cache-control", "vary"} <= reply.headers.keys() for reply in known)
    assert etag.startswith('W/"')
    assert changed.status_code == 200


def test_tags_differ_between_tenants(keeping: RunningGateway, sandbox: Sandbox) -> None:
    """Nobody learns from a tag that another has the same data."""
    one, other = tenant_of(keeping, sandbox), tenant_of(keeping, sandbox)

    with one.client() as first, other.client() as second:
        tags = {api.get("/v1/features").headers["etag"] for api in (first, second)}

    assert len(tags) == 2


@pytest.mark.parametrize("directive", ["no-cache", "max-age=0", "NO-CACHE", "foo, no-cache"])
def test_a_caller_may_insist_on_the_vendor(kept: Tenant, directive: str) -> None:
    """What is kept does not do then; what the vendor says is kept for others."""
    with kept.client() as api:
        api.get("/v1/domains")
        kept.account.domains.add(hostname_of(kept, "new"))
        unseen = api.get("/v1/domains").json()["meta"]["count"]
        anew = api.get("/v1/domains", headers={"cache-control": directive})
        after = api.get("/v1/domains")

    assert cache_status(anew) == "gateway; fwd=request; stored"
    assert anew.json()["meta"]["count"] == after.json()["meta"]["count"] == unseen + 1
    assert cache_status(after) == "gateway; hit"
    assert kept.calls(LIST) == 2


def test_a_caller_who_insists_is_never_given_something_stale(opened: Opened, sandbox: Sandbox) -> None:
    """A failure is the answer then, even where others are given what is kept."""
    with opened(cache_list_fresh_seconds=1e-6, cache_list_stale_seconds=0) as gateway:
        tenant = tenant_of(gateway, sandbox)
        with tenant.client() as api:
            api.get("/v1/domains")
            tenant.fails(LIST, "status", status=500)
            reply = api.get("/v1/domains", headers={"cache-control": "no-cache"})

    assert reply.status_code == 502


def test_a_caller_who_prefers_what_is_new_is_given_something_stale_before_a_failure(
    opened: Opened, sandbox: Sandbox
) -> None:
    """`max-age=1` has the vendor asked; where it fails, what is kept is better than nothing."""
    with opened(cache_list_fresh_seconds=1e-6, cache_list_stale_seconds=0) as gateway:
        tenant = tenant_of(gateway, sandbox)
        with tenant.client() as api:
            first = api.get("/v1/domains")
            tenant.fails(LIST, "status", status=500)
            reply = api.get("/v1/domains", headers={"cache-control": "max-age=1"})

    assert (reply.status_code, reply.content) == (200, first.content)
    assert cache_status(reply) == "gateway; fwd=stale; detail=stale-if-error"


def test_a_caller_may_leave_nothing_behind(kept: Tenant) -> None:
    """The vendor is asked for them, and for the next caller again."""
    with kept.client() as api:
        unkept = [api.get("/v1/domains", headers={"cache-control": "no-store"}) for _ in range(2)]
        after = api.get("/v1/domains")

    assert {(cache_status(reply), reply.headers["cache-control"]) for reply in unkept} == {
        ("gateway; fwd=request", "no-store")
    }
    assert cache_status(after) == "gateway; fwd=miss; stored"
    assert kept.calls(LIST) == 3


@pytest.mark.parametrize(
    ("write", "touched"),
    [
        (("POST", "/v1/domains", {"hostname": "{new}"}), "/v1/domains"),
        (("DELETE", "/v1/domains/{hostname}", None), "/v1/domains"),
        (("POST", "/v1/domains/{hostname}/refresh", None), "/v1/domains/{hostname}"),
        (("PATCH", "/v1/price-points/monthly-premium", {"descriptor": "NEW"}), "/v1/price-points"),
        (("POST", "/v1/features", {"ident": "more", "feature_type": "lifetime"}), "/v1/features"),
    ],
)
def test_a_write_drops_what_it_touches(
    kept: Tenant, write: tuple[str, str, dict[str, str] | None], touched: str
) -> None:
    """Who reads after the answer sees what the vendor says now."""
    method, path, body = write
    path, touched = (text.format(hostname=hostname_of(kept)) for text in (path, touched))
    if body is not None and "hostname" in body:
        body = {"hostname": hostname_of(kept, "new")}
    with kept.client() as api:
        api.get(touched)
        written = api.request(method, path, json=body)
        after = api.get(touched)

    assert written.is_success
    assert cache_status(after) == "gateway; fwd=miss; stored"


def test_an_import_drops_the_price_points(kept: Tenant) -> None:
    """A file's rows show at once."""
    with kept.client() as api:
        api.get("/v1/price-points")
        file = api.get("/v1/price-points.csv").content
        api.post("/v1/price-points/import", content=file, headers={"content-type": "text/csv"})
        after = api.get("/v1/price-points")

    assert cache_status(after) == "gateway; fwd=miss; stored"


@pytest.mark.parametrize("kind", ["never_answer", "reset_after", "status"])
def test_a_write_of_unknown_outcome_drops_too(opened: Opened, sandbox: Sandbox, kind: str) -> None:
    """It may have happened."""
    with opened(deadline_seconds=0.5) as gateway:
        tenant = tenant_of(gateway, sandbox)
        with tenant.client() as api:
            api.get("/v1/domains")
            tenant.fails("POST /domains", kind, **({"status": 500} if kind == "status" else {}))
            written = api.post("/v1/domains", json={"hostname": hostname_of(tenant, "new")})
            after = api.get("/v1/domains")

    assert written.json()["code"] == "outcome_unknown"
    assert cache_status(after) == "gateway; fwd=miss; stored"


def test_a_write_that_never_left_drops_nothing(opened: Opened, sandbox: Sandbox) -> None:
    """What is kept stays right where the vendor was surely not asked."""
    with opened(breaker_calls=1) as gateway:
        tenant = tenant_of(gateway, sandbox)
        with tenant.client() as api:
            tenant.fails("POST /domains", "status", status=500)
            api.post("/v1/domains", json={"hostname": hostname_of(tenant, "new")})
            api.get("/v1/features")
            refused = api.post("/v1/domains", json={"hostname": hostname_of(tenant, "new")})
            api.get("/v1/domains")
            again = api.post("/v1/domains", json={"hostname": hostname_of(tenant, "new")})
            after = api.get("/v1/domains")

    assert (refused.json()["code"], again.json()["code"]) == ("upstream_unavailable", "upstream_unavailable")
    assert cache_status(after) == "gateway; hit"


def test_failures_are_not_kept(kept: Tenant) -> None:
    """Whoever comes after a failure has the vendor asked."""
    kept.fails("POST /features", "status", status=500)
    with kept.client() as api:
        failed = api.get("/v1/features")
        kept_after = kept.calls("POST /features")
        again = api.get("/v1/features")

    assert (failed.status_code, again.status_code) == (502, 502)
    assert failed.headers["cache-status"] == "gateway; fwd=miss"
    assert kept.calls("POST /features") > kept_after


def test_partial_answers_are_not_kept(kept: Tenant) -> None:
    """The one who comes next may see the whole."""
    kept.fails(CHECK, "status", status=500)
    with kept.client() as api:
        partial = api.get(f"/v1/domains/{hostname_of(kept)}")
        again = api.get(f"/v1/domains/{hostname_of(kept)}")

    assert partial.json()["missing"][0]["part"] == "check"
    assert "etag" not in partial.headers
    assert partial.headers["cache-control"] == "no-store"
    assert partial.headers["cache-status"] == again.headers["cache-status"] == "gateway; fwd=miss"


def test_one_call_serves_all_who_wait(kept: Tenant) -> None:
    """However many ask at once."""
    kept.fails(LIST, "latency", seconds=0.5, times=1)
    with kept.client() as api, ThreadPoolExecutor(40) as many:
        replies = list(many.map(lambda _: api.get("/v1/domains"), range(40)))

    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.content for reply in replies}) == 1
    assert kept.calls(LIST) == 1
    assert "gateway; fwd=miss; stored; collapsed" in {cache_status(reply) for reply in replies}


def test_those_who_wait_share_a_failure(kept: Tenant) -> None:
    """One call and its retries, and not one for each who waits."""
    kept.fails(LIST, "drop_before")
    with kept.client() as api, ThreadPoolExecutor(20) as many:
        replies = list(many.map(lambda _: api.get("/v1/domains"), range(20)))

    assert {reply.status_code for reply in replies} == {502}
    assert kept.calls(LIST) < len(replies)


def test_who_hangs_up_does_not_stop_the_load(kept: Tenant) -> None:
    """The vendor's answer serves those who stayed, and those who come."""
    kept.fails(LIST, "latency", seconds=0.5, times=1)
    with kept.client() as api:
        hang_up(api, "GET", "/v1/domains", when=lambda: kept.calls(LIST) == 1)
        after = api.get("/v1/domains")

    assert after.status_code == 200
    assert kept.calls(LIST) == 1


def test_something_stale_is_answered_at_once_and_renewed(opened: Opened, sandbox: Sandbox) -> None:
    """The reader does not wait for the vendor; the next one profits."""
    with opened(cache_list_fresh_seconds=1e-6) as gateway:
        tenant = tenant_of(gateway, sandbox)
        with tenant.client() as api:
            api.get("/v1/domains")
            tenant.account.domains.add(hostname_of(tenant, "new"))
            stale = api.get("/v1/domains")
            until(lambda: tenant.calls(LIST) == 2)
            until(lambda: hostname_of(tenant, "new") in api.get("/v1/domains").text)

    assert cache_status(stale) == "gateway; fwd=stale; detail=stale-while-revalidate"
    assert hostname_of(tenant, "new") not in stale.text


def test_something_stale_is_better_than_a_failure(opened: Opened, sandbox: Sandbox) -> None:
    """While the vendor fails, the last list it gave is answered."""
    with opened(cache_list_fresh_seconds=1e-6, cache_list_stale_seconds=0) as gateway:
        tenant = tenant_of(gateway, sandbox)
        with tenant.client() as api:
            before = api.get("/v1/domains")
            tenant.fails(LIST, "status", status=500)
            stale = api.get("/v1/domains")

    assert stale.json() == before.json()
    assert cache_status(stale) == "gateway; fwd=stale; detail=stale-if-error"


def test_nothing_stale_is_given_after_our_credentials_were_refused(opened: Opened, sandbox: Sandbox) -> None:
    """What the vendor does not show us any more, we do not show either; not even when it fails later."""
    with opened(cache_list_fresh_seconds=1e-6, cache_list_stale_seconds=0) as gateway:
        tenant = tenant_of(gateway, sandbox)
        with tenant.client() as api:
            api.get("/v1/features")
            tenant.fails("POST /features", "status", status=401, times=1)
            refused = api.get("/v1/features")
            tenant.fails("POST /features", "status", status=500)
            failed = api.get("/v1/features")

    assert refused.json()["code"] == "upstream_auth_failed"
    assert failed.json()["code"] == "upstream_error"


def test_expanded_lists_look_at_each_domain_through_its_own_entry(kept: Tenant) -> None:
    """What was looked at a moment ago is not looked at again."""
    with kept.client() as api:
        first = api.get("/v1/domains?expand=readiness&limit=2")
        second = api.get("/v1/domains?expand=readiness&limit=2")

    assert second.json() == first.json()
    assert kept.calls(CHECK) == 2
    assert second.headers["cache-control"] == "private, no-cache"
    assert cache_status(second) == "gateway; hit"


def test_a_hit_has_passed_every_check(kept: Tenant) -> None:
    """What is kept is given to nobody who may not have it: wrong scope, wrong query, no token."""
    with kept.client() as api, kept.client(["catalog:read"]) as other:
        api.get("/v1/domains")
        statuses = [
            other.get("/v1/domains").status_code,
            api.get("/v1/domains?nothing=1").status_code,
            api.get("/v1/domains", headers={"authorization": ""}).status_code,
        ]

    assert statuses == [403, 422, 401]


def test_nothing_is_kept_for_zero_seconds(opened: Opened, sandbox: Sandbox) -> None:
    """Every read goes to the vendor then."""
    with opened(cache_list_fresh_seconds=0) as gateway:
        tenant = tenant_of(gateway, sandbox)
        with tenant.client() as api:
            replies = [api.get("/v1/domains") for _ in range(3)]

    assert tenant.calls(LIST) == 3
    assert {reply.headers["cache-status"] for reply in replies} == {"gateway; fwd=bypass"}
    assert {reply.headers["cache-control"] for reply in replies} == {"no-store"}


def test_modes_share_nothing(opened: Opened, sandbox: Sandbox, sandbox_server: SandboxServer) -> None:
    """The same tenant's live and test lists are two."""
    elsewhere = f"t{uuid4().hex[:12]}"
    sandbox.account(elsewhere).domains.add("elsewhere.modes.com")
    token = Secret(credentials(elsewhere).access_token)
    live = FunnelFluxSettings(url=f"{sandbox_server.url}/v1/billing", access_token=token)
    with opened(funnelflux=live) as gateway:
        secrets = {mode: gateway.token(mode=mode)[1] for mode in MODES}
        seen = {}
        for mode in (*MODES, *MODES):
            with gateway.client(secrets[mode]) as api:
                seen[mode] = "elsewhere.modes.com" in api.get("/v1/domains").text

    assert seen == {"live": True, "test": False}


@pytest.mark.parametrize(
    ("purge", "gone"),
    [({}, True), ({"topic": "features"}, True), ({"topic": "domains"}, False), ({"tenant": "nobody"}, False)],
)
def test_an_operator_purges_what_is_kept(
    keeping: RunningGateway,
    kept: Tenant,
    purge: dict[str, str],
    gone: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    """All of it, or of one tenant, or one topic; without Redis there is nobody else to tell."""
    _, admin = keeping.token(scopes=["admin"])
    with kept.client() as api, keeping.client(admin) as operator:
        api.get("/v1/features")
        purged = operator.post("/v1/cache/purge", json=purge)
        after = api.get("/v1/features")

    assert purged.json() == {"tenant": None, "topic": None, "modes": ["test"], "shared": None} | purge
    assert cache_status(after) == ("gateway; fwd=miss; stored" if gone else "gateway; hit")


def test_a_purge_of_something_unknown_is_refused(kept: Tenant) -> None:
    """A typo does not look like success; and who is no operator purges nothing."""
    with kept.client() as api, kept.client(["catalog:write"]) as other:
        mistyped = api.post("/v1/cache/purge", json={"topic": "domainz"})
        forbidden = other.post("/v1/cache/purge", json={})

    assert (mistyped.status_code, mistyped.json()["errors"][0]["pointer"]) == (422, "/topic")
    assert forbidden.status_code == 403


def test_the_page_on_caching_says_what_the_code_does() -> None:
    """The table of `docs/caching.md` is made from the routes."""
    page = (Path(__file__).parents[3] / "docs" / "caching.md").read_text()

    assert caching.table() in page
