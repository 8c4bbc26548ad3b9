"""Signing in and out: access, answers, and the length of a session."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyotp
import pytest

from app.access.audit import AuditedChange
from app.access.principal import Role
from app.access.store import revoke_key
from app.access.tables import access_keys, audit_events
from app.application import create_app
from app.db.encryption import Cipher
from app.db.engine import Database
from app.users.manage import disable_user
from app.users.second_factor import totp_owner
from app.users.store import find_users
from app.users.tables import sessions, users
from support.console import ACTOR, PASSWORD, Console, make_user, open_console, signed_in
from support.factories import PUBLIC_URL, Factory, Gateway, Tenant
from support.time import ManualClock

pytestmark = pytest.mark.one_engine

NAME = "__Host-borderpost_session"


@pytest.fixture
def person(factory: Factory, tenant: Tenant) -> str:
    """Somebody who is admin of the tenant."""
    make_user(factory, tenant.organization_id, {tenant.workspace_id: Role.ADMIN})
    return "ada@example.com"


@pytest.fixture
def console(gateway: Gateway) -> Console:
    return open_console(gateway)


def is_in(console: Console) -> bool:
    return console.get("/console").status_code == 200


def test_the_right_password_lets_in_and_is_audited(
    factory: Factory, console: Console, person: str
) -> None:
    answer = console.sign_in(person.upper() + " ")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console")
    assert is_in(console)
    audit_trail = factory.rows(audit_events, action="console.signed_in")
    assert [(row["actor_kind"], row["actor_name"]) for row in audit_trail] == [
        ("user", "Ada Example")
    ]


def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http(
    console: Console, person: str
) -> None:
    cookies = console.sign_in(person).headers.getlist("Set-Cookie")
    assert cookies
    for cookie in cookies:
        assert cookie.startswith("__Host-borderpost_")
        for wanted in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            assert wanted in cookie.split("; "), cookie


@pytest.mark.parametrize(
    ("email", "password"),
    [("ada@example.com", "wrong horse battery"), ("nobody@example.com", PASSWORD), ("", "")],
)
def test_anything_else_is_refused_in_the_same_words(
    console: Console, person: str, email: str, password: str
) -> None:
    answer = console.sign_in(email, password)
    assert answer.status_code == 403
    assert "E-mail or password is wrong." in answer.text
    assert not is_in(console)


def test_after_five_wrong_passwords_even_the_right_one_waits(
    console: Console, person: str, clock: ManualClock
) -> None:
    for _ in range(5):
        assert console.sign_in(person, "wrong horse battery").status_code == 403
    assert console.sign_in(person).status_code == 429
    clock.advance(59)
    refused = console.sign_in(person)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    clock.advance(1)
    assert console.sign_in(person).status_code == 303


def test_a_disabled_person_is_out_at_the_next_request_and_cannot_come_back(
    factory: Factory, console: Console, person: str
) -> None:
    console.sign_in(person)
    with factory.database.writing() as c:
        [user] = find_users(c, person)
        assert disable_user(AuditedChange(c, ACTOR, factory.now), user)
    assert not is_in(console)
    assert console.sign_in(person).status_code == 403


def test_an_access_key_lets_in_with_its_role_until_it_is_revoked(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    console = signed_in(gateway, tenant.keys[Role.VIEWER])
    assert "viewer (access key)" in console.get("/console").text
    key_id = next(
        row["id"]
        for row in factory.rows(access_keys)
        if row["workspace_id"] == tenant.workspace_id and row["role"] == "viewer"
    )
    with factory.database.writing() as c:
        revoke_key(c, key_id, factory.now)
    assert not is_in(console)


def test_a_damaged_access_key_is_refused(console: Console, tenant: Tenant) -> None:
    answer = console.sign_in_by_key(tenant.keys[Role.OWNER][:-1] + "!")
    assert answer.status_code == 403


def test_signing_in_again_ends_the_session_before(
    factory: Factory, console: Console, person: str
) -> None:
    console.sign_in(person)
    console.sign_in(person)
    ended = [row["ended_at"] is not None for row in factory.rows(sessions)]
    assert sorted(ended) == [False, True]


def test_signing_out_ends_the_session_itself_with_one_audit_row(
    gateway: Gateway, console: Console, person: str, factory: Factory
) -> None:
    """Break: leave out `_record` in `sign_out_of`, or its condition."""
    console.sign_in(person)
    kept = console.client.get_cookie(NAME, domain="sms.example.com")
    assert kept is not None
    assert console.post("/console/sign-out", on="/console").status_code == 303
    assert console.post("/console/sign-out", on="/console/sign-in").status_code == 303
    rows = factory.rows(audit_events, action="console.signed_out")
    assert [(row["actor_kind"], row["actor_id"]) for row in rows] == [
        ("user", factory.rows(users)[0]["id"])
    ]
    thief = open_console(gateway)
    thief.client.set_cookie(NAME, kept.value, domain="sms.example.com")
    assert not is_in(thief)


@pytest.mark.both_engines
@pytest.mark.parametrize(
    ("steps", "still_in"),
    [([timedelta(hours=2)], False), ([timedelta(hours=1, minutes=59)] * 6, True)],
)
def test_a_session_ends_after_two_hours_without_requests(
    console: Console, person: str, clock: ManualClock, steps: list[timedelta], still_in: bool
) -> None:
    console.sign_in(person)
    for step in steps:
        clock.advance(step.total_seconds())
        assert is_in(console) is still_in


def test_a_session_ends_after_twelve_hours_however_busy(
    console: Console, person: str, clock: ManualClock
) -> None:
    console.sign_in(person)
    for _ in range(11):
        clock.advance(3600)
        assert is_in(console)
    clock.advance(3600)
    assert not is_in(console)


@pytest.mark.both_engines
def test_the_second_factor_is_asked_for_and_each_code_counts_once(
    factory: Factory, cipher: Cipher, gateway: Gateway, person: str, clock: ManualClock
) -> None:
    secret = pyotp.random_base32()
    user_id = factory.rows(users)[0]["id"]
    factory.set(users, user_id, totp_secret=cipher.encrypt(totp_owner(user_id), secret))
    console = open_console(gateway)
    assert console.sign_in(person).headers["Location"] == "/console/sign-in/code"
    assert not is_in(console)
    code = pyotp.TOTP(secret).at(clock.at)
    wrong = console.post("/console/sign-in/code", {"code": "000000" if code != "000000" else "1"})
    assert wrong.status_code == 403
    assert console.post("/console/sign-in/code", {"code": code}).status_code == 303
    assert is_in(console)
    other = open_console(gateway)
    other.sign_in(person)
    assert other.post("/console/sign-in/code", {"code": code}).status_code == 403


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/console/messages?status=failed", "/console/messages?status=failed"),
        ("https://evil.example/console", "/console"),
        ("//evil.example/console", "/console"),
        ("/\\evil.example/console", "/console"),
        ("/v1/sms", "/console"),
    ],
)
def test_a_sign_in_redirects_to_the_wanted_page_and_never_to_another_site(
    console: Console, person: str, wanted: str, location: str
) -> None:
    form = {"email": person, "password": PASSWORD, "next": wanted}
    assert console.post("/console/sign-in", form).headers["Location"] == location


def test_a_form_sent_after_the_end_of_a_session_says_that_nothing_was_saved(
    console: Console, person: str, clock: ManualClock
) -> None:
    """Break: leave out `_page_before`, its test, or `unsaved`."""
    console.sign_in(person)
    page = "/console/guards?suggested=yes"
    form = {"csrf_token": console.token(page)}
    clock.advance(7200)

    def sent(path: str, **headers: str) -> Any:
        named = {"Referer": f"{PUBLIC_URL}{path}"} | headers
        return console.client.post("/console/guards", base_url=PUBLIC_URL, data=form, headers=named)

    answer = sent(page)
    back = "/console/sign-in?next=%2Fconsole%2Fguards%3Fsuggested%3Dyes&unsaved=yes"
    assert (answer.status_code, answer.headers["Location"]) == (302, back)
    part = sent(page, **{"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (204, back)
    shown = console.get(back).text
    assert "You were signed out, and nothing was saved." in shown
    assert f'name="next" value="{page}"' in shown
    assert sent("/console/move").headers["Location"] == "/console/sign-in?next=&unsaved=yes"
    assert "nothing was saved" not in console.get("/console/guards").headers["Location"]


@pytest.mark.both_engines
def test_a_person_moves_only_to_workspaces_of_theirs(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    other = factory.tenant(tenant.organization_id, "Wholesale")
    strange = factory.tenant(tenant.organization_id, "Secret")
    make_user(
        factory,
        tenant.organization_id,
        {tenant.workspace_id: Role.VIEWER, other.workspace_id: Role.ADMIN},
    )
    console = open_console(gateway)
    console.sign_in()
    form = {"workspace_id": str(other.workspace_id)}
    assert console.post("/console/move", form, on="/console").status_code == 303
    page = console.get("/console").text
    assert f'value="{other.workspace_id}" selected' in page
    assert "<small>admin</small>" in page
    form = {"workspace_id": str(strange.workspace_id)}
    assert console.post("/console/move", form, on="/console").status_code == 404
    assert "Secret" not in page


@pytest.mark.both_engines
def test_pages_are_below_the_prefix_of_the_public_url(
    database: Database, gateway: Gateway, tenant: Tenant
) -> None:
    settings = replace(gateway.services.settings, public_url=PUBLIC_URL + "/gw")
    client = create_app(replace(gateway.services, settings=settings)).test_client()
    console = Console(client)
    answer = console.post("/gw/console/sign-in", {"access_key": tenant.keys[Role.OWNER]})
    assert answer.headers["Location"] == "/gw/console"
    assert 'href="/gw/console/messages"' in console.get("/gw/console").text
