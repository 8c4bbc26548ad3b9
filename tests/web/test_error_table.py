"""Every row of the public error table, provoked through HTTP: its code, its status, its shape."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import ANY
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from app.access.roles import Role
from app.access.tables import access_keys, workspaces
from app.access.tokens import hash_token, mint_token
from app.db.engine import Database
from app.db.vault import Vault
from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.messages.submit import InFlight
from app.providers.twilio.transport import NotConfirmed, NotConnected, Throttled
from app.use_cases.tables import use_cases
from app.web.errors import HTTP_STATUS
from support.fake_twilio import Call, accepted, refused
from support.rewire import another_client, rewire
from support.tables import add_opt_out_row, add_sender
from support.time import FakePace
from support.world import BR_NUMBER, US_NUMBER, Gateway, Tenant, World, open_gateway

BLOCKED_MESSAGE = "The destination is blocked and cannot receive messages."


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


@pytest.fixture
def scene(module_database: Database, vault: Vault, tmp_path: Path) -> Scene:
    """A gateway and an organization of this test's own, in a database that the module shares."""
    world = World(module_database, vault)
    tenant = world.tenant(world.organization(f"Acme {new_id()}"))
    return Scene(open_gateway(module_database, vault, tmp_path), world, tenant)


@dataclass(frozen=True)
class Row:
    """One way to meet a code, and what its answer holds beside the code."""

    status: int
    code: str
    when: str
    provoke: Callable[[Scene], TestResponse]
    details: dict[str, Any] | None = None
    retry_after: str | None = None


def _expire(scene: Scene) -> TestResponse:
    scene.world.set(
        access_keys, scene.key_id(Role.VIEWER), expires_at=utc_now() - timedelta(seconds=1)
    )
    return scene.get("/v1/sms")


def _revoke(scene: Scene) -> TestResponse:
    assert scene.get("/v1/sms").status_code == 200
    scene.world.set(access_keys, scene.key_id(Role.VIEWER), revoked_at=utc_now())
    return scene.get("/v1/sms")


def _freeze(scene: Scene) -> TestResponse:
    scene.world.set(workspaces, scene.tenant.workspace_id, frozen_at=utc_now())
    return scene.send()


def _of_another_tenant(scene: Scene) -> TestResponse:
    other = scene.world.tenant(scene.tenant.organization_id, "Wholesale")
    sent = scene.gateway.send(other)
    return scene.get(f"/v1/sms/{sent.get_json()['id']}")


def _delete_use_case(scene: Scene) -> TestResponse:
    scene.world.set(use_cases, scene.tenant.use_case_id, deleted_at=utc_now())
    return scene.send()


def _absent_use_case(scene: Scene) -> TestResponse:
    body = {"use_case_id": str(new_id()), "to_phone_number": US_NUMBER, "message": "hello"}
    return scene.gateway.post("/v1/sms", body, key=scene.tenant.keys[Role.SENDER])


def _while_the_first_still_runs(scene: Scene) -> TestResponse:
    met = []
    inner = another_client(scene.gateway)

    def answer(_: Call) -> Any:
        met.append(inner.send(scene.tenant, Idempotency_Key="order 1"))
        return accepted()

    scene.gateway.twilio.script.append(answer)
    assert scene.send(Idempotency_Key="order 1").status_code == 201
    return met[0]


def _reuse_key(scene: Scene) -> TestResponse:
    assert scene.send(Idempotency_Key="order 1").status_code == 201
    return scene.send(Idempotency_Key="order 1", message="another text")


def _unverified_campaign(scene: Scene) -> TestResponse:
    return scene.with_use_case(campaign_status="FAILED")


def _opted_out(scene: Scene) -> TestResponse:
    add_opt_out_row(scene.world, scene.tenant.workspace_id, US_NUMBER)
    return scene.send()


def _all_turns_taken(scene: Scene) -> TestResponse:
    in_flight = InFlight(1, wait_seconds=0)
    rewire(scene.gateway, in_flight=in_flight)
    with in_flight.turn():
        return scene.send()


