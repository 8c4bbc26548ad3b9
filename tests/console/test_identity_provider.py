"""Signing in at an OpenID Connect provider, against one that the tests start."""

import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3

from app.access.roles import Role
from app.access.tables import audit_events
from app.console.identity_provider import EXCHANGES_AT_ONCE
from app.db.engine import Database
from app.db.vault import Vault
from app.people.tables import users
from app.settings import IdentityProviderSettings
from support.console import Window, make_person, open_window
from support.identity_provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider
from support.patience import PATIENCE_SECONDS, eventually
from support.world import PUBLIC_URL, Gateway, Tenant, World, open_gateway

pytestmark = pytest.mark.one_engine

THERE = "/console/sign-in/oidc"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@pytest.fixture
def gateway(database: Database, vault: Vault, tmp_path: Path, provider: Provider) -> Gateway:
    settings = IdentityProviderSettings(provider.url, CLIENT_ID, CLIENT_SECRET)
    return open_gateway(database, vault, tmp_path, identity_provider=settings)


@pytest.fixture
def window(gateway: Gateway, world: World, tenant: Tenant) -> Window:
    """A window of somebody who has an account without a password."""
    make_person(world, tenant.organization_id, {None: Role.OWNER}, password=None)
    return open_window(gateway)


def sent_back(window: Window) -> str:
    """Go to the provider as a browser does; return where it sends the browser back to."""
    there = window.get(THERE)
    assert there.status_code == 302
    answer = urllib3.request("GET", there.headers["Location"], redirect=False, retries=False)
    back = urlsplit(answer.headers["Location"])
    assert f"{back.scheme}://{back.netloc}" == PUBLIC_URL
    return f"{back.path}?{back.query}"


def test_who_has_an_account_is_let_in(window: Window) -> None:
    assert THERE in window.get("/console/sign-in").text
    answer = window.get(sent_back(window))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console")
    assert "Ada Example" in window.get("/console").text


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
    window: Window, provider: Provider, claims: dict[str, object]
) -> None:
    provider.claims = claims
    answer = window.get(sent_back(window))
    assert (answer.status_code, "did not confirm an account" in answer.text) == (403, True)
    assert window.get("/console").status_code == 302


def test_provider_that_refuses_the_code_is_named_as_broken(
    window: Window, provider: Provider
) -> None:
    provider.broken = True
    assert window.get(sent_back(window)).status_code == 503
    assert window.get("/console").status_code == 302


def test_a_browser_that_did_not_start_there_is_not_let_in(gateway: Gateway, window: Window) -> None:
    back = sent_back(window)
    assert open_window(gateway).get(back).status_code == 403


def test_a_disabled_person_stays_out(window: Window, world: World) -> None:
    world.set(users, world.rows(users)[0]["id"], disabled_at=world.now)
    assert window.get(sent_back(window)).status_code == 403


