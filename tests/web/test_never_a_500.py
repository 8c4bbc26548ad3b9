"""Whatever comes in, no answer is a 500: every declared parameter, field and header, both engines."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from twilio.http.response import Response

from app.access.principal import Role
from app.application import declared_endpoints
from app.console.site import CONSOLE_ROUTES
from app.db.encryption import Cipher
from app.db.engine import Database
from app.providers.port import ProviderAccount, ProviderUnknown, WantedPermission
from app.providers.twilio.account import TwilioRegistrations
from app.providers.twilio.client import TwilioClients
from app.providers.twilio.geo import TwilioGeoPermissions
from app.providers.twilio.messages import TwilioMessages
from app.providers.twilio.signature import sign
from app.web.routes import Endpoint
from support.console import Console, signed_in
from support.factories import ACCOUNT, AUTH_TOKEN, PUBLIC_URL, US_NUMBER, Factory, open_gateway
from support.fuzz import NEGATIVE, POSITIVE, fuzz, operations
from support.hostile_values import EXAMPLES, JSON, TEXTS
from support.routes import RECIPES, Recipe, answer_checks, fill, ids_of
from support.served import Served
from support.wire import post_raw

CONSOLE = [endpoint for routes in CONSOLE_ROUTES for endpoint in routes.endpoints]
_PAGES = {id(endpoint) for endpoint in CONSOLE}
API = [endpoint for endpoint in declared_endpoints() if id(endpoint) not in _PAGES]
# The API answers 503 and 504 on purpose.
DEFECT = 500
HEADERS = [
    *("If-Match", "Idempotency-Key", "X-Change-Reason", "Authorization", "Accept-Language"),
    *("Cookie", "Content-Type", "X-Request-Id", "Accept", "Host", "HX-Request", "Origin"),
    "Referer",
    *("X-Twilio-Signature", "X-Forwarded-Host", "X-Forwarded-Prefix", "Accept-Encoding"),
]
HEADER_VALUES = [
    *(quote(text, safe="") for text in TEXTS),
    '"9999999999999999999"',
    'W/"1"',
    '"\\u0663"',
    "AccessKey",
    "AccessKey \xe9\xff",
    "Bearer " + "x" * 4000,
    "\xff" * 300,
    "en;q=nan, *;q=1_0, \xe9",
    "borderpost_session=\xe9; borderpost_form=.eJw; =;;",
    ",,,",
]

TEXT = st.one_of(st.sampled_from(TEXTS), st.text(max_size=40))
# What a form or a query can carry: no half of a surrogate pair.
FORM_TEXT = TEXT.filter(
    lambda text: text.isascii() or text.encode("utf-8", "ignore").decode() == text
)
VALUE = st.one_of(
    st.sampled_from(JSON),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
        ),
        max_leaves=5,
    ),
)


@pytest.fixture(scope="module")
def owned(
    module_database: Database, cipher: Cipher, tmp_path_factory: pytest.TempPathFactory
) -> Served:
    """A gateway and a tenant whose keys reach the whole organization."""
    factory = Factory(module_database, cipher)
    tenant = factory.tenant(factory.organization())
    tenant.keys = factory.keys(tenant.organization_id, None)
    gateway = open_gateway(module_database, cipher, tmp_path_factory.mktemp("instance"))
    gateway.client.application.config["WTF_CSRF_METHODS"] = frozenset()
    answer_checks(gateway)
    return Served(gateway, factory, tenant)


def recipe(endpoint: Endpoint) -> Recipe:
    return RECIPES.get((endpoint.method, endpoint.path), Recipe(0))


def ask(served: Served, endpoint: Endpoint, path: str, **more: Any) -> int:
    headers = {"Authorization": f"AccessKey {served.tenant.keys[Role.OWNER]}"}
    headers |= more.pop("headers", {})
    client = served.gateway.client.application.test_client()
    answer = client.open(path, method=endpoint.method, headers=headers, **more)
    return int(answer.status_code)


def query_of(endpoint: Endpoint) -> list[str]:
    names = list(endpoint.query().fields) if endpoint.query else []
    return [*names, "dry_run", "unknown"]


@st.composite
def requests_to(
    draw: st.DrawFn, endpoint: Endpoint, ids: dict[str, str]
) -> tuple[str, dict[str, Any]]:
    """A request with one wrong value: in the path, the query, the body, or the headers."""
    path, body = fill(endpoint.path, ids), recipe(endpoint).body(ids)
    in_path = [name for name in ids if f"{{{name}}}" in endpoint.path]
    fields = list(endpoint.body().fields) if endpoint.body else []
    places = [("path", in_path), ("query", query_of(endpoint)), ("body", fields), ("head", HEADERS)]
    place, names = draw(st.sampled_from([one for one in places if one[1]]))
    name = draw(st.sampled_from(names))
    match place:
        case "path":
            wrong = quote(draw(TEXT), safe="") or "x"
            return fill(endpoint.path, ids | {name: wrong}), {"json": body}
        case "query":
            return f"{path}?{urlencode({name: draw(TEXT)})}", {"json": body}
        case "body":
            sent = json.dumps((body or {}) | {name: draw(VALUE)})
            return path, {"data": sent, "content_type": "application/json"}
        case _:
            value = draw(st.sampled_from(HEADER_VALUES))
            return path, {"json": body, "headers": {name: value}}


def test_no_parameter_or_field_of_the_api_causes_a_500(owned: Served) -> None:
    """Breaks when a text is not looked through: leave `_unstorable` out of `load`."""
    broken = [found for endpoint in API for found in _defects_of_api(owned, endpoint)]
    assert broken == []


def _defects_of_api(served: Served, endpoint: Endpoint) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []

    @bounded(served, 12)
    @given(requests_to(endpoint, ids_of(served.tenant)))
    def try_one(wrong: tuple[str, dict[str, Any]]) -> None:
        path, request = wrong
        if ask(served, endpoint, path, **request) == DEFECT:
            found.append((endpoint.method, path, repr(request)[:200]))

    try_one()
    return found


def test_no_generated_request_of_the_description_causes_a_500(owned: Served) -> None:
    description = owned.gateway.get("/openapi.json").get_json()
    ids = ids_of(owned.tenant)
    everything = operations(owned, description)
    # Every operation on one engine, a few on the other.
    for operation in everything if owned.factory.database.is_sqlite else everything[::8]:
        pinned = {name: value for name, value in ids.items() if f"{{{name}}}" in operation.path}
        _generate(owned, operation, POSITIVE, {"path_parameters": pinned} if pinned else {})
        # No form of a callback can be wrong to the description, and to look for one takes long:
        # `test_no_signed_callback_causes_a_500` sends its own.
        if not operation.path.startswith("/v1/webhook/"):
            with suppress(Unsatisfiable):  # nothing of the operation can be wrong
                _generate(owned, operation, NEGATIVE, {})


def bounded(served: Served, examples: int) -> Callable[[Any], Any]:
    """Run so many examples on SQLite, a quarter of them on PostgreSQL, and the same ones always."""
    count = examples if served.factory.database.is_sqlite else max(1, examples // 4)
    return settings(
        max_examples=count * EXAMPLES,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )


def _generate(served: Served, operation: Any, mode: GenerationMode, pinned: dict[str, Any]) -> None:
    def judge(case: Any, answer: Any) -> None:
        if answer.status_code == DEFECT:
            case.validate_response(answer, checks=[not_a_server_error])

    fuzz(served, operation, mode, judge, role=Role.OWNER, examples=2 * EXAMPLES, **pinned)


# What the console's forms and searches are read by; each page is given all of them.
FIELDS = sorted(
    {name for endpoint in API if endpoint.body for name in endpoint.body().fields}
    | {
        *("since", "until", "to_number", "status", "country", "code", "page_token", "use_case_id"),
        *("workspace_id", "number", "seen", "next", "step", "revision", "shown", "reason", "allow"),
        *("block", "hours", "temporary", "acknowledge", "acknowledge_high_risk", "nonce", "email"),
        *("password", "new_password", "access_key", "secret", "code", "inherit", "events"),
        "active",
        *("roles", "more_workspace", "more_role", "sign_in", "forget_next", "account_sid", "kind"),
        *("auth_token", "next_auth_token", "expires_at", "expires_in", "value", "action", "search"),
        *("actor", "action", "target", "role_everywhere", "destinations", "parent_id", "q", "find"),
        *("message", "to_phone_number", "body_retention_days", "number_retention_days", "type"),
        *("current_password", "denied", "brand_sid", "campaign_sid", "state", "limit"),
    }
)


def test_no_field_or_parameter_of_the_console_causes_a_500(owned: Served) -> None:
    key, broken = owned.tenant.keys[Role.OWNER], []
    console = signed_in(owned.gateway, key)
    for endpoint in CONSOLE:
        broken += _defects_of_console(owned, console, endpoint)
        if "sign-out" in endpoint.path or console.get("/console/account").status_code != 200:
            console = signed_in(owned.gateway, key)
    assert broken == []


def _defects_of_console(
    served: Served, console: Console, endpoint: Endpoint
) -> list[tuple[str, str, dict[str, str]]]:
    ids, found = ids_of(served.tenant), []
    # Of what the test has made no other of, any id will do.
    path = re.sub(r"\{(\w+)\}", lambda name: ids.get(name[1], ids["rule_id"]), endpoint.path)

    @bounded(served, 8)
    @given(st.dictionaries(st.sampled_from(FIELDS), FORM_TEXT, min_size=1, max_size=30))
    def visit(fields: dict[str, str]) -> None:
        if _visit(console, endpoint, path, fields) == DEFECT:
            found.append((endpoint.method, endpoint.path, fields))

    visit()
    return found


def _visit(console: Console, endpoint: Endpoint, path: str, fields: dict[str, str]) -> int:
    client = console.client
    if endpoint.method == "GET":
        return client.get(f"{path}?{urlencode(fields)}", base_url=PUBLIC_URL).status_code
    return client.post(path, base_url=PUBLIC_URL, data=fields).status_code


CALLBACK_FIELDS = [
    *("AccountSid", "MessageSid", "SmsSid", "MessageStatus", "SmsStatus", "ErrorCode"),
    *("NumSegments", "From", "To", "Body", "OptOutType", "MessagingServiceSid", "RawDlrDoneDate"),
]


def test_no_signed_callback_causes_a_500(owned: Served) -> None:
    broken: list[tuple[str, list[tuple[str, str]], int]] = []
    message_id, sid = str(ids_of(owned.tenant)["message_id"]), "SM" + "a" * 32
    usual = {"AccountSid": ACCOUNT, "MessageSid": sid, "Body": "STOP"}
    usual |= {"MessageStatus": "failed", "From": "+12025550123"}
    value = st.one_of(TEXT, st.sampled_from(["99999999999", "30003\x00", "\xff\xfe"]))
    fields = st.lists(st.tuples(st.sampled_from(CALLBACK_FIELDS), value), max_size=4)
    paths = st.sampled_from(["/v1/webhook/twilio/sms-status", "/v1/webhook/twilio/sms-inbound"])

    @bounded(owned, 400)
    @given(paths, fields, st.booleans(), value)
    def call(path: str, given: list[tuple[str, str]], replaces: bool, query: str) -> None:
        form = [*(usual | dict(given)).items()] if replaces else [*usual.items(), *given]
        status = _signed(owned, f"{path}?message_id={message_id}{quote(query)}", form)
        if status >= DEFECT:  # a 503 would make Twilio try again for ever
            broken.append((path, given, status))

    call()
    assert broken == []


def _signed(served: Served, target: str, given: list[tuple[str, str]]) -> int:
    parameters: dict[str, list[str]] = {}
    for name, value in given:
        parameters.setdefault(name, []).append(value)
    signature = sign(AUTH_TOKEN, PUBLIC_URL + target, parameters)
    app = served.gateway.client.application
    return post_raw(app, target, given, signature=signature).status_code


SHAPES: list[Any] = [
    *([], {}, None, True, 0, "text", [[]], [{}], {"sid": None}, {"sid": []}, {"code": 21211}),
    *({"code": "x", "message": [], "status": {}}, {"code": 2**70}, {"code": -1}, {"code": True}),
    {"sid": "SM" + "0" * 32, "status": [], "from": {}, "num_segments": [], "date_created": 1},
    {"sid": "SM" + "1" * 32, "status": "failed", "error_code": 2**70, "price": [], "to": 7},
    {"sid": "SM" + "2" * 32, "status": "x" * 5000, "from": "\x00", "price": "nan", "body": []},
    {"sid": "SM\x00", "messages": 1, "next_page_uri": [], "permissions": {"a": 1}},
    {"messages": [1, None, {"sid": []}], "meta": [], "compliance": 3, "permissions": [1, None]},
    {"meta": {"key": "compliance"}, "compliance": [None], "permissions": "x", "messages": {}},
]


ANSWER_NAMES = ["sid", "code", "message", "status", "from", "to", "body", "num_segments", "price"]
ANSWER_NAMES += ["date_created", "error_code", "messages", "meta", "next_page_uri", "permissions"]
ANSWER_NAMES += ["compliance", "more_info", "content", "uri"]
ANSWER = st.one_of(
    st.dictionaries(st.sampled_from(ANSWER_NAMES), VALUE, max_size=6).map(json.dumps),
    st.sampled_from([json.dumps(shape) for shape in SHAPES]),
    st.sampled_from(["", "{", "NaN", "Infinity", "[" * 100_000, '"\\ud800"', "1" * 5000, "{}" * 2]),
)


def test_no_answer_of_the_provider_causes_a_500(owned: Served) -> None:
    """Also not for those who ask: each shape is an answer, or the provider could not be asked."""
    twilio = owned.gateway.twilio
    broken: list[tuple[str, int, str]] = []
    account = ProviderAccount(ACCOUNT, owned.gateway.services.cipher.encrypt(ACCOUNT, AUTH_TOKEN))
    clients = TwilioClients(twilio, owned.gateway.services.cipher)
    asked: dict[str, Callable[[], object]] = {
        "fetch": lambda: TwilioMessages(clients).fetch(account, "SM" + "0" * 32),
        "list": lambda: TwilioMessages(clients).list_to(account, US_NUMBER, owned.factory.now),
        "geo": lambda: TwilioGeoPermissions(clients).fetch(account),
        "push": lambda: TwilioGeoPermissions(clients).update(
            account, [WantedPermission("US", True)]
        ),
        "brand": lambda: TwilioRegistrations(clients).brand_status(account, "BN1"),
        "campaign": lambda: TwilioRegistrations(clients).campaign_status(account, "MG1", "QE1"),
    }

    @bounded(owned, 160)
    @given(ANSWER, st.sampled_from([200, 201, 400, 404, 500]))
    def answered(body: str, status: int) -> None:
        twilio.script[:] = [Response(status, body)]
        if owned.gateway.send(owned.tenant).status_code == DEFECT:
            broken.append(("send", status, body[:80]))
        for name, ask_for in asked.items():
            twilio.script[:] = [Response(status, body)] * 3
            try:
                ask_for()
            except ProviderUnknown:
                pass
            except Exception as problem:  # noqa: BLE001
                broken.append((name, status, f"{body[:80]} {problem!r:.100}"))

    answered()
    twilio.script.clear()
    assert broken == []
