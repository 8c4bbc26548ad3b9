"""SQL of the messages that the worker asks the provider about.

A message is claimed by moving its `check_at` ahead by a lease: a worker that dies lets the lease
run out, and another takes over. The lease's end is also what proves, at the next write, that the
claim still holds.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, select, update

from app.access.provider_account import ProviderAccount
from app.access.tables import provider_accounts
from app.kernel.ids import first_id_at
from app.messages.check_times import UNSETTLED_CHECKS_BEGIN
from app.messages.lifecycle import Status
from app.messages.submission import MAY_HAVE_REACHED_PROVIDER, Submission
from app.messages.tables import messages
from app.use_cases.tables import use_cases
from app.use_cases.unconfirmed import OnUnconfirmed

LEASE = timedelta(seconds=45)


@dataclass(frozen=True, slots=True)
class DueMessage:
    """A claimed message and what is needed to ask the provider about it."""

    message_id: UUID
    workspace_id: UUID
    use_case_id: UUID
    account: ProviderAccount
    messaging_service_sid: str
    submission: Submission
    status: Status
    message_sid: str | None
    to_number: str
    country: str | None
    body: str | None
    on_unconfirmed: OnUnconfirmed
    resends: int
    resent_at: datetime | None
    created_at: datetime
    leased_until: datetime

    @property
    def tried_at(self) -> tuple[datetime, ...]:
        """Return when it was first and, if ever, last created once more."""
        return (self.created_at,) if self.resent_at is None else (self.created_at, self.resent_at)


def claim_due(connection: Connection, now: datetime, limit: int) -> list[DueMessage]:
    """Claim messages whose time has come, the most overdue first."""
    leased_until = now + LEASE
    due = (
        select(messages.c.id)
        .where(messages.c.check_at <= now)
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
    ids = list(claimed.scalars())
    query = (
        select(messages, provider_accounts.c.auth_token)
        .add_columns(use_cases.c.messaging_service_sid, use_cases.c.on_unconfirmed)
        .join(provider_accounts, provider_accounts.c.sid == messages.c.account_sid)
        .join(use_cases, use_cases.c.id == messages.c.use_case_id)
        .where(messages.c.id.in_(ids))
        .order_by(messages.c.id)
    )
    return [
        DueMessage(
            message_id=row.id,
            workspace_id=row.workspace_id,
            use_case_id=row.use_case_id,
            account=ProviderAccount(row.account_sid, row.auth_token),
            messaging_service_sid=row.messaging_service_sid,
            submission=Submission(row.submission),
            status=Status(row.status),
            message_sid=row.message_sid,
            to_number=row.to_number,
            country=row.country,
            body=row.body,
            on_unconfirmed=OnUnconfirmed(row.on_unconfirmed),
            resends=row.resends,
            resent_at=row.resent_at,
            created_at=row.created_at,
            leased_until=leased_until,
        )
        for row in connection.execute(query)
    ]


def still_ours(due: DueMessage) -> Any:
    """Return the condition that a claim still holds."""
    return and_(messages.c.id == due.message_id, messages.c.check_at == due.leased_until)


def schedule(connection: Connection, due: DueMessage, check_at: datetime | None) -> None:
    """Give a message back with its next time; what a callback has changed meanwhile stays."""
    connection.execute(
        update(messages)
        .where(still_ours(due))
        .values(check_at=check_at, checks=messages.c.checks + 1)
    )


def note_billing(
    connection: Connection,
    message_id: UUID,
    *,
    num_segments: int | None,
    price: str | None,
    price_unit: str | None,
) -> None:
    """Store what only the provider knows: its own count of segments, and the price."""
    known = {"num_segments": num_segments, "price": price, "price_unit": price_unit}
    values = {name: value for name, value in known.items() if value is not None}
    if values:
        connection.execute(update(messages).where(messages.c.id == message_id).values(**values))


def known_sids(connection: Connection, sids: list[str]) -> set[str]:
    """Return those of the provider's messages that belong to messages of ours already."""
    query = select(messages.c.message_sid).where(messages.c.message_sid.in_(sids))
    return set(connection.execute(query).scalars())


def hasten(connection: Connection, since: datetime, now: datetime) -> int:
    """Make every message that nothing has ended due now; return how many there are."""
    hastened = connection.execute(
        update(messages)
        .where(
            messages.c.id >= first_id_at(since),
            messages.c.status.in_([Status.PENDING.value, Status.SENT.value]),
            messages.c.submission.in_([state.value for state in MAY_HAVE_REACHED_PROVIDER]),
            messages.c.created_at < now - UNSETTLED_CHECKS_BEGIN,
        )
        .values(check_at=now)
    )
    return hastened.rowcount
