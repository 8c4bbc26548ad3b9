"""Prices of messages, and conversion feedback."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from uuid import UUID

from sqlalchemy import Connection, select, update

from app.access.principal import Principal
from app.db.rows import AnyRow
from app.messages.queries.read import require_message
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
    """The estimated and actual price as decimals; None if unknown."""

    currency: str | None
    segments: int
    estimated: str | None
    actual: str | None


def load_price(
    connection: Connection, principal: Principal, message_id: UUID, now: datetime
) -> MessagePrice:
    """There is no estimate in another currency than the actual price's. Raises `NotFound`."""
    row = require_message(connection, _PRICE, principal, message_id, now)
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
    connection: Connection,
    principal: Principal,
    message_id: UUID,
    converted: bool,
    now: datetime,
) -> AnyRow:
    """Store whether the recipient did what the message was for; a repeat changes nothing.

    Raises `NotFound`.
    """
    columns = messages.c
    require_message(connection, [columns.id], principal, message_id, now)
    connection.execute(
        update(messages)
        .where(columns.id == message_id, columns.converted.is_distinct_from(converted))
        .values(converted=converted, converted_at=now)
    )
    stored = select(columns.id.label("message_id"), columns.converted, columns.converted_at)
    return connection.execute(stored.where(columns.id == message_id)).one()
