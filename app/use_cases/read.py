"""Reading use cases with their sender pools."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from app.access.principal import Principal
from app.access.store import visible_to
from app.db.rows import AnyRow, PageFilter, equal, load_page
from app.use_cases.rules import Eligibility, SenderType
from app.use_cases.tables import senders, use_cases

_MOST_NAMES = 500


@dataclass(frozen=True, slots=True)
class UseCaseFilter(PageFilter):
    workspace_id: UUID | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class StoredUseCase:
    row: AnyRow
    senders: Sequence[AnyRow]

    @property
    def id(self) -> UUID:
        found: UUID = self.row.id
        return found

    @property
    def eligibility(self) -> Eligibility:
        us_long_codes = (
            one for one in self.senders if (one.type, one.country) == (SenderType.LONG_CODE, "US")
        )
        return Eligibility(
            active=self.row.active,
            brand_status=self.row.brand_status,
            campaign_status=self.row.campaign_status,
            has_sender=bool(self.senders),
            has_us_long_code=any(us_long_codes),
        )


def load_use_case(
    connection: Connection, principal: Principal, use_case_id: UUID
) -> StoredUseCase | None:
    """Return None if it is absent, deleted or another tenant's."""
    query = select(use_cases).where(use_cases.c.id == use_case_id, *_exists_for(principal))
    row = connection.execute(query).one_or_none()
    return None if row is None else _with_pools(connection, [row])[0]


def load_use_cases(
    connection: Connection, principal: Principal, wanted: UseCaseFilter
) -> list[StoredUseCase]:
    conditions = equal(wanted, use_cases, "workspace_id", "active")
    query = select(use_cases).where(*_exists_for(principal), *conditions)
    rows = load_page(connection, query, use_cases, wanted, oldest_first=True)
    return _with_pools(connection, rows)


def _exists_for(principal: Principal) -> tuple[Any, ...]:
    return (visible_to(principal, use_cases.c.workspace_id), use_cases.c.deleted_at.is_(None))


def _with_pools(connection: Connection, rows: Sequence[AnyRow]) -> list[StoredUseCase]:
    pools: dict[UUID, list[AnyRow]] = defaultdict(list)
    ids = [row.id for row in rows]
    found = select(senders).where(senders.c.use_case_id.in_(ids)).order_by(senders.c.id)
    for sender in connection.execute(found):
        pools[sender.use_case_id].append(sender)
    return [StoredUseCase(row, pools[row.id]) for row in rows]


def load_use_case_names(connection: Connection, principal: Principal) -> dict[UUID, str]:
    return {row.id: row.name for row in load_named_use_cases(connection, principal)}


def load_named_use_cases(connection: Connection, principal: Principal) -> Sequence[AnyRow]:
    columns = use_cases.c
    query = (
        select(columns.id, columns.name, columns.workspace_id, columns.deleted_at)
        .where(visible_to(principal, columns.workspace_id))
        .order_by(columns.name)
        .limit(_MOST_NAMES)
    )
    return connection.execute(query).all()
