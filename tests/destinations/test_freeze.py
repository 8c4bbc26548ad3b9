"""Suspending a workspace stops its sends from the next request on, and says who did it and why."""

import threading
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from app.access.roles import Role
from app.access.tables import access_keys, audit_events
from app.kernel.ids import new_id
from support.destinations import Desk
from support.rewire import another_client
from support.tables import unchanged
from support.time import ManualClock

KEYS = {
    *("id", "organization_id", "name", "home_country", "parent_id", "account_sid"),
    *("inherits", "acknowledges_high_risk", "body_retention_days", "number_retention_days"),
    *("frozen", "frozen_at", "frozen_reason", "created_at", "updated_at"),
}


def _ask(desk: Desk, what: str, body: Any, workspace_id: UUID | str | None = None) -> Any:
    path = f"/v1/workspaces/{workspace_id or desk.tenant.workspace_id}/{what}"
    return desk.gateway.post(path, body, key=desk.tenant.keys[desk.role])


def _freeze(desk: Desk, reason: str = "an incident") -> Any:
    return _ask(desk, "suspend", {"reason": reason})


def _thaw(desk: Desk, reason: str = "it is over") -> Any:
    return _ask(desk, "resume", {"reason": reason})


def _audit(desk: Desk) -> list[dict[str, Any]]:
    return [
        row
        for row in desk.world.rows(audit_events)
        if row["workspace_id"] == desk.tenant.workspace_id
    ]


def test_it_is_in_force_for_the_next_send_and_over_with_the_thaw(desk: Desk) -> None:
    assert desk.gateway.send(desk.tenant).status_code == 201
    assert _freeze(desk).status_code == 200
    calls = len(desk.gateway.twilio.calls)
    with unchanged(desk.world.database, "refusals", "refusal_counts"):
        for role in (Role.SENDER, Role.ADMIN, Role.OWNER):
            answer = desk.gateway.send(desk.tenant, role=role)
            assert (answer.status_code, answer.json["code"]) == (403, "WorkspaceSuspended")
    assert len(desk.gateway.twilio.calls) == calls
    assert {row["code"] for row in desk.get("/refusals")["items"]} == {"WorkspaceSuspended"}
    assert _thaw(desk).status_code == 200
    assert desk.gateway.send(desk.tenant).status_code == 201


def test_the_answer_is_the_workspace_and_the_audit_names_who_and_why(
    timed_desk: Desk, clock: ManualClock
) -> None:
    (key,) = [
        row
        for row in timed_desk.world.rows(access_keys)
        if row["workspace_id"] == timed_desk.tenant.workspace_id and row["role"] == Role.ADMIN
    ]
    frozen = _freeze(timed_desk, "artificial traffic, ждём").json
    clock.advance(60)
    thawed = _thaw(timed_desk).json
    assert set(frozen) == set(thawed) == KEYS
    own = timed_desk.tenant
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
    one, other = sorted(_audit(timed_desk), key=lambda row: str(row["id"]))
    assert (one["action"], one["reason"]) == ("workspace.frozen", "artificial traffic, ждём")
    assert (other["action"], other["reason"]) == ("workspace.thawed", "it is over")
    for row in (one, other):
        assert (row["actor_kind"], row["actor_id"]) == ("access_key", key["id"])
        assert row["actor_name"] == "admin key"
        assert (row["target"], row["organization_id"]) == (
            str(own.workspace_id),
            own.organization_id,
        )


def test_the_same_again_changes_nothing(desk: Desk) -> None:
    with unchanged(desk.world.database):
        assert _thaw(desk).json["frozen"] is False
    first = _freeze(desk, "one").json
    with unchanged(desk.world.database):
        assert _freeze(desk, "two").json == first


@pytest.mark.parametrize("what", ["suspend", "resume", "freeze", "thaw"])
def test_a_reason_is_needed(desk: Desk, what: str) -> None:
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
    with unchanged(desk.world.database):
        for body, paths in wrong:
            answer = _ask(desk, what, body)
            assert (answer.status_code, set(answer.json["details"])) == (422, paths), body
        assert _ask(desk, what, None).status_code == 415


@pytest.mark.parametrize("what", ["suspend", "resume", "freeze", "thaw"])
def test_it_takes_an_admin_of_this_workspace(desk: Desk, what: str) -> None:
    body = {"reason": "x"}
    others = (desk.a_stranger(), desk.a_colleague(), desk.a_child())
    with unchanged(desk.world.database):
        for role in (Role.VIEWER, Role.SENDER):
            assert _ask(replace(desk, role=role), what, body).status_code == 403
        absent = _ask(desk, what, body, new_id())
        assert (absent.status_code, absent.json["code"]) == (404, "NotFound")
        for other in others:
            assert _ask(desk, what, body, other.tenant.workspace_id).data == absent.data
        assert _ask(desk, what, body, "x").status_code == 400
    keys = desk.world.keys(desk.tenant.organization_id, None)
    for found in (replace(desk, role=Role.OWNER), desk.of(replace(desk.tenant, keys=keys))):
        assert _ask(found, what, body).status_code == 200


def test_a_frozen_workspace_is_still_managed_and_its_children_send_on(desk: Desk) -> None:
    child = desk.a_child()
    _freeze(desk)
    assert desk.put({"US": "allowed", "CA": "allowed"}).status_code == 200
    assert desk.check("+12025550123")[0]["allowed"] is True
    assert child.gateway.send(child.tenant).status_code == 201
    assert child.gateway.send(desk.tenant).status_code == 403


def test_of_several_who_freeze_at_once_one_is_written_down(desk: Desk) -> None:
    for what in ("freeze", "thaw") * 4:
        before = len(_audit(desk))
        ready = threading.Barrier(6)

        def work(own: Desk, what: str = what, ready: threading.Barrier = ready) -> None:
            ready.wait(10)
            assert _ask(own, what, {"reason": "x"}).status_code == 200

        threads = [
            threading.Thread(
                target=work, args=(replace(desk, gateway=another_client(desk.gateway)),)
            )
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(_audit(desk)) == before + 1


def test_the_older_names_are_described_as_deprecated_aliases(desk: Desk) -> None:
    paths = desk.gateway.get("/openapi.json").get_json()["paths"]
    for name, old in (("suspend", "freeze"), ("resume", "thaw")):
        new_one = paths["/v1/workspaces/{workspace_id}/" + name]["post"]
        old_one = paths["/v1/workspaces/{workspace_id}/" + old]["post"]
        assert "deprecated" not in new_one
        assert old_one["deprecated"] is True
        assert old_one["requestBody"] == new_one["requestBody"]
