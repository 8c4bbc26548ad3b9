"""How far a visitor of the console reaches: never beyond the roles that they have."""

from uuid import UUID

import pytest

from app.access.actor import Actor
from app.access.principal import ActorKind
from app.access.roles import Role
from app.kernel.errors import NotFound
from app.people.reach import Reach
from app.people.visitor import Place, Visitor

WORKSPACE, PERSON, ORGANIZATION = UUID(int=1), UUID(int=2), UUID(int=3)
PLACE = Place(WORKSPACE, "Retail", Role.SENDER, is_frozen=False)


def visitor(everywhere: Role | None, place: Place | None) -> Visitor:
    return Visitor(
        session_id=UUID(int=4),
        kind=ActorKind.USER,
        visitor_id=PERSON,
        name="Ada",
        organization_id=ORGANIZATION,
        organization_name="Acme",
        reach=Reach(everywhere, {} if place is None else {WORKSPACE: place.role}),
        place=place,
        places=() if place is None else (place,),
    )


def test_without_a_workspace_and_a_role_everywhere_nothing_is_reached() -> None:
    lost = visitor(None, None)
    with pytest.raises(NotFound, match="no workspace"):
        _ = lost.principal
    with pytest.raises(NotFound):
        lost.principal_for(Role.VIEWER)
    assert lost.organization_principal is None
    assert lost.actor == Actor(ActorKind.USER, "Ada", PERSON)


def test_without_a_workspace_a_role_everywhere_reaches_the_organization() -> None:
    principal = visitor(Role.ADMIN, None).principal
    assert (principal.workspace_id, principal.role) == (None, Role.ADMIN)


@pytest.mark.parametrize("everywhere", [None, Role.VIEWER])
def test_in_a_workspace_nothing_beyond_it_is_reached(everywhere: Role | None) -> None:
    principal = visitor(everywhere, PLACE).principal
    assert (principal.workspace_id, principal.role) == (WORKSPACE, Role.SENDER)
