"""What the domains client sends, held against the vendor's document, and what it makes of answers."""

from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from opentelemetry.sdk.trace import TracerProvider

from clients import domains
from clients.domains import wire
from clients.domains.client import CHECK, CREATE, DELETE, GET, LIST, OPERATIONS, REFRESH, DomainsClient
from clients.errors import (
    BareNotFound,
    CredentialsRefused,
    Garbled,
    Interrupted,
    NotFound,
    Operation,
    RateLimited,
    Refused,
    Unavailable,
    UpstreamError,
)
from clients.transport import Upstream, layered
from tests.support.plain import PLAIN
from tests.support.scripted_vendor import ScriptedVendor
from tests.support.timing import timeouts

pytestmark = pytest.mark.anyio

CONTRACT: dict[str, Any] = yaml.safe_load(Path("openapi/upstreams/funnelflux-domains.yaml").read_text(encoding="utf-8"))

Call = Callable[[DomainsClient], Coroutine[Any, Any, object]]

CALLS: dict[Operation, Call] = {
    LIST: lambda client: client.list_all(),
    CREATE: lambda client: client.create("a.example.com"),
    CHECK: lambda client: client.check("a.example.com"),
    GET: lambda client: client.get("a.example.com"),
    DELETE: lambda client: client.delete("a.example.com"),
    REFRESH: lambda client: client.refresh("a.example.com"),
}


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    """A vendor that answers what the test wants."""
    async with ScriptedVendor() as listening:
        yield listening


@pytest.fixture
async def client(vendor: ScriptedVendor) -> AsyncIterator[DomainsClient]:
    """A client of that vendor, without the layer of credentials."""
    transport = layered(
        domains.judge,
        timeouts=timeouts(5),
        tracer_provider=TracerProvider(),
        tls=PLAIN,
    )
    yield DomainsClient(Upstream(f"{vendor.url}/v1/billing", transport))
    await transport.aclose()


def _name(operation: Operation) -> str:
    return operation.name


async def failure(client: DomainsClient, operation: Operation) -> UpstreamError:
    """What a call ends in that does not end well."""
    with pytest.raises(UpstreamError) as caught:
        await CALLS[operation](client)
    return caught.value


def test_the_table_has_every_operation_of_the_document() -> None:
    """Six calls; the token's refresh is the credentials' own."""
    documented = {
        f"{method.upper()} {path}"
        for path, item in CONTRACT["paths"].items()
        for method in item
        if method in {"get", "post", "delete"}
    }

    assert {operation.name for operation in OPERATIONS} | {"POST /validate"} == documented


@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
async def test_every_request_is_the_documents(
    operation: Operation, vendor: ScriptedVendor, client: DomainsClient
) -> None:
    """Method, path and body are ones that the vendor documents."""
    vendor.says('{"success": false, "error_code": "ODD"}')

    await failure(client, operation)

    (heard,) = vendor.heard
    method, _, template = operation.name.partition(" ")
    assert (heard.method, heard.path) == (method, f"/v1/billing{template.replace('{domain}', 'a.example.com')}")
    body = CONTRACT["paths"][template][method.lower()].get("requestBody")
    if body is None:
        assert heard.body == b""
    else:
        schema = body["content"]["application/json"]["schema"] | {"components": CONTRACT["components"]}
        assert list(Draft202012Validator(schema).iter_errors(heard.json())) == []
        assert heard.headers["content-type"] == "application/json"


