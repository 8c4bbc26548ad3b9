"""The pages of use cases: what stops each, making and changing one, its senders, its registrations."""

from itertools import product
from typing import Any

import pytest

from app.access.principal import Role
from app.access.tables import organizations
from app.console.use_cases.page import OBSTACLES
from app.providers.port import ProviderUnknown
from app.use_cases.refresh import RefreshRegistrations
from app.use_cases.rules import Eligibility, obstacles
from app.use_cases.tables import senders, use_cases
from app.web.registry import register_service
from support.console import Console, audit_events_of_pages, signed_in
from support.factories import SERVICE_SID, Factory, Gateway, Tenant
from support.time import ManualClock

pytestmark = pytest.mark.one_engine

PATH = "/console/use-cases"


@pytest.fixture
def path(tenant: Tenant) -> str:
    """The page of the tenant's use case."""
    return f"{PATH}/{tenant.use_case_id}"


def filled(**changes: str) -> dict[str, str]:
    form = {
        "name": "invoices",
        "messaging_service_sid": SERVICE_SID,
        "active": "on",
        "reach": "everywhere",
        "on_unconfirmed": "wait",
    }
    return form | changes


def only_row(factory: Factory) -> dict[str, Any]:
    (row,) = factory.rows(use_cases)
    return row


def test_everything_that_can_stop_a_use_case_has_its_words() -> None:
    states = product([True, False], ["SUSPENDED", None], ["VERIFIED", None], [True, False])
    for active, brand, campaign, has_sender in states:
        for obstacle in obstacles(Eligibility(active, brand, campaign, has_sender, True)):
            assert OBSTACLES[obstacle].advice.endswith(".")
    assert len(OBSTACLES) == 4


def test_the_list_shows_obstacles_of_each(
    console: Console, factory: Factory, tenant: Tenant
) -> None:
    assert ">Ready<" in console.get(PATH).text
    stopped = {"active": False, "brand_status": "SUSPENDED", "campaign_status": "FAILED"}
    factory.set(use_cases, tenant.use_case_id, **stopped)
    factory.use_case(tenant.workspace_id, sender=None)
    page = console.get(PATH).text
    for label in ("off", "brand suspended", "campaign not verified", "no sender"):
        assert page.count(f">{label}<") == 1
    assert ">Ready<" not in page


def test_the_page_of_one_shows_remedies(console: Console, factory: Factory, path: str) -> None:
    assert "Not ready: sends are refused" not in console.get(path).text
    factory.set(use_cases, only_row(factory)["id"], active=False, brand_status="SUSPENDED")
    page = console.get(path).text
    assert "Not ready: sends are refused" in page
    assert "Turn it on under Settings" in page
    assert "refresh the brand" in page


def test_an_admin_creates_one_and_gets_its_page(console: Console, factory: Factory) -> None:
    form = filled(reach="some", allowed_destinations="us; ca  GB", on_unconfirmed="resend")
    answer = console.post(PATH, form)
    (made,) = factory.rows(use_cases, name="invoices")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PATH}/{made['id']}")
    assert made["allowed_destinations"] == ["CA", "GB", "US"]
    assert (made["active"], made["on_unconfirmed"], made["brand_sid"]) == (True, "resend", None)
    assert audit_events_of_pages(factory) == [("use_case.created", "invoices")]


def test_problems_are_shown_at_their_field_and_inputs_are_kept(
    console: Console, factory: Factory, tenant: Tenant
) -> None:
    factory.set(organizations, tenant.organization_id, denied_destinations=["KP"])
    form = filled(name="kept", messaging_service_sid="MGxyz", brand="nope", reach="some", active="")
    answer = console.post(PATH, form | {"allowed_destinations": "US, QQ, KP"})
    assert answer.status_code == 422
    for field in ("messaging_service_sid", "brand", "allowed_destinations"):
        assert f'id="{field}-problem"' in answer.text
    assert "QQ: Must be an ISO 3166-1" in answer.text
    assert 'value="kept"' in answer.text
    assert "US, QQ, KP</textarea>" in answer.text
    denied = console.post(PATH, filled(reach="some", allowed_destinations="US KP"))
    assert "KP: The organization denies this destination." in denied.text
    assert audit_events_of_pages(factory) == []


