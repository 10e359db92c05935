"""Amounts: decimal strings in major units, never floats."""

from decimal import Decimal


def amount(value: Decimal | None) -> str | None:
    """The vendor's amount, digit for digit and without an exponent; None stays None."""
    if value is None or not value.is_finite():
        return None
    return format(value, "f")
