"""The page of access keys: shown once, in force at once, and never more than the visitor may."""

import re
from typing import Any
from uuid import UUID

import pytest

from app.access.roles import Role
from app.access.tables import access_keys, audit_events
from support.console import Window, make_person, open_window, signed_in
from support.world import Gateway, Tenant, World

pytestmark = pytest.mark.one_engine

PATH = "/console/access-keys"
MARKUP = '"><img src=x onerror=alert(1)>'
_TOKEN = re.compile(r"bp_[0-9A-Za-z]{38}")


@pytest.fixture
def sibling(world: World, tenant: Tenant) -> Tenant:
    """Another workspace of the tenant's organization."""
    return world.tenant(tenant.organization_id, "Sibling")


def person(
    gateway: Gateway, world: World, tenant: Tenant, roles: dict[UUID | None, Role]
) -> Window:
    """A window of somebody with these roles."""
    make_person(world, tenant.organization_id, roles)
    window = open_window(gateway)
    window.sign_in()
    return window


def make(window: Window, **form: Any) -> Any:
    return window.post(PATH, {"name": "backend", "role": "sender"} | form)


def named(world: World, name: str = "backend") -> list[dict[str, Any]]:
    return [row for row in world.rows(access_keys) if row["name"] == name]


def test_a_new_key_works_and_its_token_is_shown_once(
    gateway: Gateway, world: World, tenant: Tenant
) -> None:
    window = signed_in(gateway, tenant.keys[Role.ADMIN])
    answer = make(window, workspace_id=str(tenant.workspace_id), expires_at="2100-01-01T00:00")
    assert answer.status_code == 200
    (token,) = set(_TOKEN.findall(answer.text))
    assert 'data-copies="secret"' in answer.text
    assert gateway.get("/v1/sms", key=token).status_code == 200
    page = window.get(PATH).text
    assert "backend" in page
    assert token not in page
    (key,) = named(world)
    assert (key["workspace_id"], key["role"], key["expires_at"].year) == (
        tenant.workspace_id,
        "sender",
        2100,
    )
    (row,) = [r for r in world.rows(audit_events) if r["action"] == "access_key.created"]
    assert (row["target"], row["actor_name"]) == (str(key["id"]), "admin key")


def test_a_revoked_key_is_refused_at_its_next_request(
    gateway: Gateway, world: World, tenant: Tenant
) -> None:
    window = signed_in(gateway, tenant.keys[Role.ADMIN])
    token = _TOKEN.findall(make(window).text)[0]
    (key,) = named(world)
    answer = window.post(f"{PATH}/{key['id']}/revoke", on=PATH)
    assert answer.status_code == 303
    assert gateway.get("/v1/sms", key=token).status_code == 401
    assert "backend is revoked." in window.get(PATH).text
    assert "access_key.revoked" in [row["action"] for row in world.rows(audit_events)]


def test_a_key_that_was_used_to_sign_in_may_revoke_itself_and_is_out(
    gateway: Gateway, world: World, tenant: Tenant
) -> None:
    window = signed_in(gateway, tenant.keys[Role.OWNER])
    (own,) = named(world, "owner key")
    window.post(f"{PATH}/{own['id']}/revoke", on=PATH)
    assert window.get(PATH).status_code == 302


@pytest.mark.parametrize("role", ["admin", "owner"])
def test_an_admin_is_offered_and_given_no_greater_key(
    gateway: Gateway, world: World, tenant: Tenant, role: str
) -> None:
    window = signed_in(gateway, tenant.keys[Role.ADMIN])
    page = window.get(PATH).text
    assert f'<option value="{role}"' not in page
    assert '<option value="sender" selected' in page
    assert make(window, role=role).status_code == 403
    assert named(world) == []


def test_an_admin_revokes_no_greater_key(gateway: Gateway, world: World, tenant: Tenant) -> None:
    window = signed_in(gateway, tenant.keys[Role.ADMIN])
    (owner,) = named(world, "owner key")
    page = window.get(PATH).text
    assert f"{owner['id']}/revoke" not in page
    assert window.post(f"{PATH}/{owner['id']}/revoke", on=PATH).status_code == 403
    assert named(world, "owner key")[0]["revoked_at"] is None


