"""The page of the audit: each sees the own rows alone, in words, with the way to the object."""

import re
from typing import Any
from uuid import UUID

import pytest

from app.access.audit import AuditedChange, AuditEvent
from app.access.principal import Actor, ActorKind, Role
from app.kernel.ids import new_id
from support.console import signed_in, signed_in_user
from support.factories import Factory, Gateway, Tenant

pytestmark = pytest.mark.one_engine

PATH = "/console/audit"


def note(
    factory: Factory, tenant: Tenant, action: str, *, of_organization: bool = False, **given: Any
) -> None:
    """Write a row of the tenant's workspace, or of its organization."""
    actor = Actor(given.pop("kind", ActorKind.USER), given.pop("who", "Ada Example"), new_id())
    workspace_id = None if of_organization else tenant.workspace_id
    at = given.pop("at", factory.now)
    event = AuditEvent(action, workspace_id, organization_id=tenant.organization_id, **given)
    with factory.database.writing() as connection:
        AuditedChange(connection, actor, at).record(event)


def test_a_role_in_one_workspace_shows_no_row_of_another(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    sibling = factory.tenant(tenant.organization_id, "Sibling")
    stranger = factory.tenant(factory.organization("Other"), "Stranger")
    note(factory, tenant, "workspace.frozen", reason="own reason")
    for other in (sibling, stranger):
        note(factory, other, "workspace.frozen", reason="their reason")
    note(factory, tenant, "access_key.created", of_organization=True, reason="their reason")
    roles: dict[UUID | None, Role] = {
        None: Role.VIEWER,
        tenant.workspace_id: Role.OWNER,
        sibling.workspace_id: Role.SENDER,
    }
    console = signed_in_user(gateway, factory, tenant.organization_id, roles)
    console.post("/console/move", {"workspace_id": str(tenant.workspace_id)}, on="/console")
    for query in (
        "",
        f"?workspace_id={tenant.workspace_id}",
        f"?workspace_id={sibling.workspace_id}",
        f"?workspace_id={stranger.workspace_id}",
        "?action=access_key.created",
    ):
        assert "their reason" not in console.get(PATH + query).text, query
    assert "own reason" in console.get(PATH).text
    console.post("/console/move", {"workspace_id": str(sibling.workspace_id)}, on="/console")
    assert console.get(PATH).status_code == 403


def test_an_owner_of_the_organization_sees_all_its_rows_and_no_strangers(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    sibling = factory.tenant(tenant.organization_id, "Sibling")
    stranger = factory.tenant(factory.organization("Other"), "Stranger")
    note(factory, sibling, "workspace.frozen", reason="of the sibling")
    note(factory, stranger, "workspace.frozen", reason="of the stranger")
    note(factory, tenant, "access_key.created", of_organization=True, reason="of the organization")
    console = signed_in_user(gateway, factory, tenant.organization_id, {None: Role.OWNER})
    page = console.get(PATH).text
    assert ("of the sibling" in page, "of the organization" in page) == (True, True)
    assert "of the stranger" not in page
    narrowed = console.get(f"{PATH}?workspace_id={sibling.workspace_id}").text
    assert ("of the sibling" in narrowed, "of the organization" in narrowed) == (True, False)


def test_actions_are_shown_in_words_with_a_link_to_the_object(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    key_id = str(new_id())
    note(factory, tenant, "access_key.revoked", target=key_id, reason="backend (sender)")
    note(factory, tenant, "workspace.frozen", target=str(tenant.workspace_id))
    note(factory, tenant, "new_thing.was_done", target="4")
    page = signed_in(gateway, tenant.keys[Role.ADMIN]).get(PATH).text
    assert '<span title="access_key.revoked">Access key revoked</span>' in page
    assert '<a href="/console/access-keys">access key</a>' in page
    assert f'title="{key_id}">…{key_id[-8:]}' in page
    assert '<span title="new_thing.was_done">New thing was done</span>' in page
    # The page of workspaces is for owners of the organization.
    assert "/console/workspaces" not in page
    everywhere = factory.keys(tenant.organization_id, None)
    wide = signed_in(gateway, everywhere[Role.OWNER]).get(PATH).text
    assert f'href="/console/workspaces/{tenant.workspace_id}"' in wide


def test_filters_narrow_the_list_and_a_wrong_one_is_named(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    note(factory, tenant, "workspace.frozen", reason="by Ada")
    system = {"kind": ActorKind.SYSTEM, "who": "100%_worker"}
    note(factory, tenant, "workspace.thawed", reason="by the worker", **system)
    console = signed_in(gateway, tenant.keys[Role.ADMIN])

    def shown(query: str) -> list[str]:
        page = console.get(f"{PATH}?{query}").text
        return re.findall(r'class="details">(by [^<]+)</td>', page)

    both = ["by the worker", "by Ada"]
    day = factory.now.date().isoformat()
    assert shown("") == both
    assert shown("action=workspace.frozen") == ["by Ada"]
    assert shown("actor_kind=system") == ["by the worker"]
    assert shown("actor_name=ada") == ["by Ada"]
    assert shown("actor_name=100%25_W") == ["by the worker"]
    assert shown("actor_name=%25") == []
    assert shown(f"since={day}&until={day}") == both
    assert shown("since=2100-01-01") == []
    assert shown("until=2001-01-01") == []
    wrong = console.get(f"{PATH}?since=today")
    assert (wrong.status_code, "Must be a date" in wrong.text) == (422, True)
    assert "No results" in console.get(f"{PATH}?actor_name=nobody").text


def test_pages_go_back_in_time_and_keep_the_search(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    for place in range(45):
        note(factory, tenant, "workspace.frozen", reason=f"by {place:02}")
    console = signed_in(gateway, tenant.keys[Role.ADMIN])
    first = console.get(f"{PATH}?action=workspace.frozen").text
    found = re.search(r'rel="next" href="([^"]+)"', first)
    assert found is not None
    assert "action=workspace.frozen" in found.group(1)
    second = console.get(found.group(1).replace("&amp;", "&")).text
    assert re.findall(r">by (\d\d)<", first + second) == [f"{n:02}" for n in range(44, -1, -1)]
    assert 'rel="next"' not in second
