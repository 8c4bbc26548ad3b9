"""The last owner stays, and nobody bars themselves: on both engines, at once too."""

from collections.abc import Callable
from uuid import UUID

import pytest

from app.access.audit import AuditedChange
from app.access.principal import Actor, ActorKind, Role
from app.access.tables import audit_events
from app.kernel.errors import NotFound, ValidationFailed
from app.users.manage import (
    LAST_OWNER,
    YOURSELF,
    change_roles,
    disable_user,
    is_last_owner,
    reset_user,
)
from app.users.passwords import NewPassword
from app.users.store import PageFilter, load_user_details, load_user_page, require_user
from app.users.tables import users
from support.console import ACTOR, make_user
from support.factories import Factory, Tenant
from support.threads import together

Roles = dict[UUID | None, Role]
OWNER: Roles = {None: Role.OWNER}


def disable(factory: Factory, tenant: Tenant, user_id: UUID, actor: Actor = ACTOR) -> bool:
    with factory.database.writing() as connection:
        user = require_user(connection, tenant.organization_id, user_id)
        return disable_user(AuditedChange(connection, actor, factory.now), user)


def give(factory: Factory, tenant: Tenant, user_id: UUID, roles: Roles) -> None:
    with factory.database.writing() as connection:
        user = require_user(connection, tenant.organization_id, user_id)
        change_roles(AuditedChange(connection, ACTOR, factory.now), user, roles)


def person(factory: Factory, tenant: Tenant, roles: Roles, email: str = "ada@example.com") -> UUID:
    return make_user(factory, tenant.organization_id, roles, email)


def problems_of(attempt: Callable[[], object]) -> dict[str, list[str]]:
    with pytest.raises(ValidationFailed) as refused:
        attempt()
    return dict(refused.value.details or {})


@pytest.mark.parametrize(
    ("owners", "is_last"), [((1,), True), ((1, 2), False), ((2,), False), ((), False)]
)
def test_the_last_owner_is_the_only_one(owners: tuple[int, ...], is_last: bool) -> None:
    assert is_last_owner(UUID(int=1), [UUID(int=one) for one in owners]) is is_last


def test_last_owner_is_neither_disabled_nor_demoted(factory: Factory, tenant: Tenant) -> None:
    last = person(factory, tenant, OWNER)
    # Who is owner of a workspace, less than owner everywhere, or of others, does not count.
    person(factory, tenant, {tenant.workspace_id: Role.OWNER}, "b@example.com")
    person(factory, tenant, {None: Role.ADMIN}, "c@example.com")
    make_user(factory, factory.organization("Other"), OWNER, "d@example.com")
    disabled = person(factory, tenant, OWNER, "e@example.com")
    assert disable(factory, tenant, disabled)
    noted = len(factory.rows(audit_events))
    assert problems_of(lambda: disable(factory, tenant, last)) == {"$": [LAST_OWNER]}
    less: Roles = {None: Role.ADMIN, tenant.workspace_id: Role.OWNER}
    assert problems_of(lambda: give(factory, tenant, last, less)) == {"$.roles": [LAST_OWNER]}
    assert len(factory.rows(audit_events)) == noted
    give(factory, tenant, last, OWNER | {tenant.workspace_id: Role.VIEWER})
    person(factory, tenant, OWNER, "f@example.com")
    give(factory, tenant, last, less)


def test_one_of_two_owners_disabling_each_other_stays(factory: Factory, tenant: Tenant) -> None:
    pair = [person(factory, tenant, OWNER, f"{name}@example.com") for name in "ab"]

    def attempt(user_id: UUID) -> bool:
        try:
            return disable(factory, tenant, user_id)
        except ValidationFailed:
            return False

    done = together([lambda: attempt(pair[0]), lambda: attempt(pair[1])])
    assert sorted(done) == [False, True]
    assert len([row for row in factory.rows(users) if row["disabled_at"] is None]) == 1


def test_users_cannot_disable_or_reset_themselves(factory: Factory, tenant: Tenant) -> None:
    ada, _ = (person(factory, tenant, OWNER, f"{name}@example.com") for name in ("ada", "bo"))
    own = Actor(ActorKind.USER, "Ada", ada)
    assert problems_of(lambda: disable(factory, tenant, ada, own)) == {"$": [YOURSELF]}

    def reset() -> None:
        with factory.database.writing() as connection:
            user = require_user(connection, tenant.organization_id, ada)
            reset_user(AuditedChange(connection, own, factory.now), user, NewPassword("hash"))

    assert problems_of(reset) == {"$": [YOURSELF]}


def test_a_role_is_given_in_workspaces_of_the_organization_alone(
    factory: Factory, tenant: Tenant
) -> None:
    stranger = factory.tenant(factory.organization("Other"), "Stranger")
    ada = person(factory, tenant, {tenant.workspace_id: Role.VIEWER})
    absent = {"$.roles": ["There is no such workspace."]}
    theirs: Roles = {stranger.workspace_id: Role.OWNER}
    assert problems_of(lambda: give(factory, tenant, ada, theirs)) == absent
    assert problems_of(lambda: person(factory, tenant, theirs, "bo@example.com")) == absent
    nowhere = {"$.roles": ["Must belong to a workspace or to the organization."]}
    assert problems_of(lambda: give(factory, tenant, ada, {})) == nowhere
    with factory.database.reading() as connection:
        kept = load_user_details(connection, tenant.organization_id, ada).memberships
    assert [(one.workspace_name, one.role) for one in kept] == [("Retail", Role.VIEWER)]


def test_people_of_others_do_not_exist(factory: Factory, tenant: Tenant) -> None:
    theirs = make_user(factory, factory.organization("Other"), OWNER)
    with factory.database.writing() as connection:
        for load in (load_user_details, require_user):
            with pytest.raises(NotFound):
                load(connection, tenant.organization_id, theirs)
        assert load_user_page(connection, tenant.organization_id, PageFilter(5)) == []


def test_people_are_listed_by_pages_with_the_role_everywhere_first(
    factory: Factory, tenant: Tenant
) -> None:
    roles: Roles = {tenant.workspace_id: Role.ADMIN, None: Role.VIEWER}
    made = [person(factory, tenant, roles, f"{place}@example.com") for place in range(3)]
    with factory.database.reading() as connection:
        first = load_user_page(connection, tenant.organization_id, PageFilter(1))
        rest = load_user_page(connection, tenant.organization_id, PageFilter(5, made[0]))
    assert [one.id for one in first] == made[:2]
    assert [one.id for one in rest] == made[1:]
    held = [(one.workspace_name, one.role) for one in first[0].memberships]
    assert held == [(None, Role.VIEWER), ("Retail", Role.ADMIN)]
