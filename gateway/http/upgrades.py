"""Offers of another protocol, which are passed over, as HTTP allows (RFC 9110, 7.8): a request goes on as HTTP/1.1."""

import sys
from typing import Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.http.field_lines import lines

_CONNECT: Final = b"CONNECT"
"""Asks for a tunnel: what follows is nothing that could be read here, with or without an offer."""


class Unupgraded(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1, which reads a request with an `Upgrade` as if it had none.

    The parser takes such a request as ended at its head. Uvicorn drops what
    came with it, and takes what comes later for another request: its body.
    """

    _read_anew = b""
    """The head of such a request, less the offer."""
    _stopped_at = 0
    """Where the parser stopped, in what it was given last."""

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        while self._read_anew:
            data, self._read_anew = self._read_anew + data[self._stopped_at :], b""
            super().data_received(data)

    @override
    def on_headers_complete(self) -> None:
        method = self.parser.get_method()
        if not self.parser.should_upgrade():
            super().on_headers_complete()
        elif method == _CONNECT:
            super().on_headers_complete()
            self.cycle.keep_alive = False
        else:
            line = b"%b %b HTTP/%b\r\n" % (method, self.url, self.parser.get_http_version().encode())
            kept = [(name, value) for name, value in self.headers if name != b"upgrade"]
            self._read_anew = line + lines(kept) + b"\r\n"

    @override
    def on_message_complete(self) -> None:
        if not self._read_anew:
            super().on_message_complete()

    @override
    def _unsupported_upgrade_warning(self) -> None:
        stopped = sys.exception()
        self._stopped_at = stopped.args[0] if stopped is not None else 0
