"""The changes of a plan as text and values. Pure; secrets are never shown."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from app.destinations.state import PolicyState, country_accesses, country_changes
from app.guards.edits import use_case_differences, workspace_differences
from app.kernel.clock import rfc3339
from app.kernel.masking import mask_numbers_in
from app.provisioning.change import CHANGED, Action, Change
from app.provisioning.desired import ANY_DESTINATION
from app.provisioning.mistakes import place_order
from app.provisioning.records import (
    AccountRecord,
    Goal,
    GuardsStep,
    PolicyRecord,
    SenderRecord,
    Step,
    changed_fields,
)

_IN_THE_FILE = {
    "parent_id": "parent",
    "acknowledges_high_risk": "acknowledge_high_risk",
    "account_sid": "twilio.account_sid",
    "brand_sid": "brand.sid",
    "brand_status": "brand.status",
    "campaign_sid": "campaign.sid",
    "campaign_status": "campaign.status",
    "deleted_at": "deleted",
    "rate_per_second": "rate.per_second",
    "rate_burst": "rate.burst",
}


def list_changes(goal: Goal, now: datetime) -> tuple[Change, ...]:
    """List every difference of a plan, in the order of places."""
    return tuple(sorted(_changes(goal, now), key=lambda change: place_order(change.place)))


def _changes(goal: Goal, now: datetime) -> Iterator[Change]:
    names = goal.workspace_names
    yield from _differences(goal.organization, names)
    for account in goal.accounts:
        yield from _account(account)
    for workspace in goal.workspaces:
        yield from _differences(workspace, names)
    for policy in goal.policies:
        yield from _policy(policy, now)
    for use_case in goal.use_cases:
        yield from _differences(use_case, names)
    for sender in goal.senders:
        yield from _sender(sender)
    for guards in goal.guards:
        yield from _guards(guards)
    for key in goal.keys:
        yield from _differences(key, names)


def _differences(step: Step[Any], names: Mapping[UUID, str]) -> Iterator[Change]:
    if step.before is None:
        yield Change(step.place, Action.ADD, after=step.after.name)
        return
    for name in changed_fields(step.before, step.after):
        before = _wire(name, getattr(step.before, name), names)
        after = _wire(name, getattr(step.after, name), names)
        if name == "deleted_at" and after:
            yield Change(step.place, Action.REMOVE, before=step.before.name)
        else:
            yield Change(step.place, Action.CHANGE, _IN_THE_FILE.get(name, name), before, after)


def _account(step: Step[AccountRecord]) -> Iterator[Change]:
    if step.before is None:
        yield Change(step.place, Action.ADD, after=step.after.sid)
        return
    for name, token in changed_fields(step.before, step.after).items():
        if token is None:
            yield Change(step.place, Action.REMOVE, name)
        else:
            yield Change(step.place, Action.CHANGE, name, after=CHANGED)


def _policy(step: Step[PolicyRecord], now: datetime) -> Iterator[Change]:
    before = step.before.state if step.before else PolicyState()
    after = step.after.state
    mapped = country_changes(before.destinations, after.destinations)
    # What holds for a country may change with a rule as well, and not change with the map.
    held = country_changes(country_accesses(before, now), country_accesses(after, now))
    for country, one in sorted({one.country: one for one in (*mapped, *held)}.items()):
        pair = one.before, one.after
        yield Change(step.place, _action(*pair), f"destinations.{country}", *pair)


def _sender(step: Step[SenderRecord]) -> Iterator[Change]:
    number = mask_numbers_in(step.after.number)
    if step.is_removal:
        yield Change(step.place, Action.REMOVE, before=number)
    elif step.before is None:
        yield Change(step.place, Action.ADD, after=number)
    else:
        for name, after in changed_fields(step.before, step.after).items():
            yield Change(step.place, Action.CHANGE, name, getattr(step.before, name), after)


def _guards(guards: GuardsStep) -> Iterator[Change]:
    before, after = guards.before, guards.after
    found = [(guards.place, workspace_differences(before, after))]
    for use_case_id, place in guards.use_case_places.items():
        found.append((place, use_case_differences(before, after, use_case_id)))
    for place, differences in found:
        for one in differences:
            pair = one.before, one.after
            yield Change(place, _action(*pair), one.path, *pair)


def _action(before: object, after: object) -> Action:
    if before is None:
        return Action.ADD
    return Action.REMOVE if after is None else Action.CHANGE


def _wire(name: str, value: Any, names: Mapping[UUID, str]) -> Any:
    if name == "deleted_at":
        return value is not None
    if name == "allowed_destinations" and value is None:
        return ANY_DESTINATION
    if name == "expires_at" and value is not None:
        return rfc3339(value)
    if isinstance(value, UUID):
        return names.get(value, str(value))
    return list(value) if isinstance(value, tuple) else value
