"""Ways to meet each public error, through HTTP, in a scene with one tenant."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from werkzeug.test import TestResponse

from app.access.principal import Role, hash_token
from app.access.tables import access_keys, workspaces
from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.messages.sending.send import InFlight
from app.use_cases.tables import use_cases
from support.factories import US_NUMBER, Factory, Gateway, Tenant
from support.fake_twilio import Call, accepted
from support.replace_services import another_client, replace_services
from support.tables import add_opt_out_row
from support.time import FakePace


@dataclass
class TenantGateway:
    """A gateway with one tenant, and room for what a row needs."""

    gateway: Gateway
    factory: Factory
    tenant: Tenant

    def key_id(self, role: Role) -> UUID:
        found: UUID = next(
            row["id"]
            for row in self.factory.rows(access_keys)
            if row["token_hash"] == hash_token(self.tenant.keys[role])
        )
        return found

    @property
    def organization_key(self) -> str:
        return self.factory.keys(self.tenant.organization_id, None)[Role.OWNER]

    def send(self, **values: Any) -> TestResponse:
        return self.gateway.send(self.tenant, **values)

    def post_raw(self, body: bytes, content_type: str = "application/json") -> TestResponse:
        return self.gateway.client.post(
            "/v1/sms",
            data=body,
            content_type=content_type,
            headers={"Authorization": f"AccessKey {self.tenant.keys[Role.SENDER]}"},
        )

    def get(self, path: str, role: Role = Role.VIEWER) -> TestResponse:
        return self.gateway.get(path, key=self.tenant.keys[role])

    def with_key(self, token: str) -> TestResponse:
        return self.gateway.get("/v1/sms", key=token)

    def with_use_case(self, **values: Any) -> TestResponse:
        use_case_id = self.factory.use_case(self.tenant.workspace_id, **values)
        body = {"use_case_id": str(use_case_id), "to_phone_number": US_NUMBER, "message": "hello"}
        return self.gateway.post("/v1/sms", body, key=self.tenant.keys[Role.SENDER])

    def answered(self, *script: Any) -> TestResponse:
        """Send while Twilio answers with this script; retries take no time."""
        replace_services(self.gateway, pace=FakePace().pace())
        self.gateway.twilio.script.extend(script)
        return self.send()


@dataclass(frozen=True)
class Row:
    """One way to meet a code, and what its answer holds beside the code."""

    status: int
    code: str
    when: str
    provoke: Callable[[TenantGateway], TestResponse]
    details: dict[str, Any] | None = None
    retry_after: str | None = None


def expire(tenant_gateway: TenantGateway) -> TestResponse:
    tenant_gateway.factory.set(
        access_keys, tenant_gateway.key_id(Role.VIEWER), expires_at=utc_now() - timedelta(seconds=1)
    )
    return tenant_gateway.get("/v1/sms")


def revoke(tenant_gateway: TenantGateway) -> TestResponse:
    assert tenant_gateway.get("/v1/sms").status_code == 200
    tenant_gateway.factory.set(
        access_keys, tenant_gateway.key_id(Role.VIEWER), revoked_at=utc_now()
    )
    return tenant_gateway.get("/v1/sms")


def suspend(tenant_gateway: TenantGateway) -> TestResponse:
    tenant_gateway.factory.set(
        workspaces, tenant_gateway.tenant.workspace_id, suspended_at=utc_now()
    )
    return tenant_gateway.send()


def of_another_tenant(tenant_gateway: TenantGateway) -> TestResponse:
    other = tenant_gateway.factory.tenant(tenant_gateway.tenant.organization_id, "Wholesale")
    sent = tenant_gateway.gateway.send(other)
    return tenant_gateway.get(f"/v1/sms/{sent.get_json()['id']}")


def delete_use_case(tenant_gateway: TenantGateway) -> TestResponse:
    tenant_gateway.factory.set(use_cases, tenant_gateway.tenant.use_case_id, deleted_at=utc_now())
    return tenant_gateway.send()


def absent_use_case(tenant_gateway: TenantGateway) -> TestResponse:
    body = {"use_case_id": str(new_id()), "to_phone_number": US_NUMBER, "message": "hello"}
    return tenant_gateway.gateway.post("/v1/sms", body, key=tenant_gateway.tenant.keys[Role.SENDER])


def while_the_first_still_runs(tenant_gateway: TenantGateway) -> TestResponse:
    met = []
    inner = another_client(tenant_gateway.gateway)

    def answer(_: Call) -> Any:
        met.append(inner.send(tenant_gateway.tenant, Idempotency_Key="order 1"))
        return accepted()

    tenant_gateway.gateway.twilio.script.append(answer)
    assert tenant_gateway.send(Idempotency_Key="order 1").status_code == 201
    return met[0]


def reuse_key(tenant_gateway: TenantGateway) -> TestResponse:
    assert tenant_gateway.send(Idempotency_Key="order 1").status_code == 201
    return tenant_gateway.send(Idempotency_Key="order 1", message="another text")


def unverified_campaign(tenant_gateway: TenantGateway) -> TestResponse:
    return tenant_gateway.with_use_case(campaign_status="FAILED")


def opted_out(tenant_gateway: TenantGateway) -> TestResponse:
    add_opt_out_row(tenant_gateway.factory, tenant_gateway.tenant.workspace_id, US_NUMBER)
    return tenant_gateway.send()


def all_turns_taken(tenant_gateway: TenantGateway) -> TestResponse:
    in_flight = InFlight(1)
    replace_services(tenant_gateway.gateway, in_flight=in_flight)
    with in_flight.place(tenant_gateway.tenant.workspace_id):
        return tenant_gateway.send()


def defect(tenant_gateway: TenantGateway) -> TestResponse:
    def fail(**_: Any) -> None:
        raise RuntimeError("a defect")

    app = tenant_gateway.gateway.client.application
    app.view_functions = dict.fromkeys(app.view_functions, fail)
    return tenant_gateway.get("/v1/sms")


def no_account(tenant_gateway: TenantGateway) -> TestResponse:
    tenant_gateway.factory.set(workspaces, tenant_gateway.tenant.workspace_id, account_sid=None)
    return tenant_gateway.send()


def destinations(workspace_id: UUID, capability: str = "sms") -> str:
    return f"/workspaces/{workspace_id}/destination-management/capability/{capability}"


def put_destinations(
    tenant_gateway: TenantGateway, workspace_id: UUID, wanted: dict[str, str], **headers: str
) -> TestResponse:
    return tenant_gateway.gateway.client.put(
        destinations(workspace_id),
        json={"destinations": wanted},
        headers={"Authorization": f"AccessKey {tenant_gateway.organization_key}"} | headers,
    )


def change_what_is_inherited(tenant_gateway: TenantGateway) -> TestResponse:
    child = tenant_gateway.factory.tenant(
        tenant_gateway.tenant.organization_id,
        "Branch",
        parent_id=tenant_gateway.tenant.workspace_id,
        inherits=True,
    )
    return put_destinations(tenant_gateway, child.workspace_id, {"US": "allowed"})


def change_another_revision(tenant_gateway: TenantGateway) -> TestResponse:
    headers = {"If-Match": '"2"'}
    return put_destinations(
        tenant_gateway, tenant_gateway.tenant.workspace_id, {"CA": "allowed"}, **headers
    )


def allow_a_denied_country(tenant_gateway: TenantGateway) -> TestResponse:
    denied = tenant_gateway.factory.organization(f"Strict {new_id()}", denied=("KP",))
    tenant = tenant_gateway.factory.tenant(denied)
    return tenant_gateway.gateway.client.put(
        destinations(tenant.workspace_id),
        json={"destinations": {"KP": "allowed", "us": "allowed", "CA": "maybe"}},
        headers={"Authorization": f"AccessKey {tenant.keys[Role.ADMIN]}"},
    )


def path(path: str, role: Role = Role.VIEWER) -> Callable[[TenantGateway], TestResponse]:
    return lambda tenant_gateway: tenant_gateway.get(path, role)


def raw(
    body: bytes, content_type: str = "application/json"
) -> Callable[[TenantGateway], TestResponse]:
    return lambda tenant_gateway: tenant_gateway.post_raw(body, content_type)


def to(number: str) -> Callable[[TenantGateway], TestResponse]:
    return lambda tenant_gateway: tenant_gateway.send(to=number)


def twilio(*script: Any) -> Callable[[TenantGateway], TestResponse]:
    return lambda tenant_gateway: tenant_gateway.answered(*script)


def by_policy(country: str | None, rule: str, scope: str) -> dict[str, Any]:
    return {
        "source": "policy",
        "country": country,
        "rule": rule,
        "scope": scope,
        "revision": 1,
        "retryable": False,
    }


BY_TWILIO = {
    "source": "provider",
    "country": "US",
    "rule": "provider",
    "scope": "provider",
    "revision": 1,
    "provider_code": 21408,
    "retryable": False,
}
NOT_REAL = {"reason": "not_a_real_number"}
LANDLINE = {"reason": "cannot_receive_sms", "kind": "fixed_line", "country": "GB"}
PREMIUM = {"reason": "cannot_receive_sms", "kind": "premium_rate", "country": "US"}


def beyond_a_guard(tenant_gateway: TenantGateway) -> TestResponse:
    path = f"/v1/workspaces/{tenant_gateway.tenant.workspace_id}/guards"
    headers = {"Authorization": f"AccessKey {tenant_gateway.tenant.keys[Role.ADMIN]}"}
    body = {"guards": {"number": {"hour": 1}}}
    assert tenant_gateway.gateway.client.put(path, json=body, headers=headers).status_code == 200
    assert tenant_gateway.send().status_code == 201
    return tenant_gateway.send()
