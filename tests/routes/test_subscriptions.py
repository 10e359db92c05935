"""What callers see of subscriptions, and how they change one."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.gateway import Tenant

MONTHLY_PAID_TRIAL = {
    "ident": "monthly-paid-trial",
    "currency": {"code": "USD", "minor_units": 2, "title": "US Dollar", "symbol": "$"},
    "intro_type": "paid_trial",
    "features": [{"ident": "premium-access"}, {"ident": "workout-plans"}],
    "lifetime_price": None,
    "intro_free_trial_period": None,
    "intro_free_trial_period_duration": None,
    "intro_paid_trial_price": "1.00",
    "intro_paid_trial_period": 1,
    "intro_paid_trial_period_duration": "weeks",
    "next_price": "19.99",
    "next_period": 1,
    "next_period_duration": "months",
}


def key() -> dict[str, str]:
    """The header that a money call needs."""
    return {"Idempotency-Key": str(uuid4())}


def owned_by(api: httpx.Client, external_id: str) -> dict[str, Any]:
    """The one subscription of a customer of the story."""
    (row,) = api.get("/v1/subscriptions", params={"external_id": external_id}).json()["data"]
    found: dict[str, Any] = row
    return found


def test_a_subscription_is_shown_whole(api: httpx.Client) -> None:
    """In our words, with the whole price point, and every time in UTC."""
    row = owned_by(api, "user-linus")

    shown = api.get(f"/v1/subscriptions/{row['id']}")

    assert shown.status_code == 200
    body = shown.json()
    assert body == {
        "id": row["id"],
        "external_id": "user-linus",
        "is_active": True,
        "price_point": MONTHLY_PAID_TRIAL,
        "status": body["status"],
        "started_at": body["started_at"],
        "current_period_starts_at": body["current_period_starts_at"],
        "current_period_ends_at": body["current_period_ends_at"],
        "next_check_at": body["next_check_at"],
        "available_actions": body["available_actions"],
        "initial_order_metadata": {"campaign": "story"},
        "iteration": body["iteration"],
    }
    assert "AUTORENEW_OFF" in body["status"]
    assert all(
        body[name].endswith("Z") for name in ("started_at", "current_period_starts_at", "current_period_ends_at")
    )


def test_subscriptions_are_listed_and_filtered(api: httpx.Client) -> None:
    """All of them, sorted by id; or those in any of the given statuses."""
    everything = api.get("/v1/subscriptions").json()["data"]

    some = api.get("/v1/subscriptions", params={"status": ["PAUSED", "AUTORENEW_OFF"]}).json()["data"]

    assert [row["id"] for row in everything] == sorted(row["id"] for row in everything)
    assert {row["external_id"] for row in some} == {"user-linus", "user-mika"}


def test_a_search_takes_the_same_filters_and_the_vendors_own(api: httpx.Client, tenant: Tenant) -> None:
    """What only the vendor knows is forwarded; what we know can't be overridden by it."""
    row = owned_by(api, "user-mika")
    body = {
        "external_id": "user-mika",
        "subscription_id": row["id"],
        "vendor_fields": {"external_id": "user-ada", "something_new": [1]},
    }

    found = api.post("/v1/subscriptions/search", json=body)

    assert found.status_code == 200
    assert [row["external_id"] for row in found.json()["data"]] == ["user-mika"]
    assert tenant.calls("POST /subscription/search") == 2


def test_a_time_that_is_none_is_null(api: httpx.Client, tenant: Tenant) -> None:
    """A number, a word: the rest of the row holds."""
    row = '{"subs_id": "s1", "started_at": 1700000000, "current_period_ends_at": "soon", "next_check_at": {}}'
    body = f'{{"status": "success", "data": {{"subscriptions": [{row}]}}}}'
    tenant.fails("POST /subscription/search", "status", status=200, body=body)

    (shown,) = api.get("/v1/subscriptions").json()["data"]

    assert (shown["id"], shown["started_at"], shown["current_period_ends_at"]) == ("s1", None, None)


