"""A month in UTC as a range of UUIDv7 ids. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from app.kernel.ids import first_id_at

_MONTHS = 12


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One month of one year; ``number`` is 1 to 12."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year:04}_{self.number:02}"

    @property
    def first_id(self) -> UUID:
        """Return the smallest id that a row of this month can have."""
        return first_id_at(datetime(self.year, self.number, 1, tzinfo=UTC))

    def later(self, months: int) -> "Month":
        """Return the month so many months later."""
        count = self.year * _MONTHS + self.number - 1 + months
        return Month(count // _MONTHS, count % _MONTHS + 1)


def month_of(at: datetime) -> Month:
    """Return the month of a time."""
    there = at.astimezone(UTC)
    return Month(there.year, there.month)
