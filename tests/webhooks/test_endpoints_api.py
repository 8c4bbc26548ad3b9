"""Managing endpoints through HTTP: what is taken, what is shown, and what the audit keeps."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from app.access.principal import Role
from app.access.store import lock_organization
from app.access.tables import audit_events
from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.clock import rfc3339
from app.webhooks.endpoints import MAX_ENDPOINTS, secret_owner
from app.webhooks.outbox import EventType
from app.webhooks.sender import DeliveryState, Reply
from app.webhooks.tables import webhook_attempts, webhook_endpoints
from support.factories import Factory, Gateway, Tenant, open_gateway
from support.polling import eventually
from support.time import ManualClock
from support.webhooks import HOOK, Hooks

pytestmark = pytest.mark.one_engine

PATH = "/v1/webhook-endpoints"


class Api:
    """The gateway, asked with keys of one tenant, over the same clock as the worker."""

    def __init__(self, gateway: Gateway, hooks: Hooks, tenant: Tenant) -> None:
        self.gateway, self.hooks, self.tenant = gateway, hooks, tenant

    def ask(
        self, method: str, path: str = "", body: Any = None, *, key: str | None = None
    ) -> TestResponse:
        headers = {"Authorization": f"AccessKey {key or self.tenant.keys[Role.ADMIN]}"}
        url = path if path.startswith("/") else PATH + ("/" + path if path else "")
        return self.gateway.client.open(url, method=method, json=body, headers=headers)

    def create(self, **given: Any) -> Any:
        body = {"url": HOOK, "events": ["sms.delivered", "sms.failed"]} | given
        answer = self.ask("POST", body=body)
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    def problems(self, method: str, path: str, body: Any) -> Any:
        answer = self.ask(method, path, body)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "ValidationFailed")
        return answer.get_json()["details"]

    def row(self, endpoint: Any) -> dict[str, Any]:
        return self.hooks.endpoint_row(UUID(endpoint["id"]))

    def actions(self) -> list[tuple[str, str, str | None]]:
        """What the audit has of webhooks, oldest first: action, target, reason."""
        trail = self.hooks.factory.audit_trail("action", "target", "reason")
        return [one for one in trail if one[0].startswith("webhook_")]


@pytest.fixture
def api(database: Database, cipher: Cipher, tmp_path: Path) -> Api:
    """On each engine."""
    clock = ManualClock()
    hooks = Hooks(Factory(database, cipher), clock)
    gateway = open_gateway(database, cipher, tmp_path, clock=clock.clock())
    return Api(gateway, hooks, hooks.factory.tenant(hooks.factory.organization()))


def test_a_new_endpoint_is_active_and_shows_its_secret_once(api: Api) -> None:
    made = api.create(events=["sms.failed", "sms.delivered", "sms.failed"])
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    now = rfc3339(api.hooks.clock.at)
    assert made == {
        "id": made["id"],
        "workspace_id": str(api.tenant.workspace_id),
        "url": HOOK,
        "events": ["sms.delivered", "sms.failed"],
        "active": True,
        "disabled_at": None,
        "disabled_reason": None,
        "failing_since": None,
        "previous_secret_until": None,
        "created_at": now,
        "updated_at": now,
    }
    assert api.ask("GET", made["id"]).get_json() == made
    assert api.ask("GET").get_json() == {"items": [made], "next_page_token": None}
    assert api.actions() == [("webhook_endpoint.created", made["id"], None)]


def test_stored_secret_is_encrypted_for_its_row(api: Api) -> None:
    made = api.create()
    stored = api.row(made)["secret"]
    assert made["secret"] not in stored
    owner = secret_owner(UUID(made["id"]))
    assert api.hooks.factory.cipher.decrypt(owner, stored) == made["secret"]


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"$.url": ["Missing data for required field."], "$.events": ["Missing data for required field."]}),
        (
            {"url": "ftp://x", "events": ["sms.read"], "secret": "mine"},
            {
                "$.url": ["Must be an https URL with a host."],
                "$.events[0]": [f"Must be one of: {', '.join(EventType)}."],
                "$.secret": ["Unknown field."],
            },
        ),
        ({"url": HOOK, "events": []}, {"$.events": ["Length must be between 1 and 100."]}),
        ({"url": HOOK, "events": "sms.sent"}, {"$.events": ["Not a valid list."]}),
        ({"url": "http://example.com/", "events": ["sms.sent"]}, {"$.url": ["Must be an https URL."]}),
        ({"url": "http://127.0.0.1:9/", "events": ["sms.sent"]}, {"$.url": ["Must be an https URL."]}),
        ({"url": "https://10.0.0.1/", "events": ["sms.sent"]}, {"$.url": ["Must not name a private, local or reserved address."]}),
        ({"url": "https://u:p@x.example/", "events": ["sms.sent"]}, {"$.url": ["Must hold no user, password or fragment."]}),
        ({"url": "https://x.example/" + "a" * 2000, "events": ["sms.sent"]}, {"$.url": ["Must be a URL of 1 to 2000 ASCII characters without spaces."]}),
        ({"url": 5, "events": ["sms.sent"]}, {"$.url": ["Not a valid string."]}),
    ],
)  # fmt: skip
def test_all_problems_are_reported_together(api: Api, body: Any, problems: Any) -> None:
    assert api.problems("POST", "", body) == problems
    assert api.hooks.factory.rows(webhook_endpoints) == []
    assert api.actions() == []


def test_loopback_may_be_an_endpoint_with_the_setting(
    api: Api, database: Database, cipher: Cipher, tmp_path: Path
) -> None:
    gateway = open_gateway(database, cipher, tmp_path, webhook_allow_loopback=True)
    allowing = Api(gateway, api.hooks, api.tenant)
    assert allowing.create(url="http://127.0.0.1:9000/hook")["active"]
    body = {"url": "http://example.com/", "events": ["sms.sent"]}
    assert allowing.problems("POST", "", body) == {"$.url": ["Must be an https URL."]}


def test_a_key_of_the_organization_names_the_workspace(api: Api) -> None:
    key = api.hooks.factory.keys(api.tenant.organization_id, None)[Role.ADMIN]
    body = {"url": HOOK, "events": ["sms.sent"]}
    refused = api.ask("POST", body=body, key=key)
    assert refused.get_json()["details"].keys() == {"$.workspace_id"}
    named = body | {"workspace_id": str(api.tenant.workspace_id)}
    made = api.ask("POST", body=named, key=key)
    assert (made.status_code, made.get_json()["workspace_id"]) == (201, named["workspace_id"])


def test_a_workspace_has_a_bounded_number_of_endpoints(api: Api) -> None:
    for _ in range(MAX_ENDPOINTS):
        api.hooks.endpoint(api.tenant.workspace_id)
    assert api.problems("POST", "", {"url": HOOK, "events": ["sms.sent"]}) == {
        "$": [f"A workspace has at most {MAX_ENDPOINTS} endpoints."]
    }


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_endpoints_made_at_once_stay_within_the_bound(api: Api) -> None:
    """Break: count without `lock_organization`."""
    for _ in range(MAX_ENDPOINTS - 1):
        api.hooks.endpoint(api.tenant.workspace_id)
    database, body = api.hooks.factory.database, {"url": HOOK, "events": ["sms.sent"]}
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(1) as pool:
        with database.writing() as connection:
            lock_organization(connection, api.tenant.organization_id)
            answer = pool.submit(api.ask, "POST", body=body)
            eventually(
                lambda: answer.done() or connection.exec_driver_sql(waiting).scalar_one() > 0
            )
            api.hooks.endpoint(api.tenant.workspace_id)
        assert answer.result().status_code == 422


def test_the_list_can_be_of_inactive_ones(api: Api) -> None:
    made = [api.create()["id"] for _ in range(2)]
    api.ask("PATCH", made[0], {"active": False})
    inactive = api.ask("GET", f"{PATH}?active=false").get_json()["items"]
    assert [item["id"] for item in inactive] == [made[0]]


def test_a_change_affects_only_named_fields(api: Api) -> None:
    made = api.create()
    api.hooks.clock.advance(60)
    changed = api.ask("PATCH", made["id"], {"url": "https://new.example.com/"}).get_json()
    assert changed["url"] == "https://new.example.com/"
    assert changed["events"] == made["events"]
    assert changed["updated_at"] == rfc3339(api.hooks.clock.at)
    assert "secret" not in changed
    both = {"url": HOOK, "events": ["sms.sent"]}
    assert api.ask("PATCH", made["id"], both).get_json().items() >= both.items()
    assert [(action[0], action[2]) for action in api.actions()[1:]] == [
        ("webhook_endpoint.changed", "url"),
        ("webhook_endpoint.changed", "events, url"),
    ]


@pytest.mark.parametrize(
    "body", [{}, {"active": True}, {"url": HOOK}, {"events": ["sms.failed", "sms.delivered"]}]
)
def test_equal_values_change_nothing(api: Api, body: Any) -> None:
    made = api.create()
    api.hooks.clock.advance(60)
    answer = api.ask("PATCH", made["id"], body)
    assert answer.status_code == 200
    assert answer.get_json()["updated_at"] == made["updated_at"]
    assert len(api.actions()) == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"url": None}, "$.url"),
        ({"url": "http://example.com/"}, "$.url"),
        ({"events": []}, "$.events"),
        ({"active": "yes"}, "$.active"),
        ({"active": None}, "$.active"),
        ({"secret": "whsec_mine"}, "$.secret"),
        ({"workspace_id": "x"}, "$.workspace_id"),
        ([], "$"),
    ],
)
def test_a_wrong_change_is_refused_by_name(api: Api, body: Any, path: str) -> None:
    made = api.create()
    assert api.problems("PATCH", made["id"], body).keys() == {path}


def test_a_disabled_endpoint_stops_waiting_deliveries_and_can_be_enabled_again(api: Api) -> None:
    made = api.create()
    api.hooks.event(api.tenant.workspace_id)
    api.hooks.sender.script = [Reply(500)]
    api.hooks.drain()
    assert api.ask("GET", made["id"]).get_json()["failing_since"] is not None
    off = api.ask("PATCH", made["id"], {"active": False}).get_json()
    assert (off["active"], off["disabled_reason"]) == (False, "Disabled by hand.")
    assert off["disabled_at"] == rfc3339(api.hooks.clock.at)
    assert api.hooks.delivery()["state"] == DeliveryState.STOPPED
    on = api.ask("PATCH", made["id"], {"active": True}).get_json()
    assert (on["active"], on["disabled_at"], on["disabled_reason"]) == (True, None, None)
    assert on["failing_since"] is None
    api.hooks.clock.advance(86400)
    assert api.hooks.run() == 0
    assert [action[0] for action in api.actions()[1:]] == [
        "webhook_endpoint.disabled",
        "webhook_endpoint.enabled",
    ]


def test_deleting_an_endpoint_deletes_its_deliveries(api: Api) -> None:
    made, other = api.create(), api.create(url="https://other.example.com/")
    api.hooks.event(api.tenant.workspace_id)
    api.hooks.sender.otherwise = Reply(500)
    api.hooks.drain()
    answer = api.ask("DELETE", made["id"])
    assert (answer.status_code, answer.data) == (204, b"")
    assert api.ask("GET", made["id"]).status_code == 404
    assert api.ask("DELETE", made["id"]).status_code == 404
    assert [str(row["endpoint_id"]) for row in api.hooks.deliveries()] == [other["id"]]
    assert len(api.hooks.factory.rows(webhook_attempts)) == 1
    assert api.actions()[-1] == ("webhook_endpoint.deleted", made["id"], None)


def test_a_rotated_secret_is_new_and_the_one_before_signs_for_a_day(api: Api) -> None:
    made = api.create()
    api.hooks.clock.advance(60)
    answer = api.ask("POST", f"{made['id']}/rotate-secret")
    assert answer.status_code == 200
    rotated = answer.get_json()
    until = api.hooks.clock.at + timedelta(hours=24)
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_secret_until"] == rfc3339(until)
    owner, row = secret_owner(UUID(made["id"])), api.row(made)
    cipher = api.hooks.factory.cipher
    assert cipher.decrypt(owner, row["secret"]) == rotated["secret"]
    assert cipher.decrypt(owner, row["previous_secret"]) == made["secret"]
    assert "secret" not in api.ask("GET", made["id"]).get_json()
    assert api.actions()[-1] == ("webhook_endpoint.secret_rotated", made["id"], None)


def test_no_secret_or_url_is_in_the_audit(api: Api) -> None:
    made = api.create()
    api.ask("PATCH", made["id"], {"url": "https://new.example.com/?token=abc"})
    rotated = api.ask("POST", f"{made['id']}/rotate-secret").get_json()
    written = str(api.hooks.factory.rows(audit_events))
    for private in (made["secret"], rotated["secret"], HOOK, "new.example.com"):
        assert private not in written
