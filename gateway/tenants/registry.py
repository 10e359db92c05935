"""Tenants: who they are, and which vendor accounts they reach.

A credential is a reference to a variable or a file, or a value that is kept
encrypted. It is written only: what is shown is where it comes from, and since
when. No two tenants have the same vendor account, and the default tenant,
whose credentials come from the environment, is one of them.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from clients.secret import Secret
from gateway.http.rfc9457 import Fault
from gateway.problems import ValidationFailed
from gateway.storage.claims import AccountTaken, Claims
from gateway.storage.tenants import Held, TenantRecord, TenantStore
from gateway.tenants.credential_sources import ENCRYPTED, BadReference, Sources, Unusable
from gateway.tenants.fingerprints import fingerprint
from gateway.tokens.lifecycle import DEFAULT_TENANT, TENANT

LONGEST_VALUE: Final = 16_384
"""Characters of a credential: more than any header that a server reads."""

MOST_ORIGINS: Final = 100
"""Pages of one tenant."""

_REFERENCES: Final = ("env:", "file:")


class Slot(msgspec.Struct, frozen=True):
    """One credential that a tenant can have."""

    parse: Callable[[str], str]
    """The value as it is used; raises ValueError with a sentence."""
    realm: str | None
    """Where the value stands for an account of its own: no two tenants may have the same there. None: it does not."""
    secret: bool = True
    """Whether it must stay out of command lines and shell histories."""


Slots = Mapping[str, Slot]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different of a tenant; what is left out stays."""

    cname_target: str | UnsetType | None = UNSET
    cors_origins: Sequence[str] | UnsetType = UNSET
    credentials: Mapping[str, Secret | None] = {}
    """A value or a reference by slot; None removes it."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant may be like; each raises ValueError with a sentence."""

    slots: Slots
    hostname: Callable[[str], str]
    origin: Callable[[str], str]


