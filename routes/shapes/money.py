"""Amounts: decimal strings in major units, never floats."""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Final

import msgspec

_PATTERN: Final = r"^[0-9]{1,15}(\.[0-9]{1,6})?\Z"
"""More digits than any price has, and few enough that none is lost."""

Amount = Annotated[
    str,
    msgspec.Meta(
        pattern=_PATTERN,
        description="Decimal string in major units, greater than 0, "
        "with no more digits after the point than the currency has.",
        examples=["9.99"],
    ),
]

_FORM: Final = re.compile(_PATTERN)

_ISO_CODE: Final = re.compile(r"[A-Z]{3}")

_USUAL_DIGITS: Final = 2

_UNUSUAL_DIGITS: Final[Mapping[str, int]] = MappingProxyType(
    dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    )
    | dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3)
    | dict.fromkeys(["CLF", "UYW"], 4)
)
"""Digits after the point, where they are not two (ISO 4217, list one)."""


MOST_DIGITS: Final = 30
"""Of an amount, before or after the point: more is no price, and to write it out could fill memory."""


def amount(value: Decimal | None) -> str | None:
    """The vendor's amount, digit for digit and without an exponent; None stays None."""
    whole = real(value)
    return None if whole is None else format(whole, "f")


def real(value: Decimal | None) -> Decimal | None:
    """A vendor's amount that is one: finite, and of a size that money has."""
    if value is None or not value.is_finite() or abs(value.adjusted()) > MOST_DIGITS:
        return None
    return value


def parsed(text: str, currency: str | None, *, minor_units: int | None = None) -> Decimal:
    """The amount that a caller wrote.

    Args:
        text: In major units.
        currency: Its code, in any case. If it is None, or has not the form of
            ISO 4217, how many digits an amount may have is left to the vendor.
        minor_units: How many digits the vendor gives the currency, where it has said so.

    Raises:
        ValueError: With a sentence: it is no plain decimal number, has too many
            digits, too many for its currency, or is not greater than 0.
    """
    if not _FORM.match(text):
        raise ValueError("Expected up to 15 digits, and if need be a point and up to 6 more, as in 9.99.")
    digits = minor_units if minor_units is not None else _digits(currency)
    if digits is not None and len(text.partition(".")[2]) > digits:
        raise ValueError(f"{currency} has {digits} digits after the point.")
    value = Decimal(text)
    if not value:
        raise ValueError("Expected an amount greater than 0.")
    return value


def _digits(currency: str | None) -> int | None:
    """How many digits an amount has after the point; None: nobody but the vendor knows."""
    code = (currency or "").upper()
    return _UNUSUAL_DIGITS.get(code, _USUAL_DIGITS) if _ISO_CODE.fullmatch(code) else None
