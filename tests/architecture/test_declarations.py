"""What every route and every error must have, checked on the declarations themselves."""

import ast
import inspect
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from app.access.guard import Requires, RequiresLater
from app.access.principal import Role
from app.application import declared_endpoints
from app.console.ui.guards import Anonymous, RequiresRole
from app.db.rows import PageFilter
from app.destinations.api.configuration import PATH
from app.kernel import errors
from app.kernel.errors import PublicError
from app.providers.twilio.callbacks import SignedByTwilio
from app.web.errors import HTTP_STATUS
from app.web.health import Anyone, TokenOrLoopback
from app.web.openapi import meaning_of
from app.web.routes import Endpoint
from support.each import each

ENDPOINTS = declared_endpoints()
ERRORS = [
    found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, PublicError) and found is not PublicError
]
TABLE_TEST = Path(__file__).parents[1] / "web" / "test_error_table.py"

# Reading takes a viewer and changing takes an admin, except on these routes.
OTHER_ROLES = {
    "POST /v1/sms": Role.SENDER,
    "POST /v1/sms/{message_id}/feedback": Role.SENDER,
    f"POST {PATH}/check": Role.VIEWER,
    "GET /v1/audit-events": Role.ADMIN,
    "POST /v1/workspaces": Role.OWNER,
    "PATCH /v1/workspaces/{workspace_id}": Role.OWNER,
}

# Routes that anyone may ask for; each says why in its rule.
_OF_EVERYONE = ("/healthz", "/readyz", "/version", "/openapi.json", "/docs", "/")
OPEN = {*_OF_EVERYONE, "/assets/{version}/{name}"}


def name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


@each("endpoint", ENDPOINTS, ids=name)
def test_every_route_has_an_access_rule_and_a_description(endpoint: Endpoint) -> None:
    assert endpoint.guard.rule.strip()
    if endpoint.described:
        docstring = endpoint.view.__doc__
        assert docstring
        assert endpoint.summary == docstring.strip().splitlines()[0]
        assert endpoint.summary.endswith(".")
        assert all(meaning_of(shape) for shape in endpoint.answers.values())
    match endpoint.guard:
        case Requires() | RequiresLater():
            assert endpoint.guard.rule == endpoint.guard.role.value
            usual = Role.VIEWER if endpoint.method == "GET" else Role.ADMIN
            assert endpoint.guard.role is OTHER_ROLES.get(name(endpoint), usual)
        case Anyone():
            assert endpoint.path in OPEN
            assert len(endpoint.guard.rule.split()) > 2
        case SignedByTwilio():
            assert endpoint.path.startswith("/v1/webhook/twilio/")
            assert endpoint.form
        case TokenOrLoopback():
            assert endpoint.path == "/metrics"
        case RequiresRole():
            assert endpoint.path.startswith("/console")
        case Anonymous():
            assert endpoint.path.startswith(("/console/sign-in", "/console/sign-out"))
        case _:
            pytest.fail(f"an access rule of a new kind: {endpoint.guard}; add it here")


def test_no_route_is_declared_twice() -> None:
    assert len({name(endpoint) for endpoint in ENDPOINTS}) == len(ENDPOINTS)
    views = [endpoint.view.__name__ for endpoint in ENDPOINTS if endpoint.alias_of is None]
    assert len(set(views)) == len(views)


def test_a_key_of_a_send_is_checked_later_and_of_nothing_else() -> None:
    later = [name(e) for e in ENDPOINTS if isinstance(e.guard, RequiresLater)]
    assert later == ["POST /v1/sms"]


@each("error", ERRORS, ids=lambda error: error.__name__)
def test_every_public_error_has_its_row_its_text_and_its_test(error: type[PublicError]) -> None:
    assert 400 <= HTTP_STATUS[error] < 600
    assert error.message != PublicError.message
    assert error.message.endswith(".")
    assert error.__doc__
    strings = {
        node.value
        for node in ast.walk(ast.parse(TABLE_TEST.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert error.__name__ in strings, f"{TABLE_TEST.name} provokes it through HTTP"


def test_the_table_maps_the_public_errors_and_nothing_else() -> None:
    assert set(HTTP_STATUS) == set(ERRORS)


def test_the_text_of_a_block_is_the_one_that_was_promised() -> None:
    assert errors.DestinationBlocked.message == (
        "The destination is blocked and cannot receive messages."
    )


@each("kind", PageFilter.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_filter_of_a_list_is_read(kind: type[PageFilter]) -> None:
    """Break: add a field to `MessageFilter` alone; it would be accepted and ignored."""
    module = ast.parse(inspect.getsource(sys.modules[kind.__module__]))
    functions = [one for one in module.body if isinstance(one, ast.FunctionDef)]
    nodes = [node for function in functions for node in ast.walk(function)]
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    read |= {node.value for node in nodes if isinstance(node, ast.Constant)}
    own = {one.name for one in fields(kind)} - {one.name for one in fields(PageFilter)}
    assert own - read - {"format"} == set()  # the format of a history is no filter of its rows
