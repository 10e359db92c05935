"""What proves how an operation ended, by its kind.

That something is not there never proves that it will not come, and an amount
or a time alone never proves whose it is.
"""

from collections.abc import Mapping
from typing import Final

from gateway.operations.settling import Kind
from routes.settlement.catalog import CATALOG
from routes.settlement.charges import CHARGES
from routes.settlement.domains import DOMAINS
from routes.settlement.refunds import REFUNDS
from routes.settlement.subscriptions import SUBSCRIPTIONS

KINDS: Final[Mapping[str, Kind]] = {**CHARGES, **REFUNDS, **SUBSCRIPTIONS, **CATALOG, **DOMAINS}
"""By the `operationId` of the route that began it."""
