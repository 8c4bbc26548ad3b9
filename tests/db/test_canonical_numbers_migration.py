"""What is stored in another form is brought into the canonical one, with a report."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, insert, select

from app.access.tables import audit_events, organizations, workspaces
from app.db.engine import Database
from app.db.schema import upgrade
from app.destinations.policy.state import restored
from app.destinations.storage.policies import state_of_revision
from app.destinations.tables import destination_policies, destination_revisions, destination_rules
from app.use_cases.tables import opt_outs, senders, use_cases

BEFORE = "0012"
AT = datetime(2026, 1, 1, tzinfo=UTC)
ODD, CANONICAL, OTHER = "+4407400123456", "+447400123456", "+447400123411"
ORGANIZATION, WORKSPACE, USE_CASE = (uuid.uuid4() for _ in range(3))


@pytest.fixture
def old(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database as the release before had it, with one use case."""
    if engine_name == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        url = request.getfixturevalue("empty_postgres_url")
    database = Database(url, pool_size=2)
    upgrade(database, BEFORE)
    times = {"created_at": AT, "updated_at": AT}
    write(database, organizations, id=ORGANIZATION, name="Acme", denied_destinations=[], **times)
    write(
        database,
        workspaces,
        id=WORKSPACE,
        organization_id=ORGANIZATION,
        name="Retail",
        home_country="GB",
        inherits_destinations=False,
        body_retention_days=7,
        number_retention_days=90,
        **times,
    )
    write(
        database,
        use_cases,
        id=USE_CASE,
        workspace_id=WORKSPACE,
        name="codes",
        messaging_service_sid="MG" + "0" * 32,
        active=True,
        **times,
    )
    write(
        database,
        destination_policies,
        workspace_id=WORKSPACE,
        revision=7,
        destinations={"GB": "allowed"},
        **times,
    )
    yield database
    database.close()


def write(database: Database, table: Table, **values: Any) -> None:
    with database.writing() as connection:
        connection.execute(insert(table).values(**values))


def rows(database: Database, table: Table, *names: str) -> set[tuple[Any, ...]]:
    with database.reading() as connection:
        return {tuple(row) for row in connection.execute(select(*(table.c[n] for n in names)))}


def opt_out(database: Database, number: str, source: str, use_case_id: Any = None) -> None:
    write(
        database,
        opt_outs,
        id=uuid.uuid4(),
        workspace_id=WORKSPACE,
        use_case_id=use_case_id,
        to_number=number,
        source=source,
        created_at=AT,
    )


def rule(database: Database, kind: str, value: str, action: str, **values: Any) -> uuid.UUID:
    rule_id = uuid.uuid4()
    given = {"reason": None, "expires_at": None, "created_at": AT} | values
    write(
        database,
        destination_rules,
        id=rule_id,
        workspace_id=WORKSPACE,
        kind=kind,
        value=value,
        action=action,
        **given,
    )
    return rule_id


def test_opt_outs_are_united_and_an_owners_entry_outlives_a_keyword(old: Database) -> None:
    """Break `_LIFTED_BY_START` or the deletion of the others in the migration."""
    opt_out(old, ODD, "api")
    opt_out(old, CANONICAL, "keyword")
    opt_out(old, ODD, "provider", USE_CASE)
    opt_out(old, OTHER, "api")
    opt_out(old, "+112025550123", "keyword")
    opt_out(old, "+1112025550123", "keyword")
    opt_out(old, "+999123456", "api")
    report = upgrade(old)
    assert rows(old, opt_outs, "to_number", "use_case_id", "source") == {
        (CANONICAL, None, "api"),
        (CANONICAL, USE_CASE, "provider"),
        (OTHER, None, "api"),
        ("+12025550123", None, "keyword"),
        ("+999123456", None, "api"),
    }
    assert report == ["opt-outs: 3 brought into canonical form, 2 merged with another"]
    assert upgrade(old) == []


