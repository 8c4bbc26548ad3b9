"""Managing use cases and their senders through HTTP."""

from typing import Any
from uuid import UUID

import pytest

from app.access.principal import Role
from app.kernel.ids import new_id
from app.use_cases.tables import use_cases
from support.factories import SERVICE_SID, US_NUMBER, Factory, Gateway, Tenant
from support.threads import together

PATH = "/v1/use-cases"
BRAND, CAMPAIGN = "BN" + "1" * 32, "QE" + "2" * 32


class Admin:
    """An admin of one workspace."""

    def __init__(self, gateway: Gateway, tenant: Tenant, factory: Factory) -> None:
        self.gateway, self.tenant, self.factory = gateway, tenant, factory

    def ask(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        headers = {"Authorization": f"AccessKey {key or self.tenant.keys[Role.ADMIN]}"}
        return self.gateway.client.open(PATH + path, method=method, json=body, headers=headers)

    def make(self, **given: Any) -> Any:
        body = {"name": "alerts", "messaging_service_sid": SERVICE_SID} | given
        return self.ask("POST", "", body)

    def audit_trail(self) -> list[tuple[str, str | None]]:
        return self.factory.audit_trail("action", "reason")


@pytest.fixture
def admin(gateway: Gateway, tenant: Tenant, factory: Factory) -> Admin:
    """On each engine."""
    return Admin(gateway, tenant, factory)


def test_a_new_use_case_sends_once_it_has_a_sender(admin: Admin) -> None:
    made = admin.make()
    assert made.status_code == 201
    found = made.get_json()
    assert found == {
        "id": found["id"],
        "workspace_id": str(admin.tenant.workspace_id),
        "name": "alerts",
        "messaging_service_sid": SERVICE_SID,
        "active": True,
        "allowed_destinations": None,
        "on_unconfirmed": "wait",
        "senders": [],
        "brand": None,
        "campaign": None,
        "created_at": found["created_at"],
        "updated_at": found["created_at"],
    }
    assert admin.ask("GET", f"/{found['id']}").get_json() == found
    admin.tenant.use_case_id = UUID(found["id"])
    assert admin.gateway.send(admin.tenant).get_json()["code"] == "NoSenderNumber"
    sender = {"number": "+18885550100", "type": "toll_free"}
    assert admin.ask("POST", f"/{found['id']}/senders", sender).status_code == 201
    assert admin.gateway.send(admin.tenant).status_code == 201
    assert admin.audit_trail() == [("use_case.created", "alerts"), ("sender.added", "+18*******00")]


def test_every_field_can_be_given_and_nothing_is_stored_as_json_null(admin: Admin) -> None:
    made = admin.make(
        active=False,
        allowed_destinations=["US", "CA", "US"],
        brand={"sid": BRAND, "status": "APPROVED"},
        campaign={"sid": CAMPAIGN},
        on_unconfirmed="resend",
    ).get_json()
    assert (made["active"], made["allowed_destinations"]) == (False, ["CA", "US"])
    assert made["brand"] == {"sid": BRAND, "status": "APPROVED"}
    assert made["campaign"] == {"sid": CAMPAIGN, "status": None}
    assert made["on_unconfirmed"] == "resend"
    lifted = admin.ask("PATCH", f"/{made['id']}", {"allowed_destinations": None, "brand": None})
    assert lifted.get_json()["allowed_destinations"] is None
    assert lifted.get_json()["brand"] is None
    with admin.factory.database.reading() as c:
        query = "SELECT count(*) FROM use_cases WHERE allowed_destinations IS NOT NULL"
        assert c.exec_driver_sql(query).scalar_one() == 0


def test_a_change_affects_only_named_fields_from_the_next_send_on(admin: Admin) -> None:
    path = f"/{admin.tenant.use_case_id}"
    before = admin.ask("GET", path).get_json()
    changed = admin.ask("PATCH", path, {"active": False, "name": "codes"}).get_json()
    assert changed == before | {
        "active": False,
        "name": "codes",
        "updated_at": changed["updated_at"],
    }
    assert admin.gateway.send(admin.tenant).get_json()["code"] == "UseCaseInactive"
    admin.ask("PATCH", path, {"active": True, "allowed_destinations": ["CA"]})
    assert admin.gateway.send(admin.tenant).get_json()["code"] == "DestinationBlocked"
    assert admin.audit_trail() == [
        ("use_case.changed", "active, name"),
        ("use_case.changed", "active, allowed_destinations"),
    ]


def test_equal_values_change_nothing(admin: Admin) -> None:
    path = f"/{admin.tenant.use_case_id}"
    before = admin.ask("GET", path).get_json()
    kept = (
        *("name", "messaging_service_sid", "active", "allowed_destinations", "on_unconfirmed"),
        *("brand", "campaign"),
    )
    for body in ({}, {name: before[name] for name in kept}):
        answer = admin.ask("PATCH", path, body)
        assert (answer.status_code, answer.get_json()) == (200, before)
    assert admin.audit_trail() == []


def test_a_status_is_kept_for_the_same_registration_and_not_for_another(admin: Admin) -> None:
    path = f"/{admin.tenant.use_case_id}"
    known = admin.ask("GET", path).get_json()["brand"]
    same = admin.ask("PATCH", path, {"brand": {"sid": known["sid"]}}).get_json()
    assert same["brand"] == known
    other = admin.ask("PATCH", path, {"brand": {"sid": BRAND}}).get_json()
    assert other["brand"] == {"sid": BRAND, "status": None}


def test_a_deleted_use_case_is_gone_and_its_name_is_free(admin: Admin) -> None:
    made = admin.make().get_json()
    assert admin.ask("DELETE", f"/{made['id']}").status_code == 204
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", {})):
        answer = admin.ask(method, f"/{made['id']}", body)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "UseCaseNotFound")
    assert admin.make().status_code == 201
    rows = {row["id"]: row for row in admin.factory.rows(use_cases)}
    assert rows[UUID(made["id"])]["deleted_at"] is not None
    assert ("use_case.deleted", "alerts") in admin.audit_trail()


