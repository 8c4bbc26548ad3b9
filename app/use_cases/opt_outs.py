"""Opt-outs from a use case or a whole workspace."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, delete, select, text

from app.access.principal import Principal
from app.access.store import visible_to
from app.db.filters import PageFilter, equal, load_page
from app.db.inserts import insert_on_conflict
from app.db.rows import AnyRow
from app.kernel.ids import new_id
from app.kernel.phone import PhoneNumber
from app.use_cases.tables import opt_outs


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
SCOPED = text("use_case_id IS NOT NULL")
WHOLE = text("use_case_id IS NULL")


def add_opt_out(connection: Connection, opt_out: OptOut, now: datetime) -> UUID | None:
    """Add a number; return None if it is listed already.

    An owner's entry replaces others, so that START no longer removes it. An existing entry
    stays locked.
    """
    scoped = opt_out.use_case_id is not None
    columns = ["workspace_id", "to_number", *(["use_case_id"] if scoped else [])]
    wanted = insert_on_conflict(connection, opt_outs).values(
        id=new_id(),
        workspace_id=opt_out.workspace_id,
        use_case_id=opt_out.use_case_id,
        to_number=opt_out.to_number,
        source=opt_out.source,
        created_at=now,
    )
    statement = wanted.on_conflict_do_update(
        index_elements=columns,
        index_where=SCOPED if scoped else WHOLE,
        set_={"source": wanted.excluded.source},
        where=and_(opt_outs.c.source.in_(_NOT_OWNERS), wanted.excluded.source.not_in(_NOT_OWNERS)),
    ).returning(opt_outs.c.id)
    found: UUID | None = connection.execute(statement).scalar_one_or_none()
    return found


def find_opt_out(connection: Connection, opt_out: OptOut) -> AnyRow:
    return connection.execute(select(opt_outs).where(*_of(opt_out))).one()


def _of(opt_out: OptOut) -> tuple[ColumnElement[bool], ...]:
    same_use_case = (
        opt_outs.c.use_case_id.is_(None)
        if opt_out.use_case_id is None
        else opt_outs.c.use_case_id == opt_out.use_case_id
    )
    return (
        opt_outs.c.workspace_id == opt_out.workspace_id,
        opt_outs.c.to_number == opt_out.to_number,
        same_use_case,
    )


def load_opt_outs(
    connection: Connection, principal: Principal, wanted: OptOutFilter
) -> list[AnyRow]:
    """Load `limit` + 1 rows, newest first."""
    conditions = equal(wanted, opt_outs, "workspace_id", "use_case_id", "to_number")
    seen = visible_to(principal, opt_outs.c.workspace_id)
    return load_page(connection, select(opt_outs).where(seen, *conditions), opt_outs, wanted)


def load_opt_out(connection: Connection, principal: Principal, opt_out_id: UUID) -> OptOut | None:
    columns = opt_outs.c
    found = connection.execute(
        select(opt_outs).where(
            columns.id == opt_out_id, visible_to(principal, columns.workspace_id)
        )
    ).one_or_none()
    if found is None:
        return None
    number = PhoneNumber(found.to_number)
    return OptOut(found.workspace_id, found.use_case_id, number, found.source)


def remove_opt_out(connection: Connection, opt_out_id: UUID) -> bool:
    removed = connection.execute(delete(opt_outs).where(opt_outs.c.id == opt_out_id))
    return removed.rowcount > 0
