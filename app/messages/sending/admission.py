"""The checks of a send, in order, and the statement that reads their data."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.access.principal import Principal, Role, StoredKey, admit, key_from
from app.access.store import KEY_IDS, KEY_TEXT, KEY_TIMES
from app.db.rows import AnyRow
from app.db.statement import Statement
from app.destinations.policy.evaluate import (
    Access,
    Policy,
    Rule,
    RuleKind,
    Verdict,
    check_destination,
    rule_values,
)
from app.destinations.storage.policies import inheritance_chain
from app.guards.facts import GUARD_COLUMNS, GUARD_JOINS, GuardFacts, guard_facts_from, guard_values
from app.kernel import errors as e
from app.kernel.phone import Destination
from app.messages.lifecycle import Submission
from app.messages.sending.idempotency import LIFETIME, IdempotentRequest, Prior
from app.prices.store import PRICE_REVISION
from app.providers.port import ProviderAccount
from app.use_cases.rules import Eligibility, SenderType, check_eligibility


@dataclass(frozen=True, slots=True)
class UseCase:
    use_case_id: UUID
    workspace_id: UUID
    organization_id: UUID
    messaging_service_sid: str
    eligibility: Eligibility
    is_suspended: bool
    account: ProviderAccount | None
    guarding: GuardFacts


@dataclass(frozen=True, slots=True)
class SendContext:
    """The stored facts about one send; None for absent ones."""

    key: StoredKey | None
    prior: Prior | None
    use_case: UseCase | None
    policy: Policy
    has_opted_out: bool
    # None without prices.
    price_revision: int | None = None


# The columns of `policy_from`, from the tables ``o`` (organization), ``policy`` and ``owner``, with
# the parameters `policy_values`: what a policy says about one number is read, not all of it.
POLICY_COLUMNS = """o.denied_destinations::text AS denied_by_organization,
  policy.revision, policy.destinations ->> :country::text AS country_access,
  (SELECT string_agg(r.id || '|' || r.kind || '|' || r.value || '|' || r.action || '|'
      || coalesce(r.expires_at::text, ''), ';')
    FROM destination_rules AS r
    WHERE r.workspace_id = owner.id AND r.value = ANY(:rule_values)) AS rules"""
POLICY_JOINS = """LEFT JOIN chain AS owner ON NOT owner.inherits
LEFT JOIN destination_policies AS policy ON policy.workspace_id = owner.id"""

_READ = Statement(
    f"""WITH RECURSIVE
{inheritance_chain("(SELECT workspace_id FROM use_cases WHERE id = :use_case_id)")}
SELECT
  {KEY_TEXT},
  prior.workspace_id AS prior_workspace_id, prior.request_hash AS prior_request_hash,
  prior.answer AS prior_answer, sent.id AS prior_message_id,
  sent.submission AS prior_submission, sent.created_at AS prior_created_at,
  u.id AS use_case_id, u.workspace_id, u.messaging_service_sid, u.active,
  u.deleted_at IS NOT NULL AS is_deleted, u.brand_status, u.campaign_status,
  u.allowed_destinations::text AS use_case_countries,
  w.organization_id, w.suspended_at IS NOT NULL AS is_suspended,
  account.sid AS account_sid, account.auth_token,
  {POLICY_COLUMNS}, {GUARD_COLUMNS},
  -- Null without a sender; 1 if one is a long code of the US.
  (SELECT max(CASE WHEN s.type = '{SenderType.LONG_CODE}' AND s.country = 'US' THEN 1 ELSE 0 END)
    FROM senders AS s WHERE s.use_case_id = u.id) AS has_us_long_code,
  EXISTS (SELECT 1 FROM opt_outs AS out WHERE out.workspace_id = u.workspace_id
    AND out.to_number = :to_number
    AND (out.use_case_id IS NULL OR out.use_case_id = u.id)) AS has_opted_out,
  {PRICE_REVISION} AS price_revision
FROM (SELECT 1) AS start
LEFT JOIN access_keys AS k ON k.token_hash = :token_hash
LEFT JOIN use_cases AS u ON u.id = :use_case_id
LEFT JOIN workspaces AS w ON w.id = u.workspace_id
LEFT JOIN organizations AS o ON o.id = w.organization_id
LEFT JOIN provider_accounts AS account ON account.sid = w.account_sid
{POLICY_JOINS}
{GUARD_JOINS}
-- A key of the organization has no workspace of its own: the use case names the scope.
LEFT JOIN idempotency_keys AS prior ON prior.key_hash = :key_hash
  AND prior.created_at > :keys_live_since AND prior.workspace_id = coalesce(k.workspace_id,
    CASE WHEN w.organization_id = k.organization_id THEN u.workspace_id END, :visited_id)
