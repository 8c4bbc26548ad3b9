"""A gateway with something to see on every page."""

import random
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, insert

from app.access.principal import Role
from app.db.heartbeats import beat
from app.destinations.geo_permissions.store import replace_permissions
from app.kernel.clock import utc_now
from app.messages.tables import message_counts
from app.prices.price_file import read_prices
from app.prices.store import import_prices
from app.providers.port import DeliveryReport, GeoPermission
from app.providers.twilio.codes import status_of
from app.use_cases.tables import use_cases
from app.webhooks.sender import Reply
from support.console import make_user
from support.destinations import PolicyClient
from support.geo import permissions_at_twilio
from support.site import Site
from support.time import ManualClock
from support.webhooks import Hooks

FR, BR, GB = "+33612345678", "+5511961234567", "+447400123456"
_DAYS = 90
_PRICES = {"US": "0.0083", "CA": "0.0079", "GB": "0.0524", "FR": "0.0798"}


@dataclass(frozen=True, slots=True)
class Scene:
    """What the pages of the site show."""

    owner_key: str
    message_id: UUID
    failed_id: UUID
    endpoint_id: UUID
    person_id: UUID


def set_up(site: Site) -> Scene:
    """Fill the site: traffic, refusals, a policy with a history, endpoints, people."""
    tenant, factory = site.tenant, site.factory
    factory.set(use_cases, tenant.use_case_id, name="One-time passwords")
    policy = PolicyClient(site.gateway, tenant, factory)
    policy.allow("CA", "GB", "FR", X_Change_Reason="launch in Europe")
    policy.allow_until("2099-01-01T00:00:00Z", "JP")
    policy.add_rule("prefix", "+447700", "blocked", reason="SMS pumping")
    allowed = [GeoPermission(code, True) for code in ("US", "CA", "GB", "DE", "IT")]
    closed = [GeoPermission("FR", False), GeoPermission("PK", False, True)]
    with factory.database.writing() as connection:
        permissions = permissions_at_twilio([*allowed, *closed, GeoPermission("NG", True, True)])
        replace_permissions(connection, tenant.account_sid, permissions, factory.now)
    key = tenant.keys[Role.ADMIN]
    opt_out = {"to_number": "+12025550188", "source": "keyword"}
    site.gateway.post("/v1/opt-outs", opt_out, key=key)
    sent = [UUID(site.gateway.send(tenant, to=to).json["id"]) for to in (FR, GB) * 6]
    site.gateway.send(tenant, to=BR)
    site.gateway.send(tenant, to="+12025550188")
    for place, message_id in enumerate(sent[:-1]):
        for word in ("sent", "undelivered" if place % 5 == 0 else "delivered"):
            _report(site, message_id, word)
    person_id = make_user(factory, tenant.organization_id, {tenant.workspace_id: Role.ADMIN})
    factory.tenant(tenant.organization_id, "Marketing")
    policy.block("JP")
    policy.restore(4)
    _prices(site)
    _guards(site)
    _count(site)
    owner_key = factory.keys(tenant.organization_id, None)[Role.OWNER]
    return Scene(owner_key, sent[1], sent[0], _endpoints(site), person_id)


def _report(site: Site, message_id: UUID, word: str) -> None:
    key = site.tenant.keys[Role.OWNER]
    sid = site.gateway.get(f"/v1/sms/{message_id}", key=key).json["message_sid"]
    code = 30003 if word == "undelivered" else None
    report = DeliveryReport(
        site.tenant.account_sid, sid, message_id, status_of(word), word, error_code=code
    )
    site.gateway.services.callbacks.report(report)


def _prices(site: Site) -> None:
    rows = "\n".join(f"{country},,{price},USD,2026-01-01" for country, price in _PRICES.items())
    file = read_prices(f"country,mccmnc,price,currency,valid_from\n{rows}\n")
    with site.factory.database.writing() as connection:
        import_prices(connection, file, site.factory.now)


def _guards(site: Site) -> None:
    """Set guards, and leave an alert that somebody has acknowledged."""
    key, path = site.tenant.keys[Role.ADMIN], f"/v1/workspaces/{site.tenant.workspace_id}/guards"
    own = {"number": {"mode": "enforce", "hour": 3, "day": 10}}
    body = {"guards": {}, "use_cases": {str(site.tenant.use_case_id): own}}
    site.gateway.client.put(path, json=body, headers={"Authorization": f"AccessKey {key}"})
    for _ in range(4):
        site.gateway.send(site.tenant, to=GB)
    (alert,) = site.gateway.get("/v1/alerts", key=key).json["items"]
    site.gateway.post(f"/v1/alerts/{alert['id']}/acknowledge", None, key=key)


def _endpoints(site: Site) -> UUID:
    hooks = Hooks(site.factory, ManualClock())
    endpoint_id = hooks.endpoint(site.tenant.workspace_id)
    hooks.sender.script = [Reply(503), Reply(503), Reply(204)]
    for _ in range(2):
        hooks.event(site.tenant.workspace_id)
        for _ in range(3):
            hooks.drain()
            hooks.move_to(hooks.clock.at + timedelta(hours=1))
    hooks.endpoint(site.tenant.workspace_id, active=False, disabled_reason="Disabled by hand.")
    return endpoint_id


def _count(site: Site) -> None:
    """Write statistics: a steady flow whose deliveries to France fail on the last two days."""
    dice, now = random.Random(1), utc_now()
    rows = []
    for hours in range(_DAYS * 24):
        at = now - timedelta(hours=hours)
        for country, size in (("US", 40), ("GB", 14), ("FR", 9), ("CA", 5)):
            sends = dice.randint(size // 2, size)
            fails = country == "FR" and hours < 48
            delivered = round(sends * (0.1 if fails else 0.96))
            rows.append(
                {
                    "workspace_id": site.tenant.workspace_id,
                    "day": at.date(),
                    "hour": at.hour,
                    "country": country,
                    "sends": sends,
                    "delivered": delivered,
                    "undelivered": sends - delivered,
                    "failed": 0,
                    "segments": sends * 2,
                    "currency": "USD",
                    "cost": round(sends * 2_000_000 * float(_PRICES[country])),
                }
            )
    with site.factory.database.writing() as connection:
        beat(connection, "worker", now)
        connection.execute(delete(message_counts))
        connection.execute(insert(message_counts), rows)
