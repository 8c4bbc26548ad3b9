"""Times and secrets as they are stored."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import insert, select
from sqlalchemy.exc import StatementError

from app.access.tables import organizations, provider_accounts
from app.db.encryption import Cipher, DecryptionError
from app.db.engine import Database
from app.kernel.clock import to_milliseconds, utc_now
from app.kernel.ids import new_id
from support.factories import ACCOUNT, AUTH_TOKEN, Factory


def store(database: Database, *times: datetime) -> None:
    with database.writing() as c:
        for place, at in enumerate(times):
            c.execute(
                insert(organizations).values(
                    id=new_id(),
                    name=f"{place} of {new_id()}",
                    denied_destinations=[],
                    created_at=at,
                    updated_at=at,
                )
            )


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.datetimes(timezones=st.timezones() | st.just(UTC)).map(to_milliseconds),
        min_size=1,
        max_size=5,
    ).filter(lambda times: all(1 < at.year < 9999 for at in times))
)
def test_times_come_back_in_utc_and_are_sorted_as_they_are(
    module_database: Database, times: list[datetime]
) -> None:
    store(module_database, *times)
    column = organizations.c.created_at
    with module_database.reading() as c:
        found = list(c.execute(select(column).order_by(column)).scalars())
        before = list(c.execute(select(column).where(column <= min(times))).scalars())
    assert found == sorted(found)
    assert {at.astimezone(UTC) for at in times} <= set(found)
    assert {at.tzinfo for at in found} == {UTC}
    assert all(at <= min(times) for at in before)


def test_times_within_a_second_are_sorted_as_they_are(database: Database) -> None:
    whole = datetime(2026, 1, 31, 12, tzinfo=UTC)
    times = [whole + timedelta(milliseconds=more) for more in (0, 1, 10, 123, 999, 1000)]
    store(database, *reversed(times))
    column = organizations.c.created_at
    with database.reading() as c:
        assert list(c.execute(select(column).order_by(column)).scalars()) == times
        late = select(column).where(column > whole).order_by(column)
        assert list(c.execute(late).scalars()) == times[1:]


def test_a_time_without_a_zone_cannot_be_stored(database: Database) -> None:
    with pytest.raises((ValueError, StatementError)):
        store(database, datetime(2026, 1, 31))  # noqa: DTZ001


def test_the_offset_of_a_time_does_not_matter(database: Database) -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    store(database, at)
    with database.reading() as c:
        (found,) = c.execute(select(organizations.c.created_at)).scalars()
    assert found == at
    assert found.isoformat() == "2026-01-31T06:15:00+00:00"


KEY, OTHER_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@given(owner=st.text(st.characters(codec="utf-8", exclude_characters="\x00")), secret=st.text())
def test_value_is_decrypted_for_its_own_row(owner: str, secret: str) -> None:
    cipher = Cipher([KEY])
    encrypted = cipher.encrypt(owner, secret)
    assert cipher.decrypt(owner, encrypted) == secret
    with pytest.raises(DecryptionError):
        cipher.decrypt(owner + "x", encrypted)


def test_encrypted_value_does_not_contain_the_secret(factory: Factory) -> None:
    times = {"created_at": (now := utc_now()), "updated_at": now}
    owner = {"id": new_id(), "name": "Acme", "denied_destinations": []}
    encrypted = factory.cipher.encrypt(ACCOUNT, AUTH_TOKEN)
    account = {"sid": ACCOUNT, "organization_id": owner["id"], "auth_token": encrypted}
    factory.write(
        insert(organizations).values(owner | times),
        insert(provider_accounts).values(account | times),
    )
    (stored,) = factory.rows(provider_accounts)
    assert AUTH_TOKEN not in str(stored)
    assert factory.cipher.encrypt(ACCOUNT, AUTH_TOKEN) != encrypted


def test_keys_rotate_the_first_seals_and_each_opens() -> None:
    old = Cipher([KEY]).encrypt("row", "secret")
    rotated = Cipher([OTHER_KEY, KEY])
    assert rotated.decrypt("row", old) == "secret"
    new = rotated.encrypt("row", "secret")
    assert Cipher([OTHER_KEY]).decrypt("row", new) == "secret"
    assert (rotated.is_current(old), rotated.is_current(new)) == (False, True)
    with pytest.raises(DecryptionError) as problem:
        Cipher([KEY]).decrypt("row", new)
    assert "BORDERPOST_ENCRYPTION_KEYS" in str(problem.value)
    assert "secret" not in str(problem.value).replace("the secret of", "")


@pytest.mark.parametrize("encrypted", ["", "nonsense", "gAAAA", "g" * 200])
def test_plain_text_cannot_be_decrypted(encrypted: str) -> None:
    with pytest.raises(DecryptionError):
        Cipher([KEY]).decrypt("row", encrypted)
