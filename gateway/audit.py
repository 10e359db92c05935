"""Who did what, to what, and how it ended: an append-only record of every change.

Every request that may change something is recorded before it is answered, and
so is every command of the operator. Neither secrets nor card data are in it:
the target holds identifiers only.
"""

import asyncio
import getpass
import secrets
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from clients.spans import background
from gateway.http.exchange import Exchange
from gateway.storage.audit_events import AuditRecord, AuditStore
from gateway.storage.database import Unavailable
from gateway.telemetry import Log

LONGEST: Final = 256
"""Characters of one identifier in a target."""

SWEEP_SECONDS: Final = 6 * 3600.0
"""Between two removals of what is too old."""

DAY_SECONDS: Final = 86400

UNANSWERED: Final = "unanswered"
"""The outcome where the caller left, or we crashed, before there was an answer."""


class Audit:
    """Records events.

    Args:
        store: Where they are kept.
        log: Where an event is written whole should the database fail, so that it is not lost.
        now: The current Unix time.
        keep_days: How long an event is kept.
    """

    def __init__(self, store: AuditStore, log: Log, *, now: Callable[[], float], keep_days: int) -> None:
        self._store = store
        self._log = log
        self._now = now
        self._keep_days = keep_days

    async def request(self, exchange: Exchange, action: str, status: int | None) -> None:
        """Record a request that was admitted; never fails.

        Args:
            exchange: The request.
            action: Its operation.
            status: Of the answer; None: there is none.
        """
        principal = exchange.principal
        assert principal is not None  # noqa: S101 - it was admitted
        if exchange.problem is not None:
            outcome = exchange.problem.code
        else:
            outcome = str(status) if status is not None else UNANSWERED
        await self._add(
            AuditRecord(
                id=self._id(),
                tenant=principal.tenant,
                mode=principal.mode,
                actor=principal.holder,
                subject=principal.subject,
                action=action,
                target={name: str(value)[:LONGEST] for name, value in exchange.target.items()},
                outcome=outcome,
                request_id=exchange.occurrence.request_id,
                trace_id=exchange.occurrence.trace_id,
            )
        )

    async def command(self, action: str, target: Mapping[str, str]) -> None:
        """Record what the operator did on the command line; never fails."""
        await self._add(
            AuditRecord(
                id=self._id(),
                tenant=None,
                mode=None,
                actor=f"cli:{_user()}",
                subject=None,
                action=action,
                target=dict(target),
                outcome="done",
                request_id=None,
                trace_id=None,
            )
        )

    async def sweep(self) -> None:
        """Remove what is too old, now and then, until cancelled."""
        while True:
            try:
                with background("remove old audit events"):
                    await self._store.forget(before=first_id(self._now() - self._keep_days * DAY_SECONDS))
            except Unavailable as error:
                self._log.warning("old audit events not removed", error=str(error))
            await asyncio.sleep(SWEEP_SECONDS)

    async def _add(self, record: AuditRecord) -> None:
        try:
            await self._store.add(record)
        except Unavailable as error:
            # What was done is done: the caller is told so, and the operator finds it here.
            self._log.error("audit event not stored", error=str(error), record=msgspec.to_builtins(record))

    def _id(self) -> str:
        return f"{first_id(self._now())}{secrets.token_hex(6)}"


def first_id(moment: float) -> str:
    """What the ids of all events at or after a Unix time are not smaller than."""
    return f"aud_{max(0, int(moment * 1000)):012x}"


def moment_of(event_id: str) -> float:
    """The Unix time of an event."""
    return int(event_id[4:16], 16) / 1000


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # A container's user need not have a name.
