"""A file of price points, read only as far as every such file must hold: its columns are the vendor's own affair."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, cast

import msgspec

from clients.billing import wire
from gateway.http.body import MOST_FAULTS
from gateway.http.rfc9457 import Fault, escaped
from gateway.problems import ValidationFailed
from routes.shapes.missing import Missing

BOM: Final = b"\xef\xbb\xbf"
"""What spreadsheets put before UTF-8; no part of the first column's name."""

IDENT: Final = re.compile(r"[-A-Za-z_0-9]{1,256}")
"""Every name that a price point can have, as the vendor documents it."""

# What OWASP lists under CSV injection. No price is negative, so a minus begins nothing that is wanted here.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")

_HEADER_LINE: Final = 1


class PricePointImport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows of a file, in its order: found by reading the price points before and after."""

    inserted: list[str] | None
    """Those that were not there before and are now; null: unknown."""
    skipped_existing: list[str]
    """Those that were there before: the vendor leaves them as they are."""
    absent: list[str] | None
    """Those that are still not there; null: unknown."""
    missing: list[Missing] = []

    @classmethod
    def seen(
        cls, idents: Sequence[str], *, before: Sequence[wire.PricePoint], after: Sequence[wire.PricePoint]
    ) -> "PricePointImport":
        """What became of `idents`; each is in one of the three lists."""
        were, are = ({point.ident for point in points} for points in (before, after))
        return cls(
            inserted=[ident for ident in idents if ident in are and ident not in were],
            skipped_existing=[ident for ident in idents if ident in are and ident in were],
            absent=[ident for ident in idents if ident not in are],
        )

    @classmethod
    def unseen(
        cls, idents: Sequence[str], *, before: Sequence[wire.PricePoint], missing: list[Missing]
    ) -> "PricePointImport":
        """What is known without reading the price points again."""
        were = {point.ident for point in before}
        skipped = [ident for ident in idents if ident in were]
        return cls(inserted=None, skipped_existing=skipped, absent=None, missing=missing)


def idents(file: bytes) -> list[str]:
    """The idents of a file's rows, in order.

    Args:
        file: Without a byte order mark.

    Raises:
        ValidationFailed: It is no file of price points, with up to
            `MOST_FAULTS` faults: each points to a line and a column.
    """
    found: list[str] = []
    faults = [*islice(_faults(file, found), MOST_FAULTS)]
    if faults:
        many = "One thing is" if len(faults) == 1 else f"{len(faults)} things are"
        raise ValidationFailed(f"{many} wrong with the file; nothing was imported.", faults=faults)
    return found


def _faults(file: bytes, found: list[str]) -> Iterator[Fault]:
    """Everything wrong with the file; fills `found` on the way."""
    try:
        text = file.decode()
    except UnicodeDecodeError:
        yield from _undecodable(file)
        return
    rows = _rows(text)
    header = next(rows, None)
    if header is None:
        yield _fault(_HEADER_LINE, None, "The file is empty.")
    elif isinstance(header, Fault):
        yield header
    else:
        line, names = header
        yield from _header_faults(line, names)
        yield from _row_faults(rows, names, found)


def _undecodable(file: bytes) -> Iterator[Fault]:
    for line, content in enumerate(file.splitlines(), start=1):
        try:
            content.decode()
        except UnicodeDecodeError as error:
            yield _fault(line, None, f"Byte {error.start + 1} is not UTF-8.")


_CELLS: Final = re.compile(r'(?:(?:"(?:[^"]|"")*+"|[^",\r\n]*+)(?:,|\r\n|\n|\r|\Z))*+')
"""Every cell of a well-formed file: quoted as a whole, or without a quote."""


def _rows(text: str) -> Iterator[tuple[int, list[str]] | Fault]:
    """Each row that is not blank and the line on which it begins; where quotes go wrong, a last fault."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield _fault(line, None, f"The row can't be read: {error}.")
            return
        if row is None:
            yield from _stray_quote(text)
            return
        if row:
            yield line, row


def _stray_quote(text: str) -> Iterator[Fault]:
    """What the reader lets pass: a quote within a cell that is not quoted as a whole."""
    readable = cast("re.Match[str]", _CELLS.match(text)).end()
    if readable < len(text):
        line = text.count("\n", 0, readable) + 1
        yield _fault(line, None, "The row can't be read: a quote stands where none can.")


def _header_faults(line: int, names: list[str]) -> Iterator[Fault]:
    if "ident" not in names:
        yield _fault(line, "ident", "The header has no column of this name.")
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not name.strip():
            yield _fault(line, str(number), f"Column {number} has no name.")
        elif name in seen:
            yield _fault(line, name, "The header has this column twice.")
        elif problem := _unsafe(name):
            yield _fault(line, name, problem)
        seen.add(name)


def _row_faults(rows: Iterator[tuple[int, list[str]] | Fault], names: list[str], found: list[str]) -> Iterator[Fault]:
    place = names.index("ident") if "ident" in names else None
    lines: dict[str, int] = {}
    empty = True
    for row in rows:
        empty = False
        if isinstance(row, Fault):
            yield row
            return
        line, cells = row
        if len(cells) != len(names):
            yield _fault(line, None, f"The row has {len(cells)} cells, the header {len(names)}.")
            continue
        for name, cell in zip(names, cells, strict=True):
            if problem := _unsafe(cell):
                yield _fault(line, name, problem)
        if place is None:
            continue
        ident = cells[place]
        if not IDENT.fullmatch(ident):
            yield _fault(line, "ident", "Expected 1 to 256 of A-Z, a-z, 0-9, _ and -.")
        elif first := lines.get(ident):
            yield _fault(line, "ident", f"The same ident as on line {first}.")
        else:
            lines[ident] = line
            found.append(ident)
    if empty:
        yield _fault(_HEADER_LINE + 1, None, "There is no row below the header.")


def _unsafe(cell: str) -> str | None:
    """What must not travel on in a cell; None: nothing."""
    if cell.startswith(_FORMULA):
        return "The cell begins a formula."
    return "The cell holds a NUL." if "\0" in cell else None


def _fault(line: int, column: str | None, detail: str) -> Fault:
    pointer = f"/{line}" if column is None else f"/{line}/{escaped(column)}"
    return Fault(pointer, f"Line {line}: {detail}")
