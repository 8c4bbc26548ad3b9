"""Effects of a provider refusal on later sends."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.destinations.geo_permissions.store import record_closed
from app.kernel.phone import PhoneNumber
from app.providers.port import RefusalKind
from app.use_cases.opt_outs import OptOut, OptOutSource, add_opt_out, record_refusal

KINDS_WITH_EFFECTS = frozenset({RefusalKind.RECIPIENT_OPTED_OUT, RefusalKind.DESTINATION_BLOCKED})


@dataclass(frozen=True, slots=True)
class Recipient:
    workspace_id: UUID
    use_case_id: UUID
    account_sid: str
    to_number: PhoneNumber
    country: str | None


def record_refusal_effects(
    connection: Connection,
    kind: RefusalKind | None,
    recipient: Recipient,
    *,
    known_at: datetime,
    now: datetime,
) -> None:
    """Store an opt-out or a closed country; a repeat changes nothing.

    ``known_at`` is the creation time of the refused message: a later keyword of the recipient
    wins.
    """
    if kind is RefusalKind.RECIPIENT_OPTED_OUT:
        opt_out = OptOut(
            workspace_id=recipient.workspace_id,
            use_case_id=recipient.use_case_id,
            to_number=recipient.to_number,
            source=OptOutSource.PROVIDER,
        )
        if record_refusal(connection, opt_out, known_at, now):
            add_opt_out(connection, opt_out, now)
    elif kind is RefusalKind.DESTINATION_BLOCKED:
        record_closed(connection, recipient.account_sid, recipient.country, now)
