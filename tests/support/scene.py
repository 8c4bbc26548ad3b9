"""Ways to meet each public error, through HTTP, in a scene with one tenant."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from werkzeug.test import TestResponse

from app.access.roles import Role
from app.access.tables import access_keys, workspaces
from app.access.tokens import hash_token
from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.messages.submit import InFlight
from app.use_cases.tables import use_cases
from support.fake_twilio import Call, accepted
from support.rewire import another_client, rewire
from support.tables import add_opt_out_row
from support.time import FakePace
from support.world import US_NUMBER, Gateway, Tenant, World


@dataclass
class Scene:
    """A gateway with one tenant, and room for what a row needs."""

    gateway: Gateway
    world: World
    tenant: Tenant

    def key_id(self, role: Role) -> UUID:
        found: UUID = next(
            row["id"]
            for row in self.world.rows(access_keys)
            if row["token_hash"] == hash_token(self.tenant.keys[role])
        )
        return found

    @property
    def organization_key(self) -> str:
        return self.world.keys(self.tenant.organization_id, None)[Role.OWNER]

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
        use_case_id = self.world.use_case(self.tenant.workspace_id, **values)
        body = {"use_case_id": str(use_case_id), "to_phone_number": US_NUMBER, "message": "hello"}
        return self.gateway.post("/v1/sms", body, key=self.tenant.keys[Role.SENDER])

    def answered(self, *script: Any) -> TestResponse:
        """Send while Twilio answers with this script; retries take no time."""
        rewire(self.gateway, pace=FakePace().pace())
        self.gateway.twilio.script.extend(script)
        return self.send()


@dataclass(frozen=True)
class Row:
    """One way to meet a code, and what its answer holds beside the code."""

    status: int
    code: str
    when: str
    provoke: Callable[[Scene], TestResponse]
    details: dict[str, Any] | None = None
    retry_after: str | None = None


def expire(scene: Scene) -> TestResponse:
    scene.world.set(
        access_keys, scene.key_id(Role.VIEWER), expires_at=utc_now() - timedelta(seconds=1)
    )
    return scene.get("/v1/sms")


def revoke(scene: Scene) -> TestResponse:
    assert scene.get("/v1/sms").status_code == 200
    scene.world.set(access_keys, scene.key_id(Role.VIEWER), revoked_at=utc_now())
    return scene.get("/v1/sms")


def freeze(scene: Scene) -> TestResponse:
    scene.world.set(workspaces, scene.tenant.workspace_id, frozen_at=utc_now())
    return scene.send()


def of_another_tenant(scene: Scene) -> TestResponse:
    other = scene.world.tenant(scene.tenant.organization_id, "Wholesale")
    sent = scene.gateway.send(other)
    return scene.get(f"/v1/sms/{sent.get_json()['id']}")


def delete_use_case(scene: Scene) -> TestResponse:
    scene.world.set(use_cases, scene.tenant.use_case_id, deleted_at=utc_now())
    return scene.send()


def absent_use_case(scene: Scene) -> TestResponse:
    body = {"use_case_id": str(new_id()), "to_phone_number": US_NUMBER, "message": "hello"}
    return scene.gateway.post("/v1/sms", body, key=scene.tenant.keys[Role.SENDER])


def while_the_first_still_runs(scene: Scene) -> TestResponse:
    met = []
    inner = another_client(scene.gateway)

    def answer(_: Call) -> Any:
        met.append(inner.send(scene.tenant, Idempotency_Key="order 1"))
        return accepted()

    scene.gateway.twilio.script.append(answer)
    assert scene.send(Idempotency_Key="order 1").status_code == 201
    return met[0]


def reuse_key(scene: Scene) -> TestResponse:
    assert scene.send(Idempotency_Key="order 1").status_code == 201
    return scene.send(Idempotency_Key="order 1", message="another text")


def unverified_campaign(scene: Scene) -> TestResponse:
    return scene.with_use_case(campaign_status="FAILED")


def opted_out(scene: Scene) -> TestResponse:
    add_opt_out_row(scene.world, scene.tenant.workspace_id, US_NUMBER)
    return scene.send()


def all_turns_taken(scene: Scene) -> TestResponse:
    in_flight = InFlight(1)
    rewire(scene.gateway, in_flight=in_flight)
    with in_flight.place(scene.tenant.workspace_id):
        return scene.send()


def defect(scene: Scene) -> TestResponse:
    def fail(**_: Any) -> None:
        raise RuntimeError("a defect")

    app = scene.gateway.client.application
    app.view_functions = dict.fromkeys(app.view_functions, fail)
    return scene.get("/v1/sms")


def no_account(scene: Scene) -> TestResponse:
    scene.world.set(workspaces, scene.tenant.workspace_id, account_sid=None)
    return scene.send()


def destinations(workspace_id: UUID, capability: str = "sms") -> str:
    return f"/workspaces/{workspace_id}/destination-management/capability/{capability}"


def put_destinations(
    scene: Scene, workspace_id: UUID, wanted: dict[str, str], **headers: str
) -> TestResponse:
    return scene.gateway.client.put(
        destinations(workspace_id),
        json={"destinations": wanted},
        headers={"Authorization": f"AccessKey {scene.organization_key}"} | headers,
    )


def change_what_is_inherited(scene: Scene) -> TestResponse:
    child = scene.world.tenant(
        scene.tenant.organization_id,
        "Branch",
        parent_id=scene.tenant.workspace_id,
        inherits=True,
    )
    return put_destinations(scene, child.workspace_id, {"US": "allowed"})


def change_another_revision(scene: Scene) -> TestResponse:
    headers = {"If-Match": '"2"'}
    return put_destinations(scene, scene.tenant.workspace_id, {"CA": "allowed"}, **headers)


def allow_what_the_floor_denies(scene: Scene) -> TestResponse:
    denied = scene.world.organization(f"Strict {new_id()}", denied=("KP",))
    tenant = scene.world.tenant(denied)
    return scene.gateway.client.put(
        destinations(tenant.workspace_id),
        json={"destinations": {"KP": "allowed", "us": "allowed", "CA": "maybe"}},
        headers={"Authorization": f"AccessKey {tenant.keys[Role.ADMIN]}"},
    )


def path(path: str, role: Role = Role.VIEWER) -> Callable[[Scene], TestResponse]:
    return lambda scene: scene.get(path, role)


def raw(body: bytes, content_type: str = "application/json") -> Callable[[Scene], TestResponse]:
    return lambda scene: scene.post_raw(body, content_type)


def to(number: str) -> Callable[[Scene], TestResponse]:
    return lambda scene: scene.send(to=number)


def twilio(*script: Any) -> Callable[[Scene], TestResponse]:
    return lambda scene: scene.answered(*script)


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


def beyond_a_guard(scene: Scene) -> TestResponse:
    path = f"/v1/workspaces/{scene.tenant.workspace_id}/guards"
    headers = {"Authorization": f"AccessKey {scene.tenant.keys[Role.ADMIN]}"}
    body = {"guards": {"number": {"hour": 1}}}
    assert scene.gateway.client.put(path, json=body, headers=headers).status_code == 200
    assert scene.send().status_code == 201
    return scene.send()
