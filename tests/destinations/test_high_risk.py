"""Allowing a high-risk country takes an acknowledgement by name, where the workspace asks for it."""

from typing import Any

import pytest
from sqlalchemy import insert

from app.access.principal import Role
from app.access.tables import workspaces
from app.destinations.changes import HIGH_RISK
from app.destinations.tables import destination_revisions, provider_permissions
from support.factories import ACCOUNT, Factory, Gateway, Tenant

pytestmark = pytest.mark.one_engine


@pytest.fixture
def asks(factory: Factory, tenant: Tenant) -> None:
    """The workspace asks for acknowledgements, and Twilio calls Pakistan high-risk."""
    factory.set(workspaces, tenant.workspace_id, acknowledges_high_risk=True)
    with factory.database.writing() as connection:
        for country, risky in (("PK", True), ("FR", False)):
            connection.execute(
                insert(provider_permissions).values(
                    account_sid=ACCOUNT,
                    country=country,
                    is_open=True,
                    is_high_risk=risky,
                    noted_at=factory.now,
                    noted_by="check",
                )
            )


def change(gateway: Gateway, tenant: Tenant, method: str, path: str, body: Any) -> Any:
    start = f"/workspaces/{tenant.workspace_id}/destination-management/capability/sms"
    headers = {"Authorization": f"AccessKey {tenant.keys[Role.ADMIN]}"}
    return gateway.client.open(start + path, method=method, json=body, headers=headers)


CHANGES = [
    ("PUT", "", {"destinations": {"PK": "allowed", "FR": "allowed"}}, "$.destinations.PK"),
    ("POST", "/allow", {"destinations": ["FR", "PK"]}, "$.destinations[1]"),
    (
        "POST",
        "/allow",
        {"destinations": ["FR", "PK"], "until": "2099-01-01T00:00:00Z"},
        "$.destinations[1]",
    ),
    ("POST", "/rules", {"kind": "country", "value": "PK", "action": "allowed"}, "$.value"),
]


@pytest.mark.usefixtures("asks")
@pytest.mark.parametrize(("method", "path", "body", "place"), CHANGES)
def test_without_the_acknowledgement_nothing_changes(  # noqa: PLR0917
    gateway: Gateway,
    factory: Factory,
    tenant: Tenant,
    method: str,
    path: str,
    body: Any,
    place: str,
) -> None:
    answer = change(gateway, tenant, method, path, body)
    assert (answer.status_code, answer.json["details"]) == (422, {place: [HIGH_RISK]})
    assert factory.rows(destination_revisions) == []


@pytest.mark.usefixtures("asks")
@pytest.mark.parametrize(("method", "path", "body", "place"), CHANGES)
def test_with_it_the_country_is_allowed(  # noqa: PLR0917
    gateway: Gateway,
    factory: Factory,
    tenant: Tenant,
    method: str,
    path: str,
    body: Any,
    place: str,
) -> None:
    answer = change(gateway, tenant, method, path, body | {"acknowledge_high_risk": ["PK"]})
    assert answer.status_code in {200, 201}
    assert len(factory.rows(destination_revisions)) == 1


@pytest.mark.usefixtures("asks")
def test_an_allowed_country_needs_no_new_acknowledgement(gateway: Gateway, tenant: Tenant) -> None:
    body = {"destinations": ["PK"], "acknowledge_high_risk": ["PK"]}
    assert change(gateway, tenant, "POST", "/allow", body).status_code == 200
    again = {"destinations": {"PK": "allowed", "FR": "allowed"}}
    assert change(gateway, tenant, "PUT", "", again).status_code == 200


@pytest.mark.usefixtures("asks")
def test_blocking_one_needs_none(gateway: Gateway, tenant: Tenant) -> None:
    assert change(gateway, tenant, "POST", "/block", {"destinations": ["PK"]}).status_code == 200


@pytest.mark.usefixtures("asks")
def test_a_workspace_that_does_not_ask_is_not_held_up(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    factory.set(workspaces, tenant.workspace_id, acknowledges_high_risk=False)
    assert change(gateway, tenant, "POST", "/allow", {"destinations": ["PK"]}).status_code == 200
