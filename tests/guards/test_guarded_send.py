"""A send passes its guards: each trips, monitors, counts once and gives back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from twilio.http.response import Response

from app.access.principal import Role
from app.db.encryption import Cipher
from app.destinations.tables import refusals
from app.guards.tables import guard_counters
from app.messages.sending import send as send_module
from app.messages.tables import idempotency_keys, messages
from support.each import each
from support.factories import BR_NUMBER, US_NUMBER, open_gateway
from support.fake_twilio import accepted, refused
from support.guards import GuardsClient
from support.replace_services import replace_services
from support.served import Served
from support.tables import add_opt_out_row
from support.time import FakePace, ManualClock

MA = "+212612345678"
ENFORCE: dict[str, Any] = {"mode": "enforce"}
MONITOR: dict[str, Any] = {"mode": "monitor"}


def send(guards: GuardsClient, to: str = US_NUMBER, **values: Any) -> str:
    """Send; return `sent`, or the guard and window that refused."""
    answer = guards.gateway.send(guards.tenant, to=to, **values)
    if answer.status_code == 201:
        return "sent"
    assert (answer.status_code, answer.json["code"]) == (422, "GuardTripped"), answer.text
    return f"{answer.json['details']['guard']} {answer.json['details']['window']}"


def rows_of(guards: GuardsClient, table: Any) -> list[dict[str, Any]]:
    own = guards.tenant.workspace_id
    return guards.factory.rows(table, workspace_id=own)


def test_the_eleventh_message_of_an_hour_to_one_number_is_refused(
    timed: GuardsClient, clock: ManualClock
) -> None:
    assert [send(timed) for _ in range(10)] == ["sent"] * 10
    clock.advance(1)
    answer = timed.gateway.send(timed.tenant, Idempotency_Key="k")
    assert (answer.status_code, answer.json) == (
        422,
        {
            "code": "GuardTripped",
            "message": "The guard 'number' refused this message: 10 per hour to one number.",
            "details": {
                "guard": "number",
                "window": "hour",
                "scope": "workspace",
                "limit": 10,
                "count": 10,
                "country": "US",
                "resets_at": "2026-01-31T13:06:00.000Z",
                "retryable": True,
            },
        },
    )
    (refusal,) = rows_of(timed, refusals)
    assert (refusal["code"], refusal["source"]) == ("GuardTripped", "guard")
    assert (refusal["rule"], refusal["scope"]) == ("number", "workspace")
    assert (refusal["masked_number"], refusal["country"]) == ("+12*******23", "US")
    assert len(rows_of(timed, messages)) == 10
    assert rows_of(timed, idempotency_keys) == []
    (alert,) = timed.alerts()
    assert alert["details"] | {"hits": 1, "value": "+12*******23"} == alert["details"]
    assert send(timed, "+12025550124") == "sent"
    clock.at = datetime(2026, 1, 31, 13, 5, 59, 999_000, tzinfo=UTC)
    assert send(timed) == "number hour"
    clock.advance(0.001)
    assert send(timed, Idempotency_Key="k") == "sent"


@each(
    "limits, sends, ends",
    [
        (
            {"number": ENFORCE | {"hour": None, "day": 2}},
            [US_NUMBER, "+12025550124", US_NUMBER, US_NUMBER],
            ["sent", "sent", "sent", "number day"],
        ),
        (
            {"prefix": ENFORCE | {"hour": 2}},
            [US_NUMBER, "+12025550124", "+12025550125", "+12025561125"],
            ["sent", "sent", "prefix hour", "sent"],
        ),
        (
            {"country": ENFORCE | {"hour": 1, "day": 2}},
            [MA, "+212612345679", BR_NUMBER, US_NUMBER, US_NUMBER],
            ["sent", "country hour", "sent", "sent", "sent"],
        ),
        (
            {"country": ENFORCE | {"countries": {"US": {"hour": 1}, "MA": {"day": 1}}}},
            [US_NUMBER, US_NUMBER, MA, MA, BR_NUMBER, BR_NUMBER],
            ["sent", "country hour", "sent", "country day", "sent", "sent"],
        ),
        (
            {"workspace": ENFORCE | {"minute": 2, "day": None}},
            [US_NUMBER, MA, BR_NUMBER],
            ["sent", "sent", "workspace minute"],
        ),
        (
            {
                "number": ENFORCE | {"hour": 1, "day": 1},
                "prefix": ENFORCE | {"hour": 1, "day": 1},
                "country": ENFORCE | {"hour": 1, "day": 1},
            },
            [MA, MA, "+212612345679", "+212699345679"],
            ["sent", "number hour", "prefix hour", "country hour"],
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_each_guard_refuses_sends_above_its_limit(
    served: Served, limits: Any, sends: list[str], ends: list[str]
) -> None:
    destinations = dict.fromkeys(("US", "MA", "BR"), "allowed")
    organization_id = served.factory.organization(f"Acme {served.factory.now} {id(limits)}")
    tenant = served.factory.tenant(organization_id, destinations=destinations)
    guards = GuardsClient(served.gateway, tenant, served.factory)
    guards.set(**limits)
    assert [send(guards, number) for number in sends] == ends
    assert len(rows_of(guards, refusals)) == len(ends) - ends.count("sent")


def test_a_message_of_many_segments_must_fit_whole(guards: GuardsClient) -> None:
    guards.set(workspace=ENFORCE | {"minute": 3, "day": None})
    assert send(guards, message="x" * 200) == "sent"
    answer = guards.gateway.send(guards.tenant, message="x" * 200)
    details = answer.json["details"]
    assert (details["limit"], details["count"], details["retryable"]) == (3, 2, True)
    assert answer.json["message"] == (
        "The guard 'workspace' refused this message: 3 segments per minute."
    )
    details = guards.gateway.send(guards.tenant, message="x" * 1000).json["details"]
    assert (details["resets_at"], details["retryable"]) == (None, False)
    assert send(guards) == "sent"


def test_resets_at_is_when_every_guard_has_room(timed: GuardsClient, clock: ManualClock) -> None:
    timed.set(
        number=ENFORCE | {"hour": 1, "day": 2},
        workspace=ENFORCE | {"minute": None, "day": 3},
    )
    assert send(timed) == "sent"
    clock.advance(2 * 3600)
    assert send(timed) == "sent"

    def details(**values: Any) -> tuple[Any, ...]:
        found = timed.gateway.send(timed.tenant, **values).json["details"]
        return tuple(found[name] for name in ("guard", "window", "resets_at", "retryable"))

    # The hour has room again at 15:06; the day, which refuses too, on the next.
    assert details() == ("number", "hour", "2026-02-01T14:24:00.000Z", True)
    clock.advance(3 * 3600)
    assert details() == ("number", "day", "2026-02-01T14:24:00.000Z", True)
    # A text of more segments than the workspace may send in a day never fits.
    assert details(message="x" * 1000) == ("number", "day", None, False)
    clock.at = datetime(2026, 2, 1, 14, 24, tzinfo=UTC)
    assert send(timed) == "sent"


def test_in_monitor_sends_go_out_and_an_alert_counts_those_above_the_limit(
    guards: GuardsClient,
) -> None:
    guards.set(prefix=MONITOR | {"hour": 1, "day": 2})
    assert [send(guards) for _ in range(4)] == ["sent"] * 4
    details = {one["details"]["window"]: one["details"] for one in guards.alerts()}
    assert (details["hour"]["hits"], details["day"]["hits"]) == (3, 2)
    assert details["hour"] == {
        "guard": "prefix",
        "window": "hour",
        "scope": "workspace",
        "use_case_id": None,
        "value": "+1202555",
        "mode": "monitor",
        "limit": 1,
        "hits": 3,
    }
    assert rows_of(guards, refusals) == []


def test_a_guard_that_is_off_or_without_limit_does_not_count(guards: GuardsClient) -> None:
    guards.set(number=ENFORCE | {"hour": None, "day": None})
    send(guards)
    guards.set(number=ENFORCE | {"hour": None, "day": 1})
    assert [send(guards), send(guards)] == ["sent", "number day"]
    guards.set(number=ENFORCE | {"hour": 1, "day": None})
    assert [send(guards), send(guards)] == ["sent", "number hour"]
    guards.set()
    assert send(guards) == "sent"


def test_a_change_is_in_force_for_the_next_send(guards: GuardsClient) -> None:
    guards.set(number=ENFORCE | {"hour": 1, "day": None})
    assert [send(guards), send(guards)] == ["sent", "number hour"]
    guards.set(number=ENFORCE | {"hour": 2, "day": None})
    assert [send(guards), send(guards)] == ["sent", "number hour"]


def test_guards_of_a_use_case_take_the_place_of_the_workspaces(guards: GuardsClient) -> None:
    own = {"number": ENFORCE | {"hour": 1, "day": None}}
    guards.set(
        {guards.tenant.use_case_id: own},
        number=ENFORCE | {"hour": 2, "day": None},
        prefix=ENFORCE | {"hour": 3},
    )
    other = guards.factory.use_case(guards.tenant.workspace_id)

    def through_other() -> Any:
        body = {"use_case_id": str(other), "to_phone_number": US_NUMBER, "message": "hello"}
        answer = guards.gateway.post("/v1/sms", body, key=guards.tenant.keys[Role.SENDER])
        return answer.json.get("details") or "sent"

    assert send(guards) == "sent"
    refusal = guards.gateway.send(guards.tenant).json["details"]
    assert (refusal["guard"], refusal["scope"], refusal["limit"]) == ("number", "use_case", 1)
    assert [through_other(), through_other()] == ["sent", "sent"]
    assert through_other()["scope"] == "workspace"
    assert send(guards, "+12025550124") == "prefix hour"
    found = {row["scope"]: row for row in rows_of(guards, refusals)}
    assert found["use_case"]["rule"] == "number"
    scopes = [one["details"]["use_case_id"] for one in guards.alerts()]
    assert scopes == [None, None, str(guards.tenant.use_case_id)]


def test_a_replay_does_not_count(guards: GuardsClient) -> None:
    guards.set(number=ENFORCE | {"hour": 2, "day": None})
    assert [send(guards, Idempotency_Key="one") for _ in range(3)] == ["sent"] * 3
    assert [send(guards, Idempotency_Key="two"), send(guards)] == ["sent", "number hour"]


def test_a_concurrent_repeat_gets_the_first_answer_also_at_the_limit(
    guards: GuardsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: leave `_is_taken` out, and PostgreSQL's statement refuses the repeat."""
    guards.set(number=ENFORCE | {"hour": 1, "day": None})
    first = guards.gateway.send(guards.tenant, Idempotency_Key="k")
    # The repeat has read that the key is free just before the first was written.
    load = send_module.load_send_context
    blind = [True]

    def load_too_early(*args: Any, **values: Any) -> Any:
        found = load(*args, **values)
        return replace(found, prior=None) if blind and blind.pop() else found

    monkeypatch.setattr(send_module, "load_send_context", load_too_early)
    repeat = guards.gateway.send(guards.tenant, Idempotency_Key="k")
    assert (repeat.status_code, repeat.json) == (201, first.json)
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert rows_of(guards, refusals) == []


