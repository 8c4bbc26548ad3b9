"""Reconciles messages without a final status with the provider.

An unsettled submission is looked for among the messages to its number. A match is a guess, which
a signed callback overrides. An accepted message is fetched by its SID and applied like any report.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ServiceUnavailable
from app.messages.check_times import (
    is_given_up,
    may_resend,
    next_accepted_check,
    next_try,
    next_unclear_check,
    next_unsettled_check,
)
from app.messages.delivery.guessed_sids import release
from app.messages.delivery.track import TrackDelivery
from app.messages.events import record_unclear
from app.messages.lifecycle import UNSETTLED, SidSource
from app.messages.reconciliation.claims import (
    ClaimLane,
    DueMessage,
    claim_due,
    record_billing,
    schedule,
)
from app.messages.reconciliation.matching import CLOCKS_DIFFER
from app.messages.reconciliation.reconcile_with_list import (
    ListMatch,
    reconcile_with_list,
    report_about,
)
from app.messages.reconciliation.refusing_accounts import (
    RefusingAccount,
    forget_refusing,
    load_refusing,
    record_refusing,
)
from app.messages.reconciliation.resend import Resend, expire_unconfirmed
from app.providers.port import (
    AccountRefused,
    MessageSource,
    ProviderAccount,
    ProviderUnknown,
    Status,
)
from app.use_cases.rules import OnUnconfirmed

# Twilio limits requests by account (429); sends need them first.
CALLS_PER_SECOND = 20.0


@dataclass(frozen=True, slots=True)
class AccountPace:
    """Spaces one worker's calls by account; tests replace the time."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _next: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_for_turn(self, account_sid: str) -> None:
        now = self.monotonic()
        with self._lock:
            turn = max(now, self._next.get(account_sid, now))
            self._next[account_sid] = turn + 1 / CALLS_PER_SECOND
        if turn > now:
            self.sleep(turn - now)


