"""Every route that changes something: its audit row stands in the same transaction, or nothing does."""

from typing import Any

import pytest

from app.access.guard import Requires
from app.access.roles import Role
from app.access.tables import access_keys, audit_events
from app.access.tokens import hash_token
from app.application import declared_endpoints
from app.web.routes import Endpoint
from support.family import Family
from support.routes import RECIPES, Ids, fill, ids_of
from support.tables import snapshot

# What is no deed of an owner's: what is asked by POST and changes no set-up.
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


def _key(family: Family, endpoint: Endpoint) -> str:
    of_organization = RECIPES[endpoint.method, endpoint.path].of_organization
    whose = family.relatives.organization_keys if of_organization else family.own.keys
    return whose[Role.OWNER]


def _ask(family: Family, endpoint: Endpoint, ids: Ids) -> int:
    answer = family.gateway.client.open(
        fill(endpoint.path, ids),
        method=endpoint.method,
        json=RECIPES[endpoint.method, endpoint.path].body(ids),
        headers={"Authorization": f"AccessKey {_key(family, endpoint)}"},
    )
    return answer.status_code


def _prepared(family: Family, endpoint: Endpoint) -> Ids:
    recipe = RECIPES[endpoint.method, endpoint.path]
    return ids_of(family.own) | recipe.prepare(family.gateway, family.own)


def _audit(family: Family) -> list[dict[str, Any]]:
    return sorted(family.world.rows(audit_events), key=lambda row: str(row["id"]))


@pytest.mark.parametrize("endpoint", CHANGES, ids=name)
def test_a_change_is_noted_once_with_the_key_that_made_it(
    family: Family, endpoint: Endpoint
) -> None:
    ids = _prepared(family, endpoint)
    before, known = snapshot(family.world.database), _audit(family)
    assert _ask(family, endpoint, ids) == RECIPES[endpoint.method, endpoint.path].status
    noted = _audit(family)[len(known) :]
    if name(endpoint).startswith(CHANGE_NOTHING):
        assert snapshot(family.world.database) == before
        return
    key_hash = hash_token(_key(family, endpoint))
    key = next(k for k in family.world.rows(access_keys) if k["token_hash"] == key_hash)
    assert noted
    for row in noted:
        assert (row["actor_kind"], row["actor_id"]) == ("access_key", key["id"])
        assert row["organization_id"] == family.own.organization_id
    actions = [row["action"] for row in noted]
    assert len(set(actions)) == len(actions)


@pytest.mark.parametrize("endpoint", CHANGES, ids=name)
def test_a_change_that_cannot_be_noted_is_not_made(
    family: Family, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("the audit cannot be written")

    ids = _prepared(family, endpoint)
    before = snapshot(family.world.database)
    monkeypatch.setattr("app.access.audit.new_id", fail)
    status = _ask(family, endpoint, ids)
    if not name(endpoint).startswith(CHANGE_NOTHING):
        assert status == 500
    assert snapshot(family.world.database) == before


def test_no_deed_holds_a_number_a_token_or_a_secret(family: Family) -> None:
    for endpoint in CHANGES:
        _ask(family, endpoint, _prepared(family, endpoint))
    told = str(
        [
            (row["target"], row["reason"], row["actor_name"])
            for row in family.world.rows(audit_events)
        ]
    )
    assert "sender.added" in {row["action"] for row in family.world.rows(audit_events)}
    for secret in ("+1202555", "whsec_", "bp_", "hooks.example.com"):
        assert secret not in told
