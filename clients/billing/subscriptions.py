"""Subscriptions: finding them, and the seven ways to change one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from clients.billing import wire
from clients.billing.calls import answered, replied
from clients.billing.operations import (
    DEFER,
    DISABLE_AUTORENEW,
    DISCOUNT,
    ENABLE_AUTORENEW,
    MIGRATE,
    PAUSE,
    PREVIEW_MIGRATION,
    RESUME,
    SEARCH_SUBSCRIPTIONS,
)
from clients.billing.requests import given, moment, with_vendor_fields
from clients.transport import Upstream

SEARCH_FIELDS: Final = frozenset({"external_id", "intro_type", "subs_id", "status_eq"})
"""The filters that are known, so that `vendor_fields` can't hold them."""


class SubscriptionsClient:
    """The subscriptions of one organization; every call needs its secret key.

    Every method raises `clients.errors.UpstreamError` for what it does not name
    itself. What the vendor answers to a change that makes no sense is documented
    for `migrate` only. Shared arguments:

    - `subs_id`: the subscription, a UUID.
    - `external_id`: the customer. An older revision of the reference requires
      it, the newer one does not: it is better given where it is known.
    - `reason`, `comment`: for the vendor's records, 256 and 2048 characters at most.

    Args:
        upstream: Already aimed at the organization, with its secret key.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def search(
        self,
        *,
        external_id: str | None = None,
        intro_type: str | None = None,
        subs_id: str | None = None,
        status_eq: Sequence[str | int] | None = None,
        vendor_fields: Mapping[str, Any] | None = None,
    ) -> list[wire.Subscription]:
        """The subscriptions that pass every given filter: one page, in no documented order.

        Neither the further filters, nor how to turn the pages, nor the schema
        of the answer are documented by the vendor; the last is taken to be that
        of a customer's assets.

        Args:
            external_id: Only this customer's.
            intro_type: `no_intro`, `free_trial` or `paid_trial`.
            subs_id: Only this one.
            status_eq: Statuses as in `wire.Subscription.status`; what numbers mean is not documented.
            vendor_fields: Sent besides, as they are; the names in `SEARCH_FIELDS` are passed over.

        Source: FunnelFox seed, "Available endpoints"; the filters: vendor's reference.
        """
        known = given(
            external_id=external_id,
            intro_type=intro_type,
            subs_id=subs_id,
            status_eq=list(status_eq) if status_eq is not None else None,
        )
        body = with_vendor_fields(known, vendor_fields, reserved=SEARCH_FIELDS)
        found = await answered(self._upstream, SEARCH_SUBSCRIPTIONS, body, wire.FoundSubscriptions)
        return found.subscriptions or []

    async def enable_autorenew(
        self, subs_id: str, *, external_id: str | None = None, reason: str | None = None, comment: str | None = None
    ) -> None:
        """Take a cancellation back while the subscription is still active.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference.
        """
        body = given(subs_id=subs_id, external_id=external_id, reason=reason, comment=comment)
        await replied(self._upstream, ENABLE_AUTORENEW, body)

    async def disable_autorenew(
        self, subs_id: str, *, external_id: str | None = None, reason: str | None = None, comment: str | None = None
    ) -> None:
        """Cancel; access stays to the end of the period.

        Source: FunnelFox seed, "Available endpoints"; fields and effect: vendor's reference.
        """
        body = given(subs_id=subs_id, external_id=external_id, reason=reason, comment=comment)
        await replied(self._upstream, DISABLE_AUTORENEW, body)

    async def pause(
        self,
        subs_id: str,
        *,
        pause_till: datetime | None,
        external_id: str | None = None,
        reason: str | None = None,
        comment: str | None = None,
    ) -> None:
        """Stop billing and access.

        Args:
            subs_id: See above, as with the other arguments.
            pause_till: When it ends, with a zone. None, sent as null, is a
                pause without end: the vendor has such pauses, but that null
                makes one is inferred.
            external_id: See above.
            reason: See above.
            comment: See above.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference.
        """
        body = given(subs_id=subs_id, external_id=external_id, reason=reason, comment=comment)
        body["pause_till"] = moment(pause_till) if pause_till is not None else None
        await replied(self._upstream, PAUSE, body)

    async def resume(
        self, subs_id: str, *, external_id: str | None = None, reason: str | None = None, comment: str | None = None
    ) -> None:
        """End a pause now.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference.
        """
        body = given(subs_id=subs_id, external_id=external_id, reason=reason, comment=comment)
        await replied(self._upstream, RESUME, body)

    async def defer(
        self,
        subs_id: str,
        *,
        defer_till: datetime,
        external_id: str | None = None,
        reason: str | None = None,
        comment: str | None = None,
    ) -> None:
        """Put off the next charge; access goes on, free of charge, until then.

        Args:
            subs_id: See above, as with the other arguments.
            defer_till: When to charge next, with a zone.
            external_id: See above.
            reason: See above.
            comment: See above.

        Source: FunnelFox seed, "Available endpoints"; effect: vendor's reference.
        The field's name is that of a third party's client: the vendor's schema was not seen whole.
        """
        body = given(subs_id=subs_id, external_id=external_id, reason=reason, comment=comment)
        await replied(self._upstream, DEFER, body | {"defer_till": moment(defer_till)})

    async def discount(
        self,
        subs_id: str,
        *,
        percent: int,
        count_of_iterations: int | None = None,
        external_id: str | None = None,
        reason: str | None = None,
        comment: str | None = None,
    ) -> None:
        """Take a percentage off future charges.

        What a second discount does to the first is not documented by the vendor.

        Args:
            subs_id: See above, as with the other arguments.
            percent: 1 to 99.
            count_of_iterations: For how many charges, at least 1; left out, it
                is probably all that follow, which is not documented.
            external_id: See above.
            reason: See above.
            comment: See above.

        Source: FunnelFox seed, "Available endpoints"; ranges: vendor's reference;
        the fields' names: a third party's client.
        """
        body = given(
            subs_id=subs_id,
            external_id=external_id,
            percent=percent,
            count_of_iterations=count_of_iterations,
            reason=reason,
            comment=comment,
        )
        await replied(self._upstream, DISCOUNT, body)

    async def migrate(
        self,
        subs_id: str,
        *,
        pp_ident: str,
        strategy: str,
        strict_mode: bool = True,
        dry_run: bool = False,
        external_id: str | None = None,
        reason: str | None = None,
        comment: str | None = None,
    ) -> wire.Migration:
        """Move a subscription to another price point, which may charge the customer's saved card.

        Args:
            subs_id: See above, as with the other arguments.
            pp_ident: Where to; a lifetime price point makes a one-off of it.
            strategy: `price_prorate`, or `delayed_start`, which opens an `UPCOMING` subscription.
            strict_mode: Refuse where the strategy does not apply. Otherwise
                the other one is used, and named in the answer.
            dry_run: Only tell what would be charged: a probe, which may be
                repeated. That False is the vendor's default is inferred, so both flags are always sent.
            external_id: See above.
            reason: See above.
            comment: See above.

        Raises:
            Refused: With status 400 if the strategy does not apply in strict mode.
            Garbled: The vendor said yes, and nothing of what it did: money may have moved.

        Source: FunnelFox seed, "Available endpoints"; fields and effect: vendor's reference.
        """
        body = given(
            subs_id=subs_id,
            external_id=external_id,
            pp_ident=pp_ident,
            strategy=strategy,
            strict_mode=strict_mode,
            dry_run=dry_run,
            reason=reason,
            comment=comment,
        )
        return await answered(self._upstream, PREVIEW_MIGRATION if dry_run else MIGRATE, body, wire.Migration)