def _defect(scene: Scene) -> TestResponse:
    def fail(**_: Any) -> None:
        raise RuntimeError("a defect")

    app = scene.gateway.client.application
    app.view_functions = dict.fromkeys(app.view_functions, fail)
    return scene.get("/v1/sms")


def _no_account(scene: Scene) -> TestResponse:
    scene.world.set(workspaces, scene.tenant.workspace_id, account_sid=None)
    return scene.send()


def _destinations(workspace_id: UUID, capability: str = "sms") -> str:
    return f"/workspaces/{workspace_id}/destination-management/capability/{capability}"


def _put_destinations(
    scene: Scene, workspace_id: UUID, wanted: dict[str, str], **headers: str
) -> TestResponse:
    return scene.gateway.client.put(
        _destinations(workspace_id),
        json={"destinations": wanted},
        headers={"Authorization": f"AccessKey {scene.organization_key}"} | headers,
    )


def _change_what_is_inherited(scene: Scene) -> TestResponse:
    child = scene.world.tenant(
        scene.tenant.organization_id,
        "Branch",
        parent_id=scene.tenant.workspace_id,
        inherits=True,
    )
    return _put_destinations(scene, child.workspace_id, {"US": "allowed"})


def _change_another_revision(scene: Scene) -> TestResponse:
    headers = {"If-Match": '"2"'}
    return _put_destinations(scene, scene.tenant.workspace_id, {"CA": "allowed"}, **headers)


def _allow_what_the_floor_denies(scene: Scene) -> TestResponse:
    denied = scene.world.organization(f"Strict {new_id()}", denied=("KP",))
    tenant = scene.world.tenant(denied)
    return scene.gateway.client.put(
        _destinations(tenant.workspace_id),
        json={"destinations": {"KP": "allowed", "us": "allowed", "CA": "maybe"}},
        headers={"Authorization": f"AccessKey {tenant.keys[Role.ADMIN]}"},
    )


def _path(path: str, role: Role = Role.VIEWER) -> Callable[[Scene], TestResponse]:
    return lambda scene: scene.get(path, role)


def _raw(body: bytes, content_type: str = "application/json") -> Callable[[Scene], TestResponse]:
    return lambda scene: scene.post_raw(body, content_type)


def _to(number: str) -> Callable[[Scene], TestResponse]:
    return lambda scene: scene.send(to=number)


def _twilio(*script: Any) -> Callable[[Scene], TestResponse]:
    return lambda scene: scene.answered(*script)


def _by_policy(country: str | None, rule: str, scope: str) -> dict[str, Any]:
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

