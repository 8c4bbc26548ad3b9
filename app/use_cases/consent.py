"""A recipient's STOP or START: which opt-out lists it changes.

A word sent to a sender of a use case speaks of that use case. One that fits none speaks of every
workspace of the account. START lifts what a keyword or the provider put on the list, never what an
owner entered.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, or_, select

from app.access.tables import workspaces
from app.use_cases.opt_outs import OptOut, OptOutSource, add_opt_out
from app.use_cases.tables import opt_outs, senders, use_cases


@dataclass(frozen=True, slots=True)
class Consent:
    """Who said yes or no, to which sender of which provider account."""

    account_sid: str
    messaging_service_sid: str | None
    sender: str | None
    recipient: str
    wants_messages: bool


def record_consent(connection: Connection, consent: Consent, now: datetime) -> int:
    """Change every list that the word speaks of; return how many changed."""
    scopes = _scopes(connection, consent)
    if consent.wants_messages:
        return sum(_lift(connection, scope, consent.recipient) for scope in scopes)
    added = [
        add_opt_out(
            connection,
            OptOut(workspace_id, use_case_id, consent.recipient, OptOutSource.KEYWORD),
            now,
        )
        for workspace_id, use_case_id in scopes
    ]
    return sum(opt_out_id is not None for opt_out_id in added)


def _scopes(connection: Connection, consent: Consent) -> list[tuple[UUID, UUID | None]]:
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


def _lift(connection: Connection, scope: tuple[UUID, UUID | None], recipient: str) -> int:
    workspace_id, use_case_id = scope
    lifted = connection.execute(
        delete(opt_outs).where(
            opt_outs.c.workspace_id == workspace_id,
            or_(opt_outs.c.use_case_id.is_(None), opt_outs.c.use_case_id == use_case_id),
            opt_outs.c.to_number == recipient,
            opt_outs.c.source.in_([OptOutSource.KEYWORD, OptOutSource.PROVIDER]),
        )
    )
    return lifted.rowcount
