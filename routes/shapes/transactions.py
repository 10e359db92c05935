"""Transactions: every attempt to move money, and how to page through them."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Final

import msgspec

from clients.billing import wire
from gateway.http.query import Readable
from gateway.http.rfc9457 import Fault
from gateway.problems import ValidationFailed
from routes.shapes.money import amount
from routes.shapes.page import CURSOR, Meta, Page
from routes.shapes.times import utc

OVERLAP: Final = timedelta(microseconds=1)
"""Each page asks from so much before the last row: whether the vendor's bound is inclusive is not documented."""

MOST_FROM_VENDOR: Final = 500
"""Rows of one page, as the vendor documents it."""

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(3000, 1, 1, tzinfo=UTC)

_DIGEST: Final = 6
"""Bytes that tell the rows of one moment apart."""


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to move money, successful or not.

    The names are the vendor's own; it documents few of their types.
    """

    trx_id: str
    trx_created_at: datetime | None
    order_id: str | None
    status: str | None
    """Its values are not documented by the vendor."""
    amount: str | None
    """Decimal string in major units of `currency_code`."""
    currency_code: str | None
    amount_usd: str | None
    pp_id: int | None
    pp_version: int | None
    is_cit: bool | None
    """Initiated by the customer, by its name."""
    integration_type: str | None
    region: str | None
    is_fallback: bool | None
    authorization_type: str | None
    is_vaulted: bool | None
    network: str | None

    psp: str | None
    psp_transaction_id: str | None
    psp_merchant_id: str | None
    psp_transaction_type: str | None
    psp_status: str | None
    psp_date: datetime | None
    psp_card_token_type: str | None
    psp_reason_message: str | None
    psp_reason_type: str | None
    psp_reason_code: str | None
    psp_reason_decline_type: str | None

    meta_subs_id: str | None
    meta_subs_iteration: str | int | None
    """Its type is not documented by the vendor; nor is that of the next."""
    meta_retry_step: str | int | None
    meta_oneoff_id: str | None
    meta_client_ff_project_id: str | None
    meta_client_ff_session_id: str | None
    meta_client_ff_price_id: str | None

    threeds_challenge_issued: bool | None
    threeds_protocol_version: str | None
    threeds_response_code: str | None
    threeds_reason_code: str | None
    threeds_reason_text: str | None

    pm_type: str | None
    pm_data_expiration_date: str | None
    pm_data_first6: str | None
    pm_data_last4: str | None
    pm_data_is_network_tokenized: bool | None
    pm_data_bin_account_funding_type: str | None
    pm_data_bin_account_number_type: str | None
    pm_data_bin_issuer_name: str | None
    pm_data_bin_issuer_country_code: str | None
    pm_data_bin_issuer_currency_code: str | None
    pm_data_bin_prepaid_reloadable_indicator: str | None
    pm_data_bin_product_code: str | None
    pm_data_bin_product_name: str | None
    pm_data_bin_product_usage_type: str | None
    pm_data_bin_regional_restriction: str | None

    @classmethod
    def public(cls, transaction: wire.Transaction) -> "Transaction":
        """The transaction in our words."""
        return cls(
            **(
                msgspec.structs.asdict(transaction)
                | {
                    "amount": amount(transaction.amount),
                    "amount_usd": amount(transaction.amount_usd),
                    "trx_created_at": utc(transaction.trx_created_at),
                    "psp_date": utc(transaction.psp_date),
                }
            )
        )


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: the time of its last row, and which rows of that very moment it held."""

    time: Annotated[datetime, msgspec.Meta(tz=True)]
    seen: tuple[bytes, ...] = ()
    """Empty: no page has ended here yet."""

    @classmethod
    def of(cls, cursor: str) -> "Position":
        """The position that a cursor stands for.

        Raises:
            ValidationFailed: It is not one of ours.
        """
        try:
            packed = base64.b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}", altchars=b"-_", validate=True)
            position = msgspec.msgpack.decode(packed, type=cls)
        except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
            raise _not_ours() from error
        if not EARLIEST <= position.time < LATEST:
            raise _not_ours()
        return position

    @property
    def cursor(self) -> str:
        """The position as an opaque text."""
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")

    @property
    def asks_from(self) -> datetime:
        """The moment from which the vendor is asked, so that no row falls between two pages."""
        return self.time - OVERLAP if self.seen else self.time

    def rows_to_ask(self, limit: int) -> int:
        """How many rows fill a page of `limit`, though some are known already."""
        return min(limit + len(self.seen), MOST_FROM_VENDOR)

    def precedes(self, row: Transaction) -> bool:
        """Whether no earlier page held the row."""
        if not self.seen:
            return True
        if row.trx_created_at is None:
            return _digest(row) not in self.seen
        return row.trx_created_at > self.time or (row.trx_created_at == self.time and _digest(row) not in self.seen)


TransactionCursor = Annotated[str | None, CURSOR, Readable(Position.of)]


def _not_ours() -> ValidationFailed:
    fault = Fault("/cursor", "Use the next_cursor of another page, as it is.", "query")
    return ValidationFailed("The cursor is not one of ours.", faults=[fault])


class Stuck(Exception):
    """More rows share one moment than the vendor gives at once, so that no page can follow."""


def transaction_page(
    rows: Sequence[Transaction], position: Position, *, limit: int, rows_asked: int
) -> Page[Transaction]:
    """The rows that come after `position`, each once.

    Args:
        rows: What the vendor gave from `position.asks_from` on, in any order.
        position: Where the page before ended.
        limit: The most rows on the page.
        rows_asked: How many the vendor was asked for; so many mean that there may be more.

    Raises:
        Stuck: There are more rows, and no way to ask for them.
    """
    fresh = sorted(filter(position.precedes, rows), key=_by_time)
    data = fresh[:limit]
    more = len(fresh) > limit or len(rows) >= rows_asked
    if more and not data:
        raise Stuck
    cursor = _after(position, data).cursor if more else None
    return Page(data=data, meta=Meta(count=len(data), next_cursor=cursor, fetched_at=datetime.now(UTC)))


def _after(position: Position, data: Sequence[Transaction]) -> Position:
    last = max((row.trx_created_at for row in data if row.trx_created_at is not None), default=position.time)
    held = [_digest(row) for row in data if row.trx_created_at in {last, None}]
    return Position(last, (*(position.seen if last == position.time else ()), *held))


def _digest(row: Transaction) -> bytes:
    return sha256(row.trx_id.encode()).digest()[:_DIGEST]


def _by_time(row: Transaction) -> tuple[datetime, str]:
    return row.trx_created_at or datetime.min.replace(tzinfo=UTC), row.trx_id