async def test_a_slash_in_a_name_stays_in_its_segment(vendor: ScriptedVendor, client: DomainsClient) -> None:
    """Whatever comes through, it reaches no other path of the vendor's."""
    vendor.says('{"success": false, "error_code": "NOT_FOUND"}')

    with pytest.raises(NotFound):
        await client.get("../a/../x?y#z")

    assert vendor.heard[0].path == "/v1/billing/domains/..%2Fa%2F..%2Fx%3Fy%23z"


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ('{"success": false, "error_code": "DOMAIN_EXISTS"}', 200, Refused),
        ('{"success": false, "error_code": "DOMAIN_EXISTS"}', 409, Refused),
        ('{"success": false, "error_code": "DOMAIN_EXISTS"}', 500, Refused),
        ('{"error_code": "DOMAIN_EXISTS"}', 200, Refused),
        ('{"success": false, "error_code": "NOT_FOUND"}', 401, NotFound),
        ('{"success": false}', 200, Refused),
        ('{"success": false}', 404, NotFound),
        ('{"success": false, "error_code": "ODD"}', 503, Unavailable),
        ('{"error": "invalid_request", "error_description": "No."}', 422, Refused),
        ('{"error": "invalid_token"}', 401, CredentialsRefused),
        ("<html>", 403, CredentialsRefused),
        ("<html>", 429, RateLimited),
        ("<html>", 404, Garbled),
        ("<html>", 502, Unavailable),
        ('{"success": true}', 404, Garbled),
        ('{"success": true}', 302, Garbled),
        ('{"success": true}', 503, Unavailable),
        ("", 200, Garbled),
        ('{"success": "no"}', 404, Garbled),
    ],
)
@pytest.mark.parametrize("operation", [CREATE, GET], ids=_name)
async def test_an_answer_is_what_its_envelope_says(
    operation: Operation,
    body: str,
    status: int,
    expected: type[UpstreamError],
    vendor: ScriptedVendor,
    client: DomainsClient,
) -> None:
    """The body is asked first, then the status; what is neither form of the vendor's is no refusal."""
    vendor.says(body, status=status)

    assert type(await failure(client, operation)) is expected


@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
@pytest.mark.parametrize("body", ["{}", '{"detail": "Not Found"}'])
async def test_a_bare_404_is_an_answer_to_a_read(
    operation: Operation, body: str, vendor: ScriptedVendor, client: DomainsClient
) -> None:
    """In neither form of the vendor's it says nothing of what a write did, and enough of what a read looked for."""
    vendor.says(body, status=404)

    expected = BareNotFound if operation.repeatable else Garbled
    assert type(await failure(client, operation)) is expected
    assert len(vendor.heard) == 1


async def test_an_answer_without_its_verdict_is_read_all_the_same(
    vendor: ScriptedVendor, client: DomainsClient
) -> None:
    """A vendor that leaves false members out would leave a failing `success` out, so its absence is no refusal."""
    vendor.says('{"domain": {"domain": "a.example.com", "tomorrow": [1], "status": ""}}')

    assert await client.get("a.example.com") == wire.DomainInfo(domain="a.example.com", status="")


@pytest.mark.parametrize("rows", ["null", "[]"])
async def test_no_domains_are_an_empty_list(rows: str, vendor: ScriptedVendor, client: DomainsClient) -> None:
    """However the vendor writes that there are none."""
    vendor.says(f'{{"success": true, "domains": {rows}}}')

    assert await client.list_all() == []


@pytest.mark.parametrize("header", ["retry-after: 7", "retry-after: soon", "retry-after: -1", "x: y"])
async def test_a_wait_is_read_if_it_is_one(header: str, vendor: ScriptedVendor, client: DomainsClient) -> None:
    """Seconds, or nothing."""
    vendor.says("slow down", status=429, header=header)

    error = await failure(client, LIST)

    assert isinstance(error, RateLimited)
    assert error.retry_after == (7 if header.endswith("7") else None)


async def test_a_date_to_wait_for_is_bounded(vendor: ScriptedVendor, client: DomainsClient) -> None:
    """A vendor whose clock is wrong does not stop us for years."""
    vendor.says("slow down", status=429, header="retry-after: Fri, 31 Dec 2100 23:59:59 GMT")

    error = await failure(client, LIST)

    assert isinstance(error, RateLimited)
    assert error.retry_after == 3600


async def test_half_an_answer_is_none(vendor: ScriptedVendor, client: DomainsClient) -> None:
    """Also when what came could be read."""
    vendor.says('{"success": true} ')
    vendor.breaks_off()

    assert isinstance(await failure(client, DELETE), Garbled)


@pytest.mark.parametrize("encoding", ["gzip", "br"])
async def test_an_encoding_not_asked_for_is_refused(
    encoding: str, vendor: ScriptedVendor, client: DomainsClient
) -> None:
    """A compressed answer could unfold past every bound."""
    vendor.says(b"\x1f\x8b", header=f"content-encoding: {encoding}")

    assert isinstance(await failure(client, LIST), Garbled)


async def test_nobody_at_home_means_nothing_was_sent() -> None:
    """The one failure after which even a write may be sent again."""
    transport = layered(
        domains.judge,
        timeouts=timeouts(5),
        tracer_provider=TracerProvider(),
        tls=PLAIN,
    )

    error = await failure(DomainsClient(Upstream("http://127.0.0.1:1/v1/billing", transport)), DELETE)

    assert not isinstance(error, Interrupted)
    assert getattr(error, "sent", None) is False
    await transport.aclose()
