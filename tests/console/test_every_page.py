"""Every page of the console: who sees it, and that no form works without its token."""

import re
from typing import Any

import pytest
from sqlalchemy import func, update

from app.access.principal import Role
from app.access.tables import access_keys, audit_events, workspaces
from app.application import declared_endpoints
from app.console.site import CONSOLE_ROUTES
from app.console.ui.guards import SIGN_IN, Anonymous, RequiresRole
from app.db.encryption import Cipher
from app.db.engine import Database
from app.destinations.tables import destination_revisions, destination_rules
from app.kernel.clock import Clock, utc_now
from app.kernel.ids import new_id
from app.messages.tables import messages
from app.use_cases.tables import opt_outs, use_cases
from app.users.tables import users
from app.web.routes import CONTENT_SECURITY_POLICY, Endpoint
from app.webhooks.tables import webhook_endpoints
from support.console import Console, make_user, open_console, signed_in
from support.each import each
from support.factories import SERVICE_SID, Factory, Gateway, Tenant, open_gateway
from support.forms import forms_of
from support.routes import RECIPES, Ids, answer_checks, fill, ids_of
from support.tables import unchanged
from support.webhooks import HOOK

ENDPOINTS = [endpoint for routes in CONSOLE_ROUTES for endpoint in routes.endpoints]
# The way to an identity provider is none where none is set: test_identity_provider.py goes it.
PAGES = [e for e in ENDPOINTS if e.method == "GET" and "{" not in e.path and "/oidc" not in e.path]
PAGES = [e for e in PAGES if "text/html" in e.answers.values()]
GUARDED = [e for e in ENDPOINTS if not isinstance(e.guard, Anonymous)]
# The ids of objects stand in these paths; a revision is a number of the own workspace's.
OBJECTS = [e for e in GUARDED if "{" in e.path and "{revision}" not in e.path]
# Reading takes a viewer and changing an admin, but for these; owners are those of the organization.
OTHER_ROLES = {
    Role.VIEWER: r"POST /console/(move|account/.*)",
    Role.SENDER: r"POST /console/try",
    Role.ADMIN: r"GET /console/(audit|access-keys).*",
    Role.OWNER: r"POST /console/prices|(GET|POST) /console/(workspaces|people).*",
}
ACCOUNT = "/console/account"
INERT = '<script>alert(1)</script>"><img src=x onerror=alert(2)><b onclick=x>'
# What others wrote, as far as pages show it.
TEXTS: dict[Any, list[str]] = {
    workspaces: ["name", "suspended_reason"],
    use_cases: [
        *("name", "messaging_service_sid", "brand_sid", "brand_status"),
        *("campaign_sid", "campaign_status"),
    ],
    access_keys: ["name"],
    users: ["name"],
    webhook_endpoints: ["url", "disabled_reason"],
    opt_outs: ["source"],
    messages: ["body", "from_number"],
    destination_rules: ["reason"],
    destination_revisions: ["reason", "actor_name"],
    audit_events: ["reason", "target", "actor_name"],
}
# Every field of every form with a value that it takes.
FORM = {
    "name": "Mine",
    "home_country": "CA",
    "account_sid": "AC" + "9" * 32,
    "auth_token": "5" * 32,
    "email": "new@example.com",
    "role_everywhere": "viewer",
    "number": "ACME",
    "messaging_service_sid": SERVICE_SID,
    "reach": "everywhere",
    "on_unconfirmed": "wait",
    "type": "alphanumeric",
    "url": HOOK,
    "events": ["sms.sent"],
    "active": "false",
}


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
    """The gateway of all tests here, which change nothing.

    Its time stands still: a minute after a key was made, its next use would be written.
    """
    moment = utc_now()
    instance = tmp_path_factory.mktemp("instance")
    gateway = open_gateway(module_database, cipher, instance, clock=Clock(lambda: moment))
    answer_checks(gateway)
    return gateway


@pytest.fixture(scope="module")
def visitors(gateway: Gateway, tenant: Tenant, everywhere: dict[Role, str]) -> dict[str, Console]:
    """A window of each key of the tenant and of its organization."""
    keys = (*tenant.keys.values(), *everywhere.values())
    return {key: signed_in(gateway, key) for key in keys}


