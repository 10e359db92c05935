"""How lines of the log get out: together, where there are many, and none is lost when the process ends."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from select import PIPE_BUF
from threading import Lock, Timer
from typing import Final
from weakref import finalize

HELD_SECONDS: Final = 0.1
"""For which a line may wait for others; a process that is killed outright takes so much along."""

MOST_HELD: Final = 200
"""Lines that wait; with one more, all are written."""

Write = Callable[[str], object]
"""Takes whole lines."""


class Together:
    """Writes lines in batches.

    Args:
        write: Is given several lines at once.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._held: list[bytes] = []
        self._lock = Lock()
        self._due = False
        # When the process ends, or nobody can add a line any more.
        finalize(self, _write_out, self._held, self._lock, write)

    def add(self, line: bytes) -> None:
        """Have a line, given without its end, written soon; by another thread as a rule."""
        self._held.append(line)
        if len(self._held) > MOST_HELD:
            self.flush()
        elif not self._due:
            self._due = True
            timer = Timer(HELD_SECONDS, self._in_time)
            timer.daemon = True
            try:
                timer.start()
            except RuntimeError:  # No thread can be had: there are too many, or Python is about to end.
                self._in_time()

    def _in_time(self) -> None:
        self._due = False  # Before they are taken: a line that comes too late for this asks for another.
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        _write_out(self._held, self._lock, self._write)


def _write_out(held: list[bytes], lock: Lock, write: Write) -> None:
    # A log that can't be written, on a full disk or after a closed pipe, fails no request.
    with lock, suppress(OSError, ValueError):
        count = len(held)
        if count:
            lines = b"\n".join(held[:count]) + b"\n"
            del held[:count]
            for portion in _portions(lines):
                write(portion.decode())


def _portions(lines: bytes) -> Iterator[bytes]:
    """Whole lines, and no more at once than a pipe takes whole: lines of several workers are never torn."""
    begin = 0
    while begin < len(lines):
        # A line that is longer goes alone.
        end = lines.rfind(b"\n", begin, begin + PIPE_BUF) + 1 or lines.index(b"\n", begin) + 1
        yield lines[begin:end]
        begin = end
