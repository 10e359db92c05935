"""The log: one line per event, as JSON for machines or as text for people.

There is one for each request, so a line costs a microsecond or two: no chain
of processors, one encoder, and they are written together: what is no warning, and
what is told of every request, so that a crowd of failures costs no more than another.
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

from gateway.telemetry.writing import Together

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


class Line(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A line that is written often; what is None is left out."""

    timestamp: str = ""
    """The log fills this in, and the next."""
    level: str = ""
    event: str


class Log:
    """Writes lines.

    What is passed beside the event stands in the line by its name; None stands
    for nothing. Values are identifiers and numbers, never what a caller or a
    vendor wrote in a body.

    Args:
        write: Is given each line, with its end.
        level: The least severe level that is written.
        form: How a line looks.
        together: Takes the lines that can wait a moment; None: no line can.
    """

    def __init__(
        self, write: Callable[[str], object], *, level: str, form: str, together: Together | None = None
    ) -> None:
        self._write = write
        self._least = LEVELS[level]
        self._render = _console if form == "console" else _json
        self._together = together

    def tells(self, level: str) -> bool:
        """Whether lines of a level are written, for those to whom a line is work."""
        return LEVELS[level] >= self._least

    def line(self, level: Level, line: Line) -> None:
        """Tell what happens all the time, so that even an error waits for others."""
        if LEVELS[level] < self._least:
            return
        line.timestamp = _now()
        line.level = level
        if self._render is _json:
            try:
                self._put(_ENCODER.encode(line), waits=True)
            except UnicodeEncodeError:  # Half a character.
                pass
            else:
                return
        fields = {name: value for name, value in msgspec.structs.asdict(line).items() if value is not None}
        now, event = fields.pop("timestamp"), fields.pop("event")
        del fields["level"]
        self._put(self._render(now, level, event, fields), waits=True)

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

    def flush(self) -> None:
        """Write the lines that wait for others."""
        if self._together is not None:
            self._together.flush()

    def _line(self, level: str, event: str, fields: dict[str, object], error: BaseException | None) -> None:
        if LEVELS[level] < self._least:
            return
        told = fields if None not in fields.values() else _without_none(fields)
        if error is not None:
            # Without the values of local variables: tokens and vendor credentials are among them.
            told["exception"] = "".join(traceback.format_exception(error))
        self._put(self._render(_now(), level, event, told), waits=LEVELS[level] < logging.WARNING)

    def _put(self, line: bytes, *, waits: bool) -> None:
        if self._together is not None:
            self._together.add(line)
            if not waits:
                self._together.flush()
            return
        # A log that can't be written, on a full disk or after a closed pipe, fails no request.
        with suppress(OSError, ValueError):
            self._write(line.decode() + "\n")


def logger(level: str, form: str, stream: TextIO | None = None) -> Log:
    """A log that writes to a stream.

    Args:
        level: The least severe level that is written; a key of `LEVELS`.
        form: `json` for machines, `console` for people.
        stream: Standard error by default, to which lines for machines may come a moment later.
    """
    if stream is not None:
        return Log(stream.write, level=level, form=form)
    together = Together(_to_standard_error) if form == "json" else None
    return Log(_to_standard_error, level=level, form=form, together=together)


def _to_standard_error(line: str) -> None:
    # Looked up each time: whoever runs us may put another in its place.
    sys.stderr.write(line)


def _without_none(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _now() -> str:
    """This moment, as RFC 3339 to the millisecond."""
    seconds, milliseconds = divmod(time_ns() // 1_000_000, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=2)  # Nearly all lines are written in the same second as the one before.
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def _json(now: str, level: str, event: str, fields: dict[str, Any]) -> bytes:
    line = {"timestamp": now, "level": level, "event": event, **fields}
    try:
        return _ENCODER.encode(line)
    except (UnicodeEncodeError, TypeError):  # Half a character, or a key that is no text: said otherwise.
        told = {"fields": ascii(fields)}
        return msgspec.json.encode({"timestamp": now, "level": level, "event": ascii(event), **told})


def _console(now: str, level: str, event: str, fields: dict[str, Any]) -> bytes:
    error = "\n" + fields.pop("exception").rstrip() if "exception" in fields else ""
    values = "".join(f"  {name}={_readable(value)}" for name, value in fields.items())
    coloured = f"\x1b[{_COLOURS[level]}m{level:7}\x1b[0m" if sys.stderr.isatty() else f"{level:7}"
    return f"{now[11:-1]} {coloured} {event}{values}{error}".encode(errors="backslashreplace")


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
