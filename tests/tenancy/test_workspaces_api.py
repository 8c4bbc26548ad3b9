"""Workspaces through HTTP: made with their first policy, changed, seen by their own alone."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from app.access.principal import Role
from app.access.workspace_rules import MAX_DEPTH
from app.destinations.tables import destination_policies, destination_revisions
from app.kernel.ids import new_id
from support.factories import ACCOUNT, Factory, Gateway, Tenant
from support.tables import snapshot

pytestmark = pytest.mark.one_engine

PATH = "/v1/workspaces"


@dataclass
class Organization:
    """An organization with a workspace, asked with the key of its owner."""

    gateway: Gateway
    factory: Factory
    tenant: Tenant
    keys: dict[Role, str]

    def ask(self, method: str, path: str = "", body: Any = None, key: str | None = None) -> Any:
        headers = {"Authorization": f"AccessKey {key or self.keys[Role.OWNER]}"}
        return self.gateway.client.open(PATH + path, method=method, json=body, headers=headers)

    def make(self, **given: Any) -> Any:
        answer = self.ask("POST", "", {"name": "Outlet", "home_country": "CA"} | given)
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    def problems(self, method: str, path: str, body: Any) -> Any:
        before = snapshot(self.factory.database)
        answer = self.ask(method, path, body)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "ValidationFailed")
        assert snapshot(self.factory.database) == before
        return answer.get_json()["details"]

    def destinations(self, workspace_id: str) -> Any:
        path = f"/workspaces/{workspace_id}/destination-management/capability/sms"
        answer = self.gateway.get(path, key=self.keys[Role.VIEWER])
        return answer.get_json()["destinations"]

    def audit_trail(self) -> list[tuple[str, str | None]]:
        return self.factory.audit_trail("action", "reason")


@pytest.fixture
def acme(gateway: Gateway, factory: Factory) -> Organization:
    """On each engine."""
    organization_id = factory.organization("Acme", denied=("KP",))
    tenant = factory.tenant(organization_id, destinations={"US": "allowed", "MX": "allowed"})
    return Organization(gateway, factory, tenant, factory.keys(organization_id, None))


def test_a_new_workspace_may_reach_its_home_country_alone(acme: Organization) -> None:
    made = acme.make()
    assert made == {
        "id": made["id"],
        "organization_id": str(acme.tenant.organization_id),
        "name": "Outlet",
        "home_country": "CA",
        "parent_id": None,
        "inherits": False,
        "account_sid": None,
        "acknowledges_high_risk": False,
        "body_retention_days": 7,
        "number_retention_days": 90,
        "frozen": False,
        "frozen_at": None,
        "frozen_reason": None,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    assert acme.ask("GET", f"/{made['id']}").get_json() == made
    assert acme.destinations(made["id"]) == {"CA": "allowed"}
    (revision,) = acme.factory.rows(destination_revisions)
    assert (revision["revision"], revision["actor_name"]) == (1, "owner key")
    assert acme.audit_trail() == [
        ("workspace.created", "Outlet"),
        ("destinations.provisioned", None),
    ]


def test_workspace_with_a_parent_inherits_by_default(acme: Organization) -> None:
    parent = {"parent_id": str(acme.tenant.workspace_id)}
    heir = acme.make(**parent)
    assert (heir["parent_id"], heir["inherits"]) == (parent["parent_id"], True)
    assert acme.destinations(heir["id"]) == {"US": "allowed", "MX": "allowed"}
    alone = acme.make(name="Alone", inherits=False, **parent)
    assert (alone["parent_id"], alone["inherits"]) == (parent["parent_id"], False)
    assert acme.destinations(alone["id"]) == {"CA": "allowed"}
    assert len(acme.factory.rows(destination_policies)) == 2


def test_it_sends_as_soon_as_it_has_an_account_a_use_case_and_a_key(acme: Organization) -> None:
    made = acme.make(home_country="US", twilio={"account_sid": ACCOUNT})
    use_case_id = acme.factory.use_case(UUID(made["id"]))
    key = acme.gateway.post(
        "/v1/access-keys",
        {"name": "backend", "role": "sender", "workspace_id": made["id"]},
        key=acme.keys[Role.OWNER],
    ).get_json()["token"]
    tenant = Tenant(
        acme.tenant.organization_id, UUID(made["id"]), use_case_id, ACCOUNT, {Role.SENDER: key}
    )
    assert acme.gateway.send(tenant).status_code == 201


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"$.name", "$.home_country"}),
        ({"name": "Retail", "home_country": "KP"}, {"$.name", "$.home_country"}),
        ({"name": "x", "home_country": "US", "inherits": True}, {"$.inherits"}),
        (
            {"name": "Retail", "home_country": "US", "parent_id": str(new_id())},
            {"$.name", "$.parent_id"},
        ),
        (
            {
                "name": "Retail",
                "home_country": "KP",
                "inherits": True,
                "twilio": {"account_sid": "AC" + "9" * 32},
            },
            {"$.name", "$.inherits", "$.twilio.auth_token"},
        ),
        (
            {
                "name": "a\nb",
                "home_country": "us",
                "inherits": "yes",
                "twilio": {"account_sid": "AC1", "auth_token": ""},
                "body_retention_days": 0,
                "number_retention_days": 3651,
                "frozen": True,
            },
            {
                *("$.name", "$.home_country", "$.inherits", "$.frozen", "$.twilio.auth_token"),
                *("$.twilio.account_sid", "$.body_retention_days", "$.number_retention_days"),
            },
        ),
    ],
)
def test_all_problems_are_reported_together(
    acme: Organization, body: Any, problems: set[str]
) -> None:
    assert acme.problems("POST", "", body).keys() == problems


def test_a_parent_of_another_organization_is_no_parent(acme: Organization) -> None:
    stranger = acme.factory.tenant(acme.factory.organization("Other"))
    body = {"name": "x", "home_country": "US", "parent_id": str(stranger.workspace_id)}
    assert acme.problems("POST", "", body) == {"$.parent_id": ["There is no such workspace."]}


def test_a_chain_of_parents_has_an_end(acme: Organization) -> None:
    parent = acme.tenant.workspace_id
    for place in range(MAX_DEPTH - 1):
        parent = UUID(acme.make(name=f"level {place}", parent_id=str(parent))["id"])
    deepest = acme.make(name="deepest", parent_id=str(parent))
    body = {"name": "too deep", "home_country": "US", "parent_id": deepest["id"]}
    assert acme.problems("POST", "", body).keys() == {"$.parent_id"}


@pytest.mark.both_engines
def test_a_change_affects_only_named_fields(acme: Organization) -> None:
    path = f"/{acme.tenant.workspace_id}"
    before = acme.ask("GET", path).get_json()
    wanted = {"name": "Shop", "home_country": "GB", "body_retention_days": 3}
    changed = acme.ask("PATCH", path, wanted).get_json()
    assert changed == before | wanted | {"updated_at": changed["updated_at"]}
    assert acme.destinations(before["id"]) == {"US": "allowed", "MX": "allowed"}
    assert acme.ask("PATCH", path, wanted).get_json() == changed
    assert acme.ask("PATCH", path, {}).get_json() == changed
    assert acme.audit_trail() == [("workspace.changed", "body_retention_days, home_country, name")]


@pytest.mark.both_engines
def test_an_owner_of_the_workspace_changes_its_own_alone(acme: Organization) -> None:
    sibling = acme.factory.tenant(acme.tenant.organization_id, "Sibling")
    owner = acme.tenant.keys[Role.OWNER]
    own = acme.ask("PATCH", f"/{acme.tenant.workspace_id}", {"name": "Shop"}, owner)
    assert own.status_code == 200
    foreign = acme.ask("PATCH", f"/{sibling.workspace_id}", {"name": "Shop 2"}, owner)
    absent = acme.ask("PATCH", f"/{new_id()}", {"name": "Shop 2"}, owner)
    assert (foreign.status_code, foreign.data) == (404, absent.data)
    taken = acme.problems("PATCH", f"/{acme.tenant.workspace_id}", {"name": "Sibling"})
    assert taken == {"$.name": ["Is the name of another workspace of this organization."]}


def test_invalid_changes_are_reported(acme: Organization) -> None:
    path = f"/{acme.tenant.workspace_id}"
    body = {"parent_id": None, "inherits": True, "name": None, "body_retention_days": "7"}
    assert acme.problems("PATCH", path, body).keys() == {f"$.{name}" for name in body}


@pytest.mark.both_engines
def test_the_list_goes_page_by_page_and_by_parent(acme: Organization) -> None:
    made = [acme.make(name=f"level {place}")["id"] for place in range(3)]
    heir = acme.make(parent_id=made[0])["id"]
    everything = [str(acme.tenant.workspace_id), *made, heir]
    seen, query = [], "?limit=2"
    while query:
        page = acme.ask("GET", query).get_json()
        seen += [item["id"] for item in page["items"]]
        token = page["next_page_token"]
        query = f"?limit=2&page_token={token}" if token else ""
    assert seen == everything
    of_parent = acme.ask("GET", f"?parent_id={made[0]}").get_json()["items"]
    assert [item["id"] for item in of_parent] == [heir]
    own = acme.ask("GET", "", None, acme.tenant.keys[Role.VIEWER]).get_json()["items"]
    assert [item["id"] for item in own] == [str(acme.tenant.workspace_id)]