def test_name_is_unique_in_each_workspace(admin: Admin) -> None:
    taken = {"$.name": ["Is the name of another use case of this workspace."]}
    admin.make()
    assert admin.make().get_json()["details"] == taken
    path = f"/{admin.tenant.use_case_id}"
    assert admin.ask("PATCH", path, {"name": "alerts"}).get_json()["details"] == taken
    sibling = admin.factory.tenant(admin.tenant.organization_id, "sibling")
    admin.tenant = sibling
    assert admin.make().status_code == 201


def test_one_of_concurrent_requests_gets_the_name(admin: Admin) -> None:
    application = admin.gateway.client.application
    key = admin.tenant.keys[Role.ADMIN]
    body = {"name": "alerts", "messaging_service_sid": SERVICE_SID}

    def make() -> int:
        headers = {"Authorization": f"AccessKey {key}"}
        return application.test_client().post(PATH, json=body, headers=headers).status_code

    assert sorted(together([make] * 4)) == [201, 422, 422, 422]


def test_a_destination_that_the_organization_denies_is_named(admin: Admin) -> None:
    admin.tenant = admin.factory.tenant(admin.factory.organization("Strict", denied=("KP",)))
    denied = {"$.allowed_destinations[1]": ["The organization denies this destination."]}
    assert admin.make(allowed_destinations=["US", "KP"]).get_json()["details"] == denied
    path = f"/{admin.tenant.use_case_id}"
    body = {"allowed_destinations": ["US", "KP"]}
    assert admin.ask("PATCH", path, body).get_json()["details"] == denied


