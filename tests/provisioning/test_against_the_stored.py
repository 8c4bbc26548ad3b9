"""What a file says is compared with what is stored: by id, else by name; clashes are mistakes."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from app.access.keys import NewAccessKey, create_key
from app.access.principal import KeyLimits, Role, limits_from
from app.access.tables import access_keys
from app.provisioning.file import FileRefused
from app.use_cases.tables import use_cases
from support.provisioning import Apply, File

pytestmark = pytest.mark.one_engine

OTHER = "00000000-0000-4000-8000-000000000001"
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def refusal(applied: Apply, data: Any, **options: Any) -> list[str]:
    with pytest.raises(FileRefused) as refused:
        applied(data, **options)
    return [str(mistake) for mistake in refused.value.problems]


def other_organization(file: File) -> dict[str, Any]:
    return {"organization": {"name": "Other"}, "workspaces": file["workspaces"]}


def minimal(**workspace: Any) -> dict[str, Any]:
    return {"organization": {"name": "Acme"}, "workspaces": [workspace]}


def test_an_id_of_another_organization_is_refused(file: File, applied: Apply) -> None:
    applied(file)
    expected_text = refusal(applied, other_organization(file))
    assert "workspaces[0].id: Is the id of a workspace of another organization." in expected_text


def test_a_use_case_id_of_another_workspace_is_refused(file: File, applied: Apply) -> None:
    applied(file)
    moved = file["workspaces"][0]["use_cases"]
    assert refusal(applied, minimal(name="Outlet", use_cases=moved)) == [
        "workspaces[0].use_cases[0].id: Is the id of a use case of another workspace."
    ]


def test_use_cases_of_one_file_exchange_their_names(applied: Apply) -> None:
    """Break: change one after the other, without freeing a name that another takes."""
    sid = {"messaging_service_sid": "MG" + "a" * 32}
    retail = {"name": "Retail", "home_country": "US"}

    def names(*entries: dict[str, Any]) -> dict[str, str]:
        made = applied(minimal(**retail, use_cases=list(entries))).document["workspaces"][0]
        return {one["name"]: one["id"] for one in made["use_cases"]}

    first = names({"name": "a", **sid}, {"name": "b", **sid})
    swapped = names({"id": first["a"], "name": "b"}, {"id": first["b"], "name": "a"})
    assert swapped == {"a": first["b"], "b": first["a"]}
    handed_on = names({"name": "a", **sid}, {"id": first["b"], "name": "c"})
    assert (handed_on["c"], handed_on["a"] in first.values()) == (first["b"], False)
    twice = [{"id": first["a"], "name": "c"}, {"id": first["b"], "active": False}]
    assert refusal(applied, minimal(**retail, use_cases=twice)) == [
        "workspaces[0].use_cases[0].name: Is the name of another use case of this workspace."
    ]


def test_a_name_of_another_id_is_refused(file: File, applied: Apply) -> None:
    applied(file)
    organization = file["organization"]["id"]
    workspace, use_case = file["workspaces"][0]["id"], file["workspaces"][0]["use_cases"][0]["id"]
    file["workspaces"][0]["id"] = OTHER
    assert f"workspaces[0].name: Is the name of another workspace, whose id is {workspace}." in (
        refusal(applied, file)
    )
    file["workspaces"][0]["id"] = workspace
    file["workspaces"][0]["use_cases"][0]["id"] = OTHER
    assert refusal(applied, file) == [
        f"workspaces[0].use_cases[0].name: Is the name of another use case, whose id is {use_case}."
    ]
    file["organization"]["id"] = OTHER
    assert refusal(applied, file) == [
        f"organization.name: Is the name of another organization, whose id is {organization}."
    ]


def test_a_workspace_may_not_be_renamed_to_a_name_that_is_taken(file: File, applied: Apply) -> None:
    outlet = applied(file).document["workspaces"][1]["id"]
    file["workspaces"] = [{"id": file["workspaces"][0]["id"], "name": "Outlet"}]
    assert refusal(applied, file) == [
        f"workspaces[0].name: Is the name of another workspace, whose id is {outlet}."
    ]


def test_an_object_found_by_id_is_renamed(file: File, applied: Apply) -> None:
    first = applied(file).document
    file["organization"]["name"] = "Acme Inc"
    file["workspaces"][0]["name"] = "Shop"
    file["workspaces"][0]["use_cases"][0]["name"] = "codes"
    file["workspaces"][1]["parent"] = "Shop"
    second = applied(file).document
    assert second["organization"]["id"] == first["organization"]["id"]
    assert (second["organization"]["name"], second["workspaces"][0]["name"]) == ("Acme Inc", "Shop")
    assert second["workspaces"][0]["use_cases"] == [
        first["workspaces"][0]["use_cases"][0] | {"name": "codes"}
    ]


def test_without_ids_everything_is_found_by_name(file: File, applied: Apply) -> None:
    first = applied(file).document
    for part in (
        file["organization"],
        file["workspaces"][0],
        file["workspaces"][0]["use_cases"][0],
    ):
        del part["id"]
    second = applied(file)
    assert second.changes == ()
    assert second.document["workspaces"][0]["id"] == first["workspaces"][0]["id"]
    assert second.document["workspaces"][0]["use_cases"] == first["workspaces"][0]["use_cases"]


def test_a_parent_may_be_stored_already(file: File, applied: Apply, rows: Any) -> None:
    applied(file)
    applied(minimal(name="Third", home_country="GB", parent="Outlet"))
    fourth = minimal(name="Fourth", home_country="GB", parent=file["workspaces"][0]["id"])
    applied(fourth)
    ids = {row["name"]: row["id"] for row in rows("workspaces")}
    parents = {row["name"]: row["parent_id"] for row in rows("workspaces")}
    assert parents["Third"] == ids["Outlet"]
    assert parents["Fourth"] == ids["Retail"]


def test_a_loop_through_a_stored_workspace_is_refused(file: File, applied: Apply) -> None:
    applied(file)
    assert refusal(applied, minimal(name="Retail", parent="Outlet")) == [
        "workspaces[0].parent: Makes the workspace its own ancestor."
    ]


def test_a_parent_in_another_organization_does_not_exist(file: File, applied: Apply) -> None:
    applied(file)
    data = {
        "organization": {"name": "Other"},
        "workspaces": [{"name": "New", "home_country": "US", "parent": "Retail"}],
    }
    assert refusal(applied, data) == ["workspaces[0].parent: There is no such workspace."]


def test_an_inheriting_workspace_cannot_lose_its_parent_without_a_policy(
    file: File, applied: Apply, rows: Any
) -> None:
    applied(file)
    assert refusal(applied, minimal(name="Outlet", parent="")) == [
        "workspaces[0].parent: The workspace inherits its destinations: give it destinations of its own."
    ]
    applied(minimal(name="Outlet", parent="", destinations={"CA": "allowed"}))
    outlet = next(row for row in rows("workspaces") if row["name"] == "Outlet")
    assert (outlet["parent_id"], outlet["inherits_destinations"]) == (None, False)


def test_the_stored_floor_counts_where_the_file_leaves_it_out(file: File, applied: Apply) -> None:
    applied(file)
    assert refusal(applied, minimal(name="Retail", destinations={"KP": "allowed"})) == [
        "workspaces[0].destinations.KP: The organization denies this destination."
    ]


def test_a_known_account_needs_no_token(file: File, applied: Apply) -> None:
    applied(file)
    account = file["workspaces"][0]["twilio"]["account_sid"]
    assert applied(minimal(name="Outlet", twilio={"account_sid": account})).changes
    assert refusal(applied, minimal(name="Outlet", twilio={"account_sid": "AC" + "b" * 32})) == [
        "workspaces[0].twilio.auth_token: Is needed for an account that is new."
    ]


def test_an_account_of_another_organization_is_refused_by_name(
    file: File, applied: Apply, rows: Any
) -> None:
    """Fails without `refuse_foreign_accounts`, with or without the right token."""
    applied(file)
    account = {"account_sid": file["workspaces"][0]["twilio"]["account_sid"]}
    for twilio in (account, account | {"auth_token": "env:RETAIL_TOKEN"}):
        workspace = {"name": "New", "home_country": "US", "twilio": twilio}
        data = {"organization": {"name": "Other"}, "workspaces": [workspace]}
        (mistake,) = refusal(applied, data)
        assert mistake.startswith("workspaces[0].twilio.account_sid: ")
        assert "'Acme'" in mistake
    assert len(rows("organizations")) == 1


def test_an_account_that_no_workspace_of_the_file_uses_any_more_is_forgotten(
    file: File, applied: Apply, rows: Any
) -> None:
    applied(file)
    mistyped = file["workspaces"][0]["twilio"]["account_sid"]
    right = {"account_sid": "AC" + "b" * 32, "auth_token": "env:RETAIL_TOKEN"}
    applied(minimal(name="Retail", twilio=right))
    assert [row["sid"] for row in rows("provider_accounts")] == [right["account_sid"]]
    owner = {"name": "New", "home_country": "US"}
    owner["twilio"] = {"account_sid": mistyped, "auth_token": "env:RETAIL_TOKEN"}
    applied({"organization": {"name": "Other"}, "workspaces": [owner]})
    applied(minimal(name="Retail", twilio={"account_sid": ""}))
    assert [row["sid"] for row in rows("provider_accounts")] == [mistyped]
    forgotten = [r for r in rows("audit_events") if r["action"] == "provider_account.forgotten"]
    assert {row["target"] for row in forgotten} == {mistyped, right["account_sid"]}


def test_a_deleted_use_case_is_brought_back_only_on_purpose(
    file: File, applied: Apply, rows: Any
) -> None:
    applied(file)
    use_case = file["workspaces"][0]["use_cases"][0]
    use_case["deleted"] = True
    applied(file)
    del use_case["deleted"]
    assert refusal(applied, file) == [
        "workspaces[0].use_cases[0].id: Is the id of a deleted use case: say deleted = false to bring it back, or true."
    ]
    use_case["deleted"] = False
    assert [str(change) for change in applied(file).changes] == [
        "~ workspaces[0].use_cases[0].deleted: true -> false"
    ]
    assert [row["deleted_at"] for row in rows("use_cases")] == [None]


def test_two_stored_use_cases_of_one_name_need_the_id(
    file: File, applied: Apply, database: Any
) -> None:
    applied(file)
    use_case = file["workspaces"][0]["use_cases"][0]
    with database.writing() as connection:
        row = connection.execute(select(use_cases)).one()._asdict()
        connection.execute(insert(use_cases).values(row | {"id": uuid.UUID(OTHER)}))
    del use_case["id"]
    assert refusal(applied, file) == [
        "workspaces[0].use_cases[0].name: Several use cases have this name: give the id."
    ]
    use_case |= {"id": OTHER, "name": "another name"}
    applied(file)


def test_an_expired_key_is_recreated(file: File, applied: Apply, rows: Any) -> None:
    applied(file)
    file["workspaces"][0]["access_keys"] = [{"name": "backend", "role": "sender"}]
    again = applied(file, at=NOW.replace(year=2032)).document
    assert again["workspaces"][0]["access_keys"][0]["token"] is not None
    assert [row["name"] for row in rows("access_keys")].count("backend") == 2


def test_a_revoked_key_is_recreated(file: File, applied: Apply, database: Any) -> None:
    applied(file)
    with database.writing() as connection:
        connection.execute(update(access_keys).values(revoked_at=NOW))
    (platform,) = applied(file).document["organization"]["access_keys"]
    assert platform["token"] is not None


def test_the_role_and_end_of_a_live_key_follow_the_file(
    file: File, applied: Apply, rows: Any
) -> None:
    applied(file)
    key = {"name": "backend", "role": "viewer", "expires_at": "2031-06-01T00:00:00Z"}
    file["workspaces"][0]["access_keys"] = [key]
    assert [str(change) for change in applied(file).changes] == [
        "~ workspaces[0].access_keys[0].role: sender -> viewer",
        "~ workspaces[0].access_keys[0].expires_at: 2031-01-01T00:00:00.000Z -> 2031-06-01T00:00:00.000Z",
    ]
    file["workspaces"][0]["access_keys"] = [{"name": "backend", "role": "viewer"}]
    assert applied(file).changes == ()


def test_a_file_still_applies_after_the_end_of_its_key(
    file: File, applied: Apply, database: Any
) -> None:
    applied(file)
    end = datetime(2031, 1, 1, tzinfo=UTC)
    assert applied(file, at=end).changes == ()
    (key,) = file["workspaces"][0]["access_keys"]
    key["expires_at"] = "2030-12-31T00:00:00Z"
    with pytest.raises(FileRefused, match="Has passed already"):
        applied(file, at=end)
    key["expires_at"] = "2032-01-01T00:00:00Z"
    assert [str(one) for one in applied(file, at=end).changes] == [
        "+ workspaces[0].access_keys[0]: backend"
    ]


def test_an_expired_key_that_was_revoked_is_not_the_key_of_the_file(
    file: File, applied: Apply, database: Any
) -> None:
    applied(file)
    with database.writing() as connection:
        connection.execute(update(access_keys).values(revoked_at=NOW))
    with pytest.raises(FileRefused, match="Has passed already"):
        applied(file, at=datetime(2031, 1, 1, tzinfo=UTC))


def test_rate_and_limits_of_a_key_follow_the_file(file: File, applied: Apply, rows: Any) -> None:
    """Break: give what the file leaves out its default again."""
    key = {
        "name": "backend",
        "role": "sender",
        "rate": {"per_second": 5, "burst": 10},
        "use_cases": ["one-time passwords", "codes"],
        "countries": ["US"],
        "source_networks": ["203.0.113.0/24"],
    }
    file["workspaces"][0]["access_keys"] = [key]
    codes = {"name": "codes", "messaging_service_sid": "MG" + "b" * 32}
    file["workspaces"][0]["use_cases"].append(codes)
    applied(file)

    def stored() -> Any:
        (row,) = [row for row in rows()["access_keys"] if row["name"] == "backend"]
        return row["rate_per_second"], row["rate_burst"], limits_from(row["limits"])

    per_second, burst, limits = stored()
    assert (per_second, burst, limits.countries) == (5, 10, {"US"})
    assert len(limits.use_case_ids) == 2
    assert [str(one) for one in limits.source_networks] == ["203.0.113.0/24"]
    file["workspaces"][0]["access_keys"] = [{"name": "backend", "role": "sender"}]
    assert applied(file).changes == ()
    changed = {"rate": {"per_second": 7}, "countries": [], "source_networks": []}
    file["workspaces"][0]["access_keys"] = [{"name": "backend", "role": "sender"} | changed]
    assert [str(change).split(":")[0] for change in applied(file).changes] == [
        "~ workspaces[0].access_keys[0].rate.per_second",
        "~ workspaces[0].access_keys[0].rate.burst",
        "~ workspaces[0].access_keys[0].limits",
    ]
    assert stored() == (7, 14, KeyLimits(limits.use_case_ids))


def test_wrong_limits_of_a_key_are_named(file: File, applied: Apply) -> None:
    wrong = {
        "rate": {"per_second": 0, "burst": 1.5},
        "use_cases": ["one-time passwords", "nothing"],
        "countries": ["us"],
        "source_networks": ["somewhere"],
    }
    file["workspaces"][0]["access_keys"] = [{"name": "backend", "role": "sender"} | wrong]
    at = "workspaces[0].access_keys[0]"
    assert {problem.split(": ")[0] for problem in refusal(applied, file)} == {
        f"{at}.rate.per_second",
        f"{at}.rate.burst",
        f"{at}.use_cases[1]",
        f"{at}.countries[0]",
        f"{at}.source_networks[0]",
    }


def test_of_several_live_keys_with_a_name_one_must_be_as_written(
    file: File, applied: Apply, database: Any
) -> None:
    organization = uuid.UUID(applied(file).document["organization"]["id"])
    with database.writing() as connection:
        create_key(connection, organization, NewAccessKey("platform", Role.VIEWER), NOW)
    assert applied(file).changes == ()
    file["organization"]["access_keys"] = [{"name": "platform", "role": "admin"}]
    assert refusal(applied, file) == [
        "organization.access_keys[0].name: Several live keys have this name and none is as written here: revoke all but one."
    ]


def test_two_workspaces_may_swap_their_accounts(file: File, applied: Apply, rows: Any) -> None:
    """Break: let `change_workspace` forget an account before the next workspace takes it."""
    first, second = "AC" + "a" * 32, "AC" + "b" * 32
    file["workspaces"][1]["twilio"] = {"account_sid": second, "auth_token": "env:RETAIL_TOKEN"}
    applied(file)
    names = ({"name": "Retail"}, {"name": "Outlet"})
    swapped = [
        name | {"twilio": {"account_sid": sid}}
        for name, sid in zip(names, (second, first), strict=True)
    ]
    changes = applied({"organization": {"name": "Acme"}, "workspaces": swapped}).changes
    assert [str(change) for change in changes] == [
        f"~ workspaces[0].twilio.account_sid: {first} -> {second}",
        f"~ workspaces[1].twilio.account_sid: {second} -> {first}",
    ]
    assert {row["sid"] for row in rows("provider_accounts")} == {first, second}
