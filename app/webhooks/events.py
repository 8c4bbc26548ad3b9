"""Event types and the body of an event. Pure."""

from datetime import datetime
from enum import StrEnum

from app.kernel.clock import rfc3339


class EventType(StrEnum):
    SMS_SENT = "sms.sent"
    SMS_DELIVERED = "sms.delivered"
    SMS_UNDELIVERED = "sms.undelivered"
    SMS_FAILED = "sms.failed"
    DESTINATION_CHANGED = "destination.changed"
    DESTINATION_DRIFT = "destination.drift"
    GUARD_TRIPPED = "guard.tripped"
    GUARD_CLEARED = "guard.cleared"
    DELIVERY_COLLAPSED = "delivery.collapsed"
    ENDPOINT_FAILING = "endpoint.failing"
    GEO_DRIFT = "geo.drift"
    REFUSALS_SPIKED = "refusals.spiked"
    CLOCK_DIFFERS = "clock.differs"
    WORKER_STUCK = "worker.stuck"


def message_text(event_type: str, at: datetime, data: str) -> str:
    """Return the body of an event: its JSON data in Standard Webhooks' envelope.

    ``data`` is the stored text, so that every attempt sends the same bytes.
    """
    return f'{{"type":"{event_type}","timestamp":"{rfc3339(at)}","data":{data}}}'
