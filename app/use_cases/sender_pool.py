"""Management of sender pools, with audit events.

Raises `UseCaseNotFound` if the use case is absent, deleted or another tenant's.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update

from app.access.audit import record_workspace_event
from app.access.principal import Principal
from app.access.store import lock_organization
from app.db.filters import PageFilter, load_page
from app.db.rows import AnyRow
from app.kernel.errors import NotFound, ValidationFailed
from app.kernel.ids import new_id
from app.kernel.masking import mask_numbers_in
from app.use_cases.manage import require_use_case
from app.use_cases.rules import SenderType, sender_country
from app.use_cases.tables import senders

NUMBER_TAKEN = "Is in the pool of this use case already."


@dataclass(frozen=True, slots=True)
class NewSender:
    number: str
    type: SenderType


def load_senders(
    connection: Connection, principal: Principal, use_case_id: UUID, wanted: PageFilter
) -> list[AnyRow]:
    """Load `limit` + 1 rows, oldest first."""
    require_use_case(connection, principal, use_case_id)
    query = select(senders).where(senders.c.use_case_id == use_case_id)
    return load_page(connection, query, senders, wanted, oldest_first=True)


def add_sender(
    connection: Connection,
    principal: Principal,
    use_case_id: UUID,
    wanted: NewSender,
    now: datetime,
) -> AnyRow:
    """Raises `ValidationFailed` if it is in the pool already."""
    lock_organization(connection, principal.organization_id)
    use_case = require_use_case(connection, principal, use_case_id)
    if any(known.number == wanted.number for known in use_case.senders):
        raise ValidationFailed({"$.number": [NUMBER_TAKEN]})
    values = {
        "id": new_id(),
        "use_case_id": use_case_id,
        "number": wanted.number,
        "type": wanted.type.value,
        "country": sender_country(wanted.number, wanted.type),
        "created_at": now,
    }
    row = connection.execute(insert(senders).values(**values).returning(senders)).one()
    _note(connection, use_case.row, row, "added", principal=principal, now=now)
    return row


def change_sender(
    connection: Connection,
    principal: Principal,
    use_case_id: UUID,
    wanted: NewSender,
    now: datetime,
) -> None:
    """Change the type of the sender with this number; raises `NotFound`."""
    lock_organization(connection, principal.organization_id)
    use_case = require_use_case(connection, principal, use_case_id)
    row = next((known for known in use_case.senders if known.number == wanted.number), None)
    if row is None:
        raise NotFound
    country = sender_country(wanted.number, wanted.type)
    values = {"type": wanted.type.value, "country": country}
    connection.execute(update(senders).where(senders.c.id == row.id).values(**values))
    _note(connection, use_case.row, row, "changed", principal=principal, now=now)


def remove_sender(
    connection: Connection, principal: Principal, use_case_id: UUID, sender_id: UUID, now: datetime
) -> None:
    """Raises `NotFound`."""
    lock_organization(connection, principal.organization_id)
    use_case = require_use_case(connection, principal, use_case_id)
    row = next((known for known in use_case.senders if known.id == sender_id), None)
    if row is None:
        raise NotFound
    connection.execute(delete(senders).where(senders.c.id == sender_id))
    _note(connection, use_case.row, row, "removed", principal=principal, now=now)


def _note(
    connection: Connection,
    use_case: AnyRow,
    sender: AnyRow,
    verb: str,
    *,
    principal: Principal,
    now: datetime,
) -> None:
    masked = mask_numbers_in(sender.number)
    of_sender = use_case.workspace_id, f"sender.{verb}", now
    record_workspace_event(connection, principal, *of_sender, target=sender.id, reason=masked)
