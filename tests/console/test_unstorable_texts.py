"""A NUL is refused next to its field in every form, and is stored nowhere."""

import re
from typing import Any

import pytest

from app.access.principal import Role
from app.db.types import metadata
from app.kernel.texts import UNSTORABLE
from app.users.tables import users
from support.console import PASSWORD, Console, signed_in_user
from support.factories import Factory, Gateway, Tenant
from support.forms import forms_of

BAD = "a\x00b"
PAGES = (
    *("/console/destinations", "/console/destinations/rules"),
    *("/console/destinations/inheritance", "/console/use-cases", "/console/opt-outs"),
    *("/console/webhooks", "/console/access-keys", "/console/people/new"),
    *("/console/workspaces/new", "/console/try", "/console/account", "/console/messages"),
    "/console/audit",
)
# They would end the session, or show another workspace.
SKIPPED = {"/console/sign-out", "/console/move"}


@pytest.fixture
def console(gateway: Gateway, factory: Factory, tenant: Tenant) -> Console:
    return signed_in_user(gateway, factory, tenant.organization_id, {None: Role.OWNER})


def stored_texts(factory: Factory) -> list[str]:
    rows: list[dict[str, Any]] = [
        r for table in metadata.sorted_tables for r in factory.rows(table)
    ]
    return [value for row in rows for value in row.values() if isinstance(value, str)]


def test_no_field_of_any_form_takes_a_nul(console: Console, factory: Factory) -> None:
    """Read `reason` by `request.form.get` in confirmation.py to see this fail."""
    failed, tried = [], 0
    for path in PAGES:
        page = console.get(path)
        if page.status_code == 404:
            continue
        for form in forms_of(page.text):
            if form.action in SKIPPED:
                continue
            names = {name for name, _ in form.fields} - {"csrf_token"}
            for name in sorted(names):
                data = dict(form.fields) | {name: BAD}
                is_search = "csrf_token" not in data
                ask = console.client.get if is_search else console.client.post
                sent = {"query_string": data} if is_search else {"data": data}
                answer = ask(form.action, base_url="https://sms.example.com", **sent)
                tried += 1
                if answer.status_code >= 500 or "sign-in" in answer.headers.get("Location", ""):
                    failed.append((path, form.action, name, answer.status_code))
    assert failed == []
    assert tried > 50
    assert [text for text in stored_texts(factory) if "\x00" in text] == []


@pytest.mark.parametrize(
    ("path", "name", "on"),
    [
        ("/console/account/password", "new_password", "/console/account"),
        ("/console/account/password", "current_password", "/console/account"),
        ("/console/sign-in", "email", None),
        ("/console/sign-in", "password", None),
        ("/console/destinations/rules", "reason", None),
        ("/console/destinations", "reason", None),
    ],
)
def test_problem_is_shown_at_its_field(
    console: Console, path: str, name: str, on: str | None
) -> None:
    form = {
        "current_password": PASSWORD,
        "new_password": "another horse battery",
        "kind": "prefix",
        "value": "+1202",
        "action": "blocked",
        "revision": "1",
        "allow": "CA",
        "step": "save",
    }
    answer = console.post(path, form | {name: BAD}, on=on)
    problem = re.search(rf'<small id="[\w-]*{name}-problem"[^>]*>([^<]*)', answer.text)
    assert answer.status_code == 422, answer.text[:400]
    assert problem is not None, answer.text
    assert problem.group(1) == UNSTORABLE


def test_non_ascii_address_is_refused_for_a_new_person(console: Console, factory: Factory) -> None:
    for email in ("\u00e4da@example.com", "bo@ex\u0430mple.com"):
        form = {"email": email, "name": "Bo", "role_everywhere": "viewer"}
        answer = console.post("/console/people", form, on="/console/people/new")
        assert (answer.status_code, "ASCII" in answer.text) == (422, True)
    assert len(factory.rows(users)) == 1
