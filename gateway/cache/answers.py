"""The way back of a GET: answered from what was rendered before, tagged, and 304 where nothing has changed."""

import re
from collections.abc import Awaitable, Callable, Iterable
from hashlib import blake2b
from typing import Any, Final

from gateway.cache.readings import Outcome
from gateway.cache.tenant import TenantCache
from gateway.cache.topics import Topic
from gateway.http.field_lines import fields

Send = Callable[[Any], Awaitable[None]]

OK: Final = 200
NOT_MODIFIED: Final = 304

_JSON: Final = b"application/json"

_FETCHED_AT: Final = re.compile(rb'"fetched_at":"[^"]*"\}\}\Z')
"""The end of a list: when its rows were read says nothing of what they say."""

_TAIL: Final = 100
"""Bytes in which that stands."""

_PARTIAL: Final = b'"missing":[{'
"""Can't be within a text, where its quotes would be escaped."""

_TAGS: Final = re.compile(rb'"[^"]*"')


class Answer:
    """What an ASGI application sends, on its way back.

    Args:
        send: Where to.
        own: The caller's cache.
        topic: What the route is about; None: it is not kept.
        variant: Tells this answer from others about the topic.
    """

    def __init__(self, send: Send, *, own: TenantCache, topic: Topic | None, variant: str) -> None:
        self._send = send
        self._own = own
        self.topic = topic
        self.variant = variant
        self._start: Any = None

    async def was_kept(self) -> bool:
        """Answer with what was rendered before; False: there is nothing that will do."""
        if self.topic is None or (found := await self._own.rendered(self.topic, self.variant)) is None:
            return False
        shown, none_match = self._own.reading.shown, self._own.reading.none_match
        status, head, body = whole(found.about, found.body, etag=found.etag, shown=shown, none_match=none_match)
        await self._send({"type": "http.response.start", "status": status, "headers": fields(head)})
        await self._send({"type": "http.response.body", "body": body})
        return True

    async def __call__(self, message: Any) -> None:
        """Send what the handler made: tagged, and kept if it may be."""
        if message["type"] == "http.response.start":
            self._start = message  # The tag needs the body.
            return
        start, self._start = self._start, None
        if start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        media_type = _media_type(start["headers"])
        body = message.get("body", b"")
        if start["status"] != OK or message.get("more_body") or not media_type.startswith(_JSON) or _PARTIAL in body:
            if (shown := self._own.reading.shown) is not None:
                start["headers"] = [*start["headers"], (b"cache-status", cache_status(shown))]
            await self._send(start)
            await self._send(message)
            return
        etag, reading = self._etag(body), self._own.reading
        self._own.render(self.variant, body, etag=etag, media_type=media_type)
        if reading.none_match is not None and _matches(reading.none_match, etag):
            start["status"], start["headers"], message["body"] = NOT_MODIFIED, [], b""
        start["headers"] = [*start["headers"], (b"etag", etag), *fields(_told(reading.shown))]
        await self._send(start)
        await self._send(message)

    def _etag(self, body: bytes) -> bytes:
        fetched_at = _FETCHED_AT.search(body, max(0, len(body) - _TAIL))
        said = blake2b(b"%b\0%b\0" % (self._own.identity, self.variant.encode()), digest_size=16)
        said.update(body if fetched_at is None else memoryview(body)[: fetched_at.start()])
        return b'W/"%s"' % said.hexdigest().encode()


def whole(
    about: bytes, body: bytes, *, etag: bytes, shown: Outcome | None, none_match: bytes | None
) -> tuple[int, bytes, bytes]:
    """Status, field lines and body of an answer; 304 without a body for a caller who has it.

    Args:
        about: Field lines of the body.
        body: The whole.
        etag: Its tag.
        shown: What the look into the cache came to; None: there was none.
        none_match: The caller's `If-None-Match`.
    """
    told = b"etag: %b\r\n%b" % (etag, _told(shown))
    if none_match is not None and _matches(none_match, etag):
        return NOT_MODIFIED, told, b""
    return OK, about + told, body


def variant(path: str, query: bytes, folded: frozenset[bytes]) -> str:
    """One name for all spellings of the same question.

    The order of parameters means nothing; nor does the case of those in `folded`.
    """
    if not query:
        return path
    parts = sorted(
        name + b"=" + value.lower() if name in folded else part
        for part in query.split(b"&")
        for name, _, value in (part.partition(b"="),)
    )
    return f"{path}?{b'&'.join(parts).decode('latin-1')}"


def _told(shown: Outcome | None) -> bytes:
    """The field lines that a look into the cache adds; none if there was none."""
    if shown is None:
        return b""
    if shown.fresh <= 0:
        return b"cache-status: %b\r\n" % cache_status(shown)
    # A browser that kept a list on its own would go on showing it after its own write.
    return b"cache-status: %b\r\ncache-control: private, no-cache\r\nage: %d\r\n" % (cache_status(shown), shown.age)


def cache_status(outcome: Outcome) -> bytes:
    """The `Cache-Status` of an outcome (RFC 9211)."""
    told = f"gateway; fwd={outcome.forwarded}" if outcome.forwarded is not None else "gateway; hit"
    if outcome.fresh > 0:
        told += f"; ttl={outcome.ttl}"
    if outcome.held is not None and outcome.status in {"miss", "collapsed"}:
        told += "; stored"
    if outcome.status == "collapsed":
        told += "; collapsed"
    if outcome.detail is not None:
        told += f"; detail={outcome.detail}"
    return told.encode()


def _media_type(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return next((value for name, value in headers if name.lower() == b"content-type"), b"")


def _matches(none_match: bytes, etag: bytes) -> bool:
    """Whether the caller has this answer; by weak comparison, as `If-None-Match` asks (RFC 9110, 13.1.2)."""
    return none_match.strip() == b"*" or etag.removeprefix(b"W/") in _TAGS.findall(none_match)
