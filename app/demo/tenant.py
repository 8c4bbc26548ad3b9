"""The demo's tenant, with its secrets in the instance folder, and its deletion."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Connection, Table, delete, or_, select

from app.access.audit import AuditedChange
from app.access.principal import Actor, ActorKind, Role, hash_token
from app.access.store import load_key
from app.access.tables import organizations
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.types import metadata
from app.instance import read_values, write_private
from app.kernel.clock import utc_now
from app.provisioning.apply import apply
from app.users.manage import NewUser, create_user, reset_user
from app.users.passwords import choose_password, generate_password, is_password
from app.users.store import find_users

NOTE_FILE = "demo.env"
DEMO_ORGANIZATION = "Borderpost demo"
_KEY_NAME = "demo"
_EMAIL = "owner@demo.example"
# Columns that refer to a row without a foreign key, by their names.
_REFERENCES = {
    "organization_id": ("organizations.id",),
    "workspace_id": ("workspaces.id",),
    "scope_id": ("workspaces.id", "use_cases.id"),
    "use_case_id": ("use_cases.id",),
    "account_sid": ("provider_accounts.sid",),
    "message_id": ("messages.id",),
}


@dataclass(frozen=True, slots=True)
class DemoTenant:
    access_key: str
    workspace_id: str
    use_case_id: str
    email: str
    password: str


def make_demo_tenant(database: Database, cipher: Cipher, instance: Path) -> DemoTenant:
    """Create what is missing, and a key if its token is unknown."""
    note = {
        "ACCOUNT_SID": f"AC{secrets.token_hex(16)}",
        "AUTH_TOKEN": secrets.token_hex(16),
        "SERVICE_SID": f"MG{secrets.token_hex(16)}",
        "KEY_NAME": _KEY_NAME,
        "ACCESS_KEY": "",
        "PASSWORD": generate_password(),
    } | {name: value for name, value in read_note(instance).items() if value}
    # A token is shown once: if the file of it is lost, another key is created.
    if not note["ACCESS_KEY"] or not _is_live(database, note["ACCESS_KEY"]):
        note["KEY_NAME"] = f"{_KEY_NAME} {secrets.token_hex(2)}"
    made = apply(database, cipher, _wanted(note), environ={}, now=utc_now()).document
    (workspace,) = made["workspaces"]
    note |= {
        "ORGANIZATION_ID": made["organization"]["id"],
        "WORKSPACE_ID": workspace["id"],
        "USE_CASE_ID": workspace["use_cases"][0]["id"],
        "ACCESS_KEY": workspace["access_keys"][0]["token"] or note["ACCESS_KEY"],
    }
    _make_user(database, UUID(note["ORGANIZATION_ID"]), note["PASSWORD"])
    text = "".join(f"{name}={value}\n" for name, value in note.items())
    write_private(instance / NOTE_FILE, text)
    ids = note["WORKSPACE_ID"], note["USE_CASE_ID"]
    return DemoTenant(note["ACCESS_KEY"], *ids, _EMAIL, note["PASSWORD"])


def _make_user(database: Database, organization_id: UUID, password: str) -> None:
    with database.reading() as connection:
        found = find_users(connection, _EMAIL, organization_id)
    if found and is_password(found[0].password_hash, password):
        return
    chosen = choose_password(password, _EMAIL)
    new = NewUser(organization_id, _EMAIL, "Demo owner", {None: Role.OWNER}, chosen)
    with database.writing() as connection:
        change = AuditedChange(connection, Actor(ActorKind.SYSTEM, "demo"), utc_now())
        if found:
            reset_user(change, found[0], chosen)
        else:
            create_user(change, new)


def use_case_of_file(service_sid: str) -> dict[str, Any]:
    return {
        "name": "one-time passwords",
        "messaging_service_sid": service_sid,
        "senders": [{"number": "+12025550100", "type": "long_code"}],
        "brand": {"sid": f"BN{'0' * 32}", "status": "APPROVED"},
        "campaign": {"sid": service_sid.replace("MG", "QE"), "status": "VERIFIED"},
    }


def _wanted(note: Mapping[str, str]) -> dict[str, Any]:
    def of(name: str) -> dict[str, str]:
        """By id, because names can be changed in the console."""
        return {"id": note[name]} if name in note else {}

    use_case = use_case_of_file(note["SERVICE_SID"])
    workspace = {
        "name": "Demo",
        "home_country": "US",
        "twilio": {"account_sid": note["ACCOUNT_SID"], "auth_token": note["AUTH_TOKEN"]},
        "access_keys": [{"name": note["KEY_NAME"], "role": "admin"}],
        # `deleted` restores a deleted one.
        "use_cases": [use_case | of("USE_CASE_ID") | {"deleted": False}],
    }
    organization = {"name": DEMO_ORGANIZATION} | of("ORGANIZATION_ID")
    return {"organization": organization, "workspaces": [workspace | of("WORKSPACE_ID")]}


def _is_live(database: Database, access_key: str) -> bool:
    with database.reading() as connection:
        key = load_key(connection, hash_token(access_key))
    return key is not None and key.revoked_at is None


def read_note(instance: Path) -> dict[str, str]:
    return read_values(instance / NOTE_FILE)


def remove_demo(database: Database, instance: Path) -> dict[str, int]:
    deleted: dict[str, int] = {}
    with database.writing() as connection:
        organization_id = find_demo(connection, instance)
        if organization_id is not None:
            deleted = delete_organization(connection, organization_id)
    (instance / NOTE_FILE).unlink(missing_ok=True)
    return deleted


def find_demo(connection: Connection, instance: Path) -> UUID | None:
    noted = read_note(instance).get("ORGANIZATION_ID")
    is_demo = (
        organizations.c.id == UUID(noted)
        if noted is not None
        else organizations.c.name == DEMO_ORGANIZATION
    )
    found: UUID | None = connection.execute(select(organizations.c.id).where(is_demo)).scalar()
    return found


def delete_organization(connection: Connection, organization_id: UUID) -> dict[str, int]:
    tables = metadata.tables
    parents = {name: {of.table.name for _, of in _references(tables[name])} for name in tables}
    order = list(TopologicalSorter(parents).static_order())
    conditions = {organizations.name: organizations.c.id == organization_id}
    for name in order:
        found = [
            column.in_(select(of).where(conditions[of.table.name]))
            for column, of in _references(tables[name])
            if of.table.name in conditions
        ]
        if found:
            conditions[name] = or_(*found)
    deleted = {}
    for name in reversed(order):
        if name in conditions:
            done = connection.execute(delete(tables[name]).where(conditions[name]))
            if done.rowcount:
                deleted[name] = done.rowcount
    return deleted


def _references(table: Table) -> Iterator[tuple[Column[Any], Column[Any]]]:
    for column in table.columns:
        for key in column.foreign_keys:
            if key.column.table is not table:
                yield column, key.column
        if not column.foreign_keys and column.name in _REFERENCES:
            for name, _, of in (one.partition(".") for one in _REFERENCES[column.name]):
                yield column, metadata.tables[name].columns[of]
