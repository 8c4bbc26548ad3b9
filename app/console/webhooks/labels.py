"""Labels of delivery attempts."""

from app.db.rows import AnyRow
from app.webhooks.attempt import Attempt, DeliveryState, Failure
from app.webhooks.events import EventType

EVENTS = {
    EventType.SMS_SENT: "handed to the carrier",
    EventType.SMS_DELIVERED: "delivered to the phone",
    EventType.SMS_UNDELIVERED: "not delivered by the carrier",
    EventType.SMS_FAILED: "failed before it was sent",
    EventType.DESTINATION_CHANGED: "destinations of the workspace changed",
    EventType.DESTINATION_DRIFT: "Twilio's geo permissions differ from the destinations",
    EventType.GUARD_TRIPPED: "a guard's limit was met",
    EventType.GUARD_CLEARED: "an alert was cleared",
    EventType.DELIVERY_COLLAPSED: "the delivery rate of a range or country collapsed",
    EventType.ENDPOINT_FAILING: "alert: a webhook endpoint is failing",
    EventType.GEO_DRIFT: "alert: Twilio's geo permissions differ from the destinations",
    EventType.REFUSALS_SPIKED: "alert: far more messages than usual were refused",
    EventType.CLOCK_DIFFERS: "alert: the clock of a worker's host differs from the database's",
    EventType.WORKER_STUCK: "alert: a worker, or one of its tasks, does not work",
}
STATES = {
    DeliveryState.PENDING: "waiting for the next attempt",
    DeliveryState.DELIVERED: "accepted by the receiver",
    DeliveryState.FAILED: "no more attempts",
    DeliveryState.STOPPED: "the endpoint was disabled",
}
FAILURES = {
    Failure.TIMEOUT: "timeout",
    Failure.ADDRESS_REFUSED: "the host name resolves to a blocked address",
    Failure.NAME_NOT_FOUND: "DNS lookup failed",
    Failure.NOT_CONNECTED: "connection failed",
    Failure.TLS: "TLS failed, check the certificate",
    Failure.BROKEN_ANSWER: "invalid or incomplete HTTP response",
    Failure.INTERNAL: "internal error, not counted against the endpoint",
}


def attempt_label(attempt: AnyRow | Attempt) -> str:
    """Return the result of one attempt as text."""
    if attempt.failure is not None:
        return FAILURES[Failure(attempt.failure)]
    return f"answered {attempt.status}"
