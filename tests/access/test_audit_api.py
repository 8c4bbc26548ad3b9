"""The audit through HTTP: who sees which rows, its filters and its pages."""

from typing import Any

import pytest

from app.access.principal import Role
from app.access.tables import audit_events
from app.kernel.clock import rfc3339
from support.related_tenants import Tenants

PATH = "/v1/audit-events"


def _list(tenants: Tenants, key: str, query: str = "") -> Any:
    answer = tenants.gateway.get(PATH + query, key=key)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def _act(tenants: Tenants, whose: Any) -> None:
    owner = whose.keys[Role.OWNER]
    path = f"/v1/workspaces/{whose.workspace_id}"
    for verb in ("freeze", "thaw"):
        tenants.gateway.post(f"{path}/{verb}", {"reason": f"to {verb}"}, key=owner)
    tenants.gateway.post("/v1/access-keys", {"name": "new", "role": "viewer"}, key=owner)


def test_audit_event_has_actor_action_target_and_reason(tenants: Tenants) -> None:
    _act(tenants, tenants.own)
    _, _, first = _list(tenants, tenants.own.keys[Role.ADMIN])["items"]
    key = next(
        item
        for item in tenants.gateway.get("/v1/access-keys", key=tenants.own.keys[Role.VIEWER]).json[
            "items"
        ]
        if item["name"] == "owner key"
    )
    assert first == {
        "id": first["id"],
        "at": first["at"],
        "workspace_id": str(tenants.own.workspace_id),
        "actor": {"kind": "access_key", "id": key["id"], "name": "owner key"},
        "action": "workspace.frozen",
        "target": str(tenants.own.workspace_id),
        "reason": "to freeze",
    }


def test_a_change_of_the_policy_is_there_with_its_revision(tenants: Tenants) -> None:
    path = f"/workspaces/{tenants.own.workspace_id}/destination-management/capability/sms/allow"
    headers = {"X-Change-Reason": "launch"}
    body = {"destinations": ["CA"]}
    tenants.gateway.post(path, body, key=tenants.own.keys[Role.ADMIN], **headers)
    (row,) = _list(tenants, tenants.own.keys[Role.ADMIN])["items"]
    assert (row["action"], row["target"], row["reason"]) == ("destinations.allowed", "2", "launch")


def test_events_of_the_organization_are_visible_to_its_own_keys_only(tenants: Tenants) -> None:
    _act(tenants, tenants.own)
    organization = tenants.related_tenants.organization_keys
    made = tenants.gateway.post(
        "/v1/access-keys", {"name": "wide", "role": "viewer"}, key=organization[Role.OWNER]
    ).get_json()
    wide = _list(tenants, organization[Role.ADMIN])["items"][0]
    assert (wide["target"], wide["workspace_id"]) == (made["id"], None)
    own = _list(tenants, tenants.own.keys[Role.ADMIN])["items"]
    assert made["id"] not in [row["target"] for row in own]
    strangers = _list(tenants, tenants.related_tenants.strange_organization_keys[Role.OWNER])[
        "items"
    ]
    assert not [row for row in strangers if row in own or row == wide]


def test_filters_narrow_the_list(tenants: Tenants) -> None:
    _act(tenants, tenants.own)
    key = tenants.own.keys[Role.ADMIN]

    def actions(query: str) -> list[str]:
        return [row["action"] for row in _list(tenants, key, query)["items"]]

    everything = ["access_key.created", "workspace.thawed", "workspace.frozen"]
    assert actions("") == everything
    assert actions("?action=workspace.frozen") == ["workspace.frozen"]
    assert actions("?action=workspace") == []
    assert actions("?actor_kind=access_key") == everything
    assert actions("?actor_kind=command_line") == []
    assert actions("?actor_name=ADMIN") + actions("?actor_name=owner") == everything
    assert actions("?actor_name=%25") == []
    assert actions(f"?workspace_id={tenants.own.workspace_id}") == everything
    assert actions(f"?workspace_id={tenants.related_tenants.sibling.workspace_id}") == []
    last, _, first = sorted(
        (row for row in tenants.factory.rows(audit_events, workspace_id=tenants.own.workspace_id)),
        key=lambda row: str(row["id"]),
        reverse=True,
    )
    assert actions(f"?created_before={rfc3339(first['at'])}") == []
    assert actions(f"?created_after={rfc3339(last['at'])}") == []
    assert actions("?created_after=2000-01-01T00:00:00Z") == everything


def test_pages_go_from_the_newest_to_the_oldest(tenants: Tenants) -> None:
    _act(tenants, tenants.own)
    key, found, query = tenants.own.keys[Role.ADMIN], [], "?limit=2"
    while query:
        page = _list(tenants, key, query)
        found += page["items"]
        token = page["next_page_token"]
        query = f"?limit=2&page_token={token}" if token else ""
    assert found == _list(tenants, key)["items"]
    assert len(found) == 3


@pytest.mark.parametrize("query", ["actor_kind=nobody", "created_after=today", "action=", "who=me"])
def test_a_wrong_filter_is_named(tenants: Tenants, query: str) -> None:
    answer = tenants.gateway.get(f"{PATH}?{query}", key=tenants.own.keys[Role.ADMIN])
    assert answer.get_json()["details"].keys() == {f"$.{query.split('=', maxsplit=1)[0]}"}
