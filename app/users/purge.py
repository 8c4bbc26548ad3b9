"""Deletion of ended sessions."""

from dataclasses import dataclass
from datetime import timedelta

from app.access.attempts import forget_expired_attempts
from app.db.clock import require_same_time
from app.db.engine import Database
from app.kernel.clock import Clock
from app.users.sessions import forget_sessions
from app.users.store import forget_sign_in_links

KEPT_AFTER_THE_END = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class PurgeSessions:
    """Deletes sessions and links a week after their end, and attempts outside every limit."""

    database: Database
    clock: Clock

    def __call__(self) -> int:
        """Return the number of deleted sessions; raises `ClocksDiffer`."""
        require_same_time(self.database)
        now = self.clock.now()
        with self.database.writing() as connection:
            forget_expired_attempts(connection, now)
            forget_sign_in_links(connection, now - KEPT_AFTER_THE_END)
            return forget_sessions(connection, now - KEPT_AFTER_THE_END)
