"""The own account: changing the password, the second factor, ending sessions."""

import pytest

from app.access.roles import Role
from app.access.tables import audit_events
from support.console import PASSWORD, Window, make_person, open_window, signed_in
from support.world import Gateway, Tenant, World

pytestmark = pytest.mark.one_engine

NEW = "another horse battery"


@pytest.fixture
def window(gateway: Gateway, world: World, tenant: Tenant) -> Window:
    """Somebody who is viewer of the tenant, signed in."""
    make_person(world, tenant.organization_id, {tenant.workspace_id: Role.VIEWER})
    window = open_window(gateway)
    window.sign_in()
    return window


def change(window: Window, current: str, new: str) -> tuple[int, str]:
    form = {"current_password": current, "new_password": new}
    answer = window.post("/console/account/password", form, on="/console/account")
    return answer.status_code, answer.text


def test_a_new_password_counts_and_ends_the_other_sessions(
    gateway: Gateway, window: Window, world: World
) -> None:
    other = open_window(gateway)
    other.sign_in()
    assert change(window, PASSWORD, NEW)[0] == 303
    assert "Password changed" in window.get("/console/account").text
    assert other.get("/console").status_code == 302
    assert other.sign_in().status_code == 403
    assert other.sign_in(password=NEW).status_code == 303
    assert "user.password_changed" in [row["action"] for row in world.rows(audit_events)]


@pytest.mark.parametrize(
    ("current", "new", "said"),
    [
        ("wrong", NEW, "Is not your password."),
        (PASSWORD, "short", "Must have 12 to 200 characters."),
        (PASSWORD, "aaaaaaaaaaaaaaaa", "Repeats too few characters."),
        ("", "", "Is not your password."),
    ],
)
def test_what_is_wrong_with_a_password_stands_beside_its_field(
    window: Window, current: str, new: str, said: str
) -> None:
    status, text = change(window, current, new)
    assert (status, said in text) == (422, True)
    assert 'aria-invalid="true"' in text
    assert not (current and f'value="{current}"' in text)


def test_all_other_sessions_can_be_ended(gateway: Gateway, window: Window) -> None:
    other = open_window(gateway)
    other.sign_in()
    window.post("/console/account/sessions/end", on="/console/account")
    assert other.get("/console").status_code == 302
    assert window.get("/console").status_code == 200


def test_an_access_key_has_no_account_to_change(gateway: Gateway, tenant: Tenant) -> None:
    window = signed_in(gateway, tenant.keys[Role.OWNER])
    assert "A key has no password" in window.get("/console/account").text
    answer = window.post("/console/account/sessions/end", on="/console")
    assert answer.status_code == 403