def test_an_owner_of_a_workspace_reaches_neither_others_nor_the_organization(
    gateway: Gateway, world: World, tenant: Tenant, sibling: Tenant
) -> None:
    window = signed_in(gateway, tenant.keys[Role.OWNER])
    beyond = make(window, role="owner", workspace_id=str(sibling.workspace_id))
    assert (beyond.status_code, "There is no such workspace." in beyond.text) == (422, True)
    assert make(window, role="owner", workspace_id="").status_code == 200
    (made,) = named(world)
    assert made["workspace_id"] == tenant.workspace_id
    theirs = next(
        r for r in named(world, "viewer key") if r["workspace_id"] != made["workspace_id"]
    )
    assert window.post(f"{PATH}/{theirs['id']}/revoke", on=PATH).status_code == 404
    assert str(theirs["id"]) not in window.get(f"{PATH}?workspace_id={sibling.workspace_id}").text


def test_an_owner_of_the_organization_makes_keys_of_all_workspaces(
    gateway: Gateway, world: World, tenant: Tenant, sibling: Tenant
) -> None:
    window = person(gateway, world, tenant, {None: Role.OWNER})
    assert "All workspaces" in window.get(PATH).text
    make(window, name="wide", role="owner", workspace_id="")
    make(window, name="theirs", workspace_id=str(sibling.workspace_id))
    assert named(world, "wide")[0]["workspace_id"] is None
    assert named(world, "theirs")[0]["workspace_id"] == sibling.workspace_id
    shown = window.get(f"{PATH}?workspace_id={sibling.workspace_id}").text
    assert ("theirs" in shown, "wide" in shown) == (True, False)


def test_an_owner_here_who_is_admin_elsewhere_makes_owner_keys_here_alone(
    gateway: Gateway, world: World, tenant: Tenant, sibling: Tenant
) -> None:
    roles = {None: Role.ADMIN, tenant.workspace_id: Role.OWNER}
    window = person(gateway, world, tenant, roles)
    window.post("/console/move", {"workspace_id": str(tenant.workspace_id)}, on="/console")
    assert make(window, role="owner", workspace_id=str(tenant.workspace_id)).status_code == 200
    for beyond in ("", str(sibling.workspace_id)):
        assert make(window, role="owner", workspace_id=beyond).status_code == 403
    assert len(named(world)) == 1


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"name": ""}, "Missing data for required field."),
        ({"name": "a" * 201}, "Must have 1 to 200 characters"),
        ({"role": "king"}, "Must be one of: viewer, sender, admin, owner."),
        ({"expires_at": "2001-01-01T00:00"}, "Has already passed."),
        ({"expires_at": "tomorrow"}, "Must be a time in RFC 3339 with an offset."),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    gateway: Gateway, world: World, tenant: Tenant, form: dict[str, str], said: str
) -> None:
    window = signed_in(gateway, tenant.keys[Role.ADMIN])
    answer = make(window, **form)
    (field,) = form
    assert answer.status_code == 422
    problem = re.search(rf'<small id="{field}-problem"[^>]*>([^<]*)', answer.text)
    assert problem is not None
    assert said in problem.group(1)
    assert len(world.rows(access_keys)) == len(Role)


def test_filters_narrow_the_list_and_a_wrong_one_is_named(gateway: Gateway, tenant: Tenant) -> None:
    window = signed_in(gateway, tenant.keys[Role.ADMIN])
    assert "owner key" in window.get(f"{PATH}?state=live").text
    assert "No results" in window.get(f"{PATH}?state=expired").text
    wrong = window.get(f"{PATH}?state=gone")
    assert (wrong.status_code, "Must be one of" in wrong.text) == (422, True)


def test_markup_in_names_stays_text(gateway: Gateway, tenant: Tenant) -> None:
    window = signed_in(gateway, tenant.keys[Role.ADMIN])
    made = make(window, name=MARKUP)
    assert made.status_code == 200
    for page in (made.text, window.get(PATH).text):
        assert "&lt;img src=x" in page
        assert "<img src=x" not in page
