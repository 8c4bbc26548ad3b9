"""The demo's tenant, with its secrets in the instance folder, and its deletion."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Connection, Table, delete, or_, select

from app.access.principal import Actor, ActorKind, Role, hash_token
from app.access.store import load_key
from app.access.tables import organizations
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.metadata import metadata
from app.kernel.clock import utc_now
from app.provisioning.apply import apply
from app.users.manage import NewUser, create_user, reset_user
from app.users.passwords import choose_password, generate_password, is_password
from app.users.store import find_users

NOTE_FILE = "demo.env"
DEMO_ORGANIZATION = "Borderpost demo"
_KEY_NAME = "demo"
_EMAIL = "owner@demo.example"


@dataclass(frozen=True, slots=True)
class DemoTenant:
    access_key: str
    workspace_id: str
    use_case_id: str
    email: str
    password: str


def make_demo_tenant(database: Database, cipher: Cipher, instance: Path) -> DemoTenant:
    """Create what is missing, and a key if its token is unknown."""
    known = read_note(instance)
    auth_token = known.get("AUTH_TOKEN") or secrets.token_hex(16)
    account_sid = known.get("ACCOUNT_SID") or f"AC{secrets.token_hex(16)}"
    service_sid = known.get("SERVICE_SID") or f"MG{secrets.token_hex(16)}"
    access_key = known.get("ACCESS_KEY", "")
    # A token is shown once: if the file of it is lost, another key is created.
    key_name = known.get("KEY_NAME") or _KEY_NAME
    if not access_key or not _is_live(database, access_key):
        key_name = f"{_KEY_NAME} {secrets.token_hex(2)}"
    wanted = _wanted(account_sid, auth_token, service_sid, key_name)
    # By id, because names can be changed in the console.
    _set_ids(wanted, known)
    result = apply(database, cipher, wanted, environ={}, now=utc_now()).document
    workspace = result["workspaces"][0]
    access_key = workspace["access_keys"][0]["token"] or access_key
    password = known.get("PASSWORD") or generate_password()
    _make_user(database, UUID(result["organization"]["id"]), password)
    use_case_id = workspace["use_cases"][0]["id"]
    _write(
        instance / NOTE_FILE,
        {
            "ORGANIZATION_ID": result["organization"]["id"],
            "WORKSPACE_ID": workspace["id"],
            "USE_CASE_ID": use_case_id,
            "ACCOUNT_SID": account_sid,
            "AUTH_TOKEN": auth_token,
            "SERVICE_SID": service_sid,
            "KEY_NAME": key_name,
            "ACCESS_KEY": access_key,
            "PASSWORD": password,
        },
    )
    return DemoTenant(access_key, workspace["id"], use_case_id, _EMAIL, password)


def _make_user(database: Database, organization_id: UUID, password: str) -> None:
    now = utc_now()
    actor = Actor(ActorKind.SYSTEM, "demo")
    with database.reading() as connection:
        found = find_users(connection, _EMAIL, organization_id)
    if found and is_password(found[0].password_hash, password):
        return
    chosen = choose_password(password, _EMAIL)
    new = NewUser(organization_id, _EMAIL, "Demo owner", {None: Role.OWNER}, chosen)
    with database.writing() as connection:
        if found:
            reset_user(connection, found[0], chosen, actor, now)
        else:
            create_user(connection, new, actor, now)


def use_case_of_file(service_sid: str) -> dict[str, Any]:
    """Write a use case, ready to send, as in the file of `apply`."""
    return {
        "name": "one-time passwords",
        "messaging_service_sid": service_sid,
        "senders": [{"number": "+12025550100", "type": "long_code"}],
        "brand": {"sid": f"BN{'0' * 32}", "status": "APPROVED"},
        "campaign": {"sid": f"QE{'0' * 32}", "status": "VERIFIED"},
    }


def _wanted(account_sid: str, auth_token: str, service_sid: str, key_name: str) -> dict[str, Any]:
    workspace = {
        "name": "Demo",
        "home_country": "US",
        "twilio": {"account_sid": account_sid, "auth_token": auth_token},
        "access_keys": [{"name": key_name, "role": "admin"}],
        "use_cases": [use_case_of_file(service_sid)],
    }
    return {"organization": {"name": DEMO_ORGANIZATION}, "workspaces": [workspace]}


def _is_live(database: Database, access_key: str) -> bool:
    with database.reading() as connection:
        key = load_key(connection, hash_token(access_key))
    return key is not None and key.revoked_at is None


def _set_ids(wanted: dict[str, Any], known: dict[str, str]) -> None:
    (workspace,) = wanted["workspaces"]
    for part, name in (
        (wanted["organization"], "ORGANIZATION_ID"),
        (workspace, "WORKSPACE_ID"),
        (workspace["use_cases"][0], "USE_CASE_ID"),
    ):
        if name in known:
            part["id"] = known[name]
    workspace["use_cases"][0]["deleted"] = False  # restores a deleted one


def read_note(instance: Path) -> dict[str, str]:
    try:
        lines = (instance / NOTE_FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _write(path: Path, values: dict[str, str]) -> None:
    text = "".join(f"{name}={value}\n" for name, value in values.items())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


# Columns that refer to a row without a foreign key, by their names.
_REFERENCES = {
    "organization_id": ("organizations.id",),
    "workspace_id": ("workspaces.id",),
    "scope_id": ("workspaces.id", "use_cases.id"),
    "use_case_id": ("use_cases.id",),
    "account_sid": ("provider_accounts.sid",),
    "message_id": ("messages.id",),
}


def remove_demo(database: Database, instance: Path) -> dict[str, int]:
    """Delete the demo's organization; return the deleted rows by table."""
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
