"""The worker's sign of life, and what is swept when it is too old to be of use."""

from dataclasses import dataclass
from datetime import timedelta

from app.db.engine import Database
from app.db.heartbeats import beat, forget
from app.kernel.clock import Clock
from app.messages.purge import Purge
from app.webhooks.purge import PurgeWebhooks

BEAT_SECONDS = 10.0
PURGE_SECONDS = 3600.0
_FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Says that this worker is alive."""

    database: Database
    clock: Clock
    worker: str

    def run_once(self) -> int:
        """Note the time; there is never more to do at once."""
        now = self.clock.now()
        with self.database.writing() as connection:
            beat(connection, self.worker, now)
            forget(connection, now - _FORGOTTEN_AFTER)
        return 0


@dataclass(frozen=True, slots=True)
class HourlyPurge:
    """Erases what is past its time, a bounded bit at a time."""

    purge: Purge
    purge_webhooks: PurgeWebhooks

    def run_once(self) -> int:
        """Purge everything that is due now."""
        self.purge()
        self.purge_webhooks()
        return 0
