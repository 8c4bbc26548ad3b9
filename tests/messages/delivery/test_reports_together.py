"""Reports that arrive together: one statement on PostgreSQL, with the result of one for each."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select

from app.kernel.ids import new_id
from app.messages.delivery.apply_report import (
    AppliedReport,
    Report,
    apply_report,
    move_messages,
)
from app.messages.tables import message_events, messages
from app.providers.port import DeliveryReport, Status
from app.webhooks.tables import webhook_endpoints, webhook_events
from support.factories import ACCOUNT, Factory, Gateway, Tenant

pytestmark = pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)


def _report(sent: Any, status: Status, at: datetime, **changed: Any) -> Report:
    facts: dict[str, Any] = {
        "account_sid": ACCOUNT,
        "message_sid": sent["message_sid"],
        "message_id": UUID(sent["id"]),
        "status": status,
        "provider_status": status.value,
        "error_code": 30003 if status is Status.UNDELIVERED else None,
        "from_number": "+12025550100",
        "num_segments": 2,
        "is_signed": True,
    }
    return Report(DeliveryReport(**facts | changed), at + timedelta(seconds=5))


def _move(factory: Factory, reports: list[Report]) -> list[AppliedReport | None]:
    with factory.database.writing_once() as connection:
        return move_messages(connection, reports)


def _rows(factory: Factory, table: Any, *names: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(str(row[name]) for name in names) for row in factory.rows(table))


def test_each_message_gets_its_own_status_event_and_webhook(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: join the reports without the id of the message."""
    endpoint = {
        "id": new_id(),
        "workspace_id": tenant.workspace_id,
        "url": "https://hooks.example.com",
        "events": [],
        "secret": "x",
        "active": True,
        "created_at": factory.now,
        "updated_at": factory.now,
    }
    with factory.database.writing() as connection:
        connection.execute(insert(webhook_endpoints).values(**endpoint))
    statuses = [Status.SENT, Status.DELIVERED, Status.UNDELIVERED]
    together = [gateway.send(tenant).json for _ in statuses]
    alone = [gateway.send(tenant).json for _ in statuses]
    pairs = [_report(*one, factory.now) for one in zip(together, statuses, strict=True)]

    assert all(one and one.applied for one in _move(factory, pairs))
    with factory.database.writing() as connection:
        for sent, status in zip(alone, statuses, strict=True):
            apply_report(connection, _report(sent, status, factory.now))

    varies = {"id", "message_sid", "created_at", "check_at"}
    rows = {str(row["id"]): row for row in factory.rows(messages)}
    for one, other in zip(together, alone, strict=True):
        assert {n: v for n, v in rows[one["id"]].items() if n not in varies} == {
            n: v for n, v in rows[other["id"]].items() if n not in varies
        }
    events = _rows(factory, message_events, "message_id", "status", "error_code", "applied")
    assert events == sorted(
        (sent["id"], status.value, "30003" if status is Status.UNDELIVERED else "None", "True")
        for sent, status in zip([*together, *alone], [*statuses, *statuses], strict=True)
    )
    told = factory.rows(webhook_events)
    assert len(told) == 6
    for sent, other in zip(together, alone, strict=True):
        mine, its = (
            next(row for row in told if one["id"] in row["payload"]) for one in (sent, other)
        )
        assert mine["payload"] == its["payload"].replace(other["id"], sent["id"])
        assert (mine["type"], mine["created_at"]) == (its["type"], its["created_at"])


def test_of_two_reports_about_one_message_the_first_is_applied(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: give both to the statement, which may take either."""
    sent = gateway.send(tenant).json
    both = [_report(sent, status, factory.now) for status in (Status.SENT, Status.DELIVERED)]
    first, second = _move(factory, both)
    assert (first and first.applied, second) == (True, None)
    assert _rows(factory, message_events, "status") == [("sent",)]


def test_a_message_that_another_transaction_changes_is_not_waited_for(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: leave out SKIP LOCKED, and the statement waits for 2 s and fails."""
    locked, free = (gateway.send(tenant).json for _ in range(2))
    reports = [_report(sent, Status.SENT, factory.now) for sent in (locked, free)]
    with factory.database.writing() as connection:
        held = select(messages.c.id).where(messages.c.id == UUID(locked["id"])).with_for_update()
        connection.execute(held).one()
        not_moved, moved = _move(factory, reports)
    assert (not_moved, moved and moved.message_id) == (None, UUID(free["id"]))
    assert _rows(factory, message_events, "message_id") == [(free["id"],)]
