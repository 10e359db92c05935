"""The transaction report, as the vendor sends it."""

from decimal import Decimal
from typing import Any

import msgspec


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to move money, successful or not.

    The vendor documents the names; of the types only those of the ids, of the
    versions and of two flags. What is text here is text to those who use it.

    Source: vendor's reference of /transaction_report.
    """

    trx_id: str
    trx_created_at: Any = None
    order_id: str | None = None
    status: str | None = None
    """Its values are not documented by the vendor."""
    amount: Decimal | None = None
    """In major units of `currency_code`."""
    currency_code: str | None = None
    amount_usd: Decimal | None = None
    pp_id: int | None = None
    pp_version: int | None = None
    is_cit: bool | None = None
    """Initiated by the customer, by its name."""
    integration_type: str | None = None
    region: str | None = None
    is_fallback: bool | None = None
    authorization_type: str | None = None
    is_vaulted: bool | None = None
    network: str | None = None

    psp: str | None = None
    psp_transaction_id: str | None = None
    psp_merchant_id: str | None = None
    psp_transaction_type: str | None = None
    psp_status: str | None = None
    psp_date: Any = None
    psp_card_token_type: str | None = None
    psp_reason_message: str | None = None
    psp_reason_type: str | None = None
    psp_reason_code: str | None = None
    psp_reason_decline_type: str | None = None

    meta_subs_id: str | None = None
    meta_subs_iteration: str | int | None = None
    """Its type is not documented by the vendor; nor is that of the next."""
    meta_retry_step: str | int | None = None
    meta_oneoff_id: str | None = None
    meta_client_ff_project_id: str | None = None
    meta_client_ff_session_id: str | None = None
    meta_client_ff_price_id: str | None = None

    threeds_challenge_issued: bool | None = None
    threeds_protocol_version: str | None = None
    threeds_response_code: str | None = None
    threeds_reason_code: str | None = None
    threeds_reason_text: str | None = None

    pm_type: str | None = None
    pm_data_expiration_date: str | None = None
    pm_data_first6: str | None = None
    pm_data_last4: str | None = None
    pm_data_is_network_tokenized: bool | None = None
    pm_data_bin_account_funding_type: str | None = None
    pm_data_bin_account_number_type: str | None = None
    pm_data_bin_issuer_name: str | None = None
    pm_data_bin_issuer_country_code: str | None = None
    pm_data_bin_issuer_currency_code: str | None = None
    pm_data_bin_prepaid_reloadable_indicator: str | None = None
    pm_data_bin_product_code: str | None = None
    pm_data_bin_product_name: str | None = None
    pm_data_bin_product_usage_type: str | None = None
    pm_data_bin_regional_restriction: str | None = None


class Transactions(msgspec.Struct, frozen=True, kw_only=True):
    """The data of /transaction_report."""

    transactions: list[Transaction] | None
