"""What is answered by its handler without a router: the same answer as with one, to the last header."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import msgspec
import pytest
from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromCookie, FromHeader, FromPath, FromQuery, JSONBody
from litestar.routes import HTTPRoute
from litestar.types import Scope

from clients.sandbox.emulator import Sandbox
from clients.secret import Secret
from gateway.scopes import SCOPES
from gateway.settings import Settings
from gateway.ways import depends_on_target
from tests.support.gateway import Tenant
from tests.support.routing import LONG_WAY, Counted, directly, routed, the_long_way, whole
from tests.support.sockets import LIST, PATH
from tests.support.timing import until

QUESTIONS: Final = (
    "/v1/domains",
    "/v1/domains?status=active",
    "/v1/domains?status=",
    "/v1/domains?q=live",
    "/v1/domains?q=LIVE&limit=1",
    "/v1/domains?q=%6Cive%2Ebrightside",
    "/v1/domains?expand=readiness",
    "/v1/domains?limit=2&expand=readiness&status=active",
    "/v1/domains/live.brightside.example",
    "/v1/domains/LIVE.Brightside.example",
    "/v1/domains/live%2Ebrightside.example",
    "/v1/domains/%6Cive.brightside.example.",
    "/v1/features",
    "/v1/features?limit=2",
    "/v1/price-points",
    "/v1/price-points?currency=usd",
    "/v1/price-points?feature=premium-access&limit=1",
    "/v1/price-points?ident=lifetime",
    "/v1/price-points?ident=nobody",
    "/v1/price-points/lifetime",
    "/v1/price-points/l%69fetime",
)

DIRECT: Final = {
    "/v1/domains",
    "/v1/domains/{hostname}",
    "/v1/features",
    "/v1/price-points",
    "/v1/price-points/{ident}",
}
"""Routes whose handlers are called directly."""

Given = NamedDependency[str]

PAGE: Final = "https://app.example.com"


@pytest.mark.parametrize("path", QUESTIONS)
def test_the_answer_is_the_same_as_by_the_router(keepless: Counted, reader: httpx.Client, path: str) -> None:
    """However often it is asked; it is tagged, and may be told from others."""
    reader.get(path)

    long_way = the_long_way(keepless, reader, path)
    direct = [directly(keepless, reader, path) for _ in range(3)]

    assert long_way.status_code == 200
    assert "fwd=bypass" in long_way.headers["cache-status"]
    assert [whole(answer) for answer in direct] == [whole(long_way)] * 3
    assert len({answer.headers["x-request-id"] for answer in (long_way, *direct)}) == 4
    # A check says when it was made, and so does its tag.
    assert b'"checked_at":"' in long_way.content or len({answer.headers["etag"] for answer in (long_way, *direct)}) == 1


@pytest.mark.parametrize("path", ["/v1/domains?q=live", "/v1/domains?expand=readiness", "/v1/price-points/lifetime"])
@pytest.mark.parametrize("has", ["{}", 'W/"other", {}', "*", '"other"'])
def test_who_has_the_answer_is_told_so(keepless: Counted, reader: httpx.Client, path: str, has: str) -> None:
    """304 without a body, where the vendor says what it said before."""
    etag = reader.get(path).headers["etag"]
    header = ("if-none-match", has.format(etag))

    long_way = the_long_way(keepless, reader, path, header)
    direct = [directly(keepless, reader, path, header) for _ in range(3)]

    assert long_way.status_code == (304 if etag in header[1] or has == "*" else 200)
    assert [whole(answer) for answer in direct] == [whole(long_way)] * 3


def test_who_asks_with_head_shows_the_way_and_is_routed(keepless: Counted, reader: httpx.Client) -> None:
    """Its headers are those of the answer that a GET is given directly then."""
    path = "/v1/domains?q=bright&limit=3&status="
    asked = [reader.head(path) for _ in range(2)]
    direct = directly(keepless, reader, path)
    before = keepless.routed
    again = reader.head(path)

    assert keepless.routed == before + 1
    assert [whole(answer)[:2] for answer in (*asked, again)] == [whole(direct)[:2]] * 3
    assert [answer.content for answer in (*asked, again)] == [b""] * 3


@pytest.mark.parametrize("origin", [PAGE, "https://evil.example", "null"])
def test_pages_are_told_alike(keepless: Counted, reader: httpx.Client, origin: str) -> None:
    """Those that may read the answer, and those that may not."""
    long_way = the_long_way(keepless, reader, PATH, ("origin", origin))
    direct = [directly(keepless, reader, PATH, ("origin", origin)) for _ in range(3)]

    assert ("access-control-allow-origin" in long_way.headers) is (origin == PAGE)
    assert [whole(answer) for answer in direct] == [whole(long_way)] * 3


@pytest.mark.parametrize("path", QUESTIONS)
def test_a_miss_is_the_same_and_is_kept(counted: Counted, tenant: Tenant, path: str) -> None:
    """What was purged is asked for directly, and the answer is at hand from then on."""
    with tenant.client() as api:
        api.get(path)
        answers = []
        for way in (the_long_way, directly):
            assert api.post("/v1/cache/purge", json={}).status_code == 200
            missed = way(counted, api, path)
            answers.append((missed, directly(counted, api, path)))

    (long_way, hit), (direct, hit_after_direct) = answers
    assert whole(direct) == whole(long_way)
    assert whole(hit_after_direct) == whole(hit)
    assert direct.headers["cache-status"].startswith("gateway; fwd=miss; ttl=")
    assert direct.headers["cache-status"].endswith("; stored")
    assert hit_after_direct.headers["cache-status"].startswith("gateway; hit; ttl=")
    assert hit_after_direct.content == direct.content


@pytest.fixture
def brief(settings: Settings, tmp_path: Path) -> Iterator[Counted]:
    """A gateway whose entries expire at once, and are stale for long."""
    own = msgspec.structs.replace(
        settings,
        database_url=Secret(f"sqlite:///{tmp_path / 'gateway.db'}"),
        cache_list_fresh_seconds=0.001,
        cache_detail_fresh_seconds=0.001,
    )
    with Counted(own) as running:
        yield running


def test_what_has_grown_old_is_shown_and_mended(brief: Counted, sandbox: Sandbox) -> None:
    """As on the long way: at once, while the vendor is asked behind it."""
    tenant = Tenant(f"t{uuid4().hex[:12]}", brief, sandbox)
    with tenant.client() as api:
        api.get(PATH)
        api.get(PATH)
        calls = tenant.calls(LIST)
        direct = directly(brief, api, PATH)
        until(lambda: tenant.calls(LIST) > calls)
        long_way = api.get(PATH, headers=LONG_WAY)

    assert direct.headers["cache-status"].startswith("gateway; fwd=stale")
    assert whole(direct)[0] == whole(long_way)[0]
    assert whole(direct)[2] == whole(long_way)[2]


def test_what_is_stale_is_shown_where_the_vendor_fails(settings: Settings, sandbox: Sandbox, tmp_path: Path) -> None:
    """On both ways, and told alike."""
    own = {
        "database_url": Secret(f"sqlite:///{tmp_path / 'gateway.db'}"),
        "cache_list_fresh_seconds": 0.001,
        "cache_list_stale_seconds": 0,
    }
    with Counted(msgspec.structs.replace(settings, **own)) as running:
        tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
        with tenant.client() as api:
            for _ in range(2):
                api.get(PATH)
            tenant.fails(LIST, "status", status=500)
            long_way = the_long_way(running, api, PATH)
            direct = [directly(running, api, PATH) for _ in range(3)]

    assert long_way.status_code == 200
    assert long_way.headers["cache-status"].endswith("detail=stale-if-error")
    assert [whole(answer) for answer in direct] == [whole(long_way)] * 3


def test_a_partial_answer_is_the_same_and_is_not_kept(counted: Counted, tenant: Tenant) -> None:
    """What is missing is named, browsers keep nothing, and the next one asks again."""
    path, check = "/v1/domains/live.brightside.example", "POST /domains/check"
    with tenant.client() as api:
        api.get(path)
        assert api.post("/v1/cache/purge", json={}).status_code == 200
        tenant.fails(check, "status", status=400)
        long_way = the_long_way(counted, api, path)
        calls = tenant.calls(check)
        direct = [directly(counted, api, path) for _ in range(2)]

    assert long_way.json()["missing"][0]["part"] == "check"
    assert long_way.headers["cache-control"] == "no-store"
    assert [whole(answer) for answer in direct] == [whole(long_way)] * 2
    assert tenant.calls(check) > calls


def test_arguments_of_one_question_are_never_given_to_another(keepless: Counted, shop: Tenant) -> None:
    """However many ask how much at once, each is answered what it has asked."""
    with shop.client() as api, ThreadPoolExecutor(16) as crowd:
        every = [row["ident"] for row in api.get(PATH).json()["data"]]
        expected: dict[str, Any] = {f"{PATH}?limit={limit}": every[:limit] for limit in range(1, len(every) + 1)}
        for limit in range(1, len(every)):
            page = api.get(f"{PATH}?limit={limit}").json()["meta"]["next_cursor"]
            expected[f"{PATH}?limit={limit}&cursor={page}"] = every[limit : 2 * limit]
        names = [row["hostname"] for row in api.get("/v1/domains").json()["data"]]
        for text in ("live", "blocked", "bright", "nobody", "o", "i", "M"):
            expected[f"/v1/domains?q={text}"] = [name for name in names if text.lower() in name]
        for ident in ("lifetime", "monthly-premium", "coach-session"):
            expected[f"/v1/price-points/{ident}"] = ident
            expected[f"/v1/price-points?ident={ident}"] = [ident]
        for name in names[:3]:
            expected[f"/v1/domains/{name}"] = name
        for path in expected:
            api.get(path)
        before = keepless.routed
        asked = list(expected) * 10
        replies = list(crowd.map(api.get, asked))

    assert keepless.routed == before
    for path, reply in zip(asked, replies, strict=True):
        assert reply.status_code == 200
        assert _shown(reply.json()) == expected[path]


def _shown(body: Any) -> Any:
    """Who is in an answer: a list of names, or one."""
    if "data" in body:
        return [_shown(row) for row in body["data"]]
    return body.get("hostname") or body["ident"]


def test_arguments_that_are_wrong_are_told_each_time(keepless: Counted, reader: httpx.Client) -> None:
    """What was never answered has no way to be called directly."""
    for path, status in (
        (f"{PATH}?limit=0", 422),
        (f"{PATH}?cursor=nonsense", 422),
        ("/v1/domains?expand=readiness&limit=51", 422),
        ("/v1/domains/localhost", 422),
        ("/v1/price-points/nobody", 404),
    ):
        for _ in range(3):
            reply, by_router = routed(keepless, reader, path)
            assert (reply.status_code, by_router) == (status, 1)


def test_only_what_depends_on_path_and_query_is_called_directly(keepless: Counted, reader: httpx.Client) -> None:
    """Of all routes exactly those; the others are routed, however often they are asked."""
    direct = {
        route.path_format
        for route in keepless.routes
        for handler, _ in route.route_handler_map.values()
        if handler.opt.get("direct") and hasattr(handler.fn, "__wrapped__")
    }
    paths = ("/v1/me", "/v1/operations", "/v1/tokens", "/v1/price-points.csv", "/v1/customers/user-ada", "/health/live")
    others = [[routed(keepless, reader, path)[1] for _ in range(3)] for path in paths]

    assert direct == DIRECT
    assert others == [[1] * 3] * len(paths)


async def _of_target(tenant: Given, ident: FromPath[str], limit: FromQuery[int] = 1) -> None: ...


async def _of_nothing() -> None: ...


async def _of_header(tenant: Given, ident: FromPath[str], lang: FromHeader[str]) -> None: ...


async def _of_cookie(tenant: Given, ident: FromPath[str], cookie: FromCookie[str]) -> None: ...


async def _of_request(tenant: Given, request: Request[Any, Any, Any]) -> None: ...


async def _of_scope(tenant: Given, scope: Scope) -> None: ...


async def _of_state(tenant: Given, state: State) -> None: ...


async def _of_another(tenant: Given, other: NamedDependency[int]) -> None: ...


async def _of_body(tenant: Given, data: JSONBody[dict[str, str]]) -> None: ...


FUNCTIONS: Final = (
    *(_of_target, _of_nothing, _of_header, _of_cookie, _of_request),
    *(_of_scope, _of_state, _of_another, _of_body),
)


def test_a_handler_that_is_given_more_is_known_by_it() -> None:
    """A header, a body, the request or a dependency of another name: none of them is in path and query."""
    handlers = [
        HTTPRouteHandler(f"/{each.__name__}/{{ident:str}}", http_method="POST", status_code=200)(each)
        for each in FUNCTIONS
    ]
    provided = {"tenant": Provide(lambda: "", sync_to_thread=False), "other": Provide(lambda: 0, sync_to_thread=False)}
    app = Litestar(handlers, dependencies=provided, openapi_config=None)
    found = {
        handler.handler_name: depends_on_target(handler, model)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, model) in route.route_handler_map.items()
        if method == "POST"
    }

    assert {name for name, depends in found.items() if depends} == {"_of_target", "_of_nothing"}
    assert len(found) == len(FUNCTIONS)


@pytest.mark.parametrize(("scopes", "subject"), [(["domains:read"], None), (["catalog:read"], "user-ada")])
def test_who_may_not_have_it_is_never_called_for(
    keepless: Counted, shop: Tenant, reader: httpx.Client, scopes: list[str], subject: str | None
) -> None:
    """A token without the scope is refused by the router's way, and one of a single customer is looked at there."""
    directly(keepless, reader, PATH)
    with shop.client(scopes, subject=subject) as other:
        replies = [routed(keepless, other, PATH) for _ in range(4)]

    assert [by_router for _, by_router in replies] == [1] * 4
    assert {reply.status_code for reply, _ in replies} == {200 if subject else 403}