def objects_of(gateway: Gateway, factory: Factory, tenant: Tenant, email: str) -> Ids:
    """The ids of one object of each kind, all of them of one workspace."""
    user_id = make_user(factory, tenant.organization_id, {None: Role.OWNER}, email)
    ids = ids_of(tenant) | {"user_id": str(user_id)}
    for recipe in RECIPES.values():
        ids |= recipe.prepare(gateway, tenant)
    return ids


@pytest.fixture(scope="module")
def own(gateway: Gateway, factory: Factory, tenant: Tenant) -> Ids:
    return objects_of(gateway, factory, tenant, "own@example.com")


@pytest.fixture(scope="module")
def strangers(
    gateway: Gateway, factory: Factory, tenant: Tenant, everywhere: dict[Role, str]
) -> list[tuple[str, Ids]]:
    """Owners' keys, each with objects that do not exist for it."""
    sibling = factory.tenant(tenant.organization_id, "Sibling")
    other = factory.tenant(factory.organization("Other"), "Other")
    return [
        (tenant.keys[Role.OWNER], objects_of(gateway, factory, sibling, "sibling@example.com")),
        (everywhere[Role.OWNER], objects_of(gateway, factory, other, "other@example.com")),
    ]


def name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def path_of(endpoint: Endpoint) -> str:
    return re.sub(r"\{\w+\}", lambda _: str(new_id()), endpoint.path)


def is_permitted(endpoint: Endpoint, role: Role, *, of_organization: bool) -> bool:
    match endpoint.guard:
        case RequiresRole(wanted, needs_organization):
            return role.permits(wanted) and (of_organization or not needs_organization)
        case _:
            return True


def test_a_viewer_reads_and_an_admin_changes() -> None:
    """Break: declare another role for a page."""
    for endpoint in GUARDED:
        usual = Role.VIEWER if endpoint.method == "GET" else Role.ADMIN
        named = [r for r, paths in OTHER_ROLES.items() if re.fullmatch(paths, name(endpoint))]
        role = named[-1] if named else usual
        assert endpoint.guard == RequiresRole(role, role is Role.OWNER), name(endpoint)


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
    visitors: dict[str, Console], tenant: Tenant, endpoint: Endpoint
) -> None:
    answer = visitors[tenant.keys[Role.OWNER]].post_without_token(path_of(endpoint))
    assert answer.status_code == 400
    assert "The form has expired" in answer.text


@each("endpoint", [*PAGES, *(e for e in OBJECTS if e.method == "GET")], ids=name)
def test_a_page_is_shown_to_its_roles_with_forms_that_they_may_submit(
    visitors: dict[str, Console],
    tenant: Tenant,
    everywhere: dict[Role, str],
    own: Ids,
    endpoint: Endpoint,
) -> None:
    for keys in (tenant.keys, everywhere):
        for role in Role:
            of_organization = keys is everywhere
            is_shown = is_permitted(endpoint, role, of_organization=of_organization)
            answer = visitors[keys[role]].get(fill(endpoint.path, own))
            assert answer.status_code == (200 if is_shown else 403), (role, answer.text[-600:])
            assert answer.mimetype == "text/html"
            assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
            assert answer.headers["Cache-Control"] == "no-store"
            assert "style=" not in answer.text
            assert not re.search(r"<script(?![^>]* src=)|\son\w+=", answer.text)
            offered = [f for f in forms_of(answer.text) if f.buttons and f.values("csrf_token")]
            for form in offered:
                path = re.split(r"[?#]", form.action)[0]
                (of,) = [e for e in ENDPOINTS if e.method == "POST" and leads_to(e, path)]
                assert is_permitted(of, role, of_organization=of_organization), (role, path)


def leads_to(endpoint: Endpoint, path: str) -> bool:
    pattern = re.sub(r"\{\w+\}", r"[0-9a-f-]+", endpoint.path)
    return re.fullmatch(pattern, path) is not None


@pytest.mark.one_engine
@each("endpoint", [e for e in GUARDED if e.method == "POST"], ids=name)
def test_a_form_of_a_smaller_role_or_reach_is_refused(
    visitors: dict[str, Console], tenant: Tenant, everywhere: dict[Role, str], endpoint: Endpoint
) -> None:
    for keys in (tenant.keys, everywhere):
        for role in Role:
            if not is_permitted(endpoint, role, of_organization=keys is everywhere):
                answer = visitors[keys[role]].post(path_of(endpoint), on=ACCOUNT)
                assert answer.status_code == 403, role


