"""Listing messages: order, filters and pages, through the SDK."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from requests import Response
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from app.emulator.scenarios import Scenario

FROM = "+12025550199"
PATH = "/2010-04-01/Accounts/AC" + "1" * 32 + "/Messages.json"


@pytest.fixture
def sent(twilio: Any, clock: Any) -> list[Any]:
    """Five messages, sent a day apart, to two numbers in turn."""
    made = []
    for day in range(5):
        clock.at = datetime(2026, 11, 20, 23, 59, tzinfo=UTC) + timedelta(days=day)
        order = {"to": f"+1202555014{day % 2}", "from_": FROM, "body": f"day {day}"}
        made.append(twilio.client.messages.create(**order))
        twilio.quiet()
    return made


def _bodies(messages: list[Any]) -> list[str]:
    return [message.body[-1] for message in messages]


def test_the_newest_message_comes_first(client: Client, sent: Any) -> None:
    assert _bodies(client.messages.list()) == ["4", "3", "2", "1", "0"]


def test_a_list_can_be_narrowed_to_a_recipient_and_a_sender(client: Client, sent: Any) -> None:
    assert _bodies(client.messages.list(to="+12025550141")) == ["3", "1"]
    assert _bodies(client.messages.list(from_=FROM, limit=2)) == ["4", "3"]
    assert client.messages.list(from_="+12025550198") == []


@pytest.mark.parametrize(
    ("filters", "bodies"),
    [
        ({"date_sent": "2026-11-22"}, ["2"]),
        ({"date_sent_after": "2026-11-22"}, ["4", "3", "2"]),
        ({"date_sent_before": "2026-11-21"}, ["1", "0"]),
        ({"date_sent_after": "2026-11-21", "date_sent_before": "2026-11-22"}, ["2", "1"]),
        ({"date_sent_after": datetime(2026, 11, 23, 23, 59, tzinfo=UTC)}, ["4", "3"]),
        ({"date_sent_before": datetime(2026, 11, 20, 23, 58, tzinfo=UTC)}, []),
    ],
)
def test_a_list_can_be_narrowed_to_days_and_moments(
    twilio: Any, sent: Any, filters: dict[str, Any], bodies: list[str]
) -> None:
    assert _bodies(twilio.client.messages.list(**filters)) == bodies


def test_unsent_message_matches_no_day(twilio: Any) -> None:
    twilio.emulator.scenarios.set_default(Scenario(pace_seconds=300))
    twilio.client.messages.create(to="+12025550143", from_=FROM, body="waits")

    assert twilio.client.messages.list(date_sent_after="2000-01-01") == []
    assert len(twilio.client.messages.list()) == 1


def test_pages_follow_each_other_although_messages_are_added(client: Client, sent: Any) -> None:
    page = client.messages.page(page_size=2)
    first = _bodies(page)
    client.messages.create(to="+12025550143", from_=FROM, body="day 9")
    second = page.next_page()
    third = second.next_page()

    assert (first, _bodies(second), _bodies(third)) == (["4", "3"], ["2", "1"], ["0"])
    assert third.next_page() is None


def test_envelope_has_twilios_form(http: Callable[..., Response], sent: Any) -> None:
    body = http("GET", PATH, params={"PageSize": 2, "To": "+12025550140"}).json()
    last = body["messages"][-1]["sid"]

    assert {name: body[name] for name in body if name != "messages"} == {
        "end": 1,
        "first_page_uri": f"{PATH}?To=%2B12025550140&PageSize=2&Page=0",
        "next_page_uri": f"{PATH}?To=%2B12025550140&PageSize=2&Page=1&PageToken=PA{last}",
        "page": 0,
        "page_size": 2,
        "previous_page_uri": None,
        "start": 0,
        "uri": f"{PATH}?To=%2B12025550140&PageSize=2&Page=0",
    }


def test_an_account_sees_only_its_own_messages(sdk: Callable[..., Client], sent: Any) -> None:
    assert sdk("AC" + "9" * 32, "another token").messages.list() == []


@pytest.mark.parametrize(
    "query",
    [
        {"PageSize": 0},
        {"PageSize": 1001},
        {"PageSize": "x"},
        {"PageSize": "9" * 5000},
        {"Page": -1},
        {"PageToken": "PASM0"},
        {"DateSent": "yesterday"},
    ],
)
def test_a_wrong_query_is_refused(twilio: Any, sent: Any, query: dict[str, object]) -> None:
    answer = twilio.http("GET", PATH, params=query)

    assert (answer.status_code, answer.json()["code"]) == (400, 20001)


def test_sdk_treats_a_wrong_query_as_a_failed_page(client: Client, sent: Any) -> None:
    with pytest.raises(TwilioException, match="Unable to fetch page"):
        client.messages.list(page_size=2000, date_sent="yesterday")