def test_an_unknown_subscription_is_not_found(api: httpx.Client) -> None:
    """And what is no UUID is told so before the vendor hears of it."""
    assert api.get(f"/v1/subscriptions/{uuid4()}").status_code == 404
    assert api.get("/v1/subscriptions/search").json()["errors"][0]["pointer"] == "/subscription_id"


@pytest.mark.parametrize(
    ("customer", "action", "body", "seen"),
    [
        ("user-linus", "enable-autorenew", None, lambda row: "AUTORENEW_OFF" not in row["status"]),
        (
            "user-ada",
            "disable-autorenew",
            {"reason": "moved away", "comment": "x" * 2048},
            lambda row: "AUTORENEW_OFF" in row["status"],
        ),
        (
            "user-ada",
            "pause",
            {"pause_till": "2030-01-01T00:00:00+01:00"},
            lambda row: row["next_check_at"] == "2029-12-31T23:00:00Z",
        ),
        ("user-ada", "pause", {"pause_till": None}, lambda row: row["next_check_at"] is None),
        ("user-mika", "resume", {"external_id": "user-mika"}, lambda row: "PAUSED" not in row["status"]),
        ("user-ada", "defer", {"defer_till": "2030-01-01T00:00:00Z"}, lambda row: row["next_check_at"] is not None),
        ("user-ada", "discount", {"percent": 50, "count_of_iterations": 2}, lambda row: row["is_active"]),
    ],
)
def test_a_change_answers_the_subscription_as_it_is_then(
    api: httpx.Client, customer: str, action: str, body: object, seen: Callable[[dict[str, Any]], bool]
) -> None:
    """The vendor answers nothing; the caller gets what was read back."""
    row = owned_by(api, customer)

    changed = api.post(f"/v1/subscriptions/{row['id']}/{action}", json=body, headers=key())

    assert changed.status_code == 200
    now = owned_by(api, customer)
    assert changed.json() == now | {"missing": []}
    assert seen(now)


def test_a_change_without_a_body_needs_none(api: httpx.Client) -> None:
    """Nothing has to be said to resume."""
    row = owned_by(api, "user-mika")

    assert api.post(f"/v1/subscriptions/{row['id']}/resume").status_code == 200


@pytest.mark.parametrize(
    ("action", "body", "pointers"),
    [
        ("pause", {}, ["/pause_till"]),
        ("pause", {"pause_till": "2030-01-01T00:00:00"}, ["/pause_till"]),
        ("pause", {"pause_till": "tomorrow", "reason": "x" * 257}, ["/pause_till", "/reason"]),
        ("defer", {"defer_till": None}, ["/defer_till"]),
        ("defer", {"defer_till": "0001-01-01T00:00:00+14:00"}, ["/defer_till"]),
        ("pause", {"pause_till": "9999-12-31T23:59:59-14:00"}, ["/pause_till"]),
        ("discount", {"percent": 0, "count_of_iterations": 0}, ["/count_of_iterations", "/percent"]),
        ("discount", {"percent": 100}, ["/percent"]),
        ("discount", {"percent": "50"}, ["/percent"]),
        ("discount", {"percent": 1.5, "percents": 1}, ["/percent", "/percents"]),
        ("resume", {"comment": "x" * 2049, "why": 1}, ["/comment", "/why"]),
        ("migrate", {"price_point": "a b", "strategy": "next_friday"}, ["/price_point", "/strategy"]),
        ("migrate", {"price_point": "a\n", "strategy": "price_prorate"}, ["/price_point"]),
        ("migrate", {"price_point": "a", "strategy": "price_prorate", "dry_run": "no"}, ["/dry_run"]),
    ],
)
def test_what_the_vendor_would_refuse_is_refused_here(
    api: httpx.Client, tenant: Tenant, action: str, body: object, pointers: list[str]
) -> None:
    """All faults at once, and nothing is sent."""
    reply = api.post(f"/v1/subscriptions/{uuid4()}/{action}", json=body, headers=key())

    assert reply.status_code == 422
    assert sorted(fault["pointer"] for fault in reply.json()["errors"]) == pointers
    assert tenant.calls("POST /discount") == tenant.calls("POST /subscription/migration") == 0


