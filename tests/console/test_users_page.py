"""The pages of people: users are created, get other roles, and are disabled and enabled again."""

import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from app.access.keys import NewAccessKey, create_key
from app.access.principal import Role
from app.access.tables import access_keys
from app.db.encryption import Cipher
from app.kernel.clock import Clock, utc_now
from app.kernel.mail import MailServer
from app.users import passwords
from app.users.manage import LAST_OWNER, YOURSELF
from app.users.passwords import HashSlots
from app.users.sessions import PurgeSessions
from app.users.tables import memberships, sign_in_links, users
from support.console import Console, make_user, open_console, signed_in
from support.factories import PUBLIC_URL, Factory, Gateway, Tenant, open_gateway
from support.smtp_server import SmtpServer
from support.tables import snapshot
from support.threads import together

pytestmark = pytest.mark.one_engine

PATH = "/console/people"
NEW = PATH + "/new"
LINK = "/console/sign-in/link"
NEW_PASSWORD = "another horse battery"
BO = "bo@example.com"
MARKUP = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def ada(factory: Factory, tenant: Tenant) -> UUID:
    """The owner of the organization."""
    return make_user(factory, tenant.organization_id, {None: Role.OWNER})


@pytest.fixture
def console(gateway: Gateway, ada: UUID) -> Console:
    """Ada's window."""
    console = open_console(gateway)
    console.sign_in()
    return console


@pytest.fixture
def bo(factory: Factory, tenant: Tenant) -> UUID:
    """Somebody who is admin of one workspace."""
    return make_user(factory, tenant.organization_id, {tenant.workspace_id: Role.ADMIN}, BO)


def make(console: Console, **form: str) -> Any:
    return console.post(PATH, {"email": BO, "name": "Bo", **form}, on=NEW)


def roles(factory: Factory, user_id: UUID) -> dict[UUID | None, str]:
    rows = factory.rows(memberships, user_id=user_id)
    return {row["workspace_id"]: row["role"] for row in rows}


def user(factory: Factory, email: str = BO) -> dict[str, Any]:
    return factory.rows(users, email=email)[0]


def audit_trail(factory: Factory) -> list[tuple[str, str, str | None]]:
    trail = factory.audit_trail("action", "actor_name", "reason")
    return [one for one in trail if one[0].startswith("user.") and one[1] != "test"]


def link_in(page: str) -> str:
    """The link that a page shows, without the public address."""
    found = re.search(r'<code id="secret"[^>]*>([^<]+)</code>', page)
    assert found is not None
    address, _, path = unescape(found.group(1)).partition("/console/")
    assert address == PUBLIC_URL
    return f"/console/{path}"


def choose(gateway: Gateway, link: str, password: str = NEW_PASSWORD) -> TestResponse:
    """Choose a password through a link, in a window of its own."""
    form = {"token": link.partition("token=")[2], "password": password}
    return open_console(gateway).post(LINK, form, on="/console/sign-in")


def last_sign_in_shown(console: Console) -> str:
    rows = console.get(PATH).text.split("<tr>")
    row = next(row for row in rows if BO in row)
    found = re.search(r'data-label="Last sign-in"><[^>]+>([^<]+)', row)
    assert found is not None
    return found.group(1)


@pytest.mark.both_engines
def test_a_person_is_invited_by_a_link_that_is_shown_once(
    gateway: Gateway, factory: Factory, tenant: Tenant, console: Console
) -> None:
    more = {"more_workspace": str(tenant.workspace_id), "more_role": "sender"}
    answer = make(console, **more)
    assert answer.status_code == 200
    link = link_in(answer.text)
    page = console.get(PATH).text
    assert (BO in page, "sender in Retail" in page, "Invited" in page, link in page) == (
        *(True, True, True),
        False,
    )
    assert roles(factory, user(factory)["id"]) == {tenant.workspace_id: "sender"}
    assert audit_trail(factory) == [
        ("user.created", "Ada Example", "sender in Retail"),
        ("user.link_created", "Ada Example", None),
    ]
    assert last_sign_in_shown(console) == "never"
    theirs = open_console(gateway)
    assert BO in theirs.get(link).text
    form = {"token": link.partition("token=")[2], "password": NEW_PASSWORD}
    assert theirs.post(LINK, form, on=link).status_code == 303
    assert theirs.get("/console").status_code == 200
    assert audit_trail(factory)[2:] == [("user.password_set", "Bo", None)]
    other = open_console(gateway)
    assert other.sign_in(BO, NEW_PASSWORD).status_code == 303
    assert "Invited" not in console.get(PATH).text
    assert last_sign_in_shown(console) != "never"


