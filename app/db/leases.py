"""Leases on periodic jobs, so that one process runs each; that of a dead process expires."""

from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, String, update

from app.db.engine import Database
from app.db.rows import insert_on_conflict
from app.db.types import UtcDateTime, add_table

leases = add_table(
    "leases",
    Column("job", String(40), primary_key=True),
    # The next due time; while the job runs, the end of the lease.
    Column("due_at", UtcDateTime, nullable=False),
)

_WRITE_CHECK = "write_check"


def acquire_lease(
    connection: Connection, job: str, now: datetime, *, lease: timedelta, first_after: timedelta
) -> datetime | None:
    """Return the end of the lease, or None; an unknown job is due after ``first_after``."""
    leased_until = now + lease
    due = update(leases).where(leases.c.job == job, leases.c.due_at <= now)
    if connection.execute(due.values(due_at=leased_until)).rowcount:
        return leased_until
    wanted = insert_on_conflict(connection, leases).values(job=job, due_at=now + first_after)
    connection.execute(wanted.on_conflict_do_nothing())
    return None


def release_lease(
    connection: Connection, job: str, leased_until: datetime, due_at: datetime
) -> None:
    """Set the next due time, unless another process has the job."""
    held = update(leases).where(leases.c.job == job, leases.c.due_at == leased_until)
    connection.execute(held.values(due_at=due_at))


def require_writable(database: Database, now: datetime) -> None:
    """Write a row, at most once a second; raises `ServiceUnavailable`."""
    # Only a committed write shows a full disk. It also makes a pool leave a standby.
    at = now.replace(microsecond=0)
    with database.writing_once() as connection:
        row = insert_on_conflict(connection, leases).values(job=_WRITE_CHECK, due_at=at)
        is_older = leases.c.due_at != at
        connection.execute(
            row.on_conflict_do_update(index_elements=["job"], set_={"due_at": at}, where=is_older)
        )
