"""The spans that journeys should leave, in few words."""

from typing import Final

from tests.support.collector import Value
from tests.support.traces import Expected

WHO: Final = {"gateway.tenant": "journey", "gateway.mode": "test"}
"""Whom all requests of a journey are made for."""


def request(name: str, status: int, *below: Expected, token: bool | None = True, **told: Value) -> Expected:
    """A request of a caller.

    Args:
        name: Method and route template.
        status: That was answered.
        below: What happened on the way.
        token: Whether the caller has one of ours; None: nobody knows the caller.
        told: Further attributes, `gateway.` left out.
    """
    method, _, route = name.partition(" ")
    attributes: dict[str, Value] = {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
        "url.scheme": "http",
        "gateway.request_id": "<request id>",
        **(WHO if token is not None else {}),
        **({"gateway.token_id": "<token id>"} if token else {}),
        **{f"gateway.{attribute}": value for attribute, value in told.items()},
    }
    failed = status >= 500
    if failed:
        attributes["error.type"] = told["problem"]
    return Expected(name, "SERVER", attributes, failed=failed, below=below)


def call(
    upstream: str, name: str, status: int | None, *, error: str | None = None, resend: int = 0, **told: Value
) -> Expected:
    """An attempt at a vendor.

    Args:
        upstream: The vendor.
        name: Method and path template.
        status: That it answered; None: it did not.
        error: What went wrong; None: nothing.
        resend: Which attempt after the first it was.
        told: Further attributes, `gateway.upstream.` left out.
    """
    method, _, template = name.partition(" ")
    attributes: dict[str, Value] = {
        "http.request.method": method,
        "url.template": template,
        "server.address": "127.0.0.1",
        "server.port": "<port>",
        "gateway.upstream": upstream,
        "gateway.deadline.remaining": "<seconds>",
        **({"http.response.status_code": status} if status is not None else {}),
        **({"error.type": error} if error is not None else {}),
        **({"http.request.resend_count": resend} if resend else {}),
        **{f"gateway.upstream.{attribute}": value for attribute, value in told.items()},
    }
    return Expected(name, "CLIENT", attributes, failed=error is not None)


def step(name: str, *below: Expected, links: tuple[str, ...] = (), **told: Value) -> Expected:
    """Something that we do ourselves; `told` are attributes, `gateway.` left out."""
    attributes = {f"gateway.{attribute}": value for attribute, value in told.items()}
    return Expected(name, "INTERNAL", attributes, links=links, below=below)


def look(topic: str, result: str, *below: Expected, links: tuple[str, ...] = ()) -> Expected:
    """A look into the cache."""
    attributes: dict[str, Value] = {"gateway.cache.topic": topic, "gateway.cache": result}
    return Expected("cache", "INTERNAL", attributes, links=links, below=below)


def statement(name: str) -> Expected:
    """What the database is asked: SQL's verb and the table."""
    verb, _, table = name.partition(" ")
    attributes: dict[str, Value] = {
        "db.system.name": "sqlite",
        "db.operation.name": verb,
        "db.collection.name": table,
        "db.query.text": "<statement>",
    }
    return Expected(name, "CLIENT", attributes)


LIMIT: Final = Expected("rate limit", "CLIENT", {"db.system.name": "redis"})
"""A limit that is counted in Redis."""

STRANGER: Final = (statement("SELECT token_changes"), step("token lookup", statement("SELECT tokens")))
"""What the first request of a token costs: whether any token was changed, and what this one is."""
