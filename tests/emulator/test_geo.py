"""Geo permissions through the SDK, and what they do to sending."""

from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

HIGH_RISK = {"AZ", "BD", "DZ", "IL", "LK", "NG", "OM", "PK", "PS", "TJ", "TN"}


@pytest.fixture
def geo(client: Client) -> Any:
    return client.accounts.v1.messaging_geopermissions


def _wish(code: str, *, enabled: bool) -> dict[str, object]:
    return {"country_code": code, "type": "country", "enabled": enabled}


def test_all_is_open_at_first_but_high_risk_and_unsupported_countries(geo: Any) -> None:
    entries = {entry["country_code"]: entry for entry in geo.fetch().permissions}

    assert {code for code in entries if not entries[code]["enabled"]} == HIGH_RISK | {
        "CU",
        "IR",
        "SY",
    }
    assert {code for code in entries if entries[code]["message"]} == HIGH_RISK
    assert {"US", "PR", "GG", "KZ", "XK"} <= set(entries)


def test_entries_have_twilios_shape_and_can_be_narrowed(geo: Any) -> None:
    assert geo.fetch(country_code="IN,PK,ZZ").permissions == [
        {"country_code": "IN", "type": "country", "enabled": True, "prefix": "+91", "message": ""},
        {
            "country_code": "PK",
            "type": "country",
            "enabled": False,
            "prefix": "+92",
            "message": "High Risk Country",
        },
    ]


def test_change_applies_immediately_and_to_this_account_only(twilio: Any, geo: Any) -> None:
    result = geo.update(permissions=[_wish("BR", enabled=False), _wish("US", enabled=True)])

    assert result.permissions == [
        {**_wish("BR", enabled=False), "error_code": 0, "error_messages": []},
        {**_wish("US", enabled=True), "error_code": 0, "error_messages": []},
    ]
    assert geo.fetch(country_code="BR").permissions[0]["enabled"] is False
    other = twilio.sdk("AC" + "9" * 32, "another").accounts.v1.messaging_geopermissions
    assert other.fetch(country_code="BR").permissions[0]["enabled"] is True

    with pytest.raises(TwilioRestException) as closed:
        twilio.send(to="+5511987654321")
    assert (closed.value.status, closed.value.code) == (400, 21408)

    geo.update(permissions=[_wish("BR", enabled=True)])
    assert twilio.send(to="+5511987654321").status == "accepted"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("PK", "High risk country permission cannot be updated"),
        ("IR", "Country is not supported"),
        ("ZZ", "Country is not supported"),
    ],
)
@pytest.mark.parametrize("enabled", [True, False])
def test_a_change_that_is_refused_is_refused_item_by_item_in_a_200(
    geo: Any, code: str, message: str, enabled: bool
) -> None:
    result = geo.update(permissions=[_wish(code, enabled=enabled), _wish("FR", enabled=False)])

    refused, applied = result.permissions
    assert (refused["error_code"], refused["error_messages"]) == (30649, [message])
    assert applied["error_code"] == 0
    assert all(not entry["enabled"] for entry in geo.fetch(country_code=f"{code},FR").permissions)


@pytest.mark.parametrize(
    "permissions",
    [
        [],
        ["nonsense"],
        ['"BR"'],
        ["[1]"],
        ["[" * 20_000],
        ['{"country_code": "BR"}'],
        ['{"country_code":1,"enabled":true}'],
        ['{"country_code":"BR","enabled":"false"}'],
    ],
)
def test_a_change_that_is_no_list_of_permissions_is_refused(
    twilio: Any, permissions: list[str]
) -> None:
    answer = twilio.http("PATCH", "/v1/Messaging/GeoPermissions", data={"Permissions": permissions})

    assert (answer.status_code, answer.json()["code"]) == (400, 20001)


@pytest.mark.parametrize(
    ("closed", "number"), [("PR", "+17875550123"), ("GG", "+447911123456"), ("KZ", "+77011234567")]
)
def test_the_region_is_the_numbers_and_not_its_calling_codes(
    twilio: Any, geo: Any, closed: str, number: str
) -> None:
    geo.update(permissions=[_wish(closed, enabled=False)])

    with pytest.raises(TwilioRestException) as refused:
        twilio.send(to=number)
    assert refused.value.code == 21408
    assert twilio.send(to="+12025550143").sid