@pytest.mark.both_engines
def test_a_link_works_once_and_not_after_its_time(
    gateway: Gateway, factory: Factory, console: Console, bo: UUID
) -> None:
    """Break: leave out the time in `UseSignInLink.find`, `_use`, or `drop_sign_in_link`."""

    def reset() -> str:
        form = {"link": "yes"}
        return link_in(console.post(f"{PATH}/{bo}/reset", form, on=f"{PATH}/{bo}").text)

    def is_over(link: str) -> bool:
        before = user(factory)["password_hash"]
        assert "expired" in open_console(gateway).get(link).text
        assert choose(gateway, link).status_code == 403
        return bool(user(factory)["password_hash"] == before)

    link = reset()
    weak = choose(gateway, link, "short")
    assert (weak.status_code, "Must have" in weak.text) == (422, True)
    assert link.partition("token=")[2] not in str(factory.rows(sign_in_links))
    answers = together([lambda: choose(gateway, link).status_code] * 2)
    assert sorted(answers) == [303, 403]
    assert is_over(link)
    of_disabled = reset()
    console.post(f"{PATH}/{bo}/bar", on=f"{PATH}/{bo}")
    assert is_over(of_disabled)
    replaced, newest = reset(), reset()
    for one in (replaced, f"{LINK}?token=x", LINK):
        assert is_over(one)
    factory.write(update(sign_in_links).values(expires_at=utc_now()))
    assert is_over(newest)
    PurgeSessions(factory.database, Clock(lambda: utc_now() + timedelta(days=8)))()
    assert factory.rows(sign_in_links) == []


def test_a_link_says_when_to_try_again_while_too_many_passwords_are_hashed(
    gateway: Gateway, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = link_in(make(console, role_everywhere="viewer").text)
    with monkeypatch.context() as busy:
        busy.setattr(passwords, "_slots", HashSlots(0))
        busy.setattr(passwords, "_MOST_WAITING", 0)
        answer = choose(gateway, link)
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)
    assert choose(gateway, link).status_code == 303


def test_people_of_the_identity_provider_get_no_link(console: Console, factory: Factory) -> None:
    answer = make(console, role_everywhere="viewer", sign_in="provider")
    assert answer.status_code == 200
    assert 'id="secret"' not in answer.text
    assert user(factory)["password_hash"] is None
    assert "identity provider" in console.get(PATH).text


@pytest.mark.parametrize(
    ("form", "field", "expected_text"),
    [
        ({"email": "bo"}, "email", "Must be an e-mail address"),
        ({"email": "ADA@example.com"}, "email", "Another user has this address."),
        ({"name": "a" * 201}, "name", "Must have 1 to 200 characters"),
        ({"role_everywhere": ""}, "roles", "Must belong to a workspace"),
        ({"role_everywhere": "king"}, "roles", "Must be one of: viewer"),
        ({"role_nowhere": "owner"}, "roles", "There is no such workspace."),
        ({"more_role": "viewer"}, "more_workspace", "Select a workspace and a role"),
        ({"sign_in": "magic"}, "sign_in", "Must be one of: link, provider."),
    ],
)
def test_problems_are_shown_at_their_field(
    console: Console, factory: Factory, form: dict[str, str], field: str, expected_text: str
) -> None:
    answer = make(console, **{"role_everywhere": "viewer"} | form)
    problem = re.search(rf'<small id="{field}-problem"[^>]*>([^<]*)', answer.text)
    assert answer.status_code == 422
    assert problem is not None
    assert expected_text in problem.group(1)
    assert len(factory.rows(users)) == 1
    assert 'name="csrf_token"' in answer.text


