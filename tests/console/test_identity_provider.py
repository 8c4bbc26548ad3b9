"""Signing in at an OpenID Connect provider, against one that the tests start."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3

from app.access.roles import Role
from app.db.engine import Database
from app.db.vault import Vault
from app.people.tables import users
from app.settings import IdentityProviderSettings
from support.console import Window, make_person, open_window
from support.identity_provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider
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
def test_whom_nobody_vouches_for_is_not(
    window: Window, provider: Provider, claims: dict[str, object]
) -> None:
    provider.claims = claims
    answer = window.get(sent_back(window))
    assert (answer.status_code, "verified e-mail address" in answer.text) == (403, True)
    assert window.get("/console").status_code == 302


@pytest.mark.parametrize("defect", ["other_nonce", "strange_key", "broken"])
def test_a_token_that_is_not_the_providers_lets_nobody_in(
    window: Window, provider: Provider, defect: str
) -> None:
    setattr(provider, defect, True)
    answer = window.get(sent_back(window))
    assert answer.status_code == 503, answer.text
    assert window.get("/console").status_code == 302


def test_a_browser_that_did_not_start_there_is_not_let_in(gateway: Gateway, window: Window) -> None:
    back = sent_back(window)
    assert open_window(gateway).get(back).status_code == 503


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
    assert (answer.status_code, "did not answer as it should" in answer.text) == (503, True)


def test_without_the_setting_there_is_no_such_way(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    window = open_window(open_gateway(database, vault, tmp_path))
    assert THERE not in window.get("/console/sign-in").text
    assert window.get(THERE).status_code == 404
