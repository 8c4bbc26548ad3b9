"""Management of use cases and their sender pools, in the caller's transaction, with audit events.

Raises `UseCaseNotFound` if a use case is absent, deleted or another tenant's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, insert, null, select

from app.access.audit import AuditEvent, PrincipalChange
from app.access.principal import Principal
from app.access.store import chosen_workspace, load_denied_destinations, lock_organization, required
from app.db.rows import AnyRow, PageFilter, load_page, update_row
from app.kernel.errors import Problems, UseCaseNotFound, ValidationFailed
from app.kernel.ids import new_id
from app.kernel.masking import mask_numbers_in
from app.use_cases.read import StoredUseCase, load_use_case
from app.use_cases.rules import (
    OnUnconfirmed,
    Registration,
    SenderType,
    registration_columns,
    sender_country,
)
from app.use_cases.tables import senders, use_cases

NAME_TAKEN = "Is the name of another use case of this workspace."
NUMBER_TAKEN = "Is in the pool of this use case already."
DENIED_BY_ORGANIZATION = "The organization denies this destination."
_PLAIN = ("name", "messaging_service_sid", "active")
REGISTRATIONS = ("brand", "campaign")


@dataclass(frozen=True, slots=True)
class NewUseCase:
    """``allowed_destinations`` None means those of its workspace."""

    name: str
    messaging_service_sid: str
    workspace_id: UUID | None = None
    active: bool = True
    allowed_destinations: list[str] | None = None
    brand: Registration | None = None
    campaign: Registration | None = None
    on_unconfirmed: str = OnUnconfirmed.WAIT.value
    use_case_id: UUID = field(default_factory=new_id)


def create_use_case(change: PrincipalChange, wanted: NewUseCase) -> StoredUseCase:
    """Create a use case with an empty sender pool; raises `ValidationFailed`."""
    connection, principal, now = change.connection, change.principal, change.now
    lock_organization(connection, principal.organization_id)
    problems = Problems()
    workspace_id = problems.catch(
        lambda: chosen_workspace(connection, principal, wanted.workspace_id, "$.workspace_id")
    )
    _check_destinations(connection, principal, wanted.allowed_destinations, problems)
    if workspace_id is not None:
        _check_name(connection, workspace_id, wanted.name, problems)
    problems.refuse()
    use_case_id = wanted.use_case_id
    given = {field.name: getattr(wanted, field.name) for field in fields(wanted)}
    values = use_case_columns(given, None)
    own = {"id": use_case_id, "workspace_id": workspace_id, "created_at": now, "updated_at": now}
    connection.execute(insert(use_cases).values(**own, **_sql(values)))
    made = require_use_case(connection, principal, use_case_id)
    change.record_of(made.row, "use_case.created", wanted.name)
    return made


def change_use_case(
    change: PrincipalChange, use_case_id: UUID, wanted: Mapping[str, Any]
) -> StoredUseCase:
    """Change the given fields, except the workspace; raises `ValidationFailed`."""
    connection, principal = change.connection, change.principal
    row = _lock(change, use_case_id).row
    problems = Problems()
    _check_destinations(connection, principal, wanted.get("allowed_destinations"), problems)
    if wanted.get("name", row.name) != row.name:
        _check_name(connection, row.workspace_id, wanted["name"], problems)
    problems.refuse()
    values = use_case_columns(wanted, row)
    changed = {name: value for name, value in values.items() if value != getattr(row, name)}
    if changed:
        update_row(connection, use_cases, use_case_id, **_sql(changed), updated_at=change.now)
        change.record_of(row, "use_case.changed", ", ".join(sorted(changed)))
    return require_use_case(connection, principal, use_case_id)


def free_name(connection: Connection, use_case_id: UUID) -> None:
    """Let others take a name whose use case gets a new one later in the transaction."""
    update_row(connection, use_cases, use_case_id, name=str(use_case_id))


def delete_use_case(change: PrincipalChange, use_case_id: UUID) -> None:
    """Delete a use case; its messages stay."""
    row, now = _lock(change, use_case_id).row, change.now
    update_row(change.connection, use_cases, use_case_id, deleted_at=now, updated_at=now)
    change.record_of(row, "use_case.deleted", row.name)


def restore_use_case(change: PrincipalChange, use_case_id: UUID) -> None:
    connection = change.connection
    update_row(connection, use_cases, use_case_id, deleted_at=None, updated_at=change.now)
    row = require_use_case(connection, change.principal, use_case_id).row
    change.record_of(row, "use_case.changed", "deleted_at")


def require_use_case(
    connection: Connection, principal: Principal, use_case_id: UUID
) -> StoredUseCase:
    found = load_use_case(connection, principal, use_case_id)
    if found is None:
        raise UseCaseNotFound
    return found


def _lock(change: PrincipalChange, use_case_id: UUID) -> StoredUseCase:
    lock_organization(change.connection, change.organization_id)
    return require_use_case(change.connection, change.principal, use_case_id)


def _check_name(connection: Connection, workspace_id: UUID, name: str, problems: Problems) -> None:
    columns = use_cases.c
    same = (columns.workspace_id == workspace_id, columns.name == name)
    query = select(columns.id).where(*same, columns.deleted_at.is_(None)).limit(1)
    if connection.execute(query).one_or_none() is not None:
        problems.add("$.name", NAME_TAKEN)


def _check_destinations(
    connection: Connection, principal: Principal, wanted: list[str] | None, problems: Problems
) -> None:
    denied = load_denied_destinations(connection, principal.organization_id)
    for place, country in enumerate(wanted or ()):
        if country in denied:
            problems.add(f"$.allowed_destinations[{place}]", DENIED_BY_ORGANIZATION)


def use_case_columns(wanted: Mapping[str, Any], stored: AnyRow | None) -> dict[str, Any]:
    values = {name: wanted[name] for name in _PLAIN if name in wanted}
    for kind in REGISTRATIONS:
        if kind in wanted:
            values |= registration_columns(kind, wanted[kind], stored_registration(stored, kind))
    if "allowed_destinations" in wanted:
        countries = wanted["allowed_destinations"]
        values["allowed_destinations"] = None if countries is None else sorted(set(countries))
    if "on_unconfirmed" in wanted:
        values["on_unconfirmed"] = wanted["on_unconfirmed"]
    return values


def stored_registration(stored: AnyRow | None, kind: str) -> Registration | None:
    sid = None if stored is None else getattr(stored, f"{kind}_sid")
    return None if sid is None else Registration(sid, getattr(stored, f"{kind}_status"))


def _sql(values: Mapping[str, Any]) -> dict[str, Any]:
    # A JSON column would store None as JSON null.
    return {name: null() if value is None else value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class NewSender:
    number: str
    type: SenderType


def load_senders(
    connection: Connection, principal: Principal, use_case_id: UUID, wanted: PageFilter
) -> list[AnyRow]:
    require_use_case(connection, principal, use_case_id)
    query = select(senders).where(senders.c.use_case_id == use_case_id)
    return load_page(connection, query, senders, wanted, oldest_first=True)


def add_sender(change: PrincipalChange, use_case_id: UUID, wanted: NewSender) -> AnyRow:
    """Raises `ValidationFailed` if it is in the pool already."""
    use_case = _lock(change, use_case_id)
    if any(known.number == wanted.number for known in use_case.senders):
        raise ValidationFailed({"$.number": [NUMBER_TAKEN]})
    values = {
        "id": new_id(),
        "use_case_id": use_case_id,
        "number": wanted.number,
        "type": wanted.type.value,
        "country": sender_country(wanted.number, wanted.type),
        "created_at": change.now,
    }
    row = change.connection.execute(insert(senders).values(**values).returning(senders)).one()
    change.record(_about(row, "added", use_case))
    return row


def change_sender(change: PrincipalChange, use_case_id: UUID, wanted: NewSender) -> None:
    """Change the type of the sender with this number; raises `NotFound`."""
    use_case = _lock(change, use_case_id)
    row = required(next((one for one in use_case.senders if one.number == wanted.number), None))
    country = sender_country(wanted.number, wanted.type)
    values = {"type": wanted.type.value, "country": country}
    update_row(change.connection, senders, row.id, **values)
    change.record(_about(row, "changed", use_case))


def remove_sender(change: PrincipalChange, use_case_id: UUID, sender_id: UUID) -> None:
    """Raises `NotFound`."""
    use_case = _lock(change, use_case_id)
    row = required(next((one for one in use_case.senders if one.id == sender_id), None))
    change.connection.execute(delete(senders).where(senders.c.id == sender_id))
    change.record(_about(row, "removed", use_case))


def _about(sender: AnyRow, verb: str, use_case: StoredUseCase) -> AuditEvent:
    masked = mask_numbers_in(sender.number)
    return AuditEvent(f"sender.{verb}", use_case.row.workspace_id, sender.id, masked)
