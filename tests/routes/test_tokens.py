"""What callers may do with tokens, and what they may not."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from clients.secret import Secret
from gateway.settings import Settings
from tests.support.gateway import RunningGateway, Tenant

MANAGER = ("tokens:write", "domains:read", "catalog:read")


def made(api: httpx.Client, **members: Any) -> dict[str, Any]:
    """A token, made by the caller of `api`."""
    reply = api.post("/v1/tokens", json={"name": "made", "scopes": ["domains:read"], **members})
    assert reply.status_code == 201, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def admin(gateway: RunningGateway, mode: str = "test") -> httpx.Client:
    """The operator."""
    _, secret = gateway.token(tenant="operators", scopes=["admin"], mode=mode)  # type: ignore[arg-type]  # one of two
    return gateway.client(secret)


def me(gateway: RunningGateway, secret: str) -> httpx.Response:
    """Who a secret stands for."""
    with gateway.client(secret) as api:
        return api.get("/v1/me")


def test_a_token_is_made_used_and_shown(tenant: Tenant) -> None:
    """
    The secret is shown once, and never again; nobody may keep the answer.
    """
    with tenant.client(MANAGER) as api:
        creator = api.get("/v1/me").json()["token_id"]
        reply = api.post("/v1/tokens", json={"name": "ci", "scopes": ["catalog:read", "domains:read", "domains:read"]})
        token = reply.json()
        shown = api.get(reply.headers["location"])

    assert (reply.status_code, reply.headers["cache-control"]) == (201, "no-store")
    assert reply.headers["location"] == f"/v1/tokens/{token['id']}"
    assert re.fullmatch(r"fgw_test_[0-9A-Za-z]{38}", token.pop("token"))
    assert shown.json() == token
    assert token == {
        "id": token["id"],
        "name": "ci",
        "tenant": tenant.name,
        "mode": "test",
        "scopes": ["catalog:read", "domains:read"],
        "subject": None,
        "created_at": token["created_at"],
        "created_by": creator,
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": None,
        "limit_per_minute": None,
        "limit_money_per_minute": None,
    }


def test_every_caller_learns_who_they_are(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    A customer's token, too, whatever its scopes.
    """
    record, secret = gateway.token(
        tenant=tenant.name, scopes=["customers:read"], subject="user-ada", lifetime_seconds=60
    )

    answer = me(gateway, secret)

    assert answer.status_code == 200
    wait = answer.json()["limits"]["default"]["reset_seconds"]
    assert answer.json() == {
        "token_id": record.id,
        "name": "test",
        "tenant": tenant.name,
        "mode": "test",
        "scopes": ["customers:read"],
        "subject": "user-ada",
        "expires_at": answer.json()["expires_at"],
        "limits": {
            "default": {"quota": 10**8, "remaining": 10**8 - 1, "reset_seconds": wait},
            "money": {"quota": 10**8, "remaining": 10**8, "reset_seconds": 0},
            "probe": {"quota": 10**8, "remaining": 10**8, "reset_seconds": 0},
        },
    }
    assert answer.json()["expires_at"].endswith("Z")


