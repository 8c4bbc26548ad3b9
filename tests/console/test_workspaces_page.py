"""The pages of workspaces: made, changed, and linked to Twilio by tokens that are never shown."""

import re
from typing import Any

import pytest

from app.access.accounts import WRONG
from app.access.roles import Role
from app.access.tables import audit_events, provider_accounts, workspaces
from support.console import Window, make_person, open_window, signed_in
from support.fake_twilio import refused
from support.tables import snapshot
from support.world import ACCOUNT, AUTH_TOKEN, Gateway, Tenant, World

pytestmark = pytest.mark.one_engine

PATH = "/console/workspaces"
NEW = PATH + "/new"
NEW_ACCOUNT = "AC" + "9" * 32
SECRET = "5" * 32
MARKUP = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def window(gateway: Gateway, world: World, tenant: Tenant) -> Window:
    """The window of an owner of the organization."""
    make_person(world, tenant.organization_id, {None: Role.OWNER})
    window = open_window(gateway)
    window.sign_in()
    return window


def make(window: Window, **form: str) -> Any:
    return window.post(PATH, {"name": "Outlet", "home_country": "CA", **form}, on=NEW)


def change(window: Window, tenant: Tenant, below: str = "", **form: str) -> Any:
    own = f"{PATH}/{tenant.workspace_id}"
    return window.post(own + below, form, on=own)


def stored(world: World, name: str) -> dict[str, Any]:
    return next(row for row in world.rows(workspaces) if row["name"] == name)


def tokens(world: World, sid: str) -> tuple[str | None, str | None]:
    row = next(row for row in world.rows(provider_accounts) if row["sid"] == sid)
    sealed = row["auth_token"], row["next_auth_token"]
    opened = [None if one is None else world.vault.open(sid, one) for one in sealed]
    return opened[0], opened[1]


def deeds(world: World) -> list[str]:
    return [row["action"] for row in world.rows(audit_events) if row["actor_name"] == "Ada Example"]


def problem(page: str, field: str) -> str:
    found = re.search(rf'<small id="{field}-problem"[^>]*>([^<]*)', page)
    assert found is not None, page[-3000:]
    return found.group(1)


def test_a_workspace_is_made_with_its_account(world: World, window: Window) -> None:
    answer = make(window, account_sid=NEW_ACCOUNT, auth_token=SECRET)
    assert answer.status_code == 303
    row = stored(world, "Outlet")
    assert answer.headers["Location"] == f"{PATH}/{row['id']}"
    assert (row["home_country"], row["account_sid"]) == ("CA", NEW_ACCOUNT)
    assert tokens(world, NEW_ACCOUNT) == (SECRET, None)
    assert {"workspace.created", "provider_account.created"} <= set(deeds(world))
    page = window.get(answer.headers["Location"]).text
    assert ("Outlet is created." in page, SECRET in page) == (True, False)
    assert "Outlet" in window.get(PATH).text


@pytest.mark.parametrize(("chosen", "inherits"), [("", True), ("own", False)])
def test_a_workspace_below_another_follows_it_unless_told_otherwise(
    world: World, tenant: Tenant, window: Window, chosen: str, inherits: bool
) -> None:
    make(window, parent_id=str(tenant.workspace_id), destinations=chosen)
    row = stored(world, "Outlet")
    assert (row["parent_id"], row["inherits_destinations"]) == (tenant.workspace_id, inherits)


@pytest.mark.parametrize(
    ("form", "field", "said"),
    [
        ({"name": ""}, "name", "Must have 1 to 200 characters"),
        ({"name": "Retail"}, "name", "Is the name of another workspace"),
        ({"home_country": "XX"}, "home_country", "Must be an ISO 3166-1"),
        ({"account_sid": "AC1"}, "account_sid", "Must be AC and 32 hexadecimal digits."),
        ({"account_sid": NEW_ACCOUNT}, "auth_token", "Is needed for an account that is new."),
        ({"auth_token": SECRET}, "account_sid", "Missing data for required field."),
    ],
)
def test_what_is_wrong_with_a_new_one_stands_beside_its_field(
    world: World, window: Window, form: dict[str, str], field: str, said: str
) -> None:
    answer = make(window, **form)
    assert answer.status_code == 422
    assert said in problem(answer.text, field)
    assert SECRET not in answer.text
    assert len(world.rows(workspaces)) == 1


def test_settings_are_changed_and_what_is_wrong_stands_beside_its_field(
    world: World, tenant: Tenant, window: Window
) -> None:
    given = {"name": "Shops", "home_country": "CA"}
    days = {"body_retention_days": "3", "number_retention_days": "30"}
    assert change(window, tenant, **given, **days).status_code == 303
    row = stored(world, "Shops")
    kept = row["home_country"], row["body_retention_days"], row["number_retention_days"]
    assert kept == ("CA", 3, 30)
    assert "workspace.changed" in deeds(world)
    for field, wrong, said in (
        ("name", "", "Must have 1 to 200"),
        ("body_retention_days", "0", "Must be from 1 to 3650 days."),
        ("number_retention_days", "many", "Not a valid integer."),
    ):
        answer = change(window, tenant, **given | days | {field: wrong})
        assert (answer.status_code, said in problem(answer.text, field)) == (422, True)
    assert stored(world, "Shops") == row


