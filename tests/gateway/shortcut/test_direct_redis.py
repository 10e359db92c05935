"""Handlers that are called without a router where limits and answers are shared in Redis."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from clients.sandbox.emulator import Sandbox
from clients.secret import Secret
from gateway.settings import Settings
from tests.support.gateway import Tenant
from tests.support.routing import Both, own
from tests.support.servers import Valkey
from tests.support.sockets import LIST, PATH, caller, get, known_head, shown


@pytest.fixture
def redis(keeps_nothing: Settings, valkey: Valkey, tmp_path: Path) -> Iterator[Both]:
    """A gateway that shares its limits and its cache."""
    changed = own(
        keeps_nothing, tmp_path, redis_url=Secret(valkey.url), limit_per_minute=1000, cache_list_fresh_seconds=60.0
    )
    with Both(changed) as running:
        yield running


def test_with_redis_a_known_head_is_served_unparsed(redis: Both, sandbox: Sandbox) -> None:
    """Hits, misses and direct calls are right, and each counts once."""
    tenant = Tenant(f"t{uuid4().hex[:12]}", redis, sandbox)
    secret = shown(tenant)
    detail = "/v1/domains/live.brightside.example"
    with caller(redis) as one, tenant.client() as owner:
        heads = [known_head(redis, one, secret, path) for path in (PATH, detail)]
        before = (redis.routed, redis.known, redis.tasks)
        answers = []
        for _ in range(3):
            for head in heads:
                one.send(head)
                answers.append(one.answer())
        after = (redis.routed, redis.known, redis.tasks)
        calls = tenant.calls(LIST)
        assert owner.post("/v1/cache/purge", json={}).status_code == 200
        routed = redis.routed
        one.send(heads[0])
        missed = one.answer()
        one.send(heads[0])
        hit = one.answer()

    assert [status for status, _, _ in answers] == [200] * 6
    assert [headers["cache-status"].split("; ")[1] for _, headers, _ in answers] == ["hit", "fwd=bypass"] * 3
    left = [int(headers["ratelimit"].partition("r=")[2].partition(";")[0]) for _, headers, _ in answers]
    assert left == list(range(left[0], left[0] - 6, -1))
    assert [now - then for now, then in zip(after, before, strict=True)] == [0, 6, 6]
    assert missed[1]["cache-status"].startswith("gateway; fwd=miss; ttl=")
    assert hit[1]["cache-status"].startswith("gateway; hit; ttl=")
    assert missed[2] == hit[2]
    assert (tenant.calls(LIST), redis.routed) == (calls + 1, routed)


def test_with_redis_nobody_goes_beyond_the_limit(
    keeps_nothing: Settings, valkey: Valkey, sandbox: Sandbox, tmp_path: Path
) -> None:
    """However a request is served."""
    changed = own(keeps_nothing, tmp_path, redis_url=Secret(valkey.url), limit_per_minute=20)
    with Both(changed) as running:
        tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
        _, secret = running.token(tenant=tenant.name)
        with caller(running) as one:
            answers = []
            for _ in range(23):
                one.send(get(secret))
                answers.append(one.answer())

    assert [status for status, _, _ in answers] == [200] * 20 + [429] * 3
    assert tenant.calls(LIST) == 20
    assert 4 <= running.routed < 20
