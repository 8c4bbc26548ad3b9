"""Ten minutes in which no callback gets through: every message ends as if there had been none."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from app.db.encryption import Cipher
from app.db.engine import Database
from app.emulator.callbacks.sender import stages_of
from app.emulator.config import EmulatorConfig
from app.emulator.emulator import Emulator
from app.emulator.scenarios import CallbackMode, CreateAnswer, FinalStatus, Scenario
from app.emulator.server import EmulatorServer
from app.messages.check_times import UNSETTLED_CHECKS_BEGIN
from app.messages.delivery.track import ReceiveReport, TrackDelivery
from app.messages.reconciliation.reconcile import Reconcile
from app.messages.reconciliation.resend import Resend
from app.messages.tables import messages
from app.providers.twilio.client import TwilioClients, TwilioProvider
from app.providers.twilio.messages import TwilioMessages
from app.providers.twilio.transport import TwilioTransport
from app.web.registry import register_service
from support.factories import PUBLIC_URL, Factory, Gateway, Tenant, open_gateway
from support.history import Reply, judge
from support.live_gateway import number
from support.polling import PATIENCE_SECONDS
from support.recorded_messages import created_at, held_in
from support.replace_services import replace_services
from support.time import FakePace, ManualClock

OUTAGE = timedelta(minutes=10)
# Since the outage began.
SENT = (timedelta(minutes=-1), timedelta(), timedelta(minutes=5), timedelta(minutes=9.5))
FIRST_LOOK, LAST_LOOK = timedelta(minutes=15), timedelta(hours=72)
ROUNDS_APART, LATER = timedelta(seconds=15), timedelta(hours=1)


class Fate(StrEnum):
    """What becomes of the callbacks of one message."""

    AT_ONCE = "at once"  # as if there were no outage
    LATE = "late"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Case:
    """One message: how its create is answered, how it ends, when it is sent, who calls back."""

    create: CreateAnswer
    final: FinalStatus
    sent: timedelta
    fate: Fate

    @property
    def scenario(self) -> Scenario:
        """The provider moves it to its end and is silent: the test itself calls back."""
        lost = CallbackMode.LOST
        return Scenario(callbacks=lost, final=self.final, create=self.create, pace_seconds=0)


CREATES = (CreateAnswer.NORMAL, CreateAnswer.ERROR_500_AFTER_ACCEPTING)
CASES = tuple(Case(*of) for of in product(CREATES, FinalStatus, SENT, Fate))
ENDS = {
    FinalStatus.DELIVERED: ("delivered", None, 1, True, True, False),
    FinalStatus.UNDELIVERED: ("undelivered", 30008, 1, True, False, True),
    FinalStatus.FAILED: ("failed", 30008, None, False, False, True),
    FinalStatus.SENT_ONLY: ("sent", None, 1, True, False, False),
}


@dataclass
class Play:
    """A gateway, a provider and a worker in one time, which the test moves."""

    factory: Factory
    tenant: Tenant
    clock: ManualClock
    gateway: Gateway
    emulator: Emulator
    reconcile: Reconcile
    began: datetime
    replies: dict[Case, Reply] = field(default_factory=dict)

    def send(self, place: int, case: Case) -> None:
        """Send the message of a case, whose provider then moves it to its end."""
        key, to = f"message {place}", number(place)
        self.emulator.scenarios.for_number(to, case.scenario)
        answer = self.gateway.send(self.tenant, to=to, message=key, Idempotency_Key=key)
        body = answer.json
        found = body if answer.status_code == 201 else body["details"]
        status = body.get("status")
        self.replies[case] = Reply(key, answer.status_code, body.get("code"), found["id"], status)

    def call_back(self, case: Case) -> set[int]:
        """Call back as the provider does, once for each stage; the answers' statuses."""
        id_ = self.replies[case].message_id
        (found,) = [m for m in self.emulator.messages.newest_first() if m.message_id == id_]
        answers = set()
        for live_gateway in stages_of(found, case.scenario):
            extra = {"From": found.sender or ""}
            if live_gateway.error_code is not None:
                extra["ErrorCode"] = str(live_gateway.error_code)
            answer = self.gateway.callback(id_, found.sid, live_gateway.status.value, **extra)
            answers.add(answer.status_code)
        return answers

    def pass_time(self, until: timedelta, step: timedelta = ROUNDS_APART) -> None:
        """Let the worker look at every step of the time."""
        while self.clock.at < self.began + until:
            self.clock.advance(step.total_seconds())
            while self.reconcile.run_once():
                pass

    def rows(self) -> dict[Case, dict[str, Any]]:
        """What the database holds of each case."""
        rows = {str(row["id"]): row for row in self.factory.rows(messages)}
        return {case: rows[reply.message_id or ""] for case, reply in self.replies.items()}


