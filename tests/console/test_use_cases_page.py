"""The pages of use cases: what stops each, making and changing one, its senders, its registrations."""

from itertools import product
from typing import Any

import pytest

from app.access.roles import Role
from app.access.tables import organizations
from app.console.use_cases.words import STOPS
from app.kernel.ids import new_id
from app.use_cases.eligibility import Standing, obstacles
from app.use_cases.refresh import RefreshRegistrations, RegistrationsUnknown
from app.use_cases.tables import senders, use_cases
from app.web.wiring import provide
from support.console import Window, deeds_of_pages, signed_in
from support.time import ManualClock
from support.world import SERVICE_SID, Gateway, Tenant, World

pytestmark = pytest.mark.one_engine

PATH = "/console/use-cases"
INERT = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
def window(gateway: Gateway, tenant: Tenant) -> Window:
    """An admin of the tenant."""
    return signed_in(gateway, tenant.keys[Role.ADMIN])


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


def only_row(world: World) -> dict[str, Any]:
    (row,) = world.rows(use_cases)
    return row


def test_everything_that_can_stop_a_use_case_has_its_words() -> None:
    states = product([True, False], ["SUSPENDED", None], ["VERIFIED", None], [True, False])
    for active, brand, campaign, has_sender in states:
        for obstacle in obstacles(Standing(active, brand, campaign, has_sender, True)):
            assert STOPS[obstacle].advice.endswith(".")
    assert len(STOPS) == 4


def test_the_list_says_of_each_what_stops_it(window: Window, world: World, tenant: Tenant) -> None:
    assert ">Ready<" in window.get(PATH).text
    stopped = {"active": False, "brand_status": "SUSPENDED", "campaign_status": "FAILED"}
    world.set(use_cases, tenant.use_case_id, **stopped)
    world.use_case(tenant.workspace_id, sender=None)
    page = window.get(PATH).text
    for label in ("off", "brand suspended", "campaign not verified", "no sender"):
        assert page.count(f">{label}<") == 1
    assert ">Ready<" not in page


def test_the_page_of_one_says_what_helps(window: Window, world: World, path: str) -> None:
    assert "Not ready: sends are refused" not in window.get(path).text
    world.set(use_cases, only_row(world)["id"], active=False, brand_status="SUSPENDED")
    page = window.get(path).text
    assert "Not ready: sends are refused" in page
    assert "Turn it on under Settings" in page
    assert "refresh the brand" in page


def test_an_admin_makes_one_and_goes_on_to_its_page(window: Window, world: World) -> None:
    form = filled(reach="some", allowed_destinations="us; ca  GB", on_unconfirmed="resend")
    answer = window.post(PATH, form)
    (made,) = [row for row in world.rows(use_cases) if row["name"] == "invoices"]
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PATH}/{made['id']}")
    assert made["allowed_destinations"] == ["CA", "GB", "US"]
    assert (made["active"], made["on_unconfirmed"], made["brand_sid"]) == (True, "resend", None)
    assert deeds_of_pages(world) == [("use_case.created", "invoices")]


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    window: Window, world: World, tenant: Tenant
) -> None:
    world.set(organizations, tenant.organization_id, denied_destinations=["KP"])
    form = filled(name="kept", messaging_service_sid="MGxyz", brand="nope", reach="some", active="")
    answer = window.post(PATH, form | {"allowed_destinations": "US, QQ, KP"})
    assert answer.status_code == 422
    for field in ("messaging_service_sid", "brand", "allowed_destinations"):
        assert f'id="{field}-problem"' in answer.text
    assert "QQ: Must be an ISO 3166-1" in answer.text
    assert 'value="kept"' in answer.text
    assert "US, QQ, KP</textarea>" in answer.text
    denied = window.post(PATH, filled(reach="some", allowed_destinations="US KP"))
    assert "KP: The organization denies this destination." in denied.text
    assert deeds_of_pages(world) == []


def test_a_change_counts_and_is_in_the_audit(
    window: Window, world: World, path: str, gateway: Gateway, tenant: Tenant
) -> None:
    form = filled(brand="BN" + "d" * 32, campaign="QE" + "e" * 32, active="")
    assert window.post(path, form).status_code == 303
    row = only_row(world)
    assert (row["name"], row["active"], row["brand_status"]) == ("invoices", False, "APPROVED")
    assert deeds_of_pages(world) == [("use_case.changed", "active, name")]
    assert f'href="{path}"' in window.get("/console/audit").text
    assert gateway.send(tenant).json["code"] == "UseCaseInactive"


def test_only_the_choice_of_everywhere_lifts_the_restriction(
    window: Window, world: World, path: str
) -> None:
    world.set(use_cases, only_row(world)["id"], allowed_destinations=["US"])
    window.post(path, filled(reach=""))
    assert only_row(world)["allowed_destinations"] == ["US"]
    window.post(path, filled(reach="some", allowed_destinations=""))
    assert only_row(world)["allowed_destinations"] == []
    assert "<dd>None</dd>" in window.get(path).text
    window.post(path, filled(reach="everywhere", allowed_destinations="US"))
    assert only_row(world)["allowed_destinations"] is None


