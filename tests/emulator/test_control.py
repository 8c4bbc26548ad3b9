"""The control API: steering an emulator over HTTP, and looking into it."""

from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

ACCOUNT = "AC" + "1" * 32
TOKEN = "an-auth-token"


def test_scenarios_are_set_for_the_next_creates_for_numbers_and_for_all(twilio: Any) -> None:
    answer = twilio.control(
        "POST",
        "scenarios",
        {
            "next": [{"final": "failed", "error_code": 30001, "times": 2}],
            "to": {"+12025550144": {"callbacks": "lost"}},
            "default": {"final": "sent_only", "pace_seconds": 0},
        },
    )
    assert answer.json() == {"queued": 2, "numbers": ["+12025550144"]}

    messages = [twilio.send(), twilio.send(), twilio.send(to="+12025550144"), twilio.send()]
    twilio.quiet()
    assert [message.fetch().status for message in messages] == [
        "failed",
        "failed",
        "delivered",
        "sent",
    ]


def test_cleared_scenarios_no_longer_count(twilio: Any) -> None:
    twilio.control(
        "POST", "scenarios", {"default": {"final": "failed"}, "next": [{"final": "failed"}]}
    )

    assert twilio.control("DELETE", "scenarios").status_code == 204
    message = twilio.deliver()
    assert message.fetch().status == "delivered"


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ([], ["$"]),
        ({"nest": []}, ["$.nest"]),
        ({"next": {}}, ["$.next"]),
        ({"next": [{"callbacks": "sideways"}]}, ["$.next[0].callbacks"]),
        ({"next": [{}, {"times": 0}]}, ["$.next[1].times"]),
        ({"to": []}, ["$.to"]),
        ({"to": {"12345": {}}}, ["$.to.12345"]),
        ({"to": {"+12025550143": {"final": 1}}}, ["$.to.+12025550143.final"]),
        (
            {"default": {"error_code": 1.5, "hold_seconds": -1, "create": "x", "colour": "red"}},
            [
                "$.default.colour",
                "$.default.create",
                "$.default.error_code",
                "$.default.hold_seconds",
            ],
        ),
        ({"default": {"reject_status": 200}}, ["$.default.reject_status"]),
        ({"default": None}, ["$.default"]),
    ],
)
def test_a_wrong_scenario_is_refused_with_every_place_named(
    twilio: Any, body: Any, paths: list[str]
) -> None:
    answer = twilio.control("POST", "scenarios", body)

    assert answer.status_code == 400
    assert sorted(answer.json()["errors"]) == paths
    assert not twilio.emulator.scenarios.queued


@pytest.mark.parametrize("body", ["{", "[" * 50_000], ids=range(2))
def test_a_body_that_is_no_json_is_refused(twilio: Any, body: str) -> None:
    answer = twilio.http("POST", "/emulator/scenarios", data=body, auth=None)

    assert (answer.status_code, answer.json()) == (400, {"errors": {"$": ["must be an object"]}})


def test_messages_are_shown_with_our_id_and_without_their_body(twilio: Any) -> None:
    message = twilio.deliver(body="a secret")

    body = twilio.control("GET", "messages").json()
    assert body == {
        "created": 1,
        "attempted": 1,
        "messages": [
            {
                "sid": message.sid,
                "account_sid": ACCOUNT,
                "to": "+12025550143",
                "from": message.fetch().from_,
                "status": "delivered",
                "error_code": None,
                "messaging_service_sid": "MG" + "2" * 32,
                "body_length": 8,
                "message_id": "m-1",
                "created_at": "2026-11-22T12:30:00+00:00",
            }
        ],
    }


def test_callbacks_are_shown_with_each_attempt_and_its_answer(twilio: Any) -> None:
    twilio.receiver.plan = [503]
    message = twilio.deliver(status_callback=f"{twilio.receiver.url}?message_id=m-2#rc=1&rp=5xx")

    first, second, *_ = twilio.control("GET", "callbacks").json()["callbacks"]
    expected = {
        "at": "2026-11-22T12:30:00+00:00",
        "message_sid": message.sid,
        "message_id": "m-2",
        "status": "queued",
        "failure": None,
    }
    assert first == {**expected, "attempt": 1, "http_status": 503}
    assert second == {**expected, "attempt": 2, "http_status": 204}


def test_a_forced_status_is_called_back_and_ends_what_was_planned(twilio: Any) -> None:
    twilio.control("POST", "scenarios", {"default": {"pace_seconds": 300}})
    message = twilio.send()

    answer = twilio.control(
        "POST", f"messages/{message.sid}/status", {"status": "undelivered", "error_code": 30003}
    )
    assert answer.json()["callback"]["http_status"] == 204
    assert twilio.receiver.received[0].form["ErrorCode"] == "30003"
    assert twilio.receiver.is_genuine(twilio.receiver.received[0])
    assert (message.fetch().status, message.fetch().error_code) == ("undelivered", 30003)


def test_forced_statuses_may_contradict_each_other(twilio: Any) -> None:
    message = twilio.deliver()
    twilio.control(
        "POST", f"messages/{message.sid}/status", {"status": "failed", "error_code": 30001}
    )
    silent = twilio.control(
        "POST", f"messages/{message.sid}/status", {"status": "read", "notify": False}
    )

    assert twilio.receiver.statuses == ["queued", "sent", "delivered", "failed"]
    assert silent.json() == {"sid": message.sid, "status": "read", "callback": None}
    assert message.fetch().status == "read"


