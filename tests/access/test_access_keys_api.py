"""Access keys through HTTP: shown once, ended at once, and never more than their maker may."""

from typing import Any
from uuid import UUID

import pytest

from app.access.principal import Role
from app.access.tables import access_keys
from app.kernel.ids import new_id
from support.console import signed_in
from support.related_tenants import Tenants

PATH = "/v1/access-keys"
FUTURE = "2100-01-01T00:00:00.000Z"


def _make(tenants: Tenants, key: str, **given: Any) -> Any:
    return tenants.gateway.post(PATH, {"name": "backend", "role": "sender"} | given, key=key)


def _own(tenants: Tenants, role: Role = Role.OWNER) -> str:
    return tenants.own.keys[role]


def _of_organization(tenants: Tenants, role: Role = Role.OWNER) -> str:
    return tenants.related_tenants.organization_keys[role]


def _listed(tenants: Tenants, key: str, query: str = "") -> list[Any]:
    found: list[Any] = tenants.gateway.get(f"{PATH}?limit=100{query}", key=key).get_json()["items"]
    return found


def test_new_key_works_and_shows_its_token_once(tenants: Tenants) -> None:
    answer = _make(tenants, _own(tenants), expires_at=FUTURE)
    assert answer.status_code == 201
    made = answer.get_json()
    token = made.pop("token")
    assert made == {
        "id": made["id"],
        "organization_id": str(tenants.own.organization_id),
        "workspace_id": str(tenants.own.workspace_id),
        "name": "backend",
        "token_prefix": token[:8],
        "role": "sender",
        "state": "live",
        "created_at": made["created_at"],
        "expires_at": FUTURE,
        "revoked_at": None,
        "rate": {"per_second": 100, "burst": 200},
        "use_case_ids": None,
        "countries": None,
        "source_networks": None,
        "last_used_at": None,
        "last_used_address": None,
    }
    assert tenants.gateway.get(f"{PATH}/{made['id']}", key=_own(tenants)).get_json() == made
    assert tenants.gateway.get("/v1/sms", key=token).status_code == 200
    used = tenants.gateway.get("/v1/me", key=token).get_json()
    assert used["last_used_address"] == "127.0.0.1"
    assert used | {"last_used_at": None, "last_used_address": None} == made
    assert _listed(tenants, token)[0] == used
    assert token not in str(tenants.factory.rows(access_keys))


def test_a_revocation_is_in_force_for_the_next_request_and_again_is_no_other(
    tenants: Tenants,
) -> None:
    made = _make(tenants, _own(tenants)).get_json()
    assert tenants.gateway.get("/v1/sms", key=made["token"]).status_code == 200
    for _ in range(2):
        answer = tenants.gateway.delete(f"{PATH}/{made['id']}", key=_own(tenants, Role.ADMIN))
        assert (answer.status_code, answer.data) == (204, b"")
        assert tenants.gateway.get("/v1/sms", key=made["token"]).status_code == 401
    shown = tenants.gateway.get(f"{PATH}/{made['id']}", key=_own(tenants)).get_json()
    assert shown["state"] == "revoked"
    assert tenants.factory.audit_trail("action", "reason", target=made["id"]) == [
        ("access_key.created", "backend (sender)"),
        ("access_key.revoked", "backend (sender)"),
    ]


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OWNER])
@pytest.mark.parametrize("whose", ["own", "organization"])
def test_admin_neither_creates_nor_revokes_keys_above_sender(
    tenants: Tenants, whose: str, role: Role
) -> None:
    admin = (_own if whose == "own" else _of_organization)(tenants, Role.ADMIN)
    before = tenants.factory.rows(access_keys)
    refused = _make(tenants, admin, role=role.value, workspace_id=str(tenants.own.workspace_id))
    assert (refused.status_code, refused.get_json()["code"]) == (403, "Forbidden")
    assert tenants.factory.rows(access_keys) == before
    other = _make(tenants, _own(tenants), role=role.value).get_json()
    kept = tenants.gateway.delete(f"{PATH}/{other['id']}", key=admin)
    assert (kept.status_code, kept.get_json()["code"]) == (403, "Forbidden")
    assert tenants.gateway.get("/v1/sms", key=other["token"]).status_code == 200
    for small in (Role.VIEWER, Role.SENDER):
        body = {"role": small.value, "workspace_id": str(tenants.own.workspace_id)}
        assert _make(tenants, admin, **body).status_code == 201


def test_admin_of_the_organization_manages_no_key_of_the_organization(tenants: Tenants) -> None:
    admin, owner = (_of_organization(tenants, Role.ADMIN), _of_organization(tenants))
    assert _make(tenants, admin, role="viewer").status_code == 403
    wide = _make(tenants, owner, role="viewer").get_json()
    assert tenants.gateway.delete(f"{PATH}/{wide['id']}", key=admin).status_code == 403


