"""All hosts of one installation have the same secrets; the pseudonym key is none of them."""

import pytest
from cryptography.fernet import Fernet

from app.db.encryption import Cipher, DecryptionError
from app.db.engine import Database
from app.db.installation import (
    ENCRYPTION_KEYS,
    SECRET_KEY,
    InstallationSecrets,
    SecretsDiffer,
    installation,
)
from app.db.schema import upgrade
from app.kernel.clock import Clock
from app.kernel.phone import PhoneNumber
from app.messages.retention.purge import Purge
from support.factories import US_NUMBER, Factory, Gateway, Tenant
from support.threads import together

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def host(secret_key: str = "a" * 32, *keys: str) -> InstallationSecrets:
    return InstallationSecrets(secret_key, Cipher(keys or (OLD,)))


def differing(database: Database, one: InstallationSecrets) -> list[str]:
    with database.reading() as connection:
        return one.find_differing(connection)


def test_a_host_with_other_secrets_is_named_and_changes_nothing(factory: Factory) -> None:
    """Break: return [] in `find_differing`, or overwrite rows in `_write_missing`."""
    host().prepare(factory.database)
    before = factory.rows(installation)
    others = {
        host("b" * 32): [SECRET_KEY],
        host("a" * 32, NEW): [ENCRYPTION_KEYS],
        host("b" * 32, NEW): [SECRET_KEY, ENCRYPTION_KEYS],
        host("a" * 32, NEW, OLD): [],
        host(): [],
    }
    for other, expected in others.items():
        other.prepare(factory.database)
        assert differing(factory.database, other) == expected
        if expected:
            with pytest.raises(SecretsDiffer) as refused:
                other.load_pseudonym_key(factory.database)
            assert refused.value.names == expected
    assert factory.rows(installation) == before
    assert "a" * 32 not in str(before)


def test_two_first_starts_agree(factory: Factory) -> None:
    """Break: leave out `on_conflict_do_nothing`."""
    one, other = together([lambda: host().load_pseudonym_key(factory.database)] * 2)
    assert one == other
    assert len(factory.rows(installation)) == 3


def test_a_host_that_cannot_read_stored_tokens_writes_no_check_values(
    factory: Factory, tenant: Tenant
) -> None:
    """Break: leave out `_opens_stored_token` in `prepare`."""
    right, wrong = InstallationSecrets("a" * 32, factory.cipher), host("a" * 32, NEW)
    wrong.prepare(factory.database)
    assert factory.rows(installation) == []
    assert differing(factory.database, wrong) == [ENCRYPTION_KEYS]
    right.prepare(factory.database)
    assert differing(factory.database, right) == []


def test_a_new_secret_key_changes_no_pseudonym(factory: Factory) -> None:
    """Break: let `accept` write a new pseudonym key."""
    before = pseudonym(factory.database, host())
    host("b" * 32, NEW, OLD).accept(factory.database)
    for one in (host("b" * 32, NEW, OLD), host("b" * 32, NEW)):
        assert differing(factory.database, one) == []
        assert pseudonym(factory.database, one) == before
    assert differing(factory.database, host()) == [SECRET_KEY, ENCRYPTION_KEYS]


def test_secrets_that_cannot_read_the_pseudonym_key_are_not_accepted(factory: Factory) -> None:
    host().prepare(factory.database)
    before = factory.rows(installation)
    with pytest.raises(DecryptionError):
        host("a" * 32, NEW).accept(factory.database)
    assert factory.rows(installation) == before


def test_an_upgrade_keeps_the_pseudonyms_made_with_the_secret_key(
    factory: Factory, gateway: Gateway, tenant: Tenant
) -> None:
    """Break: leave out the first INSERT of migration 0017, or `_keep_secret_key`."""
    gateway.send(tenant)
    again(factory.database)
    one = InstallationSecrets("a" * 32, factory.cipher)
    expected = Purge(factory.database, Clock(), "a" * 32).pseudonym(PhoneNumber(US_NUMBER))
    assert pseudonym(factory.database, one) == expected
    assert pseudonym(factory.database, one) == expected


def test_a_new_installation_has_a_pseudonym_key_of_its_own(factory: Factory) -> None:
    again(factory.database)
    assert host().load_pseudonym_key(factory.database) not in {"", "a" * 32}


def pseudonym(database: Database, one: InstallationSecrets) -> str:
    key = one.load_pseudonym_key(database)
    return Purge(database, Clock(), key).pseudonym(PhoneNumber(US_NUMBER))


def again(database: Database) -> None:
    """Run migration 0017 once more on what is there."""
    with database.writing() as c:
        c.exec_driver_sql("DROP TABLE installation")
        c.exec_driver_sql("UPDATE alembic_version SET version_num = '0016'")
    upgrade(database, "0017")
