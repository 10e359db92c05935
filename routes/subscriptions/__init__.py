"""Subscriptions: find them, and the seven ways to change one."""

from litestar import Router

from routes.subscriptions.changing import defer, disable_autorenew, enable_autorenew, pause, resume
from routes.subscriptions.charging import discount, migrate
from routes.subscriptions.reading import get_subscription, list_subscriptions, search_subscriptions

router = Router(
    "/subscriptions",
    route_handlers=[
        list_subscriptions,
        search_subscriptions,
        get_subscription,
        enable_autorenew,
        disable_autorenew,
        pause,
        resume,
        defer,
        discount,
        migrate,
    ],
    tags=["Subscriptions"],
)