ROWS = [
    Row(400, "BadRequest", "not JSON", _raw(b"{")),
    Row(400, "BadRequest", "a key twice", _raw(b'{"message": "a", "message": "b"}')),
    Row(400, "BadRequest", "malformed id in the path", _path("/v1/sms/17")),
    Row(
        400,
        "BadRequest",
        "malformed Idempotency-Key",
        lambda scene: scene.send(Idempotency_Key="x" * 256),
    ),
    Row(
        400,
        "BadRequest",
        "unknown capability",
        lambda scene: scene.get(_destinations(scene.tenant.workspace_id, "voice")),
    ),
    Row(401, "Unauthorized", "no key", lambda scene: scene.gateway.get("/v1/sms")),
    Row(401, "Unauthorized", "unknown key", lambda scene: scene.with_key(mint_token())),
    Row(401, "Unauthorized", "damaged key", lambda scene: scene.with_key(mint_token()[:-1])),
    Row(401, "Unauthorized", "expired key", _expire),
    Row(401, "Unauthorized", "revoked key", _revoke),
    Row(403, "Forbidden", "the role may not", lambda scene: scene.send(role=Role.VIEWER)),
    Row(403, "WorkspaceSuspended", "frozen", _freeze),
    Row(404, "NotFound", "no such path", _path("/v1/nothing")),
    Row(404, "NotFound", "absent object", _path(f"/v1/sms/{new_id()}")),
    Row(404, "NotFound", "another tenant's object", _of_another_tenant),
    Row(404, "UseCaseNotFound", "absent use case", _absent_use_case),
    Row(404, "UseCaseNotFound", "deleted use case", _delete_use_case),
    Row(
        405,
        "MethodNotAllowed",
        "no such method",
        lambda scene: scene.gateway.client.put("/v1/sms"),
    ),
    Row(
        409,
        "IdempotencyConflict",
        "the first request still runs",
        _while_the_first_still_runs,
        retry_after="1",
    ),
    Row(
        409,
        "DestinationsInherited",
        "the policy is the parent's",
        _change_what_is_inherited,
        {"owner_workspace_id": ANY},
    ),
    Row(
        412,
        "RevisionMismatch",
        "If-Match is not the current one",
        _change_another_revision,
        {"revision": 1},
    ),
    Row(413, "PayloadTooLarge", "64 KiB and a byte", _raw(b" " * (64 * 1024 + 1))),
    Row(415, "UnsupportedMediaType", "not JSON", _raw(b"{}", "text/plain")),
    Row(
        422,
        "ValidationFailed",
        "fields missing, unknown and mistyped",
        _raw(b'{"message": 1, "color": "red", "to_phone_number": "12025550123"}'),
        {
            "$.use_case_id": ["Missing data for required field."],
            "$.color": ["Unknown field."],
            "$.message": ["Not a valid string."],
            "$.to_phone_number": ["Must be in E.164 form, for example +12025550123."],
        },
    ),
    Row(
        422,
        "ValidationFailed",
        "too long",
        lambda scene: scene.send(message="x" * 1601),
        {"$.message": ["Length must be between 1 and 1600."]},
    ),
    Row(
        422,
        "ValidationFailed",
        "a destination on the organization's floor",
        _allow_what_the_floor_denies,
        {
            "$.destinations.CA": [ANY],
            "$.destinations.KP": [ANY],
            "$.destinations.us": [ANY],
        },
    ),
    Row(422, "UseCaseInactive", "switched off", lambda s: s.with_use_case(active=False)),
    Row(422, "NoSenderNumber", "empty pool", lambda scene: scene.with_use_case(sender=None)),
    Row(422, "NoSenderNumber", "21703", _twilio(refused(21703)), {"provider_code": 21703}),
    Row(422, "NoSenderNumber", "21704", _twilio(refused(21704)), {"provider_code": 21704}),
    Row(422, "CampaignNotVerified", "US long code without", _unverified_campaign),
    Row(
        422,
        "BrandSuspended",
        "brand suspended",
        lambda scene: scene.with_use_case(brand_status="SUSPENDED"),
    ),
    Row(422, "InvalidDestination", "not a real number", _to("+12025550"), NOT_REAL),
    Row(422, "InvalidDestination", "landline", _to("+442071234567"), LANDLINE),
    Row(422, "InvalidDestination", "premium", _to("+19002345678"), PREMIUM),
    *(
        Row(
            422,
            "InvalidDestination",
            str(code),
            _twilio(refused(code)),
            {"provider_code": code},
        )
        for code in (21211, 21265, 21268, 21614, 21635)
    ),
    Row(
        422,
        "DestinationBlocked",
        "country not allowed",
        _to(BR_NUMBER),
        _by_policy("BR", "country", "workspace"),
    ),
    Row(
        422,
        "DestinationBlocked",
        "no country",
        _to("+881612345678"),
        _by_policy(None, "no_country", "workspace"),
    ),
    Row(422, "DestinationBlocked", "21408", _twilio(refused(21408)), BY_TWILIO),
    Row(422, "RecipientOptedOut", "on our list", _opted_out),
    Row(422, "RecipientOptedOut", "21610", _twilio(refused(21610)), {"provider_code": 21610}),
    *(
        Row(422, "MessageRejected", str(code), _twilio(refused(code)), {"provider_code": code})
        for code in (21612, 21617, 99999)
    ),
    Row(422, "IdempotencyKeyReused", "same key, other body", _reuse_key),
    Row(429, "RateLimited", "too many sends in flight", _all_turns_taken, retry_after="1"),
    Row(500, "InternalError", "a defect of ours", _defect),
    *(
        Row(
            502,
            "ProviderMisconfigured",
            str(code),
            _twilio(refused(code, status)),
            {"provider_code": code},
        )
        for code, status in ((20003, 401), (21705, 400))
    ),
    Row(502, "ProviderMisconfigured", "no account", _no_account),
    Row(
        503,
        "ProviderUnavailable",
        "could not connect",
        _twilio(*[NotConnected()] * 20),
        retry_after="5",
    ),
    Row(
        503,
        "ProviderUnavailable",
        "429 with its Retry-After",
        _twilio(*[Throttled(7.2)] * 20),
        retry_after="8",
    ),
]
# Codes that another test below provokes.
ELSEWHERE = {"ServiceUnavailable", "SubmissionUnconfirmed"}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.code}-{row.when}" for row in ROWS])
def test_row_of_the_error_table(scene: Scene, row: Row) -> None:
    add_sender(scene.world, scene.tenant.use_case_id, "+12025550101", "long_code", "US")
    answer = row.provoke(scene)
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (row.status, row.code)
    assert body["message"]
    assert body.keys() <= {"code", "message", "details"}
    assert body.get("details") == row.details
    assert answer.headers.get("Retry-After") == row.retry_after
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Request-Id"]
    if row.code == "DestinationBlocked":
        assert body["message"] == BLOCKED_MESSAGE
    if row.status == 401:
        assert answer.headers["WWW-Authenticate"] == "AccessKey"


