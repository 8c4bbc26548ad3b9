"""The pages of workspaces: made, changed, and linked to Twilio by tokens that are never shown."""

import re
from typing import Any

import pytest

from app.access.accounts import NOT_ACCEPTED
from app.access.principal import Role
from app.access.tables import audit_events, provider_accounts, workspaces
from support.console import Console, signed_in_user
from support.factories import ACCOUNT, AUTH_TOKEN, Factory, Gateway, Tenant
from support.fake_twilio import refused

pytestmark = pytest.mark.one_engine

PATH = "/console/workspaces"
NEW = PATH + "/new"
NEW_ACCOUNT = "AC" + "9" * 32
SECRET = "5" * 32


@pytest.fixture
def console(gateway: Gateway, factory: Factory, tenant: Tenant) -> Console:
    """The window of an owner of the organization."""
    return signed_in_user(gateway, factory, tenant.organization_id, {None: Role.OWNER})


def make(console: Console, **form: str) -> Any:
    return console.post(PATH, {"name": "Outlet", "home_country": "CA", **form}, on=NEW)


def change(console: Console, tenant: Tenant, below: str = "", **form: str) -> Any:
    own = f"{PATH}/{tenant.workspace_id}"
    return console.post(own + below, form, on=own)


def stored(factory: Factory, name: str) -> dict[str, Any]:
    return factory.rows(workspaces, name=name)[0]


def tokens(factory: Factory, sid: str) -> tuple[str | None, str | None]:
    row = factory.rows(provider_accounts, sid=sid)[0]
    encrypted = row["auth_token"], row["next_auth_token"]
    opened = [None if one is None else factory.cipher.decrypt(sid, one) for one in encrypted]
    return opened[0], opened[1]


def audit_trail(factory: Factory) -> list[str]:
    return [row["action"] for row in factory.rows(audit_events, actor_name="Ada Example")]


def problem(page: str, field: str) -> str:
    found = re.search(rf'<small id="{field}-problem"[^>]*>([^<]*)', page)
    assert found is not None, page[-3000:]
    return found.group(1)


def test_a_workspace_is_made_with_its_account(factory: Factory, console: Console) -> None:
    answer = make(console, account_sid=NEW_ACCOUNT, auth_token=SECRET)
    assert answer.status_code == 303
    row = stored(factory, "Outlet")
    assert answer.headers["Location"] == f"{PATH}/{row['id']}"
    assert (row["home_country"], row["account_sid"]) == ("CA", NEW_ACCOUNT)
    assert tokens(factory, NEW_ACCOUNT) == (SECRET, None)
    assert {"workspace.created", "provider_account.created"} <= set(audit_trail(factory))
    page = console.get(answer.headers["Location"]).text
    assert ("Outlet is created." in page, SECRET in page) == (True, False)
    assert "Outlet" in console.get(PATH).text


@pytest.mark.parametrize(("chosen", "inherits"), [("", True), ("own", False)])
def test_a_child_inherits_unless_set_otherwise(
    factory: Factory, tenant: Tenant, console: Console, chosen: str, inherits: bool
) -> None:
    make(console, parent_id=str(tenant.workspace_id), destinations=chosen)
    row = stored(factory, "Outlet")
    assert (row["parent_id"], row["inherits_destinations"]) == (tenant.workspace_id, inherits)


@pytest.mark.parametrize(
    ("form", "field", "expected_text"),
    [
        ({"name": ""}, "name", "Must have 1 to 200 characters"),
        ({"name": "Retail"}, "name", "Is the name of another workspace"),
        ({"home_country": "XX"}, "home_country", "Must be an ISO 3166-1"),
        ({"account_sid": "AC1"}, "account_sid", "Must be AC and 32 hexadecimal digits."),
        ({"account_sid": NEW_ACCOUNT}, "auth_token", "Is needed for an account that is new."),
        ({"auth_token": SECRET}, "account_sid", "Missing data for required field."),
    ],
)
def test_problems_of_a_new_one_are_shown_at_their_field(
    factory: Factory, console: Console, form: dict[str, str], field: str, expected_text: str
) -> None:
    answer = make(console, **form)
    assert answer.status_code == 422
    assert expected_text in problem(answer.text, field)
    assert SECRET not in answer.text
    assert len(factory.rows(workspaces)) == 1


