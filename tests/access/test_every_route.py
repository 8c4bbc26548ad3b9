"""All routes x all roles x whose key it is: what each declared access rule means through HTTP."""

from collections.abc import Iterator
from itertools import count

import pytest
from werkzeug.test import TestResponse

from app.access.guard import Requires, RequiresLater
from app.access.principal import Role
from app.application import declared_endpoints
from app.console.site import CONSOLE_ROUTES
from app.web.routes import Endpoint
from support.each import each
from support.related_tenants import Tenants
from support.routes import RECIPES, Ids, Recipe, absent_ids, fill, ids_of

ENDPOINTS = [e for e in declared_endpoints() if (e.method, e.path) in RECIPES]
PAGES = {(e.method, e.path) for routes in CONSOLE_ROUTES for e in routes.endpoints}
KEYED = [e for e in ENDPOINTS if isinstance(e.guard, Requires | RequiresLater)]
ADDRESSES = count()
OPEN = [e for e in ENDPOINTS if e not in KEYED]
# Reading takes a viewer and changing an admin, but for these.
OTHER_ROLES = {
    "POST /v1/sms": "sender",
    "POST /v1/sms/{message_id}/feedback": "sender",
    "GET /v1/audit-events": "admin",
    "POST /v1/workspaces": "owner",
    "PATCH /v1/workspaces/{workspace_id}": "owner",
    "POST /workspaces/{workspace_id}/destination-management/capability/{capability}/check": "viewer",
}


def name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def recipe_of(endpoint: Endpoint) -> Recipe:
    return RECIPES[endpoint.method, endpoint.path]


def ask(tenants: Tenants, endpoint: Endpoint, ids: Ids, authorization: str | None) -> TestResponse:
    headers = {"X-Request-Id": "same"}
    if authorization is not None:
        headers["Authorization"] = authorization
    # Each request comes from another address: wrong keys of one address are limited. All are
    # loopback, since without a token the metrics are answered to this machine alone.
    address = f"127.0.{next(ADDRESSES) // 256 % 256}.{next(ADDRESSES) % 256}"
    return tenants.gateway.client.open(
        fill(endpoint.path, ids),
        environ_overrides={"REMOTE_ADDR": address},
        method=endpoint.method,
        json=recipe_of(endpoint).body(ids),
        headers=headers,
    )


def with_key(tenants: Tenants, endpoint: Endpoint, ids: Ids, token: str) -> TestResponse:
    return ask(tenants, endpoint, ids, f"AccessKey {token}")


def prepared(tenants: Tenants, endpoint: Endpoint) -> Ids:
    """Ids of objects of the family's own tenant, made for one call."""
    return ids_of(tenants.own) | recipe_of(endpoint).prepare(tenants.gateway, tenants.own)


def strange_keys(tenants: Tenants) -> Iterator[tuple[str, dict[Role, str]]]:
    """Keys for which the own tenant's objects do not exist."""
    yield "another workspace of the organization", tenants.related_tenants.sibling.keys
    yield "the parent workspace", tenants.related_tenants.parent.keys
    yield "a workspace of another organization", tenants.related_tenants.stranger.keys
    yield "another organization", tenants.related_tenants.strange_organization_keys


def same(answer: TestResponse, other: TestResponse) -> bool:
    return (answer.status_code, answer.data, answer.headers) == (
        other.status_code,
        other.data,
        other.headers,
    )


def test_every_declared_route_is_tried_here() -> None:
    declared = {(endpoint.method, endpoint.path) for endpoint in declared_endpoints()}
    # The console's pages take sessions: tests/console tries them.
    assert declared - PAGES == RECIPES.keys(), "say in support/routes.py how a new route is used"


def test_a_viewer_reads_and_an_admin_changes() -> None:
    """Break: declare another role for a route."""
    usual = {name(e): "viewer" if e.method == "GET" else "admin" for e in KEYED}
    assert {name(e): str(e.guard.rule) for e in KEYED} == usual | OTHER_ROLES


@pytest.mark.one_engine
@pytest.mark.parametrize("endpoint", KEYED, ids=name)
def test_role_permits_exactly_the_routes_of_its_rules(tenants: Tenants, endpoint: Endpoint) -> None:
    wanted, recipe = Role(endpoint.guard.rule), recipe_of(endpoint)
    for role in Role:
        for whose, keys in [
            ("own", tenants.own.keys),
            ("organization", tenants.related_tenants.organization_keys),
        ]:
            answer = with_key(tenants, endpoint, prepared(tenants, endpoint), keys[role])
            may = role.permits(wanted) and not (recipe.of_organization and whose == "own")
            expected = recipe.status if may else 403
            assert answer.status_code == expected, (role, whose, answer.text)
            if expected == 403:
                assert answer.get_json()["code"] == "Forbidden"


