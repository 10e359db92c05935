"""How changes of subscriptions ended: each is read back."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from clients.billing import wire
from gateway.operations.outcomes import Answer, Operation, State
from gateway.operations.settling import Kind, Place, Verdict, told
from gateway.upstreams import Scene
from routes.settlement.verdicts import UNREAD, done, not_done, open_still, text
from routes.shapes.subscriptions import ChangedSubscription, MigrationResult
from routes.shapes.times import utc

PAUSED: Final = "PAUSED"
CANCELLED: Final = "AUTORENEW_OFF"

Proof = Callable[[wire.Subscription, Operation], bool]
"""Whether a subscription is as the operation was to make it."""


def settled_by(proof: Proof) -> Callable[[Scene, Operation], Awaitable[Verdict]]:
    """What settles a change that shows in the subscription."""

    async def settle(scene: Scene, operation: Operation) -> Verdict:
        found = await _found(scene, operation)
        if found is not None and proof(found, operation):
            return done(ChangedSubscription.read_back(found), status=found.status)
        return open_still(found=found is not None)

    return settle


async def settle_migration(scene: Scene, operation: Operation) -> Verdict:
    """A migration is proven by the subscription's price point, where that was another before.

    The vendor may as well end the subscription and begin another. Which one
    that is nothing proves; those that it could be are named.
    """
    target, before = text(operation, "price_point"), operation.facts.get("before")
    found = await _found(scene, operation)
    now = found.price_point.ident if found is not None and found.price_point is not None else None
    if now == target and before not in {None, target}:
        moved = MigrationResult(
            migration_strategy=None,
            payment_result=None,
            charged_amount=None,
            subscription_id=text(operation, "subscription_id"),
            oneoff_id=None,
        )
        return done(moved, price_point=now, price_point_before=before)
    return open_still(price_point=now, price_point_before=before, candidates=await _candidates(scene, operation))


async def _candidates(scene: Scene, operation: Operation) -> list[str]:
    customer = operation.facts.get("external_id")
    if customer is None:
        return []
    target, old = text(operation, "price_point"), text(operation, "subscription_id")
    rows = (await scene.customers.my_assets(str(customer))).subscriptions
    return [
        row.subs_id
        for row in rows
        if row.subs_id != old and row.price_point is not None and row.price_point.ident == target
    ]


async def _found(scene: Scene, operation: Operation) -> wire.Subscription | None:
    ident = text(operation, "subscription_id")
    return next((row for row in await scene.subscriptions.search(subs_id=ident) if row.subs_id == ident), None)


def _has(status: str) -> Proof:
    return lambda found, _: status in (found.status or ())


def _lacks(status: str) -> Proof:
    """The statuses are shown, and this is not among them."""
    return lambda found, _: bool(found.status) and status not in (found.status or ())


def _deferred(found: wire.Subscription, operation: Operation) -> bool:
    until = datetime.fromisoformat(text(operation, "until"))
    return until in {utc(found.next_check_at), utc(found.current_period_ends_at)}


def resolved(place: Place, operation: Operation, state: State) -> Answer:
    """What a caller is told once the operator has found out how a change ended."""
    if state is State.SUCCEEDED:
        return told(ChangedSubscription.unread(text(operation, "subscription_id"), UNREAD, place.at))
    return not_done(place.at)


def resolved_migration(place: Place, _: Operation, state: State) -> Answer:
    """The same for a migration; which subscription it led to, the operator's note may say."""
    if state is State.SUCCEEDED:
        return told(
            MigrationResult(
                migration_strategy=None,
                payment_result=None,
                charged_amount=None,
                subscription_id=None,
                oneoff_id=None,
            )
        )
    return not_done(place.at)


SUBSCRIPTIONS: Final = {
    "enableAutorenew": Kind(settle=settled_by(_lacks(CANCELLED)), resolved=resolved),
    "disableAutorenew": Kind(settle=settled_by(_has(CANCELLED)), resolved=resolved),
    "pauseSubscription": Kind(settle=settled_by(_has(PAUSED)), resolved=resolved),
    "resumeSubscription": Kind(settle=settled_by(_lacks(PAUSED)), resolved=resolved),
    "deferSubscription": Kind(settle=settled_by(_deferred), resolved=resolved),
    "migrateSubscription": Kind(settle=settle_migration, resolved=resolved_migration),
    # A discount shows nowhere.
    "discountSubscription": Kind(settle=None, resolved=resolved),
}
