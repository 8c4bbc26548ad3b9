"""SQL of the configuration of guards and its history."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, null, select

from app.access.audit import AuditedChange, AuditEvent
from app.access.store import required
from app.access.tables import workspaces
from app.db.rows import update_row, upsert
from app.destinations.manage import ChangeRequest
from app.guards.configuration import configuration_json, read_guards, read_own, use_case_json
from app.guards.limits import GuardConfiguration
from app.guards.tables import guard_revisions, guard_settings
from app.kernel.ids import new_id
from app.use_cases.tables import use_cases


@dataclass(frozen=True, slots=True)
class StoredGuards:
    """Revision 0 if it was never set."""

    workspace_id: UUID
    home_country: str
    revision: int
    updated_at: datetime
    configuration: GuardConfiguration


def load_guards(connection: Connection, workspace_id: UUID) -> StoredGuards:
    """Raises `NotFound`."""
    columns = guard_settings.c
    of_workspace = workspaces.c.home_country, workspaces.c.created_at
    query = (
        select(*of_workspace, columns.revision, columns.guards, columns.updated_at)
        .outerjoin(guard_settings, columns.workspace_id == workspaces.c.id)
        .where(workspaces.c.id == workspace_id)
    )
    row = required(connection.execute(query).one_or_none())
    own = connection.execute(
        select(use_cases.c.id, use_cases.c.guards).where(
            use_cases.c.workspace_id == workspace_id, use_cases.c.deleted_at.is_(None)
        )
    )
    return StoredGuards(
        workspace_id=workspace_id,
        home_country=row.home_country,
        revision=row.revision or 0,
        updated_at=row.updated_at or row.created_at,
        configuration=GuardConfiguration(
            read_guards(row.guards), {one.id: read_own(one.guards) for one in own if one.guards}
        ),
    )


def write_guards(
    connection: Connection,
    before: StoredGuards,
    configuration: GuardConfiguration,
    asked: ChangeRequest,
    now: datetime,
) -> None:
    number = before.revision + 1
    written, key = configuration_json(configuration), {"workspace_id": before.workspace_id}
    upsert(
        connection, guard_settings, key, revision=number, guards=written["guards"], updated_at=now
    )
    _write_own(connection, before.configuration, configuration)
    connection.execute(
        insert(guard_revisions).values(
            id=new_id(),
            workspace_id=before.workspace_id,
            revision=number,
            from_revision=before.revision,
            at=now,
            **asked.actor.columns,
            reason=asked.reason,
            **written,
        )
    )
    event = AuditEvent("guards.changed", before.workspace_id, number, asked.reason)
    AuditedChange(connection, asked.actor, now).record(event)


def _write_own(
    connection: Connection, before: GuardConfiguration, after: GuardConfiguration
) -> None:
    for use_case_id in sorted(before.use_cases.keys() | after.use_cases.keys()):
        own = after.use_cases.get(use_case_id)
        if own != before.use_cases.get(use_case_id):
            guards = use_case_json(own) if own else null()
            update_row(connection, use_cases, use_case_id, guards=guards)


def find_use_cases(connection: Connection, workspace_id: UUID) -> set[UUID]:
    query = select(use_cases.c.id).where(
        use_cases.c.workspace_id == workspace_id, use_cases.c.deleted_at.is_(None)
    )
    return set(connection.execute(query).scalars())
