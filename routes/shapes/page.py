"""Lists: one page of rows, and where the next one begins."""

import base64
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter

from gateway.http.query import Readable
from gateway.http.rfc9457 import Fault
from gateway.problems import ValidationFailed

T = TypeVar("T")
R = TypeVar("R")
U = TypeVar("U")

DEFAULT_LIMIT: Final = 100
MOST_ROWS: Final = 500

Limit = Annotated[int, QueryParameter(ge=1, le=MOST_ROWS, description="The most rows on a page.")]
CURSOR: Final = QueryParameter(description="`meta.next_cursor` of the page before.", max_length=8000)


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """About a page."""

    count: int
    """Rows on this page."""
    next_cursor: str | None
    """Give it as `cursor` to get the next page; null: there is none."""
    fetched_at: datetime
    """When the vendor gave these rows."""


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list."""

    data: list[T]
    meta: Meta

    def showing(self, rows: list[U]) -> "Page[U]":
        """The same page with `rows` in place of its own; the next page begins where it would have."""
        return Page(data=rows, meta=msgspec.structs.replace(self.meta, count=len(rows)))


def page(
    rows: Sequence[T], *, key: Callable[[T], str], limit: int, cursor: str | None, fetched_at: datetime | None = None
) -> Page[T]:
    """The rows after `cursor`, sorted by `key`.

    A page begins after a key and not at a position, so that a row that comes or
    goes between two pages neither repeats nor hides another.

    Raises:
        ValidationFailed: `cursor` is not one of ours.
    """
    ordered = sorted(rows, key=key)
    first = bisect_right(ordered, key_of(cursor), key=key) if cursor is not None else 0
    data = ordered[first : first + limit]
    more = cursor_of(key(data[-1])) if len(ordered) > first + limit else None
    return Page(data=data, meta=Meta(count=len(data), next_cursor=more, fetched_at=fetched_at or datetime.now(UTC)))


def page_from(found: Sequence[R], *, key: Callable[[R], str], limit: int, shown: Callable[[R], T]) -> Page[T]:
    """One page of rows that were sorted and cut where they are kept.

    Args:
        found: The rows after the cursor: `limit` and one more, if there are so many.
        key: Where a row stands; `key_of` gives it back from the cursor.
        limit: The most rows on a page.
        shown: A row as callers see it.
    """
    data = found[:limit]
    more = cursor_of(key(data[-1])) if len(found) > limit else None
    meta = Meta(count=len(data), next_cursor=more, fetched_at=datetime.now(UTC))
    return Page(data=[shown(row) for row in data], meta=meta)


def cursor_of(key: str) -> str:
    """The cursor of the page that begins after `key`."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def key_of(cursor: str) -> str:
    """After what the page of this cursor begins.

    Raises:
        ValidationFailed: It is not one of ours.
    """
    try:
        return base64.b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}", altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise no_cursor() from error


def no_cursor() -> ValidationFailed:
    """What a cursor that is not one of ours is told."""
    fault = Fault("/cursor", "Use the next_cursor of another page, as it is.", "query")
    return ValidationFailed("The cursor is not one of ours.", faults=[fault])


Cursor = Annotated[str | None, CURSOR, Readable(key_of)]