_log = structlog.get_logger(__name__)
_BATCH = 20
# After failures for this many messages in a row, an account counts as silent: one message that the
# provider cannot answer for must not count for its account.
_SILENT_AFTER = 3
_LEFT_OUT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Reconcile:
    database: Database
    source: MessageSource
    track: TrackDelivery
    resend: Resend
    clock: Clock
    pace: AccountPace = field(default_factory=AccountPace)
    # The accounts that had their turn; others come first.
    _served: dict[ClaimLane, set[str]] = field(default_factory=lambda: defaultdict(set))
    # The messages of each account for which nothing was answered since its last answer.
    _unanswered: dict[str, set[UUID]] = field(default_factory=lambda: defaultdict(set))

    def run_once(self) -> int:
        """Reconcile a batch, the unsettled first, and return its size."""
        return self._run(tuple(ClaimLane))

    def settle_once(self) -> int:
        return self._run((ClaimLane.UNSETTLED,))

    def repair_once(self) -> int:
        return self._run((ClaimLane.SETTLED,))

    def _claim(
        self, connection: Connection, lane: ClaimLane, limit: int, waiting: set[str], now: datetime
    ) -> list[DueMessage]:
        """Claim one message of each account whose turn it is, then the most overdue ones."""
        served, claimed = self._served[lane], list[DueMessage]()
        while len(claimed) < limit:
            first = claim_due(connection, now, 1, lane, except_of=waiting | served)
            if not first:  # every account had its turn
                served.clear()
                break
            claimed += first
            served.add(first[0].account.sid)
        claimed += claim_due(connection, now, limit - len(claimed), lane, except_of=waiting)
        served |= {due.account.sid for due in claimed}
        return claimed

    def _run(self, lanes: Sequence[ClaimLane]) -> int:
        now, claimed = self.clock.now(), list[DueMessage]()
        with self.database.reading() as connection:
            refusing = load_refusing(connection)
        waiting = {sid for sid, one in refusing.items() if one.ask_again_at > now}
        with self.database.writing() as connection:
            for lane in lanes:
                claimed += self._claim(connection, lane, _BATCH - len(claimed), waiting, now)
        if not claimed:
            return 0
        by_account = defaultdict[str, list[DueMessage]](list)
        for due in claimed:
            by_account[due.account.sid].append(due)
        # An account that does not answer must delay no other: each has a thread of its own.
        with ThreadPoolExecutor(len(by_account)) as pool:
            futures = [
                pool.submit(self._follow_account, of_account, refusing.get(sid))
                for sid, of_account in by_account.items()
            ]
        for future in futures:
            future.result()
        return len(claimed)

    def _follow_account(
        self, claimed: Sequence[DueMessage], refusing: RefusingAccount | None
    ) -> None:
        """Ask about the messages of one account, until it refuses or is silent."""
        unanswered = self._unanswered[claimed[0].account.sid]
        left_out: list[DueMessage] = []
        for due in claimed:
            now = self.clock.now()
            if now >= due.leased_until:  # another worker may have claimed it since
                continue
            if refusing is not None and refusing.ask_again_at > now:
                left_out.append(due)
                continue
            try:
                has_answered = self._follow(due)
            except AccountRefused as refused:
                refusing = self._record_refusing(due.account, refused, refusing)
                left_out.append(due)
                continue
            if not has_answered:
                unanswered.add(due.message_id)
                if refusing is not None or len(unanswered) >= _SILENT_AFTER:
                    refusing = self._record_refusing(due.account, None, refusing)
                    unanswered.clear()
                continue
            unanswered.clear()
            if refusing is not None:
                refusing = None
                with self.database.writing() as connection:
                    forget_refusing(connection, due.account.sid)
        if left_out:
            with self.database.writing() as connection:
                for due in left_out:
                    self._try_again(connection, due, refusing, self.clock.now())

    def _record_refusing(
        self,
        account: ProviderAccount,
        refused: AccountRefused | None,
        before: RefusingAccount | None,
    ) -> RefusingAccount:
        with self.database.writing() as connection:
            noted = record_refusing(connection, account, refused, before, self.clock.now())
        _log.error(
            "account_silent" if refused is None else "account_refused",
            account_sid=account.sid,
            why=None if refused is None else str(refused),
            since=noted.since.isoformat(),
            ask_again_at=noted.ask_again_at.isoformat(),
        )
        return noted

    def _follow(self, due: DueMessage) -> bool:
        """Return False if the provider could not be asked; raises `AccountRefused`."""
        try:
            if due.submission in UNSETTLED:
                self._settle(due)
            else:
                self._repair(due)
        except (AccountRefused, ServiceUnavailable):
            raise
        except Exception as problem:  # noqa: BLE001
            # An error is not treated as "no trace", and a malformed answer affects only this
            # message.
            if isinstance(problem, ProviderUnknown):
                _log.warning("follow_up_failed", message_id=str(due.message_id), why=str(problem))
            else:
                _log.exception("follow_up_failed", message_id=str(due.message_id))
            with self.database.writing() as connection:
                self._try_again(connection, due, None, self.clock.now())
            return False
        return True

    def _settle(self, due: DueMessage) -> None:
        number = due.unsettled.number
        if not number.startswith("+"):
            # The number was erased by an older version, which did not keep it.
            self._look_again(due, ListMatch.AMBIGUOUS)
            return
        self.pace.wait_for_turn(due.account.sid)
        asked_at = self.clock.now()
        listed = self.source.list_to(due.account, number, due.created_at - CLOCKS_DIFFER)
        found = reconcile_with_list(self.database, due, listed, asked_at, self.clock.now())
        if found is ListMatch.FOUND:
            return
        if found is not ListMatch.NONE or not self._resends(due, asked_at):
            self._look_again(due, found)

    def _resends(self, due: DueMessage, asked_at: datetime) -> bool:
        return (
            due.on_unconfirmed is OnUnconfirmed.RESEND
            and may_resend(due.created_at, due.resent_at, due.resends, asked_at)
            and self.resend(due)
        )

    def _look_again(self, due: DueMessage, found: ListMatch) -> None:
        """Release a submission; end it if its time is over without a trace."""
        now = self.clock.now()
        is_over = is_given_up(due.created_at, now)
        with self.database.writing() as connection:
            cannot_tell = found is ListMatch.AMBIGUOUS or (is_over and found is ListMatch.POSSIBLE)
            if cannot_tell and record_unclear(connection, due.message_id, now):
                _log.warning("unclear", message_id=str(due.message_id))
            if not is_over or found is ListMatch.CONTENDED:
                schedule(connection, due, next_unsettled_check(due.created_at, now))
            elif found is not ListMatch.NONE:
                schedule(connection, due, next_unclear_check(due.created_at, now))
            elif expire_unconfirmed(connection, due, now):
                _log.warning("not_confirmed", message_id=str(due.message_id))

    def _repair(self, due: DueMessage) -> None:
        if due.sid_source is SidSource.LIST and self._is_taken_back(due):
            return
        found = None
        if due.message_sid is not None and not due.status.is_terminal:
            self.pace.wait_for_turn(due.account.sid)
            found = self.source.fetch(due.account, due.message_sid)
        now = self.clock.now()
        next_check = None if due.status.is_terminal else next_accepted_check(due.created_at, now)
        if found is not None and found.status not in {due.status, Status.PENDING}:
            self.track(report_about(due.account.sid, due.message_id, found))
        with self.database.writing() as connection:
            if found is not None:
                record_billing(connection, due, found)
            schedule(connection, due, next_check)

    def _is_taken_back(self, due: DueMessage) -> bool:
        """Release a guess whose SID another message has just got for certain."""
        if due.message_sid is None:
            return False
        with self.database.writing() as connection:
            return release(connection, due.message_id, due.message_sid, self.clock.now())

    @staticmethod
    def _try_again(
        connection: Connection, due: DueMessage, refusing: RefusingAccount | None, now: datetime
    ) -> None:
        """Release a message that could not be asked about; after days, give it up."""
        is_unsettled = due.submission in UNSETTLED
        next_check = next_try(due.created_at, now, is_unsettled=is_unsettled)
        if next_check is None:
            _log.warning("not_asked_any_more", message_id=str(due.message_id))
            if is_unsettled:
                record_unclear(connection, due.message_id, now)
        elif refusing is not None and not is_unsettled:
            # At most `_LEFT_OUT` from now, because a new auth token may be stored.
            next_check = max(next_check, min(refusing.ask_again_at, now + _LEFT_OUT))
        schedule(connection, due, next_check)
