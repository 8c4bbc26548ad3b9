"""Charts of the overview: each is a table that a script draws. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.console.overview.figures import Figures

_STATUSES = (
    ("delivered", "Delivered"),
    ("undelivered", "Undelivered"),
    ("failed", "Failed"),
    ("on_the_way", "In transit"),
)


class Kind(StrEnum):
    """How a chart is drawn."""

    BARS = "bars"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns of a name for the colour and a label, and a row of values for each slot."""

    title: str
    unit: str
    kind: Kind
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[datetime, Sequence[float | None]]]


def by_status(figures: Figures) -> Chart:
    """Chart messages by status."""
    rows = [(at, [getattr(sums, name) for name, _ in _STATUSES]) for at, sums in figures.slots]
    return Chart("Messages by status", "Messages", Kind.BARS, _STATUSES, rows)


def by_group(title: str, figures: Figures, series: Sequence[tuple[str, Sequence[int]]]) -> Chart:
    """Chart messages by the groups of series: labels with values for each slot."""
    columns = [(str(place + 1), label) for place, (label, _) in enumerate(series)]
    rows = [
        (at, [values[place] for _, values in series]) for place, (at, _) in enumerate(figures.slots)
    ]
    return Chart(title, "Messages", Kind.BARS, columns, rows)


def delivery_rate(figures: Figures) -> Chart:
    """Chart the delivery rate in percent; a slot without an end has none."""
    rows = [
        (at, [None if sums.rate is None else round(100 * sums.rate, 1)])
        for at, sums in figures.slots
    ]
    return Chart("Delivery rate", "Percent", Kind.RATE, [("delivered", "Delivered")], rows)


def refusals(figures: Figures) -> Chart:
    """Chart refused sends."""
    rows = [(at, [sums.refusals]) for at, sums in figures.slots]
    return Chart("Refused sends", "Sends", Kind.BARS, [("refused", "Refused")], rows)
