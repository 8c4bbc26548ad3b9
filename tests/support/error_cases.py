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
            for row in self.factory.rows(access_keys, token_hash=hash_token(self.tenant.keys[role]))
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


def expire(it: TenantGateway) -> TestResponse:
    it.factory.set(access_keys, it.key_id(Role.VIEWER), expires_at=utc_now() - timedelta(seconds=1))
    return it.get("/v1/sms")


def revoke(it: TenantGateway) -> TestResponse:
    assert it.get("/v1/sms").status_code == 200
    it.factory.set(access_keys, it.key_id(Role.VIEWER), revoked_at=utc_now())
    return it.get("/v1/sms")


def suspend(it: TenantGateway) -> TestResponse:
    it.factory.set(workspaces, it.tenant.workspace_id, suspended_at=utc_now())
    return it.send()


def of_another_tenant(it: TenantGateway) -> TestResponse:
    other = it.factory.tenant(it.tenant.organization_id, "Wholesale")
    sent = it.gateway.send(other)
    return it.get(f"/v1/sms/{sent.get_json()['id']}")


def delete_use_case(it: TenantGateway) -> TestResponse:
    it.factory.set(use_cases, it.tenant.use_case_id, deleted_at=utc_now())
    return it.send()


def absent_use_case(it: TenantGateway) -> TestResponse:
    body = {"use_case_id": str(new_id()), "to_phone_number": US_NUMBER, "message": "hello"}
    return it.gateway.post("/v1/sms", body, key=it.tenant.keys[Role.SENDER])


def while_the_first_still_runs(it: TenantGateway) -> TestResponse:
    met = []
    inner = another_client(it.gateway)

    def answer(_: Call) -> Any:
        met.append(inner.send(it.tenant, Idempotency_Key="order 1"))
        return accepted()

    it.gateway.twilio.script.append(answer)
    assert it.send(Idempotency_Key="order 1").status_code == 201
    return met[0]


def reuse_key(it: TenantGateway) -> TestResponse:
    assert it.send(Idempotency_Key="order 1").status_code == 201
    return it.send(Idempotency_Key="order 1", message="another text")


def unverified_campaign(it: TenantGateway) -> TestResponse:
    return it.with_use_case(campaign_status="FAILED")


def opted_out(it: TenantGateway) -> TestResponse:
    add_opt_out_row(it.factory, it.tenant.workspace_id, US_NUMBER)
    return it.send()


def all_turns_taken(it: TenantGateway) -> TestResponse:
    in_flight = InFlight(1)
    replace_services(it.gateway, in_flight=in_flight)
    with in_flight.place(it.tenant.workspace_id):
        return it.send()


def defect(it: TenantGateway) -> TestResponse:
    def fail(**_: Any) -> None:
        raise RuntimeError("a defect")

    app = it.gateway.client.application
    app.view_functions = dict.fromkeys(app.view_functions, fail)
    return it.get("/v1/sms")


def no_account(it: TenantGateway) -> TestResponse:
    it.factory.set(workspaces, it.tenant.workspace_id, account_sid=None)
    return it.send()


def destinations(workspace_id: UUID, capability: str = "sms") -> str:
    return f"/workspaces/{workspace_id}/destination-management/capability/{capability}"


def put_destinations(
    it: TenantGateway, workspace_id: UUID, wanted: dict[str, str], **headers: str
) -> TestResponse:
    return it.gateway.client.put(
        destinations(workspace_id),
        json={"destinations": wanted},
        headers={"Authorization": f"AccessKey {it.organization_key}"} | headers,
    )


def change_what_is_inherited(it: TenantGateway) -> TestResponse:
    child = it.factory.tenant(
        it.tenant.organization_id,
        "Branch",
        parent_id=it.tenant.workspace_id,
        inherits=True,
    )
    return put_destinations(it, child.workspace_id, {"US": "allowed"})


def change_another_revision(it: TenantGateway) -> TestResponse:
    headers = {"If-Match": '"2"'}
    return put_destinations(it, it.tenant.workspace_id, {"CA": "allowed"}, **headers)


def allow_a_denied_country(it: TenantGateway) -> TestResponse:
    denied = it.factory.organization(f"Strict {new_id()}", denied=("KP",))
    tenant = it.factory.tenant(denied)
    return it.gateway.client.put(
        destinations(tenant.workspace_id),
        json={"destinations": {"KP": "allowed", "us": "allowed", "CA": "maybe"}},
        headers={"Authorization": f"AccessKey {tenant.keys[Role.ADMIN]}"},
    )


def path(path: str, role: Role = Role.VIEWER) -> Callable[[TenantGateway], TestResponse]:
    return lambda it: it.get(path, role)


def raw(
    body: bytes, content_type: str = "application/json"
) -> Callable[[TenantGateway], TestResponse]:
    return lambda it: it.post_raw(body, content_type)


def to(number: str) -> Callable[[TenantGateway], TestResponse]:
    return lambda it: it.send(to=number)


def twilio(*script: Any) -> Callable[[TenantGateway], TestResponse]:
    return lambda it: it.answered(*script)


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


def beyond_a_guard(it: TenantGateway) -> TestResponse:
    path = f"/v1/workspaces/{it.tenant.workspace_id}/guards"
    headers = {"Authorization": f"AccessKey {it.tenant.keys[Role.ADMIN]}"}
    body = {"guards": {"number": {"hour": 1}}}
    assert it.gateway.client.put(path, json=body, headers=headers).status_code == 200
    assert it.send().status_code == 201
    return it.send()
