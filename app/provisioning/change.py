"""One difference between the current and the desired state. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

CHANGED = "changed"  # stands for a secret that is another than before


class Action(StrEnum):
    """The kinds of change."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


_SIGNS = {Action.ADD: "+", Action.CHANGE: "~", Action.REMOVE: "-"}


@dataclass(frozen=True, slots=True)
class Change:
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
