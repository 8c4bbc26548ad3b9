"""Every answer, held against Twilio's own OpenAPI descriptions where they are at hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from requests import Response

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "twilio-openapi"
pytestmark = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="Twilio's OpenAPI descriptions are not beside the checkout"
)
SID = "1" * 32
BASE = f"/2010-04-01/Accounts/AC{SID}/Messages"


def _translated(schema: Any, *, lenient: bool) -> Any:
    """OpenAPI 3.0 as JSON Schema: `nullable` becomes a choice with null.

    The description of lookups never says nullable although its own examples answer null; there
    every property may be.
    """
    if isinstance(schema, list):
        return [_translated(item, lenient=lenient) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {
        key: {name: _property(value, lenient=lenient) for name, value in values.items()}
        if key == "properties"
        else _translated(values, lenient=lenient)
        for key, values in schema.items()
        if key != "nullable"
    }
    return {"anyOf": [inner, {"type": "null"}]} if schema.get("nullable") is True else inner


def _property(schema: Any, *, lenient: bool) -> Any:
    translated = _translated(schema, lenient=lenient)
    return {"anyOf": [translated, {"type": "null"}]} if lenient else translated


def _resolved(description: Any, schema: Any) -> Any:
    while "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _check(name: str, path: str, method: str, answer: Any) -> None:
    description = json.loads((REFERENCE / f"twilio_{name}.json").read_text())
    operation = description["paths"][path][method]
    declared = operation["responses"][str(answer.status_code)]["content"]["application/json"]
    schema = _resolved(description, declared["schema"])
    assert set(answer.json()) == set(schema["properties"])
    lenient = name == "lookups_v2"
    components = {
        part: _translated(values, lenient=lenient)
        for part, values in description["components"]["schemas"].items()
    }
    root = {**_translated(schema, lenient=lenient), "components": {"schemas": components}}
    jsonschema.Draft202012Validator(root).validate(answer.json())
    for items in [value for value in answer.json().values() if isinstance(value, list)]:
        assert all(items) or not items


@pytest.fixture
def sid(twilio: Any) -> str:
    form = {"To": "+12025550143", "MessagingServiceSid": f"MG{SID}", "Body": "Hello"}
    answer = twilio.http("POST", f"{BASE}.json", data=form)
    _check("api_v2010", "/2010-04-01/Accounts/{AccountSid}/Messages.json", "post", answer)
    twilio.quiet()
    return answer.json()["sid"]


def test_messages_are_created_read_redacted_and_listed_in_twilios_shape(
    twilio: Any, sid: str
) -> None:
    one = "/2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json"
    many = "/2010-04-01/Accounts/{AccountSid}/Messages.json"

    _check("api_v2010", one, "get", twilio.http("GET", f"{BASE}/{sid}.json"))
    _check("api_v2010", one, "post", twilio.http("POST", f"{BASE}/{sid}.json", data={"Body": ""}))
    _check("api_v2010", many, "get", twilio.http("GET", f"{BASE}.json"))
    assert twilio.http("DELETE", f"{BASE}/{sid}.json").status_code == 204


def test_listed_messages_have_every_property_of_the_resource(twilio: Any, sid: str) -> None:
    description = json.loads((REFERENCE / "twilio_api_v2010.json").read_text())
    declared = description["components"]["schemas"]["api.v2010.account.message"]["properties"]

    (message,) = twilio.http("GET", f"{BASE}.json").json()["messages"]
    assert set(message) == set(declared)


def test_geo_permissions_have_twilios_shape(http: Callable[..., Response]) -> None:
    path = "/v1/Messaging/GeoPermissions"
    wish = json.dumps({"country_code": "PK", "type": "country", "enabled": True})
    description = json.loads((REFERENCE / "twilio_accounts_v1.json").read_text())

    def example(method: str) -> dict[str, Any]:
        response = description["paths"][path][method]["responses"]["200"]
        (shown,) = response["content"]["application/json"]["examples"].values()
        return {entry["country_code"]: entry for entry in shown["value"]["permissions"]}

    read = http("GET", path, params={"CountryCode": "PK"})
    changed = http("PATCH", path, data={"Permissions": [wish]})
    _check("accounts_v1", path, "get", read)
    _check("accounts_v1", path, "patch", changed)
    assert read.json()["permissions"] == [{**example("get")["PK"], "enabled": False}]
    assert changed.json()["permissions"] == [example("patch")["PK"]]


@pytest.mark.parametrize("number", ["+12025550143", "+120255501439", "+442079460000"])
def test_lookups_have_twilios_shape(http: Callable[..., Response], number: str) -> None:
    answer = http("GET", f"/v2/PhoneNumbers/{number}", params={"Fields": "line_type_intelligence"})

    _check("lookups_v2", "/v2/PhoneNumbers/{PhoneNumber}", "get", answer)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/v1/a2p/BrandRegistrations/{Sid}", f"/v1/a2p/BrandRegistrations/BN{SID}"),
        ("/v1/Services/{Sid}", f"/v1/Services/MG{SID}"),
        ("/v1/Services/{ServiceSid}/PhoneNumbers", f"/v1/Services/MG{SID}/PhoneNumbers"),
        (
            "/v1/Services/{MessagingServiceSid}/Compliance/Usa2p",
            f"/v1/Services/MG{SID}/Compliance/Usa2p",
        ),
    ],
)
def test_services_brands_and_campaigns_have_twilios_shape(
    twilio: Any, template: str, path: str
) -> None:
    _check("messaging_v1", template, "get", twilio.http("GET", path))