def test_settings_are_changed_and_problems_are_shown_at_their_field(
    factory: Factory, tenant: Tenant, console: Console
) -> None:
    given = {"name": "Shops", "home_country": "CA"}
    days = {"body_retention_days": "3", "number_retention_days": "30"}
    assert change(console, tenant, **given, **days).status_code == 303
    row = stored(factory, "Shops")
    kept = row["home_country"], row["body_retention_days"], row["number_retention_days"]
    assert kept == ("CA", 3, 30)
    assert "workspace.changed" in audit_trail(factory)
    for field, wrong, expected_text in (
        ("name", "", "Must have 1 to 200"),
        ("body_retention_days", "0", "Must be from 1 to 3650 days."),
        ("number_retention_days", "many", "Not a valid integer."),
    ):
        answer = change(console, tenant, **given | days | {field: wrong})
        assert (answer.status_code, expected_text in problem(answer.text, field)) == (422, True)
    assert stored(factory, "Shops") == row


def test_a_token_is_changed_in_two_steps_and_none_is_ever_shown(
    factory: Factory, tenant: Tenant, console: Console
) -> None:
    page = f"{PATH}/{tenant.workspace_id}"
    assert "Remove the next token" not in console.get(page).text
    change(console, tenant, "/account", account_sid=ACCOUNT, next_auth_token=SECRET)
    assert tokens(factory, ACCOUNT) == (AUTH_TOKEN, SECRET)
    shown = console.get(page).text
    assert "Token rotation in progress" in shown
    assert SECRET not in shown
    assert AUTH_TOKEN not in shown
    change(console, tenant, "/account", account_sid=ACCOUNT, auth_token=SECRET, forget_next="yes")
    assert tokens(factory, ACCOUNT) == (SECRET, None)
    wrong = change(console, tenant, "/account", account_sid=ACCOUNT, auth_token="a b")
    assert "visible ASCII" in problem(wrong.text, "auth_token")
    assert 'value="a b"' not in wrong.text


def test_a_token_that_twilio_does_not_accept_is_refused_at_its_field(
    gateway: Gateway, factory: Factory, tenant: Tenant, console: Console
) -> None:
    given = {"account_sid": NEW_ACCOUNT, "auth_token": SECRET}
    for status, expected in ((401, 422), (500, 503)):
        gateway.twilio.account = lambda *_, status=status: refused(20003, status)
        for answer in (change(console, tenant, "/account", **given), make(console, **given)):
            assert answer.status_code == expected
            assert SECRET not in answer.text
            if expected == 422:
                assert problem(answer.text, "auth_token") == NOT_ACCEPTED
    assert [row["sid"] for row in factory.rows(provider_accounts)] == [ACCOUNT]


def test_an_account_is_unlinked_and_forgotten(
    factory: Factory, tenant: Tenant, console: Console
) -> None:
    assert change(console, tenant, "/account/unlink").status_code == 303
    assert stored(factory, "Retail")["account_sid"] is None
    assert factory.rows(provider_accounts) == []
    empty = change(console, tenant, "/account")
    assert problem(empty.text, "account_sid") == "Is needed: the workspace has no account."


def test_a_suspended_workspace_shows_the_reason_and_a_link_to_its_destinations(
    factory: Factory, tenant: Tenant, console: Console
) -> None:
    frozen = factory.tenant(tenant.organization_id, "Sibling")
    factory.set(
        workspaces, frozen.workspace_id, suspended_at=factory.now, suspended_reason="an attack"
    )
    page = console.get(f"{PATH}/{frozen.workspace_id}").text
    assert ("suspended" in page, "an attack" in page) == (True, True)
    form = {"workspace_id": str(frozen.workspace_id), "next": "/console/destinations"}
    moved = console.post("/console/move", form, on="/console")
    assert moved.headers["Location"] == "/console/destinations"
    elsewhere = console.post("/console/move", form | {"next": "//evil.example"}, on="/console")
    assert elsewhere.headers["Location"] == "/console"
