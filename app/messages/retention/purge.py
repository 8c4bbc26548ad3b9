"""Erasure of expired bodies, numbers and answers, and of one number on request.

Messages keep status and country under a pseudonym. Opt-outs stay, to prevent sends.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa

from app.access.tables import workspaces
from app.db.clock import require_same_time
from app.db.engine import Database
from app.db.types import UtcDateTime
from app.kernel.clock import Clock
from app.kernel.ids import first_id_at
from app.kernel.masking import pseudonym_of
from app.kernel.phone import PhoneNumber
from app.messages.sending.idempotency import ERASED, LIFETIME
from app.messages.tables import HAS_NUMBER, IS_UNSETTLED, idempotency_keys, messages
from app.use_cases.opt_outs import CONSENTS_KEPT, forget_consents, forget_keyword
from app.webhooks.outbox import erase_events

PURGE_BATCH = 500
# An unsettled submission keeps its number, because the provider is asked by number.
KEPT_NUMBER = sa.case(
    (sa.and_(IS_UNSETTLED, messages.c.check_at.is_not(None)), messages.c.to_number), else_=sa.null()
)
_FIRST_ID = UUID(int=0)
_FIRST_NUMBER = ("", _FIRST_ID)
_FIRST_TIME = datetime(1, 1, 1, tzinfo=UTC)
# The last id or time of a batch.
_End = TypeVar("_End")


@dataclass(frozen=True, slots=True)
class Purged:
    bodies: int = 0
    numbers: int = 0
    answers: int = 0


@dataclass(frozen=True, slots=True)
class Purge:
    """The operation of ``borderpost purge`` and of the worker's hourly purge."""

    database: Database
    clock: Clock
    pseudonym_key: str

    def __call__(self) -> Purged:
        """Raises `ClocksDiffer`."""
        require_same_time(self.database)
        now = self.clock.now()
        with self.database.reading() as connection:
            kept = connection.execute(sa.select(workspaces)).all()
        bodies = numbers = 0
        for row in kept:
            bodies_before = first_id_at(now - timedelta(days=row.body_retention_days))
            numbers_before = first_id_at(now - timedelta(days=row.number_retention_days))
            bodies += self._in_batches(partial(_bodies, row.id, bodies_before), _FIRST_ID)
            numbers += self._numbers(row.id, numbers_before)
        self._in_batches(partial(_consents, now - CONSENTS_KEPT), _FIRST_TIME)
        answers = self._in_batches(partial(_answers, now - LIFETIME), _FIRST_TIME)
        return Purged(bodies, numbers, answers)

    def _in_batches(
        self, erase: Callable[[sa.Connection, _End], tuple[int, _End | None]], end: _End
    ) -> int:
        total = 0
        while True:
            with self.database.writing() as connection:
                erased, next_end = erase(connection, end)
            total += erased
            if next_end is None:
                return total
            end = next_end

    def _numbers(self, workspace_id: UUID, before: UUID) -> int:
        total, after = 0, _FIRST_NUMBER
        while True:
            # Not in the transaction that erases, which on SQLite holds up all other writes.
            with self.database.reading() as connection:
                found = connection.execute(_numbered(workspace_id, before, after)).all()
            if found:
                pseudonyms = [
                    {"message": row.id, "pseudonym": self.pseudonym(row.to_number)} for row in found
                ]
                with self.database.writing() as connection:
                    connection.execute(_ERASE_NUMBER, pseudonyms)
            total += len(found)
            if len(found) < PURGE_BATCH:
                return total
            after = found[-1].to_number, found[-1].id

    def pseudonym(self, number: str) -> str:
        return pseudonym_of(self.pseudonym_key, number)


_ERASE_NUMBER = (
    sa.update(messages)
    .where(messages.c.id == sa.bindparam("message"))
    .values(to_number=sa.bindparam("pseudonym"), sent_number=KEPT_NUMBER)
)


def _numbered(
    workspace_id: UUID, before: UUID, after: tuple[str, UUID]
) -> sa.Select[*tuple[Any, ...]]:
    """Read in the order of the index by number.

    It holds no erased numbers, so only the month in which ``before`` lies has others to pass.
    """
    columns = messages.c
    old = HAS_NUMBER, columns.workspace_id == workspace_id, columns.id < before
    later = sa.tuple_(columns.to_number, columns.id) > sa.tuple_(*map(sa.literal, after))
    query = sa.select(columns.id, columns.to_number).where(*old, later)
    return query.order_by(columns.workspace_id, columns.to_number, columns.id).limit(PURGE_BATCH)


def _consents(
    before: datetime, connection: sa.Connection, end: datetime
) -> tuple[int, datetime | None]:
    forgotten = forget_consents(connection, before, PURGE_BATCH)
    return forgotten, end if forgotten == PURGE_BATCH else None


def _bodies(
    workspace_id: UUID, before: UUID, connection: sa.Connection, after: UUID
) -> tuple[int, UUID | None]:
    columns = messages.c
    old = columns.workspace_id == workspace_id, columns.id < before, columns.id > after
    query = sa.select(columns.id).where(*old, columns.body.isnot(None)).order_by(columns.id)
    ids = list(connection.execute(query.limit(PURGE_BATCH)).scalars())
    if ids:
        connection.execute(sa.update(messages).where(columns.id.in_(ids)).values(body=None))
    return len(ids), ids[-1] if len(ids) == PURGE_BATCH else None


_DELETE_KEY = sa.delete(idempotency_keys).where(
    idempotency_keys.c.workspace_id == sa.bindparam("workspace", type_=sa.Uuid()),
    idempotency_keys.c.key_hash == sa.bindparam("hash_of_key", type_=sa.String()),
    # It may have been reused since it was read.
    idempotency_keys.c.created_at < sa.bindparam("before", type_=UtcDateTime()),
)


def _answers(
    before: datetime, connection: sa.Connection, since: datetime
) -> tuple[int, datetime | None]:
    columns = idempotency_keys.c
    query = sa.select(columns.workspace_id, columns.key_hash, columns.created_at)
    old = query.where(columns.created_at < before, columns.created_at >= since)
    found = connection.execute(old.order_by(columns.created_at).limit(PURGE_BATCH)).all()
    deleted = 0
    if found:
        keys = [
            {"workspace": row.workspace_id, "hash_of_key": row.key_hash, "before": before}
            for row in found
        ]
        deleted = connection.execute(_DELETE_KEY, keys).rowcount
    return deleted, found[-1].created_at if len(found) == PURGE_BATCH else None


@dataclass(frozen=True, slots=True)
class Erase:
    """The operation of ``borderpost erase``."""

    database: Database
    purge: Purge

    def __call__(self, number: PhoneNumber) -> int:
        """Erase a number in one transaction; return how many messages had it."""
        with self.database.writing() as connection:
            erase_events(connection, number)
            every = sa.select(workspaces.c.id)
            columns = messages.c
            of_number = columns.workspace_id.in_(every), HAS_NUMBER, columns.to_number == number
            ids = sa.select(messages.c.id).where(*of_number)
            of_keys = sa.update(idempotency_keys).where(idempotency_keys.c.message_id.in_(ids))
            connection.execute(of_keys.values(answer=ERASED))  # a retry must not send again
            forget_keyword(connection, number)
            erased = connection.execute(
                sa.update(messages)
                .where(*of_number)
                .values(body=None, to_number=self.purge.pseudonym(number), sent_number=KEPT_NUMBER)
            )
        return erased.rowcount
