"""Switches for what the vendors' documents leave open."""

from typing import Annotated

import msgspec


class Choices(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How the emulator behaves where both behaviours were seen or neither is documented."""

    expired_token_status: Annotated[int, msgspec.Meta(ge=400, le=401)] = 401
    """FunnelFlux documents both 400 and 401 for an expired access token."""

    domain_refusal_status: Annotated[int, msgspec.Meta(ge=200, le=499)] = 200
    """The status that goes with FunnelFlux's `success: false` is not documented."""

    coded_status: Annotated[int, msgspec.Meta(ge=200, le=499)] = 200
    """FunnelFox sends its four business codes under 200; a proper 4xx may come too."""
