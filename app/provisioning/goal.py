"""From what a file asks for and what is stored to the steps between them. Pure."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from app.provisioning.access_keys import aim_keys
from app.provisioning.accounts import aim_accounts
from app.provisioning.desired import Desired, DesiredKey
from app.provisioning.mistakes import Mistakes
from app.provisioning.organization import aim_organization
from app.provisioning.records import (
    Goal,
    KeyRecord,
    OrganizationRecord,
    SenderRecord,
    Step,
    Stored,
    UseCaseRecord,
)
from app.provisioning.use_cases import UseCaseAims
from app.provisioning.workspaces import Found, aim_workspaces, find_workspaces

_IDENTITY = ("organization", "organization.id", "organization.name")


def make_goal(desired: Desired, stored: Stored, mistakes: Mistakes, now: datetime) -> Goal:
    """Find out what the file makes of everything that it names.

    Raises:
        FileRefused: with every mistake, those noted before included.
    """
    accounts = aim_accounts(desired.workspaces, stored.accounts, mistakes)
    organization = aim_organization(desired.organization, stored, mistakes)
    if mistakes.has_any(*_IDENTITY):
        # Whose workspaces to compare with is unknown.
        mistakes.refuse()
    owner = organization.after
    found = find_workspaces(desired.workspaces, stored, owner.id, mistakes)
    workspaces = aim_workspaces(found, stored, owner, mistakes)
    scopes: list[tuple[UUID | None, tuple[DesiredKey, ...]]]
    scopes = [(None, desired.organization.access_keys)]
    scopes += [(each.id, each.entry.access_keys) for each in found]
    use_cases, senders = _aim_use_cases(found, owner, stored, mistakes, now)
    goal = Goal(
        organization=organization,
        accounts=tuple(accounts),
        workspaces=tuple(workspaces.workspaces),
        policies=tuple(workspaces.policies),
        use_cases=tuple(use_cases),
        senders=tuple(senders),
        keys=tuple(_aim_keys(scopes, owner.id, stored, mistakes, now)),
        workspace_names=workspaces.names,
    )
    mistakes.refuse()
    return goal


def _aim_use_cases(
    found: list[Found],
    owner: OrganizationRecord,
    stored: Stored,
    mistakes: Mistakes,
    now: datetime,
) -> tuple[list[Step[UseCaseRecord]], list[Step[SenderRecord]]]:
    use_cases: list[Step[UseCaseRecord]] = []
    senders: list[Step[SenderRecord]] = []
    for each in found:
        aimer = UseCaseAims(each.id, owner.denied_destinations, stored, mistakes)
        aims = aimer.aim(each.entry, now)
        use_cases += aims.use_cases
        senders += aims.senders
    return use_cases, senders


def _aim_keys(
    scopes: Iterable[tuple[UUID | None, tuple[DesiredKey, ...]]],
    organization_id: UUID,
    stored: Stored,
    mistakes: Mistakes,
    now: datetime,
) -> list[Step[KeyRecord]]:
    steps: list[Step[KeyRecord]] = []
    for workspace_id, keys in scopes:
        steps += aim_keys(
            keys,
            stored,
            mistakes,
            organization_id=organization_id,
            workspace_id=workspace_id,
            now=now,
        )
    return steps
