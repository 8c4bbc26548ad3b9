"""Reads brand and campaign states; unclear answers change nothing."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update

from app.access.audit import AuditedChange
from app.access.principal import Actor
from app.access.tables import provider_accounts, workspaces
from app.db.engine import Database
from app.db.rows import AnyRow, given
from app.kernel.clock import Clock
from app.providers.port import ProviderAccount, ProviderUnknown, RegistrationSource
from app.use_cases.tables import use_cases


@dataclass(frozen=True, slots=True)
class RefreshedUseCase:
    """``problem`` is set if a state could not be read."""

    use_case_id: UUID
    name: str
    brand_status: str | None
    campaign_status: str | None
    changed: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class RefreshRegistrations:
    database: Database
    source: RegistrationSource
    clock: Clock

    def __call__(
        self, actor: Actor, workspace_id: UUID | None = None, use_case_id: UUID | None = None
    ) -> list[RefreshedUseCase]:
        with self.database.reading() as connection:
            rows = connection.execute(_registered(workspace_id, use_case_id)).all()
        return [self._refresh(row, actor) for row in rows]

    def _refresh(self, row: AnyRow, actor: Actor) -> RefreshedUseCase:
        account = ProviderAccount(row.sid, row.auth_token)
        brand, campaign = row.brand_status, row.campaign_status
        problem = None
        try:
            if row.brand_sid is not None:
                brand = self.source.brand_status(account, row.brand_sid)
            if row.campaign_sid is not None:
                campaign = self.source.campaign_status(
                    account, row.messaging_service_sid, row.campaign_sid
                )
        except ProviderUnknown as unknown:
            problem = str(unknown)
        read = {"brand_status": brand, "campaign_status": campaign}
        changed = {name: status for name, status in read.items() if status != getattr(row, name)}
        if changed:
            self._store(row, changed, actor)
        return RefreshedUseCase(row.id, row.name, brand, campaign, bool(changed), problem)

    def _store(self, row: AnyRow, changed: dict[str, str | None], actor: Actor) -> None:
        now = self.clock.now()
        # Do not store the answer if the brand or campaign was changed during the call.
        still = (
            use_cases.c.id == row.id,
            use_cases.c.brand_sid.is_not_distinct_from(row.brand_sid),
            use_cases.c.campaign_sid.is_not_distinct_from(row.campaign_sid),
        )
        statement = update(use_cases).where(*still).values(**changed, updated_at=now)
        with self.database.writing() as connection:
            if connection.execute(statement).rowcount:
                reason = ", ".join(f"{name} {status}" for name, status in changed.items())
                AuditedChange(connection, actor, now).record_of(row, "use_case.refreshed", reason)


def _registered(workspace_id: UUID | None, use_case_id: UUID | None) -> Select[*tuple[Any, ...]]:
    narrower = given((workspace_id, workspaces.c.id.__eq__), (use_case_id, use_cases.c.id.__eq__))
    return (
        select(use_cases, provider_accounts.c.sid, provider_accounts.c.auth_token)
        .join(workspaces, workspaces.c.id == use_cases.c.workspace_id)
        .join(provider_accounts, provider_accounts.c.sid == workspaces.c.account_sid)
        .where(use_cases.c.deleted_at.is_(None), *narrower)
        .where(use_cases.c.brand_sid.isnot(None) | use_cases.c.campaign_sid.isnot(None))
        .order_by(use_cases.c.id)
    )
