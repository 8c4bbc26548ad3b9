"""Access keys through HTTP: shown once, ended at once, and never more than their maker may."""

from typing import Any
from uuid import UUID

import pytest

from app.access.principal import Role
from app.access.tables import access_keys, audit_events
from app.kernel.ids import new_id
from support.console_client import signed_in
from support.related_tenants import TenantsUnderTest

PATH = "/v1/access-keys"
FUTURE = "2100-01-01T00:00:00.000Z"


def _make(tenants_under_test: TenantsUnderTest, key: str, **given: Any) -> Any:
    return tenants_under_test.gateway.post(
        PATH, {"name": "backend", "role": "sender"} | given, key=key
    )


def _own(tenants_under_test: TenantsUnderTest, role: Role = Role.OWNER) -> str:
    return tenants_under_test.own.keys[role]


def _of_organization(tenants_under_test: TenantsUnderTest, role: Role = Role.OWNER) -> str:
    return tenants_under_test.related_tenants.organization_keys[role]


def _listed(tenants_under_test: TenantsUnderTest, key: str, query: str = "") -> list[Any]:
    found: list[Any] = tenants_under_test.gateway.get(
        f"{PATH}?limit=100{query}", key=key
    ).get_json()["items"]
    return found


def test_new_key_works_and_shows_its_token_once(
    tenants_under_test: TenantsUnderTest,
) -> None:
    answer = _make(tenants_under_test, _own(tenants_under_test), expires_at=FUTURE)
    assert answer.status_code == 201
    made = answer.get_json()
    token = made.pop("token")
    assert made == {
        "id": made["id"],
        "organization_id": str(tenants_under_test.own.organization_id),
        "workspace_id": str(tenants_under_test.own.workspace_id),
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
    assert (
        tenants_under_test.gateway.get(
            f"{PATH}/{made['id']}", key=_own(tenants_under_test)
        ).get_json()
        == made
    )
    assert tenants_under_test.gateway.get("/v1/sms", key=token).status_code == 200
    used = tenants_under_test.gateway.get("/v1/me", key=token).get_json()
    assert used["last_used_address"] == "127.0.0.1"
    assert used | {"last_used_at": None, "last_used_address": None} == made
    assert _listed(tenants_under_test, token)[0] == used
    assert token not in str(tenants_under_test.factory.rows(access_keys))


def test_a_revocation_is_in_force_for_the_next_request_and_again_is_no_other(
    tenants_under_test: TenantsUnderTest,
) -> None:
    made = _make(tenants_under_test, _own(tenants_under_test)).get_json()
    assert tenants_under_test.gateway.get("/v1/sms", key=made["token"]).status_code == 200
    for _ in range(2):
        answer = tenants_under_test.gateway.delete(
            f"{PATH}/{made['id']}", key=_own(tenants_under_test, Role.ADMIN)
        )
        assert (answer.status_code, answer.data) == (204, b"")
        assert tenants_under_test.gateway.get("/v1/sms", key=made["token"]).status_code == 401
    shown = tenants_under_test.gateway.get(
        f"{PATH}/{made['id']}", key=_own(tenants_under_test)
    ).get_json()
    assert shown["state"] == "revoked"
    audit_trail = [
        row for row in tenants_under_test.factory.rows(audit_events) if row["target"] == made["id"]
    ]
    assert sorted((row["action"], row["reason"]) for row in audit_trail) == [
        ("access_key.created", "backend (sender)"),
        ("access_key.revoked", "backend (sender)"),
    ]


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OWNER])
@pytest.mark.parametrize("whose", ["own", "organization"])
def test_admin_neither_creates_nor_revokes_keys_above_sender(
    tenants_under_test: TenantsUnderTest, whose: str, role: Role
) -> None:
    admin = (_own if whose == "own" else _of_organization)(tenants_under_test, Role.ADMIN)
    before = tenants_under_test.factory.rows(access_keys)
    refused = _make(
        tenants_under_test,
        admin,
        role=role.value,
        workspace_id=str(tenants_under_test.own.workspace_id),
    )
    assert (refused.status_code, refused.get_json()["code"]) == (403, "Forbidden")
    assert tenants_under_test.factory.rows(access_keys) == before
    other = _make(tenants_under_test, _own(tenants_under_test), role=role.value).get_json()
    kept = tenants_under_test.gateway.delete(f"{PATH}/{other['id']}", key=admin)
    assert (kept.status_code, kept.get_json()["code"]) == (403, "Forbidden")
    assert tenants_under_test.gateway.get("/v1/sms", key=other["token"]).status_code == 200
    for small in (Role.VIEWER, Role.SENDER):
        body = {"role": small.value, "workspace_id": str(tenants_under_test.own.workspace_id)}
        assert _make(tenants_under_test, admin, **body).status_code == 201


