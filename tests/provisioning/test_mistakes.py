"""Every mistake is named with its place, all of them at once."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from app.db.encryption import Cipher
from app.db.engine import Database
from app.provisioning.apply import plan
from app.provisioning.file import FileRefused
from support.each import each
from support.provisioning import File

ENVIRON = {"RETAIL_TOKEN": "secret-token", "EMPTY": "", "WIDE": "tökén"}
LONG = "x" * 201
NEW_WORKSPACE = "Is needed for a workspace that is new."
ISO = "Is not a country code: two capitals as in ISO 3166-1."
HEX = "and 32 hexadecimal digits"
NAME = "Must have 1 to 200 characters on one line, with no space around them."
E164 = "Must be in E.164 form, for example +12025550100."
LETTERS = "Must have 1 to 11 letters, digits or any of + - _ & and space, with a letter."
NOT_CANONICAL = "+4407400123456 is not in canonical form; use +447400123456."
OFFSET = "Must be a time with its offset, for example 2030-01-31T12:00:00Z."
ASCII, NOPE = (
    "Must have 1 to 255 visible ASCII characters",
    "The environment variable NOPE is not set.",
)
TYPES = "Must be one of: long_code, toll_free, short_code, alphanumeric."
STATES = "Must be one of: PENDING, APPROVED, FAILED, IN_REVIEW, DELETION_PENDING, DELETION_FAILED, SUSPENDED."
UUID = "5a3d8cf1-3aaf-4b56-a2e0-260b28c0a0d0"


Mistakes = Callable[[Any], list[str]]
pytestmark = pytest.mark.one_engine


@pytest.fixture
def mistakes_of(database: Database, cipher: Cipher) -> Mistakes:
    """What is wrong with a file, where nothing is stored yet."""

    def read(data: Any) -> list[str]:
        try:
            plan(database, cipher, data, environ=ENVIRON, now=datetime(2030, 1, 1, tzinfo=UTC))
        except FileRefused as refused:
            return [str(mistake) for mistake in refused.problems]
        return []

    return read


def at(data: Any, place: str) -> Any:
    """The part of a file at a place like ``workspaces[0].name``, without its last step."""
    for key in place.replace("[", ".[").split(".")[:-1]:
        data = data[int(key[1:-1])] if key.startswith("[") else data[key]
    return data


def put(data: Any, place: str, value: Any) -> None:
    last = place.replace("[", ".[").split(".")[-1]
    at(data, place)[int(last[1:-1]) if last.startswith("[") else last] = value


WS = "workspaces[0]"
UC = "workspaces[0].use_cases[0]"
KEY = "workspaces[0].access_keys[0]"

ONE_FIELD: list[tuple[str, Any, str]] = [
    ("organization.id", "no", "Must be a UUID."),
    ("organization.id", 7, "Must be a UUID."),
    ("organization.name", "", NAME),
    ("organization.name", " Acme", NAME),
    ("organization.name", "Ac\nme", NAME),
    ("organization.name", LONG, NAME),
    ("organization.name", UUID, "Must not look like an id."),
    ("organization.name", None, "Field may not be null."),
    ("organization.colour", "red", "Unknown field."),
    ("organization.denied_destinations", "KP", "Not a valid list."),
    ("organization.denied_destinations[0]", "kp", "Country codes are in capitals: KP."),
    ("organization.denied_destinations[0]", "QQ", ISO),
    ("organization.access_keys[0].role", "root", "Must be one of: viewer, sender, admin, owner."),
    (f"{UC}.senders[0].number", "+4407400123456", NOT_CANONICAL),
    (f"{UC}.on_unconfirmed", "retry", "Must be one of: wait, resend."),
    (f"{UC}.on_unconfirmed", True, "Must be one of: wait, resend."),
    ("organization.access_keys[0]", "platform", "Must be a table of fields."),
    ("organization.access_keys[0]", None, "Must be a table of fields."),
    ("workspaces[0].id", "1", "Must be a UUID."),
    ("workspaces[0].nmae", "Retail", "Unknown field."),
    ("workspaces[0].home_country", "us", "Country codes are in capitals: US."),
    ("workspaces[0].home_country", "United States", ISO),
    ("workspaces[0].home_country", 1, "Not a valid string."),
    ("workspaces[0].parent", 1, "Not a valid string."),
    ("workspaces[0].parent", "Nowhere", "There is no such workspace."),
    ("workspaces[0].parent", UUID, "There is no such workspace."),
    ("workspaces[0].parent", "Retail", "Makes the workspace its own ancestor."),
    ("workspaces[0].body_retention_days", 0, "Must be from 1 to 3650 days."),
    ("workspaces[0].body_retention_days", "7", "Not a valid integer."),
    ("workspaces[0].number_retention_days", True, "Not a valid integer."),
    ("workspaces[0].destinations", ["US"], "Must be a table of country codes."),
    ("workspaces[0].destinations.us", "allowed", "Country codes are in capitals: US."),
    ("workspaces[0].destinations.UK", "allowed", ISO),
    ("workspaces[0].destinations.GB", "maybe", "Must be one of: allowed, blocked."),
    ("workspaces[0].destinations.GB", True, "Must be one of: allowed, blocked."),
    ("workspaces[0].destinations.KP", "allowed", "The organization denies this destination."),
    ("workspaces[0].twilio", "AC", "Must be a table of fields."),
    ("workspaces[0].twilio.account_sid", "AC12", f"Must be AC {HEX}, or empty."),
    ("workspaces[0].twilio.account_sid", "MG" + "a" * 32, f"Must be AC {HEX}, or empty."),
    ("workspaces[0].twilio.account_sid", "AC" + "a" * 32 + "\n", f"Must be AC {HEX}, or empty."),
    ("workspaces[0].twilio.auth_token", "env:NOPE", "The environment variable NOPE is not set."),
    ("workspaces[0].twilio.auth_token", "env:EMPTY", "The environment variable EMPTY is not set."),
    ("workspaces[0].twilio.auth_token", "", "Must have 1 to 255 visible ASCII characters."),
    ("workspaces[0].twilio.auth_token", "a b", "Must have 1 to 255 visible ASCII characters."),
    ("workspaces[0].twilio.auth_token", "env:WIDE", f"{ASCII} in the environment variable WIDE."),
    ("workspaces[0].twilio.next_auth_token", "env:NOPE", NOPE),
    (f"{KEY}.name", "", NAME),
    (f"{KEY}.expires_at", "2031-01-01", OFFSET),
    (f"{KEY}.expires_at", datetime(2031, 1, 1), OFFSET),  # noqa: DTZ001
    (f"{KEY}.expires_at", 2031, OFFSET),
    (f"{KEY}.expires_at", "2029-12-31T23:00:00Z", "Has passed already."),
    (UC, 3, "Must be a table of fields."),
    (f"{UC}.id", "x", "Must be a UUID."),
    (f"{UC}.active", "yes", "Must be true or false."),
    (f"{UC}.deleted", 1, "Must be true or false."),
    (f"{UC}.messaging_service_sid", "MG", f"Must be MG {HEX}."),
    (f"{UC}.messaging_service_sid", "", f"Must be MG {HEX}."),
    (f"{UC}.senders", "+12025550100", "Not a valid list."),
    (f"{UC}.senders[0].number", "2025550100", E164),
    (f"{UC}.senders[0].number", "+1 202 555 0100", E164),
    (f"{UC}.senders[0].number", "+12", "Is not a real phone number."),
    (f"{UC}.senders[0].type", "mobile", TYPES),
    (f"{UC}.senders[1].number", "12345", LETTERS),
    (f"{UC}.senders[1].number", "Acme Stores Inc", LETTERS),
    (f"{UC}.senders[1].number", "Ärzte", LETTERS),
    (f"{UC}.senders[1].number", " ACME", LETTERS),
    (f"{UC}.senders[1].number", "", LETTERS),
    (f"{UC}.senders[0]", {"number": "12", "type": "short_code"}, "Must have 3 to 8 digits."),
    (f"{UC}.senders[0]", {"number": "123456789", "type": "short_code"}, "Must have 3 to 8 digits."),
    (f"{UC}.senders[0]", {"number": "12025550100", "type": "toll_free"}, E164),
    (f"{UC}.brand.sid", "QE" + "a" * 32, f"Must be BN {HEX}, or empty."),
    (f"{UC}.brand.status", "GOOD", STATES),
    (f"{UC}.brand", {"sid": "", "status": "APPROVED"}, "Must be left out where sid is empty."),
    (f"{UC}.campaign.sid", "BN" + "a" * 32, f"Must be QE or CM {HEX}, or empty."),
    (f"{UC}.campaign.status", "verified", "Must be a word in capitals, as Twilio's."),
    (f"{UC}.allowed_destinations", "US", 'Must be a list of country codes, or "any".'),
    (f"{UC}.allowed_destinations[1]", "uk", ISO),
    (f"{UC}.allowed_destinations[1]", "KP", "The organization denies this destination."),
    ("workspaces[1]", "Outlet", "Must be a table of fields."),
    ("workspaces", {}, "Not a valid list."),
    ("workspace", [], "Unknown field."),
]
_PLACED_ELSEWHERE = {
    (f"{UC}.senders[0]", "12"): f"{UC}.senders[0].number",
    (f"{UC}.senders[0]", "123456789"): f"{UC}.senders[0].number",
    (f"{UC}.senders[0]", "12025550100"): f"{UC}.senders[0].number",
    (f"{UC}.brand", None): f"{UC}.brand.status",
}


@each(("place", "value", "expected_text"), ONE_FIELD)
def test_a_wrong_field_is_named_by_its_place(
    file: File, place: str, value: Any, expected_text: str, mistakes_of: Mistakes
) -> None:
    file = deepcopy(file)
    put(file, place, value)
    if isinstance(value, dict) and value:
        place = _PLACED_ELSEWHERE[place, value.get("number")]
    assert mistakes_of(file) == [f"{place}: {expected_text}"]


MISSING = [
    ("organization", "Missing data for required field."),
    ("organization.name", "Is needed for an organization that is new."),
    ("organization.access_keys[0].name", "Missing data for required field."),
    ("organization.access_keys[0].role", "Missing data for required field."),
    (f"{WS}.name", NEW_WORKSPACE),
    (f"{WS}.home_country", NEW_WORKSPACE),
    (f"{WS}.twilio.account_sid", "Missing data for required field."),
    (f"{WS}.twilio.auth_token", "Is needed for an account that is new."),
    (f"{UC}.name", "Is needed for a use case that is new."),
    (f"{UC}.messaging_service_sid", "Is needed for a use case that is new."),
    (f"{UC}.senders[0].number", "Missing data for required field."),
    (f"{UC}.senders[0].type", "Missing data for required field."),
    (f"{UC}.brand.sid", "Missing data for required field."),
]


@each(("place", "expected_text"), MISSING)
def test_a_missing_field_is_named_by_its_place(
    file: File, place: str, expected_text: str, mistakes_of: Mistakes
) -> None:
    file = deepcopy(file)
    del file["workspaces"][1]["parent"]
    at(file, place).pop(place.rsplit(".", maxsplit=1)[-1])
    assert mistakes_of(file) == [f"{place}: {expected_text}"]


def test_all_problems_are_reported_in_the_order_of_the_file(
    file: File, mistakes_of: Mistakes
) -> None:
    for place, value in [
        (f"{UC}.senders[0].number", "12"),
        (f"{WS}.twilio.auth_token", "env:NOPE"),
        ("workspaces[1].parent", "Nowhere"),
        (f"{WS}.destinations.KP", "allowed"),
        (f"{KEY}.role", "root"),
        ("organization.colour", "red"),
    ]:
        put(file, place, value)
    file["workspaces"][0]["access_keys"].append({"name": "b", "role": "viewer"})
    file["workspaces"][0]["access_keys"].append({"name": "b", "role": "viewer"})
    assert [mistake.split(":")[0] for mistake in mistakes_of(file)] == [
        "organization.colour",
        "workspaces[0].access_keys[0].role",
        "workspaces[0].access_keys[2].name",
        "workspaces[0].destinations.KP",
        "workspaces[0].twilio.auth_token",
        "workspaces[0].use_cases[0].senders[0].number",
        "workspaces[1].parent",
    ]


def test_a_wrong_country_does_not_move_the_place_of_another_mistake(
    file: File, mistakes_of: Mistakes
) -> None:
    file["workspaces"][0]["use_cases"][0]["allowed_destinations"] = ["xx", "US", "KP"]
    assert mistakes_of(file) == [
        f"{UC}.allowed_destinations[0]: {ISO}",
        f"{UC}.allowed_destinations[2]: The organization denies this destination.",
    ]


def _repeat(file: File, place: str) -> str:
    """Make the file say something twice; the mistake that it is."""
    retail, outlet = file["workspaces"]
    use_cases, senders = retail["use_cases"], retail["use_cases"][0]["senders"]
    match place:
        case "organization.access_keys[1].name":
            file["organization"]["access_keys"].append({"name": "platform", "role": "viewer"})
        case "workspaces[1].name":
            outlet |= {"name": "Retail", "parent": ""}
        case "workspaces[1].id":
            outlet |= {"id": retail["id"], "parent": ""}
        case "workspaces[1].use_cases[0].id":
            outlet["use_cases"] = [use_cases[0] | {"name": "other"}]
            return f"{place}: Stands twice: first at {UC}.id."
        case "workspaces[0].use_cases[1].name":
            use_cases.append(use_cases[0] | {"id": UUID})
        case _:
            senders.append({"number": "+12025550100", "type": "toll_free"})
            return f"{place}: Stands twice: first at {UC}.senders[0].number."
    return f"{place}: Stands twice: first at {place.replace('[1]', '[0]')}."


@each(
    "place",
    [
        *("organization.access_keys[1].name", "workspaces[1].name", "workspaces[1].id"),
        *("workspaces[1].use_cases[0].id", "workspaces[0].use_cases[1].name"),
        f"{UC}.senders[2].number",
    ],
)
def test_duplicates_are_refused(file: File, place: str, mistakes_of: Mistakes) -> None:
    file = deepcopy(file)
    expected_text = _repeat(file, place)
    assert expected_text in mistakes_of(file)


def test_the_name_of_a_use_case_that_is_deleted_by_its_id_is_free(
    file: File, mistakes_of: Mistakes
) -> None:
    use_cases = file["workspaces"][0]["use_cases"]
    use_cases.append({"id": UUID, "name": use_cases[0]["name"], "deleted": True})
    assert mistakes_of(file) == []


def test_one_account_has_one_token(file: File, mistakes_of: Mistakes) -> None:
    account = file["workspaces"][0]["twilio"]["account_sid"]
    file["workspaces"][1]["twilio"] = {"account_sid": account, "auth_token": "another"}
    assert mistakes_of(file) == [
        "workspaces[1].twilio.auth_token: Is not the token given for this account at workspaces[0].twilio.auth_token."
    ]
    del file["workspaces"][1]["twilio"]["auth_token"]
    assert mistakes_of(file) == []


@pytest.mark.parametrize("organization", [None, "Acme", ["Acme"]])
def test_an_organization_that_is_not_a_table_is_reported(
    file: File, organization: object, mistakes_of: Mistakes
) -> None:
    file["organization"] = organization
    (expected_text,) = mistakes_of(file)
    assert expected_text.startswith("organization: ")


def test_parents_may_not_form_a_loop(file: File, mistakes_of: Mistakes) -> None:
    file["workspaces"][0]["parent"] = "Outlet"
    assert mistakes_of(file) == [
        "workspaces[0].parent: Makes the workspace its own ancestor.",
        "workspaces[1].parent: Makes the workspace its own ancestor.",
    ]


def test_a_chain_of_parents_is_at_most_32_long(file: File, mistakes_of: Mistakes) -> None:
    file["workspaces"] = [{"name": "0", "home_country": "US"}] + [
        {"name": str(n), "home_country": "US", "parent": str(n - 1)} for n in range(1, 34)
    ]
    assert mistakes_of(file) == ["workspaces[33].parent: Makes a chain of more than 32 parents."]


def test_a_home_that_the_organization_denies_needs_destinations(
    file: File, mistakes_of: Mistakes
) -> None:
    file["organization"]["denied_destinations"] = ["CA"]
    file["workspaces"][1] |= {"parent": ""}
    file["workspaces"][0]["destinations"] = {"US": "allowed", "CA": "blocked"}
    file["workspaces"][0]["use_cases"][0]["allowed_destinations"] = "any"
    assert mistakes_of(file) == [
        "workspaces[1].home_country: The organization denies this destination: say which are allowed instead."
    ]


def test_deleting_needs_to_know_what(file: File, mistakes_of: Mistakes) -> None:
    file["workspaces"][0]["use_cases"] = [{"deleted": True}]
    assert mistakes_of(file) == [f"{UC}: Needs the id or the name to delete."]


def test_an_account_that_is_taken_away_has_no_token(file: File, mistakes_of: Mistakes) -> None:
    file["workspaces"][0]["twilio"]["account_sid"] = ""
    assert mistakes_of(file) == [
        f"{WS}.twilio.auth_token: Must be left out where account_sid is empty."
    ]


def test_no_mistake_repeats_a_secret_or_a_number(file: File, mistakes_of: Mistakes) -> None:
    file["workspaces"][0]["twilio"]["auth_token"] = "s3cret value"
    file["workspaces"][0]["twilio"]["next_auth_token"] = "s3cret value"
    file["workspaces"][0]["use_cases"][0]["senders"] = [
        {"number": "12025550199", "type": "long_code"},
        {"number": "12025550199", "type": "long_code"},
    ]
    expected_text = "\n".join(mistakes_of(file))
    assert len(expected_text.splitlines()) == 5
    assert "s3cret" not in expected_text
    assert "2025550199" not in expected_text
