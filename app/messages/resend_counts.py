"""SQL of resends: counted before the call, taken back if it was never processed."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, case, null, select, update

from app.messages.due import LEASE, DueMessage, still_ours
from app.messages.submission import UNSETTLED, Submission
from app.messages.tables import messages
from app.use_cases.tables import use_cases
from app.use_cases.unconfirmed import OnUnconfirmed


def count_resend(
    connection: Connection, due: DueMessage, messaging_service_sid: str, now: datetime
) -> DueMessage | None:
    """Count a resend and renew the lease; None where it may not be made any more.

    It may be made while the claim holds, nothing has settled the submission or erased its text, and
    the use case still asks for it. Once this is committed, a worker that dies has tried. Where it
    goes through another Messaging Service than before, none is noted as the one.
    """
    leased_until = now + LEASE
    asks_for_it = select(use_cases.c.id).where(
        use_cases.c.id == due.use_case_id,
        use_cases.c.on_unconfirmed == OnUnconfirmed.RESEND.value,
    )
    counted = connection.execute(
        update(messages)
        .where(
            still_ours(due),
            messages.c.submission.in_([state.value for state in UNSETTLED]),
            messages.c.body.isnot(None),
            messages.c.use_case_id.in_(asks_for_it),
        )
        .values(
            # From here on no outcome of the first call can make it a send that never was.
            submission=Submission.UNCONFIRMED,
            resends=due.resends + 1,
            resent_at=now,
            messaging_service_sid=case(
                (messages.c.messaging_service_sid == messaging_service_sid, messaging_service_sid),
                else_=null(),
            ),
            check_at=leased_until,
        )
    )
    if counted.rowcount == 0:
        return None
    return replace(due, resends=due.resends + 1, resent_at=now, leased_until=leased_until)


def uncount_resend(
    connection: Connection, before: DueMessage, counted: DueMessage, check_at: datetime
) -> None:
    """Take back a resend that the provider certainly never processed, while the claim holds."""
    connection.execute(
        update(messages)
        .where(still_ours(counted))
        .values(resends=before.resends, resent_at=before.resent_at, check_at=check_at)
    )
