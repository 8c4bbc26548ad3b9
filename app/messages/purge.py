"""Erasing what is kept no longer than it must be: bodies, numbers, answers of idempotency keys.

Each workspace has its own times. A number becomes a pseudonym, the same for the same number, so
that counts stay true; it is keyed, so that nobody finds the number by trying all of them. Small
batches, so that sends and callbacks never wait long.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, select, update

from app.access.tables import workspaces
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.ids import first_id_at
from app.messages.idempotency import LIFETIME
from app.messages.tables import idempotency_keys, messages

BATCH = 500
_PSEUDONYM_CHARS = 15


@dataclass(frozen=True, slots=True)
class Purged:
    """How many of each were erased."""

    bodies: int = 0
    numbers: int = 0
    answers: int = 0


@dataclass(frozen=True, slots=True)
class Purge:
    """The operation behind ``borderpost purge`` and the worker's hourly sweep."""

    database: Database
    clock: Clock
    pseudonym_key: str

    def __call__(self) -> Purged:
        """Erase everything that is past its time."""
        now = self.clock.now()
        with self.database.reading() as connection:
            kept = connection.execute(select(workspaces)).all()
        bodies = numbers = 0
        for row in kept:
            bodies_before = first_id_at(now - timedelta(days=row.body_retention_days))
            numbers_before = first_id_at(now - timedelta(days=row.number_retention_days))
            bodies += self._in_batches(partial(_bodies, row.id, bodies_before))
            numbers += self._in_batches(partial(self._numbers, row.id, numbers_before))
        answers = self._in_batches(partial(_answers, now - LIFETIME))
        return Purged(bodies, numbers, answers)

    def _in_batches(self, erase: Callable[[Connection], int]) -> int:
        total = 0
        while True:
            with self.database.writing() as connection:
                erased = erase(connection)
            total += erased
            if erased < BATCH:
                return total

    def _numbers(self, workspace_id: UUID, before: UUID, connection: Connection) -> int:
        columns = messages.c
        found = connection.execute(
            select(columns.id, columns.to_number)
            .where(
                columns.workspace_id == workspace_id,
                columns.id < before,
                columns.to_number.like("+%"),
            )
            .limit(BATCH)
        ).all()
        if found:
            connection.execute(
                update(messages)
                .where(columns.id == bindparam("message"))
                .values(to_number=bindparam("pseudonym")),
                [{"message": row.id, "pseudonym": self.pseudonym(row.to_number)} for row in found],
            )
        return len(found)

    def pseudonym(self, number: str) -> str:
        """Return what stands for a number after its time: ``~`` and 15 hexadecimal digits."""
        mac = hmac.new(self.pseudonym_key.encode(), number.encode(), hashlib.sha256)
        return "~" + mac.hexdigest()[:_PSEUDONYM_CHARS]


def _bodies(workspace_id: UUID, before: UUID, connection: Connection) -> int:
    columns = messages.c
    old: Any = (
        select(columns.id)
        .where(columns.workspace_id == workspace_id, columns.id < before, columns.body.isnot(None))
        .limit(BATCH)
    )
    done = connection.execute(update(messages).where(columns.id.in_(old)).values(body=None))
    return done.rowcount


def _answers(before: datetime, connection: Connection) -> int:
    columns = idempotency_keys.c
    old = select(columns.message_id).where(columns.created_at < before).limit(BATCH)
    done = connection.execute(
        delete(idempotency_keys).where(columns.message_id.in_(old), columns.created_at < before)
    )
    return done.rowcount
