"""Audit events of an apply: one for each changed object, with its fields. Pure.

New keys and changed policies are recorded where they are written.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from app.access.audit import Deed
from app.kernel.masking import mask_numbers_in
from app.provisioning.records import Goal, Step, changed_fields


def list_deeds(goal: Goal) -> Iterator[Deed]:
    """List an audit event for each step that changes something."""
    owner = goal.organization.after.id
    yield from _deeds("organization", [goal.organization], owner, {})
    for account in goal.accounts:
        if account.before != account.after:
            verb, said = _verb(account)
            yield Deed(owner, None, f"provider_account.{verb}", account.after.sid, said)
    workspace_of = {step.after.id: step.after.id for step in goal.workspaces}
    yield from _deeds("workspace", goal.workspaces, owner, workspace_of)
    workspace_of = {step.after.id: step.after.workspace_id for step in goal.use_cases}
    yield from _deeds("use_case", goal.use_cases, owner, workspace_of)
    yield from _sender_deeds(goal, workspace_of)
    yield from _key_deeds(goal)


def _sender_deeds(goal: Goal, workspace_of: Mapping[UUID, UUID]) -> Iterator[Deed]:
    for step in goal.senders:
        if step.before != step.after or step.is_removal:
            verb, _ = _verb(step)
            number = mask_numbers_in(step.after.number)
            workspace_id = workspace_of[step.after.use_case_id]
            action = "sender.added" if verb == "created" else f"sender.{verb}"
            owner = goal.organization.after.id
            yield Deed(owner, workspace_id, action, str(step.after.id), number)


def _key_deeds(goal: Goal) -> Iterator[Deed]:
    for step in goal.keys:
        key = step.after
        if step.before is not None and step.before != key:
            _, said = _verb(step)
            owner = key.organization_id
            yield Deed(owner, key.workspace_id, "access_key.changed", str(key.id), said)


def _deeds(
    kind: str, steps: Iterable[Step[Any]], owner: UUID, workspace_of: Mapping[UUID, UUID]
) -> Iterator[Deed]:
    for step in steps:
        if step.before != step.after:
            verb, said = _verb(step)
            target = step.after.id
            yield Deed(owner, workspace_of.get(target), f"{kind}.{verb}", str(target), said)


def _verb(step: Step[Any]) -> tuple[str, str | None]:
    """Return the action, and the changed fields."""
    if step.is_removal:
        return "removed", None
    if step.before is None:
        return "created", getattr(step.after, "name", None)
    names = changed_fields(step.before, step.after)
    if names.get("deleted_at") is not None:
        return "deleted", step.after.name
    return "changed", ", ".join(sorted(names))
