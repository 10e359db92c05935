"""How FunnelFox shows what happened: assets, payments, transactions.

Times come in both forms that were seen of the vendor. Which field has which is
not documented; chosen here: without a zone on assets and payments, with `Z` in
the transaction report.
"""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from clients.sandbox.billing.currencies import rounded_to
from clients.sandbox.billing.customers import ExternalId
from clients.sandbox.billing.ledger import Transaction
from clients.sandbox.billing.payment_methods import last4
from clients.sandbox.billing.periods import as_utc
from clients.sandbox.billing.subscriptions import OneOff, Subscription


class CustomerAsk(msgspec.Struct, frozen=True, kw_only=True):
    """`/my_assets` and `/payments_history`."""

    external_id: ExternalId


class ReportAsk(msgspec.Struct, frozen=True, kw_only=True):
    """`/transaction_report`."""

    last_transaction_date: datetime
    subs_id: UUID | None = None
    order_id: UUID | None = None
    oneoff_id: UUID | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


def subscription_row(subscription: Subscription) -> dict[str, object]:
    """Show a subscription as `/my_assets` does."""
    return {
        "subs_id": subscription.subs_id,
        "is_active": subscription.is_active,
        "price_point": subscription.price_point.wire(),
        "status": subscription.statuses,
        "started_at": zoneless(subscription.started_at),
        "current_period_starts_at": zoneless(subscription.period_starts_at),
        "current_period_ends_at": zoneless(subscription.period_ends_at),
        "next_check_at": zoneless(subscription.next_check_at),
        "available_actions": subscription.actions,
        "initial_order_metadata": subscription.metadata,
        "iteration": subscription.iteration,
    }


def oneoff_row(oneoff: OneOff) -> dict[str, object]:
    """Show a one-off as `/my_assets` does."""
    return {
        "oneoff_id": oneoff.oneoff_id,
        "is_active": oneoff.revoked_at is None,
        "price_point": oneoff.price_point.wire(),
        "order_id": oneoff.order_id,
        "started_at": zoneless(oneoff.started_at),
        "revoked_at": zoneless(oneoff.revoked_at),
        "initial_order_metadata": oneoff.metadata,
    }


def payment_row(paid: Transaction) -> dict[str, object]:
    """Show a settled charge as `/payments_history` does."""
    currency = paid.source.price_point.currency
    return {
        "order_id": paid.source.order_id,
        "subs_id": paid.subs_id,
        "oneoff_id": paid.oneoff_id,
        "amount": str(rounded_to(paid.amount, currency)),
        "refunded": str(rounded_to(paid.refunded, currency)),
        "currency": currency,
        "created_at": zoneless(paid.at),
        "last4": last4(paid.source.method),
        "network": "VISA",
        "payment_method": "PAYMENT_CARD",
    }


def reported(transactions: list[Transaction], ask: ReportAsk) -> list[Transaction]:
    """Return the transactions of one page of the report.

    Whether the given moment itself is included is not documented; chosen here:
    it is not, so that the last one seen can be given as it is.
    """
    since = as_utc(ask.last_transaction_date)
    found = (
        row
        for row in transactions
        if row.at > since
        and ask.subs_id in {None, row.subs_id}
        and ask.order_id in {None, row.source.order_id}
        and ask.oneoff_id in {None, row.oneoff_id}
    )
    return sorted(found, key=lambda row: row.at)[: ask.limit]


def transaction_row(row: Transaction) -> dict[str, object]:
    """Show an attempt to charge as `/transaction_report` does; null is what no processor told."""
    source, currency = row.source, row.source.price_point.currency
    amount = str(rounded_to(row.amount, currency))
    declined = row.status == "declined"
    return {
        "order_id": source.order_id,
        "trx_id": row.trx_id,
        "amount": amount,
        "currency_code": currency.code,
        "amount_usd": amount if currency.code == "USD" else None,
        "status": row.status,
        "trx_created_at": zoned(row.at),
        "pp_id": source.price_point.pp_id,
        "pp_version": source.price_point.version,
        "is_cit": source.by_customer,
        "integration_type": source.integration_type,
        "region": source.region,
        "is_fallback": False,
        "meta_subs_id": row.subs_id,
        "meta_subs_iteration": row.iteration,
        "meta_retry_step": row.retry_step,
        "meta_oneoff_id": row.oneoff_id,
        "meta_client_ff_project_id": None,
        "meta_client_ff_session_id": None,
        "meta_client_ff_price_id": None,
        **_processor(row, declined=declined),
        **_card(source.method),
        "threeds_challenge_issued": row.challenged,
        "threeds_protocol_version": "2.2.0" if row.challenged else None,
        "threeds_response_code": None,
        "threeds_reason_code": None,
        "threeds_reason_text": None,
    }


def zoneless(moment: datetime | None) -> str | None:
    """Write a time in UTC without saying so."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def zoned(moment: datetime) -> str:
    """Write a time in UTC, as RFC 3339 has it."""
    return f"{zoneless(moment)}Z"


def _processor(row: Transaction, *, declined: bool) -> dict[str, object]:
    return {
        "psp": "FAKE",
        "psp_transaction_id": row.trx_id.hex,
        "psp_merchant_id": None,
        "psp_transaction_type": "SALE",
        "psp_status": row.status.upper(),
        "psp_date": zoned(row.at),
        "psp_card_token_type": None,
        "psp_reason_message": row.reason or None,
        "psp_reason_type": "ISSUER_DECLINE" if declined else None,
        "psp_reason_code": None,
        "psp_reason_decline_type": "SOFT_DECLINE" if declined else None,
        "authorization_type": "FINAL",
    }


def _card(method: str) -> dict[str, object]:
    unknown = dict.fromkeys(
        (
            "account_funding_type",
            "account_number_type",
            "issuer_name",
            "issuer_country_code",
            "issuer_currency_code",
            "prepaid_reloadable_indicator",
            "product_code",
            "product_name",
            "product_usage_type",
            "regional_restriction",
        )
    )
    return {
        "pm_type": "PAYMENT_CARD",
        "is_vaulted": True,
        **{f"pm_data_bin_{name}": value for name, value in unknown.items()},
        "network": "VISA",
        "pm_data_expiration_date": None,
        "pm_data_first6": None,
        "pm_data_last4": last4(method),
        "pm_data_is_network_tokenized": False,
    }
