"""Differences are in the words of the file; secrets and whole numbers never appear."""

from collections.abc import Callable
from typing import Any

import pytest

from app.db.encryption import Cipher
from app.db.engine import Database
from app.provisioning.apply import plan
from support.provisioning import Apply, File

pytestmark = pytest.mark.one_engine


@pytest.fixture
def planned(database: Database, cipher: Cipher, now: Any) -> Callable[..., Any]:
    """Plans data against this test's database."""

    def run(data: object, **environ: str) -> Any:
        return plan(database, cipher, data, environ={"RETAIL_TOKEN": "token"} | environ, now=now)

    return run


def test_new_objects_have_a_plus(file: File, planned: Callable[..., Any]) -> None:
    assert [str(change) for change in planned(file)] == [
        "+ organization: Acme",
        "+ organization.access_keys[0]: platform",
        "+ workspaces[0]: Retail",
        "+ workspaces[0].destinations.BR: blocked",
        "+ workspaces[0].destinations.CA: allowed",
        "+ workspaces[0].destinations.US: allowed",
        "+ workspaces[0].access_keys[0]: backend",
        "+ workspaces[0].twilio: AC" + "a" * 32,
        "+ workspaces[0].use_cases[0]: one-time passwords",
        "+ workspaces[0].use_cases[0].senders[0]: +12*******00",
        "+ workspaces[0].use_cases[0].senders[1]: ACME",
        "+ workspaces[1]: Outlet",
    ]


def test_differences_have_both_values(
    file: File, applied: Apply, planned: Callable[..., Any]
) -> None:
    file["workspaces"][0]["twilio"]["next_auth_token"] = "next"
    applied(file)
    retail, outlet = file["workspaces"]
    file["organization"]["denied_destinations"] = []
    retail["destinations"] = {"US": "blocked", "CA": "allowed", "MX": "allowed"}
    retail["twilio"]["next_auth_token"] = ""
    retail["use_cases"][0] |= {
        "active": False,
        "allowed_destinations": "any",
        "on_unconfirmed": "wait",
    }
    retail["use_cases"][0]["senders"] = [{"number": "ACME", "type": "alphanumeric"}]
    retail["use_cases"][0]["brand"]["status"] = "SUSPENDED"
    outlet |= {"parent": "", "destinations": {}}
    assert [str(change) for change in planned(file, RETAIL_TOKEN="another")] == [
        "~ organization.denied_destinations: KP -> none",
        "- workspaces[0].destinations.BR: blocked",
        "+ workspaces[0].destinations.MX: allowed",
        "~ workspaces[0].destinations.US: allowed -> blocked",
        "~ workspaces[0].twilio.auth_token: changed",
        "- workspaces[0].twilio.next_auth_token",
        "~ workspaces[0].use_cases[0].active: true -> false",
        "~ workspaces[0].use_cases[0].brand.status: APPROVED -> SUSPENDED",
        "~ workspaces[0].use_cases[0].allowed_destinations: CA, US -> any",
        "~ workspaces[0].use_cases[0].on_unconfirmed: resend -> wait",
        "- workspaces[0].use_cases[0].senders: +12*******00",
        "~ workspaces[1].parent: Retail -> nothing",
        "~ workspaces[1].inherits_destinations: true -> false",
        "- workspaces[1].destinations.BR: blocked",
        "- workspaces[1].destinations.CA: allowed",
        "- workspaces[1].destinations.US: allowed",
    ]


def test_programs_read_the_place_the_action_and_the_values(
    file: File, applied: Apply, planned: Callable[..., Any]
) -> None:
    applied(file)
    retail = file["workspaces"][0]
    retail["home_country"] = "CA"
    retail["twilio"]["next_auth_token"] = "next"
    retail["use_cases"] = [{"name": "one-time passwords", "deleted": True}]
    file["workspaces"][1]["parent"] = ""
    file["workspaces"][1]["destinations"] = {"CA": "allowed"}
    found = [change.as_json() for change in planned(file, RETAIL_TOKEN="0123456789abcdef" * 2)]
    retail, outlet = "workspaces[0]", "workspaces[1]"
    change, remove = {"action": "change"}, {"action": "remove"}
    assert found == [
        {"place": retail, **change, "field": "home_country", "from": "US", "to": "CA"},
        {"place": f"{retail}.twilio", **change, "field": "next_auth_token", "to": "changed"},
        {"place": f"{retail}.use_cases[0]", **remove, "from": "one-time passwords"},
        {"place": outlet, **change, "field": "parent", "from": "Retail", "to": None},
        {"place": outlet, **change, "field": "inherits_destinations", "from": True, "to": False},
        {"place": outlet, **remove, "field": "destinations.BR", "from": "blocked"},
        {"place": outlet, **remove, "field": "destinations.US", "from": "allowed"},
    ]
