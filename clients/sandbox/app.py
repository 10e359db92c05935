"""The ASGI application: whose request it is, what goes wrong with it, and the answer."""

import asyncio
import logging

from clients.sandbox.arrivals import Receive, Request, Scope, Send, arrived
from clients.sandbox.control import PREFIX, Control
from clients.sandbox.disruptions import disrupt
from clients.sandbox.emulator import Sandbox
from clients.sandbox.replies import Reply
from clients.sandbox.spoilage import spoilt
from clients.sandbox.vendor import Operation, Vendor
from clients.sandbox.wire import EXTENSION, Wire

_LOG = logging.getLogger("clients.sandbox")

_NOTHING_HERE = Reply.json({"error": "not_found", "error_description": "There is no vendor here."}, status=404)
_UNREADABLE = Reply.json({"error": "bad_request", "error_description": "The path is no UTF-8."}, status=400)
_CRASHED = Reply.json({"error": "sandbox_crashed", "error_description": "A fault of the sandbox itself."}, status=500)


class SandboxApp:
    """Serves a `Sandbox` over HTTP.

    Args:
        sandbox: The world to serve.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._control = Control(sandbox)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or spoil the answer as a fault demands."""
        transport: asyncio.Transport = scope["extensions"][EXTENSION]["transport"]
        request = await arrived(scope, receive)
        if request is None:
            return
        wire = Wire(transport, receive, send)
        try:
            await self._handle(request, wire)
        except Exception:  # noqa: BLE001 - a server answers even when it crashes, and says so in the log
            _LOG.exception("the sandbox crashed on %s %s", request.method, request.path)
            await wire.answer(_CRASHED)

    async def _handle(self, request: Request, wire: Wire) -> None:
        if request.segments is None:
            await wire.answer(_UNREADABLE)
        elif request.segments[0] == PREFIX:
            await wire.answer(self._control.answer(request))
        elif (vendor := self._sandbox.vendor(request.segments)) is None:
            await wire.answer(_NOTHING_HERE)
        else:
            await self._serve(vendor, request, request.segments, wire)

    async def _serve(self, vendor: Vendor, request: Request, segments: tuple[str, ...], wire: Wire) -> None:
        operation = vendor.route(request.method, segments)
        if isinstance(operation, Reply):
            self._sandbox.admit(vendor, None, request)
            await wire.answer(operation)
            return
        slow, failure = self._sandbox.admit(vendor, operation, request)
        if slow is not None:
            # The work is done at the end of the wait, also for a caller who gave up meanwhile.
            await asyncio.sleep(1.0 if slow.seconds is None else slow.seconds)
        works = failure is None or failure.works
        reply = self._answer(vendor, operation, request) if works else Reply.json({})
        if failure is None:
            await wire.answer(reply)
        elif (wrong := spoilt(failure, vendor)) is not None:
            await wire.answer(vendor.opened(operation, wrong))
        else:
            await disrupt(failure, wire, reply)

    def _answer(self, vendor: Vendor, operation: Operation, request: Request) -> Reply:
        return vendor.opened(operation, self._sandbox.answer(vendor, operation, request))
