"""From the status callback and the policy change to the event that a customer gets."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from app.access.principal import Role
from app.destinations.geo_permissions.check import CheckProvider
from app.providers.port import GeoFacts, GeoPermission, ProviderAccount
from app.providers.twilio.geo import TwilioGeoPermissions
from app.providers.twilio.transport import NotConfirmed
from app.webhooks.tables import webhook_events
from support.factories import BR_NUMBER, Factory, Gateway, Tenant


@pytest.fixture
def endpoint(gateway: Gateway, tenant: Tenant) -> str:
    """An endpoint that wants every event; its secret."""
    body = {
        "url": "https://customer.example.com/hooks",
        "events": [
            *("sms.sent", "sms.delivered", "sms.undelivered", "sms.failed"),
            *("destination.changed", "destination.drift"),
        ],
    }
    answer = gateway.post("/v1/webhook-endpoints", body, key=tenant.keys[Role.ADMIN])
    assert answer.status_code == 201, answer.text
    return str(answer.json["secret"])


def written_events(factory: Factory) -> list[tuple[str, dict[str, Any]]]:
    return [(row["type"], json.loads(row["payload"])) for row in factory.rows(webhook_events)]


@pytest.mark.usefixtures("endpoint")
def test_each_applied_status_sends_one_event(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    sent = gateway.send(tenant).json
    for status in ("queued", "sent", "sent", "delivered", "sent", "failed", "delivered"):
        assert gateway.callback(sent["id"], sent["message_sid"], status).status_code == 204
    found = written_events(factory)
    assert [event_type for event_type, _ in found] == ["sms.sent", "sms.delivered"]
    data = found[1][1]
    assert (data["id"], data["status"], data["num_segments"]) == (sent["id"], "delivered", 1)
    assert "body" not in data
    message = gateway.get(f"/v1/sms/{sent['id']}", key=tenant.keys[Role.VIEWER]).json
    assert data["delivered_at"] == message["delivered_at"]


@pytest.mark.usefixtures("endpoint")
def test_reports_by_sid_alone_and_of_unconfirmed_sends_have_their_events_too(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    """Break: in `_Statements.on_postgresql` of `apply_report.py`, leave `reported` out."""
    sent = gateway.send(tenant).json
    gateway.callback(None, sent["message_sid"], "delivered")
    gateway.twilio.script.append(NotConfirmed("ReadTimeoutError"))
    pending = gateway.send(tenant).json["details"]["id"]
    gateway.callback(pending, "SM" + "1" * 32, "delivered")
    found = [(event_type, data["id"]) for event_type, data in written_events(factory)]
    assert sorted(found) == sorted(("sms.delivered", one) for one in (sent["id"], pending))


@pytest.mark.usefixtures("endpoint")
def test_blocked_send_sends_no_event(gateway: Gateway, factory: Factory, tenant: Tenant) -> None:
    assert gateway.send(tenant, to=BR_NUMBER).status_code == 422
    assert written_events(factory) == []


def test_without_an_endpoint_nothing_is_written(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    sent = gateway.send(tenant).json
    gateway.callback(sent["id"], sent["message_sid"], "delivered")
    assert written_events(factory) == []


@pytest.mark.usefixtures("endpoint")
def test_policy_change_sends_an_event_with_its_revision(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    path = f"/workspaces/{tenant.workspace_id}/destination-management/capability/sms/allow"
    for _ in range(2):
        gateway.post(path, {"destinations": ["BR"]}, key=tenant.keys[Role.ADMIN])
    ((event_type, data),) = written_events(factory)
    assert event_type == "destination.changed"
    assert data["changes"] == [{"country": "BR", "from": None, "to": "allowed"}]
    assert (data["revision"], data["workspace_id"]) == (2, str(tenant.workspace_id))


@dataclass
class FakePermissions:
    """A provider whose geo permissions the test changes."""

    is_open: dict[str, bool]
    facts: GeoFacts = TwilioGeoPermissions.facts

    def fetch(self, account: ProviderAccount) -> list[GeoPermission]:
        return [
            GeoPermission(code, is_open, False, "+1", "") for code, is_open in self.is_open.items()
        ]

    def update(self, account: ProviderAccount, wanted: Any) -> list[Any]:
        raise NotImplementedError


@pytest.mark.usefixtures("endpoint")
def test_geo_drift_sends_one_event_for_each_change(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    permissions = FakePermissions({"US": True, "CA": False})
    check = CheckProvider(factory.database, permissions, gateway.services.clock)
    check()
    assert written_events(factory) == []
    permissions.is_open["CA"] = True
    for _ in range(2):
        check()
    ((event_type, data),) = written_events(factory)
    assert event_type == "destination.drift"
    assert (data["allowed_here_closed_there"], data["closed_here_open_there"]) == ([], ["CA"])
    permissions.is_open["CA"] = False
    check()
    assert len(written_events(factory)) == 1