def test_the_21610_of_twilio_adds_to_the_list(scene: Scene) -> None:
    scene.answered(refused(21610))
    assert scene.send().get_json() == {
        "code": "RecipientOptedOut",
        "message": "The recipient has opted out of receiving messages.",
    }
    assert len(scene.gateway.twilio.calls) == 1


def test_an_unconfirmed_send_answers_504_with_the_id_of_the_message(scene: Scene) -> None:
    answer = scene.answered(NotConfirmed())
    assert (answer.status_code, answer.get_json()["code"]) == (504, "SubmissionUnconfirmed")
    message_id = answer.get_json()["details"]["id"]
    found = scene.get(f"/v1/sms/{message_id}").get_json()
    assert (found["status"], found["message_sid"]) == ("pending", None)


def test_a_database_that_is_gone_answers_503(
    engine_name: str, vault: Vault, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere"
    url = {
        "sqlite": f"sqlite:///{nowhere}/borderpost.db",
        "postgresql": f"postgresql+psycopg://postgres@/borderpost?host={nowhere}",
    }[engine_name]
    database = Database(url)
    gateway = open_gateway(database, vault, tmp_path)
    try:
        for path in ("/v1/sms", f"/v1/sms/{new_id()}", "/v1/use-cases", "/v1/opt-outs"):
            answer = gateway.get(path, key=mint_token())
            assert answer.status_code == 503, path
            assert answer.get_json()["code"] == "ServiceUnavailable"
            assert answer.headers["Retry-After"] == "2"
        sent = gateway.post("/v1/sms", {}, key=mint_token())
        assert sent.get_json()["code"] == "ServiceUnavailable"
    finally:
        database.close()


def test_every_code_of_the_table_is_provoked_here() -> None:
    provoked = {(row.code, row.status) for row in ROWS}
    declared = {(error.__name__, status) for error, status in HTTP_STATUS.items()}
    missing = {code for code, _ in declared - provoked}
    assert missing == ELSEWHERE
    assert provoked <= declared