def test_roles_are_changed_and_count_at_the_next_request(
    gateway: Gateway, factory: Factory, tenant: Tenant, console: Console, bo: UUID
) -> None:
    sibling = factory.tenant(tenant.organization_id, "Sibling")
    theirs = open_console(gateway)
    theirs.sign_in(BO)
    assert theirs.get("/console/audit").status_code == 200
    form = {
        f"role_{tenant.workspace_id}": "viewer",
        "more_workspace": str(sibling.workspace_id),
        "more_role": "admin",
    }
    answer = console.post(f"{PATH}/{bo}/roles", form, on=f"{PATH}/{bo}")
    assert answer.status_code == 303
    assert roles(factory, bo) == {tenant.workspace_id: "viewer", sibling.workspace_id: "admin"}
    assert theirs.get("/console/audit").status_code == 403
    assert audit_trail(factory) == [
        ("user.roles_changed", "Ada Example", "admin in Sibling, viewer in Retail")
    ]


def test_no_role_in_another_organization_is_given(
    factory: Factory, tenant: Tenant, console: Console, bo: UUID
) -> None:
    stranger = factory.tenant(factory.organization("Other"), "Stranger")
    form = {f"role_{stranger.workspace_id}": "owner"}
    answer = console.post(f"{PATH}/{bo}/roles", form, on=f"{PATH}/{bo}")
    assert (answer.status_code, "There is no such workspace." in answer.text) == (422, True)
    assert roles(factory, bo) == {tenant.workspace_id: "admin"}


def test_a_disabled_user_has_no_access_until_reset(
    gateway: Gateway, factory: Factory, console: Console, bo: UUID
) -> None:
    theirs = open_console(gateway)
    theirs.sign_in(BO)
    console.post(f"{PATH}/{bo}/bar", on=f"{PATH}/{bo}")
    assert theirs.get("/console").status_code == 302
    assert theirs.sign_in(BO).status_code == 403
    page = console.get(f"{PATH}/{bo}").text
    assert ("Disabled" in page, "Re-enable" in page) == (True, True)
    answer = console.post(f"{PATH}/{bo}/reset", {"link": "yes"}, on=f"{PATH}/{bo}")
    assert theirs.sign_in(BO).status_code == 403
    assert choose(gateway, link_in(answer.text)).status_code == 303
    assert theirs.sign_in(BO, NEW_PASSWORD).status_code == 303
    done = [(action, who) for action, who, _ in audit_trail(factory)]
    assert done == [
        ("user.disabled", "Ada Example"),
        ("user.reset", "Ada Example"),
        ("user.link_created", "Ada Example"),
        ("user.password_set", "Ada Example"),
    ]


