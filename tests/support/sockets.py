"""Callers on bare sockets, and a gateway that tells what it made of their requests."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from gateway.settings import Settings
from tests.support.gateway import RunningGateway, Tenant
from tests.support.timing import until

PATH = "/v1/features"
LIST = "POST /features"


class Watched(RunningGateway):
    """A gateway that counts the requests that became tasks, and those that were known before they were parsed."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, traced=False)
        self.tasks = 0
        self.known = 0
        edge: Any = self.app
        served, later = edge._request, edge.later  # noqa: SLF001 - where a request that became a task begins

        async def parsed(*request: Any) -> None:
            self.tasks += 1
            await served(*request)

        async def unparsed(asked: Any, ahead: Any, scheme: str, *headers: Any) -> Any:
            self.tasks += not headers  # Else it was parsed, and counted.
            return await later(asked, ahead, scheme, *headers)

        edge._request, edge.later = parsed, unparsed  # noqa: SLF001 - as above
        at_once = edge.at_once
        read: list[Any] = []

        def seen(asked: Any, ahead: Any, scheme: str) -> Any:
            if any(asked is one for one in read):  # What is parsed anew is read anew.
                self.known += 1
            else:
                read.append(asked)
            return at_once(asked, ahead, scheme)

        edge.at_once = seen


def shown(tenant: Tenant) -> str:
    """A token of a caller to whom the list has been shown: from now on it is at hand."""
    with tenant.client() as client:
        assert client.get(PATH).status_code == 200
        return str(client.headers["authorization"].removeprefix("Bearer "))


def get(secret: str, path: str = PATH, *more: str, version: str = "1.1") -> bytes:
    """A request."""
    lines = (f"GET {path} HTTP/{version}", "Host: x", f"Authorization: Bearer {secret}", *more, "", "")
    return "\r\n".join(lines).encode()


class Caller:
    """One connection, read answer by answer."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.read = connection.makefile("rb")

    def send(self, *requests: bytes) -> None:
        """As they are."""
        self.connection.sendall(b"".join(requests))

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next one: its status, its headers and its body."""
        status = int(self.read.readline().split()[1])
        headers = {}
        while line := self.read.readline().strip().decode():
            name, _, value = line.partition(": ")
            headers[name] = value
        return status, headers, self.read.read(int(headers.get("content-length", 0)))

    @property
    def ended(self) -> bool:
        """Whether the other side has closed the connection; waits until there is something to know."""
        return self.read.read(1) == b""


@contextmanager
def caller(running: RunningGateway) -> Iterator[Caller]:
    """A connection for the length of the block."""
    address = urlsplit(running.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        yield (one := Caller(connection))
        one.read.close()


def sent_again(one: Caller, head: bytes) -> bool:
    """Whether a request is answered."""
    one.send(head)
    return one.answer()[0] == 200


def known_head(running: Watched, one: Caller, secret: str, path: str = PATH) -> bytes:
    """One that is not parsed if it comes again on this connection."""
    head, before = get(secret, path), running.known
    until(lambda: sent_again(one, head) and running.known > before)
    return head
