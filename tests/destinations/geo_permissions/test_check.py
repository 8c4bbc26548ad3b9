"""Asking Twilio: each account once, with its own credentials, and what a failure leaves alone."""

from datetime import timedelta
from typing import Any

import pytest

from app.access.tables import workspaces
from app.db.unavailable import holds_connection
from app.destinations.geo_permissions.check import CheckProvider
from app.destinations.geo_permissions.permissions import Comparison
from app.destinations.geo_permissions.store import record_closed
from app.destinations.tables import provider_check_problems, provider_checks, provider_permissions
from app.kernel.countries import COUNTRIES
from app.providers.port import GeoPermission, ProviderUnknown
from support.factories import ACCOUNT, OTHER_ACCOUNT, Factory, Tenant
from support.geo import FakeGeo, permits
from support.tables import snapshot
from support.threads import together
from support.time import ManualClock

pytestmark = pytest.mark.one_engine


@pytest.fixture
def geo() -> FakeGeo:
    return FakeGeo({ACCOUNT: permits(US=True, BR=False), OTHER_ACCOUNT: permits(US=False, FR=True)})


@pytest.fixture
def check(factory: Factory, geo: FakeGeo, clock: ManualClock) -> CheckProvider:
    return CheckProvider(factory.database, geo, clock.clock())


def _other(factory: Factory, tenant: Tenant, **values: Any) -> Tenant:
    return factory.tenant(
        tenant.organization_id, "Outlet", account_sid=OTHER_ACCOUNT, auth_token="other", **values
    )


def test_each_workspace_is_compared_with_its_own_account(
    factory: Factory, tenant: Tenant, check: CheckProvider, geo: FakeGeo, clock: ManualClock
) -> None:
    _other(factory, tenant, destinations={"US": "allowed"})

    outlet, retail = check()

    assert [outlet.target.name, retail.target.name] == ["Outlet", "Retail"]
    assert outlet.view.comparison == Comparison(("US",), ("FR",))
    assert retail.view.comparison == Comparison()
    assert [one.problem for one in (outlet, retail)] == [None, None]
    assert {one.view.checked_at for one in (outlet, retail)} == {clock.at}
    assert sorted(geo.target) == [ACCOUNT, OTHER_ACCOUNT]


@pytest.mark.both_engines
def test_an_account_that_workspaces_share_is_asked_once(
    factory: Factory, tenant: Tenant, check: CheckProvider, geo: FakeGeo
) -> None:
    factory.tenant(tenant.organization_id, "Second", destinations={"BR": "allowed"})

    retail, second = check()

    assert geo.target == [ACCOUNT]
    assert retail.view.comparison == Comparison()
    assert second.view.comparison == Comparison(("BR",), ("US",))


@pytest.mark.both_engines
def test_one_workspace_can_be_asked_for_alone_or_with_those_of_its_account(
    factory: Factory, tenant: Tenant, check: CheckProvider, geo: FakeGeo
) -> None:
    other = _other(factory, tenant)
    second = factory.tenant(tenant.organization_id, "Second")

    alone = check(tenant.workspace_id)
    sharing = check(second.workspace_id, whole_account=True)

    assert [one.target.workspace_id for one in alone] == [tenant.workspace_id]
    assert [one.target.name for one in sharing] == ["Retail", "Second"]
    assert geo.target == [ACCOUNT, ACCOUNT]
    assert [one.target.name for one in check(other.workspace_id)] == ["Outlet"]


def test_a_workspace_without_an_account_is_passed_over(
    factory: Factory, tenant: Tenant, check: CheckProvider, geo: FakeGeo
) -> None:
    factory.set(workspaces, tenant.workspace_id, account_sid=None)

    assert check() == []
    assert check(tenant.workspace_id) == []
    assert geo.target == []


def test_a_workspace_that_inherits_is_compared_by_its_parents_policy(
    factory: Factory, tenant: Tenant, check: CheckProvider
) -> None:
    child = _other(factory, tenant, parent_id=tenant.workspace_id, inherits=True)

    (found,) = check(child.workspace_id)

    assert found.view.comparison == Comparison(("US",), ("FR",))


def test_no_connection_is_held_while_the_provider_is_asked(
    tenant: Tenant, check: CheckProvider, geo: FakeGeo
) -> None:
    held: list[bool] = []
    geo.during = lambda: held.append(holds_connection())

    check()

    assert held == [False]


