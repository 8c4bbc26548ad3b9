"""Forgetting one number on request: the events that name it, with their deliveries."""

from sqlalchemy import Connection, delete

from app.kernel.phone import PhoneNumber
from app.webhooks.tables import webhook_events


def erase_events(connection: Connection, number: PhoneNumber) -> int:
    """Delete every event that names a number; return how many there were."""
    named = webhook_events.c.payload.contains(f'"{number}"', autoescape=True)
    return connection.execute(delete(webhook_events).where(named)).rowcount
