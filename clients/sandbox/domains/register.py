"""FunnelFlux custom domains: the register, and the road to a live hostname."""

import re
from datetime import datetime, timedelta
from threading import RLock
from uuid import NAMESPACE_DNS, UUID, uuid5

import msgspec

from clients.sandbox.clock import Clock
from clients.sandbox.refusals import DomainRefused

# Nobody has more by hand, and a loop that forgets to delete is stopped.
MAX_DOMAINS = 500

# Owned by nobody in the sandbox, and yet taken: to see DOMAIN_ALREADY_OWNED with one account.
OWNED_BY_ANOTHER = frozenset({"owned.example.net"})

# Cloudflare's own sentence, from its documentation.
NO_CNAME = "custom hostname does not CNAME to this zone."

# The vendor's rules are not documented; chosen here: two labels or more, as DNS has them.
_HOSTNAME = re.compile(r"(?=.{4,253}\Z)(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+(?!-)[a-z0-9-]{2,63}(?<!-)\Z")
# A number that looks measured; it is made up, and always the same for a hostname.
_SLOWEST_CHECK_MS = 400


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where a hostname stands with Cloudflare, and what a visitor would meet."""

    status: str
    ssl_status: str
    verification_errors: tuple[str, ...] = ()
    found: bool = False
    ssl_valid: bool = False


LIVE = State(status="active", ssl_status="active", found=True, ssl_valid=True)

# How a new domain comes alive: from so many seconds on, this state. The order is
# Cloudflare's; the durations are chosen here, short enough to be watched.
ROAD: tuple[tuple[int, State], ...] = (
    (0, State(status="pending", ssl_status="initializing")),
    (30, State(status="pending", ssl_status="pending_validation", verification_errors=(NO_CNAME,))),
    (60, State(status="active", ssl_status="pending_issuance", found=True)),
    (90, LIVE),
)


class Domain(msgspec.Struct, kw_only=True):
    """A registered hostname."""

    id: UUID
    hostname: str
    owner: str
    created_at: datetime
    pinned: State | None = None
    """Set by a test or the story: then time changes nothing."""

    recorded: State | None = None
    """What the last refresh wrote into the register; the list knows no more."""

    def state(self, now: datetime) -> State:
        """Return how it stands at `now`."""
        if self.pinned is not None:
            return self.pinned
        age = now - self.created_at
        return next(state for seconds, state in reversed(ROAD) if age >= timedelta(seconds=seconds) or seconds == 0)


class Domains:
    """One account's custom domains.

    Args:
        owner: What `owner` shows on every domain of the account.
        clock: Decides how far on its road each domain is.
        lock: Held by every method that a test may call from its own thread.
        claims: Which account registered which hostname, over all accounts.
    """

    def __init__(self, owner: str, *, clock: Clock, lock: RLock, claims: dict[str, str]) -> None:
        self._owner = owner
        self._clock = clock
        self._lock = lock
        self._claims = claims
        self._rows: dict[str, Domain] = {}
        self._registrations = 0

    def add(
        self,
        hostname: str,
        *,
        status: str = "active",
        ssl_status: str = "active",
        found: bool | None = None,
        ssl_valid: bool | None = None,
        verification_errors: tuple[str, ...] = (),
        recorded: bool = False,
    ) -> Domain:
        """Put a domain there that stays in the given state; replaces one of the same name.

        Args:
            hostname: Any text: a test may want what the vendor would refuse.
            status: Cloudflare's state of the hostname.
            ssl_status: Cloudflare's state of the certificate.
            found: Whether it routes; None means: as its status suggests.
            ssl_valid: Whether TLS works; None means: as its certificate suggests.
            verification_errors: What Cloudflare still misses.
            recorded: As if it had been refreshed: the list shows the state too.
        """
        pinned = State(
            status=status,
            ssl_status=ssl_status,
            verification_errors=tuple(verification_errors),
            found=status == "active" if found is None else found,
            ssl_valid=ssl_status == "active" if ssl_valid is None else ssl_valid,
        )
        with self._lock:
            domain = self._row(hostname.lower())
            domain.pinned = pinned
            domain.recorded = pinned if recorded else None
            self._rows[domain.hostname] = domain
            return domain

    def get(self, hostname: str) -> Domain | None:
        """Return the row of the register, or None."""
        with self._lock:
            return self._rows.get(hostname.lower())

    def summaries(self) -> list[dict[str, object]]:
        """Show all domains as the list does: from the register, where a status is blank until refreshed."""
        with self._lock:
            return [_summary(domain) for domain in self._rows.values()]

    def create(self, hostname: str) -> dict[str, object]:
        """Register `hostname`, which then comes alive by itself as time passes."""
        hostname = hostname.lower()
        if not _HOSTNAME.match(hostname):
            # The code is not documented by the vendor; chosen here.
            raise DomainRefused("INVALID_DOMAIN", "This is not a hostname that can be added.")
        if hostname in self._rows:
            raise DomainRefused("DOMAIN_EXISTS", f"{hostname} is already in your account.")
        if hostname in OWNED_BY_ANOTHER or self._claims.get(hostname, self._owner) != self._owner:
            raise DomainRefused("DOMAIN_ALREADY_OWNED", f"{hostname} is registered by another account.")
        if len(self._rows) >= MAX_DOMAINS:
            raise DomainRefused("DOMAIN_LIMIT_REACHED", f"An account of the sandbox holds {MAX_DOMAINS} domains.")
        self._claims[hostname] = self._owner
        self._rows[hostname] = self._row(hostname)
        return self.details(hostname)

    def details(self, hostname: str) -> dict[str, object]:
        """Show one domain with its present state and its DNS records."""
        domain = self._own(hostname)
        return _info(domain, domain.state(self._clock.now()))

    def check(self, hostname: str) -> dict[str, object]:
        """Try `hostname` as a visitor would; it need not be the account's."""
        domain = self._rows.get(hostname.lower())
        now = self._clock.now()
        state = None if domain is None else domain.state(now)
        return _checked(hostname.lower(), state, now)

    def refresh(self, hostname: str) -> dict[str, object]:
        """Show and check one domain, and write its state into the register."""
        domain = self._own(hostname)
        now = self._clock.now()
        domain.recorded = domain.state(now)
        return {"domain": _info(domain, domain.recorded), "check": _checked(domain.hostname, domain.recorded, now)}

    def delete(self, hostname: str) -> None:
        """Give the hostname up; anyone may register it then."""
        domain = self._own(hostname)
        del self._rows[domain.hostname]
        if self._claims.get(domain.hostname) == self._owner:
            del self._claims[domain.hostname]

    def _own(self, hostname: str) -> Domain:
        domain = self._rows.get(hostname.lower())
        if domain is None:
            raise DomainRefused("NOT_FOUND", "No such domain in your account.")
        return domain

    def _row(self, hostname: str) -> Domain:
        # Counted, so that the same steps give the same ids, and a second registration new ones.
        self._registrations += 1
        identity = uuid5(NAMESPACE_DNS, f"{self._owner}/{self._registrations}/{hostname}")
        return Domain(id=identity, hostname=hostname, owner=self._owner, created_at=self._clock.now())


