"""Plan of access keys, matched by name among the live keys of their scope. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.access.key_limits import KeyLimits, limits_from, limits_text
from app.kernel.ids import parse_id
from app.provisioning.desired import DesiredKey
from app.provisioning.problems import FileProblems, step
from app.provisioning.records import Current, KeyRecord, Step, UseCaseRecord


@dataclass(frozen=True, slots=True)
class KeyScope:
    """The scope of keys: an organization, or one of its workspaces."""

    organization_id: UUID
    workspace_id: UUID | None


@dataclass(frozen=True, slots=True)
class NamedUseCases:
    """The use cases as they will be, for keys that are limited to some."""

    use_cases: Sequence[UseCaseRecord]

    def find(self, name_or_id: str, workspace_id: UUID | None) -> list[UUID]:
        """Return the use cases of a name or an id, in a workspace if given."""
        wanted = parse_id(name_or_id)
        return [
            one.id
            for one in self.use_cases
            if (one.id == wanted or one.name == name_or_id)
            and workspace_id in {None, one.workspace_id}
        ]


@dataclass(frozen=True, slots=True)
class KeyPlanner:
    """Turns the access keys of one scope into steps."""

    current: Current
    named: NamedUseCases
    scope: KeyScope
    problems: FileProblems

    def aim(self, desired: Iterable[DesiredKey], now: datetime) -> list[Step[KeyRecord]]:
        """Find each key or make it."""
        steps = []
        for key in desired:
            if key.expires_at is not None and key.expires_at <= now:
                self.problems.add(step(key.place, "expires_at"), "Has passed already.")
            fresh = KeyRecord(
                id=None,
                organization_id=self.scope.organization_id,
                workspace_id=self.scope.workspace_id,
                name=key.name,
                role=key.role.value,
            )
            named = [known for known in self.current.keys if _identity(known) == _identity(fresh)]
            steps.append(self._aim(key, fresh, named))
        return steps

    def _aim(self, key: DesiredKey, fresh: KeyRecord, named: list[KeyRecord]) -> Step[KeyRecord]:
        limits = self._limits(key)
        if not named:
            return Step(key.place, None, _changed(fresh, key, limits))
        pairs = [(known, _changed(known, key, limits)) for known in named]
        before, after = next((pair for pair in pairs if pair[0] == pair[1]), pairs[0])
        if before != after and len(named) > 1:
            self.problems.add(
                step(key.place, "name"),
                "Several live keys have this name and none is as written here: revoke all but one.",
            )
        return Step(key.place, before, after)

    def _limits(self, key: DesiredKey) -> KeyLimits:
        """Return what the file limits; None leaves a limit alone, an empty set takes it away."""
        ids: set[UUID] = set()
        for place, name in enumerate(key.use_cases or ()):
            found = self.named.find(name, self.scope.workspace_id)
            if len(found) != 1:
                said = "Several use cases have this name: give the id."
                at = step(step(key.place, "use_cases"), place)
                self.problems.add(at, said if found else "There is no such use case.")
            ids.update(found)
        return KeyLimits(
            None if key.use_cases is None else frozenset(ids),
            None if key.countries is None else frozenset(key.countries),
            key.source_networks,
        )


def _identity(key: KeyRecord) -> tuple[UUID, UUID | None, str]:
    return key.organization_id, key.workspace_id, key.name


def _changed(known: KeyRecord, key: DesiredKey, given: KeyLimits) -> KeyRecord:
    before = limits_from(known.limits)
    limits = KeyLimits(
        before.use_case_ids if given.use_case_ids is None else given.use_case_ids or None,
        before.countries if given.countries is None else given.countries or None,
        before.source_networks if given.source_networks is None else given.source_networks or None,
    )
    return replace(
        known,
        role=key.role.value,
        expires_at=key.expires_at or known.expires_at,
        rate_per_second=key.rate.per_second if key.rate else known.rate_per_second,
        rate_burst=key.rate.burst if key.rate else known.rate_burst,
        limits=limits_text(limits),
    )
