"""The story that every account begins with: a small shop, some months old."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from clients.sandbox.account import Account
from clients.sandbox.billing.catalog import Feature
from clients.sandbox.billing.checkout import NewPayment
from clients.sandbox.billing.price_points import Terms
from clients.sandbox.billing.refunds import NewRefund
from clients.sandbox.billing.sessions import NewSession
from clients.sandbox.billing.transitions import PauseAsk, SubscriptionAsk
from clients.sandbox.domains.register import NO_CNAME

ZONE = "brightside.example"

FEATURES = (
    Feature(ident="premium-access", feature_type="timebased"),
    Feature(ident="workout-plans", feature_type="timebased"),
    Feature(ident="lifetime-access", feature_type="lifetime"),
    Feature(ident="coach-session", feature_type="consumable"),
)

PRICE_POINTS = (
    Terms(
        ident="monthly-premium",
        intro_type="free_trial",
        currency_code="USD",
        features=["premium-access"],
        intro_free_trial_period=7,
        intro_free_trial_period_duration="days",
        next_price=Decimal("9.99"),
        next_period=1,
        next_period_duration="months",
        descriptor="BRIGHTSIDE PREMIUM",
    ),
    Terms(
        ident="monthly-paid-trial",
        intro_type="paid_trial",
        currency_code="USD",
        features=["premium-access", "workout-plans"],
        intro_paid_trial_price=Decimal("1.00"),
        intro_paid_trial_period=1,
        intro_paid_trial_period_duration="weeks",
        next_price=Decimal("19.99"),
        next_period=1,
        next_period_duration="months",
    ),
    Terms(
        ident="yearly-premium",
        intro_type="no_intro",
        currency_code="USD",
        features=["premium-access", "workout-plans"],
        next_price=Decimal("79.99"),
        next_period=1,
        next_period_duration="years",
    ),
    Terms(
        ident="quarterly-eur",
        intro_type="no_intro",
        currency_code="EUR",
        features=["premium-access"],
        next_price=Decimal("24.90"),
        next_period=3,
        next_period_duration="months",
    ),
    Terms(
        ident="weekly-jpy",
        intro_type="no_intro",
        currency_code="JPY",
        features=["premium-access"],
        next_price=Decimal(480),
        next_period=1,
        next_period_duration="weeks",
    ),
    Terms(
        ident="lifetime",
        intro_type="no_intro",
        currency_code="USD",
        features=["lifetime-access"],
        lifetime_price=Decimal("149.00"),
    ),
    Terms(
        ident="coach-session",
        intro_type="no_intro",
        currency_code="USD",
        features=["coach-session"],
        lifetime_price=Decimal("29.00"),
    ),
)


class _Purchase(NamedTuple):
    days_ago: float
    customer: str
    price_point: str
    method: str = "pmt_ok"


# In the order in which they happened. What became of each until today follows
# from the price point and the card.
_PURCHASES = (
    _Purchase(200, "user-ines", "quarterly-eur"),
    _Purchase(75, "user-ada", "monthly-premium"),
    _Purchase(60, "user-grace", "lifetime"),
    _Purchase(45, "user-linus", "monthly-paid-trial"),
    _Purchase(40, "user-mika", "monthly-paid-trial"),
    _Purchase(30, "user-ken", "weekly-jpy"),
    # Its trial ended a day ago, and the card declined.
    _Purchase(8, "user-bob", "monthly-premium", "pmt_ok_then_declined"),
    _Purchase(5, "user-grace", "coach-session"),
    _Purchase(3, "user-eve", "yearly-premium", "pmt_declined"),
    _Purchase(2, "user-noor", "monthly-premium"),
)


def tell(account: Account, now: datetime) -> None:
    """Fill a new account; the last line of the story is written at `now`."""
    _tell_domains(account)
    for feature in FEATURES:
        account.catalog.create_feature(feature)
    for terms in PRICE_POINTS:
        account.catalog.create(terms)
    for purchase in _PURCHASES:
        _tell_purchase(account, purchase, now - timedelta(days=purchase.days_ago))
    account.catch_up(now)
    _tell_management(account, now)


def _tell_domains(account: Account) -> None:
    domains = account.domains
    domains.add(f"live.{ZONE}", recorded=True)
    domains.add(f"misrouted.{ZONE}", found=False, recorded=True)
    domains.add(f"issuing.{ZONE}", ssl_status="pending_issuance")
    domains.add(
        f"awaiting-dns.{ZONE}", status="pending", ssl_status="pending_validation", verification_errors=(NO_CNAME,)
    )
    domains.add(f"verifying.{ZONE}", status="pending", ssl_status="initializing")
    domains.add(f"blocked.{ZONE}", status="blocked", ssl_status="active")
    domains.add(f"moved.{ZONE}", status="moved", ssl_status="active", recorded=True)
    domains.add(
        f"timed-out.{ZONE}", status="pending", ssl_status="validation_timed_out", verification_errors=(NO_CNAME,)
    )


def _tell_purchase(account: Account, purchase: _Purchase, at: datetime) -> None:
    account.catch_up(at)
    session = NewSession(
        region="default",
        integration_type="fakeintegration",
        pp_ident=purchase.price_point,
        external_id=purchase.customer,
        email_address=f"{purchase.customer.removeprefix('user-')}@example.com",
        country_code="US",
        client_metadata={"campaign": "story"},
    )
    order_id = account.checkout.open_session(session, at).order_id
    account.checkout.pay(NewPayment(payment_method_token=purchase.method, order_id=order_id), at)


def _tell_management(account: Account, now: datetime) -> None:
    owned = {row.external_id: row for row in account.subscriptions.all}
    account.transitions.disable_autorenew(SubscriptionAsk(subs_id=owned["user-linus"].subs_id), now)
    account.transitions.pause(PauseAsk(subs_id=owned["user-mika"].subs_id, pause_till=now + timedelta(days=30)), now)
    payments = account.ledger.payments("user-ada")
    half = NewRefund(
        external_id="user-ada", order_id=payments[-1].source.order_id, amount=Decimal("4.99"), soft_refund=True
    )
    account.refunds.refund(half, now)
    whole = NewRefund(external_id="user-ines", order_id=account.ledger.payments("user-ines")[-1].source.order_id)
    account.refunds.refund(whole, now)