LEFT JOIN messages AS sent ON sent.id = prior.message_id""",
    ids=(
        *KEY_IDS,
        "prior_workspace_id",
        "prior_message_id",
        "use_case_id",
        "workspace_id",
        "organization_id",
    ),
    times=(*KEY_TIMES, "prior_created_at"),
)


def load_send_context(
    connection: Connection,
    *,
    caller: str | Principal | None,
    use_case_id: UUID,
    to: Destination,
    idempotent: IdempotentRequest | None,
    now: datetime,
) -> SendContext:
    """Read all data in one round trip."""
    row = _READ.first(
        connection,
        {
            "token_hash": caller if isinstance(caller, str) else None,
            "visited_id": caller.workspace_id if isinstance(caller, Principal) else None,
            "use_case_id": use_case_id,
            "to_number": to.canonical or to.number,
            "key_hash": idempotent.key_hash if idempotent else None,
            "keys_live_since": now - LIFETIME,
            **policy_values(to),
            **guard_values(to.number, to.country, now),
        },
    )
    return SendContext(
        key=key_from(row),
        prior=_prior(row),
        use_case=_use_case(row),
        policy=policy_from(row, to, row.use_case_countries),
        has_opted_out=bool(row.has_opted_out),
        price_revision=row.price_revision,
    )


def policy_values(to: Destination) -> dict[str, Any]:
    return {"country": to.country, "rule_values": rule_values(to)}


def policy_from(row: AnyRow, to: Destination, use_case_countries: str | None = None) -> Policy:
    countries = _parsed(use_case_countries)
    return Policy(
        revision=row.revision or 0,
        destinations={to.country or "": row.country_access} if row.country_access else {},
        denied_by_organization=frozenset(_parsed(row.denied_by_organization) or ()),
        rules=tuple(map(_rule, row.rules.split(";"))) if row.rules else (),
        use_case_countries=None if countries is None else frozenset(countries),
    )


def _rule(text: str) -> Rule:
    rule_id, kind, value, action, expires_at = text.split("|")
    return Rule(
        rule_id=UUID(rule_id),
        kind=RuleKind(kind),
        value=value,
        action=Access(action),
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
    )


@lru_cache(maxsize=256)
def _parsed(text: str | None) -> Any:
    """Parse JSON, cached by text. Callers must not change it."""
    return None if text is None else json.loads(text)


def _prior(row: AnyRow) -> Prior | None:
    if row.prior_message_id is None:
        return None
    return Prior(
        workspace_id=row.prior_workspace_id,
        request_hash=row.prior_request_hash,
        answer=row.prior_answer,
        message_id=row.prior_message_id,
        submission=Submission(row.prior_submission),
        created_at=row.prior_created_at,
    )


def _use_case(row: AnyRow) -> UseCase | None:
    if row.use_case_id is None or row.is_deleted:
        return None
    account = None
    if row.account_sid is not None:
        account = ProviderAccount(sid=row.account_sid, encrypted_auth_token=row.auth_token)
    return UseCase(
        use_case_id=row.use_case_id,
        workspace_id=row.workspace_id,
        organization_id=row.organization_id,
        messaging_service_sid=row.messaging_service_sid,
        eligibility=Eligibility(
            active=bool(row.active),
            brand_status=row.brand_status,
            campaign_status=row.campaign_status,
            has_sender=row.has_us_long_code is not None,
            has_us_long_code=bool(row.has_us_long_code),
        ),
        is_suspended=bool(row.is_suspended),
        account=account,
        guarding=guard_facts_from(row),
    )


def admit_caller(caller: str | Principal, context: SendContext, now: datetime) -> Principal:
    """Return the key's or session's principal; raises `Unauthorized` or `Forbidden`."""
    if isinstance(caller, str):
        return admit(context.key, Role.SENDER, now)
    if not caller.role.permits(Role.SENDER):
        raise e.Forbidden(f"This takes the role {Role.SENDER}; you have {caller.role} here.")
    return caller


def reachable_use_case(context: SendContext, principal: Principal) -> UseCase:
    """Raises `UseCaseNotFound`."""
    found = context.use_case
    if found is None or not principal.can_access(found.organization_id, found.workspace_id):
        raise e.UseCaseNotFound
    return found


def check_admission(
    use_case: UseCase, context: SendContext, destination: Destination, now: datetime
) -> tuple[ProviderAccount, Verdict]:
    """Raises the first failure, `ProviderMisconfigured` without a provider account."""
    if use_case.is_suspended:
        raise e.WorkspaceSuspended
    check_eligibility(use_case.eligibility)
    verdict = check_destination(context.policy, destination, now)
    if context.has_opted_out:
        raise e.RecipientOptedOut
    if use_case.account is None:
        raise e.ProviderMisconfigured("The workspace has no provider account.")
    return use_case.account, verdict
