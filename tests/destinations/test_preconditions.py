"""`If-Match`: a change that was meant for another revision than the current one is refused."""

from typing import Any

import pytest

from support.destinations import CHANGES, PolicyClient, prepared, revision_of
from support.tables import unchanged

pytestmark = pytest.mark.one_engine

HOLDS = ['"3"', ' "3" ', '"2", "3"', '"3","9"', "*", " * "]
FAILS = [
    *('"2"', '"4"', '"0"', '"2", "4"', 'W/"3"', 'W/"2", "4"', "3", '"3', '3"', '"03"', '"+3"'),
    *('"3.0"', '"-3"', "'3'", '"3" "4"', "", ",", '""', '"x"', "None", '"3000000000"', '"٣"', "**"),
]


@pytest.mark.parametrize("name", CHANGES)
def test_a_stale_or_garbled_condition_refuses_every_kind_of_change(
    policy: PolicyClient, name: str
) -> None:
    found = prepared(policy)
    with unchanged(policy.factory.database):
        for given in FAILS:
            for asked in (found, found.trying):
                answer = CHANGES[name](asked, If_Match=given)
                assert answer.status_code == 412, (given, answer.text)
                assert answer.json["code"] == "RevisionMismatch"
                assert answer.json["details"] == {"revision": 3}
        for given in HOLDS:
            assert CHANGES[name](found.trying, If_Match=given).status_code == 200, given


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("given", ['"3"', '"1", "3"', "*", None])
def test_a_condition_that_holds_or_none_lets_every_kind_of_change_pass(
    policy: PolicyClient, name: str, given: str | None
) -> None:
    found = prepared(policy)
    headers: dict[str, Any] = {} if given is None else {"If_Match": given}
    answer = CHANGES[name](found, **headers)
    assert answer.status_code in {200, 201, 204}, answer.text
    # The one that inherits now answers with the revision of its parent's policy.
    assert revision_of(answer) == found.revision == (1 if name == "inherit" else 4)


def test_a_lost_update_is_refused_and_can_be_made_again(policy: PolicyClient) -> None:
    one, other = policy.ask("GET"), policy.ask("GET")
    assert policy.allow("CA", If_Match=one.headers["ETag"]).status_code == 200
    refused = policy.put({"US": "allowed", "FR": "allowed"}, If_Match=other.headers["ETag"])
    assert refused.status_code == 412
    assert policy.destinations == {"US": "allowed", "CA": "allowed"}
    fresh = policy.ask("GET")
    again = policy.put(
        fresh.json["destinations"] | {"FR": "allowed"}, If_Match=fresh.headers["ETag"]
    )
    assert again.json["destinations"] == {"US": "allowed", "CA": "allowed", "FR": "allowed"}


def test_a_stale_condition_is_reported_before_other_problems(policy: PolicyClient) -> None:
    assert policy.allow("ZZ", If_Match='"9"').status_code == 412
    assert policy.a_child().allow("CA", If_Match='"9"').status_code == 412
    assert policy.a_child().allow("CA", If_Match='"1"').status_code == 409


def test_every_answer_about_the_policy_carries_its_revision(policy: PolicyClient) -> None:
    found = prepared(policy)
    below = ["", "/rules", "/inheritance", "/history", "/history?format=csv", "/refusals"]
    answers = [found.ask("GET", path) for path in below]
    answers.append(found.ask("POST", "/check", {"numbers": ["+12025550123"]}))
    answers += [change(found.trying) for change in CHANGES.values()]
    assert [revision_of(answer) for answer in answers] == [3] * len(answers)


def test_a_condition_on_an_inherited_revision_never_fits_the_policy_that_follows(
    policy: PolicyClient,
) -> None:
    child = policy.a_colleague(parent_id=policy.tenant.workspace_id)
    child.allow("CA")
    child.inherit(True)
    for code in ("FR", "DE", "GB"):
        policy.allow(code)
    policy.block("GB")
    assert child.inherit(False).headers["ETag"] == '"6"'
    for revision in range(1, 6):
        refused = child.put({"US": "allowed", "GB": "allowed"}, If_Match=f'"{revision}"')
        assert refused.status_code == 412, revision
    assert child.destinations == policy.destinations
    assert [(row["revision"], row["from_revision"]) for row in child.history()] == [
        (6, 3),
        (3, 2),
        (2, 1),
    ]
