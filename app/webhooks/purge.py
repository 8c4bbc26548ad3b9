"""Deletion of expired events, and of the events of one number."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, delete, select, update

from app.access.tables import workspaces
from app.db.clock import require_same_time
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.ids import first_id_at
from app.kernel.phone import PhoneNumber
from app.webhooks.tables import webhook_endpoints, webhook_events

KEPT_DAYS = 30
EVENT_BATCH = 200


@dataclass(frozen=True, slots=True)
class PurgeWebhooks:
    """Deletes expired events with deliveries and attempts, and expired secrets."""

    database: Database
    clock: Clock

    def __call__(self) -> int:
        """Delete in small batches; return the number of events. Raises `ClocksDiffer`."""
        require_same_time(self.database)
        now = self.clock.now()
        with self.database.reading() as connection:
            kept = connection.execute(
                select(workspaces.c.id, workspaces.c.number_retention_days)
            ).all()
        with self.database.writing() as connection:
            _forget_secrets(connection, now)
        total = 0
        for row in kept:
            days = min(KEPT_DAYS, row.number_retention_days)
            total += self._purge(row.id, first_id_at(now - timedelta(days=days)))
        return total

    def _purge(self, workspace_id: UUID, before: UUID) -> int:
        total = 0
        while True:
            with self.database.writing() as connection:
                deleted = _delete(connection, workspace_id, before)
            total += deleted
            if deleted < EVENT_BATCH:
                return total


def _delete(connection: Connection, workspace_id: UUID, before: UUID) -> int:
    columns = webhook_events.c
    old = (
        select(columns.id)
        .where(columns.workspace_id == workspace_id, columns.id < before)
        .order_by(columns.id)
        .limit(EVENT_BATCH)
    )
    ids = list(connection.execute(old).scalars())
    if ids:
        connection.execute(delete(webhook_events).where(columns.id.in_(ids)))
    return len(ids)


def _forget_secrets(connection: Connection, now: datetime) -> None:
    columns = webhook_endpoints.c
    connection.execute(
        update(webhook_endpoints)
        .where(columns.previous_secret_until <= now)
        .values(previous_secret=None, previous_secret_until=None)
    )


def erase_events(connection: Connection, number: PhoneNumber) -> int:
    """Delete every event with a number in it; return how many.

    Events other than those of messages, which may quote it, are searched without an index.
    """
    columns = webhook_events.c
    of_number = columns.to_number == number
    quoting = columns.payload.contains(f'"{number}"', autoescape=True)
    erased = connection.execute(delete(webhook_events).where(of_number)).rowcount
    others = delete(webhook_events).where(columns.to_number.is_(None), quoting)
    return erased + connection.execute(others).rowcount