def test_blocked_wins_where_two_rules_become_one(old: Database) -> None:
    """Break the rank of rules in the migration (compare for `allowed`)."""
    over = datetime.now(UTC) - timedelta(days=1)
    rule(old, "number", ODD, "blocked", reason="fraud")
    rule(old, "number", CANONICAL, "allowed")
    rule(old, "number", "+4407400123411", "blocked", expires_at=over)
    rule(old, "number", OTHER, "allowed")
    rule(old, "prefix", "+44075", "blocked")
    rule(old, "prefix", "+447", "allowed")
    rule(old, "country", "FR", "allowed")
    report = upgrade(old)
    after = {
        ("number", CANONICAL, "blocked", "fraud"),
        ("number", OTHER, "allowed", None),
        ("prefix", "+4475", "blocked", None),
        ("prefix", "+447", "allowed", None),
        ("country", "FR", "allowed", None),
    }
    assert rows(old, destination_rules, "kind", "value", "action", "reason") == after
    assert report == [
        f"workspace {WORKSPACE}: rules: 3 brought into canonical form, 2 merged with another"
    ]
    assert rows(old, destination_policies, "revision") == {(8,)}
    with old.reading() as connection:
        (revision,) = connection.execute(select(destination_revisions)).all()
        (event,) = connection.execute(select(audit_events)).all()
    assert (revision.revision, revision.from_revision) == (8, 7)
    kept = {(r["kind"], r["value"], r["action"], r["reason"]) for r in revision.rules}
    assert kept == after
    assert (event.action, event.target) == ("destinations.numbers_made_canonical", "8")


def test_prefix_without_a_canonical_form_is_kept_and_reported(old: Database) -> None:
    rule_id = rule(old, "prefix", "+44", "blocked")
    unclear = rule(old, "prefix", "+440", "blocked")
    whole = rule(old, "prefix", "+12025550123456", "blocked")
    report = upgrade(old)
    assert rows(old, destination_rules, "id", "value") == {
        (rule_id, "+44"),
        (unclear, "+440"),
        (whole, "+12025550123456"),
    }
    assert len(report) == 2
    assert all(str(one) in "".join(report) for one in (unclear, whole))
    assert "+12025550" not in "".join(report)
    assert rows(old, destination_policies, "revision") == {(7,)}


def test_senders_of_one_number_become_one(old: Database) -> None:
    for number, kind in ((ODD, "long_code"), (CANONICAL, "long_code"), ("0740012", "short_code")):
        write(
            old,
            senders,
            id=uuid.uuid4(),
            use_case_id=USE_CASE,
            number=number,
            type=kind,
            country=None,
            created_at=AT,
        )
    report = upgrade(old)
    assert rows(old, senders, "number", "type", "country") == {
        (CANONICAL, "long_code", "GB"),
        ("0740012", "short_code", None),
    }
    assert report == ["senders: 1 brought into canonical form, 1 merged with another"]


def test_messages_are_found_by_the_canonical_number(old: Database) -> None:
    with old.writing() as connection:
        for number in (ODD, ODD, CANONICAL, "~0123456789abcde"):
            message_id = uuid.uuid4()
            ids = [message_id, WORKSPACE, USE_CASE]
            if connection.dialect.name == "sqlite":
                shown = [one.hex for one in ids]
            else:
                shown = [str(one) for one in ids]
            at = "2026-01-01T00:00:00.000Z"
            connection.exec_driver_sql(
                "INSERT INTO messages (id, workspace_id, use_case_id, account_sid, submission,"
                " to_number, counted_segments, status, created_at, updated_at) VALUES"
                f" ('{shown[0]}', '{shown[1]}', '{shown[2]}', 'AC', 'accepted', '{number}', 1,"
                f" 'sent', '{at}', '{at}')"
            )
    report = upgrade(old)
    with old.reading() as connection:
        found = connection.exec_driver_sql("SELECT to_number FROM messages ORDER BY 1").scalars()
        assert list(found) == [CANONICAL] * 3 + ["~0123456789abcde"]
    assert report == ["messages: 2 brought into canonical form, 0 merged with another"]


def test_restored_revision_is_brought_into_canonical_form(old: Database) -> None:
    """Break `restore` (keep the rules of the snapshot)."""
    entry = {"reason": None, "expires_at": None, "created_at": "2026-01-01T00:00:00.000Z"}
    stored = [
        {"id": str(uuid.uuid4()), "kind": kind, "value": value, "action": action} | entry
        for kind, value, action in (
            ("number", CANONICAL, "allowed"),
            ("number", ODD, "blocked"),
            ("prefix", "+44075", "blocked"),
            ("prefix", "+440", "blocked"),
        )
    ]
    write(
        old,
        destination_revisions,
        id=uuid.uuid4(),
        workspace_id=WORKSPACE,
        revision=7,
        at=AT,
        actor_kind="system",
        actor_name="test",
        action="imported",
        inherits=False,
        destinations={},
        rules=stored,
        changes=[],
    )
    upgrade(old)
    with old.reading() as connection:
        snapshot = state_of_revision(connection.execute(select(destination_revisions)).one())
    after = restored(snapshot, AT)
    assert [(r.kind, r.value, r.action) for r in after.rules] == [
        ("number", CANONICAL, "blocked"),
        ("prefix", "+4475", "blocked"),
        ("prefix", "+440", "blocked"),
    ]
