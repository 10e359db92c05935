"""What browsers are given: bytes with the headers that they need, packed once."""

import gzip
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

import msgspec
from litestar import Request, Response

PAGE: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The policy of a page that only shows: nothing runs."""

PAGE_WITH_SCRIPT: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The policy of the page that makes calls: our own script, which can't turn text into HTML, calls this gateway only."""

HTML: Final = "text/html"

_TYPES: Final = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}

_FOR_EVER: Final = "public, max-age=31536000, immutable"
"""For names that change with their content."""

_ASK_AGAIN: Final = "no-cache"
"""Kept, and asked for at each use whether it is still the same."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be downloaded, in both of its forms."""

    media_type: str
    plain: bytes
    packed: bytes
    tag: str
    headers: Mapping[str, str]

    @classmethod
    def page(cls, html: str, policy: str) -> "File":
        """A page, whose content may be another after the next release."""
        # HTML or JSON by Accept: see the routes.
        return cls._of(
            html.encode(),
            HTML,
            {"Content-Security-Policy": policy, "Cache-Control": _ASK_AGAIN, "Vary": "Accept, Accept-Encoding"},
        )

    @classmethod
    def bundled(cls, content: bytes, media_type: str) -> "File":
        """A part of a page, under a name that changes with its content."""
        headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding", "Content-Security-Policy": PAGE}
        return cls._of(content, media_type, headers)

    @classmethod
    def _of(cls, content: bytes, media_type: str, headers: Mapping[str, str]) -> "File":
        return cls(
            media_type=media_type,
            plain=content,
            packed=gzip.compress(content, mtime=0),
            tag=f'W/"{_digest(content)}"',
            headers=headers,
        )

    def given(self, request: Request[Any, Any, Any]) -> Response[Any]:
        """The answer: the file, packed for those who take it; or 304 for those who have it."""
        headers = {**self.headers, "ETag": self.tag}
        if self.tag in request.headers.get("if-none-match", ""):
            return Response(None, status_code=304, headers=headers)
        if not _takes_gzip(request.headers.get("accept-encoding", "")):
            return Response(self.plain, media_type=self.media_type, headers=headers)
        return Response(self.packed, media_type=self.media_type, headers={**headers, "Content-Encoding": "gzip"})


class Bundle:
    """The files that pages are made of, from the folder `static`."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.files: dict[str, File] = {}
        """By the name that is served."""
        for entry in files("routes.docs").joinpath("static").iterdir():
            stem, _, suffix = entry.name.rpartition(".")
            if suffix in _TYPES:
                content = entry.read_bytes()
                served = f"{stem}.{_digest(content)}.{suffix}"
                self._names[entry.name] = served
                self.files[served] = File.bundled(content, _TYPES[suffix])

    def name(self, file: str) -> str:
        """The name under which `file` is served."""
        return self._names[file]


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]


def _takes_gzip(accepted: str) -> bool:
    """Whether `Accept-Encoding` names gzip, and not to forbid it."""
    for coding in accepted.lower().split(","):
        name, _, weight = coding.replace(" ", "").partition(";q=")
        if name == "gzip":
            return weight.strip("0.") != "" or not weight
    return False
