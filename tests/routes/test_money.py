"""Which texts are amounts of money."""

import re
from decimal import Decimal

import pytest

from routes.shapes.money import parsed


@pytest.mark.parametrize(
    ("text", "currency", "value"),
    [
        ("9.99", "USD", "9.99"),
        ("9.9", "usd", "9.9"),
        ("007", "USD", "7"),
        ("999999999999999.99", "EUR", "999999999999999.99"),
        ("1.234567", None, "1.234567"),
        ("1.234567", "GOLD", "1.234567"),
        ("1.234567", "", "1.234567"),
        ("980", "JPY", "980"),
        ("0.001", "BHD", "0.001"),
    ],
)
def test_a_plain_decimal_number_is_an_amount(text: str, currency: str | None, value: str) -> None:
    """Digit for digit; where the currency is not known, its digits are the vendor's affair."""
    assert parsed(text, currency) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "currency", "sentence"),
    [
        ("1e3", "USD", "Expected up to 15 digits, and if need be a point and up to 6 more, as in 9.99."),
        ("-1", "USD", "Expected up to 15 digits, and if need be a point and up to 6 more, as in 9.99."),
        ("NaN", None, "Expected up to 15 digits, and if need be a point and up to 6 more, as in 9.99."),
        ("1\n", None, "Expected up to 15 digits, and if need be a point and up to 6 more, as in 9.99."),
        ("9" * 16, None, "Expected up to 15 digits, and if need be a point and up to 6 more, as in 9.99."),
        ("0.001", "USD", "USD has 2 digits after the point."),
        ("1.0", "JPY", "JPY has 0 digits after the point."),
        ("0.00", "USD", "Expected an amount greater than 0."),
    ],
)
def test_anything_else_is_told_in_a_sentence(text: str, currency: str | None, sentence: str) -> None:
    """The sentence is for the caller's eyes."""
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        parsed(text, currency)
