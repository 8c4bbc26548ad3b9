"""How each declared route is asked for an object: its path, its body, what it answers.

A route that is declared without an entry here fails the tests of access: add it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.access.principal import Role
from app.destinations.geo_permissions.check import CheckProvider
from app.guards.alerts import AlertKind, open_alert
from app.kernel.ids import new_id
from app.messages.statistics.aggregate import AggregateMessages
from app.web.assets import Assets
from app.web.registry import get_service, register_service
from app.webhooks.deliver import fan_out
from app.webhooks.outbox import EventType, add_event
from support.factories import ACCOUNT, SERVICE_SID, US_NUMBER, Gateway, Tenant
from support.geo import FakeGeo, permits

Ids = dict[str, str]
_ENDPOINTS = "/v1/webhook-endpoints"
_USE_CASES = "/v1/use-cases"
_KEYS = "/v1/access-keys"
_WORKSPACES = "/v1/workspaces"
_GUARDS = "/v1/workspaces/{workspace_id}/guards"
_DESTINATIONS = "/workspaces/{workspace_id}/destination-management/capability/{capability}"


@dataclass(frozen=True)
class Recipe:
    """One way to use a route that succeeds for the owner of the objects that `prepare` makes.

    ``absent`` is the status for an object that does not exist; None where the route names none.
    ``of_organization`` says that it takes a key of the organization: others answer 403.
    """

    status: int
    absent: int | None = None
    body: Callable[[Ids], Any] = lambda _: None
    prepare: Callable[[Gateway, Tenant], Ids] = lambda _gateway, _tenant: {}
    headers: dict[str, str] = field(default_factory=dict)
    of_organization: bool = False


def answer_checks(gateway: Gateway) -> None:
    """Let the provider be asked for its geo permissions, any number of times."""
    services, geo = gateway.services, FakeGeo({ACCOUNT: permits(US=True)})
    register_service(
        gateway.client.application, CheckProvider(services.database, geo, services.clock)
    )


def ids_of(tenant: Tenant) -> Ids:
    """The ids that every path and body may need; none of them names an object below these."""
    return {
        "workspace_id": str(tenant.workspace_id),
        "use_case_id": str(tenant.use_case_id),
        "capability": "sms",
        "revision": "1",
        "version": "0" * 16,
        "name": "none.css",
    } | {
        name: str(new_id())
        for name in (
            *("message_id", "opt_out_id", "rule_id", "endpoint_id", "delivery_id"),
            *("sender_id", "access_key_id", "alert_id"),
        )
    }


def absent_ids() -> Ids:
    """Ids of nothing."""
    return ids_of(Tenant(new_id(), new_id(), new_id(), "", {}))


def fill(path: str, ids: Ids) -> str:
    """A declared path with its ids filled in."""
    return path.format(**ids)


def _message(gateway: Gateway, tenant: Tenant) -> Ids:
    return {"message_id": gateway.send(tenant).get_json()["id"]}


def _counted_message(gateway: Gateway, tenant: Tenant) -> Ids:
    ids = _message(gateway, tenant)
    AggregateMessages(gateway.services.database, gateway.services.clock).run_once()
    return ids


def _opt_out(gateway: Gateway, tenant: Tenant) -> Ids:
    body = {"to_number": US_NUMBER}
    made = gateway.post("/v1/opt-outs", body, key=tenant.keys[Role.OWNER])
    return {"opt_out_id": made.get_json()["id"]}


def _alert(gateway: Gateway, tenant: Tenant) -> Ids:
    now, subject = gateway.services.clock.now(), str(new_id())
    with gateway.services.database.writing() as c:
        open_alert(c, tenant.workspace_id, AlertKind.GEO_DRIFT, subject, now, details={})
    page = gateway.get("/v1/alerts", key=tenant.keys[Role.OWNER]).get_json()
    return {"alert_id": page["items"][0]["id"]}


def _rule(gateway: Gateway, tenant: Tenant) -> Ids:
    path = fill(_DESTINATIONS, ids_of(tenant)) + "/rules"
    made = gateway.post(path, _rule_body({}), key=tenant.keys[Role.OWNER])
    return {"rule_id": made.get_json()["id"]}


def _endpoint(gateway: Gateway, tenant: Tenant) -> Ids:
    made = gateway.post(_ENDPOINTS, _endpoint_body({}), key=tenant.keys[Role.OWNER])
    return {"endpoint_id": made.get_json()["id"]}


def _delivery(gateway: Gateway, tenant: Tenant) -> Ids:
    """One delivery that waits, and the endpoint that it is for."""
    ids = _endpoint(gateway, tenant)
    now = gateway.services.clock.now()
    with gateway.services.database.writing() as c:
        add_event(c, tenant.workspace_id, EventType.SMS_SENT, {"id": str(new_id())}, now)
    with gateway.services.database.writing() as c:
        fan_out(c, now)
    path = f"{_ENDPOINTS}/{ids['endpoint_id']}/deliveries"
    page = gateway.get(path, key=tenant.keys[Role.OWNER]).get_json()
    return ids | {"delivery_id": page["items"][0]["id"]}


def _use_case(gateway: Gateway, tenant: Tenant) -> Ids:
    """A use case of its own, with one sender."""
    owner = tenant.keys[Role.OWNER]
    made = gateway.post(_USE_CASES, _use_case_body({}), key=owner).get_json()
    sender = gateway.post(f"{_USE_CASES}/{made['id']}/senders", _sender_body({}), key=owner)
    return {"use_case_id": made["id"], "sender_id": sender.get_json()["id"]}


def _access_key(gateway: Gateway, tenant: Tenant) -> Ids:
    made = gateway.post(_KEYS, _access_key_body({}), key=tenant.keys[Role.OWNER])
    return {"access_key_id": made.get_json()["id"]}


def _revision(gateway: Gateway, tenant: Tenant) -> Ids:
    """A revision that can be gone back to: one that is not the current."""
    owner, path = tenant.keys[Role.OWNER], fill(_DESTINATIONS, ids_of(tenant))
    for code in ("FR", "DE"):
        gateway.post(f"{path}/allow", {"destinations": [code]}, key=owner)
    page = gateway.get(f"{path}/history", key=owner).get_json()
    return {"revision": str(page["items"][1]["revision"])}


def _asset(gateway: Gateway, _: Tenant) -> Ids:
    with gateway.client.application.app_context():
        url = get_service(Assets).url("pico.min.css")
    return dict(zip(("version", "name"), url.split("/")[-2:], strict=True))


def _send_body(ids: Ids) -> Any:
    use_case_id = ids["use_case_id"]
    return {"use_case_id": use_case_id, "to_phone_number": US_NUMBER, "message": "hello"}


def _opt_out_body(ids: Ids) -> Any:
    return {"to_number": US_NUMBER, "use_case_id": ids["use_case_id"]}


def _use_case_body(ids: Ids) -> Any:
    body = {"name": f"use case {new_id()}", "messaging_service_sid": SERVICE_SID}
    return body | {name: ids[name] for name in ("workspace_id",) if name in ids}


def _sender_body(_: Ids) -> Any:
    return {"number": f"+1202555{new_id().int % 10000:04d}", "type": "long_code"}


def _access_key_body(ids: Ids) -> Any:
    body = {"name": "backend", "role": "sender"}
    return body | {name: ids[name] for name in ("workspace_id",) if name in ids}


def _workspace_body(_: Ids) -> Any:
    return {"name": f"workspace {new_id()}", "home_country": "CA"}


def _endpoint_body(ids: Ids) -> Any:
    body = {"url": "https://hooks.example.com/sms", "events": ["sms.sent"]}
    return body | {name: ids[name] for name in ("workspace_id",) if name in ids}


def _guards_body(_: Ids) -> Any:
    return {"guards": {"number": {"mode": "enforce", "hour": 7, "day": 20}}}


def _rule_body(_: Ids) -> Any:
    return {"kind": "prefix", "value": "+23276", "action": "blocked"}


def _reason(_: Ids) -> Any:
    return {"reason": "because"}


def _countries(_: Ids) -> Any:
    return {"destinations": ["US", "CA"]}


def _map(_: Ids) -> Any:
    return {"destinations": {"US": "allowed"}}


RECIPES: dict[tuple[str, str], Recipe] = {
    ("POST", "/v1/sms"): Recipe(201, 404, _send_body),
    ("GET", "/v1/sms"): Recipe(200, prepare=_message),
    ("GET", "/v1/sms/{message_id}"): Recipe(200, 404, prepare=_message),
    ("GET", "/v1/sms/{message_id}/events"): Recipe(200, 404, prepare=_message),
    ("GET", "/v1/sms/{message_id}/price"): Recipe(200, 404, prepare=_message),
    ("POST", "/v1/sms/{message_id}/feedback"): Recipe(
        200, 404, lambda _: {"converted": True}, prepare=_message
    ),
    ("GET", "/v1/usage"): Recipe(200, prepare=_counted_message),
    ("GET", _USE_CASES): Recipe(200),
    ("GET", _USE_CASES + "/{use_case_id}"): Recipe(200, 404),
    ("POST", _USE_CASES): Recipe(201, 422, _use_case_body),
    ("PATCH", _USE_CASES + "/{use_case_id}"): Recipe(200, 404, lambda _: {"active": False}),
    ("DELETE", _USE_CASES + "/{use_case_id}"): Recipe(204, 404, prepare=_use_case),
    ("GET", _USE_CASES + "/{use_case_id}/senders"): Recipe(200, 404),
    ("POST", _USE_CASES + "/{use_case_id}/senders"): Recipe(
        201, 404, _sender_body, prepare=_use_case
    ),
    ("DELETE", _USE_CASES + "/{use_case_id}/senders/{sender_id}"): Recipe(
        204, 404, prepare=_use_case
    ),
    ("GET", "/v1/me"): Recipe(200),
    ("GET", _KEYS): Recipe(200, prepare=_access_key),
    ("POST", _KEYS): Recipe(201, 422, _access_key_body),
    ("GET", _KEYS + "/{access_key_id}"): Recipe(200, 404, prepare=_access_key),
    ("DELETE", _KEYS + "/{access_key_id}"): Recipe(204, 404, prepare=_access_key),
    ("GET", "/v1/audit-events"): Recipe(200, prepare=_access_key),
    ("GET", _WORKSPACES): Recipe(200),
    ("POST", _WORKSPACES): Recipe(201, body=_workspace_body, of_organization=True),
    ("GET", _WORKSPACES + "/{workspace_id}"): Recipe(200, 404),
    ("PATCH", _WORKSPACES + "/{workspace_id}"): Recipe(
        200, 404, lambda _: {"body_retention_days": 3}
    ),
    ("GET", _GUARDS): Recipe(200, 404),
    ("PUT", _GUARDS): Recipe(200, 404, _guards_body),
    ("GET", _GUARDS + "/suggestion"): Recipe(200, 404),
    ("GET", "/v1/alerts"): Recipe(200, prepare=_alert),
    ("POST", "/v1/alerts/{alert_id}/acknowledge"): Recipe(200, 404, prepare=_alert),
    ("GET", "/v1/opt-outs"): Recipe(200, prepare=_opt_out),
    ("POST", "/v1/opt-outs"): Recipe(201, 422, _opt_out_body),
    ("DELETE", "/v1/opt-outs/{opt_out_id}"): Recipe(204, 404, prepare=_opt_out),
    ("GET", _ENDPOINTS): Recipe(200, prepare=_endpoint),
    ("POST", _ENDPOINTS): Recipe(201, 422, _endpoint_body),
    ("GET", _ENDPOINTS + "/{endpoint_id}"): Recipe(200, 404, prepare=_endpoint),
    ("PATCH", _ENDPOINTS + "/{endpoint_id}"): Recipe(
        200, 404, lambda _: {"active": False}, prepare=_endpoint
    ),
    ("DELETE", _ENDPOINTS + "/{endpoint_id}"): Recipe(204, 404, prepare=_endpoint),
    ("POST", _ENDPOINTS + "/{endpoint_id}/rotate-secret"): Recipe(200, 404, prepare=_endpoint),
    ("GET", _ENDPOINTS + "/{endpoint_id}/deliveries"): Recipe(200, 404, prepare=_delivery),
    ("POST", "/v1/webhook-deliveries/{delivery_id}/replay"): Recipe(201, 404, prepare=_delivery),
    ("POST", _WORKSPACES + "/{workspace_id}/suspend"): Recipe(200, 404, _reason),
    ("POST", _WORKSPACES + "/{workspace_id}/resume"): Recipe(200, 404, _reason),
    ("POST", _WORKSPACES + "/{workspace_id}/freeze"): Recipe(200, 404, _reason),
    ("POST", _WORKSPACES + "/{workspace_id}/thaw"): Recipe(200, 404, _reason),
    ("GET", _DESTINATIONS): Recipe(200, 404),
    ("PUT", _DESTINATIONS): Recipe(200, 404, _map),
    ("POST", _DESTINATIONS + "/allow"): Recipe(200, 404, _countries),
    ("POST", _DESTINATIONS + "/block"): Recipe(200, 404, _countries),
    ("GET", _DESTINATIONS + "/rules"): Recipe(200, 404, prepare=_rule),
    ("POST", _DESTINATIONS + "/rules"): Recipe(201, 404, _rule_body),
    ("DELETE", _DESTINATIONS + "/rules/{rule_id}"): Recipe(204, 404, prepare=_rule),
    ("GET", _DESTINATIONS + "/inheritance"): Recipe(200, 404),
    ("PUT", _DESTINATIONS + "/inheritance"): Recipe(200, 404, lambda _: {"inherit": False}),
    ("GET", _DESTINATIONS + "/history"): Recipe(200, 404, prepare=_rule),
    ("POST", _DESTINATIONS + "/history/{revision}/restore"): Recipe(200, 404, prepare=_revision),
    ("POST", _DESTINATIONS + "/check"): Recipe(200, 404, lambda _: {"numbers": [US_NUMBER]}),
    ("GET", _DESTINATIONS + "/refusals"): Recipe(200, 404),
    ("GET", _DESTINATIONS + "/provider"): Recipe(200, 404),
    ("POST", _DESTINATIONS + "/provider"): Recipe(200, 404),
    ("POST", "/v1/webhook/twilio/sms-status"): Recipe(415),
    ("POST", "/v1/webhook/twilio/sms-inbound"): Recipe(415),
    ("GET", "/healthz"): Recipe(200),
    ("GET", "/readyz"): Recipe(200),
    ("GET", "/version"): Recipe(200),
    ("GET", "/metrics"): Recipe(200),
    ("GET", "/openapi.json"): Recipe(200),
    ("GET", "/docs"): Recipe(200),
    ("GET", "/"): Recipe(404),
    ("GET", "/assets/{version}/{name}"): Recipe(200, 404, prepare=_asset),
}
