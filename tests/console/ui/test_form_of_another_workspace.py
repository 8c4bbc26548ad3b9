"""A form changes the workspace that its page shows, also if another window switched since."""

import re

import pytest

from app.access.principal import Role
from app.access.tables import workspaces
from app.console.site import CONSOLE_ROUTES
from app.console.ui.guards import RequiresRole
from app.kernel.ids import new_id
from app.use_cases.tables import opt_outs
from support.console import signed_in
from support.factories import Factory, Gateway
from support.tables import unchanged

pytestmark = pytest.mark.one_engine
FORMS = [
    endpoint.path
    for routes in CONSOLE_ROUTES
    for endpoint in routes.endpoints
    if endpoint.method == "POST"
    and isinstance(endpoint.guard, RequiresRole)
    and endpoint.guard.role in {Role.SENDER, Role.ADMIN}
]


def test_a_form_of_a_workspace_that_was_left_changes_nothing(
    gateway: Gateway, factory: Factory
) -> None:
    organization_id = factory.organization()
    left, shown = (factory.tenant(organization_id, name) for name in ("Retail", "Outlet"))
    console = signed_in(gateway, factory.keys(organization_id, None)[Role.OWNER])
    console.post("/console/move", {"workspace_id": left.workspace_id}, on="/console")
    stale = {"csrf_token": console.token("/console/opt-outs"), "to_number": "+12025550123"}
    console.post("/console/move", {"workspace_id": shown.workspace_id}, on="/console")
    taken = []
    with unchanged(factory.database):
        for form in FORMS:
            path = re.sub(r"\{\w+\}", lambda _: str(new_id()), form)
            answer = console.post_without_token(path, stale)
            refused = answer.status_code == 400 and "in the workspace Retail" in answer.text
            taken += [] if refused else [(form, answer.status_code)]
    assert len(FORMS) > 20
    assert taken == []
    # A page that was left can still switch, and its form is then taken.
    moved = console.post_without_token(
        "/console/move", {**stale, "workspace_id": left.workspace_id}
    )
    assert moved.status_code == 303
    assert console.post_without_token("/console/opt-outs", stale).status_code == 303
    (added,) = factory.rows(opt_outs)
    assert added["workspace_id"] == left.workspace_id
    assert {row["suspended_at"] for row in factory.rows(workspaces)} == {None}
