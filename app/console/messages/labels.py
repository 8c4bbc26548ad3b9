"""Labels for the submission of a message and for the effect of each report."""

from datetime import datetime, timedelta

from app.db.rows import AnyRow
from app.messages.lifecycle import Reason
from app.messages.queries.details import MessageDetails
from app.messages.submission import Submission

# How long a page that is open keeps asking by itself.
_WATCHED = timedelta(minutes=20)

_SUBMISSIONS = {
    Submission.ACCEPTED: "Accepted by Twilio.",
    Submission.OPEN: "Not confirmed: the gateway stopped before Twilio answered. Twilio may "
    "have the message. The worker asks Twilio and updates the status.",
    Submission.UNCONFIRMED: "Not confirmed: Twilio did not confirm the message, and may have it. "
    "The worker asks Twilio after one minute. If Twilio has no record of it, the message fails "
    "after 15 minutes, or is resent before then if its use case allows that. If you send it again "
    "yourself, it may arrive twice.",
    Submission.NOT_CONFIRMED: "Not confirmed: Twilio had no record of it for 15 minutes. It was "
    "most likely not sent.",
}
_REASONS = {
    Reason.DUPLICATE: "Duplicate, no status change.",
    Reason.REGRESSION: "Late, no status change.",
    Reason.CONFLICT: "Contradicts the first final status, which is kept.",
    Reason.NOT_CONFIRMED: "Twilio had no record of the message for 15 minutes.",
    Reason.UNCLEAR: "Twilio has a message that may be this one, but it cannot be identified. "
    "The status stays pending and is checked again.",
}
_NO_STEP = "No status change."


def submission_label(submission: Submission) -> str:
    """Say how far the hand-over to the provider came."""
    return _SUBMISSIONS.get(submission, "")


def effect_label(event: AnyRow) -> str:
    """Return the effect of a report on the message, or the reason why there was none."""
    if event.applied and event.reason == Reason.CONFLICT:
        return (
            "Twilio's callback contradicts an earlier status check. The check is undone, and the "
            "status is checked again."
        )
    if event.reason is not None:
        return _REASONS[Reason(event.reason)]
    return f"Marked {event.status}." if event.applied else _NO_STEP


def is_watched(found: MessageDetails, now: datetime) -> bool:
    """Say whether a page asks by itself how the message goes on."""
    message = found.message
    return not message.status.is_terminal and now - message.created_at < _WATCHED


def marker(found: MessageDetails, events: list[AnyRow]) -> str:
    """Return a value that changes whenever the page of a message would change."""
    last = events[-1].id.hex if events else ""
    updated = found.message.updated_at.isoformat()
    repeats = sum(event.repeats for event in events)
    return f"{found.message.status}-{found.submission}-{updated}-{last}-{repeats}"