@pytest.mark.one_engine
@each("endpoint", OBJECTS, ids=name)
def test_an_object_of_others_is_not_found(
    visitors: dict[str, Console],
    factory: Factory,
    strangers: list[tuple[str, Ids]],
    endpoint: Endpoint,
) -> None:
    """Break: leave the workspace or the organization out of the look-up of an object."""
    for key, theirs in strangers:
        console = visitors[key]
        path = fill(endpoint.path, theirs)
        if endpoint.method == "GET":
            assert console.get(path).status_code in {403, 404}
        else:
            form = FORM | {"csrf_token": console.token(ACCOUNT)}
            with unchanged(factory.database):
                assert console.post_without_token(path, form).status_code in {403, 404}


@pytest.mark.one_engine
@each("page", PAGES, ids=name)
def test_a_list_shows_no_object_of_others(
    visitors: dict[str, Console], strangers: list[tuple[str, Ids]], page: Endpoint
) -> None:
    for key, theirs in strangers:
        text = visitors[key].get(page.path).text
        assert [name for name, value in theirs.items() if len(value) > 30 and value in text] == []


@pytest.mark.one_engine
@each("endpoint", [e for e in GUARDED if "{" in e.path], ids=name)
def test_absent_objects_are_not_found(
    visitors: dict[str, Console], everywhere: dict[Role, str], endpoint: Endpoint
) -> None:
    console = visitors[everywhere[Role.OWNER]]
    path = path_of(endpoint)
    answer = console.get(path) if endpoint.method == "GET" else console.post(path, on=ACCOUNT)
    assert answer.status_code in {404, 422}, answer.text[-600:]


def markup_in(page: str) -> list[str]:
    return [one for one in ("<script>", "<img src=x", "<b onclick") if one in page]


@pytest.mark.one_engine
def test_markup_that_somebody_wrote_stays_text(gateway: Gateway, factory: Factory) -> None:
    """Break: mark a text of a template as safe."""
    tenant = factory.tenant(factory.organization("Markup"), "Markup")
    ids = objects_of(gateway, factory, tenant, "markup@example.com")
    # By which column rows are the tenant's: the first that a table has.
    own = {"workspace_id": tenant.workspace_id, "organization_id": tenant.organization_id}
    factory.set(workspaces, tenant.workspace_id, suspended_at=factory.now)
    texts = {f"{table.name}.{name}": table for table, names in TEXTS.items() for name in names}
    for place, table in texts.items():
        column = table.c[place.partition(".")[2]]
        mine = [table.c[name] == value for name, value in own.items() if name in table.c]
        text = func.coalesce(column, "") + f"{INERT}{place}"
        factory.write(update(table).where(mine[0]).values({column: text}))
    console = signed_in(gateway, factory.keys(tenant.organization_id, None)[Role.OWNER])
    token = {"csrf_token": console.token(ACCOUNT)}
    shown = ""
    for page in (*PAGES, *(e for e in OBJECTS if e.method == "GET")):
        text = console.get(fill(page.path, ids)).text
        assert markup_in(text) == [], page.path
        shown += text
        for form in forms_of(text):
            path = re.split(r"[?#]", form.action)[0]
            wrong = {name: INERT for name, _ in form.fields if name != "csrf_token"}
            if form.buttons and (wrong or path.endswith("/rotate")):
                for filled in (wrong, wrong | FORM | {"name": INERT}):
                    answer = console.post_without_token(path, filled | token)
                    assert markup_in(answer.text) == [], path
                    assert "The form has expired" not in answer.text, path
                    shown += answer.text
    assert [place for place in texts if f"&lt;b onclick=x&gt;{place}" not in shown] == []


def test_a_path_that_leads_nowhere_is_a_page_below_the_console_only(gateway: Gateway) -> None:
    lost = gateway.get("/console/nowhere")
    assert (lost.status_code, lost.mimetype) == (404, "text/html")
    assert gateway.get("/nowhere").get_json()["code"] == "NotFound"
