"""What Twilio charged is read in lists, soon after a period and once more a day later."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from twilio.http.response import Response

from app.kernel.clock import utc_now
from app.messages.charges import LATE, SOON, CollectCharges
from app.messages.reconciliation.reconcile import AccountPace
from app.messages.tables import messages
from app.providers.twilio.client import TwilioClients
from app.providers.twilio.messages import TwilioMessages
from support.fake_twilio import accepted, refused
from support.worker_setup import WorkerSetup

SIDS = ["SM" + str(place) * 32 for place in (1, 2, 3)]


@pytest.fixture
def charges(worker_setup: WorkerSetup) -> CollectCharges:
    # Ids are minted by the real time.
    worker_setup.clock.at = utc_now()
    source = TwilioMessages(TwilioClients(worker_setup.gateway.twilio, worker_setup.factory.cipher))
    pace = AccountPace(monotonic=lambda: 0.0, sleep=lambda _: None)
    return CollectCharges(worker_setup.factory.database, source, worker_setup.clock.clock(), pace)


def _sent(worker_setup: WorkerSetup, sid: str) -> UUID:
    """A message that ended by a callback, which tells no price."""
    worker_setup.gateway.twilio.script = [
        Response(201, json.dumps(json.loads(accepted().text) | {"sid": sid}))
    ]
    answer = worker_setup.gateway.send(worker_setup.tenant)
    assert answer.status_code == 201
    worker_setup.gateway.twilio.calls.clear()
    return UUID(answer.get_json()["id"])


def _page(*entries: Any, next_page: str | None = None) -> Response:
    return Response(200, json.dumps({"messages": list(entries), "next_page_uri": next_page}))


def _prices(worker_setup: WorkerSetup) -> dict[str, tuple[str | None, str | None]]:
    with worker_setup.factory.database.reading() as c:
        rows = c.execute(select(messages.c.message_sid, messages.c.price, messages.c.price_unit))
        return {row.message_sid: (row.price, row.price_unit) for row in rows}


def test_charges_are_stored_page_by_page(
    worker_setup: WorkerSetup, charges: CollectCharges
) -> None:
    """Break: leave out the second page, or replace a price that is known."""
    for sid in SIDS:
        _sent(worker_setup, sid)
    worker_setup.clock.advance(3600)
    worker_setup.gateway.twilio.script = [
        _page(
            worker_setup.twilios(sid=SIDS[0], price="-0.0100", price_unit="usd"),
            worker_setup.twilios(sid="SM" + "9" * 32),
            "no message",
            next_page="/2010-04-01/Accounts/AC/Messages.json?Page=1",
        ),
        _page(
            worker_setup.twilios(sid=SIDS[1], price=None),
            worker_setup.twilios(sid=SIDS[2], price="-0.02"),
        ),
    ]

    assert charges.run_once() == 0  # it is known from now on
    assert charges.run_once() == 0

    assert _prices(worker_setup) == {
        SIDS[0]: ("-0.0100", "USD"),
        SIDS[1]: (None, None),
        SIDS[2]: ("-0.02", "USD"),
    }
    first, _ = worker_setup.gateway.twilio.calls
    at, of_list = worker_setup.clock.at, first.params or {}
    stamp = "%Y-%m-%dT%H:%M:%SZ"
    assert of_list["DateSent<"] == (at - SOON.waits + SOON.sent_later).strftime(stamp)
    assert of_list["PageSize"] == 100


def test_nothing_is_asked_where_every_price_is_known_or_nothing_was_sent(
    worker_setup: WorkerSetup, charges: CollectCharges
) -> None:
    charges.run_once()
    charges.run_once()
    assert worker_setup.gateway.twilio.calls == []
    _sent(worker_setup, SIDS[0])
    for hours in (1, 2):
        worker_setup.clock.advance(3600)
        worker_setup.gateway.twilio.script = [_page(worker_setup.twilios(sid=SIDS[0]))]
        charges.run_once()
        assert len(worker_setup.gateway.twilio.calls) == 1, hours
    worker_setup.clock.advance(LATE.waits.total_seconds())
    charges.run_once()
    assert len(worker_setup.gateway.twilio.calls) == 1


def test_a_price_that_comes_late_is_found_a_day_later(
    worker_setup: WorkerSetup, charges: CollectCharges
) -> None:
    """Break: look once only."""
    charges.run_once()
    _sent(worker_setup, SIDS[0])
    worker_setup.clock.advance(1800)
    worker_setup.gateway.twilio.script = [_page(worker_setup.twilios(sid=SIDS[0], price=None))]
    charges.run_once()
    assert _prices(worker_setup)[SIDS[0]] == (None, None)
    worker_setup.clock.advance(LATE.waits.total_seconds())
    worker_setup.gateway.twilio.script = [_page(worker_setup.twilios(sid=SIDS[0]))]
    charges.run_once()
    assert _prices(worker_setup)[SIDS[0]] == ("-0.0079", "USD")


def test_a_period_that_could_not_be_read_is_read_again(
    worker_setup: WorkerSetup, charges: CollectCharges
) -> None:
    charges.run_once()
    _sent(worker_setup, SIDS[0])
    worker_setup.clock.advance(1800)
    worker_setup.gateway.twilio.script = [refused(20500, 500)]
    charges.run_once()
    worker_setup.clock.advance(700)
    worker_setup.gateway.twilio.script = [_page(worker_setup.twilios(sid=SIDS[0]))]
    charges.run_once()
    assert _prices(worker_setup)[SIDS[0]] == ("-0.0079", "USD")


@pytest.mark.one_engine
def test_all_charges_can_be_read_now(worker_setup: WorkerSetup, charges: CollectCharges) -> None:
    """As `reconcile` does."""
    _sent(worker_setup, SIDS[0])
    worker_setup.clock.advance(60)
    worker_setup.gateway.twilio.script = [_page(worker_setup.twilios(sid=SIDS[0]))]

    assert charges.collect(worker_setup.clock.at - timedelta(hours=1)) == 1
    assert charges.collect(worker_setup.clock.at - timedelta(hours=1)) == 0
