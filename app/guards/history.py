"""What guards ask of the messages of the past; `app.messages.guard_history` answers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, TypeAlias
from uuid import UUID

from sqlalchemy import Connection

from app.db.engine import Database

Period: TypeAlias = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class MinuteTraffic:
    """What a use case sent to one country in one minute; '' is no country."""

    minute: datetime
    country: str
    use_case_id: UUID
    messages: int
    segments: int


@dataclass(frozen=True, slots=True)
class PastMessage:
    """A message that was sent, or may have been; an old number is a pseudonym."""

    at: datetime
    number: str
    country: str
    use_case_id: UUID
    segments: int


@dataclass(frozen=True, slots=True)
class EndedMessages:
    """How many messages to one number have ended, and how many of them were delivered."""

    workspace_id: UUID
    number: str
    country: str
    ended: int
    delivered: int


class MessageHistory(Protocol):
    """Messages of the past."""

    def minutes(
        self, connection: Connection, workspace_id: UUID, day: date
    ) -> Iterable[MinuteTraffic]:
        """Sum up the messages of one day (UTC)."""

    def in_order(
        self, database: Database, workspace_id: UUID, since: datetime
    ) -> Iterator[PastMessage]:
        """Read messages from a time on, oldest first, some thousand at a time."""

    def by_number(
        self, database: Database, workspace_id: UUID, since: datetime
    ) -> Iterator[PastMessage]:
        """Read messages from a time on, number by number, some thousand at a time."""

    def ended(self, connection: Connection, since: datetime) -> Iterable[EndedMessages]:
        """Sum up the messages of all workspaces that have ended since a time, by number."""

    def ended_between(
        self,
        connection: Connection,
        workspace_id: UUID,
        value: str,
        span: tuple[datetime, datetime],
    ) -> tuple[int, int]:
        """Count the messages to a range or country that ended in a time, and the delivered ones."""
