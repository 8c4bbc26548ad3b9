"""Forgetting sessions that are over: they say when somebody worked."""

from dataclasses import dataclass
from datetime import timedelta

from app.db.engine import Database
from app.kernel.clock import Clock
from app.people.sessions import forget_sessions

KEPT_AFTER_THE_END = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class PurgeSessions:
    """Deletes sessions a week after their end."""

    database: Database
    clock: Clock

    def __call__(self) -> int:
        """Delete what is past its time; return how many sessions that were."""
        before = self.clock.now() - KEPT_AFTER_THE_END
        with self.database.writing() as connection:
            return forget_sessions(connection, before)
