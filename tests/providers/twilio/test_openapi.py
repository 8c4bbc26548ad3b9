"""What the adapter sends, held against Twilio's own OpenAPI description where it is at hand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.factories import Factory, Gateway, Tenant
from support.fake_twilio import accepted

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "twilio-openapi"
pytestmark = [
    pytest.mark.skipif(
        not REFERENCE.is_dir(), reason="Twilio's OpenAPI descriptions are not beside the checkout"
    ),
    pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True),
]
PATH = "/2010-04-01/Accounts/{AccountSid}/Messages.json"


@pytest.fixture
def operation() -> Any:
    """Twilio's description of the create call."""
    description = json.loads((REFERENCE / "twilio_api_v2010.json").read_text())
    return description["paths"][PATH]["post"]


def test_every_field_that_is_sent_exists_and_has_the_described_form(
    gateway: Gateway, tenant: Tenant, operation: Any
) -> None:
    assert gateway.send(tenant).status_code == 201
    (call,) = gateway.twilio.calls
    content = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]
    schema = content["schema"]
    sent = {name: value for name, value in call.data.items() if isinstance(value, str)}
    assert set(sent) <= set(schema["properties"])
    assert set(schema["required"]) <= set(sent)
    for name, value in sent.items():
        declared = schema["properties"][name]
        assert declared["type"] == "string"
        assert re.fullmatch(declared.get("pattern", ".*"), value, re.DOTALL)
        assert len(value) <= declared.get("maxLength", 1600)


def test_the_path_and_the_account_are_the_described_ones(
    gateway: Gateway, tenant: Tenant, operation: Any
) -> None:
    gateway.send(tenant)
    (call,) = gateway.twilio.calls
    account = call.uri.removeprefix("https://api.twilio.com/2010-04-01/Accounts/")
    account = account.removesuffix("/Messages.json")
    assert call.uri == "https://api.twilio.com" + PATH.format(AccountSid=account)
    (parameter,) = [p for p in operation["parameters"] if p["name"] == "AccountSid"]
    assert re.fullmatch(parameter["schema"]["pattern"], account)
    assert call.auth is not None
    assert call.auth[0] == account


def test_the_answer_that_is_read_is_the_described_one(
    gateway: Gateway, tenant: Tenant, factory: Factory, operation: Any
) -> None:
    declared = operation["responses"]
    assert list(declared) == ["201"]
    description = json.loads((REFERENCE / "twilio_api_v2010.json").read_text())
    reference = declared["201"]["content"]["application/json"]["schema"]["$ref"]
    schema = description["components"]["schemas"][reference.rpartition("/")[2]]
    answer = json.loads(accepted().text)
    assert set(answer) <= set(schema["properties"])
    assert re.fullmatch(schema["properties"]["sid"]["pattern"], answer["sid"])
