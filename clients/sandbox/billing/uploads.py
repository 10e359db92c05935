"""The file in an upload, whichever way it was sent."""

from email.parser import BytesParser
from email.policy import HTTP

from clients.sandbox.arrivals import Request
from clients.sandbox.refusals import Malformed

# How the vendor's import wants its file is not documented; both common ways are taken.
_FORM = "multipart/form-data"


def uploaded(request: Request, body: bytes) -> bytes:
    """Return the file: the whole body, or the one part of a form that has a file's name."""
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith(_FORM):
        return body
    head = f"content-type: {content_type}\r\n\r\n".encode("latin-1", errors="replace")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    for part in message.iter_parts() if message.is_multipart() else ():
        content = part.get_payload(decode=True)
        if part.get_filename() is not None and isinstance(content, bytes):
            return content
    raise Malformed("The form holds no file.")
