"""The own account: changing the password, the second factor, ending sessions."""

import re

import pytest

from app.access.principal import Role
from app.access.tables import audit_events
from support.console import PASSWORD, Console, open_console, signed_in, signed_in_user
from support.factories import Factory, Gateway, Tenant

pytestmark = pytest.mark.one_engine

NEW = "another horse battery"


@pytest.fixture
def console(gateway: Gateway, factory: Factory, tenant: Tenant) -> Console:
    """Somebody who is viewer of the tenant, signed in."""
    return signed_in_user(
        gateway, factory, tenant.organization_id, {tenant.workspace_id: Role.VIEWER}
    )


def change(console: Console, current: str, new: str) -> tuple[int, str]:
    form = {"current_password": current, "new_password": new}
    answer = console.post("/console/account/password", form, on="/console/account")
    return answer.status_code, answer.text


def test_a_new_password_counts_and_ends_the_other_sessions(
    gateway: Gateway, console: Console, factory: Factory
) -> None:
    other = open_console(gateway)
    other.sign_in()
    assert change(console, PASSWORD, NEW)[0] == 303
    assert "Password changed" in console.get("/console/account").text
    assert other.get("/console").status_code == 302
    assert other.sign_in().status_code == 403
    assert other.sign_in(password=NEW).status_code == 303
    assert "user.password_changed" in [row["action"] for row in factory.rows(audit_events)]


@pytest.mark.parametrize(
    ("current", "new", "expected_text"),
    [
        ("wrong", NEW, "Is not your password."),
        (PASSWORD, "short", "Must have 12 to 200 characters."),
        (PASSWORD, "aaaaaaaaaaaaaaaa", "Repeats too few characters."),
        ("", "", "Is not your password."),
    ],
)
def test_problems_of_a_password_are_shown_at_its_field(
    console: Console, current: str, new: str, expected_text: str
) -> None:
    status, text = change(console, current, new)
    assert (status, expected_text in text) == (422, True)
    assert 'aria-invalid="true"' in text
    assert not (current and f'value="{current}"' in text)


def test_sessions_show_their_device_and_address(gateway: Gateway, console: Console) -> None:
    """Break: give `begin_session` another caller in `SignIn.let_in`."""
    agents = {
        "192.0.2.7": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko Firefox/128.0",
        "192.0.2.8": "Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile Safari/537.36 Edg/126.0",
        "192.0.2.9": "<b>a robot</b>",
    }
    for address, agent in agents.items():
        window = open_console(gateway, address)
        form = {"email": "ada@example.com", "password": PASSWORD}
        window.post("/console/sign-in", form, headers={"User-Agent": agent})
    text = " ".join(re.sub(r"<[^>]+>", " ", console.get("/console/account").text).split())
    devices = ("Firefox on Windows", "Edge on Android", "Unknown device")
    for address, device in zip(agents, devices, strict=True):
        assert f"{device} at {address}" in text


def test_all_other_sessions_can_be_ended(gateway: Gateway, console: Console) -> None:
    other = open_console(gateway)
    other.sign_in()
    console.post("/console/account/sessions/end", on="/console/account")
    assert other.get("/console").status_code == 302
    assert console.get("/console").status_code == 200


def test_an_access_key_has_no_account_to_change(gateway: Gateway, tenant: Tenant) -> None:
    console = signed_in(gateway, tenant.keys[Role.OWNER])
    assert "A key has no password" in console.get("/console/account").text
    answer = console.post("/console/account/sessions/end", on="/console")
    assert answer.status_code == 403
