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
from support.worker_setup import Worker

SIDS = ["SM" + str(place) * 32 for place in (1, 2, 3)]


@pytest.fixture
def charges(worker: Worker) -> CollectCharges:
    # Ids are minted by the real time.
    worker.clock.at = utc_now()
    source = TwilioMessages(TwilioClients(worker.gateway.twilio, worker.factory.cipher))
    pace = AccountPace(monotonic=lambda: 0.0, sleep=lambda _: None)
    return CollectCharges(worker.factory.database, source, worker.clock.clock(), pace)


def _sent(worker: Worker, sid: str) -> UUID:
    """A message that ended by a callback, which tells no price."""
    worker.gateway.twilio.script = [
        Response(201, json.dumps(json.loads(accepted().text) | {"sid": sid}))
    ]
    answer = worker.gateway.send(worker.tenant)
    assert answer.status_code == 201
    worker.gateway.twilio.calls.clear()
    return UUID(answer.get_json()["id"])


def _page(*entries: Any, next_page: str | None = None) -> Response:
    return Response(200, json.dumps({"messages": list(entries), "next_page_uri": next_page}))


def _prices(worker: Worker) -> dict[str, tuple[str | None, str | None]]:
    with worker.factory.database.reading() as c:
        rows = c.execute(select(messages.c.message_sid, messages.c.price, messages.c.price_unit))
        return {row.message_sid: (row.price, row.price_unit) for row in rows}


def test_charges_are_stored_page_by_page(worker: Worker, charges: CollectCharges) -> None:
    """Break: leave out the second page, or replace a price that is known."""
    for sid in SIDS:
        _sent(worker, sid)
    worker.clock.advance(3600)
    worker.gateway.twilio.script = [
        _page(
            worker.twilios(sid=SIDS[0], price="-0.0100", price_unit="usd"),
            worker.twilios(sid="SM" + "9" * 32),
            "no message",
            next_page="/2010-04-01/Accounts/AC/Messages.json?Page=1",
        ),
        _page(worker.twilios(sid=SIDS[1], price=None), worker.twilios(sid=SIDS[2], price="-0.02")),
    ]

    assert charges.run_once() == 0  # it is known from now on
    assert charges.run_once() == 0

    assert _prices(worker) == {
        SIDS[0]: ("-0.0100", "USD"),
        SIDS[1]: (None, None),
        SIDS[2]: ("-0.02", "USD"),
    }
    first, _ = worker.gateway.twilio.calls
    at, of_list = worker.clock.at, first.params or {}
    stamp = "%Y-%m-%dT%H:%M:%SZ"
    assert of_list["DateSent<"] == (at - SOON.waits + SOON.sent_later).strftime(stamp)
    assert of_list["PageSize"] == 100


def test_nothing_is_asked_where_every_price_is_known_or_nothing_was_sent(
    worker: Worker, charges: CollectCharges
) -> None:
    charges.run_once()
    charges.run_once()
    assert worker.gateway.twilio.calls == []
    _sent(worker, SIDS[0])
    for hours in (1, 2):
        worker.clock.advance(3600)
        worker.gateway.twilio.script = [_page(worker.twilios(sid=SIDS[0]))]
        charges.run_once()
        assert len(worker.gateway.twilio.calls) == 1, hours
    worker.clock.advance(LATE.waits.total_seconds())
    charges.run_once()
    assert len(worker.gateway.twilio.calls) == 1


def test_a_price_that_comes_late_is_found_a_day_later(
    worker: Worker, charges: CollectCharges
) -> None:
    """Break: look once only."""
    charges.run_once()
    _sent(worker, SIDS[0])
    worker.clock.advance(1800)
    worker.gateway.twilio.script = [_page(worker.twilios(sid=SIDS[0], price=None))]
    charges.run_once()
    assert _prices(worker)[SIDS[0]] == (None, None)
    worker.clock.advance(LATE.waits.total_seconds())
    worker.gateway.twilio.script = [_page(worker.twilios(sid=SIDS[0]))]
    charges.run_once()
    assert _prices(worker)[SIDS[0]] == ("-0.0079", "USD")


def test_a_period_that_could_not_be_read_is_read_again(
    worker: Worker, charges: CollectCharges
) -> None:
    charges.run_once()
    _sent(worker, SIDS[0])
    worker.clock.advance(1800)
    worker.gateway.twilio.script = [refused(20500, 500)]
    charges.run_once()
    worker.clock.advance(700)
    worker.gateway.twilio.script = [_page(worker.twilios(sid=SIDS[0]))]
    charges.run_once()
    assert _prices(worker)[SIDS[0]] == ("-0.0079", "USD")


@pytest.mark.one_engine
def test_all_charges_can_be_read_now(worker: Worker, charges: CollectCharges) -> None:
    """As `reconcile` does."""
    _sent(worker, SIDS[0])
    worker.clock.advance(60)
    worker.gateway.twilio.script = [_page(worker.twilios(sid=SIDS[0]))]

    assert charges.collect(worker.clock.at - timedelta(hours=1)) == 1
    assert charges.collect(worker.clock.at - timedelta(hours=1)) == 0
