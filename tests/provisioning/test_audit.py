"""What the audit keeps of an apply: each thing that differed, once, and no secret."""

from typing import Any

import pytest

from app.access import audit
from app.db.engine import Database
from support.provisioning import File

pytestmark = pytest.mark.one_engine


def _audit_trail(rows: Any) -> list[tuple[str, str | None]]:
    return [(row["action"], row["reason"]) for row in rows("audit_events")]


def test_a_first_apply_notes_everything_that_it_makes(file: File, applied: Any, rows: Any) -> None:
    applied(file)
    assert sorted(_audit_trail(rows)) == [
        ("access_key.created", "backend (sender)"),
        ("access_key.created", "platform (owner)"),
        ("destinations.provisioned", None),
        ("organization.created", "Acme"),
        ("provider_account.created", "auth_token"),
        ("sender.added", "+12*******00"),
        ("sender.added", "ACME"),
        ("use_case.created", "one-time passwords"),
        ("workspace.created", "Outlet"),
        ("workspace.created", "Retail"),
    ]
    assert {row["actor_kind"] for row in rows("audit_events")} == {"provisioning"}
    workspaces = {row["id"]: row["name"] for row in rows("workspaces")}
    of = {row["action"]: workspaces.get(row["workspace_id"]) for row in rows("audit_events")}
    assert of["use_case.created"] == of["sender.added"] == "Retail"
    assert of["organization.created"] is None


def test_a_second_apply_is_not_audited_and_a_change_has_its_fields(
    file: File, applied: Any, rows: Any
) -> None:
    applied(file)
    known = len(_audit_trail(rows))
    applied(file)
    assert len(_audit_trail(rows)) == known
    retail = file["workspaces"][0]
    file["organization"]["name"] = "Acme Ltd"
    retail["body_retention_days"] = 9
    retail["twilio"]["next_auth_token"] = "a-secret-of-mine"
    retail["access_keys"][0]["role"] = "viewer"
    retail["use_cases"][0] |= {
        "name": "codes",
        "senders": [{"number": "ACME", "type": "alphanumeric"}],
    }
    applied(file)
    assert sorted(_audit_trail(rows)[known:]) == [
        ("access_key.changed", "role"),
        ("organization.changed", "name"),
        ("provider_account.changed", "next_auth_token"),
        ("sender.removed", "+12*******00"),
        ("use_case.changed", "name"),
        ("workspace.changed", "body_retention_days"),
    ]
    assert "a-secret-of-mine" not in str(rows("audit_events"))
    retail["use_cases"][0] = {"id": retail["use_cases"][0]["id"], "deleted": True}
    applied(file)
    assert _audit_trail(rows)[-1] == ("use_case.deleted", "codes")


def test_changes_that_cannot_be_audited_are_not_made(
    file: File, applied: Any, rows: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the audit cannot be written")

    before = rows()
    monkeypatch.setattr(audit, "new_id", fail)
    with pytest.raises(RuntimeError):
        applied(file)
    assert rows() == before
