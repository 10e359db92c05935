"""Money as FunnelFox writes it: decimal strings in major units, and a currency."""

from decimal import Decimal

import msgspec

from clients.sandbox.refusals import Invalid

# More than any price, and few enough digits that every sum stays exact.
_MOST = Decimal(10_000_000)


class Currency(msgspec.Struct, frozen=True):
    """A currency as the vendor shows it inside price points and payments."""

    code: str
    minor_units: int
    title: str
    symbol: str


# Which currencies the vendor knows is not documented; a few of each number of minor units.
CURRENCIES = {
    currency.code: currency
    for currency in (
        Currency("USD", 2, "US Dollar", "$"),
        Currency("EUR", 2, "Euro", "€"),
        Currency("GBP", 2, "Pound Sterling", "£"),
        Currency("AUD", 2, "Australian Dollar", "A$"),
        Currency("BRL", 2, "Brazilian Real", "R$"),
        Currency("CAD", 2, "Canadian Dollar", "CA$"),
        Currency("CHF", 2, "Swiss Franc", "CHF"),
        Currency("INR", 2, "Indian Rupee", "₹"),
        Currency("MXN", 2, "Mexican Peso", "MX$"),
        Currency("PLN", 2, "Polish Zloty", "zł"),
        Currency("SEK", 2, "Swedish Krona", "kr"),
        Currency("JPY", 0, "Yen", "¥"),
        Currency("KRW", 0, "Won", "₩"),
        Currency("KWD", 3, "Kuwaiti Dinar", "KD"),
    )
}


def known_currency(code: str) -> Currency:
    """Return the currency of that code, or refuse the request."""
    try:
        return CURRENCIES[code]
    except KeyError:
        raise Invalid("currency_code: unknown currency") from None


def exact(amount: Decimal, currency: Currency, field: str) -> Decimal:
    """Return `amount` if the currency can express it, or refuse the request."""
    if not amount.is_finite() or not 0 <= amount < _MOST:
        raise Invalid(f"{field}: not an amount of money")
    rounded = rounded_to(amount, currency)
    if rounded != amount:
        raise Invalid(f"{field}: {currency.code} has {currency.minor_units} decimal places")
    return rounded


def rounded_to(amount: Decimal, currency: Currency) -> Decimal:
    """Round to the currency's smallest unit."""
    return amount.quantize(Decimal(1).scaleb(-currency.minor_units))


def minor(amount: Decimal, currency: Currency) -> int:
    """Return the amount in the currency's smallest unit, as the vendor's newer fields have it."""
    return int(amount.scaleb(currency.minor_units))