@pytest.mark.one_engine
@each("endpoint", KEYED, ids=name)
def test_request_without_a_live_key_is_refused(tenants: Tenants, endpoint: Endpoint) -> None:
    ids = prepared(tenants, endpoint)
    nothing = ask(tenants, endpoint, ids, None)
    assert nothing.status_code == 401
    for role in Role:
        token = tenants.own.keys[role]
        damaged = token[:-1] + ("0" if token[-1] != "0" else "1")
        tried = {"damaged": damaged} | tenants.dead_keys(role)
        headers = {how: f"AccessKey {key}" for how, key in tried.items()}
        for how, header in (headers | {"another scheme": f"Bearer {token}"}).items():
            assert same(ask(tenants, endpoint, ids, header), nothing), (role, how)


@pytest.mark.one_engine
@each("endpoint", [e for e in KEYED if recipe_of(e).absent], ids=name)
def test_foreign_object_answers_exactly_like_an_unknown_one(
    tenants: Tenants, endpoint: Endpoint
) -> None:
    wanted, absent = Role(endpoint.guard.rule), recipe_of(endpoint).absent
    ids = prepared(tenants, endpoint)
    for whose, keys in strange_keys(tenants):
        for role in Role:
            foreign = with_key(tenants, endpoint, ids, keys[role])
            if role.permits(wanted):
                nothing = with_key(tenants, endpoint, absent_ids(), keys[role])
                assert nothing.status_code == absent
                assert same(foreign, nothing), (whose, role, foreign.text)
            else:
                assert foreign.status_code == 403, (whose, role)
    for role in Role:  # nor does the owner of other things find what does not exist
        for owners in (tenants.own.keys, tenants.related_tenants.organization_keys):
            nothing = with_key(tenants, endpoint, absent_ids(), owners[role])
            assert nothing.status_code == (absent if role.permits(wanted) else 403)


@pytest.mark.parametrize(
    "endpoint",
    [e for e in KEYED if e.method == "GET" and e.query and not recipe_of(e).absent],
    ids=name,
)
def test_list_contains_only_visible_objects(tenants: Tenants, endpoint: Endpoint) -> None:
    recipe, role = recipe_of(endpoint), Role(endpoint.guard.rule)
    recipe.prepare(tenants.gateway, tenants.own)

    def listed(keys: dict[Role, str], query: str = "") -> list[object]:
        """All pages of the list."""
        headers = {"Authorization": f"AccessKey {keys[role]}"}
        items: list[object] = []
        token: str | None = ""
        while token is not None:
            more = f"&page_token={token}" if token else ""
            path = f"{endpoint.path}?limit=100{query}{more}"
            answer = tenants.gateway.client.get(path, headers=headers)
            assert answer.status_code == 200
            items += answer.get_json()["items"]
            token = answer.get_json()["next_page_token"]
        return items

    own = listed(tenants.own.keys)
    assert own
    of_own = f"&workspace_id={tenants.own.workspace_id}"
    assert listed(tenants.own.keys, of_own) == own
    assert listed(tenants.related_tenants.organization_keys, of_own) == own
    everything = listed(tenants.related_tenants.organization_keys)
    assert all(item in everything for item in own)
    for whose, keys in strange_keys(tenants):
        assert listed(keys, of_own) == [], whose
        assert not [item for item in listed(keys) if item in own], whose


@pytest.mark.one_engine
@each("endpoint", OPEN, ids=name)
def test_where_no_key_is_needed_none_changes_the_answer(
    tenants: Tenants, endpoint: Endpoint
) -> None:
    ids = prepared(tenants, endpoint)
    expected = recipe_of(endpoint).status
    assert ask(tenants, endpoint, ids, None).status_code == expected
    for token in [*tenants.own.keys.values(), "nonsense"]:
        assert with_key(tenants, endpoint, ids, token).status_code == expected


def test_a_rule_of_another_workspace_is_not_found_under_the_own_one(tenants: Tenants) -> None:
    endpoint = next(e for e in KEYED if e.path.endswith("/rules/{rule_id}"))
    theirs = recipe_of(endpoint).prepare(tenants.gateway, tenants.related_tenants.sibling)
    ours = ids_of(tenants.own)
    for keys in (tenants.own.keys, tenants.related_tenants.organization_keys):
        foreign = with_key(tenants, endpoint, ours | theirs, keys[Role.ADMIN])
        nothing = with_key(tenants, endpoint, ours, keys[Role.ADMIN])
        assert nothing.status_code == 404
        assert same(foreign, nothing)


def test_a_use_case_goes_with_its_own_workspace_only(tenants: Tenants) -> None:
    """A key of the organization reaches both, and still cannot mix them."""
    key = tenants.related_tenants.organization_keys[Role.ADMIN]
    body = {
        "to_number": "+12025550123",
        "use_case_id": str(tenants.own.use_case_id),
        "workspace_id": str(tenants.related_tenants.sibling.workspace_id),
    }
    answer = tenants.gateway.post("/v1/opt-outs", body, key=key)
    assert answer.get_json()["details"] == {"$.use_case_id": ["There is no such use case."]}