def test_a_key_of_the_organization_names_the_workspace(admin: Admin) -> None:
    key = admin.factory.keys(admin.tenant.organization_id, None)[Role.ADMIN]
    body = {"name": "alerts", "messaging_service_sid": SERVICE_SID}
    assert admin.ask("POST", "", body, key).get_json()["details"].keys() == {"$.workspace_id"}
    named = body | {"workspace_id": str(admin.tenant.workspace_id)}
    made = admin.ask("POST", "", named, key).get_json()
    assert made["workspace_id"] == named["workspace_id"]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, {"$.name", "$.messaging_service_sid"}),
        ({"name": "", "messaging_service_sid": "MG1"}, {"$.name", "$.messaging_service_sid"}),
        ({"messaging_service_sid": SERVICE_SID + "\n"}, {"$.name", "$.messaging_service_sid"}),
        (
            {
                "name": "x",
                "messaging_service_sid": SERVICE_SID,
                "active": "yes",
                "allowed_destinations": ["us"],
                "brand": {"sid": "BN1", "status": "GOOD"},
                "campaign": {"status": "VERIFIED"},
                "senders": [],
            },
            {
                *("$.active", "$.allowed_destinations[0]", "$.brand.sid", "$.brand.status"),
                *("$.campaign.sid", "$.senders"),
            },
        ),
    ],
)
@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_all_problems_are_reported_together(admin: Admin, body: Any, places: set[str]) -> None:
    answer = admin.ask("POST", "", body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "ValidationFailed")
    assert answer.get_json()["details"].keys() == places
    assert admin.audit_trail() == []


def test_a_pool_is_listed_page_by_page_and_loses_what_is_removed(admin: Admin) -> None:
    pool = f"/{admin.tenant.use_case_id}/senders"
    for number, kind in (("ACME", "alphanumeric"), ("12345", "short_code")):
        made = admin.ask("POST", pool, {"number": number, "type": kind})
        assert (made.status_code, made.get_json()["country"]) == (201, None)
    first = admin.ask("GET", pool + "?limit=2").get_json()
    rest = admin.ask("GET", f"{pool}?limit=2&page_token={first['next_page_token']}").get_json()
    found = first["items"] + rest["items"]
    assert [sender["number"] for sender in found] == ["+12025550100", "ACME", "12345"]
    assert rest["next_page_token"] is None
    for sender in found:
        assert admin.ask("DELETE", f"{pool}/{sender['id']}").status_code == 204
        gone = admin.ask("DELETE", f"{pool}/{sender['id']}")
        assert (gone.status_code, gone.get_json()["code"]) == (404, "NotFound")
    assert admin.gateway.send(admin.tenant).get_json()["code"] == "NoSenderNumber"
    assert [audit_event[0] for audit_event in admin.audit_trail()] == ["sender.added"] * 2 + [
        "sender.removed"
    ] * 3


def test_a_sender_of_another_use_case_is_not_removed_under_this_one(admin: Admin) -> None:
    other = admin.factory.use_case(admin.tenant.workspace_id)
    sender = admin.ask("GET", f"/{other}/senders").get_json()["items"][0]
    path = f"/{admin.tenant.use_case_id}/senders/{sender['id']}"
    assert admin.ask("DELETE", path).status_code == 404
    absent = admin.ask("DELETE", f"/{new_id()}/senders/{sender['id']}")
    assert absent.get_json()["code"] == "UseCaseNotFound"
    assert admin.ask("GET", f"/{other}/senders").get_json()["items"] == [sender]


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, {"$.number", "$.type"}),
        ({"number": US_NUMBER, "type": "mobile"}, {"$.type"}),
        ({"number": "12025550100", "type": "long_code"}, {"$.number"}),
        ({"number": "+12", "type": "long_code"}, {"$.number"}),
        ({"number": "+18005550", "type": "toll_free"}, {"$.number"}),
        ({"number": "12", "type": "short_code"}, {"$.number"}),
        ({"number": "12345", "type": "alphanumeric"}, {"$.number"}),
        ({"number": "+12025550100", "type": "long_code"}, {"$.number"}),
    ],
)
@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_a_wrong_sender_is_refused_by_name(admin: Admin, body: Any, places: set[str]) -> None:
    answer = admin.ask("POST", f"/{admin.tenant.use_case_id}/senders", body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "ValidationFailed")
    assert answer.get_json()["details"].keys() == places
