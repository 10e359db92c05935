"""The calls that the examples of the API document are taken from, in their order."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple


class Step(NamedTuple):
    """One call.

    A value `$step/member` is what the step of that title, or else the last call
    of that operation, was answered.
    """

    operation: str
    title: str = ""
    """What it shows; empty: it only prepares another step."""
    expect: int = 200
    path: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: Any = None
    """JSON, or text for a file."""
    live: bool = False
    """Whether it takes an operator's live token: the others are of mode test."""
    clock_seconds: float = 0
    """How far the sandbox's clock is put on before."""
    shortened: Callable[[Any], Any] | None = None
    """What to keep of a long answer."""


NEW: Final = "track.example.com"


def _key(number: int) -> dict[str, str]:
    """A key of the step's own."""
    return {"Idempotency-Key": f"0b8ac57e-8a4b-4ac8-bd5f-1f0f64a0a8{number:02x}"}


def _identified(page: Any) -> Any:
    """A page of events with identifiers that do not change from one run to the next."""
    for event in page["data"]:
        event |= {"id": "aud_019b7a1b2c004f2d9c8e1a07", "at": "2026-01-01T12:00:00Z", "actor": "tok_5c0f9a7d1e"}
    return page | {"meta": page["meta"] | {"next_cursor": "YXVkXzAxOWI3YTFiMmMwMDRmMmQ5YzhlMWEwNw"}}


_DOMAINS: Final = (
    Step("listDomains", "The first two domains", query={"limit": "2"}),
    Step("listDomains", "With the verdict on each", query={"limit": "1", "expand": "readiness"}),
    Step("createDomain", "A new hostname", 201, body={"hostname": NEW}),
    Step("getDomain", "A hostname that waits for its DNS records", path={"hostname": NEW}),
    Step("checkDomain", "A hostname that serves visitors", body={"hostname": "live.brightside.example"}),
    Step("refreshDomain", "An hour later", path={"hostname": NEW}, clock_seconds=3600),
    Step("deleteDomain", "No longer needed", 204, path={"hostname": NEW}),
)

_CATALOG: Final = (
    Step("listPricePoints", "The first two price points", query={"limit": "2"}),
    Step("getPricePoint", "A subscription with a free trial", path={"ident": "monthly-premium"}),
    Step(
        "createPricePoint",
        "A month, after a week for one dollar",
        201,
        body={
            "ident": "monthly-plus",
            "currency_code": "USD",
            "features": ["premium-access"],
            "intro_type": "paid_trial",
            "intro_paid_trial_price": "1.00",
            "intro_paid_trial_period": 1,
            "intro_paid_trial_period_duration": "weeks",
            "next_price": "14.99",
            "next_period": 1,
            "next_period_duration": "months",
        },
    ),
    Step("updatePricePoint", "A higher price", path={"ident": "monthly-plus"}, body={"next_price": "16.99"}),
    Step("exportPricePoints", "All of them"),
    Step("importPricePoints", "The same again: nothing is new", body="$exportPricePoints"),
    Step("listFeatures", "All features"),
    Step("createFeature", "Something to use up", 201, body={"ident": "meal-plan", "feature_type": "consumable"}),
)

_CUSTOMER: Final = {"external_id": "user-ada"}
_ACTIVE: Final = {"subscription_id": "$Those of one customer/data/0/id"}
_PAUSED: Final = {"subscription_id": "$Paused ones/data/0/id"}
_CANCELLED: Final = {"subscription_id": "$Cancelled ones/data/0/id"}

