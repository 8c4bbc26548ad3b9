"""Prices of messages, and conversion feedback."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update

from app.access.principal import Principal
from app.messages.queries.read import one_message
from app.messages.tables import messages
from app.prices.price_table import amount_text, to_millionths

_PRICE = tuple(
    messages.c[name]
    for name in (
        *("counted_segments", "num_segments", "estimated_price", "estimate_currency"),
        *("price", "price_unit"),
    )
)


@dataclass(frozen=True, slots=True)
class MessagePrice:
    """The estimated and actual price in millionths; None if unknown."""

    currency: str | None
    segments: int
    estimated: int | None
    actual: int | None

    def as_json(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "segments": self.segments,
            "estimated": None if self.estimated is None else amount_text(self.estimated),
            "actual": None if self.actual is None else amount_text(self.actual),
        }


def load_price(
    connection: Connection, principal: Principal, message_id: UUID, now: datetime
) -> MessagePrice | None:
    """Return None if it is absent, another tenant's, or no message.

    There is no estimate in another currency than the actual price's.
    """
    row = connection.execute(one_message(_PRICE, principal, message_id, now)).one_or_none()
    if row is None:
        return None
    actual = actual_price(row.price)
    unit = row.estimate_currency if actual is None else row.price_unit or row.estimate_currency
    return MessagePrice(
        currency=unit,
        segments=row.num_segments or row.counted_segments,
        estimated=row.estimated_price if unit == row.estimate_currency else None,
        actual=actual,
    )


def actual_price(provider_price: str | None) -> int | None:
    """Parse the provider's price, which is negative for a charge."""
    try:
        amount = None if provider_price is None else Decimal(provider_price)
    except InvalidOperation:
        return None
    return None if amount is None or not amount.is_finite() else abs(to_millionths(amount))


@dataclass(frozen=True, slots=True)
class Feedback:
    """Whether the recipient did what the message was for."""

    converted: bool


@dataclass(frozen=True, slots=True)
class StoredFeedback:
    """The feedback of a message, and when it was first given."""

    message_id: UUID
    converted: bool
    converted_at: datetime


def store_feedback(
    connection: Connection,
    principal: Principal,
    message_id: UUID,
    feedback: Feedback,
    now: datetime,
) -> StoredFeedback | None:
    """A repeat changes nothing. Return None if there is no such message."""
    columns = messages.c
    visible = one_message([columns.id], principal, message_id, now)
    if connection.execute(visible).one_or_none() is None:
        return None
    connection.execute(
        update(messages)
        .where(columns.id == message_id, columns.converted.is_distinct_from(feedback.converted))
        .values(converted=feedback.converted, converted_at=now)
    )
    stored = select(columns.id, columns.converted, columns.converted_at)
    row = connection.execute(stored.where(columns.id == message_id)).one()
    return StoredFeedback(row.id, row.converted, row.converted_at)
