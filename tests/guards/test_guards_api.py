"""Reading and replacing the guards of a workspace over HTTP."""

import pytest

from app.access.principal import Role
from app.guards.tables import guard_revisions
from app.kernel.ids import new_id
from app.use_cases.tables import use_cases
from support.guards import DEFAULTS, FLOORS, GuardsClient
from support.tables import unchanged

pytestmark = pytest.mark.one_engine

CHANGED = {"guards": {"number": {"mode": "monitor", "hour": 3}}, "use_cases": {}}


def test_a_workspace_that_never_set_any_has_the_defaults(guards: GuardsClient) -> None:
    answer = guards.as_role(Role.VIEWER).ask("GET", guards.path)
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"0"')
    assert answer.json == {
        "workspace_id": str(guards.tenant.workspace_id),
        "revision": 0,
        "updated_at": answer.json["updated_at"],
        "guards": DEFAULTS,
        "use_cases": {},
        "auto": FLOORS,
    }
    assert list(answer.json["guards"]) == list(DEFAULTS)


@pytest.mark.both_engines
def test_a_change_answers_like_get_and_replaces_the_whole(guards: GuardsClient) -> None:
    own = {str(guards.tenant.use_case_id): {"number": {"hour": 3, "day": 10}, "country": {}}}
    answer = guards.put({"guards": {"prefix": {"day": 7}}, "use_cases": own})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    assert answer.json == guards.get()
    assert answer.json["guards"] == DEFAULTS | {"prefix": DEFAULTS["prefix"] | {"day": 7}}
    assert answer.json["use_cases"] == {
        str(guards.tenant.use_case_id): {
            "number": {"mode": "enforce", "hour": 3, "day": 10},
            "country": DEFAULTS["country"],
        }
    }
    answer = guards.put({})
    assert (answer.json["guards"], answer.json["use_cases"]) == (DEFAULTS, {})
    assert answer.json["revision"] == 2


def test_every_change_is_a_revision_with_its_reason_and_an_audit_row(guards: GuardsClient) -> None:
    guards.put(CHANGED, X_Change_Reason="a flood")
    guards.put({})
    of_workspace = guards.factory.rows(guard_revisions, workspace_id=guards.tenant.workspace_id)
    one, other = sorted(of_workspace, key=lambda row: row["revision"])
    assert (one["revision"], one["from_revision"], one["reason"]) == (1, 0, "a flood")
    assert one["guards"]["number"] == {"mode": "monitor", "hour": 3, "day": 40}
    assert (one["actor_kind"], one["actor_name"]) == ("access_key", "admin key")
    assert (other["revision"], other["from_revision"], other["reason"]) == (2, 1, None)
    assert other["guards"] == DEFAULTS
    own = {"workspace_id": guards.tenant.workspace_id}
    assert guards.factory.audit_trail("action", "target", "reason", **own) == [
        ("guards.changed", "1", "a flood"),
        ("guards.changed", "2", None),
    ]


def test_an_equal_configuration_is_no_revision(guards: GuardsClient) -> None:
    with unchanged(guards.factory.database):
        assert guards.put({"guards": DEFAULTS}).json["revision"] == 0
    guards.put(CHANGED)
    with unchanged(guards.factory.database):
        assert guards.put(CHANGED).headers["ETag"] == '"1"'


def test_an_old_revision_is_refused(guards: GuardsClient) -> None:
    assert guards.put(CHANGED, If_Match='"0"').status_code == 200
    with unchanged(guards.factory.database):
        answer = guards.put({}, If_Match='"0"')
    assert (answer.status_code, answer.json) == (
        412,
        {
            "code": "RevisionMismatch",
            "message": "The guards were changed since the revision in If-Match.",
            "details": {"revision": 1},
        },
    )
    assert guards.put({}, If_Match='"1"').json["revision"] == 2


def test_problems_are_named_and_change_nothing(guards: GuardsClient) -> None:
    unknown = str(new_id())
    with unchanged(guards.factory.database):
        assert guards.problems({"guards": {"number": {"hour": 0}}}).keys() == {
            "$.guards.number.hour"
        }
        assert guards.problems({"use_cases": {unknown: {"number": {}}}}) == {
            f"$.use_cases.{unknown}": ["There is no such use case."]
        }
        assert guards.problems({"use_cases": {unknown: {}}}).keys() == {f"$.use_cases.{unknown}"}
        (problem,) = guards.problems({"guards": {"spend": {"day": "5"}}})["$.guards.spend"]
        assert "needs prices" in problem
        assert guards.problems([]) == {"$": ["Must be a JSON object."]}
        mixed = {"number": {"hour": 0}, "spend": {"day": "5"}}
        assert guards.problems(
            {"guards": mixed, "use_cases": {unknown: {"number": {}}}}
        ).keys() == {
            "$.guards.number.hour",
            "$.guards.spend",
            f"$.use_cases.{unknown}",
        }


def test_guards_of_a_deleted_use_case_are_gone(guards: GuardsClient) -> None:
    use_case_id = guards.tenant.use_case_id
    guards.put({"use_cases": {str(use_case_id): {"number": {"hour": 1}}}})
    guards.factory.set(use_cases, use_case_id, deleted_at=guards.factory.now)
    assert guards.get()["use_cases"] == {}
