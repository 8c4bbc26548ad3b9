"""Who may call: Basic credentials, accounts learnt at first use, API keys."""

from collections.abc import Callable
from typing import Any

import pytest
from requests import Response
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from app.emulator.accounts import Account, AccountBook
from app.emulator.config import EmulatorConfig
from app.emulator.errors import TwilioError
from app.emulator.server import EmulatorServer
from support.each import each

ONE = "AC" + "1" * 32
TWO = "AC" + "2" * 32
KEY = "SK" + "3" * 32


def _path(sid: str) -> str:
    return f"/2010-04-01/Accounts/{sid}/Messages.json"


@each(
    "auth", [None, ("", ""), (ONE, ""), ("AC1", "token"), ("someone", "token"), (KEY[:-1], "token")]
)
@each("path", [_path(ONE), "/v1/Messaging/GeoPermissions"])
def test_request_without_basic_credentials_is_refused(
    twilio: Any, auth: tuple[str, str] | None, path: str
) -> None:
    answer = twilio.http("GET", path, auth=auth)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Twilio API"'
    assert answer.json() == {
        "code": 20003,
        "message": "Authenticate",
        "more_info": "https://www.twilio.com/docs/errors/20003",
        "status": 401,
    }


def test_another_scheme_than_basic_does_not_count(http: Callable[..., Response]) -> None:
    answer = http("GET", _path(ONE), auth=None, headers={"Authorization": "Bearer abc"})

    assert answer.status_code == 401


def test_the_first_token_is_the_accounts_token(sdk: Callable[..., Client]) -> None:
    assert sdk(ONE, "first").messages.list() == []

    with pytest.raises(TwilioRestException) as refused:
        sdk(ONE, "second").messages.create(to="+12025550143", from_="72345", body="Hi")
    assert (refused.value.status, refused.value.code) == (401, 20003)
    assert sdk(ONE, "first").messages.list() == []


def test_the_secondary_token_is_accepted_too() -> None:
    book = AccountBook([Account(ONE, auth_token="first", next_auth_token="second")])
    for token in ("first", "second"):
        assert book.authenticate(ONE, token, None).auth_token == "first"
    with pytest.raises(TwilioError):
        book.authenticate(ONE, "third", None)


def test_a_declared_token_counts_from_the_start(http: Callable[..., Response]) -> None:
    declared = Account(ONE, auth_token="declared")
    with EmulatorServer(config=EmulatorConfig(accounts=(declared,))) as server:
        book = server.emulator.accounts
        with pytest.raises(TwilioError):
            book.authenticate(ONE, "other", None)
        assert book.authenticate(ONE, "declared", None) == declared


def test_another_accounts_path_does_not_exist(http: Callable[..., Response]) -> None:
    answer = http("GET", _path(TWO))

    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


def test_a_call_on_a_wrong_path_does_not_register_a_token() -> None:
    book = AccountBook()
    with pytest.raises(TwilioError) as refused:
        book.authenticate(ONE, "token", TWO)

    assert refused.value.code == 20404
    assert book.find(ONE) is None


def test_an_api_key_belongs_to_the_account_it_first_came_with(sdk: Callable[..., Client]) -> None:
    client = sdk(KEY, "secret", account_sid=ONE)
    message = client.messages.create(to="+12025550143", from_="72345", body="Hi")
    assert message.account_sid == ONE
    assert client.accounts.v1.messaging_geopermissions.fetch(country_code="US").permissions

    with pytest.raises(TwilioRestException) as elsewhere:
        sdk(KEY, "secret", account_sid=TWO).messages.create(to="+1", from_="7", body="Hi")
    with pytest.raises(TwilioRestException) as wrong_secret:
        sdk(KEY, "other", account_sid=ONE).messages.create(to="+1", from_="7", body="Hi")
    assert (elsewhere.value.code, wrong_secret.value.code) == (20404, 20003)


def test_unknown_api_key_is_refused_without_an_account_in_the_path(twilio: Any) -> None:
    answer = twilio.http("GET", "/v1/Messaging/GeoPermissions", auth=(KEY, "secret"))

    assert answer.status_code == 401


def test_token_after_an_api_key_keeps_the_key() -> None:
    book = AccountBook()
    book.authenticate(KEY, "secret", ONE)
    book.authenticate(ONE, "token", ONE)

    assert book.authenticate(KEY, "secret", None).auth_token == "token"


def test_an_account_never_shows_its_secrets() -> None:
    shown = repr(Account(ONE, auth_token="hush", api_keys={KEY: "hush"}))

    assert "hush" not in shown


def test_an_account_is_shown_to_its_own_token_alone(http: Callable[..., Response]) -> None:
    path = f"/2010-04-01/Accounts/{ONE}.json"
    assert http("GET", path, auth=(ONE, "right")).json()["sid"] == ONE
    assert http("GET", path, auth=(ONE, "wrong")).json()["code"] == 20003
    assert http("GET", path, auth=None).status_code == 401
    assert http("GET", path, auth=(TWO, "right")).json()["code"] == 20404
