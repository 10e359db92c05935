"""What the emulator answers, before it meets the wire."""

from email.utils import formatdate
from http import HTTPStatus

import msgspec

Header = tuple[bytes, bytes]

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"
CSV = b"text/csv; charset=utf-8"

# On every answer of the server, so that nobody takes it for the real vendors.
MARK: Header = (b"x-sandbox", b"1")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer: status, body, and the headers that are not computed."""

    status: int = 200
    body: bytes = b""
    content_type: bytes = JSON
    extra: tuple[Header, ...] = ()

    @classmethod
    def json(cls, content: object, *, status: int = 200, extra: tuple[Header, ...] = ()) -> "Reply":
        """Encode `content` as the body."""
        return cls(status=status, body=msgspec.json.encode(content), extra=extra)

    def headers(self, *, length: int | None = None) -> list[Header]:
        """Return all headers, claiming `length` bytes of body where that is given."""
        claimed = len(self.body) if length is None else length
        sized = [] if self.status == HTTPStatus.NO_CONTENT else [(b"content-length", b"%d" % claimed)]
        typed = [(b"content-type", self.content_type)] if self.body else []
        date = (b"date", formatdate(usegmt=True).encode())
        return [date, *typed, *sized, MARK, *self.extra]

    def head(self, headers: list[Header]) -> bytes:
        """Return the bytes before the body, for an answer that is written to the socket by hand."""
        known = self.status in {status.value for status in HTTPStatus}
        phrase = HTTPStatus(self.status).phrase.encode() if known else b""
        lines = [b"HTTP/1.1 %d %s" % (self.status, phrase), *(name + b": " + value for name, value in headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n"