def test_a_status_cannot_be_forced_on_what_is_not_there(twilio: Any) -> None:
    message = twilio.send()

    assert twilio.control("POST", "messages/SM1/status", {"status": "sent"}).status_code == 404
    unknown = twilio.control("POST", f"messages/{message.sid}/status", {"status": "lost"})
    missing = twilio.control("POST", f"messages/{message.sid}/status", {})
    assert list(unknown.json()["errors"]) == ["$.status"]
    assert missing.json() == {"errors": {"$.status": ["is required"]}}


def test_an_account_can_be_declared_and_changed(twilio: Any) -> None:
    answer = twilio.control(
        "PUT",
        f"accounts/{ACCOUNT}",
        {
            "auth_token": TOKEN,
            "geo_permissions": {"BR": False, "PK": True},
            "brand_status": "SUSPENDED",
            "campaign_status": "PENDING",
        },
    )
    body = answer.json()
    assert (body["account_sid"], body["brand_status"], body["campaign_status"]) == (
        ACCOUNT,
        "SUSPENDED",
        "PENDING",
    )
    assert "BR" in body["closed_regions"]
    assert "PK" not in body["closed_regions"]
    assert TOKEN not in answer.text

    assert twilio.send(to="+923012345678").status == "accepted"
    with pytest.raises(TwilioRestException) as closed:
        twilio.send(to="+5511987654321")
    assert closed.value.code == 21408
    with pytest.raises(TwilioRestException) as wrong:
        twilio.sdk(ACCOUNT, "another").messages.create(to="+12025550143", from_="72345", body="Hi")
    assert wrong.value.code == 20003


def test_a_rotated_token_is_the_one_that_signs(twilio: Any) -> None:
    twilio.deliver()
    twilio.control("PUT", f"accounts/{ACCOUNT}", {"auth_token": "rotated"})
    twilio.sdk(ACCOUNT, "rotated").messages.create(
        to="+12025550143", from_="72345", body="Hi", status_callback=twilio.receiver.url
    )
    twilio.quiet()

    assert twilio.receiver.is_genuine(twilio.receiver.received[0])
    assert twilio.receiver.is_genuine(twilio.receiver.received[-1], token="rotated")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"geo_permissions": {"IR": True}}, "$.geo_permissions.IR"),
        ({"geo_permissions": {"ZZ": True}}, "$.geo_permissions.ZZ"),
        ({"geo_permissions": {"US": "yes"}}, "$.geo_permissions.US"),
        ({"brand_status": "GREAT"}, "$.brand_status"),
        ({"auth_token": ""}, "$.auth_token"),
        ({"api_keys": {"SK1": "x"}}, "$.api_keys.SK1"),
    ],
)
def test_a_wrong_account_is_refused(twilio: Any, body: Any, path: str) -> None:
    answer = twilio.control("PUT", f"accounts/{ACCOUNT}", body)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [path])
    assert twilio.emulator.accounts.find(ACCOUNT) is None


def test_an_account_needs_a_sid_of_the_right_kind(twilio: Any) -> None:
    assert twilio.control("PUT", "accounts/AC1", {"auth_token": "x"}).status_code == 400


def test_an_inbound_message_is_posted_signed_and_the_answer_shown(twilio: Any) -> None:
    twilio.client.messages.list()  # teaches the account's token
    twilio.receiver.plan = [202]
    answer = twilio.control(
        "POST",
        "inbound",
        {
            "account_sid": ACCOUNT,
            "url": twilio.receiver.url,
            "from": "+12025550143",
            "to": "+12025550199",
            "body": "STOP",
            "messaging_service_sid": "MG" + "2" * 32,
            "opt_out_type": "STOP",
        },
    )

    assert answer.json() == {"http_status": 202, "content_type": "", "body": "", "failure": None}
    (received,) = twilio.receiver.received
    assert twilio.receiver.is_genuine(received)
    assert received.form["OptOutType"] == "STOP"
    assert received.form["SmsStatus"] == "received"
    assert (received.form["FromCountry"], received.form["NumSegments"]) == ("US", "1")
    assert received.form["MessageSid"] == received.form["SmsMessageSid"] == received.form["SmsSid"]


def test_inbound_message_to_an_unknown_account_or_another_host_is_not_sent(
    twilio: Any,
) -> None:
    order = {
        "account_sid": ACCOUNT,
        "url": twilio.receiver.url,
        "from": "+12025550143",
        "to": "72345",
        "body": "",
    }
    unknown = twilio.control("POST", "inbound", order)
    twilio.client.messages.list()
    abroad = twilio.control("POST", "inbound", {**order, "url": "http://example.com/in"})
    malformed = twilio.control("POST", "inbound", {**order, "url": "http:// x"})

    assert list(unknown.json()["errors"]) == ["$.account_sid"]
    assert abroad.json()["http_status"] is None
    assert "not loopback" in abroad.json()["failure"]
    assert list(malformed.json()["errors"]) == ["$.url"]
    assert twilio.receiver.received == []


def test_reset_deletes_everything_undeclared(twilio: Any) -> None:
    twilio.control("POST", "scenarios", {"default": {"pace_seconds": 300}})
    twilio.send()

    assert twilio.control("POST", "reset").status_code == 204
    twilio.quiet()
    assert twilio.control("GET", "messages").json() == {
        "created": 0,
        "attempted": 0,
        "messages": [],
    }
    assert twilio.control("GET", "callbacks").json() == {"callbacks": []}
    assert twilio.emulator.accounts.find(ACCOUNT) is None
    assert twilio.send().status == "accepted"
    twilio.quiet()
