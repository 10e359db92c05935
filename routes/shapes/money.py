"""Amounts: decimal strings in major units, never floats."""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Final

import msgspec

LONGEST_AMOUNT: Final = 32
"""Characters; more than any price has, and few enough that every digit is kept."""

Amount = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]+(\.[0-9]+)?\Z",
        max_length=LONGEST_AMOUNT,
        description="A decimal string in major units, greater than 0, "
        "with no more digits after the point than the currency has.",
        examples=["9.99"],
    ),
]

_FORM: Final = re.compile(r"[0-9]+(?:\.(?P<fraction>[0-9]+))?")

_ISO_CODE: Final = re.compile(r"[A-Z]{3}")

_USUAL_DIGITS: Final = 2

_UNUSUAL_DIGITS: Final[Mapping[str, int]] = MappingProxyType(
    dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0)
    | dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3)
    | dict.fromkeys("CLF UYW".split(), 4)
)
"""Digits after the point, where they are not two (ISO 4217, list one)."""


def amount(value: Decimal | None) -> str | None:
    """The vendor's amount, digit for digit and without an exponent; None stays None."""
    if value is None or not value.is_finite():
        return None
    return format(value, "f")


def parsed(text: str, currency: str | None) -> Decimal:
    """The amount that a caller wrote.

    Args:
        text: In major units.
        currency: Its code, in any case. If it is None, or has not the form of
            ISO 4217, how many digits an amount may have is left to the vendor.

    Raises:
        ValueError: With a sentence: it is no plain decimal number, too long,
            too fine for the currency, or not greater than 0.
    """
    if len(text) > LONGEST_AMOUNT:
        raise ValueError(f"An amount has at most {LONGEST_AMOUNT} characters.")
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError("Expected digits, and a point with digits after it if need be, as in 9.99.")
    digits = _digits(currency)
    if digits is not None and len(form["fraction"] or "") > digits:
        raise ValueError(f"{currency} has {digits} digits after the point.")
    value = Decimal(text)
    if not value:
        raise ValueError("Expected an amount greater than 0.")
    return value


def _digits(currency: str | None) -> int | None:
    """How many digits an amount has after the point; None: nobody but the vendor knows."""
    code = (currency or "").upper()
    return _UNUSUAL_DIGITS.get(code, _USUAL_DIGITS) if _ISO_CODE.fullmatch(code) else None
