"""Refreshing registrations: what the provider says is stored, what it cannot say stays."""

from dataclasses import dataclass, field

import pytest

from app.access.principal import Actor, ActorKind
from app.access.tables import audit_events, workspaces
from app.kernel.clock import Clock
from app.providers.port import ProviderAccount, ProviderUnknown
from app.use_cases.refresh import RefreshRegistrations
from app.use_cases.tables import use_cases
from support.factories import ACCOUNT, OTHER_ACCOUNT, SERVICE_SID, Factory, Gateway, Tenant

ACTOR = Actor(ActorKind.SYSTEM, "test")


@dataclass
class Registrar:
    """Knows the states of registrations; None where it cannot be asked."""

    brand: str | None = "APPROVED"
    campaign: str | None = "VERIFIED"
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def brand_status(self, account: ProviderAccount, brand_sid: str) -> str:
        self.asked.append((account.sid, brand_sid))
        return self._known(self.brand)

    def campaign_status(
        self, account: ProviderAccount, messaging_service_sid: str, campaign_sid: str
    ) -> str:
        self.asked.append((account.sid, messaging_service_sid, campaign_sid))
        return self._known(self.campaign)

    def _known(self, status: str | None) -> str:
        if status is None:
            raise ProviderUnknown("not reachable")
        return status


def _refresh(factory: Factory, registrar: Registrar) -> RefreshRegistrations:
    return RefreshRegistrations(factory.database, registrar, Clock())


def test_changed_states_are_stored_and_decide_about_the_next_send(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    registrar = Registrar(brand="SUSPENDED", campaign="FAILED")
    (found,) = _refresh(factory, registrar)(ACTOR)
    assert (found.use_case_id, found.changed, found.problem) == (tenant.use_case_id, True, None)
    assert gateway.send(tenant).json["code"] == "BrandSuspended"
    registrar.brand = "APPROVED"
    _refresh(factory, registrar)(ACTOR)
    assert gateway.send(tenant).json["code"] == "CampaignNotVerified"
    registrar.campaign = "VERIFIED"
    _refresh(factory, registrar)(ACTOR)
    assert gateway.send(tenant).status_code == 201


@pytest.mark.one_engine
def test_the_same_states_change_nothing(tenant: Tenant, factory: Factory) -> None:
    before = factory.rows(use_cases)
    (found,) = _refresh(factory, Registrar())(ACTOR)
    assert not found.changed
    assert factory.rows(use_cases) == before
    assert factory.rows(audit_events) == []


def test_changes_are_audited_with_the_actor(tenant: Tenant, factory: Factory) -> None:
    _refresh(factory, Registrar(brand="SUSPENDED"))(ACTOR)
    (audit_event,) = factory.rows(audit_events)
    assert (audit_event["action"], audit_event["target"]) == (
        "use_case.refreshed",
        str(tenant.use_case_id),
    )
    assert (audit_event["actor_name"], audit_event["reason"]) == ("test", "brand_status SUSPENDED")
    assert audit_event["workspace_id"] == tenant.workspace_id


def test_only_the_use_case_wanted_is_asked_about(tenant: Tenant, factory: Factory) -> None:
    factory.use_case(tenant.workspace_id)
    (found,) = _refresh(factory, Registrar())(ACTOR, use_case_id=tenant.use_case_id)
    assert found.use_case_id == tenant.use_case_id


def test_brand_set_during_the_call_does_not_get_the_previous_status(
    tenant: Tenant, factory: Factory
) -> None:
    class Slow(Registrar):
        def brand_status(self, account: ProviderAccount, brand_sid: str) -> str:
            factory.set(use_cases, tenant.use_case_id, brand_sid="BN" + "9" * 32, brand_status=None)
            return "SUSPENDED"

    _refresh(factory, Slow())(ACTOR)
    (row,) = factory.rows(use_cases)
    assert row["brand_status"] is None
    assert factory.rows(audit_events) == []


def test_state_that_cannot_be_read_stays_and_is_reported(tenant: Tenant, factory: Factory) -> None:
    (found,) = _refresh(factory, Registrar(brand="SUSPENDED", campaign=None))(ACTOR)
    assert found.problem == "not reachable"
    (row,) = factory.rows(use_cases)
    assert (row["brand_status"], row["campaign_status"]) == ("SUSPENDED", "VERIFIED")


def test_each_use_case_is_asked_with_the_account_of_its_workspace(
    tenant: Tenant, factory: Factory
) -> None:
    other = factory.tenant(tenant.organization_id, "other", account_sid=OTHER_ACCOUNT)
    bare = {"brand_sid": None, "campaign_sid": None}
    factory.use_case(tenant.workspace_id, **bare)
    factory.use_case(tenant.workspace_id, deleted_at=factory.now)
    without_account = factory.tenant(tenant.organization_id, "without")
    factory.set(workspaces, without_account.workspace_id, account_sid=None)

    registrar = Registrar()
    found = _refresh(factory, registrar)(ACTOR)
    assert [one.use_case_id for one in found] == [tenant.use_case_id, other.use_case_id]
    brand, campaign = "BN" + "d" * 32, "QE" + "e" * 32
    assert registrar.asked == [
        (ACCOUNT, brand),
        (ACCOUNT, SERVICE_SID, campaign),
        (OTHER_ACCOUNT, brand),
        (OTHER_ACCOUNT, SERVICE_SID, campaign),
    ]
    (only,) = _refresh(factory, registrar)(ACTOR, other.workspace_id)
    assert only.use_case_id == other.use_case_id
