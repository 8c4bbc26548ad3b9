"""Messages with every stored detail, their prices, and conversion feedback."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, or_, select, update

from app.access.principal import Principal
from app.db.rows import AnyRow, from_row
from app.messages.check_times import ACCEPTED_CHECKS
from app.messages.lifecycle import Submission
from app.messages.queries.read import (
    RECORD_COLUMNS,
    MessageFilter,
    MessageRecord,
    load_newest,
    record_from,
    require_message,
)
from app.messages.tables import IS_UNSETTLED, messages
from app.prices.price_table import amount_text, to_millionths
from app.providers.port import Status

# How long a message may keep a status before it is reported as stuck.
STUCK_AFTER = timedelta(minutes=5)
SENT_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class MessageDetails:
    message: MessageRecord
    workspace_id: UUID
    submission: Submission
    provider_code: int | None
    country: str | None
    counted_segments: int
    policy_revision: int | None
    price: str | None
    price_unit: str | None
    estimated_price: int | None
    estimate_currency: str | None
    converted: bool | None
    converted_at: datetime | None
    check_at: datetime | None
    resends: int
    resent_at: datetime | None

    @property
    def id(self) -> UUID:
        return self.message.id

    @property
    def shown_price(self) -> str | None:
        """The actual price, else the estimate; None if neither is known."""
        charged = actual_price(self.price)
        if charged is not None:
            return f"{amount_text(charged)} {self.price_unit or ''}".strip()
        if self.estimated_price is not None:
            return f"{amount_text(self.estimated_price)} {self.estimate_currency} (estimated)"
        return None


_BESIDE = tuple(name for name in MessageDetails.__slots__ if name != "message")
_COLUMNS = (*RECORD_COLUMNS, *(messages.c[name] for name in _BESIDE))


def load_message_details(
    connection: Connection, principal: Principal, message_id: UUID, now: datetime
) -> MessageDetails:
    """Raises `NotFound`, as `require_message`."""
    return _details(require_message(connection, _COLUMNS, principal, message_id, now))


def load_message_details_page(
    connection: Connection,
    principal: Principal,
    wanted: MessageFilter,
    now: datetime,
    *more: ColumnElement[bool],
) -> list[MessageDetails]:
    rows = load_newest(connection, _COLUMNS, principal, wanted, now, *more)
    return [_details(row) for row in rows]


def load_stuck(
    connection: Connection, principal: Principal, now: datetime, limit: int
) -> list[MessageDetails]:
    """Load the newest messages that are unconfirmed or overdue."""
    is_stuck = or_(IS_UNSETTLED, messages.c.created_at < now - STUCK_AFTER)
    wanted = _recent(Status.PENDING, now, limit)
    return load_message_details_page(connection, principal, wanted, now, is_stuck)


def load_without_receipt(
    connection: Connection, principal: Principal, now: datetime, limit: int
) -> list[MessageDetails]:
    long_ago = messages.c.created_at < now - SENT_FOR
    wanted = _recent(Status.SENT, now, limit)
    return load_message_details_page(connection, principal, wanted, now, long_ago)


def _recent(status: Status, now: datetime, limit: int) -> MessageFilter:
    return MessageFilter(limit=limit - 1, status=status, created_after=now - ACCEPTED_CHECKS[-1])


def _details(row: AnyRow) -> MessageDetails:
    submission = Submission(row.submission)
    return from_row(MessageDetails, row, message=record_from(row), submission=submission)


@dataclass(frozen=True, slots=True)
class MessagePrice:
    """The estimated and actual price as decimals; None if unknown."""

    currency: str | None
    segments: int
    estimated: str | None
    actual: str | None


def load_price(
    connection: Connection, principal: Principal, message_id: UUID, now: datetime
) -> MessagePrice:
    """There is no estimate in another currency than the actual price's. Raises `NotFound`."""
    row = require_message(connection, _COLUMNS, principal, message_id, now)
    actual = actual_price(row.price)
    unit = row.estimate_currency if actual is None else row.price_unit or row.estimate_currency
    estimated = row.estimated_price if unit == row.estimate_currency else None
    return MessagePrice(
        currency=unit,
        segments=row.num_segments or row.counted_segments,
        estimated=None if estimated is None else amount_text(estimated),
        actual=None if actual is None else amount_text(actual),
    )


def actual_price(provider_price: str | None) -> int | None:
    """Parse the provider's price, which is negative for a charge."""
    try:
        amount = None if provider_price is None else Decimal(provider_price)
    except InvalidOperation:
        return None
    return None if amount is None or not amount.is_finite() else abs(to_millionths(amount))


def store_feedback(
    connection: Connection, principal: Principal, message_id: UUID, converted: bool, now: datetime
) -> AnyRow:
    """Store the feedback about a message; a repeat changes nothing. Raises `NotFound`."""
    columns = messages.c
    require_message(connection, [columns.id], principal, message_id, now)
    connection.execute(
        update(messages)
        .where(columns.id == message_id, columns.converted.is_distinct_from(converted))
        .values(converted=converted, converted_at=now)
    )
    stored = select(columns.id.label("message_id"), columns.converted, columns.converted_at)
    return connection.execute(stored.where(columns.id == message_id)).one()
