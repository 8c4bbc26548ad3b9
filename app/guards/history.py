"""The port for past messages; `app.messages.history` implements it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol, TypeAlias
from uuid import UUID

from sqlalchemy import Connection

from app.db.engine import Database
from app.guards.limits import DeliverySign, GuardName
from app.guards.watches import Share

# A message without feedback counts as not converted so long after its end.
FEEDBACK_WITHIN = timedelta(minutes=10)
Period: TypeAlias = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class HourTraffic:
    """``country`` is '' for unknown."""

    hour: datetime
    country: str
    use_case_id: UUID
    messages: int
    segments: int


@dataclass(frozen=True, slots=True)
class MinuteTraffic:
    minute: datetime
    segments: int


@dataclass(frozen=True, slots=True)
class PastMessage:
    """A message that was sent, or may have been; an old number is a pseudonym."""

    at: datetime
    number: str
    country: str
    use_case_id: UUID
    segments: int
    ended_at: datetime | None = None
    is_delivered: bool = False
    # Null without feedback.
    is_converted: bool | None = None


@dataclass(frozen=True, slots=True)
class EndedMessages:
    workspace_id: UUID
    number: str
    country: str
    ended: int
    delivered: int
    judged: int
    converted: int

    def share(self, counts: DeliverySign) -> Share:
        if counts is DeliverySign.CONVERTED:
            return Share(self.judged, self.converted)
        return Share(self.ended, self.delivered)


class MessageHistory(Protocol):
    def hours(self, connection: Connection, workspace_id: UUID, day: date) -> Iterable[HourTraffic]:
        """Sum up the messages of one day (UTC)."""

    def busiest_minutes(
        self, connection: Connection, workspace_id: UUID, day: date, count: int
    ) -> Iterable[MinuteTraffic]:
        """Sum up the segments of the busiest minutes of one day (UTC), the busiest first."""

    def in_order(
        self, database: Database, workspace_id: UUID, since: datetime
    ) -> Iterator[PastMessage]:
        """Read messages from a time on, oldest first, in batches."""

    def busy_values(
        self,
        connection: Connection,
        workspace_id: UUID,
        since: datetime,
        more_than: Mapping[GuardName, int],
    ) -> dict[GuardName, set[str]]:
        """Return the numbers and ranges with more messages than that since a time."""

    def by_number(
        self, database: Database, workspace_id: UUID, since: datetime
    ) -> Iterator[PastMessage]:
        """Read messages from a time on, sorted by number, in batches."""

    def ended(
        self, connection: Connection, since: datetime, judged_until: datetime
    ) -> Iterable[EndedMessages]:
        """Sum up the ended messages of all workspaces since a time, by number."""

    def ended_between(
        self,
        connection: Connection,
        workspace_id: UUID,
        value: str,
        period: Period,
        counts: DeliverySign,
    ) -> Share:
        """Count the ended and the delivered messages to a range or country in a period."""
