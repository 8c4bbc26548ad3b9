"""Replayed callbacks: a bounded number of events, every report counted, on both engines."""

from collections import Counter
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from app.access.principal import Role
from app.db.engine import Database
from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.messages.delivery.apply_report import KEPT_REPORTS
from app.messages.tables import message_events
from support.console import signed_in
from support.factories import Gateway, Tenant
from support.replace_services import another_client
from support.threads import together

MOST_EVENTS = 50
REPLAYS = 150  # 1,500 end the same and take half a minute
Event = dict[str, Any]


def events_of(gateway: Gateway, tenant: Tenant, message_id: str, limit: int = 100) -> list[Event]:
    """All pages of a message's events."""
    found: list[Event] = []
    token: str | None = ""
    while token is not None:
        more = f"&page_token={token}" if token else ""
        path = f"/v1/sms/{message_id}/events?limit={limit}{more}"
        answer = gateway.get(path, key=tenant.keys[Role.VIEWER])
        assert answer.status_code == 200
        assert len(answer.json["items"]) <= limit
        found += answer.json["items"]
        token = answer.json["next_page_token"]
    return found


def reports_of(events: list[Event]) -> int:
    return sum(1 + event["repeats"] for event in events)


def test_replays_leave_at_most_50_events_and_are_all_counted(
    gateway: Gateway, tenant: Tenant
) -> None:
    """Breaks when every report is kept: let `_is_kept` be true."""
    sent = gateway.send(tenant).json
    for _ in range(REPLAYS):
        assert gateway.callback(sent["id"], sent["message_sid"], "sent").status_code == 204
    events = events_of(gateway, tenant, sent["id"])
    assert len(events) <= MOST_EVENTS
    assert reports_of(events) == REPLAYS
    assert Counter(event["reason"] for event in events) == {None: 1, "duplicate": KEPT_REPORTS - 1}
    assert [event["repeats"] for event in events[:-1]] == [0] * (KEPT_REPORTS - 1)
    shown = signed_in(gateway, tenant.keys[Role.VIEWER]).get(f"/console/messages/{sent['id']}")
    assert f"{REPLAYS - KEPT_REPORTS} more like it." in " ".join(shown.text.split())


def test_a_report_that_is_applied_is_always_kept(gateway: Gateway, tenant: Tenant) -> None:
    """Breaks when the bound counts for it too: leave `applied` out of `_is_kept`."""
    sent = gateway.send(tenant).json
    words = ["queued"] * 60 + ["sent"] + ["queued"] * 60 + ["undelivered"] + ["delivered"] * 60
    for word in words:
        assert gateway.callback(sent["id"], sent["message_sid"], word).status_code == 204
    events = events_of(gateway, tenant, sent["id"])
    assert len(events) <= MOST_EVENTS
    assert reports_of(events) == len(words)
    assert [event["status"] for event in events if event["applied"]] == ["sent", "undelivered"]
    message = gateway.get(f"/v1/sms/{sent['id']}", key=tenant.keys[Role.VIEWER]).json
    assert message["status"] == "undelivered"


def test_reports_of_many_kinds_are_bounded_too(gateway: Gateway, tenant: Tenant) -> None:
    """Breaks when only reports that are all alike are counted together."""
    sent = gateway.send(tenant).json
    for place in range(200):
        word = f"word-{place}"
        answer = gateway.callback(sent["id"], sent["message_sid"], word, ErrorCode=str(place))
        assert answer.status_code == 204
    events = events_of(gateway, tenant, sent["id"])
    assert len(events) <= MOST_EVENTS
    assert reports_of(events) == 200


def test_a_repeat_is_counted_on_the_last_report_like_it(gateway: Gateway, tenant: Tenant) -> None:
    """Breaks when the last report is taken, alike or not: leave `is_alike` out of the order."""
    sent = gateway.send(tenant).json

    def report(word: str, **extra: str) -> None:
        assert gateway.callback(sent["id"], sent["message_sid"], word, **extra).status_code == 204

    report("delivered")
    report("failed", ErrorCode="30007")
    for _ in range(KEPT_REPORTS):
        report("sent")
    for _ in range(3):
        report("failed", ErrorCode="30007")
    for _ in range(2):
        report("failed", ErrorCode="30008")
    events = events_of(gateway, tenant, sent["id"])
    repeats = {(event["status"], event["error_code"]): event["repeats"] for event in events}
    assert repeats == {("delivered", None): 0, ("failed", 30007): 3, ("sent", None): 4}


def test_concurrent_replays_are_bounded_and_all_counted(gateway: Gateway, tenant: Tenant) -> None:
    """Breaks when the events are counted by a subquery: its snapshot is older than the row's lock."""
    sent = gateway.send(tenant).json
    threads, each = 8, 25

    def replay() -> list[int]:
        own = another_client(gateway)
        return [
            own.callback(sent["id"], sent["message_sid"], "delivered").status_code
            for _ in range(each)
        ]

    assert together([replay] * threads) == [[204] * each] * threads
    events = events_of(gateway, tenant, sent["id"])
    assert len(events) == KEPT_REPORTS
    assert reports_of(events) == threads * each


def test_events_are_a_page_like_every_list(
    gateway: Gateway, tenant: Tenant, database: Database
) -> None:
    """Also for messages from before there was a bound."""
    sent = gateway.send(tenant).json
    ids = sorted(new_id() for _ in range(230))
    rows = [
        {
            "id": one,
            "message_id": sent["id"],
            "at": utc_now(),
            "status": "pending",
            "provider_status": f"word-{place}",
            "applied": False,
        }
        for place, one in enumerate(ids)
    ]
    with database.writing() as connection:
        stored = [row | {"message_id": UUID(row["message_id"])} for row in rows]
        connection.execute(insert(message_events), stored)
    expected = [row["provider_status"] for row in rows]
    for limit in (100, 7):
        found = events_of(gateway, tenant, sent["id"], limit)
        assert [event["provider_status"] for event in found] == expected
    assert (
        len(gateway.get(f"/v1/sms/{sent['id']}/events", key=tenant.keys[Role.VIEWER]).json["items"])
        == 20
    )
    for query in ("limit=0", "limit=101", "limit=1_0", "page_token=x", "unknown=1"):
        path = f"/v1/sms/{sent['id']}/events?{query}"
        assert gateway.get(path, key=tenant.keys[Role.VIEWER]).status_code == 422, query
    shown = signed_in(gateway, tenant.keys[Role.VIEWER]).get(f"/console/messages/{sent['id']}")
    assert "word-99" in shown.text
    assert "word-100" not in shown.text
    assert "There are more events." in shown.text
