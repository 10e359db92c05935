"""The 25 operations of FunnelFox Billing: body, key, and what each does."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from clients.sandbox.account import Account
from clients.sandbox.billing.catalog import Feature, PricePointChange, PricePointFilter
from clients.sandbox.billing.checkout import NewPayment, OneClick, Resumption
from clients.sandbox.billing.customers import UserSearch
from clients.sandbox.billing.migration import MigrationAsk
from clients.sandbox.billing.price_points import Terms
from clients.sandbox.billing.refunds import NewRefund
from clients.sandbox.billing.reports import (
    CustomerAsk,
    ReportAsk,
    oneoff_row,
    payment_row,
    reported,
    subscription_row,
    transaction_row,
)
from clients.sandbox.billing.sessions import NewSession, SessionChange, session_row
from clients.sandbox.billing.subscriptions import SubscriptionSearch
from clients.sandbox.billing.transitions import Deferral, DiscountAsk, PauseAsk, SubscriptionAsk

Effect = Callable[[Account, Any, datetime], object]
"""What an operation does: to the account, by the decoded body, at a moment. None is answered as `{}`."""


class Nothing(msgspec.Struct, frozen=True):
    """A body in which nothing is looked at."""


class File(msgspec.Struct, frozen=True):
    """An answer that is a CSV file, without an envelope."""

    content: bytes


class Upload(msgspec.Struct, frozen=True):
    """A body that is a CSV file."""

    content: bytes


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One operation."""

    ask: type[msgspec.Struct]
    effect: Effect
    public: bool = False
    """Needs no key: the vendor's own browser SDK calls it."""

    bodiless: bool = False
    """Whether the body may be left out."""


def _features(account: Account, _ask: Nothing, _at: datetime) -> object:
    # The item's fields are not documented; chosen here: the two that create takes.
    return {"features": account.catalog.features()}


def _search(account: Account, ask: SubscriptionSearch, _at: datetime) -> object:
    # The answer is not documented; chosen here: rows of /my_assets, and whose each is.
    found = account.subscriptions.search(ask)
    return {"subscriptions": [subscription_row(row) | {"external_id": row.external_id} for row in found]}


def _assets(account: Account, ask: CustomerAsk, _at: datetime) -> object:
    subscriptions, oneoffs = account.subscriptions.owned(ask.external_id)
    return {
        "subscriptions": [subscription_row(row) for row in subscriptions],
        "oneoffs": [oneoff_row(row) for row in oneoffs],
    }


def _payments(account: Account, ask: CustomerAsk, _at: datetime) -> object:
    return {"payments": [payment_row(paid) for paid in account.ledger.payments(ask.external_id)]}


def _report(account: Account, ask: ReportAsk, _at: datetime) -> object:
    return {"transactions": [transaction_row(row) for row in reported(account.ledger.transactions, ask)]}


def _users(account: Account, ask: UserSearch, _at: datetime) -> object:
    return {"users": [{"external_id": row.external_id} for row in account.customers.search(ask.email)]}


def _price_points(account: Account, ask: PricePointFilter, _at: datetime) -> object:
    return {"price_points": [row.wire() for row in account.catalog.price_points(ask)]}


def _session(account: Account, ask: NewSession, at: datetime) -> object:
    return session_row(account.checkout.open_session(ask, at), ask.country_code)


_TRANSITIONS: dict[str, Endpoint] = {
    "/subscription/enable_autorenew": Endpoint(
        ask=SubscriptionAsk, effect=lambda account, ask, at: account.transitions.enable_autorenew(ask, at)
    ),
    "/subscription/disable_autorenew": Endpoint(
        ask=SubscriptionAsk, effect=lambda account, ask, at: account.transitions.disable_autorenew(ask, at)
    ),
    "/subscription/migration": Endpoint(
        ask=MigrationAsk, effect=lambda account, ask, at: account.migration.migrate(ask, at)
    ),
    "/subscription/defer": Endpoint(ask=Deferral, effect=lambda account, ask, at: account.transitions.defer(ask, at)),
    "/subscription/pause": Endpoint(ask=PauseAsk, effect=lambda account, ask, at: account.transitions.pause(ask, at)),
    "/subscription/resume": Endpoint(
        ask=SubscriptionAsk, effect=lambda account, ask, at: account.transitions.resume(ask, at)
    ),
    "/discount": Endpoint(ask=DiscountAsk, effect=lambda account, ask, at: account.transitions.discount(ask, at)),
}

_CATALOG: dict[str, Endpoint] = {
    "/price_points": Endpoint(ask=PricePointFilter, effect=_price_points, public=True, bodiless=True),
    "/pp/create": Endpoint(ask=Terms, effect=lambda account, ask, _: account.catalog.create(ask)),
    "/pp/update": Endpoint(ask=PricePointChange, effect=lambda account, ask, _: account.catalog.update(ask)),
    "/pp/export_csv": Endpoint(
        ask=Nothing, effect=lambda account, _ask, _at: File(account.catalog.export()), bodiless=True
    ),
    "/pp/import_csv": Endpoint(ask=Upload, effect=lambda account, ask, _: account.catalog.import_rows(ask.content)),
    "/feature/create": Endpoint(ask=Feature, effect=lambda account, ask, _: account.catalog.create_feature(ask)),
    "/features": Endpoint(ask=Nothing, effect=_features, public=True),
}

_INFORMATION: dict[str, Endpoint] = {
    "/my_assets": Endpoint(ask=CustomerAsk, effect=_assets, public=True),
    "/subscription/search": Endpoint(ask=SubscriptionSearch, effect=_search),
    "/payments_history": Endpoint(ask=CustomerAsk, effect=_payments),
    "/transaction_report": Endpoint(ask=ReportAsk, effect=_report),
    "/search_users": Endpoint(ask=UserSearch, effect=_users),
}

_CHECKOUT: dict[str, Endpoint] = {
    "/checkout/create_client_session": Endpoint(ask=NewSession, effect=_session, public=True),
    "/checkout/update_client_session": Endpoint(
        ask=SessionChange, effect=lambda account, ask, at: account.checkout.change_session(ask, at), public=True
    ),
    "/checkout/create_payment": Endpoint(
        ask=NewPayment, effect=lambda account, ask, at: account.checkout.pay(ask, at), public=True
    ),
    "/checkout/resume_payment": Endpoint(
        ask=Resumption, effect=lambda account, ask, at: account.checkout.resume(ask, at), public=True
    ),
    "/checkout/one_click": Endpoint(
        ask=OneClick, effect=lambda account, ask, at: account.checkout.one_click(ask, at), public=True
    ),
    "/payment/refund": Endpoint(ask=NewRefund, effect=lambda account, ask, at: account.refunds.refund(ask, at)),
}

ENDPOINTS: Final = _CHECKOUT | _CATALOG | _TRANSITIONS | _INFORMATION
