"""`doctor` asks Twilio and probes the public URL: each finding says what to do."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twilio.http.response import Response

from app.bootstrap import open_settings
from app.cli.findings import Finding, Level, _service, look_at_twilio
from app.db.encryption import Cipher
from app.db.engine import Database
from app.providers.port import ProviderAccount
from app.providers.twilio.account import TwilioSetup
from app.providers.twilio.client import TwilioClients
from app.settings import Settings
from support.factories import ACCOUNT, AUTH_TOKEN, SERVICE_SID
from support.fake_twilio import FakeTwilio
from support.live_gateway import start_live_gateway_here
from support.loopback import Loopback, answer

pytestmark = pytest.mark.one_engine
INBOUND = "https://sms.example.com/v1/webhook/twilio/sms-inbound"


def _levels(settings: Settings, database: Database) -> dict[str, Level]:
    found = look_at_twilio(settings, database)
    return {one.name.partition(" of ")[0].partition(" AC")[0]: one.level for one in found}


def test_running_gateway_passes_and_a_wrong_address_is_reported(
    database: Database, tmp_path: Path
) -> None:
    """Break: sign the probe with another token, or take each status for well."""
    with start_live_gateway_here(database, tmp_path) as stage:
        settings = open_settings(stage.environ)
        assert _levels(settings, database) == {
            "callbacks": Level.OK,
            "Twilio account": Level.OK,
            f"Messaging Service {SERVICE_SID}": Level.OK,
        }
        wrong = {
            "another path": (f"{settings.public_url}/other", "something else answers there"),
            "nobody listens": ("http://127.0.0.1:9", "cannot be reached from here"),
        }
        found_bad = {}
        for name, (url, text) in wrong.items():
            first = next(look_at_twilio(replace(settings, public_url=url), database))
            found_bad[name] = first.level is Level.BAD and text in first.text
        assert found_bad == dict.fromkeys(wrong, True)
        with Loopback([answer(403, "{}")]) as other:
            first = next(look_at_twilio(replace(settings, public_url=other.url), database))
        assert "another BORDERPOST_PUBLIC_URL" in first.text
        with stage.database.writing() as connection:
            encrypted = stage.cipher.encrypt(ACCOUNT, "another token of this account 01")
            connection.exec_driver_sql(
                f"UPDATE provider_accounts SET auth_token = '{encrypted}' WHERE sid = '{ACCOUNT}'"
            )
        found = {one.name: one for one in look_at_twilio(settings, database)}
        assert "refuses our credentials" in found[f"Twilio account {ACCOUNT}"].text


@pytest.fixture
def look(cipher: Cipher, tmp_path: Path) -> Callable[..., Finding]:
    """Looks at one Messaging Service, with scripted answers of Twilio's."""
    settings = Settings(
        instance=tmp_path,
        database_url="sqlite://",
        public_url="https://sms.example.com",
        twilio_url=None,
        secret_key="",
        encryption_keys=(),
    )
    account = ProviderAccount(ACCOUNT, cipher.encrypt(ACCOUNT, AUTH_TOKEN))

    def run(*answers: Response) -> Finding:
        twilio = FakeTwilio(list(answers))
        setup = TwilioSetup(TwilioClients(twilio, cipher), settings.public_url)
        (found,) = _service(settings, setup, account, (SERVICE_SID, "codes"))
        return found

    return run


def _a_service(**fields: Any) -> Response:
    return Response(200, json.dumps({"sid": SERVICE_SID, "account_sid": ACCOUNT} | fields))


def _a_pool(name: str, *numbers: str) -> Response:
    meta = {"key": name, "page": 0, "page_size": 1, "next_page_url": None}
    return Response(200, json.dumps({name: [{"sid": one} for one in numbers], "meta": meta}))


def test_a_messaging_service_is_looked_at(look: Callable[..., Finding]) -> None:
    numbers = _a_pool("phone_numbers", "PN" + "0" * 32)
    none = [_a_pool(name) for name in ("phone_numbers", "short_codes", "alpha_senders")]
    missing = Response(404, json.dumps({"code": 20404, "message": "no", "status": 404}))
    well = look(_a_service(inbound_request_url=INBOUND), numbers)
    assert (well.level, well.text) == (Level.OK, "has senders")
    other = look(_a_service(inbound_request_url="https://other.example.com"), numbers)
    assert other.level is Level.WARNING
    assert f"of it to {INBOUND} (POST)" in other.text
    each = look(
        _a_service(inbound_request_url=INBOUND, use_inbound_webhook_on_number=True), numbers
    )
    assert "of its numbers, each to" in each.text
    empty = look(_a_service(inbound_request_url=INBOUND), *none)
    assert (empty.level, "no sender" in empty.text) == (Level.BAD, True)
    assert "does not exist" in look(missing).text
