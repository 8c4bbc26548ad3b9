"""Settles the submissions of a number by the provider's list, under one lock."""

from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

import structlog
from sqlalchemy import Connection, update

from app.db.engine import Database
from app.messages.check_times import is_given_up
from app.messages.delivery.apply_report import Report, apply_report
from app.messages.delivery.track import has_effects, record_effects_of
from app.messages.lifecycle import SidSource, Submission
from app.messages.reconciliation.claims import DueMessage, holders, lock_unsettled
from app.messages.reconciliation.matching import fits, match, may_be
from app.messages.tables import messages
from app.providers.port import DeliveryReport, Listing, ProviderMessage

_log = structlog.get_logger(__name__)
# Long enough for concurrent writes to become visible.
_LOOK_AT_GUESS = timedelta(seconds=60)


class ListMatch(Enum):
    """The evidence for a submission in the provider's list."""

    FOUND = auto()
    # Another transaction decides about it, or about one that could be confused with it.
    CONTENDED = auto()
    # Candidates fit, but cannot be distinguished.
    AMBIGUOUS = auto()
    # A candidate may be it.
    POSSIBLE = auto()
    NONE = auto()


def reconcile_with_list(
    database: Database, due: DueMessage, listed: Listing, asked_at: datetime, now: datetime
) -> ListMatch:
    """Settle every clear match; ``asked_at`` is the time of the request."""
    wanted = due.unsettled
    candidates = [one for one in listed.messages if may_be(wanted, one)]
    with database.writing() as connection:
        submissions = lock_unsettled(connection, due, asked_at)
        if submissions is None:
            return ListMatch.CONTENDED
        held = holders(connection, due.account.sid, [one.message_sid for one in listed.messages])
        free = [one for one in listed.messages if one.message_sid not in held]
        found = match(wanted, submissions, free, now, is_last=is_given_up(due.created_at, now))
        for submission, candidate in found.pairs:
            delivery = report_about(due.account.sid, submission.message_id, candidate)
            _settle(connection, delivery, now)
            _log.info("settled", message_id=str(submission.message_id), by="list")
    if any(submission == wanted for submission, _ in found.pairs):
        return ListMatch.FOUND
    guessed = [one for one in candidates if held.get(one.message_sid) is SidSource.LIST]
    if found.is_ambiguous or any(fits(wanted, one) for one in guessed):
        return ListMatch.AMBIGUOUS
    is_possible = not listed.is_complete or any(one.message_sid not in held for one in candidates)
    return ListMatch.POSSIBLE if is_possible else ListMatch.NONE


def _settle(connection: Connection, delivery: DeliveryReport, now: datetime) -> None:
    """Give a locked submission a SID, and apply the provider's status."""
    of_message = update(messages).where(messages.c.id == delivery.message_id)
    connection.execute(
        of_message.values(
            submission=Submission.ACCEPTED,
            message_sid=delivery.message_sid,
            sid_source=SidSource.LIST,
            sent_number=None,
        )
    )
    advanced = apply_report(connection, Report(delivery, now))
    if advanced is not None and has_effects(delivery):
        record_effects_of(connection, delivery, advanced.message_id, now)
    connection.execute(of_message.values(check_at=now + _LOOK_AT_GUESS))


def report_about(account_sid: str, message_id: UUID, found: ProviderMessage) -> DeliveryReport:
    return DeliveryReport(
        account_sid=account_sid,
        message_sid=found.message_sid,
        message_id=message_id,
        status=found.status,
        provider_status=found.provider_status,
        error_code=found.error_code,
        from_number=found.from_number,
        num_segments=found.num_segments,
        meaning=found.meaning,
    )
