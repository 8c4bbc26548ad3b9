"""SVG charts without inline styles. Pure.

A chart is 600 by 160 units, with room for the labels of both axes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 160
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 596, 10, 140
_GAP = 0.25
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Slot:
    """One day of a chart: the position of its bar and of its hover column."""

    x: float
    width: float
    column_x: float
    column_width: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Paths by the name of their series, the value at the top, and the place of each day."""

    paths: Sequence[tuple[str, str]]
    top: int
    slots: Sequence[Slot]


def slots_of(number: int) -> list[Slot]:
    """Divide the width among days."""
    whole = (_RIGHT - _LEFT) / max(1, number)
    bar = whole * (1 - _GAP)
    return [
        Slot(
            x=round(_LEFT + whole * place + (whole - bar) / 2, 1),
            width=round(bar, 1),
            column_x=round(_LEFT + whole * place, 1),
            column_width=round(whole, 1),
        )
        for place in range(number)
    ]


def round_up(value: int) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50 … that is not below a value."""
    power = 1
    while True:
        for step in _STEPS:
            if step * power >= value:
                return step * power
        power *= 10


def stacked(series: Sequence[tuple[str, Sequence[int]]]) -> Chart:
    """Draw bars, the first series at the bottom."""
    number = len(series[0][1])
    slots = slots_of(number)
    heights = [sum(values[place] for _, values in series) for place in range(number)]
    top = round_up(max([*heights, 1]))
    below = [0] * number
    paths = []
    for name, values in series:
        parts = []
        for place, value in enumerate(values):
            if value:
                parts.append(_bar(slots[place], below[place], value, top))
                below[place] += value
        paths.append((name, "".join(parts)))
    return Chart(paths, top, slots)


def _bar(slot: Slot, below: int, value: int, top: int) -> str:
    unit = (_BOTTOM - _TOP) / top
    foot, height = _BOTTOM - below * unit, value * unit
    return f"M{slot.x} {foot:.1f}v{-height:.1f}h{slot.width}v{height:.1f}z"


def line(name: str, values: Sequence[float | None]) -> Chart:
    """Draw shares from 0 to 1; a day without one leaves a gap, a day alone is a short stroke."""
    slots = slots_of(len(values))
    at: Callable[[float], float] = lambda share: _BOTTOM - share * (_BOTTOM - _TOP)  # noqa: E731
    parts, is_open = [], False
    for slot, value in zip(slots, values, strict=True):
        if value is not None:
            start = f"L{slot.x + slot.width / 2:.1f}" if is_open else f"M{slot.x}"
            parts.append(f"{start} {at(value):.1f}")
            if not is_open:
                parts.append(f"h{slot.width / 2:.1f}")
        is_open = value is not None
    return Chart([(name, "".join(parts))], 100, slots)
