"""Price points as a CSV file.

Neither columns nor content type are documented by the vendor; chosen here: a
header line with the field names of `/pp/create`, an empty cell for null, and
the features as one comma-separated cell, a form that `/pp/create` takes too.
"""

import csv
import io
from collections.abc import Iterable, Iterator

import msgspec

from clients.sandbox.billing.price_points import Terms
from clients.sandbox.refusals import Invalid

COLUMNS = Terms.__struct_fields__

# More rows than a catalogue holds are refused before they are read.
_MAX_ROWS = 5000
# A word processor's first three bytes, which are no part of the first column's name.
_BOM = b"\xef\xbb\xbf"


def written(rows: Iterable[Terms]) -> bytes:
    """Write the file."""
    file = io.StringIO(newline="")
    table = csv.DictWriter(file, COLUMNS)
    table.writeheader()
    for terms in rows:
        cells = {name: getattr(terms, name) for name in COLUMNS}
        table.writerow(cells | {"features": ",".join(terms.feature_idents)})
    return file.getvalue().encode()


def parsed_rows(file: bytes) -> Iterator[Terms]:
    """Read the file; refuse it at the first row that is no price point, naming the line."""
    try:
        text = file.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        raise Invalid("file: not UTF-8") from None
    table = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if not {"ident", "intro_type", "currency_code", "features"} <= set(table.fieldnames or ()):
            raise Invalid("file: the first line must name ident, intro_type, currency_code and features")
        for number, row in enumerate(table):
            if number >= _MAX_ROWS:
                raise Invalid(f"file: more than {_MAX_ROWS} rows")
            yield _terms(row, table.line_num)
    except csv.Error as error:
        raise Invalid(f"line {table.line_num}: {error}") from None


def _terms(row: dict[str | None, str | list[str] | None], line: int) -> Terms:
    # A surplus cell is filed under None, a missing one is None.
    if None in row or None in row.values():
        raise Invalid(f"line {line}: as many cells as the first line has")
    filled = {name: cell for name, cell in row.items() if cell}
    try:
        # Lax, because in a file every number is text.
        return msgspec.convert(filled, Terms, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"line {line}: {error}") from None
