"""Everything that decides about one send, read by one statement.

The key, the use case, its policy, the opt-out list, and an earlier request with the same
idempotency key. Nothing is cached.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Select,
    String,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)

from app.access.principal import StoredKey
from app.access.provider_account import ProviderAccount
from app.access.store import KEY_COLUMNS, key_from
from app.access.tables import access_keys, organizations, provider_accounts, workspaces
from app.db.rows import AnyRow
from app.db.types import UtcDateTime
from app.destinations.lineage import lineage
from app.destinations.policy import Policy
from app.destinations.rules_of_number import read_rules, rules_of_number
from app.destinations.tables import destination_policies
from app.kernel.phone import Destination
from app.messages.idempotency import LIFETIME, IdempotentRequest, Prior
from app.messages.lifecycle import Status
from app.messages.record import RECORD_COLUMNS, MessageRecord
from app.messages.submission import Submission
from app.messages.tables import idempotency_keys, messages
from app.prices.price_table import DayPrices
from app.prices.store import PRICE_REVISION
from app.use_cases.eligibility import SenderType, Standing
from app.use_cases.tables import opt_outs, senders, use_cases


@dataclass(frozen=True, slots=True)
class UseCase:
    """The use case of a send, with its workspace."""

    use_case_id: UUID
    workspace_id: UUID
    organization_id: UUID
    messaging_service_sid: str
    standing: Standing
    is_frozen: bool
    account: ProviderAccount | None


@dataclass(frozen=True, slots=True)
class SendContext:
    """The stored facts about one send; None for absent ones."""

    key: StoredKey | None
    prior: Prior | None
    use_case: UseCase | None
    policy: Policy
    has_opted_out: bool
    # Null while no prices are stored; the operation finds the prices of this revision.
    price_revision: int | None = None
    prices: DayPrices | None = None


def load_send_context(
    connection: Connection,
    *,
    token_hash: str | None,
    use_case_id: UUID,
    to: Destination,
    idempotent: IdempotentRequest | None,
    now: datetime,
    visited_id: UUID | None = None,
) -> SendContext:
    """Read everything that decides about one send, in one round trip.

    ``visited_id`` is the workspace of the idempotency key if the caller has no access key.
    """
    row = connection.execute(
        _STATEMENT,
        {
            "token_hash": token_hash,
            "visited_id": visited_id,
            "use_case_id": use_case_id,
            "to_number": to.canonical or to.number,
            "country": to.country,
            "key_hash": idempotent.key_hash if idempotent else None,
            "keys_live_since": now - LIFETIME,
        },
    ).one()
    return SendContext(
        key=key_from(row),
        prior=_prior(row),
        use_case=_use_case(row),
        policy=_policy(row),
        has_opted_out=bool(row.has_opted_out),
        price_revision=row.price_revision,
    )


_COUNTRY: Any = bindparam("country", type_=String())


def _statement() -> Select[*tuple[Any, ...]]:
    wanted: Any = bindparam("use_case_id", type_=Uuid())
    start = select(literal(1).label("one")).subquery("start")
    in_workspace = select(use_cases.c.workspace_id).where(use_cases.c.id == wanted)
    walk = lineage(in_workspace.scalar_subquery())
    pool = senders.c.use_case_id == use_cases.c.id
    us_long_code = and_(pool, senders.c.type == SenderType.LONG_CODE, senders.c.country == "US")
    opted_out = and_(
        opt_outs.c.workspace_id == use_cases.c.workspace_id,
        opt_outs.c.to_number == bindparam("to_number", type_=String()),
        or_(opt_outs.c.use_case_id.is_(None), opt_outs.c.use_case_id == use_cases.c.id),
    )
    rules = rules_of_number(walk.c.id, bindparam("to_number", type_=String()), _COUNTRY)
    # A key of the organization has no workspace of its own: the use case names the scope.
    is_own = workspaces.c.organization_id == access_keys.c.organization_id
    key_scope = func.coalesce(
        access_keys.c.workspace_id,
        case((is_own, use_cases.c.workspace_id)),
        bindparam("visited_id", type_=Uuid()),
    )
    same_key = and_(
        idempotency_keys.c.workspace_id == key_scope,
        idempotency_keys.c.key_hash == bindparam("key_hash", type_=String()),
        idempotency_keys.c.created_at > bindparam("keys_live_since", type_=UtcDateTime()),
    )
    return (
        select(
            *KEY_COLUMNS,
            *(column.label(f"message_{column.name}") for column in RECORD_COLUMNS),
            messages.c.submission.label("prior_submission"),
            idempotency_keys.c.workspace_id.label("prior_workspace_id"),
            idempotency_keys.c.request_hash.label("prior_request_hash"),
            idempotency_keys.c.answer.label("prior_answer"),
            use_cases.c.id.label("found_use_case_id"),
            use_cases.c.workspace_id,
            use_cases.c.messaging_service_sid,
            use_cases.c.active,
            use_cases.c.deleted_at,
            use_cases.c.brand_status,
            use_cases.c.campaign_status,
            cast(use_cases.c.allowed_destinations, String).label("use_case_countries"),
            workspaces.c.frozen_at,
            workspaces.c.organization_id,
            cast(organizations.c.denied_destinations, String).label("floor"),
            provider_accounts.c.sid.label("account_sid"),
            provider_accounts.c.auth_token,
            cast(destination_policies.c.destinations, String).label("destinations"),
            destination_policies.c.revision,
            rules.label("rules"),
            exists().where(pool).label("has_sender"),
            exists().where(us_long_code).label("has_us_long_code"),
            exists().where(opted_out).label("has_opted_out"),
            PRICE_REVISION.label("price_revision"),
        )
        .select_from(start)
        .outerjoin(access_keys, access_keys.c.token_hash == bindparam("token_hash", type_=String()))
        .outerjoin(use_cases, use_cases.c.id == wanted)
        .outerjoin(workspaces, workspaces.c.id == use_cases.c.workspace_id)
        .outerjoin(organizations, organizations.c.id == workspaces.c.organization_id)
        .outerjoin(provider_accounts, provider_accounts.c.sid == workspaces.c.account_sid)
        .outerjoin(walk, ~walk.c.inherits_destinations)
        .outerjoin(destination_policies, destination_policies.c.workspace_id == walk.c.id)
        .outerjoin(idempotency_keys, same_key)
        .outerjoin(messages, messages.c.id == idempotency_keys.c.message_id)
    )


_STATEMENT = _statement()


def _prior(row: AnyRow) -> Prior | None:
    if row.message_id is None:
        return None
    values = {name: getattr(row, f"message_{name}") for name in MessageRecord.__slots__}
    return Prior(
        workspace_id=row.prior_workspace_id,
        request_hash=row.prior_request_hash,
        answer=row.prior_answer,
        submission=Submission(row.prior_submission),
        message=MessageRecord(**values | {"status": Status(row.message_status)}),
    )


def _use_case(row: AnyRow) -> UseCase | None:
    if row.found_use_case_id is None or row.deleted_at is not None:
        return None
    account = None
    if row.account_sid is not None:
        account = ProviderAccount(sid=row.account_sid, sealed_auth_token=row.auth_token)
    return UseCase(
        use_case_id=row.found_use_case_id,
        workspace_id=row.workspace_id,
        organization_id=row.organization_id,
        messaging_service_sid=row.messaging_service_sid,
        standing=Standing(
            active=row.active,
            brand_status=row.brand_status,
            campaign_status=row.campaign_status,
            has_sender=bool(row.has_sender),
            has_us_long_code=bool(row.has_us_long_code),
        ),
        is_frozen=row.frozen_at is not None,
        account=account,
    )


def _policy(row: AnyRow) -> Policy:
    return Policy(
        revision=row.revision or 0,
        destinations=_parsed(row.destinations) or {},
        floor=frozenset(_parsed(row.floor) or ()),
        rules=read_rules(row.rules),
        use_case_countries=_countries(row.use_case_countries),
    )


def _countries(text: str | None) -> frozenset[str] | None:
    found = _parsed(text)
    return None if found is None else frozenset(found)


@lru_cache(maxsize=256)
def _parsed(text: str | None) -> Any:
    """Parse JSON as stored; kept by its text alone, so it cannot go stale. Never changed."""
    return None if text is None else json.loads(text)