def test_a_change_that_can_not_be_read_back_was_made_all_the_same(api: httpx.Client, tenant: Tenant) -> None:
    """The answer says that it happened, and why it can't be shown."""
    row = owned_by(api, "user-mika")
    tenant.fails("POST /subscription/search", "drop_before")

    reply = api.post(f"/v1/subscriptions/{row['id']}/resume")

    assert reply.status_code == 200
    body = reply.json()
    assert (body["id"], body["price_point"], body["status"]) == (row["id"], None, [])
    assert [(missing["part"], missing["problem"]["code"]) for missing in body["missing"]] == [
        ("subscription", "upstream_unreachable")
    ]


def test_a_change_whose_answer_is_lost_is_unknown(api: httpx.Client, tenant: Tenant) -> None:
    """It may have happened, so it is not sent again."""
    row = owned_by(api, "user-ada")
    tenant.fails("POST /subscription/pause", "drop_after")

    reply = api.post(f"/v1/subscriptions/{row['id']}/pause", json={"pause_till": None})

    assert (reply.status_code, reply.json()["code"]) == (504, "outcome_unknown")
    assert tenant.calls("POST /subscription/pause") == 1


def test_a_migration_charges_and_tells_the_new_subscription(api: httpx.Client, tenant: Tenant) -> None:
    """The preview charges nothing and needs no key; the real one does both."""
    row = owned_by(api, "user-ada")
    path = f"/v1/subscriptions/{row['id']}/migrate"
    wish = {"price_point": "yearly-premium", "strategy": "price_prorate"}
    before = len(tenant.account.ledger.entries)

    preview = api.post(path, json={**wish, "dry_run": True})
    unkeyed = api.post(path, json=wish)
    done = api.post(path, json=wish, headers=key())

    assert (preview.status_code, unkeyed.status_code, done.status_code) == (200, 400, 200)
    assert unkeyed.json()["code"] == "idempotency_key_required"
    body = done.json()
    assert body == {
        "migration_strategy": "price_prorate",
        "payment_result": {
            "state": "succeeded",
            "order_id": body["payment_result"]["order_id"],
            "action_required_token": None,
        },
        "charged_amount": body["charged_amount"],
        "subscription_id": body["subscription_id"],
        "oneoff_id": None,
    }
    assert preview.json()["charged_amount"] == body["charged_amount"]
    assert len(tenant.account.ledger.entries) == before + 1


def test_a_strategy_that_does_not_apply_is_the_vendors_refusal(api: httpx.Client) -> None:
    """In strict mode the vendor says 400; its words come through."""
    row = owned_by(api, "user-ada")

    reply = api.post(
        f"/v1/subscriptions/{row['id']}/migrate",
        json={"price_point": "lifetime", "strategy": "delayed_start"},
        headers=key(),
    )

    assert (reply.status_code, reply.json()["code"]) == (422, "upstream_rejected")
    assert reply.json()["upstream"]["status"] == 400


def test_charging_needs_a_scope_of_its_own(tenant: Tenant) -> None:
    """Who may pause may not charge a saved card."""
    with tenant.client(scopes=["subscriptions:read", "subscriptions:write"]) as api:
        row = owned_by(api, "user-ada")

        reply = api.post(f"/v1/subscriptions/{row['id']}/migrate", json={}, headers=key())

    assert (reply.status_code, reply.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="payments:charge subscriptions:write"' in reply.headers["www-authenticate"]


@pytest.mark.parametrize("wrong", ["", "two words", "x" * 256, "ümlaut"])
def test_a_key_has_a_form(api: httpx.Client, wrong: str) -> None:
    """Visible ASCII, 255 at most; an empty one is none."""
    row = owned_by(api, "user-ada")

    reply = api.post(
        f"/v1/subscriptions/{row['id']}/discount",
        json={"percent": 5},
        headers={b"idempotency-key": wrong.encode("latin-1")},
    )

    assert reply.status_code == (422 if wrong else 400)
    if wrong:
        assert reply.json()["errors"][0] == {
            "pointer": "/Idempotency-Key",
            "detail": "1 to 255 visible ASCII characters.",
            "in": "header",
        }
