"""Alerts: one for each limit that is met, reported once, cleared and acknowledged."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.access.principal import Role
from app.guards.alerts import Hit, clear_what_is_over, record_hit
from app.guards.limits import GuardMode, GuardName, GuardScope, Window
from app.guards.tables import guard_trips
from app.guards.watches import Trip, Watch
from app.kernel.ids import new_id
from app.webhooks.tables import webhook_events
from support.each import each
from support.guards import GuardsClient
from support.time import ManualClock
from support.webhooks import Hooks

NOON = datetime(2026, 1, 31, 12, 34, 56, tzinfo=UTC)
MA = "+212612345678"


def trip(guards: GuardsClient, **values: Any) -> Trip:
    """A trip of the guard `country`, or of another."""
    watch = Watch(
        guard=GuardName.COUNTRY,
        scope=GuardScope.WORKSPACE,
        scope_id=guards.tenant.workspace_id,
        value="MA",
        mode=GuardMode.ENFORCE,
        amount=1,
        limits={},
    )
    window = values.pop("window", Window.HOUR)
    return Trip(replace(watch, **values), window, 50, 50, None)


def hit(
    guards: GuardsClient, at: datetime = NOON, *, key: str | None = None, **values: Any
) -> None:
    found = trip(guards, **values)
    value = found.watch.value if key is None else key
    with guards.factory.database.writing() as connection:
        record_hit(connection, Hit(guards.tenant.workspace_id, found, value), at)


def clear(guards: GuardsClient, at: datetime) -> int:
    """Clear what is over; return how many alerts of this workspace are cleared by now."""
    with guards.factory.database.writing() as connection:
        clear_what_is_over(connection, at)
    return len(guards.alerts("&state=cleared"))


def events_of(guards: GuardsClient) -> list[tuple[str, str]]:
    columns = webhook_events.c
    query = (
        select(columns.type, columns.payload)
        .where(columns.workspace_id == guards.tenant.workspace_id)
        .order_by(columns.id)
    )
    with guards.factory.database.reading() as connection:
        return [(row.type, row.payload) for row in connection.execute(query)]


def listen(guards: GuardsClient) -> None:
    """Give the workspace a webhook endpoint."""
    hooks = Hooks(guards.factory, ManualClock(NOON))
    hooks.endpoint(guards.tenant.workspace_id, events=["guard.tripped"])


def test_one_alert_is_open_for_a_limit_and_counts_its_hits(guards: GuardsClient) -> None:
    for seconds in (0, 5, 3):
        hit(guards, NOON + timedelta(seconds=seconds))
    (found,) = guards.alerts()
    assert found == {
        "id": found["id"],
        "workspace_id": str(guards.tenant.workspace_id),
        "kind": "guard.tripped",
        "opened_at": "2026-01-31T12:34:56.000Z",
        "last_at": "2026-01-31T12:35:01.000Z",
        "cleared_at": None,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "details": {
            "guard": "country",
            "window": "hour",
            "scope": "workspace",
            "use_case_id": None,
            "value": "MA",
            "mode": "enforce",
            "limit": 50,
            "hits": 3,
        },
    }


def test_guard_window_scope_and_value_each_have_an_alert(guards: GuardsClient) -> None:
    own = guards.tenant.use_case_id
    hit(guards)
    hit(guards, window=Window.DAY)
    hit(guards, scope=GuardScope.USE_CASE, scope_id=own)
    hit(guards, value="BR")
    hit(guards, guard=GuardName.WORKSPACE, value="", window=Window.MINUTE)
    hit(guards, guard=GuardName.SPEND, value="", window=Window.MONTH)
    details = [one["details"] for one in guards.alerts()]
    assert [(one["guard"], one["window"], one["value"]) for one in details] == [
        ("spend", "month", None),
        ("workspace", "minute", None),
        ("country", "hour", "BR"),
        ("country", "hour", "MA"),
        ("country", "day", "MA"),
        ("country", "hour", "MA"),
    ]
    assert [one["use_case_id"] for one in details] == [None, None, None, str(own), None, None]
    assert details[0]["limit"] == "0.00005"


def test_a_number_is_masked(guards: GuardsClient) -> None:
    hit(guards, guard=GuardName.NUMBER, value=MA, key="~1")
    hit(guards, guard=GuardName.NUMBER, value="+212699999978", key="~2")
    assert [one["details"]["value"] for one in guards.alerts()] == ["+21********78"] * 2


def test_from_the_21st_value_within_an_hour_on_there_is_one_alert_for_all(
    guards: GuardsClient,
) -> None:
    """Break: count the values of all time, and the last one here joins the others."""
    for place in range(25):
        hit(guards, guard=GuardName.NUMBER, value=f"{MA[:-2]}{place:02}", key=f"~{place}")
    hit(guards, guard=GuardName.NUMBER, value=MA, key="~24")
    hit(guards, guard=GuardName.NUMBER, value=f"{MA[:-2]}00", key="~0")
    hit(guards)
    later = NOON + timedelta(minutes=61)
    hit(guards, later, guard=GuardName.NUMBER, value=MA, key="~99")
    details = [one["details"] for one in guards.alerts("&kind=guard.tripped")]
    of_numbers = [one for one in details if one["guard"] == "number"]
    assert len(of_numbers) == 22
    (many,) = [one for one in of_numbers if one["value"] is None]
    assert many["hits"] == 6
    assert sorted(one["hits"] for one in of_numbers) == [*[1] * 20, 2, 6]


@each(
    "window, length",
    [(Window.MINUTE, 60), (Window.HOUR, 3600), (Window.DAY, 86400), (Window.MONTH, 31 * 86400)],
)
def test_an_alert_is_cleared_after_one_window_without_a_hit(
    guards: GuardsClient, window: Window, length: int
) -> None:
    other = replace(
        guards, tenant=guards.factory.tenant(guards.factory.organization(f"{window}{new_id()}"))
    )
    hit(other, window=window)
    hit(other, NOON + timedelta(seconds=30), window=window)
    assert clear(other, NOON + timedelta(seconds=29 + length)) == 0
    assert clear(other, NOON + timedelta(seconds=30 + length)) == 1
    (found,) = other.alerts()
    assert found["cleared_at"] is not None
    hit(other, NOON + timedelta(seconds=31 + length), window=window)
    assert [one["cleared_at"] is None for one in other.alerts()] == [True, False]
    assert clear(other, NOON + timedelta(days=400)) == 2


def test_opening_and_clearing_send_one_event_each(guards: GuardsClient) -> None:
    listen(guards)
    hit(guards)
    hit(guards)
    (opened,) = events_of(guards)
    assert opened[0] == "guard.tripped"
    assert '"hits":1' in opened[1]
    clear(guards, NOON + timedelta(hours=1))
    (_, cleared) = events_of(guards)
    assert cleared[0] == "guard.cleared"
    assert '"hits":2' in cleared[1]
    assert '"cleared_at":"2026-01-31T13:34:56.000Z"' in cleared[1]


def test_the_list_has_filters_and_pages(guards: GuardsClient) -> None:
    hit(guards)
    clear(guards, NOON + timedelta(hours=1))
    hit(guards, value="BR")
    hit(guards, value="BR", guard=GuardName.DELIVERY)
    newest, middle, oldest = (one["id"] for one in guards.alerts())
    acknowledge = f"/v1/alerts/{middle}/acknowledge"
    assert guards.ask("POST", acknowledge).status_code == 200

    def ids(query: str) -> list[str]:
        return [one["id"] for one in guards.alerts(query)]

    assert ids("&state=open") == [newest, middle]
    assert ids("&state=cleared") == [oldest]
    assert ids("&acknowledged=true") == [middle]
    assert ids("&acknowledged=false") == [newest, oldest]
    assert ids("&kind=delivery.collapsed") == [newest]
    assert ids("&kind=geo.drift") == []
    path = f"/v1/alerts?limit=2&workspace_id={guards.tenant.workspace_id}"
    first = guards.ask("GET", path).json
    second = guards.ask("GET", f"{path}&page_token={first['next_page_token']}").json
    assert [one["id"] for one in first["items"]] == [newest, middle]
    assert [one["id"] for one in second["items"]] == [oldest]
    assert second["next_page_token"] is None
    for wrong in ("state=closed", "kind=nothing", "acknowledged=1", "more=1"):
        assert guards.ask("GET", f"/v1/alerts?{wrong}").status_code == 422


def test_the_first_acknowledgement_is_kept(guards: GuardsClient) -> None:
    hit(guards)
    (alert,) = guards.alerts()
    path = f"/v1/alerts/{alert['id']}/acknowledge"
    first = guards.ask("POST", path).json
    assert (first["acknowledged_by"], first["id"]) == ("admin key", alert["id"])
    assert first["acknowledged_at"] is not None
    assert guards.as_role(Role.OWNER).ask("POST", path).json == first
    assert guards.alerts() == [first]
    own = {"workspace_id": guards.tenant.workspace_id}
    assert guards.factory.audit_trail("action", "target", **own) == [
        ("alert.acknowledged", alert["id"])
    ]


def test_the_hours_in_which_a_guard_tripped_are_kept(guards: GuardsClient) -> None:
    for minutes in (0, 10, 30):
        hit(guards, NOON + timedelta(minutes=minutes))
        hit(guards, NOON + timedelta(minutes=minutes), guard=GuardName.WORKSPACE, value="")
    with guards.factory.database.reading() as connection:
        rows = connection.execute(
            select(guard_trips).where(guard_trips.c.workspace_id == guards.tenant.workspace_id)
        )
        found = sorted((row.guard, row.value, row.period.strftime("%H:%M")) for row in rows)
    assert found == [
        ("country", "MA", "12:00"),
        ("country", "MA", "13:00"),
        ("workspace", "", "12:34"),
        ("workspace", "", "12:44"),
        ("workspace", "", "13:04"),
    ]