@pytest.fixture
def play(factory: Factory, tenant: Tenant, cipher: Cipher, tmp_path: Path) -> Iterator[Play]:
    """Everything at the minute before the first message."""
    clock = ManualClock()
    config = EmulatorConfig(status_pace_seconds=0, now=lambda: clock.at)
    with EmulatorServer(config=config) as twilio:
        transport = TwilioTransport(twilio.url)
        clients = TwilioClients(transport, cipher)
        provider = TwilioProvider(clients, PUBLIC_URL)
        gateway = open_gateway(factory.database, cipher, tmp_path, clock=clock.clock())
        replace_services(gateway, provider=provider, pace=FakePace().pace())
        reconcile = Reconcile(
            database=factory.database,
            source=TwilioMessages(clients),
            track=TrackDelivery(gateway.services.database, gateway.services.clock),
            resend=Resend(factory.database, provider, clock.clock(), FakePace().pace()),
            clock=clock.clock(),
        )
        began = clock.at - min(SENT)
        yield Play(factory, tenant, clock, gateway, twilio.emulator, reconcile, began)
        transport.close()


def test_ten_minutes_without_callbacks_change_no_end(play: Play, tmp_path: Path) -> None:
    """Late callbacks, or without them the worker's looks in their time, lead where prompt ones do.

    Break: in `app/messages/reconciliation/reconcile.py`, leave `self._report` out of `_settle` or of `_repair`; or
    in `app/messages/check_times.py` let `ACCEPTED_CHECKS` begin after an hour; or in
    `app/providers/twilio/webhook.py`, `sms_status`, do not raise again: 204 loses the callback.
    """
    _until_its_end(play, tmp_path)
    rows = play.rows()
    apart = {case for case in CASES if case.fate is not Fate.AT_ONCE}
    by_list = {case for case in apart if _is_settled_by_list(case)}
    assert {row["status"] for case, row in rows.items() if case in apart - by_list} == {"pending"}
    for case in CASES:
        if case.fate is Fate.LATE:
            assert play.call_back(case) == {204}
    assert _astray(play, {case for case in CASES if case.fate is not Fate.NEVER} | by_list) == {}
    play.pass_time(SENT[-1] + FIRST_LOOK)
    assert _astray(play, set(CASES)) == {}
    play.pass_time(SENT[-1] + LAST_LOOK, LATER)
    assert _astray(play, set(CASES)) == {}
    assert {row["check_at"] for row in play.rows().values()} == {None}
    verdict = judge(list(play.replies.values()), created_at(play.emulator), held_in(play.factory))
    assert verdict.faults == ()
    assert len(verdict.recovered) == len(CASES) // len(CREATES)


def _until_its_end(play: Play, folder: Path) -> None:
    """Send before and in the outage; half of the callbacks in it are lost, half answered 503."""
    app = play.gateway.client.application
    callbacks = play.gateway.services.callbacks
    away = TrackDelivery(Database(f"sqlite:///{folder}/away/borderpost.db"), play.clock.clock())
    for sent in SENT:
        play.pass_time(sent)
        cases = [case for case in CASES if case.sent == sent]
        for case in cases:
            play.send(CASES.index(case), case)
        assert play.emulator.wait_until_quiet(PATIENCE_SECONDS)
        for case in cases:
            if case.fate is Fate.AT_ONCE:
                assert play.call_back(case) == {204}
        register_service(app, replace(callbacks, report=ReceiveReport(away)))
        for case in cases[::2]:
            if case.fate is not Fate.AT_ONCE:
                assert play.call_back(case) == {503}
        register_service(app, callbacks)
    play.pass_time(OUTAGE)


def _is_settled_by_list(case: Case) -> bool:
    """Say whether the worker has asked for it before the outage is over."""
    asked_at = case.sent + UNSETTLED_CHECKS_BEGIN
    return case.create is not CreateAnswer.NORMAL and asked_at <= OUTAGE


def _astray(play: Play, cases: set[Case]) -> dict[Case, tuple[Any, ...]]:
    """Which of these have not ended as their provider's message did."""
    ends = {case: _end(row) for case, row in play.rows().items() if case in cases}
    return {case: end for case, end in ends.items() if end != ENDS[case.final]}


def _end(row: dict[str, Any]) -> tuple[Any, ...]:
    times = (row["handed_off_at"], row["delivered_at"], row["errored_at"])
    happened = (at is not None for at in times)
    return (row["status"], row["error_code"], row["num_segments"], *happened)
