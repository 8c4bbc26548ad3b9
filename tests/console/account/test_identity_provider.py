"""Signing in at an OpenID Connect provider, against one that the tests start."""

import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3

from app.access.audit import AuditedChange
from app.access.principal import Role
from app.access.tables import audit_events
from app.console.account.openid import EXCHANGES_AT_ONCE
from app.console.account.sign_in import BY_LINK
from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.clock import utc_now
from app.settings import IdentityProviderSettings
from app.users.sign_in_links import create_sign_in_link
from app.users.store import load_user
from app.users.tables import users
from support.console import ACTOR, Console, make_user, open_console
from support.factories import PUBLIC_URL, Factory, Gateway, Tenant, open_gateway
from support.identity_provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider
from support.polling import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.one_engine

THERE = "/console/sign-in/oidc"


@pytest.fixture
def gateway(database: Database, cipher: Cipher, tmp_path: Path, provider: Provider) -> Gateway:
    settings = IdentityProviderSettings(provider.url, CLIENT_ID, CLIENT_SECRET)
    return open_gateway(database, cipher, tmp_path, identity_provider=settings)


@pytest.fixture
def console(gateway: Gateway, factory: Factory, tenant: Tenant) -> Console:
    """A window of somebody who has an account without a password."""
    make_user(factory, tenant.organization_id, {None: Role.OWNER}, password=None)
    return open_console(gateway)


def sent_back(console: Console) -> str:
    """Go to the provider as a browser does; return where it sends the browser back to."""
    there = console.get(THERE)
    assert there.status_code == 302
    answer = urllib3.request("GET", there.headers["Location"], redirect=False, retries=False)
    back = urlsplit(answer.headers["Location"])
    assert f"{back.scheme}://{back.netloc}" == PUBLIC_URL
    return f"{back.path}?{back.query}"


def test_a_person_with_an_account_is_signed_in(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: send through requests' own adapter, which uses the proxy of the environment."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert THERE in console.get("/console/sign-in").text
    answer = console.get(sent_back(console))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console")
    assert "Ada Example" in console.get("/console").text


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "nobody@example.com", "email_verified": True},
        {"email": "ada@example.com", "email_verified": False},
        {"email": "ada@example.com"},
        {},
    ],
)
def test_identity_without_a_verified_address_of_an_account_is_refused(
    console: Console, provider: Provider, claims: dict[str, object]
) -> None:
    provider.claims = claims
    answer = console.get(sent_back(console))
    assert (answer.status_code, "did not confirm an account" in answer.text) == (403, True)
    assert console.get("/console").status_code == 302


def test_provider_that_refuses_the_code_is_named_as_broken(
    console: Console, provider: Provider
) -> None:
    provider.broken = True
    assert console.get(sent_back(console)).status_code == 503
    assert console.get("/console").status_code == 302


def test_a_browser_that_did_not_start_there_is_not_let_in(
    gateway: Gateway, console: Console
) -> None:
    back = sent_back(console)
    assert open_console(gateway).get(back).status_code == 403


def test_a_disabled_person_stays_out(console: Console, factory: Factory) -> None:
    factory.set(users, factory.rows(users)[0]["id"], disabled_at=factory.now)
    assert console.get(sent_back(console)).status_code == 403


def test_an_unreachable_provider_is_reported(
    database: Database, cipher: Cipher, tmp_path: Path
) -> None:
    with running_provider() as gone:
        settings = IdentityProviderSettings(gone.url, CLIENT_ID, CLIENT_SECRET)
    console = open_console(open_gateway(database, cipher, tmp_path, identity_provider=settings))
    answer = console.get(THERE)
    assert (answer.status_code, "is not available" in answer.text) == (503, True)


def test_without_the_setting_there_is_no_such_way(
    database: Database, cipher: Cipher, tmp_path: Path
) -> None:
    console = open_console(open_gateway(database, cipher, tmp_path))
    assert THERE not in console.get("/console/sign-in").text
    assert console.get(THERE).status_code == 404


FORGED = ["other_nonce", "strange_key", "other_audience", "other_issuer", "expired", "unsigned"]


@pytest.mark.parametrize("defect", FORGED)
def test_forged_token_is_refused_and_audited(
    console: Console, factory: Factory, provider: Provider, defect: str
) -> None:
    """Leave out `claims_options` or `operation.refuse` in identity_provider.py to see this fail."""
    setattr(provider, defect, True)
    answer = console.get(sent_back(console), X_Request_Id="find-me")
    assert answer.status_code == 403, answer.text
    assert console.get("/console").status_code == 302
    [row] = factory.rows(audit_events, action="console.sign_in_failed")
    assert row["target"] == str(factory.rows(users)[0]["id"])
    assert row["reason"].startswith("the token of the identity provider is not valid")
    assert row["reason"].endswith("; address 127.0.0.1; request find-me")


def test_forged_tokens_are_limited_by_address(console: Console, factory: Factory) -> None:
    path = f"{THERE}/callback?code=1&state=2"
    assert [console.get(path).status_code for _ in range(22)] == [403] * 20 + [429] * 2
    noted = factory.rows(audit_events, action="console.sign_in_failed")
    assert len(noted) == 20