_SUBSCRIPTIONS: Final = (
    Step("listSubscriptions", "Those of one customer", query=_CUSTOMER),
    Step("listSubscriptions", "Paused ones", query={"external_id": "user-mika"}),
    Step("listSubscriptions", "Cancelled ones", query={"external_id": "user-linus"}),
    Step("searchSubscriptions", "By customer and kind of intro", body=_CUSTOMER | {"intro_type": "free_trial"}),
    Step("getSubscription", "One that renews", path=_ACTIVE),
    Step("enableAutorenew", "A cancellation taken back", path=_CANCELLED, body={"reason": "changed their mind"}),
    Step("disableAutorenew", "Cancelled by support", path=_CANCELLED, body={"reason": "asked by phone"}),
    Step("resumeSubscription", "Back before the pause ends", path=_PAUSED, body={"reason": "back early"}),
    Step("pauseSubscription", "Until February", path=_PAUSED, body={"pause_till": "2026-02-01T00:00:00Z"}),
    Step("deferSubscription", "A month for free", path=_ACTIVE, body={"defer_till": "2026-03-01T00:00:00Z"}),
    Step(
        "discountSubscription",
        "Half price, three times",
        path=_ACTIVE,
        headers=_key(1),
        body={"percent": 50, "count_of_iterations": 3},
    ),
    Step(
        "migrateSubscription",
        "What a move would cost",
        path=_ACTIVE,
        body={"price_point": "yearly-premium", "strategy": "price_prorate", "dry_run": True},
    ),
    Step(
        "migrateSubscription",
        "The move",
        path=_ACTIVE,
        headers=_key(2),
        body={"price_point": "yearly-premium", "strategy": "price_prorate"},
    ),
)

_CUSTOMERS: Final = (
    Step("searchCustomers", "By e-mail address", body={"email": "ada@example.com"}),
    Step("getCustomerAssets", "Subscriptions and one-off purchases", path={"external_id": "user-grace"}),
    Step("listPayments", "The oldest payment", path=_CUSTOMER, query={"limit": "1"}),
    Step("getCustomer", "Everything about one customer", path={"external_id": "user-noor"}),
    Step("listTransactions", "The first page", query={"limit": "2"}),
    Step("listPayments", path={"external_id": "user-grace"}),
    Step(
        "createRefund",
        "A part, and the subscription goes on",
        headers=_key(3),
        body={
            "external_id": "user-grace",
            "order_id": "$listPayments/data/0/order_id",
            "amount": "20.00",
            "soft_refund": True,
        },
    ),
)

_SESSION: Final = {
    "price_point": "monthly-paid-trial",
    "external_id": "user-zoe",
    "email_address": "zoe@example.com",
    "integration_type": "fakeintegration",
}
_ORDER: Final = {"order_id": "$createCheckoutSession/order_id"}

_CHECKOUT: Final = (
    Step("createCheckoutSession", "A trial that is paid", 201, body=_SESSION),
    Step(
        "updateCheckoutSession",
        "The year instead",
        path=_ORDER,
        body={"client_token": "$createCheckoutSession/client_token", "price_point": "yearly-premium"},
    ),
    Step("createPayment", "A card", headers=_key(4), body=_ORDER | {"payment_method_token": "pmt_ok"}),
    Step("createCheckoutSession", "", 201, body=_SESSION | {"external_id": "user-yara"}),
    Step(
        "createPayment",
        "A card whose bank asks the customer",
        headers=_key(5),
        body=_ORDER | {"payment_method_token": "pmt_3ds"},
    ),
    Step(
        "resumePayment",
        "The customer has answered the bank",
        path={"order_id": "$createPayment/order_id"},
        headers=_key(6),
        body={"resume_token": "rt_ok"},
    ),
    Step("createCheckoutSession", "", 201, body=_SESSION | {"external_id": "user-xara"}),
    Step(
        "createPayment",
        "A bank that takes its time",
        202,
        headers=_key(7),
        body=_ORDER | {"payment_method_token": "pmt_processing"},
    ),
    Step(
        "payWithOneClick",
        "A session with the coach",
        headers=_key(8),
        body={"external_id": "user-zoe", "price_point": "coach-session"},
    ),
)


def _timeless(operation: Any) -> Any:
    """An operation without what depends on the moment at which it is looked at."""
    times = dict.fromkeys(("created_at", "sent_at"), "2026-01-01T12:00:00.000000Z")
    settled = operation["settled_at"] and "2026-01-01T12:00:09.000000Z"
    return operation | times | {"settled_at": settled, "attempts": 1}


def _unseen(page: Any) -> Any:
    """A page of operations that nobody has looked at."""
    return page | {"data": [_timeless(row) | {"attempts": 0, "evidence": {}} for row in page["data"]]}


_OPERATION: Final = {"operation_id": "$listOperations/data/0/id"}

