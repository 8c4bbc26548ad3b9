"""Suspending a workspace stops its sends from the next request on, and says who did it and why."""

from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from app.access.principal import Role
from app.access.tables import access_keys, audit_events
from app.kernel.ids import new_id
from support.destinations import PolicyClient
from support.replace_services import another_client
from support.tables import unchanged
from support.threads import together
from support.time import ManualClock

pytestmark = pytest.mark.one_engine

KEYS = {
    *("id", "organization_id", "name", "home_country", "parent_id", "account_sid"),
    *("inherits", "acknowledges_high_risk", "body_retention_days", "number_retention_days"),
    *("frozen", "frozen_at", "frozen_reason", "created_at", "updated_at"),
}


def _ask(policy: PolicyClient, what: str, body: Any, workspace_id: UUID | str | None = None) -> Any:
    path = f"/v1/workspaces/{workspace_id or policy.tenant.workspace_id}/{what}"
    return policy.gateway.post(path, body, key=policy.tenant.keys[policy.role])


def _freeze(policy: PolicyClient, reason: str = "an incident") -> Any:
    return _ask(policy, "suspend", {"reason": reason})


def _thaw(policy: PolicyClient, reason: str = "it is over") -> Any:
    return _ask(policy, "resume", {"reason": reason})


def _audit(policy: PolicyClient) -> list[dict[str, Any]]:
    return policy.factory.rows(audit_events, workspace_id=policy.tenant.workspace_id)


def test_it_is_in_force_for_the_next_send_and_over_with_the_thaw(policy: PolicyClient) -> None:
    assert policy.gateway.send(policy.tenant).status_code == 201
    assert _freeze(policy).status_code == 200
    calls = len(policy.gateway.twilio.calls)
    with unchanged(policy.factory.database, "refusals", "refusal_counts"):
        for role in (Role.SENDER, Role.ADMIN, Role.OWNER):
            answer = policy.gateway.send(policy.tenant, role=role)
            assert (answer.status_code, answer.json["code"]) == (403, "WorkspaceSuspended")
    assert len(policy.gateway.twilio.calls) == calls
    assert {row["code"] for row in policy.get("/refusals")["items"]} == {"WorkspaceSuspended"}
    assert _thaw(policy).status_code == 200
    assert policy.gateway.send(policy.tenant).status_code == 201


def test_the_answer_is_the_workspace_and_the_audit_has_actor_and_reason(
    timed_policy: PolicyClient, clock: ManualClock
) -> None:
    (key,) = [
        row
        for row in timed_policy.factory.rows(access_keys)
        if row["workspace_id"] == timed_policy.tenant.workspace_id and row["role"] == Role.ADMIN
    ]
    frozen = _freeze(timed_policy, "artificial traffic, ждём").json
    clock.advance(60)
    thawed = _thaw(timed_policy).json
    assert set(frozen) == set(thawed) == KEYS
    own = timed_policy.tenant
    assert (frozen["id"], frozen["organization_id"]) == (
        str(own.workspace_id),
        str(own.organization_id),
    )
    assert (frozen["frozen"], frozen["frozen_at"]) == (True, "2026-01-31T12:00:00.000Z")
    assert (frozen["frozen_reason"], frozen["updated_at"]) == (
        "artificial traffic, ждём",
        frozen["frozen_at"],
    )
    assert (thawed["frozen"], thawed["frozen_at"], thawed["frozen_reason"]) == (False, None, None)
    assert thawed["updated_at"] == "2026-01-31T12:01:00.000Z"
    one, other = sorted(_audit(timed_policy), key=lambda row: str(row["id"]))
    assert (one["action"], one["reason"]) == ("workspace.frozen", "artificial traffic, ждём")
    assert (other["action"], other["reason"]) == ("workspace.thawed", "it is over")
    for row in (one, other):
        assert (row["actor_kind"], row["actor_id"]) == ("access_key", key["id"])
        assert row["actor_name"] == "admin key"
        assert (row["target"], row["organization_id"]) == (
            str(own.workspace_id),
            own.organization_id,
        )


def test_the_same_again_changes_nothing(policy: PolicyClient) -> None:
    with unchanged(policy.factory.database):
        assert _thaw(policy).json["frozen"] is False
    first = _freeze(policy, "one").json
    with unchanged(policy.factory.database):
        assert _freeze(policy, "two").json == first


@pytest.mark.parametrize("what", ["suspend", "resume", "freeze", "thaw"])
def test_a_reason_is_needed(policy: PolicyClient, what: str) -> None:
    wrong: list[tuple[Any, set[str]]] = [
        ({}, {"$.reason"}),
        *(
            ({"reason": reason}, {"$.reason"})
            for reason in ("", "  \n", None, 5, ["x"], "x" * 501, "a\x00")
        ),
        ({"reason": "x", "until": "tomorrow"}, {"$.until"}),
        ({"because": "x"}, {"$.reason", "$.because"}),
        ([], {"$"}),
    ]
    with unchanged(policy.factory.database):
        for body, paths in wrong:
            answer = _ask(policy, what, body)
            assert (answer.status_code, set(answer.json["details"])) == (422, paths), body
        assert _ask(policy, what, None).status_code == 415


@pytest.mark.parametrize("what", ["suspend", "resume", "freeze", "thaw"])
def test_it_takes_an_admin_of_this_workspace(policy: PolicyClient, what: str) -> None:
    body = {"reason": "x"}
    others = (policy.a_stranger(), policy.a_colleague(), policy.a_child())
    with unchanged(policy.factory.database):
        for role in (Role.VIEWER, Role.SENDER):
            assert _ask(replace(policy, role=role), what, body).status_code == 403
        absent = _ask(policy, what, body, new_id())
        assert (absent.status_code, absent.json["code"]) == (404, "NotFound")
        for other in others:
            assert _ask(policy, what, body, other.tenant.workspace_id).data == absent.data
        assert _ask(policy, what, body, "x").status_code == 400
    keys = policy.factory.keys(policy.tenant.organization_id, None)
    for found in (replace(policy, role=Role.OWNER), policy.of(replace(policy.tenant, keys=keys))):
        assert _ask(found, what, body).status_code == 200


def test_a_suspended_workspace_is_still_managed_and_its_children_still_send(
    policy: PolicyClient,
) -> None:
    child = policy.a_child()
    _freeze(policy)
    assert policy.put({"US": "allowed", "CA": "allowed"}).status_code == 200
    assert policy.check("+12025550123")[0]["allowed"] is True
    assert child.gateway.send(child.tenant).status_code == 201
    assert child.gateway.send(policy.tenant).status_code == 403


@pytest.mark.both_engines
def test_of_several_concurrent_suspensions_one_is_audited(policy: PolicyClient) -> None:
    for what in ("freeze", "thaw") * 4:
        before = len(_audit(policy))
        owns = [replace(policy, gateway=another_client(policy.gateway)) for _ in range(6)]
        answers = together([partial(_ask, own, what, {"reason": "x"}) for own in owns])
        assert [answer.status_code for answer in answers] == [200] * 6
        assert len(_audit(policy)) == before + 1


def test_the_older_names_are_described_as_deprecated_aliases(policy: PolicyClient) -> None:
    paths = policy.gateway.get("/openapi.json").get_json()["paths"]
    for name, old in (("suspend", "freeze"), ("resume", "thaw")):
        new_one = paths["/v1/workspaces/{workspace_id}/" + name]["post"]
        old_one = paths["/v1/workspaces/{workspace_id}/" + old]["post"]
        assert "deprecated" not in new_one
        assert old_one["deprecated"] is True
        assert old_one["requestBody"] == new_one["requestBody"]
