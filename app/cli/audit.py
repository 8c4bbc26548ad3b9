"""Audit events of commands that concern every organization."""

from sqlalchemy import Connection, select

from app.access.audit import AuditEvent, record_audit_event
from app.access.tables import organizations
from app.cli.actor import command_line_actor
from app.db.engine import Database
from app.kernel.clock import utc_now


def record_command(database: Database, action: str, reason: str) -> None:
    """Write an audit event in each organization; ``reason`` must contain no number."""
    with database.writing() as connection:
        record_command_in(connection, action, reason)


def record_command_in(connection: Connection, action: str, reason: str) -> None:
    """The events of `record_command`, in the transaction of the change."""
    actor, now = command_line_actor(), utc_now()
    for organization_id in connection.execute(select(organizations.c.id)).scalars().all():
        record_audit_event(
            connection, actor, AuditEvent(organization_id, None, action, None, reason), now
        )
