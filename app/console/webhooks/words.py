"""Labels of delivery attempts."""

from app.db.rows import AnyRow
from app.webhooks.attempt import DeliveryState, Failure
from app.webhooks.events import EventType

EVENTS = {
    EventType.SMS_SENT: "handed to the carrier",
    EventType.SMS_DELIVERED: "delivered to the phone",
    EventType.SMS_UNDELIVERED: "not delivered by the carrier",
    EventType.SMS_FAILED: "failed before it left",
    EventType.DESTINATION_CHANGED: "the destinations of the workspace were changed",
    EventType.DESTINATION_DRIFT: "Twilio's geo permissions differ from the destinations",
}
STATES = {
    DeliveryState.PENDING: "waits for its next attempt",
    DeliveryState.DELIVERED: "the receiver took it",
    DeliveryState.FAILED: "given up",
    DeliveryState.STOPPED: "the endpoint was disabled",
}
FAILURES = {
    Failure.TIMEOUT: "no answer in time",
    Failure.ADDRESS_REFUSED: "the name leads to an address that is never called",
    Failure.NAME_NOT_FOUND: "no such host name",
    Failure.NOT_CONNECTED: "no connection",
    Failure.TLS: "no secure connection: look at the certificate",
    Failure.BROKEN_ANSWER: "the answer was no HTTP, or was cut off",
    Failure.INTERNAL: "our fault; it does not count against the endpoint",
}


def attempt_words(attempt: AnyRow) -> str:
    """Return the result of one attempt as text."""
    if attempt.failure is not None:
        return FAILURES[Failure(attempt.failure)]
    return f"answered {attempt.status}"