def _summary(domain: Domain) -> dict[str, object]:
    known = domain.recorded or State(status="", ssl_status="")
    return {
        "id": str(domain.id),
        "domain": domain.hostname,
        "cloudflare_id": _cloudflare_id(domain),
        "status": known.status,
        "ssl_status": known.ssl_status,
        "verification_errors": known.verification_errors,
        "created_at": _created(domain),
    }


def _info(domain: Domain, state: State) -> dict[str, object]:
    # No public-suffix list: "shop.example.co.uk" is split wrongly, which nothing depends on.
    labels = domain.hostname.split(".")
    return {
        "id": str(domain.id),
        "domain": domain.hostname,
        "owner": domain.owner,
        "created_at": _created(domain),
        "cloudflare_id": _cloudflare_id(domain),
        "status": state.status,
        "ssl": {
            "status": state.ssl_status,
            "txt_name": f"_acme-challenge.{domain.hostname}",
            "txt_value": uuid5(domain.id, "certificate").hex,
        },
        "ownership_verification": {
            "type": "txt",
            "name": f"_cf-custom-hostname.{domain.hostname}",
            "value": str(uuid5(domain.id, "ownership")),
        },
        "verification_errors": state.verification_errors,
        "parsed": {"subdomain": ".".join(labels[:-2]), "root_domain": ".".join(labels[-2:])},
    }


def _checked(hostname: str, state: State | None, now: datetime) -> dict[str, object]:
    found = state is not None and state.found
    ssl_valid = state is not None and state.ssl_valid
    # Fields that have nothing to say are left out: only the first three are required.
    answer: dict[str, object] = {"success": True, "found": found, "ssl_valid": ssl_valid}
    if state is not None:
        answer["http_status"] = 200 if found else 404
        answer["cloudflare_status"] = state.status
        answer["cloudflare_ssl_status"] = state.ssl_status
    if not ssl_valid:
        answer["ssl_error"] = "The TLS handshake failed: no certificate for this hostname."
    if not found:
        answer["error_message"] = "The hostname does not route to FunnelFlux."
    answer["response_time_ms"] = uuid5(NAMESPACE_DNS, hostname).int % _SLOWEST_CHECK_MS
    answer["check_timestamp"] = int(now.timestamp())
    return answer


def _created(domain: Domain) -> str:
    # The format is not documented by the vendor; chosen here.
    return domain.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _cloudflare_id(domain: Domain) -> str:
    return str(uuid5(domain.id, "cloudflare"))
