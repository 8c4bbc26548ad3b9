"""STOP and START of recipients, and their effect on the opt-out lists.

A keyword to a sender of a use case applies to that use case, otherwise to every workspace of the
account. START removes opt-outs by keyword or provider, never an owner's.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import structlog
from sqlalchemy import Connection, delete, or_, select

from app.access.audit import AuditedChange, AuditEvent
from app.access.principal import Actor, ActorKind
from app.access.tables import workspaces
from app.db.engine import Database
from app.kernel.clock import Clock
from app.providers.port import Consent
from app.use_cases.opt_outs import OptOut, OptOutSource, count_keyword, list_opt_out, record_keyword
from app.use_cases.tables import opt_outs, senders, use_cases

_log = structlog.get_logger(__name__)
# A workspace, and the use case to which the keyword applies, if any.
Scope: TypeAlias = tuple[UUID, UUID | None]
_RECIPIENT = Actor(ActorKind.SYSTEM, "recipient")


@dataclass(frozen=True, slots=True)
class RecordConsent:
    database: Database
    clock: Clock

    def __call__(self, consent: Consent) -> None:
        with self.database.writing() as connection:
            changed = record_consent(connection, consent, self.clock.now())
        _log.info("consent", wants_messages=consent.wants_messages, lists_changed=changed)


def record_consent(connection: Connection, consent: Consent, now: datetime) -> int:
    """Apply a keyword to its opt-out lists; return how many changed.

    A message counts once, and an older keyword never overrides a newer one.
    """
    wants = consent.wants_messages
    if consent.message_sid is not None and not count_keyword(
        connection,
        consent.account_sid,
        consent.message_sid,
        f"{wants} {consent.messaging_service_sid} {consent.sender}",
        now,
    ):
        return 0
    changed, change = 0, AuditedChange(connection, _RECIPIENT, now)
    for workspace_id, use_case_id in _scopes(connection, consent):
        of_scope = OptOut(workspace_id, use_case_id, consent.recipient, OptOutSource.KEYWORD)
        if record_keyword(connection, of_scope, wants, now):
            if wants:
                changed += _lift(change, of_scope)
            elif list_opt_out(change, of_scope) is not None:
                changed += 1
    return changed


def _scopes(connection: Connection, consent: Consent) -> list[Scope]:
    of_account = workspaces.c.account_sid == consent.account_sid
    found = (
        select(use_cases.c.workspace_id, use_cases.c.id)
        .join(workspaces, workspaces.c.id == use_cases.c.workspace_id)
        .where(of_account, use_cases.c.deleted_at.is_(None))
    )
    if consent.messaging_service_sid is not None:
        named = use_cases.c.messaging_service_sid == consent.messaging_service_sid
    else:
        pool = select(senders.c.use_case_id).where(senders.c.number == consent.sender)
        named = use_cases.c.id.in_(pool)
    rows = connection.execute(found.where(named)).all()
    if rows:
        return [(row.workspace_id, row.id) for row in rows]
    whole = connection.execute(select(workspaces.c.id).where(of_account))
    return [(row.id, None) for row in whole]


def _lift(change: AuditedChange, opt_out: OptOut) -> int:
    columns = opt_outs.c
    wanted = delete(opt_outs).where(
        columns.workspace_id == opt_out.workspace_id,
        or_(columns.use_case_id.is_(None), columns.use_case_id == opt_out.use_case_id),
        columns.to_number == opt_out.to_number,
        columns.source.in_([OptOutSource.KEYWORD, OptOutSource.PROVIDER]),
    )
    lifted = list(change.connection.execute(wanted.returning(columns.id)).scalars())
    for one in lifted:
        source = OptOutSource.KEYWORD
        change.record(AuditEvent("opt_out.removed", opt_out.workspace_id, one, source))
    return len(lifted)