def test_account_is_pinned_to_the_identity_of_its_first_sign_in(
    gateway: Gateway, console: Console, factory: Factory, tenant: Tenant, provider: Provider
) -> None:
    """Leave out `_pin` or the look-up by subject in `_load` to see this fail."""
    make_user(factory, tenant.organization_id, {None: Role.OWNER}, "bo@example.com", None)
    assert console.get(sent_back(console)).status_code == 303
    pinned = factory.rows(users, email="ada@example.com")[0]
    assert (pinned["identity_issuer"], pinned["identity_subject"]) == (provider.url, "ada")
    provider.subject = "another person who was given Ada's address"
    other = open_console(gateway)
    assert other.get(sent_back(other)).status_code == 403
    # The same person with another address, even that of an account, stays the same person.
    provider.subject = "ada"
    provider.claims = {"email": "bo@example.com", "email_verified": True}
    assert other.get(sent_back(other)).status_code == 303
    ends = factory.rows(audit_events, action="console.signed_in")
    assert {row["actor_id"] for row in ends} == {pinned["id"]}


def test_a_sign_in_ends_the_link_of_an_invitation(
    console: Console, factory: Factory, tenant: Tenant
) -> None:
    """Break: keep it, and who finds the mail chooses a password for the account."""
    make_user(factory, tenant.organization_id, {None: Role.OWNER}, "bo@example.com", None)
    everyone = factory.rows(users)
    with factory.database.writing() as connection:
        change = AuditedChange(connection, ACTOR, utc_now())
        links = [
            create_sign_in_link(change, load_user(connection, row["id"]))
            for row in sorted(everyone, key=lambda row: row["email"])
        ]

    def over() -> list[bool]:
        return ["expired" in console.get(f"{BY_LINK}?token={link}").text for link in links]

    assert over() == [False, False]
    assert console.get(sent_back(console)).status_code == 303
    assert over() == [True, False]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("ADA@Example.com", 303),
        ("\u00e4da@example.com", 403),
        ("ada@e\u017fample.com", 403),
        ("ada@example.com\u2003", 403),
        ("ada@example.com\x00", 403),
        ("ada@example.co\u212a", 403),
    ],
)
def test_addresses_are_compared_exactly(
    console: Console, provider: Provider, address: str, status: int
) -> None:
    """Use `casefold` in `normal_email` to see this fail."""
    provider.claims = {"email": address, "email_verified": True}
    assert console.get(sent_back(console)).status_code == status


def test_accounts_in_two_organizations_are_chosen_between(
    gateway: Gateway, console: Console, factory: Factory
) -> None:
    second = factory.organization("Second")
    make_user(factory, second, {None: Role.VIEWER}, password=None)
    page = console.get(sent_back(console))
    assert (page.status_code, "Second" in page.text) == (422, True)
    there = console.get(f"{THERE}?organization_id={second}")
    answer = urllib3.request("GET", there.headers["Location"], redirect=False, retries=False)
    back = urlsplit(answer.headers["Location"])
    assert console.get(f"{back.path}?{back.query}").status_code == 303
    pins = {row["organization_id"]: row["identity_subject"] for row in factory.rows(users)}
    assert pins[second] == "ada"
    assert sorted(map(str, pins.values())) == ["None", "ada"]


def test_slow_provider_holds_two_threads_and_callbacks_are_answered(
    console: Console,
    gateway: Gateway,
    tenant: Tenant,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Breaks without turns: leave `acquire` and `release` out of `_step`."""
    monkeypatch.setattr("app.console.account.openid.SECONDS", PATIENCE_SECONDS)
    sent = gateway.send(tenant).json
    windows = [console, *(open_console(gateway) for _ in range(3))]
    backs = [(each, sent_back(each)) for each in windows]
    answers: list[int] = []

    def come_back(each: Console, path: str) -> None:
        answers.append(each.get(path).status_code)

    provider.drips = threading.Event()
    waiting = [threading.Thread(target=come_back, args=back) for back in backs]
    for thread in waiting:
        thread.start()
    eventually(lambda: len(answers) == len(backs) - EXCHANGES_AT_ONCE)
    assert gateway.callback(sent["id"], sent["message_sid"], "sent").status_code == 204
    assert answers == [429] * (len(backs) - EXCHANGES_AT_ONCE)  # the others still wait
    provider.drips.set()
    for thread in waiting:
        thread.join()
    assert sorted(answers) == [429, 429, 503, 503]
    provider.drips = None
    assert console.get(sent_back(console)).status_code == 303


def test_answer_by_drops_ends_at_the_deadline(
    console: Console, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: give the connection a `Deadline` of an hour."""
    back = sent_back(console)
    provider.drips = threading.Event()
    ended = threading.Timer(PATIENCE_SECONDS, provider.drips.set)
    ended.start()
    monkeypatch.setattr("app.console.account.openid.SECONDS", 0.5)
    assert console.get(back).status_code == 503
    assert not provider.drips.is_set()  # it was given up
    ended.cancel()
    provider.drips.set()
