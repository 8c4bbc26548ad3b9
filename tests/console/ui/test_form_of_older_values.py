"""A form that was opened before somebody else saved overwrites nothing unseen."""

from typing import Any

import pytest

from app.access.principal import Role
from app.access.tables import workspaces
from app.use_cases.tables import use_cases
from app.users.tables import memberships
from app.webhooks.tables import webhook_endpoints
from support.console import make_user, signed_in
from support.factories import Factory, Gateway
from support.forms import form_of
from support.webhooks import HOOK


@pytest.mark.one_engine
def test_a_form_of_older_values_is_shown_again_and_saved_the_second_time(
    gateway: Gateway, factory: Factory
) -> None:
    """Break: leave out `check_unchanged` in a view."""
    organization_id = factory.organization()
    tenant = factory.tenant(organization_id)
    console = signed_in(gateway, factory.keys(organization_id, None)[Role.OWNER])
    person = make_user(factory, organization_id, {tenant.workspace_id: Role.ADMIN})
    console.post("/console/webhooks", {"url": HOOK, "events": ["sms.sent"]})
    (endpoint,) = factory.rows(webhook_endpoints)
    # The page, where its form goes, what another person saves, its table, and an edit of ours.
    cases: list[tuple[str, str, dict[str, Any], Any, dict[str, str]]] = [
        (f"use-cases/{tenant.use_case_id}", "", {"active": []}, use_cases, {"name": "Mine"}),
        (
            f"workspaces/{tenant.workspace_id}",
            "",
            {"body_retention_days": "1"},
            workspaces,
            {"name": "Mine"},
        ),
        (
            f"webhooks/{endpoint['id']}",
            "",
            {"events": ["sms.failed"]},
            webhook_endpoints,
            {"url": HOOK + "/mine"},
        ),
        (
            f"people/{person}",
            "/roles",
            {f"role_{tenant.workspace_id}": "viewer"},
            memberships,
            {"role_everywhere": "viewer"},
        ),
    ]
    for page, way, theirs, table, ours in cases:
        path, label = f"/console/{page}", "Save roles" if way else "Save"
        opened = form_of(console.get(path).text, path + way, label)
        assert console.post_without_token(path + way, opened.pressed(label, **theirs)).status_code
        stored = factory.rows(table)
        refused = console.post_without_token(path + way, opened.pressed(label, **ours))
        assert (refused.status_code, factory.rows(table)) == (422, stored), page
        assert "Somebody else has changed this" in refused.text
        again = form_of(refused.text, path + way, label).pressed(label)
        assert console.post_without_token(path + way, again).status_code == 303, page
        assert factory.rows(table) != stored
