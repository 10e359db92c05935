"""`gateway cache`: look after what is kept of the vendors' answers."""

import click

from gateway import telemetry
from gateway.cache.shared import SharedLevel
from gateway.cache.topics import Choice
from gateway.cached_topics import FAMILIES
from gateway.cli.environment import configured, fail, refuse, with_audit
from gateway.principal import Mode
from gateway.settings import Settings
from gateway.shared_store import SharedStore


@click.group("cache")
def cache() -> None:
    """Look after what is kept of the vendors' answers."""


@cache.command("purge")
@click.option("--tenant", help="Only what is kept for this tenant.")
@click.option("--mode", type=click.Choice(["live", "test"]), help="Only what is kept in this mode.")
@click.option("--topic", help="Only this: domains, domain, domain:HOSTNAME, price-points or features.")
def purge_cache(tenant: str | None, mode: Mode | None, topic: str | None) -> None:
    """Drop what is kept, in Redis and in every worker, so that the vendors are asked anew."""
    given = configured()
    if topic is not None and topic.partition(":")[0] not in FAMILIES:
        refuse(f"there is no topic {topic}; its first part is one of {', '.join(FAMILIES)}.")
    if given.redis_url is None:
        refuse(
            "without GATEWAY_REDIS_URL the cache is in the worker's own memory, where only "
            "`POST /v1/cache/purge` reaches it."
        )
    choice = Choice(tenant=tenant, modes=("live", "test") if mode is None else (mode,), topic=topic)
    target = {name: text for name, text in (("tenant", tenant), ("mode", mode), ("topic", topic)) if text is not None}
    if not with_audit(lambda _: _purged(given, choice), "purgeCache", lambda _: target):
        fail("Redis does not answer; nobody was told.")
    click.echo("Purged, in Redis and in every worker that listens to it.")


async def _purged(given: Settings, choice: Choice) -> bool:
    """Whether Redis was told to drop what is chosen."""
    assert given.redis_url is not None  # noqa: S101 - the caller has looked
    shared = SharedStore(given.redis_url, telemetry.logger("error", given.log_format))
    level = SharedLevel(shared, forget=lambda _: None, forget_where=lambda _: None)
    try:
        return await level.purge(choice)
    finally:
        await level.close()
        await shared.close()
