"""Every route that changes something: its audit row stands in the same transaction, or nothing does."""

from typing import Any

import pytest

from app.access.guard import Requires
from app.access.principal import Role, hash_token
from app.access.tables import access_keys, audit_events
from app.application import declared_endpoints
from app.web.routes import Endpoint
from support.related_tenants import Tenants
from support.routes import RECIPES, Ids, fill, ids_of
from support.tables import snapshot

# Requests by POST that change no set-up, so they leave no audit event of an owner.
NO_DEEDS = ("/check", "/provider", "/feedback")
CHANGES = [
    endpoint
    for endpoint in declared_endpoints()
    if isinstance(endpoint.guard, Requires)
    and endpoint.method != "GET"
    and not endpoint.path.endswith(NO_DEEDS)
]
# What its recipe asks for is so already: nothing is changed and nothing noted.
CHANGE_NOTHING = (
    "PUT /workspaces",
    "POST /v1/workspaces/{workspace_id}/resume",
    "POST /v1/workspaces/{workspace_id}/thaw",
)


def name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def _key(tenants: Tenants, endpoint: Endpoint) -> str:
    of_organization = RECIPES[endpoint.method, endpoint.path].of_organization
    whose = tenants.related_tenants.organization_keys if of_organization else tenants.own.keys
    return whose[Role.OWNER]


def _ask(tenants: Tenants, endpoint: Endpoint, ids: Ids) -> int:
    answer = tenants.gateway.client.open(
        fill(endpoint.path, ids),
        method=endpoint.method,
        json=RECIPES[endpoint.method, endpoint.path].body(ids),
        headers={"Authorization": f"AccessKey {_key(tenants, endpoint)}"},
    )
    return answer.status_code


def _prepared(tenants: Tenants, endpoint: Endpoint) -> Ids:
    recipe = RECIPES[endpoint.method, endpoint.path]
    return ids_of(tenants.own) | recipe.prepare(tenants.gateway, tenants.own)


def _audit(tenants: Tenants) -> list[dict[str, Any]]:
    return sorted(tenants.factory.rows(audit_events), key=lambda row: str(row["id"]))


@pytest.mark.parametrize("endpoint", CHANGES, ids=name)
def test_a_change_is_noted_once_with_the_key_that_made_it(
    tenants: Tenants, endpoint: Endpoint
) -> None:
    ids = _prepared(tenants, endpoint)
    before, known = snapshot(tenants.factory.database), _audit(tenants)
    assert _ask(tenants, endpoint, ids) == RECIPES[endpoint.method, endpoint.path].status
    noted = _audit(tenants)[len(known) :]
    if name(endpoint).startswith(CHANGE_NOTHING):
        assert snapshot(tenants.factory.database) == before
        return
    key_hash = hash_token(_key(tenants, endpoint))
    key = tenants.factory.rows(access_keys, token_hash=key_hash)[0]
    assert noted
    for row in noted:
        assert (row["actor_kind"], row["actor_id"]) == ("access_key", key["id"])
        assert row["organization_id"] == tenants.own.organization_id
    actions = [row["action"] for row in noted]
    assert len(set(actions)) == len(actions)


@pytest.mark.one_engine
@pytest.mark.parametrize("endpoint", CHANGES, ids=name)
def test_a_change_that_cannot_be_noted_is_not_made(
    tenants: Tenants, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("the audit cannot be written")

    ids = _prepared(tenants, endpoint)
    before = snapshot(tenants.factory.database)
    monkeypatch.setattr("app.access.audit.new_id", fail)
    status = _ask(tenants, endpoint, ids)
    if not name(endpoint).startswith(CHANGE_NOTHING):
        assert status == 500
    assert snapshot(tenants.factory.database) == before


@pytest.mark.one_engine
def test_no_audit_event_contains_a_number_a_token_or_a_secret(tenants: Tenants) -> None:
    for endpoint in CHANGES:
        _ask(tenants, endpoint, _prepared(tenants, endpoint))
    text = str(
        [
            (row["target"], row["reason"], row["actor_name"])
            for row in tenants.factory.rows(audit_events)
        ]
    )
    assert "sender.added" in {row["action"] for row in tenants.factory.rows(audit_events)}
    for secret in ("+1202555", "whsec_", "bp_", "hooks.example.com"):
        assert secret not in text
