"""Refreshing what the provider says of brands and campaigns; what it cannot say stays as it was."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Select, select, update

from app.access.provider_account import ProviderAccount
from app.access.tables import provider_accounts, workspaces
from app.db.engine import Database
from app.db.rows import AnyRow
from app.kernel.clock import Clock
from app.use_cases.tables import use_cases


class RegistrationsUnknown(Exception):
    """The provider could not be asked; the text says why and holds no secret."""


class RegistrationSource(Protocol):
    """Who knows the states of registrations."""

    def brand_status(self, account: ProviderAccount, brand_sid: str) -> str:
        """Return a brand's status, or raise `RegistrationsUnknown`."""

    def campaign_status(
        self, account: ProviderAccount, messaging_service_sid: str, campaign_sid: str
    ) -> str:
        """Return a campaign's status, or raise `RegistrationsUnknown`."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What was read of one use case; ``problem`` says what could not be."""

    use_case_id: UUID
    name: str
    brand_status: str | None
    campaign_status: str | None
    changed: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class RefreshRegistrations:
    """The operation behind ``borderpost use-cases refresh``."""

    database: Database
    source: RegistrationSource
    clock: Clock

    def __call__(self, workspace_id: UUID | None = None) -> list[Refreshed]:
        """Ask for every use case with a brand or a campaign; no connection is held meanwhile."""
        with self.database.reading() as connection:
            rows = connection.execute(_registered(workspace_id)).all()
        return [self._refresh(row) for row in rows]

    def _refresh(self, row: AnyRow) -> Refreshed:
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
        except RegistrationsUnknown as unknown:
            problem = str(unknown)
        changed = (brand, campaign) != (row.brand_status, row.campaign_status)
        if changed:
            self._store(row.id, brand, campaign, self.clock.now())
        return Refreshed(row.id, row.name, brand, campaign, changed, problem)

    def _store(
        self, use_case_id: UUID, brand: str | None, campaign: str | None, now: datetime
    ) -> None:
        with self.database.writing() as connection:
            connection.execute(
                update(use_cases)
                .where(use_cases.c.id == use_case_id)
                .values(brand_status=brand, campaign_status=campaign, updated_at=now)
            )


def _registered(workspace_id: UUID | None) -> Select[*tuple[Any, ...]]:
    query: Select[*tuple[Any, ...]] = (
        select(use_cases, provider_accounts.c.sid, provider_accounts.c.auth_token)
        .join(workspaces, workspaces.c.id == use_cases.c.workspace_id)
        .join(provider_accounts, provider_accounts.c.sid == workspaces.c.account_sid)
        .where(use_cases.c.deleted_at.is_(None))
        .where(use_cases.c.brand_sid.isnot(None) | use_cases.c.campaign_sid.isnot(None))
        .order_by(use_cases.c.id)
    )
    return query if workspace_id is None else query.where(workspaces.c.id == workspace_id)
