"""`demo attack`: the guards stop a pumping attack and let normal traffic pass."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from app.bootstrap import open_settings
from app.cli import demo
from app.cli.demo import play_attack, silence
from app.db.engine import Database
from app.demo.attack_trace import make_trace
from app.destinations.tables import refusal_counts
from app.emulator.server import EmulatorServer
from app.kernel.clock import utc_now
from app.kernel.phone import resolve
from app.messages.tables import messages
from support.disk import do_not_wait_for_the_disk

END = datetime(2030, 1, 15, 12, 30, tzinfo=UTC)
MOST_THAT_LEAVE = 25


@pytest.fixture
def emulator() -> Iterator[EmulatorServer]:
    with EmulatorServer() as server:
        silence(server)
        yield server


@pytest.mark.one_engine
def test_the_trace_is_an_attack_over_40_ranges_and_the_same_for_a_seed() -> None:
    trace = make_trace(7, END)
    assert trace == make_trace(7, END)
    assert trace != make_trace(8, END)
    pumped = [one for one in trace.sends if one.is_attack]
    assert (len(pumped), len({one.number[:-4] for one in pumped})) == (2_000, 40)
    assert len({one.country for one in pumped}) == 2
    for one in (*trace.history, *trace.sends):
        found = resolve(one.number)
        assert (found.country, found.receives_sms) == (one.country, True), one.number
    assert not {one.country for one in pumped} & {one.country for one in trace.history}


def test_at_most_25_of_2000_pumped_messages_leave_and_no_normal_one_is_refused(
    database: Database, environ: dict[str, str | None], emulator: EmulatorServer
) -> None:
    """Break: let `ReplayAttack` not set the guards, or let `country` be off."""
    do_not_wait_for_the_disk(database)
    given = {name: text for name, text in environ.items() if text is not None}
    settings = open_settings(given | {"BORDERPOST_TWILIO_URL": emulator.url})
    trace = make_trace(1, utc_now(), normal_sends=30, history_per_hour=20)
    pumped = {one.number for one in trace.sends if one.is_attack}

    report = play_attack(settings, database, trace, lambda _: None)

    assert report.normal == {"sent": 30}
    assert report.attack.total() == 2_000
    at_the_provider = [one.to for one in emulator.emulator.messages.newest_first()]
    left = [number for number in at_the_provider if number in pumped]
    assert len(left) == report.attack["sent"] <= MOST_THAT_LEAVE
    assert len(at_the_provider) - len(left) == 30
    assert report.seconds_to_alert is not None
    assert report.seconds_to_alert <= 60
    stopped = report.attack.total() - len(left)
    assert sum(alert["details"]["hits"] for alert in report.alerts) == stopped
    with database.reading() as connection:
        of_guards = refusal_counts.c.code == "GuardTripped"
        refused = connection.execute(
            select(func.sum(refusal_counts.c.refusals)).where(of_guards)
        ).scalar()
        since = trace.sends[0].at
        kept = select(func.count()).where(messages.c.created_at >= since)
        stored = connection.execute(kept).scalar()
    assert (refused, stored) == (stopped, len(left) + 30)
    assert 0 < report.cost_left < report.cost_without_guards / 50


@pytest.mark.one_engine
def test_the_command_prints_what_left_what_was_stopped_and_the_cost(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = partial(make_trace, attack_sends=60, normal_sends=10, history_per_hour=2)
    monkeypatch.setattr(demo, "make_trace", few)
    lines = run("demo", "attack").stdout.splitlines()
    assert lines[1:3] == ["attack        60      20       40", "normal        10      10        0"]
    assert "stopped by   country per hour: 40" in lines
    assert "cost         1.8700 USD left; without guards it would have been 6.3800 USD" in lines
    found = json.loads(run("demo", "attack", "--seed", "3", "--json").stdout)
    assert found["attack"] == {"sends": 60, "sent": 20, "stopped_by": {"country per hour": 40}}
    assert found["normal"] == {"sends": 10, "sent": 10, "stopped_by": {}}
    assert {alert["details"]["value"] for alert in found["alerts"]} == {"MA", "ID"}
