"""The page of access keys: shown once, in force at once, and never more than the user may."""

import re
from dataclasses import replace
from typing import Any

import pytest

from app.access.principal import Role
from app.access.tables import access_keys, audit_events
from app.use_cases.tables import use_cases
from support.console import Console, signed_in, signed_in_user
from support.factories import Factory, Gateway, Tenant

pytestmark = pytest.mark.one_engine

PATH = "/console/access-keys"
MARKUP = '"><img src=x onerror=alert(1)>'
_TOKEN = re.compile(r"bp_[0-9A-Za-z]{38}")


@pytest.fixture
def sibling(factory: Factory, tenant: Tenant) -> Tenant:
    """Another workspace of the tenant's organization."""
    return factory.tenant(tenant.organization_id, "Sibling")


def make(console: Console, **form: Any) -> Any:
    return console.post(PATH, {"name": "backend", "role": "sender"} | form)


def named(factory: Factory, name: str = "backend") -> list[dict[str, Any]]:
    return factory.rows(access_keys, name=name)


def test_a_new_key_works_and_its_token_is_shown_once(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    console = signed_in(gateway, tenant.keys[Role.ADMIN])
    answer = make(console, workspace_id=str(tenant.workspace_id), expires_at="2100-01-01T00:00")
    assert answer.status_code == 200
    (token,) = set(_TOKEN.findall(answer.text))
    assert 'data-copies="secret"' in answer.text
    assert gateway.get("/v1/sms", key=token).status_code == 200
    page = console.get(PATH).text
    assert "backend" in page
    assert f"{token[:8]}…" in page
    assert token not in page
    (key,) = named(factory)
    assert (key["workspace_id"], key["role"], key["expires_at"].year) == (
        tenant.workspace_id,
        "sender",
        2100,
    )
    (row,) = factory.rows(audit_events, action="access_key.created")
    assert (row["target"], row["actor_name"]) == (str(key["id"]), "admin key")


def test_a_revoked_key_is_refused_at_its_next_request(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    console = signed_in(gateway, tenant.keys[Role.ADMIN])
    token = _TOKEN.findall(make(console).text)[0]
    (key,) = named(factory)
    answer = console.post(f"{PATH}/{key['id']}/revoke", on=PATH)
    assert answer.status_code == 303
    assert gateway.get("/v1/sms", key=token).status_code == 401
    assert "backend is revoked." in console.get(PATH).text
    assert "access_key.revoked" in [row["action"] for row in factory.rows(audit_events)]


def test_a_key_that_was_used_to_sign_in_may_revoke_itself_and_is_out(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    console = signed_in(gateway, tenant.keys[Role.OWNER])
    (own,) = named(factory, "owner key")
    console.post(f"{PATH}/{own['id']}/revoke", on=PATH)
    assert console.get(PATH).status_code == 302


@pytest.mark.parametrize("role", ["admin", "owner"])
def test_an_admin_is_offered_and_given_no_greater_key(
    gateway: Gateway, factory: Factory, tenant: Tenant, role: str
) -> None:
    console = signed_in(gateway, tenant.keys[Role.ADMIN])
    page = console.get(PATH).text
    assert f'<option value="{role}"' not in page
    assert '<option value="sender" selected' in page
    assert make(console, role=role).status_code == 403
    assert named(factory) == []


def test_an_admin_revokes_no_greater_key(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    console = signed_in(gateway, tenant.keys[Role.ADMIN])
    (owner,) = named(factory, "owner key")
    page = console.get(PATH).text
    assert f"{owner['id']}/revoke" not in page
    assert console.post(f"{PATH}/{owner['id']}/revoke", on=PATH).status_code == 403
    assert named(factory, "owner key")[0]["revoked_at"] is None


def test_an_owner_of_a_workspace_reaches_neither_others_nor_the_organization(
    gateway: Gateway, factory: Factory, tenant: Tenant, sibling: Tenant
) -> None:
    console = signed_in(gateway, tenant.keys[Role.OWNER])
    beyond = make(console, role="owner", workspace_id=str(sibling.workspace_id))
    assert (beyond.status_code, "There is no such workspace." in beyond.text) == (422, True)
    assert make(console, role="owner", workspace_id="").status_code == 200
    (made,) = named(factory)
    assert made["workspace_id"] == tenant.workspace_id
    theirs = next(
        r for r in named(factory, "viewer key") if r["workspace_id"] != made["workspace_id"]
    )
    assert console.post(f"{PATH}/{theirs['id']}/revoke", on=PATH).status_code == 404
    assert str(theirs["id"]) not in console.get(f"{PATH}?workspace_id={sibling.workspace_id}").text


def test_an_owner_of_the_organization_makes_keys_of_all_workspaces(
    gateway: Gateway, factory: Factory, tenant: Tenant, sibling: Tenant
) -> None:
    console = signed_in_user(gateway, factory, tenant.organization_id, {None: Role.OWNER})
    assert "All workspaces" in console.get(PATH).text
    make(console, name="wide", role="owner", workspace_id="")
    make(console, name="theirs", workspace_id=str(sibling.workspace_id))
    assert named(factory, "wide")[0]["workspace_id"] is None
    assert named(factory, "theirs")[0]["workspace_id"] == sibling.workspace_id
    shown = console.get(f"{PATH}?workspace_id={sibling.workspace_id}").text
    assert ("theirs" in shown, "wide" in shown) == (True, False)


def test_an_owner_creates_owner_keys_only_where_they_are_owner(
    gateway: Gateway, factory: Factory, tenant: Tenant, sibling: Tenant
) -> None:
    roles = {None: Role.ADMIN, tenant.workspace_id: Role.OWNER}
    console = signed_in_user(gateway, factory, tenant.organization_id, roles)
    console.post("/console/move", {"workspace_id": str(tenant.workspace_id)}, on="/console")
    assert make(console, role="owner", workspace_id=str(tenant.workspace_id)).status_code == 200
    for beyond in ("", str(sibling.workspace_id)):
        assert make(console, role="owner", workspace_id=beyond).status_code == 403
    assert len(named(factory)) == 1


@pytest.mark.parametrize(
    ("form", "expected_text"),
    [
        ({"name": ""}, "Missing data for required field."),
        ({"name": "a" * 201}, "Must have 1 to 200 characters"),
        ({"role": "king"}, "Must be one of: viewer, sender, admin, owner."),
        ({"expires_at": "2001-01-01T00:00"}, "Has already passed."),
        ({"expires_at": "tomorrow"}, "Must be a time in RFC 3339 with an offset."),
    ],
)
def test_problems_are_shown_at_their_field(
    gateway: Gateway, factory: Factory, tenant: Tenant, form: dict[str, str], expected_text: str
) -> None:
    console = signed_in(gateway, tenant.keys[Role.ADMIN])
    answer = make(console, **form)
    (field,) = form
    assert answer.status_code == 422
    problem = re.search(rf'<small id="{field}-problem"[^>]*>([^<]*)', answer.text)
    assert problem is not None
    assert expected_text in problem.group(1)
    assert len(factory.rows(access_keys)) == len(Role)


def test_a_key_is_limited_to_use_cases_and_the_list_names_its_limits(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    """Break: do not pass the chosen ones on, and the key sends through all."""
    chosen, other = factory.use_case(tenant.workspace_id, name="codes"), tenant.use_case_id
    gone = factory.use_case(tenant.workspace_id, name="old", deleted_at=factory.now)
    console = signed_in(gateway, tenant.keys[Role.ADMIN])
    page = console.get(PATH).text
    assert (f'value="{chosen}"' in page, f'value="{gone}"' in page) == (True, False)
    limits = {"countries": "US, CA", "source_networks": "127.0.0.0/8", "rate": "5"}
    made = make(console, use_case_ids=[str(chosen)], **limits)
    (token,) = set(_TOKEN.findall(made.text))
    for use_case_id, status in ((chosen, 201), (other, 403)):
        sends = replace(tenant, use_case_id=use_case_id, keys={Role.SENDER: token})
        assert gateway.send(sends).status_code == status
    for text in (
        "Rate: 5 requests per second, burst 10",
        "Use cases: codes",
        "Countries: CA, US",
        "Networks: 127.0.0.0/8",
    ):
        assert text in console.get(PATH).text
        label, shown = text.split(": ")
        assert f"<dt>{label}</dt><dd>{shown}</dd>" in made.text


def test_use_cases_of_other_workspaces_are_offered_to_those_who_may_choose_one(
    gateway: Gateway, factory: Factory, tenant: Tenant, sibling: Tenant
) -> None:
    """A wrong choice is named at its field and stays selected."""
    factory.set(use_cases, sibling.use_case_id, name="theirs")
    admin = signed_in(gateway, tenant.keys[Role.ADMIN])
    assert "theirs" not in admin.get(PATH).text
    console = signed_in_user(gateway, factory, tenant.organization_id, {None: Role.OWNER})
    assert "theirs (Sibling)" in console.get(PATH).text
    theirs = str(sibling.use_case_id)
    wrong = make(console, workspace_id=str(tenant.workspace_id), use_case_ids=[theirs])
    assert wrong.status_code == 422
    assert f'value="{theirs}" checked' in wrong.text
    assert 'id="use_case_ids-problem" class="problem">There is no such use case.' in wrong.text
    assert make(console, workspace_id="", use_case_ids=[theirs]).status_code == 200


def test_filters_narrow_the_list_and_a_wrong_one_is_named(gateway: Gateway, tenant: Tenant) -> None:
    console = signed_in(gateway, tenant.keys[Role.ADMIN])
    assert "owner key" in console.get(f"{PATH}?state=live").text
    assert "No results" in console.get(f"{PATH}?state=expired").text
    wrong = console.get(f"{PATH}?state=gone")
    assert (wrong.status_code, "Must be one of" in wrong.text) == (422, True)


def test_markup_in_names_stays_text(gateway: Gateway, tenant: Tenant) -> None:
    console = signed_in(gateway, tenant.keys[Role.ADMIN])
    made = make(console, name=MARKUP)
    assert made.status_code == 200
    for page in (made.text, console.get(PATH).text):
        assert "&lt;img src=x" in page
        assert "<img src=x" not in page
