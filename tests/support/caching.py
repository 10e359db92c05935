"""The table of `docs/caching.md`, made from the routes: run as a module, it prints it."""

import sys

from litestar import Litestar
from litestar.routes import HTTPRoute

from gateway.app import DEPENDENCIES
from gateway.cache.topics import Topic
from gateway.cached_topics import TOPICS, lifetimes
from gateway.needs import Needs
from gateway.settings import Settings
from routes import ROUTERS


def table() -> str:
    """A row for each topic: who answers from it, and for how long it is good."""
    times = lifetimes(Settings())
    rows = [
        "| topic | answers | vendor call | fresh | then stale while the vendor is asked | stale if it fails |",
        "|---|---|---|---|---|---|",
    ]
    for topic in TOPICS:
        lifetime = times[topic.kind]
        ages = [f"{seconds:g} s" if seconds else "-" for seconds in (lifetime.fresh, lifetime.stale)]
        ages.append(f"{lifetime.stale_if_error:g} s" if lifetime.stale_if_error else "-")
        routes = ", ".join(f"`GET {path}`" for path in _answered_from(topic))
        rows.append(f"| `{topic.name}` | {routes} | `{topic.operation.name}` | {' | '.join(ages)} |")
    return "\n".join(rows) + "\n"


def _answered_from(topic: Topic) -> list[str]:
    app = Litestar(ROUTERS, dependencies=DEPENDENCIES, openapi_config=None, logging_config=None)
    found = []
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler, _ in route.route_handler_map.values():
                declared = handler.opt.get("needs")
                cached = declared.cached if isinstance(declared, Needs) else None
                of = cached("") if callable(cached) else cached
                if of is not None and of.family == topic.family:
                    found.append(route.path_format.replace(":str}", "}"))
    return sorted(found)


if __name__ == "__main__":
    sys.stdout.write(table())
