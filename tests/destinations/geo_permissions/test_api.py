"""`…/provider` over HTTP, and what a 21408 teaches between two checks."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from twilio.http.response import Response

from app.access.principal import Role
from app.access.tables import workspaces
from app.db.encryption import Cipher
from app.db.engine import Database
from app.destinations.tables import provider_permissions
from app.kernel.clock import rfc3339
from app.providers.twilio.transport import NotConfirmed, NotConnected, Throttled
from support.destinations import path_of
from support.factories import ACCOUNT, BR_NUMBER, US_NUMBER, Factory, Gateway, Tenant, open_gateway
from support.fake_twilio import accepted, refused
from support.geo import ask_through_twilio, entry, listed, store
from support.time import ManualClock

pytestmark = pytest.mark.one_engine

EMPTY = {
    "allowed_here_closed_there": [],
    "closed_here_open_there": [],
    "high_risk": [],
    "unsupported": [],
    "problem": None,
}


@pytest.fixture
def gateway(database: Database, cipher: Cipher, tmp_path: Any, clock: ManualClock) -> Gateway:
    """A gateway whose checks ask the same fake Twilio that it sends through."""
    found = open_gateway(database, cipher, tmp_path, clock=clock.clock())
    ask_through_twilio(found, cipher)
    return found


def _path(tenant: Tenant) -> str:
    return path_of(tenant.workspace_id) + "/provider"


def _get(gateway: Gateway, tenant: Tenant) -> Any:
    return gateway.get(_path(tenant), key=tenant.keys[Role.VIEWER])


def _post(gateway: Gateway, tenant: Tenant, role: Role = Role.ADMIN) -> Any:
    return gateway.post(_path(tenant), key=tenant.keys[role])


def _closed(gateway: Gateway, tenant: Tenant, *numbers: str) -> list[bool | None]:
    answer = gateway.post(
        path_of(tenant.workspace_id) + "/check",
        {"numbers": list(numbers)},
        key=tenant.keys[Role.VIEWER],
    )
    return [verdict["provider_closed"] for verdict in answer.json["verdicts"]]


def test_before_any_check_the_lists_are_empty_and_nothing_is_asked(
    gateway: Gateway, factory: Factory
) -> None:
    tenant = factory.tenant(factory.organization(), destinations={"US": "allowed", "IR": "allowed"})

    answer = _get(gateway, tenant)

    assert answer.status_code == 200
    assert answer.json == EMPTY | {"checked_at": None, "agrees": None}
    assert answer.headers["ETag"] == '"1"'
    assert gateway.twilio.calls == []
    assert _closed(gateway, tenant, US_NUMBER, "+989121234567") == [None, None]


def test_a_check_answers_all_four_lists_and_keeps_them(
    gateway: Gateway, factory: Factory, clock: ManualClock
) -> None:
    allowed = dict.fromkeys(["US", "BR", "PK", "CU"], "allowed")
    tenant = factory.tenant(factory.organization(), destinations=allowed)
    gateway.twilio.script.append(
        listed(
            entry("US"),
            entry("BR", False),
            entry("FR"),
            entry("PK", False, message="High Risk Country"),
            entry("DE", False),
        )
    )

    target = _post(gateway, tenant)

    assert target.status_code == 200
    assert target.json == {
        "allowed_here_closed_there": ["BR", "CU", "PK"],
        "closed_here_open_there": ["FR"],
        "high_risk": ["PK"],
        "unsupported": ["CU"],
        "checked_at": rfc3339(clock.at),
        "agrees": False,
        "problem": None,
    }
    (call,) = gateway.twilio.calls
    assert (call.method, call.uri) == (
        "GET",
        "https://accounts.twilio.com/v1/Messaging/GeoPermissions",
    )
    assert call.auth is not None
    assert call.auth[0] == ACCOUNT
    clock.advance(3600)
    assert _get(gateway, tenant).json == target.json
    assert len(gateway.twilio.calls) == 1
    assert _closed(
        gateway, tenant, US_NUMBER, BR_NUMBER, "+5351234567", "+4915112345678", "+818012345678"
    ) == [*(False, True, True, True, None)]


def test_the_stored_permissions_are_compared_with_the_policy_as_it_is_now(
    gateway: Gateway, tenant: Tenant, database: Database
) -> None:
    store(database, US=True, BR=False, FR=True)
    before = _get(gateway, tenant).json

    gateway.post(
        path_of(tenant.workspace_id) + "/allow",
        {"destinations": ["BR", "FR"]},
        key=tenant.keys[Role.ADMIN],
    )

    after = _get(gateway, tenant)
    assert (before["allowed_here_closed_there"], before["closed_here_open_there"]) == ([], ["FR"])
    assert after.json["allowed_here_closed_there"] == ["BR"]
    assert after.json["closed_here_open_there"] == []
    assert after.headers["ETag"] == '"2"'


def test_verdicts_use_the_entry_that_covers_a_country_without_one(
    gateway: Gateway, tenant: Tenant, database: Database
) -> None:
    store(database, AU=False, GB=True)

    assert _closed(gateway, tenant, "+61891641234", "+447781123456", "+77011234567", US_NUMBER) == [
        *(True, False, None, None)
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (NotConnected("refused"), (503, "ProviderUnavailable")),
        (NotConfirmed("timeout"), (503, "ProviderUnavailable")),
        (Throttled(3), (503, "ProviderUnavailable")),
        (Response(500, "<html>"), (503, "ProviderUnavailable")),
        (Response(200, "<html>"), (503, "ProviderUnavailable")),
        (Response(200, json.dumps({"permissions": "none"})), (503, "ProviderUnavailable")),
        (Response(200, json.dumps({"permissions": []})), (503, "ProviderUnavailable")),
        (Response(200, "[]"), (503, "ProviderUnavailable")),
        (refused(20003, 401), (502, "ProviderMisconfigured")),
        (Response(401, "<html>"), (502, "ProviderMisconfigured")),
        (refused(20500, 500), (503, "ProviderUnavailable")),
    ],
)
def test_a_check_that_fails_has_its_code_and_changes_only_the_problem(
    gateway: Gateway, tenant: Tenant, clock: ManualClock, answer: Any, expected: tuple[int, str]
) -> None:
    store(gateway.services.database, US=False)
    before = _get(gateway, tenant).json
    gateway.twilio.script.append(answer)

    failed = _post(gateway, tenant)

    assert (failed.status_code, failed.json["code"]) == expected
    assert ("Retry-After" in failed.headers) == (expected[0] == 503)
    after = _get(gateway, tenant).json
    problem = after.pop("problem")
    assert (problem["code"], problem["at"]) == (expected[1], rfc3339(clock.at))
    assert problem["message"]
    assert after | {"problem": None} == before
    gateway.twilio.script.append(listed(entry("US")))
    assert _post(gateway, tenant).json["problem"] is None


def test_a_workspace_without_an_account_is_a_misconfiguration(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    factory.set(workspaces, tenant.workspace_id, account_sid=None)

    failed = _post(gateway, tenant)

    assert (failed.status_code, failed.json["code"]) == (502, "ProviderMisconfigured")
    assert _get(gateway, tenant).json == EMPTY | {"checked_at": None, "agrees": None}
    assert gateway.twilio.calls == []


def _refuse_at_once(gateway: Gateway, tenant: Tenant) -> None:
    gateway.twilio.script.append(refused(21408))
    assert gateway.send(tenant).json["details"]["source"] == "provider"


def _refuse_in_a_callback(gateway: Gateway, tenant: Tenant) -> None:
    gateway.twilio.script.append(accepted())
    sent = gateway.send(tenant).json
    answer = gateway.callback(sent["id"], sent["message_sid"], "failed", ErrorCode="21408")
    assert answer.status_code == 204


@pytest.mark.parametrize("refuse", [_refuse_at_once, _refuse_in_a_callback])
@pytest.mark.parametrize("was_checked", [True, False])
def test_a_21408_marks_the_country_as_closed_until_the_next_check(
    gateway: Gateway,
    tenant: Tenant,
    database: Database,
    refuse: Callable[[Gateway, Tenant], None],
    was_checked: bool,
) -> None:
    if was_checked:
        store(database, US=True, BR=False)
    checked_at = _get(gateway, tenant).json["checked_at"]

    refuse(gateway, tenant)

    found = _get(gateway, tenant).json
    differing = {"allowed_here_closed_there": ["US"], "agrees": False}
    assert found == EMPTY | differing | {"checked_at": checked_at}
    assert (checked_at is not None) == was_checked
    assert _closed(gateway, tenant, US_NUMBER) == [True]
    refuse(gateway, tenant)
    block = {"destinations": ["US"]}
    gateway.post(path_of(tenant.workspace_id) + "/block", block, key=tenant.keys[Role.ADMIN])
    # A closed country that is blocked here says nothing about the others.
    assert _get(gateway, tenant).json["agrees"] is None or was_checked
    gateway.twilio.script.append(listed(entry("US", False), entry("BR", False)))
    assert _post(gateway, tenant).json["agrees"] is True
    gateway.twilio.script.append(listed(entry("US"), entry("BR", False)))
    assert _post(gateway, tenant).json["allowed_here_closed_there"] == []
    assert _closed(gateway, tenant, US_NUMBER, BR_NUMBER) == [False, True]


@pytest.mark.parametrize("code", [21610, 21612, 30007])
def test_no_other_code_says_anything_of_a_country(
    gateway: Gateway, tenant: Tenant, factory: Factory, code: int
) -> None:
    gateway.twilio.script += [accepted(), refused(code)]
    sent = gateway.send(tenant).json
    gateway.callback(sent["id"], sent["message_sid"], "undelivered", ErrorCode=str(code))
    gateway.send(tenant, to="+12025550124")

    assert factory.rows(provider_permissions) == []


def test_a_callback_for_another_account_says_nothing(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    gateway.twilio.script.append(accepted())
    sent = gateway.send(tenant).json
    other = "AC" + "b" * 32
    factory.tenant(factory.organization("Other"), account_sid=other, auth_token="other")

    answer = gateway.callback(
        *(sent["id"], sent["message_sid"], "failed"),
        account_sid=other,
        token="other",
        ErrorCode="21408",
    )

    assert answer.status_code == 204
    assert factory.rows(provider_permissions) == []