def test_a_provider_that_is_gone_is_told_as_such(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    with running_provider() as gone:
        settings = IdentityProviderSettings(gone.url, CLIENT_ID, CLIENT_SECRET)
    window = open_window(open_gateway(database, vault, tmp_path, identity_provider=settings))
    answer = window.get(THERE)
    assert (answer.status_code, "is not available" in answer.text) == (503, True)


def test_without_the_setting_there_is_no_such_way(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    window = open_window(open_gateway(database, vault, tmp_path))
    assert THERE not in window.get("/console/sign-in").text
    assert window.get(THERE).status_code == 404


FORGED = ["other_nonce", "strange_key", "other_audience", "other_issuer", "expired", "unsigned"]


@pytest.mark.parametrize("defect", FORGED)
def test_forged_token_is_refused_and_audited(
    window: Window, world: World, provider: Provider, defect: str
) -> None:
    """Leave out `claims_options` or `operation.refuse` in identity_provider.py to see this fail."""
    setattr(provider, defect, True)
    answer = window.get(sent_back(window), X_Request_Id="find-me")
    assert answer.status_code == 403, answer.text
    assert window.get("/console").status_code == 302
    [row] = [r for r in world.rows(audit_events) if r["action"] == "console.sign_in_failed"]
    assert row["target"] == str(world.rows(users)[0]["id"])
    assert row["reason"].startswith("the token of the identity provider is not valid")
    assert row["reason"].endswith("; address 127.0.0.1; request find-me")


def test_forged_tokens_are_limited_by_address(window: Window, world: World) -> None:
    path = f"{THERE}/callback?code=1&state=2"
    assert [window.get(path).status_code for _ in range(22)] == [403] * 20 + [429] * 2
    noted = [r for r in world.rows(audit_events) if r["action"] == "console.sign_in_failed"]
    assert len(noted) == 20


def test_account_is_pinned_to_the_identity_of_its_first_sign_in(
    gateway: Gateway, window: Window, world: World, tenant: Tenant, provider: Provider
) -> None:
    """Leave out `_pin` or the look-up by subject in `_load` to see this fail."""
    make_person(world, tenant.organization_id, {None: Role.OWNER}, "bo@example.com", None)
    assert window.get(sent_back(window)).status_code == 303
    pinned = next(row for row in world.rows(users) if row["email"] == "ada@example.com")
    assert (pinned["identity_issuer"], pinned["identity_subject"]) == (provider.url, "ada")
    provider.subject = "another person who was given Ada's address"
    other = open_window(gateway)
    assert other.get(sent_back(other)).status_code == 403
    # The same person with another address, even that of an account, stays the same person.
    provider.subject = "ada"
    provider.claims = {"email": "bo@example.com", "email_verified": True}
    assert other.get(sent_back(other)).status_code == 303
    ends = [row for row in world.rows(audit_events) if row["action"] == "console.signed_in"]
    assert {row["actor_id"] for row in ends} == {pinned["id"]}


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
    window: Window, provider: Provider, address: str, status: int
) -> None:
    """Use `casefold` in `normal_email` to see this fail."""
    provider.claims = {"email": address, "email_verified": True}
    assert window.get(sent_back(window)).status_code == status


def test_accounts_in_two_organizations_are_chosen_between(
    gateway: Gateway, window: Window, world: World
) -> None:
    second = world.organization("Second")
    make_person(world, second, {None: Role.VIEWER}, password=None)
    page = window.get(sent_back(window))
    assert (page.status_code, "Second" in page.text) == (422, True)
    there = window.get(f"{THERE}?organization_id={second}")
    answer = urllib3.request("GET", there.headers["Location"], redirect=False, retries=False)
    back = urlsplit(answer.headers["Location"])
    assert window.get(f"{back.path}?{back.query}").status_code == 303
    pins = {row["organization_id"]: row["identity_subject"] for row in world.rows(users)}
    assert pins[second] == "ada"
    assert sorted(map(str, pins.values())) == ["None", "ada"]


def test_slow_provider_holds_two_threads_and_callbacks_are_answered(
    window: Window,
    gateway: Gateway,
    tenant: Tenant,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Breaks without turns: leave `acquire` and `release` out of `_step`."""
    monkeypatch.setattr("app.console.identity_provider.SECONDS", PATIENCE_SECONDS)
    sent = gateway.send(tenant).json
    windows = [window, *(open_window(gateway) for _ in range(3))]
    backs = [(each, sent_back(each)) for each in windows]
    answers: list[int] = []

    def come_back(each: Window, path: str) -> None:
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
    assert window.get(sent_back(window)).status_code == 303


def test_answer_by_drops_ends_at_the_deadline(
    window: Window, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when each byte begins the time anew: leave `_TimedAdapter` out of the session."""
    back = sent_back(window)
    provider.drips = threading.Event()
    ended = threading.Timer(PATIENCE_SECONDS / 6, provider.drips.set)
    ended.start()
    monkeypatch.setattr("app.console.identity_provider.SECONDS", 0.5)
    assert window.get(back).status_code == 503
    assert not provider.drips.is_set()  # it was given up
    ended.cancel()
    provider.drips.set()