@each(
    "answer, counts",
    [
        (refused(21211), False),
        (refused(21408), False),
        (refused(20429, 429), False),
        (Response(500, ""), True),
        (accepted(), True),
    ],
    ids=lambda value: str(getattr(value, "status_code", value)),
)
def test_only_sends_that_were_certainly_not_made_are_subtracted(
    served: Served, answer: Response, counts: bool
) -> None:
    organization_id = served.factory.organization(f"Acme {id(answer)} {served.factory.now}")
    guards = GuardsClient(served.gateway, served.factory.tenant(organization_id), served.factory)
    replace_services(guards.gateway, pace=FakePace().pace())
    guards.set(number=ENFORCE | {"hour": 1, "day": None}, workspace=ENFORCE | {"minute": 50})
    times = 40 if answer.status_code == 429 else 1
    guards.gateway.twilio.script.extend([answer] * times)
    guards.gateway.send(guards.tenant, Idempotency_Key="k")
    guards.gateway.twilio.script.clear()
    with guards.factory.database.reading() as connection:
        found = connection.execute(
            select(guard_counters).where(guard_counters.c.scope_id == guards.tenant.workspace_id)
        ).all()
    assert {(row.guard, sum(row.short_counts)) for row in found} == {
        ("number", int(counts)),
        ("workspace", int(counts)),
    }