def test_admin_of_the_organization_manages_no_key_of_the_organization(
    tenants_under_test: TenantsUnderTest,
) -> None:
    admin, owner = (
        _of_organization(tenants_under_test, Role.ADMIN),
        _of_organization(tenants_under_test),
    )
    assert _make(tenants_under_test, admin, role="viewer").status_code == 403
    wide = _make(tenants_under_test, owner, role="viewer").get_json()
    assert tenants_under_test.gateway.delete(f"{PATH}/{wide['id']}", key=admin).status_code == 403


def test_owner_of_a_workspace_creates_keys_of_it_only(
    tenants_under_test: TenantsUnderTest,
) -> None:
    owner = _own(tenants_under_test)
    for given in ({}, {"workspace_id": None}):
        made = _make(tenants_under_test, owner, role="owner", **given).get_json()
        assert made["workspace_id"] == str(tenants_under_test.own.workspace_id)
    for other in (
        tenants_under_test.related_tenants.sibling,
        tenants_under_test.related_tenants.parent,
        tenants_under_test.related_tenants.stranger,
    ):
        answer = _make(tenants_under_test, owner, workspace_id=str(other.workspace_id))
        assert answer.get_json()["details"] == {"$.workspace_id": ["There is no such workspace."]}


def test_owner_of_the_organization_creates_keys_for_every_workspace(
    tenants_under_test: TenantsUnderTest,
) -> None:
    wide = _make(tenants_under_test, _of_organization(tenants_under_test), role="owner").get_json()
    assert wide["workspace_id"] is None
    path = f"/v1/use-cases/{tenants_under_test.own.use_case_id}"
    assert tenants_under_test.gateway.get(path, key=wide["token"]).status_code == 200
    absent = tenants_under_test.gateway.delete(f"{PATH}/{new_id()}", key=_own(tenants_under_test))
    foreign = tenants_under_test.gateway.delete(
        f"{PATH}/{wide['id']}", key=_own(tenants_under_test)
    )
    assert (foreign.status_code, foreign.get_json()) == (404, absent.get_json())
    assert wide["id"] not in [
        key["id"] for key in _listed(tenants_under_test, _own(tenants_under_test))
    ]
    assert wide["id"] in [
        key["id"] for key in _listed(tenants_under_test, _of_organization(tenants_under_test))
    ]


@pytest.mark.parametrize("key_role", [Role.VIEWER, Role.SENDER])
def test_keys_below_an_admin_make_none(
    tenants_under_test: TenantsUnderTest, key_role: Role
) -> None:
    assert (
        _make(tenants_under_test, _own(tenants_under_test, key_role), role="viewer").status_code
        == 403
    )


def test_expiring_key_cannot_create_a_longer_living_key(
    tenants_under_test: TenantsUnderTest,
) -> None:
    """Fails without the second condition of `mistake_in_end`."""
    end, later, sooner = (f"2100-01-01T00:00:0{second}.000Z" for second in (1, 2, 0))
    for maker_key in (_own(tenants_under_test), _of_organization(tenants_under_test)):
        for role in (Role.OWNER, Role.ADMIN):
            body = {"role": role, "workspace_id": str(tenants_under_test.own.workspace_id)}
            maker = _make(tenants_under_test, maker_key, expires_at=end, **body).get_json()["token"]
            for given in ({}, {"expires_at": None}, {"expires_at": later}):
                refused = _make(tenants_under_test, maker, **given)
                assert refused.status_code == 422, (role, given)
                assert end in refused.get_json()["details"]["$.expires_at"][0]
            for good in (sooner, end):
                made = _make(tenants_under_test, maker, expires_at=good)
                assert made.get_json()["expires_at"] == good
    console_client = signed_in(tenants_under_test.gateway, maker)
    form = {"name": "backend", "role": "sender"}
    refused = console_client.post("/console/access-keys", form)
    assert (refused.status_code, end in refused.text) == (422, True)


def test_keys_are_listed_by_their_state(tenants_under_test: TenantsUnderTest) -> None:
    live = _make(tenants_under_test, _own(tenants_under_test), name="live").get_json()
    ended = _make(tenants_under_test, _own(tenants_under_test), name="ended").get_json()
    tenants_under_test.gateway.delete(f"{PATH}/{ended['id']}", key=_own(tenants_under_test))
    expired = _make(
        tenants_under_test, _own(tenants_under_test), name="expired", expires_at=FUTURE
    ).get_json()
    tenants_under_test.factory.set(
        access_keys, UUID(expired["id"]), expires_at=tenants_under_test.factory.now
    )

    def names(state: str) -> set[str]:
        return {
            key["name"]
            for key in _listed(tenants_under_test, _own(tenants_under_test), f"&state={state}")
        }

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
def test_all_problems_are_reported_together(
    tenants_under_test: TenantsUnderTest, body: Any, places: set[str]
) -> None:
    answer = tenants_under_test.gateway.post(PATH, body, key=_own(tenants_under_test))
    assert (answer.status_code, answer.get_json()["code"]) == (422, "ValidationFailed")
    assert answer.get_json()["details"].keys() == places
