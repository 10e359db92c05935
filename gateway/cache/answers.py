"""The way back of a GET: answered from what was rendered before, tagged, and 304 where nothing has changed."""

import re
from collections.abc import Awaitable, Callable, Iterable
from hashlib import blake2b
from typing import Any, Final

from gateway.cache.readings import Outcome
from gateway.cache.tenant import TenantCache
from gateway.cache.topics import Topic
from gateway.http.field_lines import lines
from gateway.http.whole import Whole

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

# A browser that kept a list on its own would go on showing it after its own write.
_KEPT: Final = b"cache-status: %b\r\ncache-control: private, no-cache\r\nage: %d\r\n"
_FRESH: Final = _KEPT.replace(b"%b", b"gateway; hit; ttl=%d")

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
        answer = whole(found.about, found.body, etag=found.etag, told=told(shown), none_match=none_match)
        await answer.send(self._send)
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
        made = Whole(start["status"], lines(start["headers"]), message.get("body", b""))
        if not message.get("more_body") and _media_type(start["headers"]).startswith(_JSON):
            await sealed(made, self._own, self.variant).send(self._send)
            return
        if (shown := self._own.reading.shown) is not None:
            start["headers"] = [*start["headers"], (b"cache-status", cache_status(shown))]
        await self._send(start)
        await self._send(message)


def sealed(made: Whole, own: TenantCache, variant: str) -> Whole:
    """What a handler made of JSON, as it is sent: tagged, and kept if it may be.

    Args:
        made: As the handler, or whoever answers for its failure, made it.
        own: The caller's cache, from which it was made.
        variant: Tells this answer from others about the topic.
    """
    shown = own.reading.shown
    if made.status != OK or _PARTIAL in made.body:
        if shown is not None:
            made.head += b"cache-status: %b\r\n" % cache_status(shown)
        return made
    etag = _etag(made.body, own, variant)
    made.head += b"etag: %b\r\n" % etag
    own.render(variant, made.body, etag=etag, about=made.head)
    return whole(made.head, made.body, etag=etag, told=told(shown), none_match=own.reading.none_match)


def _etag(body: bytes, own: TenantCache, variant: str) -> bytes:
    fetched_at = _FETCHED_AT.search(body, max(0, len(body) - _TAIL))
    said = blake2b(b"%b\0%b\0" % (own.identity, variant.encode()), digest_size=16)
    said.update(body if fetched_at is None else memoryview(body)[: fetched_at.start()])
    return b'W/"%s"' % said.hexdigest().encode()


def whole(about: bytes, body: bytes, *, etag: bytes, told: bytes, none_match: bytes | None) -> Whole:
    """An answer that can be told from others; 304 without a body for a caller who has it.

    Args:
        about: Field lines of the body, and its tag.
        body: The whole.
        etag: Its tag.
        told: Field lines of what the look into the cache came to.
        none_match: The caller's `If-None-Match`.
    """
    if none_match is not None and _matches(none_match, etag):
        return Whole(NOT_MODIFIED, b"etag: %b\r\n%b" % (etag, told), b"")
    return Whole(OK, about + told, body)


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


def told(shown: Outcome | None) -> bytes:
    """The field lines that a look into the cache adds; none if there was none."""
    if shown is None:
        return b""
    if shown.fresh <= 0:
        return b"cache-status: %b\r\n" % cache_status(shown)
    return _KEPT % (cache_status(shown), shown.age)


def told_fresh(age: float, fresh: float) -> bytes:
    """The same of something of that age that is fresh up to another, both in seconds."""
    return _FRESH % (int(fresh - age), int(age))


def cache_status(outcome: Outcome) -> bytes:
    """The `Cache-Status` of an outcome (RFC 9211)."""
    told = b"gateway; hit" if outcome.forwarded is None else b"gateway; fwd=%b" % outcome.forwarded.encode()
    if outcome.fresh > 0:
        told += b"; ttl=%d" % outcome.ttl
    if outcome.held is not None and outcome.status in {"miss", "collapsed"}:
        told += b"; stored"
    if outcome.status == "collapsed":
        told += b"; collapsed"
    if outcome.detail is not None:
        told += b"; detail=%b" % outcome.detail.encode()
    return told


def _media_type(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return next((value for name, value in headers if name.lower() == b"content-type"), b"")


def _matches(none_match: bytes, etag: bytes) -> bool:
    """Whether the caller has this answer; by weak comparison, as `If-None-Match` asks (RFC 9110, 13.1.2)."""
    return none_match.strip() == b"*" or etag.removeprefix(b"W/") in _TAGS.findall(none_match)
