"""Twilio's geo permissions through its SDK: what is asked, and how each answer is read."""

import json
from pathlib import Path
from typing import Any

import pytest
from twilio.http.response import Response

from app.db.encryption import Cipher
from app.emulator.server import EmulatorServer
from app.providers.port import (
    GeoPermission,
    ItemOutcome,
    ProviderAccount,
    ProviderUnknown,
    WantedPermission,
)
from app.providers.twilio.client import TwilioClients
from app.providers.twilio.geo import TwilioGeoPermissions
from app.providers.twilio.transport import NotConfirmed, NotConnected, Throttled
from support.factories import ACCOUNT, AUTH_TOKEN, OTHER_ACCOUNT
from support.fake_twilio import FakeTwilio, refused
from support.geo import entry, listed, over_the_wire

DESCRIPTION = Path(__file__).parents[4] / "shared/reference/twilio-openapi/twilio_accounts_v1.json"
PATH = "/v1/Messaging/GeoPermissions"
ONLY_IN_CONSOLE = "Twilio refused it (30649): only its Console can change this country"
UNTOLD = "Twilio's answer does not say what became of it"


@pytest.fixture
def geo(twilio: FakeTwilio, cipher: Cipher) -> TwilioGeoPermissions:
    return TwilioGeoPermissions(TwilioClients(twilio, cipher))


def test_every_entry_is_read_and_unknown_fields_are_passed_over(
    geo: TwilioGeoPermissions, twilio: FakeTwilio, account: ProviderAccount
) -> None:
    entries = [
        entry("IN", False, prefix="+91", region="Asia", risk={"level": 2}),
        entry("PK", prefix="+92", message="High Risk Country"),
        entry("NG", message="this is a HIGH-RISK country"),
        {"country_code": "US", "enabled": True},
        entry("BR", message=None, prefix=None),
    ]
    answered = {"permissions": entries, "inheritance": "parent"}
    twilio.script.append(Response(200, json.dumps(answered)))

    assert geo.fetch(account) == [
        GeoPermission("IN", False, prefix="+91"),
        GeoPermission("PK", True, True, "+92", "High Risk Country"),
        GeoPermission("NG", True, True, "+0", "this is a HIGH-RISK country"),
        GeoPermission("US", True),
        GeoPermission("BR", True),
    ]


def test_entries_without_a_country_are_ignored(
    geo: TwilioGeoPermissions, twilio: FakeTwilio, account: ProviderAccount
) -> None:
    odd = [entry(code) for code in ("ZZ", "GG/JE", "us", "", None, 61, ["US"])]
    other = [entry("US", False, type="prefix"), entry("ZZ", "perhaps"), "US", None, 7]
    twilio.script.append(listed(*odd, *other, entry("AU")))

    assert geo.fetch(account) == [GeoPermission("AU", True, prefix="+0")]


def test_the_account_is_asked_as_itself(
    geo: TwilioGeoPermissions, twilio: FakeTwilio, account: ProviderAccount, cipher: Cipher
) -> None:
    twilio.script += [listed(entry("US")), listed(entry("US")), listed()]
    other = ProviderAccount(OTHER_ACCOUNT, cipher.encrypt(OTHER_ACCOUNT, "its own"))

    geo.fetch(account)
    geo.fetch(other)
    geo.update(other, [WantedPermission("BR", True)])

    calls = [(call.method, call.uri, call.auth) for call in twilio.calls]
    url = f"https://accounts.twilio.com{PATH}"
    assert calls == [
        ("GET", url, (ACCOUNT, AUTH_TOKEN)),
        ("GET", url, (OTHER_ACCOUNT, "its own")),
        ("PATCH", url, (OTHER_ACCOUNT, "its own")),
    ]


UNREAD = "Twilio's answer cannot be read"
CREDENTIALS = "Twilio does not accept the account's credentials, or the account is closed"
UNKNOWN = "Twilio knows nothing of this: often the credentials are of another account"
NO_LIST = "Twilio's answer holds no list of permissions"
ODD_CODE = '{"type": "t", "title": "t", "status": 400, "code": "x +12025550123"}'
NOT_SAID = "Twilio's answer does not say whether BR is enabled"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (NotConnected("refused"), ("Twilio cannot be reached", False)),
        (NotConfirmed("timeout"), ("Twilio did not answer", False)),
        (Throttled(1), ("Twilio answered 429: too many requests at once", False)),
        (refused(20003, 401), (f"Twilio answered 20003: {CREDENTIALS}", True)),
        (Response(401, "<html>"), ("Twilio answered 401", True)),
        (Response(403, "{}"), ("Twilio answered 403", True)),
        (refused(20404, 404), (f"Twilio answered 20404: {UNKNOWN}", True)),
        (refused(20500, 500), ("Twilio answered 20500: Twilio had an internal error", False)),
        (Response(502, "<html>"), ("Twilio answered 502", False)),
        (Response(400, ODD_CODE), ("Twilio answered 400", False)),
        (Response(200, ""), (UNREAD, False)),
        (Response(200, "<html>"), (UNREAD, False)),
        (Response(200, "[]"), (UNREAD, False)),
        (Response(200, "null"), (UNREAD, False)),
        (Response(200, "{}"), (NO_LIST, False)),
        (Response(200, '{"permissions": {"US": true}}'), (NO_LIST, False)),
        (listed(entry("US"), entry("BR", "yes")), (NOT_SAID, False)),
    ],
)
def test_a_failed_or_unreadable_answer_has_a_reason(
    geo: TwilioGeoPermissions,
    twilio: FakeTwilio,
    account: ProviderAccount,
    answer: Any,
    expected: tuple[str, bool],
) -> None:
    twilio.script.append(answer)

    with pytest.raises(ProviderUnknown) as unknown:
        geo.fetch(account)

    assert (str(unknown.value), unknown.value.is_misconfigured) == expected


