"""What is kept of a send that was turned away; never the number itself."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert

from app.destinations.policy import RuleKind, Scope
from app.destinations.tables import refusals
from app.kernel.ids import new_id
from app.kernel.masking import mask_number


class Source(StrEnum):
    """Who turned the send away."""

    POLICY = "policy"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A send that was turned away, with its reason."""

    workspace_id: UUID
    use_case_id: UUID | None
    code: str
    number: str
    country: str | None
    segments: int
    source: Source
    rule: RuleKind | None = None
    scope: Scope | None = None
    revision: int | None = None
    provider_code: int | None = None


_INSERT = insert(refusals).values({c.name: bindparam(c.name) for c in refusals.c})


def insert_refusal(connection: Connection, refusal: Refusal, now: datetime) -> None:
    """Store a refusal with its number masked."""
    connection.execute(
        _INSERT,
        {
            "id": new_id(),
            "workspace_id": refusal.workspace_id,
            "use_case_id": refusal.use_case_id,
            "at": now,
            "code": refusal.code,
            "source": refusal.source,
            "country": refusal.country,
            "rule": refusal.rule,
            "scope": refusal.scope,
            "revision": refusal.revision,
            "provider_code": refusal.provider_code,
            "masked_number": mask_number(refusal.number),
            "segments": refusal.segments,
        },
    )
