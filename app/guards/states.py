"""The state of each guard of a workspace, for its overview."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.access.tables import workspaces
from app.db.rows import AnyRow
from app.guards.configuration import read_auto, read_guards
from app.guards.limits import WINDOWS, AutoLimits, GuardMode, GuardName, Guards, Window
from app.guards.tables import alerts, guard_autos, guard_counters, guard_settings
from app.guards.watches import StepCounts, held, resolve_limits, shifted_to, step_at

# The other guards count so many numbers and ranges that reading them all is slow.
_FEW_VALUES = (GuardName.COUNTRY, GuardName.WORKSPACE, GuardName.SPEND)
_GUARDS, _AUTOS, _COUNTER, _ALERTS = "guards", "autos", "counter", "alerts"
_OF_COUNTER = ("guard", "value", "short_step", "short_counts", "long_step", "long_counts")


@dataclass(frozen=True, slots=True)
class Fullness:
    """The count of a window and its limit; money in millionths."""

    value: str
    window: Window
    count: int
    limit: int

    @property
    def share(self) -> float:
        return self.count / self.limit


@dataclass(frozen=True, slots=True)
class GuardState:
    """``fullest`` is the count that is nearest to its limit, if one is known."""

    guard: GuardName
    mode: GuardMode
    has_limit: bool
    open_alerts: int
    fullest: Fullness | None


def load_guard_states(
    connection: sa.Connection, workspace_id: UUID, now: datetime
) -> list[GuardState]:
    """Load them in one round trip. Alerts of use cases count, their counters do not."""
    parts: dict[str, list[AnyRow]] = defaultdict(list)
    for row in connection.execute(_every_part(workspace_id)):
        parts[row.part].append(row)
    (stored,) = parts[_GUARDS]
    guards = read_guards(stored.document and json.loads(stored.document))
    autos = [read_auto(json.loads(row.document)["workspace"]) for row in parts[_AUTOS]]
    fullest: dict[GuardName, Fullness] = {}
    for row in parts[_COUNTER]:
        for found in _fullness(row, guards, stored.value, autos[0] if autos else AutoLimits(), now):
            best = fullest.get(row.guard)
            if best is None or found.share > best.share:
                fullest[row.guard] = found
    open_alerts = {row.guard: row.number for row in parts[_ALERTS]}
    return [
        GuardState(
            guard=name,
            mode=guards.delivery.mode if name is GuardName.DELIVERY else guards.by_name[name].mode,
            has_limit=_has_limit(guards, name),
            open_alerts=open_alerts.get(name, 0),
            fullest=fullest.get(name),
        )
        for name in GuardName
    ]


def _every_part(workspace_id: UUID) -> sa.CompoundSelect[Any]:
    counters = guard_counters.c
    settings = sa.select(
        *_columns(_GUARDS, value=workspaces.c.home_country, document=guard_settings.c.guards)
    ).outerjoin_from(workspaces, guard_settings, guard_settings.c.workspace_id == workspaces.c.id)
    return sa.union_all(
        settings.where(workspaces.c.id == workspace_id),
        sa.select(*_columns(_AUTOS, document=guard_autos.c.limits)).where(
            guard_autos.c.workspace_id == workspace_id
        ),
        sa.select(*_columns(_COUNTER, **{name: counters[name] for name in _OF_COUNTER})).where(
            counters.scope_id == workspace_id, counters.guard.in_(_FEW_VALUES)
        ),
        sa.select(*_columns(_ALERTS, guard=alerts.c.guard, number=sa.func.count()))
        .where(
            alerts.c.workspace_id == workspace_id,
            alerts.c.cleared_at.is_(None),
            alerts.c.guard.is_not(None),
        )
        .group_by(alerts.c.guard),
    )


def _columns(part: str, **given: sa.ColumnElement[Any]) -> Iterator[sa.ColumnElement[Any]]:
    """Yield the columns that all parts have; those not given are NULL."""
    types = {name: guard_counters.c[name].type for name in _OF_COUNTER}
    types |= {"number": guard_counters.c.version.type, "document": sa.Text()}
    yield sa.literal(part).label("part")
    for name, type_ in types.items():
        column = given.get(name)
        if column is None or name == "document":
            column = sa.cast(sa.null() if column is None else column, type_)
        yield column.label(name)


def _fullness(
    row: AnyRow, guards: Guards, home_country: str, auto: AutoLimits, now: datetime
) -> Iterable[Fullness]:
    name = GuardName(row.guard)
    guard = guards.by_name[name]
    is_home = name is GuardName.COUNTRY and row.value == home_country
    if guard.mode is GuardMode.OFF or (is_home and home_country not in guard.countries):
        return
    limits = resolve_limits(name, guard, row.value, auto)
    stored = (row.short_step, row.short_counts), (row.long_step, row.long_counts)
    for window, (step, counts) in zip(WINDOWS[name], stored, strict=True):
        count = held(name, shifted_to(StepCounts(step, counts), step_at(name, window, now)))
        if window in limits and count:
            yield Fullness(row.value, window, count, limits[window])


def _has_limit(guards: Guards, name: GuardName) -> bool:
    if name is GuardName.DELIVERY:
        return guards.delivery.below is not None
    guard = guards.by_name[name]
    every = (guard.limits, *guard.countries.values())
    return any(limit is not None for limits in every for limit in limits.values())