def test_senders_are_added_by_their_type_and_removed(
    window: Window, world: World, path: str
) -> None:
    for number, kind in (("+1 (202) 555-0177", "long_code"), ("Acme-1 Co", "alphanumeric")):
        form = {"number": number, "type": kind}
        assert window.post(f"{path}/senders", form, on=path).status_code == 303
    pool = {row["number"]: row for row in world.rows(senders)}
    assert set(pool) == {"+12025550100", "+12025550177", "Acme-1 Co"}
    wrong = window.post(f"{path}/senders", {"number": "12", "type": "short_code"}, on=path)
    assert (wrong.status_code, "Must have 3 to 8 digits." in wrong.text) == (422, True)
    twice = window.post(f"{path}/senders", {"number": "Acme-1 Co", "type": "alphanumeric"}, on=path)
    assert "Is in the pool of this use case already." in twice.text
    removal = f"{path}/senders/{pool['+12025550177']['id']}/remove"
    assert window.post(removal, on=path).status_code == 303
    assert window.post(removal, on=path).status_code == 404
    assert [action for action, _ in deeds_of_pages(world)] == ["sender.added"] * 2 + [
        "sender.removed"
    ]


def test_deleting_asks_first_and_keeps_the_row(window: Window, world: World, path: str) -> None:
    assert "Delete permanently" in window.get(path).text
    assert window.post(f"{path}/delete", on=path).headers["Location"] == PATH
    assert only_row(world)["deleted_at"] is not None
    assert window.get(path).status_code == 404
    assert "No use cases yet" in window.get(PATH).text
    assert [action for action, _ in deeds_of_pages(world)] == ["use_case.deleted"]


class Registrar:
    """Knows brands, and no campaign."""

    def brand_status(self, *_: object) -> str:
        return "SUSPENDED"

    def campaign_status(self, *_: object) -> str:
        raise RegistrationsUnknown("not reachable")


def test_registrations_are_read_again_and_what_twilio_cannot_tell_stays(
    window: Window, world: World, path: str
) -> None:
    refresh = RefreshRegistrations(world.database, Registrar(), ManualClock().clock())
    provide(window.client.application, refresh)
    answer = window.post(f"{path}/refresh", on=path)
    assert answer.status_code == 503
    assert "not reachable. Known values are kept." in answer.text
    row = only_row(world)
    assert (row["brand_status"], row["campaign_status"]) == ("SUSPENDED", "VERIFIED")
    assert deeds_of_pages(world) == [("use_case.refreshed", "brand_status SUSPENDED")]
    world.set(use_cases, row["id"], campaign_sid=None)
    assert window.post(f"{path}/refresh", on=path).status_code == 303
    assert "Refreshed. Nothing has changed." in window.get(path).text


def test_whoever_only_looks_sees_no_form_and_masked_numbers(
    gateway: Gateway, tenant: Tenant, path: str
) -> None:
    viewer = signed_in(gateway, tenant.keys[Role.VIEWER])
    for page in (viewer.get(PATH).text, viewer.get(path).text):
        assert f'action="{PATH}' not in page
        assert "+12025550100" not in page
    assert "+12*******00" in viewer.get(path).text
    for deed in ("", "/delete", "/refresh", "/senders", f"/senders/{new_id()}/remove"):
        assert viewer.post(path + deed, filled(), on="/console").status_code == 403


def test_another_tenants_use_case_is_not_found(
    gateway: Gateway, world: World, window: Window, tenant: Tenant
) -> None:
    other = world.tenant(world.organization("other"), "other")
    path = f"{PATH}/{other.use_case_id}"
    assert window.get(path).status_code == 404
    for deed in ("", "/delete", "/refresh"):
        assert window.post(path + deed, filled(), on="/console").status_code == 404
    assert deeds_of_pages(world) == []


def test_stored_markup_stays_text(window: Window, world: World, path: str) -> None:
    short = '"><b onclick=x>'
    marked = {"name": INERT, "brand_status": short, "messaging_service_sid": short}
    world.set(use_cases, only_row(world)["id"], **marked)
    refused = window.post(path, filled(name=INERT + "\n", brand=INERT, allowed_destinations=INERT))
    for page in (window.get(PATH).text, window.get(path).text, refused.text):
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<b onclick" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_long_list_goes_on(window: Window, world: World, tenant: Tenant) -> None:
    for place in range(50):
        world.use_case(tenant.workspace_id, name=f"number {place}.")
    first = window.get(PATH).text
    assert "number 48." in first
    assert "number 49." not in first
    token = first.partition("page_token=")[2].partition('"')[0]
    second = window.get(f"{PATH}?page_token={token}").text
    assert "number 49." in second
    assert ">First</a>" in second
