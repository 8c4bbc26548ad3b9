"""Create calls that Twilio refuses: codes, statuses and the shape of the body."""

from collections.abc import Callable
from typing import Any

import pytest
from requests import Response
from twilio.base.exceptions import TwilioRestException

from support.each import each

SERVICE = "MG" + "2" * 32
TO = "+12025550143"
FROM = "+12025550199"
GOOD = {"To": TO, "MessagingServiceSid": SERVICE, "Body": "Hello"}
PATH = "/2010-04-01/Accounts/AC" + "1" * 32 + "/Messages.json"


def _refused(http: Callable[..., Response], form: dict[str, str]) -> tuple[int, int]:
    answer = http("POST", PATH, data=form)
    body = answer.json()
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"]


@each(
    ("change", "code"),
    [
        ({"To": ""}, 21604),
        ({"MessagingServiceSid": ""}, 21603),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"MessagingServiceSid": "MG12"}, 21705),
        ({"StatusCallback": "not a url"}, 21609),
        ({"StatusCallback": "http://under_score.example/x"}, 21609),
        ({"ValidityPeriod": "0"}, 21624),
        ({"ValidityPeriod": "36001"}, 21624),
        ({"ValidityPeriod": "9" * 5000}, 21624),
        ({"To": "2025550143"}, 21211),
        ({"To": "+1202555"}, 21211),
        ({"To": "+1999"}, 21211),
        ({"To": "banana"}, 21211),
        ({"To": "12345"}, 21265),
        ({"From": TO}, 21266),
        ({"From": "+1"}, 21212),
        ({"To": "+989121234567"}, 21408),
        ({"To": "+923012345678"}, 21408),
        ({"To": "+870773111632"}, 21408),
    ],
)
def test_wrong_form_answers_400_with_its_code(
    twilio: Any, change: dict[str, str], code: int
) -> None:
    assert _refused(twilio.http, {**GOOD, **change}) == (400, code)
    assert twilio.emulator.messages.created == 0


@pytest.mark.parametrize("sender", [{"MessagingServiceSid": SERVICE}, {"From": FROM}])
@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("+15005550001", 21211),
        ("+15005550002", 21612),
        ("+15005550003", 21408),
        ("+15005550004", 21610),
        ("+15005550009", 21614),
    ],
)
def test_magic_recipients_are_refused_with_and_without_a_service(
    twilio: Any, sender: dict[str, str], to: str, code: int
) -> None:
    assert _refused(twilio.http, {"To": to, "Body": "Hello", **sender}) == (400, code)


@pytest.mark.parametrize("service", [{}, {"MessagingServiceSid": SERVICE}])
@pytest.mark.parametrize(
    ("sender", "status", "code"),
    [("+15005550001", 400, 21212), ("+15005550007", 400, 21606), ("+15005550008", 429, 21611)],
)
def test_magic_senders_are_refused_with_and_without_a_service(
    twilio: Any, service: dict[str, str], sender: str, status: int, code: int
) -> None:
    form = {"To": TO, "From": sender, "Body": "Hello", **service}

    assert _refused(twilio.http, form) == (status, code)


@pytest.mark.parametrize("sender", [FROM, "+15005550006", "72345", "Borderpost"])
def test_numbers_short_codes_and_names_may_send(http: Callable[..., Response], sender: str) -> None:
    assert http("POST", PATH, data={"To": TO, "From": sender, "Body": "Hi"}).status_code == 201


@pytest.mark.parametrize("to", ["+15005550006", "+17875550123", "+447911123456"])
def test_other_numbers_are_validated_as_usual(http: Callable[..., Response], to: str) -> None:
    assert http("POST", PATH, data={**GOOD, "To": to}).status_code == 201


def test_error_body_has_twilios_form(http: Callable[..., Response]) -> None:
    body = http("POST", PATH, data={**GOOD, "To": "+15005550003"}).json()

    assert body == {
        "code": 21408,
        "message": (
            "Permission to send an SMS has not been enabled for the region indicated by the "
            "'To' number: +1500555XXXX"
        ),
        "more_info": "https://www.twilio.com/docs/errors/21408",
        "status": 400,
    }


def test_the_sdk_raises_its_own_exception_with_the_code(twilio: Any) -> None:
    with pytest.raises(TwilioRestException) as refused:
        twilio.send(to="+15005550004")

    assert (refused.value.status, refused.value.code) == (400, 21610)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", PATH.replace("Messages.json", "Messages/SM" + "0" * 32 + ".json"), 404, 20404),
        ("GET", PATH.replace("Messages.json", "Messages/XX.json"), 404, 20404),
        ("GET", "/v1/Nothing", 404, 20404),
        ("PUT", PATH, 405, 20004),
    ],
)
def test_missing_resource_answers_with_twilios_error(
    twilio: Any, method: str, path: str, status: int, code: int
) -> None:
    answer = twilio.http(method, path)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
