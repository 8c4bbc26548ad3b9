"""Erasing one number on request: bodies, the number, and stored answers and events.

Messages keep status and country under a pseudonym. Opt-outs stay, so that nothing is sent again.
"""

from dataclasses import dataclass

from sqlalchemy import delete, select, update

from app.access.tables import workspaces
from app.db.engine import Database
from app.kernel.phone import PhoneNumber
from app.messages.purge import KEPT_NUMBER, Purge
from app.messages.tables import idempotency_keys, messages
from app.use_cases.consent_order import forget_wish
from app.webhooks.erase import erase_events


@dataclass(frozen=True, slots=True)
class Erase:
    """The operation behind ``borderpost erase``."""

    database: Database
    purge: Purge

    def __call__(self, number: PhoneNumber) -> int:
        """Erase a number everywhere, in one transaction; return how many messages had it."""
        with self.database.writing() as connection:
            erase_events(connection, number)
            every = select(workspaces.c.id)
            of_number = (messages.c.workspace_id.in_(every), messages.c.to_number == number)
            ids = select(messages.c.id).where(*of_number)
            connection.execute(
                delete(idempotency_keys).where(idempotency_keys.c.message_id.in_(ids))
            )
            forget_wish(connection, number)
            erased = connection.execute(
                update(messages)
                .where(*of_number)
                .values(body=None, to_number=self.purge.pseudonym(number), sent_number=KEPT_NUMBER)
            )
        return erased.rowcount
