"""Second factors outlive the key that encrypted them."""

from cryptography.fernet import Fernet

from app.access.principal import Role
from app.db.encryption import Cipher
from app.tenancy.key_rotation import reencrypt_table
from app.users.second_factor import totp_owner
from app.users.tables import users
from support.console import make_user
from support.factories import Factory, Tenant


def test_second_factor_is_reencrypted_with_the_first_key(factory: Factory, tenant: Tenant) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    user_id = make_user(factory, tenant.organization_id, {None: Role.OWNER})
    make_user(factory, tenant.organization_id, {None: Role.OWNER}, email="bo@example.com")
    owner = totp_owner(user_id)
    factory.set(users, user_id, totp_secret=Cipher([old]).encrypt(owner, "SECRET"))
    both = Cipher([new, old])
    first, second = (reencrypt_table(factory.database, both, users) for _ in range(2))
    assert [(one.changed, one.current) for one in (first, second)] == [(1, 0), (0, 1)]
    encrypted = {row["id"]: row["totp_secret"] for row in factory.rows(users)}
    assert Cipher([new]).decrypt(owner, encrypted[user_id]) == "SECRET"
