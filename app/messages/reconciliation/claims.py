"""SQL of the messages that the worker asks the provider about, unsettled ones first.

A claim moves `check_at` forward by a lease; the lease of a dead worker expires. At the next write,
the end of the lease proves that the claim still holds.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, or_, select, update

from app.access.tables import provider_accounts, workspaces
from app.db.engine import Database
from app.db.rows import AnyRow, from_row
from app.kernel.ids import first_id_at
from app.messages.check_times import TRIED_UNTIL, UNSETTLED_CHECKS_BEGIN
from app.messages.events import record_unclear
from app.messages.lifecycle import MAY_HAVE_REACHED_PROVIDER, SidSource, Submission
from app.messages.reconciliation.matching import Unsettled
from app.messages.tables import IS_SETTLED, IS_UNSETTLED, messages
from app.providers.port import ProviderAccount, ProviderMessage, Status
from app.use_cases.rules import OnUnconfirmed
from app.use_cases.tables import use_cases

CLAIM_LEASE = timedelta(seconds=45)
_BATCH = 500


class ClaimLane(StrEnum):
    """Claimed separately, so that repairs never delay a settlement."""

    UNSETTLED = "unsettled"
    SETTLED = "settled"


_OF_LANE = {ClaimLane.UNSETTLED: IS_UNSETTLED, ClaimLane.SETTLED: IS_SETTLED}


@dataclass(frozen=True, slots=True)
class DueMessage:
    message_id: UUID
    workspace_id: UUID
    use_case_id: UUID
    account: ProviderAccount
    messaging_service_sid: str | None
    submission: Submission
    status: Status
    message_sid: str | None
    sid_source: SidSource | None
    to_number: str
    sent_number: str | None
    country: str | None
    body: str | None
    on_unconfirmed: OnUnconfirmed
    resends: int
    resent_at: datetime | None
    created_at: datetime
    leased_until: datetime

    @property
    def tried_at(self) -> tuple[datetime, ...]:
        """The times of its first and, if any, last creation."""
        return _tries(self.created_at, self.resent_at)

    @property
    def unsettled(self) -> Unsettled:
        return Unsettled(
            message_id=self.message_id,
            number=self.sent_number or self.to_number,
            body=self.body,
            messaging_service_sid=self.messaging_service_sid,
            tried_at=self.tried_at,
        )


def _tries(created_at: datetime, resent_at: datetime | None) -> tuple[datetime, ...]:
    return (created_at,) if resent_at is None else (created_at, resent_at)


def claim_due(
    connection: Connection,
    now: datetime,
    limit: int,
    lane: ClaimLane,
    *,
    except_of: Collection[str] = (),
) -> list[DueMessage]:
    """Claim due messages of a lane, the most overdue first.

    Of the accounts ``except_of``, only messages that are no longer asked about.
    """
    if limit <= 0:
        return []
    leased_until = now + CLAIM_LEASE
    may_be_asked = or_(
        messages.c.account_sid.not_in(except_of), messages.c.created_at <= now - TRIED_UNTIL
    )
    due = (
        select(messages.c.id)
        .where(messages.c.check_at <= now, _OF_LANE[lane], *([may_be_asked] if except_of else []))
        .order_by(messages.c.check_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = connection.execute(
        update(messages)
        .where(messages.c.id.in_(due.scalar_subquery()))
        .values(check_at=leased_until)
        .returning(messages.c.id)
    )
    ids = set(claimed.scalars())
    rows = _load(connection, lane, ids, now) if ids else ()
    return [_due_message(row, leased_until) for row in rows]


def _load(
    connection: Connection, lane: ClaimLane, ids: set[UUID], now: datetime
) -> Sequence[AnyRow]:
    """Gives up messages without an account."""
    query = (
        select(messages, provider_accounts.c.auth_token)
        .add_columns(use_cases.c.on_unconfirmed)
        .join(provider_accounts, provider_accounts.c.sid == messages.c.account_sid)
        .join(use_cases, use_cases.c.id == messages.c.use_case_id)
        .where(messages.c.id.in_(list(ids)))
        .order_by(messages.c.id)
    )
    rows = connection.execute(query).all()
    # Without its account's token the provider cannot be asked; `reconcile` asks once it is back.
    orphans = ids - {row.id for row in rows}
    if orphans:
        without_account = messages.c.id.in_(list(orphans))
        connection.execute(
            update(messages).where(without_account).values(check_at=None, sent_number=None)
        )
        if lane is ClaimLane.UNSETTLED:
            for message_id in sorted(orphans):
                record_unclear(connection, message_id, now)
    return rows


def _due_message(row: AnyRow, leased_until: datetime) -> DueMessage:
    return from_row(
        DueMessage,
        row,
        message_id=row.id,
        account=ProviderAccount(row.account_sid, row.auth_token),
        submission=Submission(row.submission),
        status=Status(row.status),
        sid_source=None if row.sid_source is None else SidSource(row.sid_source),
        on_unconfirmed=OnUnconfirmed(row.on_unconfirmed),
        leased_until=leased_until,
    )


def claim_held(due: DueMessage) -> Any:
    """Return the condition that a claim still holds."""
    return and_(messages.c.id == due.message_id, messages.c.check_at == due.leased_until)


def schedule(connection: Connection, due: DueMessage, check_at: datetime | None) -> None:
    """Release a message with its next time; changes by a callback stay.

    Without a next time, an erased number is deleted.
    """
    forgets = {"sent_number": None} if check_at is None else {}
    connection.execute(
        update(messages)
        .where(claim_held(due))
        .values(check_at=check_at, checks=messages.c.checks + 1, **forgets)
    )


def record_billing(connection: Connection, due: DueMessage, found: ProviderMessage) -> None:
    """Store segments and price, unless the message has lost its SID."""
    segments = None if due.status is Status.PENDING else found.num_segments
    known = {"num_segments": segments, "price": found.price, "price_unit": found.price_unit}
    values = {name: value for name, value in known.items() if value is not None}
    if values:
        connection.execute(
            update(messages)
            .where(messages.c.id == due.message_id, messages.c.message_sid == due.message_sid)
            .values(**values)
        )


def holders(
    connection: Connection, account_sid: str, sids: Sequence[str]
) -> dict[str, SidSource | None]:
    query = select(messages.c.message_sid, messages.c.sid_source).where(
        messages.c.message_sid.in_(sids), messages.c.account_sid == account_sid
    )
    found: dict[str, SidSource | None] = {}
    for row in connection.execute(query):
        if found.get(row.message_sid, SidSource.LIST) is SidSource.LIST:
            found[row.message_sid] = None if row.sid_source is None else SidSource(row.sid_source)
    return found


def lock_unsettled(
    connection: Connection, due: DueMessage, asked_at: datetime
) -> list[Unsettled] | None:
    """Lock all unsettled submissions of the claimed one's account and number.

    Only those that existed at ``asked_at``. None if the claim is lost, or a row is locked.
    """
    number = due.unsettled.number
    siblings = select(workspaces.c.id).where(
        workspaces.c.organization_id
        == select(workspaces.c.organization_id)
        .where(workspaces.c.id == due.workspace_id)
        .scalar_subquery()
    )
    of_number = or_(
        and_(messages.c.workspace_id.in_(siblings), messages.c.to_number == number),
        messages.c.sent_number == number,
    )
    wanted = (
        messages.c.account_sid == due.account.sid,
        messages.c.created_at <= asked_at,
        IS_UNSETTLED,
        of_number,
    )
    expected = set(connection.execute(select(messages.c.id).where(*wanted)).scalars())
    locked = connection.execute(
        select(messages)
        .where(messages.c.id.in_(list(expected)), IS_UNSETTLED)
        .order_by(messages.c.id)
        .with_for_update(skip_locked=True)
    ).all()
    is_ours = any(row.id == due.message_id and row.check_at == due.leased_until for row in locked)
    if not is_ours or len(locked) != len(expected):
        return None
    return [
        from_row(
            Unsettled,
            row,
            message_id=row.id,
            number=number,
            tried_at=_tries(row.created_at, row.resent_at),
        )
        for row in locked
    ]


def make_due_now(database: Database, since: datetime, now: datetime) -> int:
    """Make every unfinished message due now; return how many.

    In batches that skip locked rows, so that callbacks never wait.
    """
    after, total = first_id_at(since), 0
    while True:
        with database.writing() as connection:
            batch = list(
                connection.execute(
                    select(messages.c.id)
                    .where(
                        messages.c.id > after,
                        messages.c.status.in_([Status.PENDING.value, Status.SENT.value]),
                        messages.c.submission.in_([one.value for one in MAY_HAVE_REACHED_PROVIDER]),
                        messages.c.created_at < now - UNSETTLED_CHECKS_BEGIN,
                    )
                    .order_by(messages.c.id)
                    .limit(_BATCH)
                    .with_for_update(skip_locked=True)
                ).scalars()
            )
            connection.execute(
                update(messages).where(messages.c.id.in_(batch)).values(check_at=now)
            )
        total += len(batch)
        if len(batch) < _BATCH:
            return total
        after = batch[-1]
