"""Applying makes the database match the file, whole or not at all, and the second time nothing."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from app.access.audit import AuditedChange
from app.access.principal import Role, hash_token
from app.access.store import load_key
from app.access.tables import workspaces
from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.errors import ServiceUnavailable
from app.provisioning import apply as planning
from app.provisioning.apply import plan
from app.provisioning.file import FileRefused, parse_text
from support.provisioning import Apply, File, Rows
from support.threads import together

pytestmark = pytest.mark.one_engine

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER = datetime(2030, 1, 2, tzinfo=UTC)
TOKEN = "0123456789abcdef0123456789abcdef"
ENVIRON = {"RETAIL_TOKEN": TOKEN}
SID = "AC" + "a" * 32


def retail(**fields: Any) -> dict[str, Any]:
    return {"organization": {"name": "Acme"}, "workspaces": [{"name": "Retail"} | fields]}


def test_everything_in_the_file_is_stored(file: File, applied: Apply, rows: Rows) -> None:
    applied(file)
    found = rows()
    (organization,) = found["organizations"]
    assert str(organization["id"]) == file["organization"]["id"]
    assert organization["denied_destinations"] == ["KP"]
    by_name = {row["name"]: row for row in found["workspaces"]}
    workspace, outlet = by_name["Retail"], by_name["Outlet"]
    assert (workspace["home_country"], workspace["parent_id"]) == ("US", None)
    assert (workspace["body_retention_days"], workspace["number_retention_days"]) == (3, 30)
    assert (workspace["account_sid"], workspace["inherits_destinations"]) == (SID, False)
    (use_case,) = found["use_cases"]
    assert use_case["workspace_id"] == workspace["id"]
    assert (use_case["brand_sid"], use_case["brand_status"]) == ("BN" + "a" * 32, "APPROVED")
    assert (use_case["campaign_sid"], use_case["campaign_status"]) == ("QE" + "a" * 32, "VERIFIED")
    assert (use_case["active"], use_case["allowed_destinations"]) == (True, ["CA", "US"])
    assert use_case["on_unconfirmed"] == "resend"
    senders = {row["number"]: (row["type"], row["country"]) for row in found["senders"]}
    assert senders == {"+12025550100": ("long_code", "US"), "ACME": ("alphanumeric", None)}
    assert (outlet["parent_id"], outlet["account_sid"]) == (workspace["id"], None)


def test_omitted_settings_have_their_defaults(file: File, applied: Apply, rows: Rows) -> None:
    use_case = {"name": "alerts", "messaging_service_sid": "MG" + "b" * 32}
    bare = {"name": "Bare", "home_country": "GB", "use_cases": [use_case]}
    applied({"organization": {"name": "New"}, "workspaces": [bare]})
    found = rows()
    (workspace,) = found["workspaces"]
    assert (workspace["body_retention_days"], workspace["number_retention_days"]) == (7, 90)
    assert found["organizations"][0]["denied_destinations"] == []
    assert found["use_cases"][0]["active"] is True
    assert found["use_cases"][0]["allowed_destinations"] is None
    assert found["use_cases"][0]["on_unconfirmed"] == "wait"
    assert [(row["destinations"], row["revision"]) for row in found["destination_policies"]] == [
        ({"GB": "allowed"}, 1)
    ]


def test_a_new_workspace_with_a_parent_inherits_and_has_no_policy(
    file: File, applied: Apply, rows: Rows
) -> None:
    applied(file)
    outlet = next(row for row in rows("workspaces") if row["name"] == "Outlet")
    assert outlet["inherits_destinations"] is True
    assert [row["workspace_id"] for row in rows("destination_policies")] != [outlet["id"]]
    assert len(rows("destination_policies")) == 1


def test_a_parent_may_come_later_in_the_file(file: File, applied: Apply, rows: Rows) -> None:
    file["workspaces"].reverse()
    applied(file)
    by_name = {row["name"]: row for row in rows("workspaces")}
    assert by_name["Outlet"]["parent_id"] == by_name["Retail"]["id"]


def test_a_second_apply_writes_nothing(file: File, applied: Apply, rows: Rows) -> None:
    applied(file)
    before = rows()
    again = applied(file, at=LATER)
    assert again.changes == ()
    assert rows() == before
    assert all(key["token"] is None for key in again.document["workspaces"][0]["access_keys"])


def test_another_case_of_a_sid_changes_nothing(file: File, applied: Apply, rows: Rows) -> None:
    """Breaks when a SID is kept as it was given: let `canonical_sid` return its text."""
    applied(file)
    before = rows()
    workspace = file["workspaces"][0]
    use_case = workspace["use_cases"][0]
    for place, name in (
        (workspace["twilio"], "account_sid"),
        (use_case, "messaging_service_sid"),
        (use_case["brand"], "sid"),
        (use_case["campaign"], "sid"),
    ):
        place[name] = place[name].upper()
    assert applied(file, at=LATER).changes == ()
    assert rows() == before


def test_the_result_has_ids_and_the_new_tokens(
    file: File, applied: Apply, database: Database
) -> None:
    result = applied(file).document
    (platform,) = result["organization"].pop("access_keys")
    (backend,) = result["workspaces"][0].pop("access_keys")
    retail, outlet = file["workspaces"][0], {"id": result["workspaces"][1]["id"], "name": "Outlet"}
    use_case = {"id": retail["use_cases"][0]["id"], "name": "one-time passwords"}
    assert result == {
        "organization": {"id": file["organization"]["id"], "name": "Acme"},
        "workspaces": [
            {"id": retail["id"], "name": "Retail", "use_cases": [use_case]},
            outlet | {"access_keys": [], "use_cases": []},
        ],
    }
    with database.reading() as connection:
        owner = load_key(connection, hash_token(platform["token"]))
        sender = load_key(connection, hash_token(backend["token"]))
    assert owner is not None
    assert sender is not None
    assert (owner.principal.role, owner.principal.workspace_id) == (Role.OWNER, None)
    assert sender.principal.role is Role.SENDER
    assert str(sender.principal.workspace_id) == file["workspaces"][0]["id"]
    assert sender.expires_at == datetime(2031, 1, 1, tzinfo=UTC)


def test_no_secret_is_stored_as_it_is(
    file: File, applied: Apply, rows: Rows, cipher: Cipher
) -> None:
    file["workspaces"][0]["twilio"]["next_auth_token"] = "the-next-token"
    result = applied(file)
    stored = json.dumps(rows(), default=str)
    scopes = (result.document["organization"], *result.document["workspaces"])
    tokens = [key["token"] for scope in scopes for key in scope["access_keys"]]
    assert tokens
    for secret in (TOKEN, "the-next-token", *tokens):
        assert secret not in stored
        assert secret not in repr(result)
    (account,) = rows("provider_accounts")
    assert cipher.decrypt(SID, account["auth_token"]) == TOKEN
    assert cipher.decrypt(SID, account["next_auth_token"]) == "the-next-token"


def test_a_problem_in_the_last_workspace_prevents_all_changes(
    file: File, applied: Apply, rows: Rows
) -> None:
    empty = rows()
    file["workspaces"][-1]["home_country"] = "XX"
    with pytest.raises(FileRefused):
        applied(file)
    assert rows() == empty


@pytest.mark.both_engines
def test_a_failure_in_the_middle_changes_nothing(
    file: File, applied: Apply, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = rows()
    written = []

    def fail(change: AuditedChange, *_: Any) -> None:
        written.append(change.connection.exec_driver_sql("SELECT count(*) FROM use_cases").scalar())
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(planning, "issue_key", fail)
    with pytest.raises(RuntimeError):
        applied(file)
    assert written == [1]
    assert rows() == empty


def test_omitted_settings_are_not_changed(file: File, applied: Apply, rows: Rows) -> None:
    applied(file)
    before = rows()
    names_only = retail(use_cases=[{"name": "one-time passwords"}])
    assert applied({"organization": {"name": "Acme"}}, at=LATER).changes == ()
    assert applied(names_only, at=LATER).changes == ()
    assert rows() == before


def test_only_differences_are_written(file: File, applied: Apply, rows: Rows) -> None:
    applied(file)
    before = rows()
    applied(retail(body_retention_days=5), at=LATER)
    after = rows()
    changed = {row["id"]: row for row in after.pop("workspaces")}
    unchanged = {row["id"]: row for row in before.pop("workspaces")}
    known = before.pop("audit_events")
    (audit_event,) = [row for row in after.pop("audit_events") if row not in known]
    assert (audit_event["action"], audit_event["reason"]) == (
        "workspace.changed",
        "body_retention_days",
    )
    assert after == before
    for row_id, row in changed.items():
        expected = (
            {"body_retention_days": 5, "updated_at": LATER} if row["name"] == "Retail" else {}
        )
        assert row == unchanged[row_id] | expected


def test_a_changed_map_raises_the_revision_by_one(file: File, applied: Apply, rows: Rows) -> None:
    applied(file)
    assert [row["revision"] for row in rows("destination_policies")] == [1]
    applied(retail(destinations={"US": "allowed"}), at=LATER)
    applied(retail(destinations={"US": "allowed"}), at=LATER)
    (policy,) = rows("destination_policies")
    assert (policy["revision"], policy["destinations"]) == (2, {"US": "allowed"})
    assert (policy["created_at"], policy["updated_at"]) == (NOW, LATER)


def test_destinations_of_its_own_end_the_inheritance(
    file: File, applied: Apply, rows: Rows
) -> None:
    applied(file)
    del file["workspaces"][1]["parent"]
    file["workspaces"][1]["destinations"] = {"CA": "allowed"}
    applied(file)
    outlet = next(row for row in rows("workspaces") if row["name"] == "Outlet")
    policies = {row["workspace_id"]: row for row in rows("destination_policies")}
    assert outlet["inherits_destinations"] is False
    assert outlet["parent_id"] is not None
    assert policies[outlet["id"]]["revision"] == 2
    assert policies[outlet["id"]]["destinations"] == {"CA": "allowed"}


@pytest.mark.both_engines
def test_a_map_that_rests_counts_its_revisions_on(
    file: File, applied: Apply, rows: Rows, database: Database
) -> None:
    applied(file)
    by_name = workspaces.c.name == "Retail"
    with database.writing() as connection:
        connection.execute(update(workspaces).where(by_name).values(inherits_destinations=True))
    result = applied(retail(destinations=file["workspaces"][0]["destinations"]))
    assert len(result.changes) == 4
    (policy,) = rows("destination_policies")
    assert policy["revision"] == 2
    assert not any(r["inherits_destinations"] for r in rows("workspaces") if r["name"] == "Retail")


@pytest.mark.both_engines
def test_a_list_of_senders_replaces_the_pool(file: File, applied: Apply, rows: Rows) -> None:
    applied(file)
    first = {row["number"]: row for row in rows("senders")}
    pool = [
        {"number": "+12025550100", "type": "toll_free"},
        {"number": "+447911123456", "type": "long_code"},
        {"number": "12345", "type": "short_code"},
    ]
    applied(retail(use_cases=[{"name": "one-time passwords", "senders": pool}]), at=LATER)
    second = {row["number"]: row for row in rows("senders")}
    assert second["+12025550100"] == first["+12025550100"] | {"type": "toll_free"}
    assert (second["+447911123456"]["country"], second["12345"]["country"]) == ("GG", None)
    assert len(second) == 3
    applied(retail(use_cases=[{"name": "one-time passwords", "senders": []}]))
    assert rows("senders") == []


def test_a_deleted_use_case_keeps_its_row(file: File, applied: Apply, rows: Rows) -> None:
    applied(file)
    gone = retail(use_cases=[{"name": "one-time passwords", "deleted": True}])
    result = applied(gone, at=LATER)
    (row,) = rows("use_cases")
    assert row["deleted_at"] == LATER
    assert len(rows("senders")) == 2
    assert result.document["workspaces"][0]["use_cases"] == []
    assert applied(gone).changes == ()


def test_the_name_of_a_deleted_use_case_is_free(file: File, applied: Apply, rows: Rows) -> None:
    applied(file)
    old = file["workspaces"][0]["use_cases"][0]
    new = {"name": old["name"], "messaging_service_sid": "MG" + "b" * 32}
    applied(retail(use_cases=[{"id": old["id"], "deleted": True}, new]))
    live = [row for row in rows("use_cases") if row["deleted_at"] is None]
    assert [(row["name"], row["messaging_service_sid"]) for row in live] == [
        (old["name"], "MG" + "b" * 32)
    ]


def test_a_token_is_rotated_by_way_of_the_next_one(
    file: File, applied: Apply, rows: Rows, cipher: Cipher
) -> None:
    def tokens() -> tuple[str, str | None]:
        (row,) = rows("provider_accounts")
        following = row["next_auth_token"]
        return cipher.decrypt(SID, row["auth_token"]), following and cipher.decrypt(SID, following)

    applied(file)
    twilio = file["workspaces"][0]["twilio"]
    twilio["next_auth_token"] = "env:NEXT"
    applied(file, NEXT="new-token")
    assert tokens() == (TOKEN, "new-token")
    twilio |= {"auth_token": "env:NEXT", "next_auth_token": ""}
    applied(file, NEXT="new-token")
    assert tokens() == ("new-token", None)
    assert applied(file, NEXT="new-token").changes == ()


@pytest.mark.both_engines
def test_an_undecryptable_token_is_encrypted_again(
    file: File, applied: Apply, rows: Rows, cipher: Cipher, database: Database
) -> None:
    file["workspaces"][0]["twilio"]["next_auth_token"] = "next"
    applied(file)
    with database.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE provider_accounts SET auth_token = 'lost', next_auth_token = 'lost'"
        )
    assert applied(retail(twilio={"account_sid": SID})).changes == ()
    file["workspaces"][0]["twilio"]["next_auth_token"] = ""
    assert len(applied(file).changes) == 2
    (account,) = rows("provider_accounts")
    assert cipher.decrypt(SID, account["auth_token"]) == TOKEN
    assert account["next_auth_token"] is None


@pytest.mark.both_engines
def test_an_empty_text_takes_away(file: File, applied: Apply, rows: Rows) -> None:
    applied(file)
    bare = {"name": "one-time passwords", "brand": {"sid": ""}, "campaign": {"sid": ""}}
    applied(retail(twilio={"account_sid": ""}, use_cases=[bare]))
    (use_case,) = rows("use_cases")
    assert (use_case["brand_sid"], use_case["brand_status"]) == (None, None)
    assert (use_case["campaign_sid"], use_case["campaign_status"]) == (None, None)
    retail_row = next(row for row in rows("workspaces") if row["name"] == "Retail")
    assert retail_row["account_sid"] is None


@pytest.mark.both_engines
def test_a_status_does_not_move_to_another_registration(
    file: File, applied: Apply, rows: Rows
) -> None:
    applied(file)
    same = {"name": "one-time passwords", "campaign": {"sid": "QE" + "a" * 32}}
    applied(retail(use_cases=[same]))
    assert rows("use_cases")[0]["campaign_status"] == "VERIFIED"
    applied(retail(use_cases=[same | {"campaign": {"sid": "CM" + "b" * 32}}]))
    assert rows("use_cases")[0]["campaign_status"] is None


@pytest.mark.both_engines
def test_the_restriction_of_a_use_case_is_lifted_by_a_word(
    file: File, applied: Apply, rows: Rows, database: Database
) -> None:
    applied(file)
    applied(retail(use_cases=[{"name": "one-time passwords", "allowed_destinations": "any"}]))
    with database.reading() as connection:
        query = "SELECT count(*) FROM use_cases WHERE allowed_destinations IS NULL"
        assert connection.exec_driver_sql(query).scalar() == 1
    applied(retail(use_cases=[{"name": "one-time passwords", "allowed_destinations": []}]))
    assert rows("use_cases")[0]["allowed_destinations"] == []


@pytest.mark.both_engines
def test_two_concurrent_applies_create_one_organization(
    file: File, applied: Apply, rows: Rows
) -> None:
    del file["organization"]["id"]

    def run() -> str:
        try:
            return "changed" if applied(file).changes else "found"
        except ServiceUnavailable:
            return "refused"

    ends = together([run] * 4)
    assert ends.count("changed") == 1
    assert len(ends) == 4
    assert len(rows("organizations")) == 1
    assert len(rows("workspaces")) == 2
    assert len(rows("access_keys")) == 2


def test_a_plan_lists_all_changes_and_makes_none(
    file: File, database: Database, cipher: Cipher, rows: Rows, applied: Apply
) -> None:
    empty = rows()
    changes = plan(database, cipher, file, environ=ENVIRON, now=NOW)
    assert rows() == empty
    assert applied(file).changes == changes
    assert plan(database, cipher, file, environ=ENVIRON, now=NOW) == ()


def test_a_time_of_toml_is_the_time_of_its_text(file: File, applied: Apply) -> None:
    applied(file)
    moment = parse_text(b"at = 2031-01-01T01:00:00+01:00")["at"]
    file["workspaces"][0]["access_keys"][0]["expires_at"] = moment
    assert applied(file).changes == ()