def test_a_token_that_was_revoked_is_refused(keepless: Counted, shop: Tenant) -> None:
    """Within a second, and the vendor is not asked for it any more."""
    record, secret = keepless.token(tenant=shop.name)
    with keepless.client(secret) as caller:
        caller.get(PATH)
        directly(keepless, caller, PATH)
        keepless.revoke(record.id)
        until(lambda: caller.get(PATH).status_code == 401)
        calls = shop.calls(LIST)

        assert caller.get(PATH).json()["code"] == "token_revoked"
        assert shop.calls(LIST) == calls


def test_a_neighbour_is_answered_from_its_own_account(keepless: Counted, shop: Tenant, reader: httpx.Client) -> None:
    """The call is remembered for all; whose accounts it asks is the caller's token to say."""
    made = f"f{uuid4().hex[:8]}"
    body = {"ident": made, "feature_type": "timebased"}
    assert reader.post(PATH, json=body, headers={"idempotency-key": uuid4().hex}).status_code == 201
    neighbour = shop.neighbour()
    with neighbour.client(list(SCOPES)) as other:
        other.get("/v1/me")
        theirs, mine = directly(keepless, other, PATH), directly(keepless, reader, PATH)

    assert made in mine.text
    assert made not in theirs.text
    assert neighbour.calls(LIST) == 1
    assert theirs.headers["etag"] != mine.headers["etag"]