def test_a_backend_gives_its_customer_a_short_lived_token(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    Of its own tenant and mode, for a quarter of an hour, for that customer's own
    data and the catalogue.
    """
    with tenant.client(MANAGER) as api:
        reply = api.post("/v1/tokens/delegated", json={"subject": "user-ada", "scopes": ["catalog:read"]})
        revoked = api.delete(f"/v1/tokens/{reply.json()['id']}")
    token = reply.json()
    with tenant.client(MANAGER) as api:
        working = api.post("/v1/tokens/delegated", json={"subject": "user-ada", "scopes": ["catalog:read"]}).json()
    with gateway.client(working["token"]) as customer:
        catalog, minted = customer.get("/v1/features"), customer.get("/v1/tokens")

    assert (reply.status_code, reply.headers["location"]) == (201, f"/v1/tokens/{token['id']}")
    assert (token["subject"], token["tenant"], token["mode"]) == ("user-ada", tenant.name, "test")
    assert seconds_between(token["created_at"], token["expires_at"]) == 900
    assert revoked.status_code == 204
    assert (catalog.status_code, minted.json()["code"]) == (200, "insufficient_scope")


def seconds_between(first: str, last: str) -> float:
    """Between two times of an answer."""
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"scopes": ["catalog:read"]}, ["/subject"]),
        ({"subject": "", "scopes": ["catalog:read"]}, ["/subject"]),
        ({"subject": "a\0b", "scopes": ["catalog:read"]}, ["/subject"]),
        ({"subject": "u", "scopes": []}, ["/scopes"]),
        ({"subject": "u", "scopes": ["catalog:read"], "expires_in": "61m"}, ["/expires_in"]),
        ({"subject": "u", "scopes": ["catalog:read"], "expires_in": 3601}, ["/expires_in"]),
        ({"subject": "u", "scopes": ["catalog:read"], "expires_in": "0s"}, ["/expires_in"]),
        ({"subject": "u", "scopes": ["tokens:write"]}, ["/scopes/0"]),
        ({"subject": "u", "scopes": ["catalog:read", "admin"]}, ["/scopes/1"]),
        ({"subject": "u", "scopes": ["catalog:read"], "mode": "live"}, ["/mode"]),
        (
            {"subject": "u", "scopes": ["nothing", "admin"], "expires_in": "2d"},
            ["/scopes/0", "/scopes/1", "/expires_in"],
        ),
    ],
)
def test_what_a_customer_can_not_be_given_is_refused(tenant: Tenant, body: dict[str, Any], pointers: list[str]) -> None:
    """
    No right over tokens, no time beyond an hour; every fault at once.
    """
    with tenant.client() as api:
        reply = api.post("/v1/tokens/delegated", json=body)

    assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
    assert sorted(fault["pointer"] for fault in reply.json()["errors"]) == sorted(pointers)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/name", "/scopes"]),
        ({"name": "a\x1b[2J", "scopes": ["domains:read"]}, ["/name"]),
        ({"name": "a\u202eb", "scopes": ["domains:read"]}, ["/name"]),
        ({"name": "x" * 201, "scopes": ["domains:read"]}, ["/name"]),
        ({"name": "x", "scopes": ["everything"]}, ["/scopes/0"]),
        ({"name": "x", "scopes": "domains:read"}, ["/scopes"]),
        ({"name": "x", "scopes": ["domains:read"], "expires_in": "soon"}, ["/expires_in"]),
        ({"name": "x", "scopes": ["domains:read"], "expires_in": "99999d"}, ["/expires_in"]),
        ({"name": "x", "scopes": ["domains:read"], "tenant": "a/b"}, ["/tenant"]),
        ({"name": "x", "scopes": ["domains:read"], "mode": "Live"}, ["/mode"]),
        ({"name": "x", "scopes": ["domains:read"], "limit_per_minute": 0}, ["/limit_per_minute"]),
        ({"name": "x", "scopes": ["domains:read"], "limit_per_minute": 10**7}, ["/limit_per_minute"]),
        ({"name": "x", "scopes": ["domains:read"], "id": "tok_x"}, ["/id"]),
    ],
)
def test_a_token_that_can_not_be_is_refused(tenant: Tenant, body: dict[str, Any], pointers: list[str]) -> None:
    """
    With a pointer to each thing that is wrong.
    """
    with tenant.client() as api:
        reply = api.post("/v1/tokens", json=body)

    assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
    assert sorted(fault["pointer"] for fault in reply.json()["errors"]) == pointers


@pytest.mark.parametrize(
    ("body", "needed"),
    [
        ({"scopes": ["domains:write"]}, "domains:write"),
        ({"scopes": ["domains:read", "admin"]}, "admin domains:read"),
        ({"tenant": "somebody-else"}, "admin"),
        ({"mode": "live"}, "admin"),
        ({"limit_per_minute": 10}, "admin"),
    ],
)
def test_nobody_gives_what_they_lack(tenant: Tenant, body: dict[str, Any], needed: str) -> None:
    """
    The refusal names the scopes that would be needed.
    """
    with tenant.client(MANAGER) as api:
        reply = api.post("/v1/tokens", json={"name": "x", "scopes": ["domains:read"], **body})

    assert (reply.status_code, reply.json()["code"]) == (403, "insufficient_scope")
    assert reply.headers["www-authenticate"].endswith(f'error="insufficient_scope", scope="{needed}"')


@pytest.mark.parametrize("scopes", [["domains:read"], ["customers:read", "payments:read"]])
def test_who_may_not_manage_tokens_is_told_what_would_do(tenant: Tenant, scopes: Sequence[str]) -> None:
    """
    Either scope; the challenge names both.
    """
    with tenant.client(scopes) as api:
        reply = api.get("/v1/tokens")

    assert (reply.status_code, reply.json()["detail"]) == (403, "The token lacks admin or tokens:write.")
    assert reply.headers["www-authenticate"].endswith('error="insufficient_scope", scope="admin tokens:write"')


def test_a_customers_token_never_manages_tokens(tenant: Tenant) -> None:
    """
    Whatever its scopes, which the command line does not restrict.
    """
    with tenant.client(subject="user-ada") as api:
        replies = [
            api.get("/v1/tokens"),
            api.post("/v1/tokens", json={"name": "x", "scopes": ["domains:read"]}),
            api.post("/v1/tokens/delegated", json={"subject": "user-bob", "scopes": ["catalog:read"]}),
        ]

    assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {(403, "subject_mismatch")}


def test_a_customer_gets_no_scope_that_it_can_not_use(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    No route takes it from a customer's token, and each such scope is named; what some route takes is given.
    """
    useless = ["admin", "catalog:write", "customers:search", "domains:read", "domains:write", "payments:refund"]
    with tenant.client() as api, admin(gateway) as operator:
        refused = operator.post("/v1/tokens/delegated", json={"subject": "u", "scopes": [*useless, "payments:read"]})
        given = api.post("/v1/tokens/delegated", json={"subject": "u", "scopes": ["payments:read", "checkout:write"]})

    assert refused.status_code == 422
    assert {fault["pointer"]: fault["detail"] for fault in refused.json()["errors"]} == {
        f"/scopes/{index}": "There is no such scope." if index == 2 else f"A customer's token can't use {scope}."
        for index, scope in enumerate(useless)
    }
    assert given.status_code == 201


def test_a_token_does_not_outlive_its_maker(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    Nor does it shed its maker's limits; else an hour's access would be for ever.
    """
    with admin(gateway) as operator:
        maker = made(
            operator, tenant=tenant.name, scopes=list(MANAGER), expires_in="10m", limit_per_minute=50,
            limit_money_per_minute=5,
        )  # fmt: skip
    with gateway.client(maker["token"]) as api:
        child = made(api)
        customer = api.post("/v1/tokens/delegated", json={"subject": "u", "scopes": ["catalog:read"]}).json()
        longer = api.post("/v1/tokens", json={"name": "x", "scopes": ["domains:read"], "expires_in": "11m"})

    assert child["expires_at"] == customer["expires_at"] == maker["expires_at"]
    assert (child["limit_per_minute"], child["limit_money_per_minute"]) == (50, 5)
    limits = me(gateway, child["token"]).json()["limits"]
    assert (limits["default"]["quota"], limits["money"]["quota"]) == (50, 5)
    assert (longer.status_code, longer.json()["errors"][0]["pointer"]) == (422, "/expires_in")


def test_other_tenants_and_the_other_mode_are_out_of_sight(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    Their tokens are as if they were not there, to read and to touch.
    """
    foreign, _ = gateway.token(tenant=f"{tenant.name}x")
    live, _ = gateway.token(tenant=tenant.name, mode="live")
    with tenant.client() as mine, tenant.client(MANAGER) as api:
        own = mine.get("/v1/me").json()["token_id"]
        seen = {row["id"] for row in api.get("/v1/tokens", params={"limit": 500}).json()["data"]}
        replies = [
            api.request(method, f"/v1/tokens/{record}{path}", json=body)
            for record in (foreign.id, live.id, "tok_nobody", "delegated", "a%00b")
            for method, path, body in (
                ("GET", "", None),
                ("PATCH", "", {"name": "y"}),
                ("POST", "/rotate", {}),
                ("DELETE", "", None),
            )
        ]

    assert own in seen
    assert not {foreign.id, live.id} & seen
    assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {(404, "not_found")}


def test_a_mightier_token_is_seen_and_not_touched(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    Its new secret would hand over what the caller lacks.
    """
    record, secret = gateway.token(tenant=tenant.name, scopes=["domains:read", "domains:write"])
    with tenant.client(MANAGER) as api:
        seen = api.get(f"/v1/tokens/{record.id}")
        replies = [
            api.post(f"/v1/tokens/{record.id}/rotate"),
            api.patch(f"/v1/tokens/{record.id}", json={"name": "mine"}),
            api.delete(f"/v1/tokens/{record.id}"),
        ]

    assert seen.status_code == 200
    assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {(403, "insufficient_scope")}
    assert me(gateway, secret).json()["name"] == "test"


def test_the_operator_reaches_all_tenants(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    And gives any scope though it holds none; in mode test, only what is of mode test.
    """
    ours, _ = gateway.token(tenant=tenant.name)
    live, _ = gateway.token(tenant=tenant.name, mode="live")
    with admin(gateway, "live") as operator:
        reached = [operator.get(f"/v1/tokens/{record.id}").status_code for record in (ours, live)]
        given = made(operator, tenant=tenant.name, mode="test", scopes=["payments:charge", "admin"])
    with admin(gateway) as operator:
        in_test = [operator.get(f"/v1/tokens/{record.id}").status_code for record in (ours, live)]
        across = operator.post("/v1/tokens", json={"name": "x", "scopes": ["domains:read"], "mode": "live"})
        forbidden = operator.get("/v1/domains")

    assert (reached, in_test) == ([200, 200], [200, 404])
    assert (given["tenant"], given["mode"], given["scopes"]) == (tenant.name, "test", ["admin", "payments:charge"])
    assert across.json()["code"] == forbidden.json()["code"] == "insufficient_scope"


def test_a_rotated_secret_ends_and_the_new_one_works(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    At once, if told so; else both work for the overlap.
    """
    with tenant.client(MANAGER) as api:
        token = made(api)
        overlapping = api.post(f"/v1/tokens/{token['id']}/rotate")
        both = [me(gateway, secret).status_code for secret in (token["token"], overlapping.json()["token"])]
        at_once = api.post(f"/v1/tokens/{token['id']}/rotate", json={"overlap": "0s"})
        last = [
            me(gateway, secret) for secret in (token["token"], overlapping.json()["token"], at_once.json()["token"])
        ]

    assert (overlapping.status_code, overlapping.headers["cache-control"]) == (200, "no-store")
    assert overlapping.json().keys() == token.keys() | {"old_secret_ends_at"}
    assert overlapping.json()["id"] == at_once.json()["id"] == token["id"]
    assert both == [200, 200]
    assert [reply.status_code for reply in last] == [401, 401, 200]
    assert last[0].json()["code"] == "token_expired"


@pytest.mark.parametrize("overlap", ["31d", -1, "soon", None, 2.5, "1w", {}])
def test_an_overlap_that_can_not_be_is_refused(tenant: Tenant, overlap: object) -> None:
    """
    And the token is as before.
    """
    with tenant.client(MANAGER) as api:
        token = made(api)
        reply = api.post(f"/v1/tokens/{token['id']}/rotate", json={"overlap": overlap})

    assert (reply.status_code, [fault["pointer"] for fault in reply.json()["errors"]]) == (422, ["/overlap"])


def test_two_admins_who_rotate_at_once_lose_no_secret(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    Each is shown a secret that works, or told that somebody else was first.
    """
    with tenant.client(MANAGER) as api, ThreadPoolExecutor(8) as admins:
        token = made(api)
        replies = [
            *admins.map(lambda _: api.post(f"/v1/tokens/{token['id']}/rotate", json={"overlap": "1h"}), range(8))
        ]
        secrets = [reply.json()["token"] for reply in replies if reply.status_code == 200]
        working = [me(gateway, secret).status_code for secret in secrets]

    assert secrets
    assert {*working} == {200}
    assert {reply.json()["code"] for reply in replies if reply.status_code != 200} <= {"rotation_conflict"}
    assert {reply.status_code for reply in replies} <= {200, 409}


def test_a_revoked_token_stays_on_record(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    Revoking it again changes nothing; it can't be rotated back to life.
    """
    with tenant.client(MANAGER) as api:
        token = made(api)
        first = api.delete(f"/v1/tokens/{token['id']}")
        shown = api.get(f"/v1/tokens/{token['id']}").json()
        again = api.delete(f"/v1/tokens/{token['id']}")
        rotated = api.post(f"/v1/tokens/{token['id']}/rotate")

        assert (first.status_code, first.content, again.status_code) == (204, b"", 204)
        assert shown["revoked_at"] is not None
        assert api.get(f"/v1/tokens/{token['id']}").json() == shown
        assert (rotated.status_code, rotated.json()["code"]) == (409, "rotation_conflict")
    assert me(gateway, token["token"]).json()["code"] == "token_revoked"


def test_a_token_is_renamed_and_its_time_shortened(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    Never lengthened; limits are the operator's to set and to lift.
    """
    with tenant.client(MANAGER) as api, admin(gateway) as operator:
        token = made(api, expires_in="1h")
        place = f"/v1/tokens/{token['id']}"
        renamed = api.patch(place, json={"name": "renamed", "expires_in": 60})
        longer = api.patch(place, json={"expires_in": "2h"})
        limited = api.patch(place, json={"limit_per_minute": None})
        set_ = operator.patch(place, json={"limit_per_minute": 7, "limit_money_per_minute": 3})
        lifted = operator.patch(place, json={"limit_per_minute": None})
        same = api.patch(place, json={})

    assert (renamed.status_code, renamed.json()["name"]) == (200, "renamed")
    assert renamed.json()["expires_at"] < token["expires_at"]
    assert (longer.status_code, limited.status_code) == (422, 403)
    assert (set_.json()["limit_per_minute"], set_.json()["limit_money_per_minute"]) == (7, 3)
    assert (lifted.json()["limit_per_minute"], lifted.json()["limit_money_per_minute"]) == (None, 3)
    assert same.json() == lifted.json()


def test_tokens_are_listed_page_by_page(tenant: Tenant) -> None:
    """
    Each once, the oldest first; a cursor of another list is none.
    """
    with tenant.client(MANAGER) as api:
        ids = {made(api, subject=f"user-{number % 2}")["id"] for number in range(5)}
        pages: list[dict[str, Any]] = []
        cursor = None
        while not pages or cursor:
            query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
            pages.append(api.get("/v1/tokens", params=query).json())
            cursor = pages[-1]["meta"]["next_cursor"]
        of_one = api.get("/v1/tokens", params={"subject": "user-1"}).json()
        strange = [api.get("/v1/tokens", params={"cursor": text}) for text in ("x", "YWJj", "MSB0b2tfXA")]
        unthinkable = api.get("/v1/tokens", params={"subject": "a\0b"})

    rows = [row["id"] for page in pages for row in page["data"]]
    assert [page["meta"]["count"] for page in pages] == [2, 2, 2]
    assert len({*rows}) == 6
    assert ids < {*rows}
    assert of_one["meta"]["count"] == 2
    assert {(reply.status_code, reply.json()["code"]) for reply in strange} == {(422, "validation_failed")}
    assert unthinkable.json()["data"] == []


def test_what_is_done_with_tokens_is_on_record(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    Who made, rotated and revoked which one; also what was refused.
    """
    with tenant.client(MANAGER) as api, admin(gateway) as operator:
        token = made(api)
        api.post("/v1/tokens/delegated", json={"subject": "user-ada", "scopes": ["catalog:read"]})
        api.post(f"/v1/tokens/{token['id']}/rotate")
        api.delete(f"/v1/tokens/{token['id']}")
        api.post(f"/v1/tokens/{token['id']}/rotate")
        api.get(f"/v1/tokens/{token['id']}")
        events = operator.get("/v1/audit-events", params={"tenant": tenant.name}).json()["data"]

    assert [(event["action"], event["outcome"]) for event in reversed(events)] == [
        ("createToken", "201"),
        ("createDelegatedToken", "201"),
        ("rotateToken", "200"),
        ("revokeToken", "204"),
        ("rotateToken", "rotation_conflict"),
    ]
    assert events[1]["target"] == {"token_id": token["id"]}
    assert events[3]["target"]["subject"] == "user-ada"
    assert {event["actor"] for event in events} == {token["created_by"]}
    assert "fgw_" not in str(events)


def test_secrets_are_in_no_log_and_no_span(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """
    Whatever is done with them.
    """
    settings = Settings(database_url=Secret(f"sqlite:///{tmp_path / 'gateway.db'}"), sandbox="off", log_level="debug")
    with RunningGateway(settings) as gateway:
        _, own = gateway.token(scopes=MANAGER)
        with gateway.client(own) as api:
            token = made(api)
            rotated = api.post(f"/v1/tokens/{token['id']}/rotate").json()
            customer = api.post("/v1/tokens/delegated", json={"subject": "u", "scopes": ["catalog:read"]}).json()
            shown = api.get("/v1/tokens").text
        for secret in (token["token"], rotated["token"], customer["token"]):
            assert me(gateway, secret).status_code == 200
        spans = "".join(span.to_json() for span in gateway.spans.get_finished_spans())
    output = "".join(capfd.readouterr())

    assert token["id"] in output
    assert "POST /v1/tokens" in spans
    assert not re.search(r"fgw_(live|test)_", output + spans + shown)


def test_the_last_use_is_shown(tmp_path: Path) -> None:
    """
    A gateway that stops has written it.
    """
    settings = Settings(database_url=Secret(f"sqlite:///{tmp_path / 'gateway.db'}"), sandbox="off", log_level="error")
    with RunningGateway(settings) as gateway:
        record, used = gateway.token(scopes=["domains:read"])
        unused, _ = gateway.token(scopes=["domains:read"])
        assert me(gateway, used).status_code == 200
    with RunningGateway(settings) as gateway, admin(gateway) as operator:
        shown = [operator.get(f"/v1/tokens/{one.id}").json() for one in (record, unused)]

    assert [token["last_used_at"] is None for token in shown] == [False, True]
