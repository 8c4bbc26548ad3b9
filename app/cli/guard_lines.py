"""Text output of guards, their differences and their dry runs."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.guards.edits import GuardDifference, use_case_differences, workspace_differences
from app.guards.limits import GuardConfiguration, GuardMode, GuardName, Window


def difference_lines(before: GuardConfiguration, after: GuardConfiguration) -> Iterator[str]:
    yield from (_difference_line(one, "") for one in workspace_differences(before, after))
    for use_case_id in sorted(before.use_cases.keys() | after.use_cases.keys()):
        found = use_case_differences(before, after, use_case_id)
        yield from (_difference_line(one, f"use case {use_case_id} ") for one in found)


def _difference_line(one: GuardDifference, owner: str) -> str:
    if one.before is None:
        return f"+ {owner}{one.path}: {one.after}"
    if one.after is None:
        return f"- {owner}{one.path}: {one.before}"
    return f"~ {owner}{one.path}: {one.before} -> {one.after}"


def guard_impact_lines(impact: Mapping[str, Any]) -> Iterator[str]:
    yield f"of the {impact['messages']} messages of the last {impact['days']} days:"
    for one in impact["would_trip"]:
        done = "refused" if one["mode"] == GuardMode.ENFORCE else "beyond the limit (monitor)"
        of = "use case's" if one["scope"] == "use_case" else "workspace's"
        yield (
            f"  would have been {done}: {one['messages']}, by the {of} {one['guard']} per "
            f"{one['window']}, of {one['values']} different"
        )
    if not impact["would_trip"]:
        yield "  none would have met a limit"


def guard_rows(shown: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    auto = shown.get("auto", {})
    for name, guard in shown["guards"].items():
        yield from _rows_of(name, guard, auto.get(name, {}))
    for use_case_id, own in shown["use_cases"].items():
        yield (f"use case {use_case_id}", "", "")
        for name, guard in own.items():
            for first, *others in _rows_of(name, guard, {}):
                yield (f"  {first}", *others)


def _rows_of(
    name: str, guard: Mapping[str, Any], auto: Mapping[str, Any]
) -> Iterator[tuple[str, ...]]:
    if name == GuardName.DELIVERY:
        below = "no limit" if guard["below"] is None else f"below {guard['below']} %"
        text = f"{below}, baseline {guard['baseline']} %, minimum {guard['minimum']}"
        text += ", counts converted" if "counts" in guard else ""
        yield (name, guard["mode"], text)
        return
    yield (name, guard["mode"], _limits_text(guard, auto))
    for code, limits in guard.get("countries", {}).items():
        yield (f"  {code}", "", _limits_text(limits, auto.get("countries", {}).get(code, auto)))


def _limits_text(limits: Mapping[str, Any], auto: Mapping[str, Any]) -> str:
    found = []
    for window in Window:
        limit = limits.get(window)
        if limit is not None:
            now = f" (now {auto[window]})" if limit == "auto" and window in auto else ""
            found.append(f"{limit} per {window}{now}")
    return ", ".join(found) or "no limit"
