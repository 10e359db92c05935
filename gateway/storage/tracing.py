"""One span per statement, where a trace is kept: what was asked, never with which values."""

import re
from functools import partial
from typing import Any, Final

from opentelemetry.semconv.attributes.db_attributes import (
    DB_COLLECTION_NAME,
    DB_OPERATION_NAME,
    DB_QUERY_TEXT,
    DB_SYSTEM_NAME,
)
from opentelemetry.trace import Span
from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext

from clients.spans import mark, started

LONGEST_STATEMENT: Final = 1000
"""Characters of a statement's text."""

_TABLE: Final = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+\"?(\w+)", re.IGNORECASE)
_TEXT: Final = re.compile(r"'(?:[^']|'')*'")

_SPAN: Final = "gateway_span"


def trace_statements(engine: Engine) -> None:
    """Have every statement of an engine make a span below the one that is current."""
    system = engine.dialect.name

    def began(*told: Any) -> None:
        statement, context = told[2], told[4]
        if context is not None and (span := started(partial(_named, statement, system))) is not None:
            setattr(context, _SPAN, span)

    def ended(*told: Any) -> None:
        _end(told[4], None)

    def failed(failure: ExceptionContext) -> None:
        _end(failure.execution_context, failure.original_exception)

    event.listen(engine, "before_cursor_execute", began)
    event.listen(engine, "after_cursor_execute", ended)
    event.listen(engine, "handle_error", failed)


def _named(statement: str, system: str) -> tuple[str, dict[str, str]]:
    operation = statement.split(None, 1)[0].upper() if statement.strip() else "?"
    table = _TABLE.search(statement)
    told = {
        DB_SYSTEM_NAME: system,
        DB_OPERATION_NAME: operation,
        # Values travel beside the text; a literal in it would be ours, and is left out all the same.
        DB_QUERY_TEXT: _TEXT.sub("?", statement)[:LONGEST_STATEMENT],
    }
    if table is None:
        return operation, told
    return f"{operation} {table[1]}", told | {DB_COLLECTION_NAME: table[1]}


def _end(context: Any, error: BaseException | None) -> None:
    span: Span | None = getattr(context, _SPAN, None)
    if span is None:
        return
    delattr(context, _SPAN)
    if error is not None:
        mark(span, error)
    span.end()
