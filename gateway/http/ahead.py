"""What is found out of a request before it is routed."""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from gateway.http.asked import Asked
from gateway.limits.windows import Standing
from gateway.principal import Principal
from gateway.telemetry.traces import Decision
from gateway.ways import Way

if TYPE_CHECKING:
    from gateway.cache.tenant import TenantCache

_KEY: Final = "gateway.ahead"


class Ahead(msgspec.Struct):
    """What is known already, so that nobody asks for it, counts it or decides it again."""

    asked: Asked | None = None
    """None: it was not read, or is more than a plain GET."""
    caller: Principal | None = None
    """None: not known yet."""
    counted: bool = False
    """Whether it counts against its caller's limit, or was found to be beyond. Its path and query are known then."""
    standing: Standing | None = None
    """That limit, when it was counted; None: there is none."""
    way: Way | None = None
    """What it asks for, if its caller may have that."""
    cache: "TenantCache | None" = None
    """Its caller's; knows the load that was waited for, if any was."""
    decision: Decision | None = None
    """About its trace: there is one, however a request is served."""
    came: tuple[float, float] | None = None
    """When, if that was looked at: by the loop's clock and by `time.perf_counter`."""
    crashed: bool = False
    """Whether the shortcut stumbled over it: it is not tried again."""

    @property
    def admitted(self) -> bool:
        """Whether it counts, and is within its caller's limit."""
        return self.counted and (self.standing is None or self.standing.admitted)

    def into(self, scope: Any) -> None:
        """Have the request of that scope of ASGI take this along."""
        scope[_KEY] = self

    @staticmethod
    def of(scope: Any) -> "Ahead":
        """What is known of the request of a scope of ASGI."""
        known: Ahead | None = scope.get(_KEY)
        if known is None:
            scope[_KEY] = known = Ahead()
        return known
