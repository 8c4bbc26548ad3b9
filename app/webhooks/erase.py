"""Erasing the events of one number, with their deliveries."""

from sqlalchemy import Connection, delete

from app.kernel.phone import PhoneNumber
from app.webhooks.tables import webhook_events


def erase_events(connection: Connection, number: PhoneNumber) -> int:
    """Delete every event that names a number; return how many there were.

    An index leads to the events of messages; the few others, which may quote it, are read.
    """
    columns = webhook_events.c
    of_number = columns.to_number == number
    quoting = columns.payload.contains(f'"{number}"', autoescape=True)
    erased = connection.execute(delete(webhook_events).where(of_number)).rowcount
    others = delete(webhook_events).where(columns.to_number.is_(None), quoting)
    return erased + connection.execute(others).rowcount
