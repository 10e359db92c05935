"""Several processes on one socket: started, replaced when they die, stopped together."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from socket import socket
from time import monotonic
from types import FrameType
from typing import Final

from gateway.telemetry import Log

START_SECONDS: Final = 30.0
"""After which a worker that does not serve is given up."""

POLL_SECONDS: Final = 0.2
"""Between two looks at the signals."""

FAILED: Final = 1
"""The exit code when a worker can't start, or had to be killed."""

Work = Callable[[socket, Callable[[], None]], int]
"""Serves on the socket, calls the function once it does, and returns an exit code."""


class _Worker:
    """One process, and the line to it: if either end dies, the other notices."""

    def __init__(self, work: Work, listening: socket) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._line, theirs = spawn.Pipe()
        self._began = monotonic()
        self._ready = False
        self.process = spawn.Process(target=_run, args=(work, listening, theirs))
        self.process.start()
        theirs.close()

    @property
    def ready(self) -> bool:
        """Whether it has begun to serve."""
        with suppress(EOFError, OSError):
            if not self._ready and self._line.poll():
                self._ready = self._line.recv()
        return self._ready

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.is_alive()

    @property
    def failed(self) -> bool:
        """Whether it ended by itself before it served, as any other would; to be killed says nothing."""
        return not self.ready and (self.process.exitcode or 0) > 0

    @property
    def late(self) -> bool:
        """Whether it should have begun to serve, and has not."""
        return not self.ready and monotonic() > self._began + START_SECONDS


class Workers:
    """The parent of all workers.

    Args:
        work: What each does; it must be picklable.
        listening: Shared by all.
        count: How many.
        stop_seconds: For a worker to stop in; then it is killed.
        log: What happens to workers.
        gone: Is told the process id of each that has ended before the others.
    """

    def __init__(
        self,
        work: Work,
        listening: socket,
        *,
        count: int,
        stop_seconds: float,
        log: Log,
        gone: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._gone = gone
        self._work = work
        self._listening = listening
        self._count = count
        self._stop_seconds = stop_seconds
        self._log = log
        self._workers: list[_Worker] = []
        self._signals: list[int] = []

    def run(self) -> int:
        """Keep the workers running until told to stop; SIGHUP replaces them one by one.

        Returns:
            The exit code: 0 if every worker ended by itself.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._heard)
        self._workers = [self._started() for _ in range(self._count)]
        while True:
            while self._signals:
                if self._signals.pop(0) != signal.SIGHUP:
                    return self._stop()
                self._replace_all()
            if not self._mended():
                self._stop()
                return FAILED
            wait([worker.process.sentinel for worker in self._workers], POLL_SECONDS)

    def _heard(self, number: int, _: FrameType | None) -> None:
        self._signals.append(number)

    @property
    def _told(self) -> bool:
        """Whether to stop altogether."""
        return any(number != signal.SIGHUP for number in self._signals)

    def _started(self) -> _Worker:
        return _Worker(self._work, self._listening)

    def _mended(self) -> bool:
        """Replace the workers that died; False if one can't even start, for then none would."""
        for index, worker in enumerate(self._workers):
            if worker.late or worker.failed:
                self._log.error("a worker did not start", pid=worker.process.pid, exit_code=worker.process.exitcode)
                return False
            if not worker.alive:
                self._log.error("a worker died", pid=worker.process.pid, exit_code=worker.process.exitcode)
                self._gone(worker.process.pid or 0)
                self._workers[index] = self._started()
        return True

    def _replace_all(self) -> None:
        """A new worker for each, which serves before the old one stops."""
        for index, old in enumerate(self._workers):
            new = self._started()
            while new.alive and not (new.ready or new.late or self._told):
                wait([new.process.sentinel], POLL_SECONDS)
            if self._told:
                new.process.kill()
                return
            if not (new.ready and new.alive):
                self._log.error("a new worker did not start, the old ones stay", pid=new.process.pid)
                new.process.kill()
                return
            self._workers[index] = new
            old.process.terminate()
            ends = monotonic() + self._stop_seconds
            while old.alive and monotonic() < ends and not self._told:
                wait([old.process.sentinel], POLL_SECONDS)
            if monotonic() >= ends:
                old.process.kill()
            self._gone(old.process.pid or 0)

    def _stop(self) -> int:
        self._listening.close()
        for worker in self._workers:
            worker.process.terminate()
        ends = monotonic() + self._stop_seconds
        while any(worker.alive for worker in self._workers):
            if self._signals or monotonic() > ends:
                for worker in self._workers:
                    worker.process.kill()
                return FAILED
            wait([worker.process.sentinel for worker in self._workers if worker.alive], POLL_SECONDS)
        cut_off = any(worker.ready and worker.process.exitcode for worker in self._workers)
        return FAILED if cut_off else 0


def _run(work: Work, listening: socket, line: Connection) -> None:
    """What a worker process does."""
    # Ctrl-C reaches all processes of a terminal; the parent tells when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_stop_with_parent, args=(line,), daemon=True).start()
    raise SystemExit(work(listening, lambda: line.send(True)))


def _stop_with_parent(line: Connection) -> None:
    """Wait for the other end to go, which it never does while the parent lives; then stop in the usual way."""
    with suppress(EOFError, OSError):
        line.recv()
    os.kill(os.getpid(), signal.SIGTERM)
