"""`export --number`: everything that is held about a number, and nothing about another."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import String, Text, update

from app.access.tables import audit_events
from app.db.types import metadata
from app.messages.export_number import HOLDS_NUMBER
from app.messages.tables import messages
from app.webhooks.tables import webhook_events
from support.commands import Run
from support.factories import US_NUMBER, Factory
from support.months import write_message

OTHER = "+12025550199"
# Columns of texts about numbers that hold no recipient's number by itself.
_NOT_HELD = {
    "alerts.value",  # masked
    "guard_collapses.value",  # a range or a country
    "installation.value",
    "messages.from_number",  # ours
    "refusals.masked_number",
    "senders.number",  # ours
}


def test_all_data_about_a_number_is_exported(run: Run, factory: Factory) -> None:
    """Break: leave out the pseudonym, or the events."""
    tenant = factory.tenant(factory.organization())
    recent = write_message(factory.database, tenant, factory.now - timedelta(days=1))
    old = write_message(factory.database, tenant, factory.now - timedelta(days=200))
    run("destinations", "rule", "add", "number", US_NUMBER, "blocked", "--reason", "asked")
    run("purge")  # the old message's number becomes a pseudonym
    held = json.loads(run("export", "--number", US_NUMBER).stdout)
    assert {row["id"] for row in held["messages"]} == {str(recent), str(old)}
    numbers = {row["id"]: row["to_number"] for row in held["messages"]}
    assert numbers[str(recent)] == US_NUMBER
    assert numbers[str(old)].startswith("~")
    assert [row["value"] for row in held["destination_rules"]] == [US_NUMBER]
    assert [rule["reason"] for row in held["rules_in_history"] for rule in row["rules"]] == [
        "asked"
    ]
    nobody = json.loads(run("export", "--number", OTHER).stdout)
    assert {name: rows for name, rows in nobody.items() if isinstance(rows, list) and rows} == {}
    audits = factory.rows(audit_events, action="privacy.exported")
    assert {row["reason"] for row in audits} == {
        "a number, in 2 messages",
        "a number, in 0 messages",
    }


@pytest.mark.one_engine
def test_every_column_that_may_hold_a_number_is_known() -> None:
    """A column that this names belongs into `HOLDS_NUMBER`, or into the list above with a reason."""
    suspected = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, String | Text)
        and ("number" in column.name or column.name.endswith("value"))
    }
    known = {f"{table.name}.{name}" for table, names in HOLDS_NUMBER.items() for name in names}
    assert suspected - known - _NOT_HELD == set()
    assert known - suspected == set()


@pytest.mark.one_engine
def test_events_that_quote_the_number_are_exported(run: Run, factory: Factory) -> None:
    tenant = factory.tenant(factory.organization())
    write_message(factory.database, tenant, factory.now)
    run("destinations", "rule", "add", "number", US_NUMBER, "blocked")
    with factory.database.writing() as connection:
        payload = json.dumps({"to": US_NUMBER})
        connection.execute(update(webhook_events).values(payload=payload, to_number=None))
    held = json.loads(run("export", "--number", US_NUMBER).stdout)
    assert len(held["webhook_events"]) == len(factory.rows(webhook_events))
    assert len(held["messages"]) == len(factory.rows(messages))


@pytest.mark.one_engine
def test_another_spelling_is_wrong_usage(run: Run) -> None:
    result = run("export", "--number", "+112025550123")
    assert result.exit_code == 64
    assert "+12025550123" in result.stderr
