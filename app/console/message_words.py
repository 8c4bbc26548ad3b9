"""Labels for the submission of a message and for the effect of each report."""

from datetime import datetime, timedelta

from app.db.rows import AnyRow
from app.messages.inspection import Inspected
from app.messages.lifecycle import Reason
from app.messages.submission import Submission

# How long a page that is open keeps asking by itself.
_WATCHED = timedelta(minutes=20)

_SUBMISSIONS = {
    Submission.ACCEPTED: "Twilio has it.",
    Submission.OPEN: "Not confirmed: the process that handed it to Twilio ended before it heard "
    "the answer. Twilio may have it. The worker asks Twilio and settles it.",
    Submission.UNCONFIRMED: "Not confirmed: Twilio did not say that it has the message, and may "
    "have it. The worker asks Twilio from a minute on. Without a trace the message ends as "
    "failed after 15 minutes, or is created again before, where its use case wants that. To send "
    "it again by hand is your decision: then it may arrive twice.",
    Submission.NOT_CONFIRMED: "Not confirmed: Twilio had no trace of it for 15 minutes, so it most "
    "likely was never sent.",
}
_REASONS = {
    Reason.DUPLICATE: "Said before: nothing to change.",
    Reason.REGRESSION: "Came late: the message was already further.",
    Reason.CONFLICT: "Contradicts the end that was told first; the first one counts.",
    Reason.NOT_CONFIRMED: "Twilio had no trace of the message for 15 minutes.",
    Reason.UNCLEAR: "Twilio has a message that may be this one, and nothing shows which it is. "
    "It stays pending and is looked for again.",
}
_NO_STEP = "No step in the message's life."


def submission_words(submission: Submission) -> str:
    """Say how far the hand-over to the provider came."""
    return _SUBMISSIONS.get(submission, "")


def effect_words(event: AnyRow) -> str:
    """Return the effect of a report on the message, or the reason why there was none."""
    if event.applied and event.reason == Reason.CONFLICT:
        return (
            "Twilio's callback contradicts what the worker found by asking: that is taken back, "
            "and the message is looked for again."
        )
    if event.reason is not None:
        return _REASONS[Reason(event.reason)]
    return f"The message is {event.status} from here on." if event.applied else _NO_STEP


def is_watched(found: Inspected, now: datetime) -> bool:
    """Say whether a page asks by itself how the message goes on."""
    message = found.message
    return not message.status.is_terminal and now - message.created_at < _WATCHED


def marker(found: Inspected, events: list[AnyRow]) -> str:
    """Return a value that changes whenever the page of a message would change."""
    last = events[-1].id.hex if events else ""
    updated = found.message.updated_at.isoformat()
    repeats = sum(event.repeats for event in events)
    return f"{found.message.status}-{found.submission}-{updated}-{last}-{repeats}"
