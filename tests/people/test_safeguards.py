"""The last owner stays, and nobody bars themselves: on both engines, at once too."""

from collections.abc import Callable
from uuid import UUID

import pytest

from app.access.actor import Actor
from app.access.principal import ActorKind
from app.access.roles import Role
from app.access.tables import audit_events
from app.kernel.errors import NotFound, ValidationFailed
from app.people.bar import disable_user, reset_user
from app.people.directory import PeopleFilter, load_people, load_person, require_user
from app.people.manage import change_roles
from app.people.passwords import NewPassword
from app.people.safeguards import LAST_OWNER, YOURSELF, is_last_owner
from app.people.tables import users
from support.console import ACTOR, make_person
from support.threads import together
from support.world import Tenant, World

Roles = dict[UUID | None, Role]
OWNER: Roles = {None: Role.OWNER}


def bar(world: World, tenant: Tenant, user_id: UUID, actor: Actor = ACTOR) -> bool:
    with world.database.writing() as connection:
        user = require_user(connection, tenant.organization_id, user_id)
        return disable_user(connection, user, actor, world.now)


def give(world: World, tenant: Tenant, user_id: UUID, roles: Roles) -> None:
    with world.database.writing() as connection:
        user = require_user(connection, tenant.organization_id, user_id)
        change_roles(connection, user, roles, ACTOR, world.now)


def person(world: World, tenant: Tenant, roles: Roles, email: str = "ada@example.com") -> UUID:
    return make_person(world, tenant.organization_id, roles, email)


def told(attempt: Callable[[], object]) -> dict[str, list[str]]:
    with pytest.raises(ValidationFailed) as refused:
        attempt()
    return dict(refused.value.details or {})


@pytest.mark.parametrize(
    ("owners", "is_last"), [((1,), True), ((1, 2), False), ((2,), False), ((), False)]
)
def test_the_last_owner_is_the_only_one(owners: tuple[int, ...], is_last: bool) -> None:
    assert is_last_owner(UUID(int=1), [UUID(int=one) for one in owners]) is is_last


def test_the_last_owner_is_neither_barred_nor_made_less(world: World, tenant: Tenant) -> None:
    last = person(world, tenant, OWNER)
    # Who is owner of a workspace, less than owner everywhere, or of others, does not count.
    person(world, tenant, {tenant.workspace_id: Role.OWNER}, "b@example.com")
    person(world, tenant, {None: Role.ADMIN}, "c@example.com")
    make_person(world, world.organization("Other"), OWNER, "d@example.com")
    barred = person(world, tenant, OWNER, "e@example.com")
    assert bar(world, tenant, barred)
    noted = len(world.rows(audit_events))
    assert told(lambda: bar(world, tenant, last)) == {"$": [LAST_OWNER]}
    less: Roles = {None: Role.ADMIN, tenant.workspace_id: Role.OWNER}
    assert told(lambda: give(world, tenant, last, less)) == {"$.roles": [LAST_OWNER]}
    assert len(world.rows(audit_events)) == noted
    give(world, tenant, last, OWNER | {tenant.workspace_id: Role.VIEWER})
    person(world, tenant, OWNER, "f@example.com")
    give(world, tenant, last, less)


def test_of_two_owners_who_bar_each_other_at_once_one_stays(world: World, tenant: Tenant) -> None:
    pair = [person(world, tenant, OWNER, f"{name}@example.com") for name in "ab"]

    def attempt(user_id: UUID) -> bool:
        try:
            return bar(world, tenant, user_id)
        except ValidationFailed:
            return False

    done = together([lambda: attempt(pair[0]), lambda: attempt(pair[1])])
    assert sorted(done) == [False, True]
    assert len([row for row in world.rows(users) if row["disabled_at"] is None]) == 1


def test_nobody_bars_or_resets_the_own_account(world: World, tenant: Tenant) -> None:
    ada, _ = (person(world, tenant, OWNER, f"{name}@example.com") for name in ("ada", "bo"))
    own = Actor(ActorKind.USER, "Ada", ada)
    assert told(lambda: bar(world, tenant, ada, own)) == {"$": [YOURSELF]}

    def reset() -> None:
        with world.database.writing() as connection:
            user = require_user(connection, tenant.organization_id, ada)
            reset_user(connection, user, NewPassword("hash"), own, world.now)

    assert told(reset) == {"$": [YOURSELF]}


def test_a_role_is_given_in_workspaces_of_the_organization_alone(
    world: World, tenant: Tenant
) -> None:
    stranger = world.tenant(world.organization("Other"), "Stranger")
    ada = person(world, tenant, {tenant.workspace_id: Role.VIEWER})
    absent = {"$.roles": ["There is no such workspace."]}
    theirs: Roles = {stranger.workspace_id: Role.OWNER}
    assert told(lambda: give(world, tenant, ada, theirs)) == absent
    assert told(lambda: person(world, tenant, theirs, "bo@example.com")) == absent
    nowhere = {"$.roles": ["Must belong to a workspace or to the organization."]}
    assert told(lambda: give(world, tenant, ada, {})) == nowhere
    with world.database.reading() as connection:
        kept = load_person(connection, tenant.organization_id, ada).belongings
    assert [(one.workspace_name, one.role) for one in kept] == [("Retail", Role.VIEWER)]


def test_people_of_others_do_not_exist(world: World, tenant: Tenant) -> None:
    theirs = make_person(world, world.organization("Other"), OWNER)
    with world.database.writing() as connection:
        for load in (load_person, require_user):
            with pytest.raises(NotFound):
                load(connection, tenant.organization_id, theirs)
        assert load_people(connection, tenant.organization_id, PeopleFilter(5)) == []


def test_people_are_listed_by_pages_with_the_role_everywhere_first(
    world: World, tenant: Tenant
) -> None:
    roles: Roles = {tenant.workspace_id: Role.ADMIN, None: Role.VIEWER}
    made = [person(world, tenant, roles, f"{place}@example.com") for place in range(3)]
    with world.database.reading() as connection:
        first = load_people(connection, tenant.organization_id, PeopleFilter(1))
        rest = load_people(connection, tenant.organization_id, PeopleFilter(5, made[0]))
    assert [one.user_id for one in first] == made[:2]
    assert [one.user_id for one in rest] == made[1:]
    held = [(one.workspace_name, one.role) for one in first[0].belongings]
    assert held == [(None, Role.VIEWER), ("Retail", Role.ADMIN)]