def test_a_check_replaces_all_that_was_known_of_the_account_and_of_no_other(
    factory: Factory, tenant: Tenant, check: CheckProvider, geo: FakeGeo, clock: ManualClock
) -> None:
    _other(factory, tenant)
    check()
    with factory.database.writing() as c:
        record_closed(c, ACCOUNT, "US", clock.at)
        record_closed(c, ACCOUNT, "DE", clock.at)
        record_closed(c, OTHER_ACCOUNT, "FR", clock.at)
    clock.advance(60)
    geo.permits[ACCOUNT] = [
        GeoPermission("US", True),
        GeoPermission("PK", False, is_high_risk=True),
    ]

    check(tenant.workspace_id)

    rows = {
        (row.pop("account_sid"), row.pop("country")): row
        for row in factory.rows(provider_permissions)
    }
    at = clock.at
    assert rows == {
        (ACCOUNT, "US"): _row(is_open=True, at=at, by="check"),
        (ACCOUNT, "PK"): _row(is_open=False, at=at, by="check", is_high_risk=True),
        (OTHER_ACCOUNT, "US"): _row(is_open=False, at=at - timedelta(seconds=60), by="check"),
        (OTHER_ACCOUNT, "FR"): _row(is_open=False, at=at - timedelta(seconds=60), by="refusal"),
    }
    checks = {row["account_sid"]: row["checked_at"] for row in factory.rows(provider_checks)}
    assert checks == {ACCOUNT: at, OTHER_ACCOUNT: at - timedelta(seconds=60)}


def _row(*, is_open: bool, at: Any, by: str, is_high_risk: bool = False) -> dict[str, Any]:
    return {"is_open": is_open, "is_high_risk": is_high_risk, "noted_at": at, "noted_by": by}


def test_a_refusal_keeps_what_is_known_of_a_countrys_risk(
    factory: Factory, tenant: Tenant, check: CheckProvider, geo: FakeGeo
) -> None:
    geo.permits[ACCOUNT] = [GeoPermission("PK", True, is_high_risk=True)]
    (before,) = check()
    with factory.database.writing() as c:
        record_closed(c, ACCOUNT, "PK", factory.now)
        record_closed(c, ACCOUNT, None, factory.now)

    (row,) = factory.rows(provider_permissions)
    assert before.view.comparison.high_risk == ("PK",)
    assert (row["country"], row["is_open"], row["is_high_risk"]) == ("PK", False, True)


@pytest.mark.parametrize("answer", [ProviderUnknown("Twilio cannot be reached"), []])
def test_an_account_that_cannot_be_asked_keeps_all_that_was_known_and_the_others_go_on(
    factory: Factory,
    check: CheckProvider,
    geo: FakeGeo,
    clock: ManualClock,
    answer: ProviderUnknown | list[GeoPermission],
) -> None:
    tenant = factory.tenant(factory.organization())
    _other(factory, tenant, destinations={"BR": "allowed"})
    check()
    before = snapshot(factory.database)
    first = clock.at
    clock.advance(60)
    geo.permits[OTHER_ACCOUNT] = answer

    outlet, retail = check()

    assert str(outlet.problem) == str(answer or "the answer names no country")
    assert outlet.view.comparison == Comparison((), ("FR",))
    assert (outlet.view.checked_at, retail.view.checked_at) == (first, clock.at)
    assert retail.problem is None
    (problem,) = factory.rows(provider_check_problems)
    assert (problem["account_sid"], problem["code"]) == (OTHER_ACCOUNT, "ProviderUnavailable")
    clock.at = first
    check(tenant.workspace_id)
    after = snapshot(factory.database)
    assert after | {"provider_check_problems": []} == before


@pytest.mark.both_engines
def test_checks_and_refusals_at_the_same_time_do_not_disturb_each_other(
    factory: Factory, tenant: Tenant, check: CheckProvider, geo: FakeGeo
) -> None:
    codes = sorted(COUNTRIES)
    geo.permits[ACCOUNT] = permits(**dict.fromkeys(codes[:-30], True))

    def ask() -> None:
        for _ in range(5):
            assert check()[0].problem is None

    def note() -> None:
        for code in reversed(codes):
            with factory.database.writing_once() as c:
                record_closed(c, ACCOUNT, code, factory.now)

    together([ask, note, ask, note])

    check()
    rows = factory.rows(provider_permissions)
    assert {(row["country"], row["is_open"]) for row in rows} == {(c, True) for c in codes[:-30]}
