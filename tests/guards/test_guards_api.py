"""Reading and replacing the guards of a workspace over HTTP."""

import pytest

from app.access.principal import Role
from app.access.tables import audit_events
from app.guards.tables import guard_revisions
from app.kernel.ids import new_id
from app.use_cases.tables import use_cases
from support.guards import DEFAULTS, FLOORS, GuardDesk
from support.tables import unchanged

CHANGED = {"guards": {"number": {"mode": "monitor", "hour": 3}}, "use_cases": {}}


def test_a_workspace_that_never_set_any_has_the_defaults(policy_client: GuardDesk) -> None:
    answer = policy_client.as_role(Role.VIEWER).ask("GET", policy_client.path)
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"0"')
    assert answer.json == {
        "workspace_id": str(policy_client.tenant.workspace_id),
        "revision": 0,
        "updated_at": answer.json["updated_at"],
        "guards": DEFAULTS,
        "use_cases": {},
        "auto": FLOORS,
    }
    assert list(answer.json["guards"]) == list(DEFAULTS)


def test_a_change_answers_like_get_and_replaces_the_whole(policy_client: GuardDesk) -> None:
    own = {str(policy_client.tenant.use_case_id): {"number": {"hour": 3, "day": 10}, "country": {}}}
    answer = policy_client.put({"guards": {"prefix": {"day": 7}}, "use_cases": own})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    assert answer.json == policy_client.get()
    assert answer.json["guards"] == DEFAULTS | {"prefix": DEFAULTS["prefix"] | {"day": 7}}
    assert answer.json["use_cases"] == {
        str(policy_client.tenant.use_case_id): {
            "number": {"mode": "enforce", "hour": 3, "day": 10},
            "country": DEFAULTS["country"],
        }
    }
    answer = policy_client.put({})
    assert (answer.json["guards"], answer.json["use_cases"]) == (DEFAULTS, {})
    assert answer.json["revision"] == 2


def test_every_change_is_a_revision_with_its_reason_and_an_audit_row(
    policy_client: GuardDesk,
) -> None:
    policy_client.put(CHANGED, X_Change_Reason="a flood")
    policy_client.put({})
    of_workspace = [
        row
        for row in policy_client.factory.rows(guard_revisions)
        if row["workspace_id"] == policy_client.tenant.workspace_id
    ]
    one, other = sorted(of_workspace, key=lambda row: row["revision"])
    assert (one["revision"], one["from_revision"], one["reason"]) == (1, 0, "a flood")
    assert one["guards"]["number"] == {"mode": "monitor", "hour": 3, "day": 40}
    assert (one["actor_kind"], one["actor_name"]) == ("access_key", "admin key")
    assert (other["revision"], other["from_revision"], other["reason"]) == (2, 1, None)
    assert other["guards"] == DEFAULTS
    audited = [
        (row["action"], row["target"], row["reason"])
        for row in policy_client.factory.rows(audit_events)
        if row["workspace_id"] == policy_client.tenant.workspace_id
    ]
    assert audited == [("guards.changed", "1", "a flood"), ("guards.changed", "2", None)]


def test_an_equal_configuration_is_no_revision(policy_client: GuardDesk) -> None:
    with unchanged(policy_client.factory.database):
        assert policy_client.put({"guards": DEFAULTS}).json["revision"] == 0
    policy_client.put(CHANGED)
    with unchanged(policy_client.factory.database):
        assert policy_client.put(CHANGED).headers["ETag"] == '"1"'


def test_an_old_revision_is_refused(policy_client: GuardDesk) -> None:
    assert policy_client.put(CHANGED, If_Match='"0"').status_code == 200
    with unchanged(policy_client.factory.database):
        answer = policy_client.put({}, If_Match='"0"')
    assert (answer.status_code, answer.json) == (
        412,
        {
            "code": "RevisionMismatch",
            "message": "The guards were changed since the revision in If-Match.",
            "details": {"revision": 1},
        },
    )
    assert policy_client.put({}, If_Match='"1"').json["revision"] == 2


def test_problems_are_named_and_change_nothing(policy_client: GuardDesk) -> None:
    unknown = str(new_id())
    with unchanged(policy_client.factory.database):
        assert policy_client.problems({"guards": {"number": {"hour": 0}}}).keys() == {
            "$.guards.number.hour"
        }
        assert policy_client.problems({"use_cases": {unknown: {"number": {}}}}) == {
            f"$.use_cases.{unknown}": ["There is no such use case."]
        }
        (problem,) = policy_client.problems({"guards": {"spend": {"day": "5"}}})["$.guards.spend"]
        assert "needs prices" in problem
        assert policy_client.problems([]) == {"$": ["Must be a JSON object."]}


def test_guards_of_a_deleted_use_case_are_gone(policy_client: GuardDesk) -> None:
    use_case_id = policy_client.tenant.use_case_id
    policy_client.put({"use_cases": {str(use_case_id): {"number": {"hour": 1}}}})
    policy_client.factory.set(use_cases, use_case_id, deleted_at=policy_client.factory.now)
    assert policy_client.get()["use_cases"] == {}


@pytest.mark.one_engine
def test_another_tenant_and_lesser_roles_cannot_change_them(policy_client: GuardDesk) -> None:
    other = policy_client.factory.tenant(policy_client.factory.organization(f"Other {new_id()}"))
    key = {"Authorization": f"AccessKey {other.keys[Role.ADMIN]}"}
    for method in ("GET", "PUT"):
        answer = policy_client.gateway.client.open(
            policy_client.path,
            method=method,
            headers=key,
            json=CHANGED if method == "PUT" else None,
        )
        assert (answer.status_code, answer.json["code"]) == (404, "NotFound")
    assert policy_client.as_role(Role.SENDER).put(CHANGED).status_code == 403
