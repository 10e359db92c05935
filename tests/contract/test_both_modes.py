"""The same surface in both modes: test tokens on the embedded sandbox, live tokens on a vendor of its own."""

import json
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.support.commands import gateway, running

SCOPES = ("domains:read", "domains:write", "catalog:read")


def exports(lines: list[str]) -> dict[str, str]:
    """The variables that `gateway sandbox` prints."""
    return dict(re.findall(r"export (\w+)=(\S+)", "".join(lines)))


@pytest.fixture(scope="module", params=["test", "live"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A token of each mode on `gateway serve`; live credentials lead to a `gateway sandbox` started beside it."""
    mode: str = request.param
    environment = {"GATEWAY_DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp(mode) / 'gateway.db'}"}
    with running("sandbox", "--port", "0", environment={}) as (sandbox, first):
        if mode == "live":
            assert sandbox.stdout is not None
            rest = [sandbox.stdout.readline() for _ in range(6)]
            environment |= {"FUNNELFLUX_URL": f"{first}/v1/billing"} | exports(rest)
            environment["GATEWAY_SANDBOX"] = "off"
        scopes = [part for scope in SCOPES for part in ("--scope", scope)]
        made = gateway("token", "create", "--name", "x", "--mode", mode, "--json", *scopes, environment=environment)
        with running("serve", "--port", "0", environment=environment) as (_, url):
            headers = {"Authorization": f"Bearer {json.loads(made.stdout)['token']}"}
            with httpx.Client(base_url=url, headers=headers, timeout=30) as api:
                yield api


def test_a_domain_lives_its_whole_life(client: httpx.Client) -> None:
    """Every domain route, one after the other."""
    hostname = "shop.both-modes.com"

    steps = [
        client.post("/v1/domains", json={"hostname": hostname}),
        client.get("/v1/domains", params={"q": hostname}),
        client.get("/v1/domains", params={"q": hostname, "expand": "readiness"}),
        client.post("/v1/domains/check", json={"hostname": hostname}),
        client.get(f"/v1/domains/{hostname}"),
        client.post(f"/v1/domains/{hostname}/refresh"),
        client.delete(f"/v1/domains/{hostname}"),
        client.get(f"/v1/domains/{hostname}"),
    ]

    assert [step.status_code for step in steps] == [201, 200, 200, 200, 200, 200, 204, 404]
    assert steps[1].json()["meta"]["count"] == 1
    assert steps[4].json()["readiness"]["state"] == "verifying"


def test_the_catalog_is_read(client: httpx.Client) -> None:
    """Both lists and one row."""
    steps = [client.get(path) for path in ("/v1/price-points", "/v1/price-points/monthly-premium", "/v1/features")]

    assert [step.status_code for step in steps] == [200, 200, 200]
