"""The guard `delivery`: found by the worker, refused by the send, over when it has recovered."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from app.destinations.tables import refusals
from app.guards.alerts import AlertKind
from app.guards.delivery import WatchDelivery
from app.guards.tables import guard_collapses
from app.guards.watches import Share
from app.messages.history import GuardHistory
from app.messages.tables import message_events, messages
from support.each import each
from support.factories import US_NUMBER
from support.guards import OFF, GuardsClient
from support.time import ManualClock
from support.traffic import Past, id_at, write_messages

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MA = "+212612345678"
ELSEWHERE = "+212699000000"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def watch(timed: GuardsClient, clock: ManualClock) -> WatchDelivery:
    return WatchDelivery(timed.factory.database, clock.clock(), GuardHistory())


def ended(
    guards: GuardsClient,
    number: str,
    at: datetime,
    *,
    delivered: int = 0,
    failed: int = 0,
    converted: bool | None = None,
) -> None:
    """Let messages have ended, each with the event of its end."""
    for status, times in (("delivered", delivered), ("undelivered", failed)):
        for _ in range(times):
            write_messages(guards.factory.database, [Past(guards.tenant, number, at)])
            _end(guards, at, status, converted=converted)


def _end(guards: GuardsClient, at: datetime, status: str, *, converted: bool | None = None) -> None:
    column = "delivered_at" if status == "delivered" else "errored_at"
    columns = messages.c
    with guards.factory.database.writing() as c:
        (row,) = c.execute(
            update(messages)
            .where(
                columns.workspace_id == guards.tenant.workspace_id,
                columns.created_at == at,
                columns.delivered_at.is_(None),
                columns.errored_at.is_(None),
            )
            .values({"status": status, column: at, "converted": converted})
            .returning(columns.id)
        )
        c.execute(
            insert(message_events).values(
                id=id_at(at), message_id=row.id, at=at, status=status, applied=True
            )
        )


def collapsed(guards: GuardsClient) -> dict[str, int]:
    rows = guards.factory.rows(guard_collapses, workspace_id=guards.tenant.workspace_id)
    return {row["value"]: row["share"] for row in rows}


@each(
    "share, percent, below, baseline",
    [
        (Share(0, 0), 30, False, False),
        (Share(10, 2), 30, True, False),
        (Share(10, 3), 30, False, True),
        (Share(1000, 299), 30, True, False),
        (Share(10, 0), 0, False, True),
        (Share(0, 0), 0, False, True),
    ],
)
def test_shares_are_compared_exactly(
    share: Share, percent: int, below: bool, baseline: bool
) -> None:
    assert (share.is_below(percent), share.is_baseline(percent)) == (below, baseline)


@pytest.mark.one_engine
def test_a_range_that_collapsed_is_refused_until_it_has_recovered(
    timed: GuardsClient, watch: WatchDelivery, clock: ManualClock
) -> None:
    """Break: leave the baseline out, and `ELSEWHERE` collapses too."""
    timed.set(delivery={"mode": "enforce", "below": 30, "baseline": 60, "minimum": 5})
    ended(timed, MA, NOON - 3 * DAY, delivered=7, failed=1)
    ended(timed, ELSEWHERE, NOON - 2 * DAY, delivered=40, failed=60)
    ended(timed, MA, NOON - 10 * MINUTE, delivered=1, failed=4)
    ended(timed, ELSEWHERE, NOON - 9 * MINUTE, delivered=10, failed=0)
    ended(timed, "+212699110000", NOON - 5 * DAY, failed=20)
    ended(timed, "+212699110000", NOON - 5 * MINUTE, failed=6)
    watch.run_once()
    assert collapsed(timed) == {"+21261234": 20}
    (alert,) = timed.alerts()
    assert (alert["kind"], alert["cleared_at"]) == ("delivery.collapsed", None)
    assert alert["details"] == {
        "guard": "delivery",
        "window": "hour",
        "scope": "workspace",
        "use_case_id": None,
        "value": "+21261234",
        "mode": "enforce",
        "limit": 30,
        "hits": 0,
    }
    answer = timed.gateway.send(timed.tenant, to=MA)
    assert (answer.status_code, answer.json) == (
        422,
        {
            "code": "GuardTripped",
            "message": "The guard 'delivery' refused this message: "
            "less than 30 % delivered to one number range.",
            "details": {
                "guard": "delivery",
                "window": "hour",
                "scope": "workspace",
                "limit": 30,
                "count": 20,
                "country": "MA",
                "resets_at": None,
                "retryable": True,
            },
        },
    )
    assert timed.gateway.send(timed.tenant, to=ELSEWHERE).status_code == 201
    assert timed.gateway.send(timed.tenant, to=US_NUMBER).status_code == 201
    (refusal,) = timed.factory.rows(refusals, workspace_id=timed.tenant.workspace_id)
    assert (refusal["rule"], refusal["source"]) == ("delivery", "guard")
    watch.run_once()
    (alert,) = timed.alerts()
    assert alert["details"]["hits"] == 1
    clock.advance(45 * 60)
    ended(timed, MA, clock.at, delivered=1)
    watch.run_once()
    assert collapsed(timed) == {}
    (alert,) = timed.alerts()
    assert alert["cleared_at"] is not None
    assert timed.gateway.send(timed.tenant, to=MA).status_code == 201


def test_a_country_collapses_as_a_whole_and_monitor_lets_it_pass(
    timed: GuardsClient, watch: WatchDelivery
) -> None:
    timed.set(delivery={"mode": "monitor", "below": 30, "baseline": 0, "minimum": 6})
    for place in range(6):
        ended(timed, f"+2126{place}0000000", NOON - MINUTE, failed=1)
    watch.run_once()
    watch.run_once()
    assert collapsed(timed) == {"MA": 0}
    assert timed.gateway.send(timed.tenant, to=MA).status_code == 201
    (alert,) = timed.alerts(f"&kind={AlertKind.DELIVERY_COLLAPSED}&state=open")
    assert (alert["details"]["value"], alert["details"]["hits"]) == ("MA", 1)


def test_converted_messages_count_instead_of_delivered_ones(
    timed: GuardsClient, watch: WatchDelivery
) -> None:
    """Break: judge messages without feedback at once, and `ELSEWHERE` collapses too."""
    guard = {"mode": "enforce", "below": 30, "baseline": 60, "minimum": 5, "counts": "converted"}
    timed.set(delivery=guard)
    assert timed.get()["guards"]["delivery"] == guard
    for number in (MA, ELSEWHERE):
        ended(timed, number, NOON - 2 * DAY, delivered=8, converted=True)
    ended(timed, MA, NOON - 11 * MINUTE, delivered=6)
    ended(timed, MA, NOON - 3 * MINUTE, delivered=1, converted=True)
    ended(timed, ELSEWHERE, NOON - 9 * MINUTE, delivered=6)
    ended(timed, ELSEWHERE, NOON - 12 * MINUTE, delivered=5, converted=True)
    watch.run_once()
    assert collapsed(timed) == {"+21261234": 14}
    assert timed.gateway.send(timed.tenant, to=MA).json["message"] == (
        "The guard 'delivery' refused this message: less than 30 % converted to one number range."
    )
    timed.set(delivery=guard | {"counts": "delivered"})
    watch.run_once()
    assert collapsed(timed) == {}
    assert timed.problems({"guards": {"delivery": {"counts": "read"}}}) == {
        "$.guards.delivery.counts": ["Must be one of: delivered, converted."]
    }


def test_a_dry_run_replays_ended_messages(timed: GuardsClient) -> None:
    """Break: let messages end that the replay refused, and the hour never drains."""
    country = NOON - 2 * DAY
    ended(timed, ELSEWHERE, NOON - 5 * DAY, delivered=9)
    for minute in range(8):
        ended(timed, ELSEWHERE, country + minute * MINUTE, failed=1)
    for minute in (61, 130):
        ended(timed, ELSEWHERE, country + minute * MINUTE, failed=1)
    ended(timed, US_NUMBER, country, failed=20)

    def would_trip(**guard: Any) -> list[tuple[str, str, str, int, int]]:
        body = {"guards": OFF | {"delivery": {"mode": "enforce", "minimum": 5} | guard}}
        answer = timed.ask("PUT", f"{timed.path}?dry_run=true", body)
        assert answer.status_code == 200, answer.text
        found = answer.json["impact"]["would_trip"]
        return [tuple(one.values()) for one in found]

    # The sixth to the eighth are refused, and end nowhere: an hour later too few have ended.
    of_hour = ("delivery", "hour", "workspace")
    assert would_trip() == [(*of_hour, "enforce", 3, 1)]
    assert would_trip(mode="monitor") == [(*of_hour, "monitor", 4, 1)]
    assert would_trip(minimum=20, baseline=0) == []
    assert would_trip(below=None) == []
    assert would_trip(counts="converted", baseline=0) == [(*of_hour, "enforce", 1, 1)]


def test_switching_it_off_clears_it_immediately(timed: GuardsClient, watch: WatchDelivery) -> None:
    timed.set(delivery={"mode": "enforce", "below": 30, "baseline": 0, "minimum": 1})
    ended(timed, MA, NOON - MINUTE, failed=1)
    watch.run_once()
    assert timed.gateway.send(timed.tenant, to=MA).status_code == 422
    timed.set()
    assert collapsed(timed) == {}
    assert timed.alerts("&state=open") == []
    watch.run_once()
    assert timed.gateway.send(timed.tenant, to=MA).status_code == 201


def test_a_changed_limit_is_in_force_for_the_next_send(
    timed: GuardsClient, watch: WatchDelivery
) -> None:
    """Break: end collapses only where the guard is off."""
    trips: dict[str, Any] = {"mode": "enforce", "below": 70, "baseline": 0, "minimum": 3}
    ended(timed, MA, NOON - MINUTE, delivered=2, failed=1)
    for changed, status in (
        ({"below": 67}, 422),
        ({"below": 66}, 201),
        ({"minimum": 4}, 201),
        ({"counts": "converted"}, 201),
    ):
        timed.set(delivery=trips)
        watch.run_once()
        assert timed.gateway.send(timed.tenant, to=MA).status_code == 422
        timed.set(delivery=trips | changed)
        assert timed.gateway.send(timed.tenant, to=MA).status_code == status, changed
        assert bool(timed.alerts("&state=open")) == (status == 422), changed


def test_a_collapse_unconfirmed_by_a_worker_lasts_at_most_an_hour(
    timed: GuardsClient, watch: WatchDelivery, clock: ManualClock
) -> None:
    timed.set(delivery={"mode": "enforce", "below": 30, "baseline": 0, "minimum": 1})
    ended(timed, MA, NOON - MINUTE, failed=1)
    watch.run_once()
    clock.advance(3599)
    assert timed.gateway.send(timed.tenant, to=MA).status_code == 422
    clock.advance(1)
    assert timed.gateway.send(timed.tenant, to=MA).status_code == 201


def test_other_guards_answer_first(timed: GuardsClient, watch: WatchDelivery) -> None:
    timed.set(
        delivery={"mode": "enforce", "below": 30, "baseline": 0, "minimum": 1},
        number={"mode": "enforce", "hour": 1, "day": None},
    )
    assert timed.gateway.send(timed.tenant, to=MA).status_code == 201
    ended(timed, ELSEWHERE, NOON - MINUTE, failed=1)
    watch.run_once()
    found = [timed.gateway.send(timed.tenant, to=to).json for to in (MA, ELSEWHERE)]
    assert [one["details"]["guard"] for one in found] == ["number", "delivery"]
