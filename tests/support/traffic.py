"""Messages and refusals of the past, written straight into the tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import insert

from app.db.engine import Database
from app.destinations.policy.evaluate import Source
from app.destinations.refusals import Refusal, insert_refusal
from app.kernel.ids import first_id_at
from app.kernel.phone import resolve
from app.messages.tables import messages
from support.factories import Tenant

_RANDOM = (1 << 62) - 1


@dataclass(frozen=True)
class Past:
    """A message of the past; its id is of its time, as the ids of real ones are.

    ``country`` saves asking libphonenumber where there are very many.
    """

    tenant: Tenant
    number: str
    at: datetime
    segments: int = 1
    submission: str = "accepted"
    country: str | None = None


def id_at(at: datetime) -> UUID:
    """Return a random UUIDv7 of a millisecond."""
    return UUID(int=first_id_at(at).int | (uuid4().int & _RANDOM))


def write_messages(database: Database, past: Iterable[Past]) -> None:
    """Write messages of the past."""
    rows = [
        {
            "id": id_at(one.at),
            "workspace_id": one.tenant.workspace_id,
            "use_case_id": one.tenant.use_case_id,
            "account_sid": one.tenant.account_sid,
            "submission": one.submission,
            "to_number": one.number,
            "country": one.country or resolve(one.number).country,
            "counted_segments": one.segments,
            "status": "delivered" if one.submission == "accepted" else "pending",
            "created_at": one.at,
            "updated_at": one.at,
        }
        for one in past
    ]
    if rows:
        with database.writing() as c:
            c.execute(insert(messages), rows)


def write_refusals(
    database: Database,
    tenant: Tenant,
    number: str,
    at: datetime,
    *,
    times: int = 1,
    code: str = "DestinationBlocked",
    source: Source = Source.POLICY,
) -> None:
    """Let sends have been refused in the past."""
    refusal = Refusal(
        workspace_id=tenant.workspace_id,
        use_case_id=tenant.use_case_id,
        code=code,
        number=number,
        country=resolve(number).country,
        segments=1,
        source=source,
    )
    with database.writing() as c:
        for _ in range(times):
            insert_refusal(c, refusal, at)
