"""Steps of a plan, and their changes as text and values, without secrets."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

from app.access.principal import ActorKind, Principal, Role
from app.kernel.clock import rfc3339
from app.provisioning.file import place_order
from app.provisioning.schemas import ANY_DESTINATION

CHANGED = "changed"  # printed for a changed secret
_NAME = "borderpost apply"
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


def owner_of(organization_id: UUID) -> Principal:
    """Return the owner of the whole organization who executes the plan."""
    kind = ActorKind.PROVISIONING
    return Principal(organization_id, _NAME, organization_id, None, Role.OWNER, kind)


class Action(StrEnum):
    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


_SIGNS = {Action.ADD: "+", Action.CHANGE: "~", Action.REMOVE: "-"}


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """Without a field, the whole object."""

    place: str
    action: Action
    field: str | None = None
    before: Any = None
    after: Any = None

    def order(self) -> tuple[list[tuple[int, str]], bool]:
        """Return a sort key: by place, with the changes of a policy last."""
        of_policy = (self.field or "").startswith(("inherits_destinations", "destinations."))
        return place_order(self.place), of_policy

    def as_json(self) -> dict[str, Any]:
        wire = {"field": self.field, "from": self.before, "to": self.after}
        given = {name: value for name, value in wire.items() if value is not None}
        if self.action is Action.CHANGE and self.after != CHANGED:
            given = wire
        return {"place": self.place, "action": self.action.value} | given

    def __str__(self) -> str:
        at = self.place if self.field is None else f"{self.place}.{self.field}"
        value = self.before if self.action is Action.REMOVE else self.after
        text = "" if value is None else f": {_text_of(value)}"
        if self.action is Action.CHANGE and self.after != CHANGED:
            text = f": {_text_of(self.before)} -> {_text_of(self.after)}"
        return f"{_SIGNS[self.action]} {at}{text}"


def _text_of(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) or "none" if isinstance(value, list) else str(value)


@dataclass(frozen=True, slots=True)
class Step:
    changes: tuple[PlannedChange, ...]
    run: Callable[[], object]
    always: bool = False


def added(place: str, name: str) -> tuple[PlannedChange, ...]:
    return (PlannedChange(place, Action.ADD, after=name),)


def removed(place: str, name: str) -> tuple[PlannedChange, ...]:
    return (PlannedChange(place, Action.REMOVE, before=name),)


def changed_columns(
    place: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    names: Mapping[UUID, str] | None = None,
) -> tuple[PlannedChange, ...]:
    return tuple(
        PlannedChange(
            place,
            Action.CHANGE,
            _IN_THE_FILE.get(name, name),
            _wire(name, before[name], names or {}),
            _wire(name, value, names or {}),
        )
        for name, value in after.items()
        if before[name] != value
    )


def changed_values(place: str, pairs: Iterable[tuple[str, Any, Any]]) -> tuple[PlannedChange, ...]:
    """``pairs`` are names with both values; None is an absent one."""
    return tuple(
        PlannedChange(place, _action(before, after), name, before, after)
        for name, before, after in pairs
    )


def _action(before: object, after: object) -> Action:
    if before is None:
        return Action.ADD
    return Action.REMOVE if after is None else Action.CHANGE


def _wire(name: str, value: Any, names: Mapping[UUID, str]) -> Any:
    if name == "deleted_at":
        return value is not None
    if name == "allowed_destinations" and value is None:
        return ANY_DESTINATION
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, UUID):
        return names.get(value, str(value))
    return value.value if isinstance(value, Enum) else value