class Tenants:
    """Registers, changes and removes tenants.

    Every method raises `storage.database.Unavailable` if the database fails.

    Args:
        store: Where they are kept.
        sources: Reads and encrypts credentials.
        rules: What is accepted.
        reserved: Fingerprints of the default tenant's accounts.
        now: The current Unix time.
        changed: Is awaited after every change: tells other processes.
    """

    def __init__(
        self,
        store: TenantStore,
        sources: Sources,
        *,
        rules: Rules,
        reserved: Collection[str],
        now: Callable[[], float],
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._sources = sources
        self._rules = rules
        self._reserved = reserved
        self._now = now
        self._changed = changed

    async def create(self, name: str, wanted: Change) -> TenantRecord:
        """Register a tenant.

        Raises:
            ValidationFailed: With everything that is wrong.
            NameTaken: There is one of this name.
            AccountTaken: Another tenant has one of its accounts.
        """
        faults = []
        if not TENANT.fullmatch(name):
            faults.append(Fault("/name", "Expected 1 to 64 letters, digits, '_' or '-'."))
        elif name == DEFAULT_TENANT:
            faults.append(Fault("/name", "The default tenant is described by the environment."))
        columns, held, claims = self._checked(name, wanted, faults)
        record = TenantRecord(
            name=name,
            created_at=int(self._now()),
            cname_target=None,
            cors_origins=(),
            credentials={slot: given for slot, given in held.items() if given is not None},
        )
        record = msgspec.structs.replace(record, **columns)
        await self._store.add(record, claims)
        await self._changed()
        return record

    async def change(self, name: str, wanted: Change) -> TenantRecord | None:
        """Change a tenant, in every process within a second.

        Returns:
            The tenant; None: there is none of this name.

        Raises:
            ValidationFailed: With everything that is wrong.
            AccountTaken: Another tenant has one of its accounts.
        """
        columns, held, claims = self._checked(name, wanted, [])
        found = await self._store.change(name, columns=columns, credentials=held, claims=claims)
        if found:
            await self._changed()
        return await self.get(name) if found else None

    async def remove(self, name: str) -> bool:
        """Forget a tenant; its tokens are revoked, and their records stay.

        Returns:
            Whether there was one.
        """
        found = await self._store.remove(name, at=int(self._now()))
        if found:
            await self._changed()
        return found

    async def list_all(self) -> tuple[TenantRecord, ...]:
        """Every registered tenant, by name."""
        return (await self._store.register()).tenants

    async def get(self, name: str) -> TenantRecord | None:
        """One registered tenant."""
        return next((record for record in await self.list_all() if record.name == name), None)

    def _checked(
        self, name: str, wanted: Change, faults: list[Fault]
    ) -> tuple[dict[str, object], dict[str, Held | None], Claims]:
        """What is to be kept: columns, credentials by slot, and claims."""
        columns: dict[str, object] = {}
        if not isinstance(wanted.cname_target, UnsetType):
            columns["cname_target"] = self._cname_target(wanted.cname_target, faults)
        if not isinstance(wanted.cors_origins, UnsetType):
            columns["cors_origins"] = self._cors_origins(wanted.cors_origins, faults)
        held: dict[str, Held | None] = {}
        claims: dict[str, str] = {}
        for slot, given in wanted.credentials.items():
            pointer = f"/credentials/{slot}"
            try:
                held[slot] = self._held(name, slot, given, claims) if given is not None else None
            except (BadReference, ValueError) as error:
                sentence = str(error)
                faults.append(Fault(pointer, f"{sentence[:1].upper()}{sentence[1:]}"))
        if faults:
            raise ValidationFailed("The tenant can't be like this.", faults=faults)
        return columns, held, claims

    def _held(self, tenant: str, slot: str, given: Secret, claims: dict[str, str]) -> Held:
        """How a credential is kept; what it claims is added to `claims`.

        Raises:
            BadReference: It is one that we do not follow.
            ValueError: It is no such credential.
            AccountTaken: It is the default tenant's.
        """
        if (rule := self._rules.slots.get(slot)) is None:
            raise ValueError("There is no such credential.")
        text = given.reveal()
        if len(text) > LONGEST_VALUE:
            raise ValueError(f"At most {LONGEST_VALUE} characters.")
        place, at = place_of(tenant, slot), int(self._now())
        if text.startswith(_REFERENCES):
            self._sources.check(text)
            held = Held(source=text, sealed=None, set_at=at)
            if rule.realm is not None:
                claims[fingerprint("reference", given)] = slot
            try:
                value = rule.parse(self._sources.read(held, place=place))
            except Unusable:
                return held  # It may come to be there later: calls that need it are refused until then.
        else:
            value = rule.parse(text)
            held = Held(source=ENCRYPTED, sealed=self._sources.seal(value, place=place), set_at=at)
        found = claims_of(self._rules.slots, {slot: Secret(value)})
        if any(one in self._reserved for one in found):
            raise AccountTaken(slot, DEFAULT_TENANT)
        claims.update(found)
        return held

    def _cname_target(self, given: str | None, faults: list[Fault]) -> str | None:
        try:
            return self._rules.hostname(given) if given is not None else None
        except ValueError as error:
            faults.append(Fault("/cname_target", f"It {error}"))
            return None

    def _cors_origins(self, given: Sequence[str], faults: list[Fault]) -> list[str]:
        if len(given) > MOST_ORIGINS:
            faults.append(Fault("/cors_origins", f"At most {MOST_ORIGINS}."))
            return []
        origins = []
        for index, text in enumerate(given):
            try:
                origins.append(self._rules.origin(text))
            except ValueError as error:
                faults.append(Fault(f"/cors_origins/{index}", f"It {error}"))
        return sorted(set(origins))


def claims_of(slots: Slots, credentials: Mapping[str, Secret]) -> dict[str, str]:
    """The fingerprints of what stands for a vendor account of its own, each with its slot."""
    return {
        fingerprint(realm, value): slot
        for slot, value in credentials.items()
        if slot in slots and (realm := slots[slot].realm) is not None
    }


def place_of(tenant: str, slot: str) -> str:
    """Where a credential is kept, as it is bound to when it is encrypted."""
    return f"tenant/{tenant}/{slot}"
