"""Refreshing registrations: what the provider says is stored, what it cannot say stays."""

from dataclasses import dataclass, field

from app.access.provider_account import ProviderAccount
from app.access.tables import workspaces
from app.kernel.clock import Clock
from app.use_cases.refresh import RefreshRegistrations, RegistrationsUnknown
from app.use_cases.tables import use_cases
from support.world import ACCOUNT, OTHER_ACCOUNT, SERVICE_SID, Gateway, Tenant, World


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
            raise RegistrationsUnknown("not reachable")
        return status


def _refresh(world: World, registrar: Registrar) -> RefreshRegistrations:
    return RefreshRegistrations(world.database, registrar, Clock())


def test_changed_states_are_stored_and_decide_about_the_next_send(
    gateway: Gateway, tenant: Tenant, world: World
) -> None:
    registrar = Registrar(brand="SUSPENDED", campaign="FAILED")
    (found,) = _refresh(world, registrar)()
    assert (found.use_case_id, found.changed, found.problem) == (tenant.use_case_id, True, None)
    assert gateway.send(tenant).json["code"] == "BrandSuspended"
    registrar.brand = "APPROVED"
    _refresh(world, registrar)()
    assert gateway.send(tenant).json["code"] == "CampaignNotVerified"
    registrar.campaign = "VERIFIED"
    _refresh(world, registrar)()
    assert gateway.send(tenant).status_code == 201


def test_the_same_states_change_nothing(tenant: Tenant, world: World) -> None:
    before = world.rows(use_cases)
    (found,) = _refresh(world, Registrar())()
    assert not found.changed
    assert world.rows(use_cases) == before


def test_what_cannot_be_asked_stays_and_is_told(tenant: Tenant, world: World) -> None:
    (found,) = _refresh(world, Registrar(brand="SUSPENDED", campaign=None))()
    assert found.problem == "not reachable"
    (row,) = world.rows(use_cases)
    assert (row["brand_status"], row["campaign_status"]) == ("SUSPENDED", "VERIFIED")


def test_each_use_case_is_asked_with_the_account_of_its_workspace(
    tenant: Tenant, world: World
) -> None:
    other = world.tenant(tenant.organization_id, "other", account_sid=OTHER_ACCOUNT)
    bare = {"brand_sid": None, "campaign_sid": None}
    world.use_case(tenant.workspace_id, **bare)
    world.use_case(tenant.workspace_id, deleted_at=world.now)
    without_account = world.tenant(tenant.organization_id, "without")
    world.set(workspaces, without_account.workspace_id, account_sid=None)

    registrar = Registrar()
    found = _refresh(world, registrar)()
    assert [one.use_case_id for one in found] == [tenant.use_case_id, other.use_case_id]
    brand, campaign = "BN" + "d" * 32, "QE" + "e" * 32
    assert registrar.asked == [
        (ACCOUNT, brand),
        (ACCOUNT, SERVICE_SID, campaign),
        (OTHER_ACCOUNT, brand),
        (OTHER_ACCOUNT, SERVICE_SID, campaign),
    ]
    (only,) = _refresh(world, registrar)(other.workspace_id)
    assert only.use_case_id == other.use_case_id
