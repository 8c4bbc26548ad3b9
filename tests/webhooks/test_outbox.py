"""The outbox: written in the caller's transaction, for workspaces with an active endpoint."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select

from app.db.engine import Database
from app.db.statement import Statement
from app.kernel.clock import rfc3339
from app.kernel.ids import new_id
from app.messages.tables import messages
from app.webhooks.outbox import (
    SMS_FIELDS,
    EventType,
    add_event,
    event_row,
    outbox_insert,
    sms_data,
    sms_json,
)
from app.webhooks.tables import webhook_events
from support.factories import ACCOUNT, US_NUMBER, Factory, Tenant
from support.time import ManualClock
from support.webhooks import Hooks

TEXT = "Your code is 1234"


def add_message(hooks: Hooks, tenant: Tenant, **values: Any) -> UUID:
    message_id = new_id()
    row = {
        "id": message_id,
        "workspace_id": tenant.workspace_id,
        "use_case_id": tenant.use_case_id,
        "account_sid": ACCOUNT,
        "submission": "accepted",
        "to_number": US_NUMBER,
        "body": TEXT,
        "counted_segments": 1,
        "status": "pending",
        "created_at": hooks.clock.at,
        "updated_at": hooks.clock.at,
    }
    hooks.factory.write(insert(messages).values(**row | values))
    return message_id


def test_an_event_is_stored_with_its_data_and_its_time(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id)
    assert hooks.event(tenant.workspace_id, EventType.SMS_SENT, id="1", text="\u00fc")
    (row,) = hooks.events()
    assert (row["workspace_id"], row["type"]) == (tenant.workspace_id, "sms.sent")
    assert row["payload"] == '{"id":"1","text":"\u00fc"}'
    assert (row["created_at"], row["fanned_out_at"]) == (hooks.clock.at, None)
    assert row["id"].version == 7


def test_a_workspace_without_an_active_endpoint_gets_no_event(hooks: Hooks, tenant: Tenant) -> None:
    """Breaks when the condition is left out of `outbox_insert`."""
    sibling = hooks.factory.tenant(tenant.organization_id, "Sibling")
    hooks.endpoint(sibling.workspace_id)
    hooks.endpoint(tenant.workspace_id, active=False)
    assert not hooks.event(tenant.workspace_id)
    assert hooks.events() == []


def test_two_endpoints_make_one_event(hooks: Hooks, tenant: Tenant) -> None:
    for _ in range(2):
        hooks.endpoint(tenant.workspace_id)
    hooks.event(tenant.workspace_id)
    assert len(hooks.events()) == 1


def test_an_event_goes_with_the_transaction_of_its_change(hooks: Hooks, tenant: Tenant) -> None:
    hooks.endpoint(tenant.workspace_id)

    def change_and_fail() -> None:
        with hooks.factory.database.writing() as c:
            add_event(c, tenant.workspace_id, EventType.DESTINATION_CHANGED, {}, hooks.clock.at)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_and_fail()
    assert hooks.events() == []


def test_a_row_can_be_written_by_hand(hooks: Hooks, tenant: Tenant) -> None:
    values = event_row(tenant.workspace_id, EventType.DESTINATION_DRIFT, {"a": 1}, hooks.clock.at)
    hooks.factory.write(insert(webhook_events).values(**values))
    (row,) = hooks.events()
    assert (row["type"], row["payload"]) == ("destination.drift", '{"a":1}')


def report_sql_of(found: str) -> str:
    """The outbox's part of a status callback: one event for each message that it has changed."""
    return outbox_insert(
        f"""SELECT :event_id::uuid AS id, {found}.workspace_id, 'sms.' || {found}.status AS type,
        {sms_json(found)} AS payload, :at::timestamptz AS created_at, {found}.to_number
        FROM {found}"""
    )


@pytest.fixture
def postgres_hooks(fresh_postgres_url: str, cipher: Any) -> Iterator[Hooks]:
    database = Database(fresh_postgres_url, pool_size=2)
    yield Hooks(Factory(database, cipher), ManualClock())
    database.close()


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"status": "sent", "from_number": "+12025550100", "num_segments": 2, "handed_off_at": True},
        {"status": "delivered", "handed_off_at": True, "delivered_at": True},
        {"status": "undelivered", "error_code": 30003, "errored_at": True},
        {"status": "failed", "from_number": 'odd "name"\\ \u00fc'},
    ],
    ids=lambda facts: facts.get("status", "pending"),
)
def test_statement_and_row_give_the_same_event_data(
    postgres_hooks: Hooks, facts: dict[str, Any]
) -> None:
    """The same fields, values and forms as on SQLite, and never the text of the message."""
    hooks = postgres_hooks
    tenant = hooks.factory.tenant(hooks.factory.organization())
    hooks.endpoint(tenant.workspace_id)
    at = hooks.clock.at + timedelta(milliseconds=70)
    add_message(hooks, tenant, **{n: at if v is True else v for n, v in facts.items()})
    with hooks.factory.database.writing() as c:
        assert Statement(report_sql_of("messages")).run(c, {"event_id": new_id(), "at": at}) == 1
        row = c.execute(select(messages)).one()
    (event,) = hooks.events()
    data = json.loads(event["payload"])
    assert data == sms_data(row)
    assert list(data) == list(SMS_FIELDS)
    assert TEXT not in event["payload"]
    assert data["id"] == str(row.id)
    assert data["delivered_at"] == (rfc3339(at) if "delivered_at" in facts else None)
    assert event["type"] == f"sms.{row.status}"
    assert event["created_at"] == at


@pytest.mark.parametrize("wanted", [True, False])
def test_on_postgresql_it_is_part_of_the_one_statement_of_a_callback(
    postgres_hooks: Hooks, wanted: bool
) -> None:
    hooks = postgres_hooks
    tenant = hooks.factory.tenant(hooks.factory.organization())
    if wanted:
        hooks.endpoint(tenant.workspace_id)
    message_id = add_message(hooks, tenant)
    statement = Statement(
        f"""WITH moved AS (UPDATE messages SET status = 'delivered', delivered_at = :at
        WHERE id = :message_id RETURNING *),
        reported AS ({report_sql_of("moved")})
        SELECT id FROM moved"""
    )
    values = {"message_id": message_id, "event_id": new_id(), "at": hooks.clock.at}
    with hooks.factory.database.writing_once() as c:
        assert statement.first(c, values).id == message_id
    kept = [(row["type"], json.loads(row["payload"])["status"]) for row in hooks.events()]
    assert kept == ([("sms.delivered", "delivered")] if wanted else [])
