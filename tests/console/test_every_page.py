"""Every page of the console: who sees it, and that no form works without its token."""

import re

import pytest

from app.access.principal import Role
from app.application import declared_endpoints
from app.console.site import CONSOLE_ROUTES
from app.console.ui.guards import SIGN_IN, Anonymous, RequiresRole
from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.ids import new_id
from app.web.html import CONTENT_SECURITY_POLICY
from app.web.routes import Endpoint
from support.console import open_console, signed_in
from support.each import each
from support.factories import Factory, Gateway, Tenant, open_gateway

ENDPOINTS = [endpoint for routes in CONSOLE_ROUTES for endpoint in routes.endpoints]
# The way to an identity provider is none where none is set: test_identity_provider.py goes it.
PAGES = [e for e in ENDPOINTS if e.method == "GET" and "{" not in e.path and "/oidc" not in e.path]
PAGES = [e for e in PAGES if "text/html" in e.answers.values()]
GUARDED = [e for e in ENDPOINTS if not isinstance(e.guard, Anonymous)]


@pytest.fixture(scope="module")
def factory(module_database: Database, cipher: Cipher) -> Factory:
    return Factory(module_database, cipher)


@pytest.fixture(scope="module")
def tenant(factory: Factory) -> Tenant:
    return factory.tenant(factory.organization())


@pytest.fixture(scope="module")
def everywhere(factory: Factory, tenant: Tenant) -> dict[Role, str]:
    """Keys of the tenant's organization."""
    return factory.keys(tenant.organization_id, None)


@pytest.fixture(scope="module")
def gateway(
    module_database: Database, cipher: Cipher, tmp_path_factory: pytest.TempPathFactory
) -> Gateway:
    """The gateway of all tests here, which change nothing."""
    return open_gateway(module_database, cipher, tmp_path_factory.mktemp("instance"))


def name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def path_of(endpoint: Endpoint) -> str:
    return re.sub(r"\{\w+\}", lambda _: str(new_id()), endpoint.path)


def test_every_page_is_declared_below_the_console() -> None:
    assert all(endpoint.path.startswith("/console") for endpoint in ENDPOINTS)
    assert {id(e) for e in ENDPOINTS} <= {id(e) for e in declared_endpoints()}


def test_reading_a_page_changes_nothing() -> None:
    assert {endpoint.method for endpoint in ENDPOINTS} == {"GET", "POST"}


@pytest.mark.one_engine
@each("endpoint", GUARDED, ids=name)
def test_a_stranger_is_asked_to_sign_in(gateway: Gateway, endpoint: Endpoint) -> None:
    console = open_console(gateway)
    path = path_of(endpoint)
    answer = console.get(path) if endpoint.method == "GET" else console.post(path, on=SIGN_IN)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(SIGN_IN)


@pytest.mark.one_engine
@each("endpoint", [e for e in ENDPOINTS if e.method == "POST"], ids=name)
def test_a_form_without_its_token_does_nothing(
    gateway: Gateway, tenant: Tenant, endpoint: Endpoint
) -> None:
    console = signed_in(gateway, tenant.keys[Role.OWNER])
    answer = console.post_without_token(path_of(endpoint))
    assert answer.status_code == 400
    assert "The form has expired" in answer.text


@each("endpoint", PAGES, ids=name)
def test_a_page_is_shown_to_its_roles_and_to_no_other(
    gateway: Gateway, tenant: Tenant, everywhere: dict[Role, str], endpoint: Endpoint
) -> None:
    for keys in (tenant.keys, everywhere):
        for role in Role:
            match endpoint.guard:
                case RequiresRole(wanted, of_organization):
                    is_in_reach = keys is everywhere or not of_organization
                    is_shown = is_in_reach and role.permits(wanted)
                case _:
                    is_shown = True
            answer = signed_in(gateway, keys[role]).get(endpoint.path)
            assert answer.status_code == (200 if is_shown else 403), (role, answer.text[-600:])
            assert answer.mimetype == "text/html"
            assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
            assert answer.headers["Cache-Control"] == "no-store"
            assert "style=" not in answer.text
            assert not re.search(r"<script(?![^>]* src=)|\son\w+=", answer.text)


@pytest.mark.one_engine
@each("endpoint", [e for e in GUARDED if e.method == "POST"], ids=name)
def test_a_form_of_a_smaller_role_or_reach_is_refused(
    gateway: Gateway, tenant: Tenant, everywhere: dict[Role, str], endpoint: Endpoint
) -> None:
    for keys in (tenant.keys, everywhere):
        for role in Role:
            match endpoint.guard:
                case RequiresRole(wanted, of_organization):
                    is_in_reach = keys is everywhere or not of_organization
                    is_enough = is_in_reach and role.permits(wanted)
                case _:
                    pytest.fail("a form that is guarded otherwise")
            if not is_enough:
                console = signed_in(gateway, keys[role])
                answer = console.post(path_of(endpoint), on="/console/account")
                assert answer.status_code == 403, role


@pytest.mark.one_engine
@each("endpoint", [e for e in GUARDED if "{" in e.path], ids=name)
def test_absent_objects_are_not_found(
    gateway: Gateway, everywhere: dict[Role, str], endpoint: Endpoint
) -> None:
    console = signed_in(gateway, everywhere[Role.OWNER])
    path = path_of(endpoint)
    answer = console.get(path) if endpoint.method == "GET" else console.post(path, on="/console")
    assert answer.status_code in {404, 422}, answer.text[-600:]


def test_a_path_that_leads_nowhere_is_a_page_below_the_console_only(gateway: Gateway) -> None:
    lost = gateway.get("/console/nowhere")
    assert (lost.status_code, lost.mimetype) == (404, "text/html")
    assert gateway.get("/nowhere").get_json()["code"] == "NotFound"
