"""Who is admitted: the pure rule over keys and roles, and the header that presents a key."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from app.access.key_rules import KeyState, state_of
from app.access.principal import Principal, Role, StoredKey, admit, hash_token
from app.access.store import revoke_key
from app.access.tables import access_keys
from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.errors import Forbidden, Unauthorized
from app.kernel.ids import new_id
from support.each import each
from support.factories import Factory, Tenant, open_gateway
from support.related_tenants import Tenants
from support.time import ManualClock

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BEFORE, AFTER = NOW - timedelta(milliseconds=1), NOW + timedelta(milliseconds=1)
ORGANIZATION, WORKSPACE, OTHER = new_id(), new_id(), new_id()


def key(
    role: Role, expires_at: datetime | None = None, revoked_at: datetime | None = None
) -> StoredKey:
    principal = Principal(new_id(), "a key", ORGANIZATION, WORKSPACE, role)
    return StoredKey(principal, expires_at, revoked_at)


# may[role] = what the role permits
MAY = {
    Role.VIEWER: {Role.VIEWER},
    Role.SENDER: {Role.VIEWER, Role.SENDER},
    Role.ADMIN: {Role.VIEWER, Role.SENDER, Role.ADMIN},
    Role.OWNER: set(Role),
}


@each("role", Role)
@each("wanted", Role)
def test_each_role_includes_the_lower_ones(role: Role, wanted: Role) -> None:
    assert role.permits(wanted) == (wanted in MAY[role])
    if wanted in MAY[role]:
        assert admit(key(role), wanted, NOW).role is role
    else:
        with pytest.raises(Forbidden):
            admit(key(role), wanted, NOW)


@each(
    ("expires_at", "revoked_at", "is_live"),
    [
        (None, None, True),
        (AFTER, None, True),
        (NOW, None, False),
        (BEFORE, None, False),
        (None, BEFORE, False),
        (None, AFTER, False),
        (AFTER, BEFORE, False),
    ],
)
def test_a_key_is_good_until_it_expires_or_is_revoked(
    expires_at: datetime | None, revoked_at: datetime | None, is_live: bool
) -> None:
    found = key(Role.OWNER, expires_at, revoked_at)
    assert (state_of(revoked_at, expires_at, NOW) is KeyState.LIVE) is is_live
    if is_live:
        assert admit(found, Role.OWNER, NOW)
    else:
        with pytest.raises(Unauthorized):
            admit(found, Role.VIEWER, NOW)


def test_a_dead_key_is_unauthorized_even_where_its_role_would_not_do() -> None:
    with pytest.raises(Unauthorized):
        admit(key(Role.VIEWER, expires_at=BEFORE), Role.OWNER, NOW)
    with pytest.raises(Unauthorized):
        admit(None, Role.VIEWER, NOW)


@each(
    ("workspace_id", "organization", "workspace", "reaches"),
    [
        (WORKSPACE, ORGANIZATION, WORKSPACE, True),
        (WORKSPACE, ORGANIZATION, OTHER, False),
        (WORKSPACE, OTHER, WORKSPACE, False),
        (None, ORGANIZATION, WORKSPACE, True),
        (None, ORGANIZATION, OTHER, True),
        (None, OTHER, WORKSPACE, False),
    ],
)
def test_a_key_reaches_its_workspace_or_all_of_its_organization(
    workspace_id: UUID | None, organization: UUID, workspace: UUID, reaches: bool
) -> None:
    principal = Principal(new_id(), "a key", ORGANIZATION, workspace_id, Role.OWNER)
    assert principal.can_access(organization, workspace) is reaches


@each(
    ("form", "status"),
    [
        ("AccessKey {}", 200),
        ("accesskey {}", 200),
        ("ACCESSKEY {}", 200),
        ("AccessKey   {}  ", 200),
        ("AccessKey{}", 401),
        ("AccessKey", 401),
        ("AccessKey ", 401),
        ("{}", 401),
        ("Bearer {}", 401),
        ("Basic {}", 401),
        ("AccessKey {} {}", 401),
        ("AccessKey {},", 401),
        ("AccessKey \u00e9{}", 401),
        ("AccessKey {}\u00e9", 401),
        ('AccessKey "{}"', 401),
        ("AccessKey token={}", 401),
    ],
)
def test_the_header_that_presents_a_key(tenants: Tenants, form: str, status: int) -> None:
    header = form.replace("{}", tenants.own.keys[Role.VIEWER])
    answer = tenants.gateway.client.get("/v1/sms", headers={"Authorization": header})
    assert answer.status_code == status


def test_no_other_place_presents_a_key(tenants: Tenants) -> None:
    token = tenants.own.keys[Role.OWNER]
    client = tenants.gateway.client.application.test_client()
    client.set_cookie("Authorization", f"AccessKey {token}")
    for path in (f"/v1/sms?access_key={token}", f"/v1/sms?Authorization=AccessKey%20{token}"):
        assert client.get(path).status_code == 401
    header = {"X-Api-Key": token, "X-Authorization": f"AccessKey {token}"}
    assert client.get("/v1/sms", headers=header).status_code == 401


def _key_id(factory: Factory, token: str) -> UUID:
    found: UUID = next(row["id"] for row in factory.rows(access_keys, token_hash=hash_token(token)))
    return found


def test_a_revocation_is_in_force_for_the_next_request(tenants: Tenants) -> None:
    """Sends read the key by another statement than the other routes: both are tried."""
    token = tenants.own.keys[Role.SENDER]
    assert tenants.gateway.send(tenants.own).status_code == 201
    assert tenants.gateway.get("/v1/sms", key=token).status_code == 200
    with tenants.factory.database.writing() as c:
        assert revoke_key(c, _key_id(tenants.factory, token), tenants.factory.now)
        assert not revoke_key(c, _key_id(tenants.factory, token), tenants.factory.now)
    assert tenants.gateway.send(tenants.own).status_code == 401
    assert tenants.gateway.get("/v1/sms", key=token).status_code == 401
    assert len(tenants.gateway.twilio.calls) == 1
    # Several keys live side by side: the others go on.
    assert tenants.gateway.send(tenants.own, role=Role.ADMIN).status_code == 201


def test_a_key_ends_at_the_instant_that_it_expires(
    database: Database, cipher: Cipher, factory: Factory, tenant: Tenant, tmp_path: Path
) -> None:
    time = ManualClock()
    gateway = open_gateway(database, cipher, tmp_path, clock=time.clock())
    token = tenant.keys[Role.SENDER]
    ends_at = time.at + timedelta(seconds=10)
    factory.set(access_keys, _key_id(factory, token), expires_at=ends_at)
    time.advance(9.999)
    assert gateway.send(tenant).status_code == 201
    assert gateway.get("/v1/sms", key=token).status_code == 200
    time.advance(0.001)
    assert gateway.send(tenant).status_code == 401
    assert gateway.get("/v1/sms", key=token).status_code == 401


def test_a_key_is_one_row_and_never_the_same_twice(factory: Factory) -> None:
    organization_id = factory.organization()
    first, second = (factory.keys(organization_id, None) for _ in range(2))
    assert not set(first.values()) & set(second.values())
    assert len(factory.rows(access_keys)) == 8
