"""Plan of access keys, matched by name among the live keys of their scope. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.provisioning.desired import DesiredKey
from app.provisioning.mistakes import Mistakes, step
from app.provisioning.records import KeyRecord, Step, Stored


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of keys: an organization, or one of its workspaces."""

    organization_id: UUID
    workspace_id: UUID | None


def aim_keys(
    desired: Iterable[DesiredKey], stored: Stored, scope: Scope, mistakes: Mistakes, now: datetime
) -> list[Step[KeyRecord]]:
    """Find each key or make it; a key without a workspace is the organization's."""
    steps = []
    for key in desired:
        if key.expires_at is not None and key.expires_at <= now:
            mistakes.add(step(key.place, "expires_at"), "Has passed already.")
        fresh = KeyRecord(
            id=None,
            organization_id=scope.organization_id,
            workspace_id=scope.workspace_id,
            name=key.name,
            role=key.role.value,
            expires_at=key.expires_at,
        )
        named = [known for known in stored.keys if _identity(known) == _identity(fresh)]
        steps.append(_aim(key, fresh, named, mistakes))
    return steps


def _identity(key: KeyRecord) -> tuple[UUID, UUID | None, str]:
    return key.organization_id, key.workspace_id, key.name


def _aim(
    key: DesiredKey, fresh: KeyRecord, named: list[KeyRecord], mistakes: Mistakes
) -> Step[KeyRecord]:
    if not named:
        return Step(key.place, None, fresh)
    pairs = [(known, _changed(known, fresh)) for known in named]
    before, after = next((pair for pair in pairs if pair[0] == pair[1]), pairs[0])
    if before != after and len(named) > 1:
        mistakes.add(
            step(key.place, "name"),
            "Several live keys have this name and none is as written here: revoke all but one.",
        )
    return Step(key.place, before, after)


def _changed(known: KeyRecord, fresh: KeyRecord) -> KeyRecord:
    return replace(known, role=fresh.role, expires_at=fresh.expires_at or known.expires_at)