def test_a_token_that_cannot_be_decrypted_is_never_sent(
    geo: TwilioGeoPermissions, twilio: FakeTwilio
) -> None:
    for ask in (geo.fetch, lambda account: geo.update(account, [])):
        with pytest.raises(ProviderUnknown, match="cannot be decrypted") as unknown:
            ask(ProviderAccount(ACCOUNT, "not encrypted"))
        assert unknown.value.is_misconfigured
    assert twilio.calls == []


def test_each_wanted_item_gets_the_outcome_that_twilio_gave_it(
    geo: TwilioGeoPermissions, twilio: FakeTwilio, account: ProviderAccount
) -> None:
    wanted = [
        WantedPermission(code, code != "FR") for code in ("FR", "PK", "IR", "BR", "DE", "NL", "BE")
    ]
    twilio.script.append(
        listed(
            entry("PK", error_code=30649, error_messages=["about +12025550123"]),
            entry("FR", error_code=0, error_messages=[]),
            entry("IR", error_code=30650),
            entry("BR", error_code="0"),
            entry("DE", error_code=False),
            entry("NL"),
            entry(["BE"], error_code=0),
            "BE",
        )
    )

    outcomes = geo.update(account, wanted)

    (call,) = twilio.calls
    assert [json.loads(item) for item in call.data["Permissions"]] == [
        {"country_code": one.country, "type": "country", "enabled": one.is_open} for one in wanted
    ]
    problems = [None, ONLY_IN_CONSOLE, "Twilio refused it (30650)", UNTOLD, UNTOLD, UNTOLD, UNTOLD]
    assert outcomes == [
        ItemOutcome(one, problem) for one, problem in zip(wanted, problems, strict=True)
    ]


def test_the_real_transport_reads_and_changes_every_country(
    cipher: Cipher, account: ProviderAccount
) -> None:
    with EmulatorServer() as server, over_the_wire(server.url, cipher) as geo:
        before = {one.country: one for one in geo.fetch(account)}
        outcomes = geo.update(account, [WantedPermission(code, False) for code in before])
        after = geo.fetch(account)

    refused_codes = {one.wanted.country for one in outcomes if one.problem == ONLY_IN_CONSOLE}
    high_risk = {code for code, one in before.items() if one.is_high_risk}
    assert refused_codes == high_risk | {"CU", "IR", "SY"}
    assert all(one.problem is None for one in outcomes if one.wanted.country not in refused_codes)
    assert not any(one.is_open for one in after)
    assert (before["US"].prefix, before["US"].message) == ("+1", "")


@pytest.fixture
def description() -> dict[str, Any]:
    if not DESCRIPTION.is_file():
        pytest.skip("Twilio's OpenAPI description is not beside the checkout")
    found: dict[str, Any] = json.loads(DESCRIPTION.read_text())["paths"][PATH]
    return found


def _example(description: dict[str, Any], method: str) -> Response:
    content = description[method]["responses"]["200"]["content"]["application/json"]
    (example,) = content["examples"].values()
    return Response(200, json.dumps(example["value"]))


def test_twilios_own_example_of_a_list_is_read(
    geo: TwilioGeoPermissions,
    twilio: FakeTwilio,
    account: ProviderAccount,
    description: dict[str, Any],
) -> None:
    twilio.script.append(_example(description, "get"))

    found = {one.country: (one.is_open, one.is_high_risk) for one in geo.fetch(account)}

    assert found["IN"] == (False, False)
    assert found["PK"] == (True, True)


def test_twilios_own_example_of_a_change_is_read_and_asked_for_in_its_fields(
    geo: TwilioGeoPermissions,
    twilio: FakeTwilio,
    account: ProviderAccount,
    description: dict[str, Any],
) -> None:
    twilio.script.append(_example(description, "patch"))

    outcomes = geo.update(account, [WantedPermission("IN", False), WantedPermission("PK", True)])

    assert [one.problem for one in outcomes] == [None, ONLY_IN_CONSOLE]
    (call,) = twilio.calls
    body = description["patch"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
    assert set(call.data) == set(body["schema"]["properties"]) == {"Permissions"}
    assert body["schema"]["required"] == ["Permissions"]