def test_owner_of_a_workspace_creates_keys_of_it_only(tenants: Tenants) -> None:
    owner = _own(tenants)
    for given in ({}, {"workspace_id": None}):
        made = _make(tenants, owner, role="owner", **given).get_json()
        assert made["workspace_id"] == str(tenants.own.workspace_id)
    for other in (
        tenants.related_tenants.sibling,
        tenants.related_tenants.parent,
        tenants.related_tenants.stranger,
    ):
        answer = _make(tenants, owner, workspace_id=str(other.workspace_id))
        assert answer.get_json()["details"] == {"$.workspace_id": ["There is no such workspace."]}


def test_owner_of_the_organization_creates_keys_for_every_workspace(tenants: Tenants) -> None:
    wide = _make(tenants, _of_organization(tenants), role="owner").get_json()
    assert wide["workspace_id"] is None
    path = f"/v1/use-cases/{tenants.own.use_case_id}"
    assert tenants.gateway.get(path, key=wide["token"]).status_code == 200
    absent = tenants.gateway.delete(f"{PATH}/{new_id()}", key=_own(tenants))
    foreign = tenants.gateway.delete(f"{PATH}/{wide['id']}", key=_own(tenants))
    assert (foreign.status_code, foreign.get_json()) == (404, absent.get_json())
    assert wide["id"] not in [key["id"] for key in _listed(tenants, _own(tenants))]
    assert wide["id"] in [key["id"] for key in _listed(tenants, _of_organization(tenants))]


def test_expiring_key_cannot_create_a_longer_living_key(tenants: Tenants) -> None:
    """Fails without the second condition of `mistake_in_end`."""
    end, later, sooner = (f"2100-01-01T00:00:0{second}.000Z" for second in (1, 2, 0))
    for maker_key in (_own(tenants), _of_organization(tenants)):
        for role in (Role.OWNER, Role.ADMIN):
            body = {"role": role, "workspace_id": str(tenants.own.workspace_id)}
            maker = _make(tenants, maker_key, expires_at=end, **body).get_json()["token"]
            for given in ({}, {"expires_at": None}, {"expires_at": later}):
                refused = _make(tenants, maker, **given)
                assert refused.status_code == 422, (role, given)
                assert end in refused.get_json()["details"]["$.expires_at"][0]
            for good in (sooner, end):
                made = _make(tenants, maker, expires_at=good)
                assert made.get_json()["expires_at"] == good
    console = signed_in(tenants.gateway, maker)
    form = {"name": "backend", "role": "sender"}
    refused = console.post("/console/access-keys", form)
    assert (refused.status_code, end in refused.text) == (422, True)


def test_keys_are_listed_by_their_state(tenants: Tenants) -> None:
    live = _make(tenants, _own(tenants), name="live").get_json()
    ended = _make(tenants, _own(tenants), name="ended").get_json()
    tenants.gateway.delete(f"{PATH}/{ended['id']}", key=_own(tenants))
    expired = _make(tenants, _own(tenants), name="expired", expires_at=FUTURE).get_json()
    tenants.factory.set(access_keys, UUID(expired["id"]), expires_at=tenants.factory.now)

    def names(state: str) -> set[str]:
        return {key["name"] for key in _listed(tenants, _own(tenants), f"&state={state}")}

    assert names("expired") == {"expired"}
    assert names("revoked") == {"ended"}
    assert {"live", "owner key"} <= names("live")
    assert live["state"] == "live"


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, {"$.name", "$.role"}),
        ({"name": " x", "role": "king"}, {"$.name", "$.role"}),
        ({"name": str(new_id()), "role": "viewer"}, {"$.name"}),
        ({"name": "x", "role": "viewer", "expires_at": "2000-01-01T00:00:00Z"}, {"$.expires_at"}),
        ({"name": "x", "role": "viewer", "expires_at": "tomorrow"}, {"$.expires_at"}),
        (
            {
                "name": "x",
                "role": "viewer",
                "workspace_id": "00000000-0000-7000-8000-000000000000",
                "expires_at": "2000-01-01T00:00:00Z",
            },
            {"$.expires_at", "$.workspace_id"},
        ),
        ({"name": "x", "role": "viewer", "token": "mine"}, {"$.token"}),
    ],
)
def test_all_problems_are_reported_together(tenants: Tenants, body: Any, places: set[str]) -> None:
    answer = tenants.gateway.post(PATH, body, key=_own(tenants))
    assert (answer.status_code, answer.get_json()["code"]) == (422, "ValidationFailed")
    assert answer.get_json()["details"].keys() == places
