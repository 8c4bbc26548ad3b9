"""SQL of the order of recipients' keywords and the provider's refusals.

The newest fact of a scope and a number is one row, locked until the commit, so that the opt-out
list changes in the order of the facts.
"""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, literal, select

from app.db.inserts import insert_on_conflict
from app.kernel.ids import new_id
from app.use_cases.opt_outs import SCOPED, WHOLE, OptOut
from app.use_cases.tables import keyword_messages, recipient_consents

# Reports of messages never come later, so older facts are deleted and ignored.
CONSENTS_KEPT = timedelta(days=30)


def count_keyword(
    connection: Connection, account_sid: str, message_sid: str, content: str, now: datetime
) -> bool:
    """Record a keyword message; False if it was counted before."""
    statement = (
        insert_on_conflict(connection, keyword_messages)
        .values(
            account_sid=account_sid,
            message_sid=message_sid,
            content_hash=hashlib.sha256(content.encode()).hexdigest(),
            received_at=now,
        )
        .on_conflict_do_nothing()
        .returning(keyword_messages.c.message_sid)
    )
    return connection.execute(statement).one_or_none() is not None


def record_keyword(
    connection: Connection, opt_out: OptOut, wants_messages: bool, at: datetime
) -> bool:
    """Record a keyword, or an owner's removal; False if a newer one is known."""
    return _note(connection, opt_out, wants_messages, at, at_ties=True)


def record_refusal(
    connection: Connection, opt_out: OptOut, known_at: datetime, now: datetime
) -> bool:
    """Record the provider's refusal; False if a newer fact may be known.

    A keyword without a use case counts for the whole workspace.
    """
    if known_at < now - CONSENTS_KEPT:
        return False
    columns = recipient_consents.c
    newer_for_all = connection.execute(
        select(literal(1)).where(
            columns.workspace_id == opt_out.workspace_id,
            columns.use_case_id.is_(None),
            columns.to_number == opt_out.to_number,
            columns.wants_messages,
            columns.at >= known_at,
        )
    ).first()
    return newer_for_all is None and _note(connection, opt_out, False, known_at, at_ties=False)


def forget_consents(connection: Connection, before: datetime, limit: int) -> int:
    """Delete facts that no later report can contradict; return how many."""
    old = select(recipient_consents.c.id).where(recipient_consents.c.at < before).limit(limit)
    forgotten = connection.execute(
        delete(recipient_consents).where(recipient_consents.c.id.in_(old))
    )
    return forgotten.rowcount


def forget_keyword(connection: Connection, number: str) -> None:
    """Delete a number's consent; refusals stay, as opt-outs do."""
    connection.execute(
        delete(recipient_consents).where(
            recipient_consents.c.to_number == number, recipient_consents.c.wants_messages
        )
    )


def _note(
    connection: Connection, opt_out: OptOut, wants_messages: bool, at: datetime, *, at_ties: bool
) -> bool:
    scoped = opt_out.use_case_id is not None
    wanted = insert_on_conflict(connection, recipient_consents).values(
        id=new_id(),
        workspace_id=opt_out.workspace_id,
        use_case_id=opt_out.use_case_id,
        to_number=opt_out.to_number,
        wants_messages=wants_messages,
        at=at,
    )
    new, kept = wanted.excluded.at, recipient_consents.c.at
    statement = wanted.on_conflict_do_update(
        index_elements=["workspace_id", "to_number", *(["use_case_id"] if scoped else [])],
        index_where=SCOPED if scoped else WHOLE,
        set_={"wants_messages": wants_messages, "at": at},
        where=new >= kept if at_ties else new > kept,
    ).returning(recipient_consents.c.id)
    return connection.execute(statement).one_or_none() is not None
