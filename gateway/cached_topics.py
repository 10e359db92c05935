"""What is kept of the vendors' answers, and for how long."""

from collections.abc import Mapping
from typing import Final

from clients.billing.operations import FEATURES as LIST_FEATURES
from clients.billing.operations import PRICE_POINTS as LIST_PRICE_POINTS
from clients.billing.wire import Feature, PricePoint
from clients.domains.client import GET as GET_DOMAIN
from clients.domains.client import LIST as LIST_DOMAINS
from clients.domains.wire import CheckResult, DomainInfo, DomainSummary
from gateway.cache.topics import Kind, Lifetime, Topic
from gateway.settings import Settings

DOMAIN_LIST: Final = Topic(name="domains", kind="list", shape=list[DomainSummary], operation=LIST_DOMAINS)
PRICE_POINTS: Final = Topic(name="price-points", kind="list", shape=list[PricePoint], operation=LIST_PRICE_POINTS)
FEATURES: Final = Topic(name="features", kind="list", shape=list[Feature], operation=LIST_FEATURES)


def domain_detail(hostname: str) -> Topic:
    """One domain and its check, by its canonical hostname."""
    return Topic(name=f"domain:{hostname}", kind="detail", shape=tuple[DomainInfo, CheckResult], operation=GET_DOMAIN)


TOPICS: Final = (DOMAIN_LIST, domain_detail("{hostname}"), PRICE_POINTS, FEATURES)
"""All that is kept. Money, customers, subscriptions and transactions are not among it, and never will be."""


FAMILIES: Final = tuple(topic.family for topic in TOPICS)
"""What a purge may name."""


def lifetimes(settings: Settings) -> Mapping[Kind, Lifetime]:
    """For how long each kind of topic is good."""
    return {
        "list": Lifetime(
            settings.cache_list_fresh_seconds,
            settings.cache_list_stale_seconds,
            settings.cache_list_stale_if_error_seconds,
        ),
        "detail": Lifetime(settings.cache_detail_fresh_seconds),
    }