def test_neither_the_last_owner_nor_oneself_can_be_disabled(
    gateway: Gateway, factory: Factory, tenant: Tenant, console: Console, ada: UUID
) -> None:
    own = f"{PATH}/{ada}"
    assert "This is you." in console.get(own).text
    disabled = console.post(f"{own}/bar", on=own)
    assert (disabled.status_code, YOURSELF in disabled.text) == (422, True)
    less = console.post(f"{own}/roles", {"role_everywhere": "admin"}, on=own)
    assert (less.status_code, LAST_OWNER in less.text) == (422, True)
    by_key = signed_in(gateway, factory.keys(tenant.organization_id, None)[Role.OWNER])
    last = by_key.post(f"{own}/bar", on=own)
    assert (last.status_code, LAST_OWNER in last.text) == (422, True)
    assert roles(factory, ada) == {None: "owner"}
    assert user(factory, "ada@example.com")["disabled_at"] is None


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("", {"email": "new@example.com", "role_everywhere": "viewer"}),
        ("/{bo}/roles", {"role_everywhere": "viewer"}),
        ("/{bo}/bar", {}),
        ("/{bo}/reset", {}),
    ],
)
def test_a_change_that_cannot_be_noted_is_not_made(
    factory: Factory,
    console: Console,
    bo: UUID,
    *,
    path: str,
    form: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise RuntimeError("the audit cannot be written")

    before = snapshot(factory.database)
    monkeypatch.setattr("app.access.audit.new_id", fail)
    assert console.post(PATH + path.format(bo=bo), form, on=NEW).status_code == 500
    assert snapshot(factory.database) == before


def test_markup_in_names_stays_text(console: Console, factory: Factory, tenant: Tenant) -> None:
    factory.tenant(tenant.organization_id, MARKUP)
    answer = make(console, name=MARKUP, role_everywhere="viewer")
    made = user(factory)["id"]
    for page in (answer.text, console.get(PATH).text, console.get(f"{PATH}/{made}").text):
        assert "&lt;img src=x" in page
        assert "<img src=x" not in page


@pytest.mark.both_engines
def test_an_expiring_owner_key_cannot_give_lasting_access(
    gateway: Gateway, factory: Factory, tenant: Tenant, ada: UUID, bo: UUID
) -> None:
    """Break: leave out `_check_lasts` in `create_user` or `change_roles`, or it in `reset_user`."""
    with factory.database.writing() as c:
        made = create_key(
            c, tenant.organization_id, NewAccessKey("until tomorrow", Role.OWNER), factory.now
        )
    for end in (factory.now + timedelta(days=1), None):
        factory.set(access_keys, made.row.id, expires_at=end)
        console = signed_in(gateway, made.token)
        before = factory.rows(users), factory.rows(memberships)
        for answer, status in (
            (make(console, email="cy@example.com", role_everywhere="owner"), 200),
            (
                console.post(f"{PATH}/{bo}/roles", {"role_everywhere": "owner"}, on=f"{PATH}/{bo}"),
                303,
            ),
            (console.post(f"{PATH}/{bo}/reset", on=f"{PATH}/{bo}"), 200),
        ):
            assert answer.status_code == (422 if end else status)
            assert ("Your own access key expires at" in answer.text) == bool(end)
        assert ((factory.rows(users), factory.rows(memberships)) == before) == bool(end)


@pytest.mark.both_engines
def test_a_link_is_mailed_where_a_server_is_set_and_else_shown(
    factory: Factory, tenant: Tenant, cipher: Cipher, tmp_path: Path, ada: UUID
) -> None:
    """Break: show the link though it was mailed, or hide it though it was not."""
    with SmtpServer(leaves_early=True) as server:
        mail = MailServer("127.0.0.1", server.port, "bp@example.com", needs_starttls=False)
        gateway = open_gateway(factory.database, cipher, tmp_path, mail=mail)
        console = open_console(gateway)
        console.sign_in()
        mailed = make(console, role_everywhere="viewer")
        assert ("was mailed to" in mailed.text, 'id="secret"' in mailed.text) == (True, False)
        (message,) = server.mails
        found = re.search(r"/console/sign-in/link\S+", message.get_content())
        assert found is not None
        assert message["To"] == BO
        assert choose(gateway, found.group(0)).status_code == 303
        server.refusals.append("554 no")
        shown = make(console, email="cy@example.com", role_everywhere="viewer")
        assert "The mail could not be sent." in shown.text
        several = make_user(factory, tenant.organization_id, {None: Role.VIEWER}, "a@b.net")
        factory.set(users, several, email="a@b.net,c@d.net")  # as an older version accepted it
        path = f"{PATH}/{several}"
        reset = console.post(f"{path}/reset", {"link": "yes"}, on=path)
        assert "The mail could not be sent." in reset.text
        assert len(server.mails) == 1
        assert choose(gateway, link_in(shown.text)).status_code == 303
