"""What would bring Twilio in line: proposed item by item, done only on request."""

from datetime import UTC, datetime

import pytest

from app.destinations.geo_permissions.check import (
    CheckProvider,
    Pushed,
    PushPlan,
    PushToProvider,
    plan_push,
)
from app.destinations.tables import provider_permissions
from app.kernel.clock import Clock
from app.providers.port import GeoPermission, ItemOutcome, ProviderUnknown, WantedPermission
from support.factories import ACCOUNT, OTHER_ACCOUNT, Factory, Tenant
from support.geo import FakeGeo, permissions_at_twilio, permits

pytestmark = pytest.mark.one_engine

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def _open(*countries: str) -> tuple[WantedPermission, ...]:
    return tuple(WantedPermission(country, True) for country in countries)


def _close(*countries: str) -> tuple[WantedPermission, ...]:
    return tuple(WantedPermission(country, False) for country in countries)


def test_a_plan_opens_what_is_allowed_here_and_closes_what_is_not() -> None:
    geo_permissions = permissions_at_twilio(permits(US=True, BR=False, FR=True, DE=False))

    assert plan_push({"US", "BR"}, geo_permissions) == PushPlan(
        changes=(*_open("BR"), *_close("FR"))
    )
    assert plan_push({"US", "FR"}, geo_permissions) == PushPlan()


def test_high_risk_countries_need_the_console_and_unsupported_ones_are_impossible() -> None:
    risky = [
        GeoPermission("PK", False, is_high_risk=True),
        GeoPermission("NG", True, is_high_risk=True),
        GeoPermission("LK", False, is_high_risk=True),
    ]
    geo_permissions = permissions_at_twilio([*risky, *permits(IR=False, CU=True, SY=True)])

    assert plan_push({"PK", "IR", "SY"}, geo_permissions) == PushPlan(
        console_only=(*_close("NG"), *_open("PK")), unsupported=("IR", "SY")
    )


def test_an_entry_that_covers_an_allowed_territory_stays_open_or_is_opened() -> None:
    assert plan_push({"CX"}, permissions_at_twilio(permits(AU=True))) == PushPlan()
    assert plan_push({"CX"}, permissions_at_twilio(permits(AU=False))) == PushPlan(
        changes=_open("AU")
    )
    assert plan_push({"AU"}, permissions_at_twilio(permits(AU=True, CX=True))) == PushPlan(
        changes=_close("CX")
    )


@pytest.fixture
def geo() -> FakeGeo:
    return FakeGeo({ACCOUNT: permits(US=False, BR=True, FR=True)})


@pytest.fixture
def push(factory: Factory, geo: FakeGeo) -> PushToProvider:
    return PushToProvider(CheckProvider(factory.database, geo, Clock(lambda: NOW)))


def test_a_country_that_another_workspace_of_the_account_allows_stays_open(
    factory: Factory, tenant: Tenant, push: PushToProvider, geo: FakeGeo
) -> None:
    factory.tenant(tenant.organization_id, "Second", destinations={"BR": "allowed"})

    (found,) = push(tenant.workspace_id)

    assert found.workspaces == ("Retail", "Second")
    assert found.plan == PushPlan(changes=(*_close("FR"), *_open("US")))
    assert geo.wanted == []
    assert found.outcomes is None
    assert found.is_done


def test_requested_changes_are_made_and_stored(
    factory: Factory, tenant: Tenant, push: PushToProvider, geo: FakeGeo
) -> None:
    (found,) = push(apply=True)

    wanted = (*_close("BR"), *_close("FR"), *_open("US"))
    assert tuple(geo.wanted) == wanted
    assert found.outcomes == tuple(ItemOutcome(one) for one in wanted)
    assert found.is_done
    stored = {row["country"]: row["is_open"] for row in factory.rows(provider_permissions)}
    assert stored == {"US": True, "BR": False, "FR": False}
    assert push(apply=True)[0].plan == PushPlan()
    assert len(geo.wanted) == 3


def test_a_refused_item_is_reported_and_the_others_are_done(
    factory: Factory, tenant: Tenant, push: PushToProvider, geo: FakeGeo
) -> None:
    geo.refuses = {"FR": "Twilio refused it (30649)"}

    (found,) = push(apply=True)

    assert found.outcomes is not None
    assert [one.problem for one in found.outcomes] == [None, "Twilio refused it (30649)", None]
    assert not found.is_done
    assert {row["country"] for row in factory.rows(provider_permissions) if row["is_open"]} == {
        "US",
        "FR",
    }


def test_a_change_missing_in_the_list_afterwards_counts_as_failed(
    tenant: Tenant, push: PushToProvider, geo: FakeGeo
) -> None:
    geo.forgets = True

    (found,) = push(apply=True)

    assert found.outcomes is not None
    assert {one.problem for one in found.outcomes} == {
        "reported as done, and still listed as it was"
    }
    assert not found.is_done


def test_an_account_that_cannot_be_asked_is_left_alone(
    factory: Factory, tenant: Tenant, push: PushToProvider, geo: FakeGeo
) -> None:
    factory.tenant(tenant.organization_id, "Outlet", account_sid=OTHER_ACCOUNT)
    geo.permits[OTHER_ACCOUNT] = ProviderUnknown("Twilio did not answer")

    outlet, retail = push(apply=True)

    assert outlet == Pushed(OTHER_ACCOUNT, ("Outlet",), PushPlan(), problem="Twilio did not answer")
    assert not outlet.is_done
    assert retail.is_done
    assert {one.country for one in geo.wanted} == {"US", "BR", "FR"}


def test_a_change_that_was_not_answered_may_have_been_made(
    tenant: Tenant, push: PushToProvider, geo: FakeGeo
) -> None:
    def fail() -> None:
        if geo.wanted:
            raise ProviderUnknown("Twilio did not answer")

    geo.during = fail

    (found,) = push(apply=True)

    assert found.problem == "Twilio did not answer: it may have changed all, some or nothing"
    assert found.outcomes is None
    assert not found.is_done
