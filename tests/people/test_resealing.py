"""Second factors outlive the key that sealed them."""

from cryptography.fernet import Fernet

from app.access.roles import Role
from app.db.vault import Vault
from app.people.resealing import reseal_second_factors
from app.people.second_factor import totp_owner
from app.people.tables import users
from support.console import make_person
from support.world import Tenant, World


def test_a_second_factor_is_sealed_anew_with_the_first_key(world: World, tenant: Tenant) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    user_id = make_person(world, tenant.organization_id, {None: Role.OWNER})
    make_person(world, tenant.organization_id, {None: Role.OWNER}, email="bo@example.com")
    owner = totp_owner(user_id)
    world.set(users, user_id, totp_secret=Vault([old]).seal(owner, "SECRET"))
    both = Vault([new, old])
    first, second = (reseal_second_factors(world.database, both) for _ in range(2))
    assert [(one.changed, one.current) for one in (first, second)] == [(1, 0), (0, 1)]
    sealed = {row["id"]: row["totp_secret"] for row in world.rows(users)}
    assert Vault([new]).open(owner, sealed[user_id]) == "SECRET"
