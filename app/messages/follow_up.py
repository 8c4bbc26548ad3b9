"""Following up what no callback has ended: settling unconfirmed sends, repairing lost statuses.

An unsettled submission is looked for among the messages to its number; exactly one that fits
settles it. The provider is only ever asked, unless the use case wants what left no trace at all to
be created once more. An accepted message is fetched by its SID and what it says is applied as any
other report.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from app.access.provider_account import ProviderAccount
from app.db.engine import Database
from app.kernel.clock import Clock
from app.messages.account_pace import AccountPace
from app.messages.check_times import (
    is_given_up,
    may_resend,
    next_accepted_check,
    next_try,
    next_unsettled_check,
)
from app.messages.due import (
    DueMessage,
    claim_due,
    known_sids,
    note_billing,
    schedule,
)
from app.messages.endings import end_not_confirmed
from app.messages.lifecycle import Status, status_of
from app.messages.ports import RefusalKind
from app.messages.resend import Resend
from app.messages.submission import UNSETTLED
from app.messages.track import DeliveryReport, TrackDelivery
from app.use_cases.unconfirmed import OnUnconfirmed

_log = structlog.get_logger(__name__)
_BATCH = 20
# Asked in vain so often in a row, an account is left alone for the rest of a round. One message
# that the provider chokes on must not stand for its account.
_SILENT_AFTER = 3
# The provider writes whole seconds, and its clock may differ a little from ours.
_CLOCKS_DIFFER = timedelta(seconds=5)
_CALL_LASTS = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class ProviderMessage:
    """A message as the provider has it."""

    message_sid: str
    messaging_service_sid: str | None
    to_number: str
    body: str
    status: str
    created_at: datetime | None
    error_code: int | None = None
    meaning: RefusalKind | None = None
    from_number: str | None = None
    num_segments: int | None = None
    price: str | None = None
    price_unit: str | None = None


class ProviderUnknown(Exception):
    """The provider could not be asked; the text says why and holds no number."""


class MessageSource(Protocol):
    """A provider that can be asked about messages."""

    def fetch(self, account: ProviderAccount, message_sid: str) -> ProviderMessage | None:
        """Fetch one message; None where there is none; raises `ProviderUnknown`."""

    def list_to(
        self, account: ProviderAccount, to_number: str, since: datetime
    ) -> list[ProviderMessage]:
        """List the messages to a number that are not older; raises `ProviderUnknown`."""


def _earliest(due: DueMessage) -> datetime:
    return due.created_at - _CLOCKS_DIFFER


def traces(due: DueMessage, candidates: list[ProviderMessage]) -> list[ProviderMessage]:
    """Return the provider's messages that this submission could have left, whatever the text: pure.

    The provider may have changed it: a trial account's prefix, characters encoded otherwise.
    """
    return [
        one
        for one in candidates
        if one.to_number == due.to_number and _is_of_a_try(due, one.created_at)
    ]


def matching(due: DueMessage, candidates: list[ProviderMessage]) -> list[ProviderMessage]:
    """Return the provider's messages that may be this submission: pure."""
    return [
        one
        for one in traces(due, candidates)
        if one.body == due.body
        and one.messaging_service_sid == due.messaging_service_sid
        and one.created_at is not None
    ]


def _is_of_a_try(due: DueMessage, created_at: datetime | None) -> bool:
    if created_at is None:
        return True
    return any(at - _CLOCKS_DIFFER <= created_at <= at + _CALL_LASTS for at in due.tried_at)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One round of the worker over the messages that are due."""

    database: Database
    source: MessageSource
    track: TrackDelivery
    resend: Resend
    clock: Clock
    pace: AccountPace = field(default_factory=AccountPace)

    def run_once(self) -> int:
        """Follow up a batch and return how many messages it had."""
        with self.database.writing() as connection:
            claimed = claim_due(connection, self.clock.now(), _BATCH)
        failures: Counter[str] = Counter()
        for due in claimed:
            account_sid = due.account.sid
            if failures[account_sid] >= _SILENT_AFTER:
                self._again(due, asked=False)
            else:
                failures[account_sid] = 0 if self._follow(due) else failures[account_sid] + 1
        return len(claimed)

    def _follow(self, due: DueMessage) -> bool:
        """Ask about one message; False where the provider could not be asked."""
        self.pace.wait_for_turn(due.account.sid)
        try:
            if due.submission in UNSETTLED:
                self._settle(due)
            else:
                self._repair(due)
        except ProviderUnknown as problem:
            # Who could not be asked has not said that there is no trace.
            _log.warning("follow_up_failed", message_id=str(due.message_id), why=str(problem))
            self._again(due, asked=False)
            return False
        return True

    def _settle(self, due: DueMessage) -> None:
        asked_at = self.clock.now()
        listed = self.source.list_to(due.account, due.to_number, _earliest(due))
        left = traces(due, listed)
        with self.database.reading() as connection:
            taken = known_sids(connection, [one.message_sid for one in left])
        free = [one for one in left if one.message_sid not in taken]
        fitting = matching(due, free)
        if len(fitting) == 1:
            self._report(due, fitting[0])
            _log.info("settled", message_id=str(due.message_id), by="list")
        elif free or not self._resends(due, asked_at):
            self._again(due)

    def _resends(self, due: DueMessage, asked_at: datetime) -> bool:
        """Create what left no trace once more, where that is wanted and its time has come."""
        return (
            due.on_unconfirmed is OnUnconfirmed.RESEND
            and may_resend(due.created_at, due.resent_at, due.resends, asked_at)
            and self.resend(due)
        )

    def _repair(self, due: DueMessage) -> None:
        found = None
        if due.message_sid is not None:
            found = self.source.fetch(due.account, due.message_sid)
        if found is None:
            self._again(due)
            return
        if status_of(found.status) not in {due.status, Status.PENDING}:
            self._report(due, found)
        now = self.clock.now()
        with self.database.writing() as connection:
            note_billing(
                connection,
                due.message_id,
                num_segments=found.num_segments if due.status is not Status.PENDING else None,
                price=found.price,
                price_unit=found.price_unit,
            )
            schedule(connection, due, next_accepted_check(due.created_at, now))

    def _report(self, due: DueMessage, found: ProviderMessage) -> None:
        self.track(
            DeliveryReport(
                account_sid=due.account.sid,
                message_sid=found.message_sid,
                message_id=due.message_id,
                provider_status=found.status,
                error_code=found.error_code,
                from_number=found.from_number,
                num_segments=found.num_segments,
                meaning=found.meaning,
            )
        )

    def _again(self, due: DueMessage, *, asked: bool = True) -> None:
        now = self.clock.now()
        with self.database.writing() as connection:
            if due.submission not in UNSETTLED:
                next_check = next_accepted_check if asked else next_try
                schedule(connection, due, next_check(due.created_at, now))
            elif not (asked and is_given_up(due.created_at, now)):
                schedule(connection, due, next_unsettled_check(due.created_at, now))
            elif end_not_confirmed(connection, due, now):
                _log.warning("not_confirmed", message_id=str(due.message_id))