def test_a_token_is_changed_in_two_steps_and_none_is_ever_shown(
    world: World, tenant: Tenant, window: Window
) -> None:
    page = f"{PATH}/{tenant.workspace_id}"
    assert "Remove the next token" not in window.get(page).text
    change(window, tenant, "/account", account_sid=ACCOUNT, next_auth_token=SECRET)
    assert tokens(world, ACCOUNT) == (AUTH_TOKEN, SECRET)
    shown = window.get(page).text
    assert "Token rotation in progress" in shown
    assert SECRET not in shown
    assert AUTH_TOKEN not in shown
    change(window, tenant, "/account", account_sid=ACCOUNT, auth_token=SECRET, forget_next="yes")
    assert tokens(world, ACCOUNT) == (SECRET, None)
    wrong = change(window, tenant, "/account", account_sid=ACCOUNT, auth_token="a b")
    assert "visible ASCII" in problem(wrong.text, "auth_token")
    assert 'value="a b"' not in wrong.text


def test_a_token_that_twilio_does_not_accept_is_refused_at_its_field(
    gateway: Gateway, world: World, tenant: Tenant, window: Window
) -> None:
    given = {"account_sid": NEW_ACCOUNT, "auth_token": SECRET}
    for status, expected in ((401, 422), (500, 503)):
        gateway.twilio.account = lambda *_, status=status: refused(20003, status)
        for answer in (change(window, tenant, "/account", **given), make(window, **given)):
            assert answer.status_code == expected
            assert SECRET not in answer.text
            if expected == 422:
                assert problem(answer.text, "auth_token") == WRONG
    assert [row["sid"] for row in world.rows(provider_accounts)] == [ACCOUNT]


def test_an_account_is_unlinked_and_forgotten(world: World, tenant: Tenant, window: Window) -> None:
    assert change(window, tenant, "/account/unlink").status_code == 303
    assert stored(world, "Retail")["account_sid"] is None
    assert world.rows(provider_accounts) == []
    empty = change(window, tenant, "/account")
    assert problem(empty.text, "account_sid") == "Is needed: the workspace has no account."


def test_a_frozen_workspace_says_why_and_leads_to_its_destinations(
    world: World, tenant: Tenant, window: Window
) -> None:
    frozen = world.tenant(tenant.organization_id, "Sibling")
    world.set(workspaces, frozen.workspace_id, frozen_at=world.now, frozen_reason="an attack")
    page = window.get(f"{PATH}/{frozen.workspace_id}").text
    assert ("suspended" in page, "an attack" in page) == (True, True)
    form = {"workspace_id": str(frozen.workspace_id), "next": "/console/destinations"}
    moved = window.post("/console/move", form, on="/console")
    assert moved.headers["Location"] == "/console/destinations"
    elsewhere = window.post("/console/move", form | {"next": "//evil.example"}, on="/console")
    assert elsewhere.headers["Location"] == "/console"


def test_nobody_but_an_owner_of_the_organization_changes_workspaces(
    gateway: Gateway, world: World, tenant: Tenant
) -> None:
    organization = world.keys(tenant.organization_id, None)
    for key in (organization[Role.ADMIN], tenant.keys[Role.OWNER]):
        window = signed_in(gateway, key)
        before = snapshot(world.database)
        own = f"{PATH}/{tenant.workspace_id}"
        for path in (PATH, own, f"{own}/account", f"{own}/account/unlink"):
            form = {"name": "Mine", "home_country": "CA", "auth_token": SECRET}
            assert window.post(path, form, on="/console").status_code == 403
        assert snapshot(world.database) == before


def test_workspaces_of_another_organization_are_not_found(world: World, window: Window) -> None:
    stranger = world.tenant(world.organization("Other"), "Stranger")
    own = f"{PATH}/{stranger.workspace_id}"
    assert window.get(own).status_code == 404
    assert "Stranger" not in window.get(PATH).text
    for path in (own, f"{own}/account", f"{own}/account/unlink"):
        form = {"name": "Mine", "account_sid": NEW_ACCOUNT, "auth_token": SECRET}
        assert window.post(path, form, on=PATH).status_code == 404
    assert stored(world, "Stranger")["account_sid"] == stranger.account_sid


def test_markup_in_names_stays_text(world: World, tenant: Tenant, window: Window) -> None:
    world.set(workspaces, tenant.workspace_id, name=MARKUP, frozen_at=world.now)
    world.set(workspaces, tenant.workspace_id, frozen_reason=MARKUP)
    for path in (PATH, NEW, f"{PATH}/{tenant.workspace_id}"):
        page = window.get(path).text
        assert "&lt;img src=x" in page
        assert "<img src=x" not in page
