"""Opt-outs from a use case or a whole workspace, and the order of facts about a recipient.

The facts are recipients' keywords and the provider's refusals. The newest fact of a scope and a
number is one row, locked until the commit.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, delete, literal, select

from app.access.audit import AuditedChange, AuditEvent, PrincipalChange
from app.access.principal import Principal
from app.access.store import chosen_workspace, required, visible_to
from app.db.rows import AnyRow, PageFilter, equal, insert_on_conflict, load_page
from app.kernel.errors import NotFound, ValidationFailed
from app.kernel.ids import new_id
from app.kernel.phone import PhoneNumber
from app.use_cases.read import load_use_case
from app.use_cases.tables import SCOPED, WHOLE, keyword_messages, opt_outs, recipient_consents

# Reports of messages never come later, so older facts are deleted and ignored.
CONSENTS_KEPT = timedelta(days=30)


class OptOutSource(StrEnum):
    API = "api"
    CONSOLE = "console"
    KEYWORD = "keyword"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class OptOut:
    """Without a use case it applies to the whole workspace."""

    workspace_id: UUID
    use_case_id: UUID | None
    to_number: PhoneNumber
    source: str

    @property
    def place(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("workspace_id", "use_case_id", "to_number")}

    @property
    def index(self) -> dict[str, Any]:
        """The partial index in which its number is once."""
        if self.use_case_id is None:
            return {"index_elements": ["workspace_id", "to_number"], "index_where": WHOLE}
        return {"index_elements": list(self.place), "index_where": SCOPED}


@dataclass(frozen=True, slots=True)
class NewOptOut:
    to_number: PhoneNumber
    use_case_id: UUID | None = None
    workspace_id: UUID | None = None
    source: str = OptOutSource.API


@dataclass(frozen=True, slots=True)
class OptOutFilter(PageFilter):
    workspace_id: UUID | None = None
    use_case_id: UUID | None = None
    to_number: PhoneNumber | None = None


_NOT_OWNERS = (OptOutSource.KEYWORD.value, OptOutSource.PROVIDER.value)


def add_opt_out(connection: Connection, opt_out: OptOut, now: datetime) -> UUID | None:
    """Add a number; return None if it is listed already.

    An owner's entry replaces others, so that START no longer removes it. An existing entry
    stays locked.
    """
    wanted = insert_on_conflict(connection, opt_outs).values(
        id=new_id(), **opt_out.place, source=opt_out.source, created_at=now
    )
    statement = wanted.on_conflict_do_update(
        **opt_out.index,
        set_={"source": wanted.excluded.source},
        where=and_(opt_outs.c.source.in_(_NOT_OWNERS), wanted.excluded.source.not_in(_NOT_OWNERS)),
    ).returning(opt_outs.c.id)
    found: UUID | None = connection.execute(statement).scalar_one_or_none()
    return found


def list_opt_out(change: AuditedChange, opt_out: OptOut) -> UUID | None:
    """Like `add_opt_out`, with an audit event."""
    added = add_opt_out(change.connection, opt_out, change.now)
    if added is not None:
        change.record(AuditEvent("opt_out.added", opt_out.workspace_id, added, opt_out.source))
    return added


def load_opt_outs(
    connection: Connection, principal: Principal, wanted: OptOutFilter
) -> list[AnyRow]:
    conditions = equal(wanted, opt_outs, "workspace_id", "use_case_id", "to_number")
    seen = visible_to(principal, opt_outs.c.workspace_id)
    return load_page(connection, select(opt_outs).where(seen, *conditions), opt_outs, wanted)


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
    wanted = delete(recipient_consents).where(recipient_consents.c.id.in_(old))
    return connection.execute(wanted).rowcount


def forget_keyword(connection: Connection, number: str) -> None:
    """Delete a number's consent; refusals stay, as opt-outs do."""
    columns = recipient_consents.c
    of_it = columns.to_number == number, columns.wants_messages
    connection.execute(delete(recipient_consents).where(*of_it))


def _note(
    connection: Connection, opt_out: OptOut, wants_messages: bool, at: datetime, *, at_ties: bool
) -> bool:
    wanted = insert_on_conflict(connection, recipient_consents).values(
        id=new_id(), **opt_out.place, wants_messages=wants_messages, at=at
    )
    new, kept = wanted.excluded.at, recipient_consents.c.at
    statement = wanted.on_conflict_do_update(
        **opt_out.index,
        set_={"wants_messages": wants_messages, "at": at},
        where=new >= kept if at_ties else new > kept,
    ).returning(recipient_consents.c.id)
    return connection.execute(statement).one_or_none() is not None


def enter_opt_out(change: PrincipalChange, wanted: NewOptOut) -> AnyRow:
    """Add a number; an existing entry becomes the owner's. Raises `ValidationFailed`."""
    workspace_id = _scope(change.connection, change.principal, wanted)
    list_opt_out(change, OptOut(workspace_id, wanted.use_case_id, wanted.to_number, wanted.source))
    columns = opt_outs.c
    query = select(opt_outs).where(
        columns.workspace_id == workspace_id,
        columns.use_case_id == wanted.use_case_id,  # IS NULL for None
        columns.to_number == wanted.to_number,
    )
    return change.connection.execute(query).one()


def lift_opt_out(change: PrincipalChange, opt_out_id: UUID) -> None:
    """A refusal of an older message does not restore it. Raises `NotFound`."""
    connection, is_it = change.connection, opt_outs.c.id == opt_out_id
    query = select(opt_outs).where(is_it, visible_to(change.principal, opt_outs.c.workspace_id))
    found = required(connection.execute(query).one_or_none())
    number = PhoneNumber(found.to_number)
    opt_out = OptOut(found.workspace_id, found.use_case_id, number, found.source)
    # First the fact, then the list, as everywhere: the row of the fact is the lock.
    record_keyword(connection, opt_out, True, change.now)
    if not connection.execute(delete(opt_outs).where(is_it)).rowcount:
        raise NotFound
    change.record_of(found, "opt_out.removed")


def _scope(connection: Connection, principal: Principal, wanted: NewOptOut) -> UUID:
    if wanted.use_case_id is None:
        return chosen_workspace(connection, principal, wanted.workspace_id, "$.workspace_id")
    use_case = load_use_case(connection, principal, wanted.use_case_id)
    if use_case is None or wanted.workspace_id not in {None, use_case.row.workspace_id}:
        raise ValidationFailed({"$.use_case_id": ["There is no such use case."]})
    workspace_id: UUID = use_case.row.workspace_id
    return workspace_id