def test_a_change_counts_and_is_in_the_audit(
    console: Console, factory: Factory, path: str, gateway: Gateway, tenant: Tenant
) -> None:
    form = filled(brand="BN" + "d" * 32, campaign="QE" + "e" * 32, active="")
    assert console.post(path, form).status_code == 303
    row = only_row(factory)
    assert (row["name"], row["active"], row["brand_status"]) == ("invoices", False, "APPROVED")
    assert audit_events_of_pages(factory) == [("use_case.changed", "active, name")]
    assert f'href="{path}"' in console.get("/console/audit").text
    assert gateway.send(tenant).json["code"] == "UseCaseInactive"


def test_only_the_choice_of_everywhere_lifts_the_restriction(
    console: Console, factory: Factory, path: str
) -> None:
    factory.set(use_cases, only_row(factory)["id"], allowed_destinations=["US"])
    console.post(path, filled(reach=""))
    assert only_row(factory)["allowed_destinations"] == ["US"]
    console.post(path, filled(reach="some", allowed_destinations=""))
    assert only_row(factory)["allowed_destinations"] == []
    assert "<dd>None</dd>" in console.get(path).text
    console.post(path, filled(reach="everywhere", allowed_destinations="US"))
    assert only_row(factory)["allowed_destinations"] is None


def test_senders_are_added_by_their_type_and_removed(
    console: Console, factory: Factory, path: str
) -> None:
    for number, kind in (("+1 (202) 555-0177", "long_code"), ("Acme-1 Co", "alphanumeric")):
        form = {"number": number, "type": kind}
        assert console.post(f"{path}/senders", form, on=path).status_code == 303
    pool = {row["number"]: row for row in factory.rows(senders)}
    assert set(pool) == {"+12025550100", "+12025550177", "Acme-1 Co"}
    wrong = console.post(f"{path}/senders", {"number": "12", "type": "short_code"}, on=path)
    assert (wrong.status_code, "Must have 3 to 8 digits." in wrong.text) == (422, True)
    twice = console.post(
        f"{path}/senders", {"number": "Acme-1 Co", "type": "alphanumeric"}, on=path
    )
    assert "Is in the pool of this use case already." in twice.text
    removal = f"{path}/senders/{pool['+12025550177']['id']}/remove"
    assert console.post(removal, on=path).status_code == 303
    assert console.post(removal, on=path).status_code == 404
    assert [action for action, _ in audit_events_of_pages(factory)] == ["sender.added"] * 2 + [
        "sender.removed"
    ]


def test_deleting_asks_first_and_keeps_the_row(
    console: Console, factory: Factory, path: str
) -> None:
    assert "Delete permanently" in console.get(path).text
    assert console.post(f"{path}/delete", on=path).headers["Location"] == PATH
    assert only_row(factory)["deleted_at"] is not None
    assert console.get(path).status_code == 404
    assert "No use cases yet" in console.get(PATH).text
    assert [action for action, _ in audit_events_of_pages(factory)] == ["use_case.deleted"]


class Registrar:
    """Knows brands, and no campaign."""

    def brand_status(self, *_: object) -> str:
        return "SUSPENDED"

    def campaign_status(self, *_: object) -> str:
        raise ProviderUnknown("not reachable")


def test_registrations_are_refreshed_and_unreadable_ones_stay(
    console: Console, factory: Factory, path: str
) -> None:
    refresh = RefreshRegistrations(factory.database, Registrar(), ManualClock().clock())
    register_service(console.client.application, refresh)
    answer = console.post(f"{path}/refresh", on=path)
    assert answer.status_code == 503
    assert "not reachable. Known values are kept." in answer.text
    row = only_row(factory)
    assert (row["brand_status"], row["campaign_status"]) == ("SUSPENDED", "VERIFIED")
    assert audit_events_of_pages(factory) == [("use_case.refreshed", "brand_status SUSPENDED")]
    factory.set(use_cases, row["id"], campaign_sid=None)
    assert console.post(f"{path}/refresh", on=path).status_code == 303
    assert "Refreshed. Nothing has changed." in console.get(path).text


def test_whoever_only_looks_sees_masked_numbers(
    gateway: Gateway, tenant: Tenant, path: str
) -> None:
    page = signed_in(gateway, tenant.keys[Role.VIEWER]).get(path).text
    assert ("+12025550100" in page, "+12*******00" in page) == (False, True)


def test_a_long_list_has_pages(console: Console, factory: Factory, tenant: Tenant) -> None:
    for place in range(50):
        factory.use_case(tenant.workspace_id, name=f"number {place}.")
    first = console.get(PATH).text
    assert "number 48." in first
    assert "number 49." not in first
    token = first.partition("page_token=")[2].partition('"')[0]
    second = console.get(f"{PATH}?page_token={token}").text
    assert "number 49." in second
    assert ">First</a>" in second