def test_a_send_that_another_check_refuses_counts_nowhere(guards: GuardsClient) -> None:
    guards.set(number=ENFORCE | {"hour": 1, "day": None}, workspace=ENFORCE | {"minute": 1})
    add_opt_out_row(guards.factory, guards.tenant.workspace_id, US_NUMBER)
    assert guards.gateway.send(guards.tenant).json["code"] == "RecipientOptedOut"
    assert (
        guards.gateway.send(guards.tenant, to="+447400123456").json["code"] == "DestinationBlocked"
    )
    assert send(guards, "+12025550124") == "sent"
    assert send(guards, "+12025550124") == "number hour"
    assert send(guards, MA) == "workspace minute"


def test_numbers_are_kept_as_pseudonyms(guards: GuardsClient) -> None:
    guards.set(number=ENFORCE | {"hour": 1}, prefix=ENFORCE | {"hour": 5}, country=ENFORCE)
    send(guards, MA)
    send(guards, MA)
    found = str(guards.factory.rows(guard_counters))
    assert "12345678" not in found
    assert MA[:-4] in found


def test_in_a_flood_the_alert_counts_every_refused_send(guards: GuardsClient) -> None:
    guards.set(country=ENFORCE | {"hour": 3})
    ends = [send(guards, f"+2126123400{place:02}") for place in range(8)]
    assert ends == ["sent"] * 3 + ["country hour"] * 5
    (alert,) = guards.alerts()
    assert (alert["details"]["value"], alert["details"]["hits"]) == ("MA", 5)
    assert alert["details"]["limit"] == 3


def test_the_metric_names_guard_and_mode(guards: GuardsClient) -> None:
    guards.set(number=ENFORCE | {"hour": 1}, prefix=MONITOR | {"hour": 0 + 1})
    send(guards)
    send(guards)
    text = guards.gateway.get("/metrics").text
    assert 'borderpost_guard_trips_total{guard="number",mode="enforce"}' in text


def test_counts_outlast_a_restart_in_the_middle_of_a_window(
    timed: GuardsClient, clock: ManualClock, served: Served, cipher: Cipher, tmp_path: Path
) -> None:
    timed.set(number=ENFORCE | {"hour": 2, "day": None})
    assert send(timed) == "sent"
    clock.advance(1800)
    gateway = open_gateway(served.factory.database, cipher, tmp_path, clock=clock.clock())
    restarted = GuardsClient(gateway, timed.tenant, timed.factory)
    assert [send(restarted), send(restarted)] == ["sent", "number hour"]
    clock.at += timedelta(seconds=1800 + 360)
    assert [send(restarted), send(restarted)] == ["sent", "number hour"]
