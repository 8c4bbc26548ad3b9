"""Every change that changes something is a revision: who, when, why, from which, and what."""

from dataclasses import replace

import pytest

from app.access.principal import Role
from app.access.tables import access_keys
from app.destinations.tables import destination_revisions
from support.destinations import CHANGES, FAR, PolicyClient, prepared, revision_of
from support.tables import unchanged
from support.time import ManualClock

pytestmark = pytest.mark.one_engine

KEYS = {
    *("revision", "from_revision", "at", "actor", "action", "reason", "changes"),
    *("inherit", "destinations", "rules", "rule_changes", "restored_revision"),
}
ACTIONS = {
    "put": "replaced",
    "allow": "allowed",
    "allow until": "allowed_until",
    "block": "blocked",
    "add a rule": "rule_added",
    "drop a rule": "rule_removed",
    "inherit": "inheritance_on",
    "restore": "restored",
}


def test_a_change_that_changes_nothing_is_no_revision(policy: PolicyClient) -> None:
    policy.put({"US": "allowed", "BR": "blocked"})
    policy.add_rule("prefix", "+1", "blocked")
    with unchanged(policy.factory.database):
        for answer in (
            policy.put({"BR": "blocked", "US": "allowed"}),
            policy.allow("US", "US"),
            policy.block("BR"),
            policy.allow(),
            policy.inherit(False),
            policy.restore(3),
        ):
            assert (answer.status_code, revision_of(answer)) == (200, 3)


def test_every_change_is_one_complete_revision(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    (key,) = [
        row
        for row in timed_policy.factory.rows(access_keys)
        if row["workspace_id"] == timed_policy.tenant.workspace_id and row["role"] == Role.ADMIN
    ]
    timed_policy.put({"CA": "allowed", "BR": "blocked"}, X_Change_Reason="the new contract")
    clock.advance(1.5)
    timed_policy.block("CA", "BR", "FR")
    one, other = timed_policy.history()
    assert set(one) == set(other) == KEYS
    assert other == {
        "revision": 2,
        "from_revision": 1,
        "restored_revision": None,
        "at": "2026-01-31T12:00:00.000Z",
        "actor": {"kind": "access_key", "id": str(key["id"]), "name": "admin key"},
        "action": "replaced",
        "reason": "the new contract",
        "changes": [
            {"country": "BR", "from": None, "to": "blocked"},
            {"country": "CA", "from": None, "to": "allowed"},
            {"country": "US", "from": "allowed", "to": None},
        ],
        "inherit": False,
        "destinations": {"CA": "allowed", "BR": "blocked"},
        "rules": [],
        "rule_changes": {"added": [], "removed": []},
    }
    assert (one["revision"], one["from_revision"], one["reason"]) == (3, 2, None)
    assert (one["action"], one["at"]) == ("blocked", "2026-01-31T12:00:01.500Z")
    assert one["changes"] == [
        {"country": "CA", "from": "allowed", "to": "blocked"},
        {"country": "FR", "from": None, "to": "blocked"},
    ]


@pytest.mark.parametrize("name", CHANGES)
def test_every_kind_of_change_has_its_name_its_reason_and_its_revision(
    policy: PolicyClient, name: str
) -> None:
    found = prepared(policy)
    assert CHANGES[name](found, X_Change_Reason="because").status_code < 300
    newest = found.history()[0]
    assert (newest["action"], newest["reason"]) == (ACTIONS[name], "because")
    assert (newest["revision"], newest["from_revision"]) == (4, 3)
    assert newest["inherit"] == (name == "inherit")


@pytest.mark.both_engines
def test_a_live_country_rule_shows_in_the_changes_and_the_snapshot_holds_the_rules(
    policy: PolicyClient,
) -> None:
    policy.allow_until(FAR, "CA", X_Change_Reason="the fair")
    policy.add_rule("number", "+12025550123", "blocked")
    newest, older = policy.history()
    assert older["changes"] == [{"country": "CA", "from": None, "to": "allowed"}]
    assert older["destinations"] == {"US": "allowed"}
    (rule,) = older["rules"]
    assert (rule["kind"], rule["value"], rule["reason"]) == ("country", "CA", "the fair")
    assert rule["expires_at"] == FAR
    assert newest["changes"] == []
    assert newest["rules"] == policy.get("/rules")["items"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("fraud at +232", "fraud at +232"),
        ("  ждём ответа от 运营商 🛑  ", "ждём ответа от 运营商 🛑"),
        ("", None),
        ("   ", None),
        ("x" * 500, "x" * 500),
        ("ж" * 500, "ж" * 500),
    ],
)
def test_a_reason_is_kept_as_it_was_written(
    policy: PolicyClient, given: str, kept: str | None
) -> None:
    policy.allow("CA", X_Change_Reason=given)
    assert policy.history()[0]["reason"] == kept


def test_a_reason_of_more_than_500_characters_is_refused(policy: PolicyClient) -> None:
    with unchanged(policy.factory.database):
        answer = policy.allow("CA", X_Change_Reason="ж" * 501)
        assert (answer.status_code, answer.json) == (
            400,
            {
                "code": "BadRequest",
                "message": "X-Change-Reason must have at most 500 characters.",
            },
        )


def test_a_reason_that_is_no_utf_8_is_kept_as_far_as_it_can_be_read(policy: PolicyClient) -> None:
    headers = {
        "Authorization": f"AccessKey {policy.tenant.keys[Role.ADMIN]}",
        "X-Change-Reason": "caf\xe9",
    }
    body = {"destinations": ["CA"]}
    assert (
        policy.gateway.client.post(policy.path + "/allow", json=body, headers=headers).status_code
        == 200
    )
    assert policy.history()[0]["reason"] == "caf\ufffd"


@pytest.mark.both_engines
def test_a_history_row_is_written_with_its_change_or_not_at_all(policy: PolicyClient) -> None:
    policy.allow("CA")
    before = policy.get()
    other = policy.a_colleague()
    with policy.factory.database.writing() as c:
        # Another revision 3 of this workspace is there already, so the row cannot be written.
        row = c.execute(
            destination_revisions.select().where(
                destination_revisions.c.workspace_id == policy.tenant.workspace_id
            )
        ).one()
        blocking = dict(row._mapping) | {"id": other.tenant.workspace_id, "revision": 3}
        c.execute(destination_revisions.insert().values(**blocking))
    with unchanged(policy.factory.database):
        assert policy.block("US").status_code == 500
    assert policy.get() == before


def test_organization_keys_are_named_in_the_history_too(policy: PolicyClient) -> None:
    keys = policy.factory.keys(policy.tenant.organization_id, None)
    policy.of(replace(policy.tenant, keys=keys)).allow("CA")
    (newest,) = policy.history()
    (key,) = [
        row
        for row in policy.factory.rows(access_keys)
        if row["organization_id"] == policy.tenant.organization_id
        and row["workspace_id"] is None
        and row["role"] == Role.ADMIN
    ]
    assert newest["actor"] == {"kind": "access_key", "id": str(key["id"]), "name": "admin key"}
