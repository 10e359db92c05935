"""The log: one line per event, as JSON for machines or as text for people.

There is one for each request, so a line costs two or three microseconds: no
chain of processors, one encoder.
"""

import logging
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from time import monotonic, time_ns
from typing import Any, Final, Literal, TextIO

import msgspec
from typing_extensions import override

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["json", "console"]

LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

REPEAT_SECONDS: Final = 60.0
"""A library that says the same again and again is heard once in this time."""

LONGEST_TEXT: Final = 4096
"""Characters of what a library says."""

_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/{}+@-]{1,200}")
"""A value that people can read without quotes."""

_COLOURS: Final[Mapping[str, str]] = {"debug": "2", "info": "32", "warning": "33", "error": "31"}


class Log:
    """Writes lines.

    What is passed beside the event stands in the line by its name; None stands
    for nothing. Values are identifiers and numbers, never what a caller or a
    vendor wrote in a body.

    Args:
        write: Is given each line, with its end.
        level: The least severe level that is written.
        form: How a line looks.
    """

    def __init__(self, write: Callable[[str], object], *, level: str, form: str) -> None:
        self._write = write
        self._least = LEVELS[level]
        self._render = _console if form == "console" else _json

    def tells(self, level: str) -> bool:
        """Whether lines of a level are written, for those to whom a line is work."""
        return LEVELS[level] >= self._least

    def debug(self, event: str, **fields: object) -> None:
        """Tell what only helps to find a fault of ours."""
        self._line("debug", event, fields, None)

    def info(self, event: str, **fields: object) -> None:
        """Tell what happens in the ordinary way."""
        self._line("info", event, fields, None)

    def warning(self, event: str, **fields: object) -> None:
        """Tell what someone should look at, some day."""
        self._line("warning", event, fields, None)

    def error(self, event: str, *, exc_info: BaseException | None = None, **fields: object) -> None:
        """Tell what should not happen, with the exception that shows it."""
        self._line("error", event, fields, exc_info)

    def exception(self, event: str, **fields: object) -> None:
        """Tell what should not happen, with the exception that is being handled."""
        self._line("error", event, fields, sys.exception())

    def _line(self, level: str, event: str, fields: dict[str, object], error: BaseException | None) -> None:
        if LEVELS[level] < self._least:
            return
        told = fields if None not in fields.values() else _without_none(fields)
        if error is not None:
            # Without the values of local variables: tokens and vendor credentials are among them.
            told["exception"] = "".join(traceback.format_exception(error))
        now = _now()
        # A log that can't be written, on a full disk or after a closed pipe, fails no request.
        with suppress(OSError, ValueError):
            self._write(self._render(now, level, event, told))


def logger(level: str, form: str, stream: TextIO | None = None) -> Log:
    """A log that writes to a stream.

    Args:
        level: The least severe level that is written; a key of `LEVELS`.
        form: `json` for machines, `console` for people.
        stream: Standard error by default.
    """
    # Looked up each time: whoever runs us may put another in its place.
    return Log(stream.write if stream is not None else _to_standard_error, level=level, form=form)


def _to_standard_error(line: str) -> None:
    sys.stderr.write(line)


def _without_none(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _now() -> str:
    """This moment, as RFC 3339 to the millisecond."""
    seconds, rest = divmod(time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1_000_000:03d}Z"


@lru_cache(maxsize=4)  # Hundreds of lines are written in the same second.
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _json(now: str, level: str, event: str, fields: dict[str, Any]) -> str:
    line = {"timestamp": now, "level": level, "event": event, **fields}
    try:
        return _ENCODER.encode(line).decode() + "\n"
    except (UnicodeEncodeError, TypeError):  # Half a character, or a key that is no text: said otherwise.
        told = {"fields": ascii(fields)}
        return msgspec.json.encode({"timestamp": now, "level": level, "event": ascii(event), **told}).decode() + "\n"


def _console(now: str, level: str, event: str, fields: dict[str, Any]) -> str:
    error = fields.pop("exception", None)
    values = "".join(f"  {name}={_readable(value)}" for name, value in fields.items())
    coloured = f"\x1b[{_COLOURS[level]}m{level:7}\x1b[0m" if sys.stderr.isatty() else f"{level:7}"
    return f"{now[11:-1]} {coloured} {event}{values}\n{error or ''}"


def _readable(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else ascii(text)


class _Adopted(logging.Handler):
    """Writes what libraries have to say in our own form."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log
        self._heard: dict[tuple[str, str], float] = {}

    @override
    def emit(self, record: logging.LogRecord) -> None:
        said = (record.name, str(record.msg))
        now = monotonic()
        if now - self._heard.get(said, float("-inf")) < REPEAT_SECONDS:
            return
        if len(self._heard) > LONGEST_TEXT:
            self._heard.clear()
        self._heard[said] = now
        try:
            text = record.getMessage()[:LONGEST_TEXT]
        except (TypeError, ValueError):  # A library's mistake; its template alone says enough.
            text = str(record.msg)[:LONGEST_TEXT]
        error = record.exc_info[1] if record.exc_info else None
        if record.levelno >= logging.ERROR:
            self._log.error(text, exc_info=error, logger=record.name)
        else:
            self._log.warning(text, logger=record.name)


def adopt_stdlib(log: Log) -> None:
    """Have what libraries say written by our log, for the whole process.

    Only warnings and errors: below them are words that help nobody, and at
    debug some libraries write values that no log may hold.
    """
    root = logging.getLogger()
    root.handlers[:] = [_Adopted(log)]
    root.setLevel(logging.WARNING)
