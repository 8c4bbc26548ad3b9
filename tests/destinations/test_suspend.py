"""Suspending a workspace stops its sends from the next request on, and says who did it and why."""

import threading
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from app.access.principal import Role
from app.access.tables import access_keys, audit_events
from app.kernel.ids import new_id
from support.destinations import PolicyClient
from support.polling import PATIENCE_SECONDS
from support.replace_services import another_client
from support.tables import unchanged
from support.time import ManualClock

KEYS = {
    *("id", "organization_id", "name", "home_country", "parent_id", "account_sid"),
    *("inherits", "acknowledges_high_risk", "body_retention_days", "number_retention_days"),
    *("frozen", "frozen_at", "frozen_reason", "created_at", "updated_at"),
}


def _ask(
    policy_client: PolicyClient, what: str, body: Any, workspace_id: UUID | str | None = None
) -> Any:
    path = f"/v1/workspaces/{workspace_id or policy_client.tenant.workspace_id}/{what}"
    return policy_client.gateway.post(path, body, key=policy_client.tenant.keys[policy_client.role])


def _freeze(policy_client: PolicyClient, reason: str = "an incident") -> Any:
    return _ask(policy_client, "suspend", {"reason": reason})


def _thaw(policy_client: PolicyClient, reason: str = "it is over") -> Any:
    return _ask(policy_client, "resume", {"reason": reason})


def _audit(policy_client: PolicyClient) -> list[dict[str, Any]]:
    return [
        row
        for row in policy_client.factory.rows(audit_events)
        if row["workspace_id"] == policy_client.tenant.workspace_id
    ]


def test_it_is_in_force_for_the_next_send_and_over_with_the_thaw(
    policy_client: PolicyClient,
) -> None:
    assert policy_client.gateway.send(policy_client.tenant).status_code == 201
    assert _freeze(policy_client).status_code == 200
    calls = len(policy_client.gateway.twilio.calls)
    with unchanged(policy_client.factory.database, "refusals", "refusal_counts"):
        for role in (Role.SENDER, Role.ADMIN, Role.OWNER):
            answer = policy_client.gateway.send(policy_client.tenant, role=role)
            assert (answer.status_code, answer.json["code"]) == (403, "WorkspaceSuspended")
    assert len(policy_client.gateway.twilio.calls) == calls
    assert {row["code"] for row in policy_client.get("/refusals")["items"]} == {
        "WorkspaceSuspended"
    }
    assert _thaw(policy_client).status_code == 200
    assert policy_client.gateway.send(policy_client.tenant).status_code == 201


def test_the_answer_is_the_workspace_and_the_audit_has_actor_and_reason(
    timed_policy_client: PolicyClient, clock: ManualClock
) -> None:
    (key,) = [
        row
        for row in timed_policy_client.factory.rows(access_keys)
        if row["workspace_id"] == timed_policy_client.tenant.workspace_id
        and row["role"] == Role.ADMIN
    ]
    frozen = _freeze(timed_policy_client, "artificial traffic, ждём").json
    clock.advance(60)
    thawed = _thaw(timed_policy_client).json
    assert set(frozen) == set(thawed) == KEYS
    own = timed_policy_client.tenant
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
    one, other = sorted(_audit(timed_policy_client), key=lambda row: str(row["id"]))
    assert (one["action"], one["reason"]) == ("workspace.frozen", "artificial traffic, ждём")
    assert (other["action"], other["reason"]) == ("workspace.thawed", "it is over")
    for row in (one, other):
        assert (row["actor_kind"], row["actor_id"]) == ("access_key", key["id"])
        assert row["actor_name"] == "admin key"
        assert (row["target"], row["organization_id"]) == (
            str(own.workspace_id),
            own.organization_id,
        )


def test_the_same_again_changes_nothing(policy_client: PolicyClient) -> None:
    with unchanged(policy_client.factory.database):
        assert _thaw(policy_client).json["frozen"] is False
    first = _freeze(policy_client, "one").json
    with unchanged(policy_client.factory.database):
        assert _freeze(policy_client, "two").json == first


@pytest.mark.parametrize("what", ["suspend", "resume", "freeze", "thaw"])
def test_a_reason_is_needed(policy_client: PolicyClient, what: str) -> None:
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
    with unchanged(policy_client.factory.database):
        for body, paths in wrong:
            answer = _ask(policy_client, what, body)
            assert (answer.status_code, set(answer.json["details"])) == (422, paths), body
        assert _ask(policy_client, what, None).status_code == 415


@pytest.mark.parametrize("what", ["suspend", "resume", "freeze", "thaw"])
def test_it_takes_an_admin_of_this_workspace(policy_client: PolicyClient, what: str) -> None:
    body = {"reason": "x"}
    others = (policy_client.a_stranger(), policy_client.a_colleague(), policy_client.a_child())
    with unchanged(policy_client.factory.database):
        for role in (Role.VIEWER, Role.SENDER):
            assert _ask(replace(policy_client, role=role), what, body).status_code == 403
        absent = _ask(policy_client, what, body, new_id())
        assert (absent.status_code, absent.json["code"]) == (404, "NotFound")
        for other in others:
            assert _ask(policy_client, what, body, other.tenant.workspace_id).data == absent.data
        assert _ask(policy_client, what, body, "x").status_code == 400
    keys = policy_client.factory.keys(policy_client.tenant.organization_id, None)
    for found in (
        replace(policy_client, role=Role.OWNER),
        policy_client.of(replace(policy_client.tenant, keys=keys)),
    ):
        assert _ask(found, what, body).status_code == 200


def test_a_suspended_workspace_is_still_managed_and_its_children_still_send(
    policy_client: PolicyClient,
) -> None:
    child = policy_client.a_child()
    _freeze(policy_client)
    assert policy_client.put({"US": "allowed", "CA": "allowed"}).status_code == 200
    assert policy_client.check("+12025550123")[0]["allowed"] is True
    assert child.gateway.send(child.tenant).status_code == 201
    assert child.gateway.send(policy_client.tenant).status_code == 403


def test_of_several_concurrent_suspensions_one_is_audited(policy_client: PolicyClient) -> None:
    for what in ("freeze", "thaw") * 4:
        before = len(_audit(policy_client))
        ready = threading.Barrier(6)

        def work(own: PolicyClient, what: str = what, ready: threading.Barrier = ready) -> None:
            ready.wait(PATIENCE_SECONDS)
            assert _ask(own, what, {"reason": "x"}).status_code == 200

        threads = [
            threading.Thread(
                target=work,
                args=(replace(policy_client, gateway=another_client(policy_client.gateway)),),
            )
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        assert len(_audit(policy_client)) == before + 1


def test_the_older_names_are_described_as_deprecated_aliases(policy_client: PolicyClient) -> None:
    paths = policy_client.gateway.get("/openapi.json").get_json()["paths"]
    for name, old in (("suspend", "freeze"), ("resume", "thaw")):
        new_one = paths["/v1/workspaces/{workspace_id}/" + name]["post"]
        old_one = paths["/v1/workspaces/{workspace_id}/" + old]["post"]
        assert "deprecated" not in new_one
        assert old_one["deprecated"] is True
        assert old_one["requestBody"] == new_one["requestBody"]
