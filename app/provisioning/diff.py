"""The changes of a plan as text and values. Pure; secrets are never shown."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.destinations.policy.state import PolicyState, country_accesses, country_changes
from app.guards.edits import use_case_differences, workspace_differences
from app.kernel.clock import rfc3339
from app.kernel.masking import mask_numbers_in
from app.provisioning.desired import ANY_DESTINATION
from app.provisioning.problems import place_order
from app.provisioning.records import (
    AccountRecord,
    GuardsStep,
    Plan,
    PolicyRecord,
    SenderRecord,
    Step,
    changed_fields,
)

CHANGED = "changed"  # stands for a secret that is another than before


class Action(StrEnum):
    """The kinds of change."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


_SIGNS = {Action.ADD: "+", Action.CHANGE: "~", Action.REMOVE: "-"}


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One difference; without a field it is the whole thing at this place."""

    place: str
    action: Action
    field: str | None = None
    before: Any = None
    after: Any = None

    def as_json(self) -> dict[str, Any]:
        """Return the change as JSON, without absent values."""
        wire = {"field": self.field, "from": self.before, "to": self.after}
        given = {name: value for name, value in wire.items() if value is not None}
        if self.action is Action.CHANGE and self.after != CHANGED:
            given = wire
        return {"place": self.place, "action": self.action.value} | given

    def __str__(self) -> str:
        """Return the change as one line for people."""
        at = self.place if self.field is None else f"{self.place}.{self.field}"
        value = self.before if self.action is Action.REMOVE else self.after
        said = "" if value is None else f": {_said(value)}"
        if self.action is Action.CHANGE and self.after != CHANGED:
            said = f": {_said(self.before)} -> {_said(self.after)}"
        return f"{_SIGNS[self.action]} {at}{said}"


def _said(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) or "none" if isinstance(value, list) else str(value)


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


def list_changes(planned: Plan, now: datetime) -> tuple[PlannedChange, ...]:
    """List every difference of a plan, in the order of places."""
    return tuple(sorted(_changes(planned, now), key=lambda change: place_order(change.place)))


def _changes(planned: Plan, now: datetime) -> Iterator[PlannedChange]:
    names = planned.workspace_names
    yield from _differences(planned.organization, names)
    for account in planned.accounts:
        yield from _account(account)
    for workspace in planned.workspaces:
        yield from _differences(workspace, names)
    for policy in planned.policies:
        yield from _policy(policy, now)
    for use_case in planned.use_cases:
        yield from _differences(use_case, names)
    for sender in planned.senders:
        yield from _sender(sender)
    for guards in planned.guards:
        yield from _guards(guards)
    for key in planned.keys:
        yield from _differences(key, names)


def _differences(step: Step[Any], names: Mapping[UUID, str]) -> Iterator[PlannedChange]:
    if step.before is None:
        yield PlannedChange(step.place, Action.ADD, after=step.after.name)
        return
    for name in changed_fields(step.before, step.after):
        before = _wire(name, getattr(step.before, name), names)
        after = _wire(name, getattr(step.after, name), names)
        if name == "deleted_at" and after:
            yield PlannedChange(step.place, Action.REMOVE, before=step.before.name)
        else:
            yield PlannedChange(
                step.place, Action.CHANGE, _IN_THE_FILE.get(name, name), before, after
            )


def _account(step: Step[AccountRecord]) -> Iterator[PlannedChange]:
    if step.before is None:
        yield PlannedChange(step.place, Action.ADD, after=step.after.sid)
        return
    for name, token in changed_fields(step.before, step.after).items():
        if token is None:
            yield PlannedChange(step.place, Action.REMOVE, name)
        else:
            yield PlannedChange(step.place, Action.CHANGE, name, after=CHANGED)


def _policy(step: Step[PolicyRecord], now: datetime) -> Iterator[PlannedChange]:
    before = step.before.state if step.before else PolicyState()
    after = step.after.state
    mapped = country_changes(before.destinations, after.destinations)
    # What holds for a country may change with a rule as well, and not change with the map.
    held = country_changes(country_accesses(before, now), country_accesses(after, now))
    for country, one in sorted({one.country: one for one in (*mapped, *held)}.items()):
        pair = one.before, one.after
        yield PlannedChange(step.place, _action(*pair), f"destinations.{country}", *pair)


def _sender(step: Step[SenderRecord]) -> Iterator[PlannedChange]:
    number = mask_numbers_in(step.after.number)
    if step.is_removal:
        yield PlannedChange(step.place, Action.REMOVE, before=number)
    elif step.before is None:
        yield PlannedChange(step.place, Action.ADD, after=number)
    else:
        for name, after in changed_fields(step.before, step.after).items():
            yield PlannedChange(step.place, Action.CHANGE, name, getattr(step.before, name), after)


def _guards(guards: GuardsStep) -> Iterator[PlannedChange]:
    before, after = guards.before, guards.after
    found = [(guards.place, workspace_differences(before, after))]
    for use_case_id, place in guards.use_case_places.items():
        found.append((place, use_case_differences(before, after, use_case_id)))
    for place, differences in found:
        for one in differences:
            pair = one.before, one.after
            yield PlannedChange(place, _action(*pair), one.path, *pair)


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
