"""How far a user of the console reaches: never beyond the roles that they have."""

from uuid import UUID

import pytest

from app.access.principal import Actor, ActorKind, Role
from app.kernel.errors import NotFound
from app.users.current_user import CurrentUser, RoleGrants, WorkspaceAccess

WORKSPACE, PERSON, ORGANIZATION = UUID(int=1), UUID(int=2), UUID(int=3)
PLACE = WorkspaceAccess(WORKSPACE, "Retail", Role.SENDER, is_suspended=False)


def current_user(everywhere: Role | None, place: WorkspaceAccess | None) -> CurrentUser:
    return CurrentUser(
        session_id=UUID(int=4),
        kind=ActorKind.USER,
        principal_id=PERSON,
        name="Ada",
        organization_id=ORGANIZATION,
        organization_name="Acme",
        reach=RoleGrants(everywhere, {} if place is None else {WORKSPACE: place.role}),
        workspace_access=place,
        workspaces=() if place is None else (place,),
    )


def test_without_workspace_and_organization_role_there_is_no_access() -> None:
    lost = current_user(None, None)
    with pytest.raises(NotFound, match="no workspace"):
        _ = lost.principal
    with pytest.raises(NotFound):
        lost.principal_for(Role.VIEWER)
    assert lost.organization_principal is None
    assert lost.actor == Actor(ActorKind.USER, "Ada", PERSON)


def test_without_a_workspace_a_role_everywhere_reaches_the_organization() -> None:
    principal = current_user(Role.ADMIN, None).principal
    assert (principal.workspace_id, principal.role) == (None, Role.ADMIN)


@pytest.mark.parametrize("everywhere", [None, Role.VIEWER])
def test_a_workspace_role_gives_no_access_elsewhere(everywhere: Role | None) -> None:
    principal = current_user(everywhere, PLACE).principal
    assert (principal.workspace_id, principal.role) == (WORKSPACE, Role.SENDER)
