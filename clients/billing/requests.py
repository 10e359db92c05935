"""How values are written into a request: amounts, times, and what is left out."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Body = dict[str, Any]
"""A request's JSON object."""


def given(**fields: object) -> Body:
    """The fields that have a value: what is None is left out, never sent as null."""
    return {name: value for name, value in fields.items() if value is not None}


def with_vendor_fields(known: Body, vendor_fields: Mapping[str, Any] | None, *, reserved: Collection[str]) -> Body:
    """A body together with fields that only the caller knows to exist.

    Args:
        known: What the client itself has written.
        vendor_fields: Forwarded as they are.
        reserved: Names that the client alone may write, those in `known`
            included: under these, `vendor_fields` is passed over.
    """
    extra = {name: value for name, value in (vendor_fields or {}).items() if name not in reserved}
    return extra | known


def amount(value: Decimal) -> str:
    """Money as the vendor has it: a decimal string in major units, without an exponent.

    Raises:
        ValueError: It is no number, or infinite.

    Source: FunnelFox seed, "Response format", where amounts are strings; the
    reference types those of requests as a string or a number.
    """
    if not value.is_finite():
        raise ValueError(f"{value} is no amount of money")
    return format(value, "f")


def moment(value: datetime) -> str:
    """A time as RFC 3339 in UTC, with `Z`, as the vendor's reference has it.

    Raises:
        ValueError: It has no zone, so it is no moment.
    """
    if value.utcoffset() is None:
        raise ValueError(f"{value.isoformat()} has no time zone")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
