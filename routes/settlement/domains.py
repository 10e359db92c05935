"""How changes of domains ended: a new one is there, a removed one is not."""

from typing import Final

from clients.domains import wire
from clients.errors import BareNotFound, NotFound
from gateway.operations.outcomes import Answer, Operation, State
from gateway.operations.settling import Kind, Place, Verdict, told
from gateway.upstreams import Scene
from routes.settlement.verdicts import UNREAD, done, not_done, open_still, text
from routes.shapes.domains import DomainDetails
from routes.shapes.missing import Missing

REMOVED: Final = Answer(status=204)
"""What a removal answers."""

_CREATED: Final = 201


async def settle_creation(scene: Scene, operation: Operation) -> Verdict:
    """A new domain is proven by being there."""
    hostname = text(operation, "hostname")
    try:
        info = await scene.domains.get(hostname)
    except NotFound:
        return open_still(found=False)
    details = DomainDetails.merge(info, None, cname_target=scene.cname_target)
    return done(details, _CREATED, location=f"{scene.at.public_url}/v1/domains/{hostname}")


async def settle_removal(scene: Scene, operation: Operation) -> Verdict:
    """A removal is proven by the vendor saying that there is no such domain."""
    try:
        await scene.domains.get(text(operation, "hostname"))
    except BareNotFound:
        return open_still(found=False)  # Whoever said so did not speak as the vendor does.
    except NotFound:
        return Verdict(state=State.SUCCEEDED, answer=REMOVED, evidence={"found": False})
    return open_still(found=True)


def _resolved_creation(place: Place, operation: Operation, state: State) -> Answer:
    if state is not State.SUCCEEDED:
        return not_done(place.at)
    bare = wire.DomainInfo(domain=text(operation, "hostname"))
    missing = [Missing.of("details", UNREAD, place.at)]
    return told(DomainDetails.merge(bare, None, cname_target=place.cname_target, missing=missing), _CREATED)


def _resolved_removal(place: Place, _: Operation, state: State) -> Answer:
    return REMOVED if state is State.SUCCEEDED else not_done(place.at)


DOMAINS: Final = {
    "createDomain": Kind(settle=settle_creation, resolved=_resolved_creation),
    "deleteDomain": Kind(settle=settle_removal, resolved=_resolved_removal),
}