_OPERATIONS: Final = (
    Step("listOperations", "Those under way", query={"state": "pending", "limit": "1"}, shortened=_unseen),
    Step("getOperation", "A payment that takes its time", path=_OPERATION, shortened=_timeless),
    Step(
        "resolveOperation",
        "Found in the processor's books",
        path=_OPERATION,
        body={"state": "succeeded", "note": "Settled in the processor's books."},
        shortened=_timeless,
    ),
)

_OPERATOR: Final = (
    Step(
        "listAuditEvents",
        "What was charged last",
        query={"limit": "1", "action": "payWithOneClick"},
        shortened=_identified,
    ),
)


def _made_at_noon(body: Any) -> Any:
    """A tenant, or a page of them, with the times that the sandbox's clock shows."""
    noon = "2026-01-01T12:00:00Z"
    if "data" in body:
        return body | {"data": [_made_at_noon(row) for row in body["data"]]}
    held = {slot: one and one | {"set_at": noon} for slot, one in body["credentials"].items()}
    return body | {"created_at": noon, "credentials": held}


_TENANT: Final = {"name": "brightside"}

_TENANTS: Final = (
    Step(
        "createTenant",
        "One credential kept here, one in the gateway's environment",
        201,
        live=True,
        body={
            "name": "brightside",
            "cname_target": "cname.brightside.example",
            "cors_origins": ["https://app.brightside.example"],
            "credentials": {
                "funnelfox_org_id": "org_brightside",
                "funnelfox_secret_key": "env:TENANT_BRIGHTSIDE_SECRET_KEY",
            },
        },
        shortened=_made_at_noon,
    ),
    Step("listTenants", "All of them", live=True, shortened=_made_at_noon),
    Step("getTenant", "A variable that is not set yet", live=True, path=_TENANT, shortened=_made_at_noon),
    Step(
        "updateTenant",
        "No page reads its answers any more",
        live=True,
        path=_TENANT,
        body={"cors_origins": []},
        shortened=_made_at_noon,
    ),
    Step("deleteTenant", "Its tokens are revoked, too", 204, live=True, path=_TENANT),
)

_TOKEN: Final = {"token_id": "$createToken/id"}

_TOKENS: Final = (
    Step("getMe", "A token with every scope"),
    Step(
        "createToken",
        "A partner's, for a year",
        201,
        body={"name": "partner", "scopes": ["domains:read", "domains:write"], "expires_in": "365d"},
    ),
    Step("getToken", "A partner's", path=_TOKEN),
    Step("updateToken", "Another name", path=_TOKEN, body={"name": "former partner"}),
    Step("rotateToken", "The old secret works for two days more", path=_TOKEN, body={"overlap": "2d"}),
    Step(
        "createDelegatedToken",
        "A customer's, for a quarter of an hour",
        201,
        body={"subject": "user-ada", "scopes": ["subscriptions:read", "checkout:write"]},
    ),
    Step("listTokens", "Those of one customer", query={"subject": "user-ada"}),
    Step("revokeToken", "No longer needed", 204, path=_TOKEN),
)

_OURSELVES: Final = (
    Step("purgeCache", "All price points of one tenant", body={"tenant": "default", "topic": "price-points"}),
    Step("getLiveness", "Alive"),
    Step("getReadiness", "Ready"),
    Step("getMetrics", "How it begins", shortened=lambda text: "".join(text.splitlines(keepends=True)[:2])),
    Step(
        "getApiDocument",
        "How it begins",
        shortened=lambda body: {"openapi": body["openapi"], "info": {"title": body["info"]["title"]}},
    ),
    Step("listProblems", "The first of them", shortened=lambda body: {"data": body["data"][:1]}),
    Step("getProblem", "What a code means", path={"code": "domain_already_owned"}),
)

STEPS: Final = (
    *_DOMAINS,
    *_CATALOG,
    *_SUBSCRIPTIONS,
    *_CUSTOMERS,
    *_CHECKOUT,
    *_OPERATIONS,
    *_TOKENS,
    *_OPERATOR,
    *_TENANTS,
    *_OURSELVES,
)
"""All of them; those of operations that the document does not have are left out."""
