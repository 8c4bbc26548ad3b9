"""What holds for every answer: its shape, its request id, its headers; and how paths are read."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from app.access.principal import Role
from app.application import declared_endpoints
from app.db.encryption import Cipher
from app.db.engine import Database
from app.web.metrics import REQUEST_SECONDS
from support.each import each
from support.factories import Gateway, open_gateway
from support.served import Served

pytestmark = pytest.mark.one_engine

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}


def _ask(served: Served, method: str, path: str, **more: Any) -> TestResponse:
    headers = {"Authorization": f"AccessKey {served.tenant.keys[Role.ADMIN]}"}
    return served.gateway.client.open(
        path, method=method, headers=headers | more.pop("headers", {}), **more
    )


ANSWERS = [
    ("GET", "/healthz", 200),
    ("GET", "/readyz", 200),
    ("GET", "/version", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/metrics", 200),
    ("GET", "/v1/sms", 200),
    ("HEAD", "/v1/sms", 200),
    ("GET", "/v1/sms/1", 400),
    ("GET", "/v1/sms/01a2054e-b6d8-7730-b410-55a618ebd540", 404),
    ("GET", "/", 404),
    ("GET", "/v1", 404),
    ("GET", "/v1/%00", 404),
    ("GET", "/v1/sms/%ff", 400),
    ("GET", "//v1/sms", 404),
    ("GET", "/v1/../v1/sms", 404),
    ("POST", "/v1/opt-outs", 415),
    ("PUT", "/v1/sms", 405),
    ("OPTIONS", "/v1/sms", 405),
    ("TRACE", "/healthz", 405),
    ("PATCH", "/v1/webhook/twilio/sms-status", 405),
    ("POST", "/v1/webhook/twilio/sms-status", 415),
]


@each(("method", "path", "status"), ANSWERS)
def test_every_answer_has_its_request_id_and_the_security_headers(
    served: Served, method: str, path: str, status: int
) -> None:
    answer = _ask(served, method, path)
    assert answer.status_code == status
    assert UUID(answer.headers["X-Request-Id"]).version == 4
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "Set-Cookie" not in answer.headers
    if status >= 400:
        assert answer.mimetype == "application/json"
        assert answer.get_json().keys() == {"code", "message"}


@each("given", ["a", "req-1.2_3", "x" * 64, "01a2054e-b6d8-7730-b410-55a5a29849f1"])
def test_well_formed_request_id_is_used(served: Served, given: str) -> None:
    answer = _ask(served, "GET", "/v1/nothing", headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] == given


@each("given", ["", " ", "x" * 65, "a b", "a/b", "\u00e9", "a;b", '"a"'])
def test_another_request_id_is_replaced(served: Served, given: str) -> None:
    answer = _ask(served, "GET", "/healthz", headers={"X-Request-Id": given})
    assert UUID(answer.headers["X-Request-Id"]).version == 4


@each(
    ("path", "allowed"),
    [
        ("/v1/sms", {"GET", "HEAD", "POST"}),
        ("/v1/sms/", {"GET", "HEAD", "POST"}),
        ("/v1/opt-outs/01a2054e-b6d8-7730-b410-55a618ebd540", {"DELETE"}),
        ("/healthz", {"GET", "HEAD"}),
        ("/v1/webhook/twilio/sms-inbound", {"POST"}),
    ],
)
def test_a_405_names_the_methods_of_the_path(served: Served, path: str, allowed: set[str]) -> None:
    answer = _ask(served, "PUT", path)
    assert (answer.status_code, answer.get_json()["code"]) == (405, "MethodNotAllowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


@each(
    "endpoint",
    [e for e in declared_endpoints() if not e.path.startswith("/console")],
    ids=lambda e: f"{e.method} {e.path}",
)
def test_with_and_without_a_trailing_slash_it_is_the_same_resource(
    served: Served, endpoint: Any
) -> None:
    path = endpoint.path
    while "{" in path:
        start, _, rest = path.partition("{")
        path = f"{start}01a2054e-b6d8-7730-b410-55a618ebd540{rest.partition('}')[2]}"
    plain, slashed = (
        _ask(served, endpoint.method, path + slash, headers={"X-Request-Id": "same"})
        for slash in ("", "/")
    )
    assert "Location" not in slashed.headers
    assert plain.status_code not in {301, 302, 307, 308, 405, 500}
    assert plain.status_code == slashed.status_code
    if endpoint.path != "/metrics":  # which counts the very requests that ask for it
        assert (plain.headers, plain.data) == (slashed.headers, slashed.data)


def test_defect_answers_500_in_the_public_form_without_details(
    cipher: Cipher, tmp_path: Path
) -> None:
    gateway = open_gateway(Database(f"sqlite:///{tmp_path}/unused.db"), cipher, tmp_path)
    app = gateway.client.application

    def fail(**_: Any) -> None:
        raise RuntimeError("what it says is nobody's business")

    app.view_functions = dict.fromkeys(app.view_functions, fail)
    answer = gateway.get("/v1/sms", X_Request_Id="find-me")
    assert answer.status_code == 500
    assert answer.get_json() == {"code": "InternalError", "message": "An internal error occurred."}
    assert answer.headers["X-Request-Id"] == "find-me"
    assert SECURITY_HEADERS.keys() <= set(answer.headers.keys())


@each("method", ["FOO", "FOO2", "get"])
def test_made_up_methods_do_not_make_new_metrics(served: Served, method: str) -> None:
    _ask(served, method, "/v1/sms")
    labels = {
        sample.labels.get("method") for m in REQUEST_SECONDS.collect() for sample in m.samples
    }
    assert method not in labels


@pytest.fixture
def prefixed(cipher: Cipher, tmp_path: Path) -> Gateway:
    """A gateway whose public URL has a path prefix and no TLS; its database is not asked."""
    database = Database(f"sqlite:///{tmp_path}/unused.db")
    return open_gateway(database, cipher, tmp_path, public_url="http://sms.example.com/hooks/sms")


def test_path_prefix_may_be_stripped_by_the_proxy_or_not(prefixed: Gateway) -> None:
    assert prefixed.get("/healthz").status_code == 200
    assert prefixed.get("/hooks/sms/healthz").status_code == 200
    for path in ("/hooks/smshealthz", "/hooks/healthz", "/hooks/sms/hooks/sms/healthz"):
        assert prefixed.get(path).status_code == 404


@pytest.mark.parametrize("prefix", ["/a%20b", "/%C3%A9", "/a%2Fb", "/A.b-c_~"])
def test_path_prefix_may_be_encoded(cipher: Cipher, tmp_path: Path, prefix: str) -> None:
    database = Database(f"sqlite:///{tmp_path}/unused.db")
    url = f"http://sms.example.com{prefix}"
    gateway = open_gateway(database, cipher, tmp_path, public_url=url)
    assert gateway.get("/healthz").status_code == 200
    assert gateway.get(f"{prefix}/healthz").status_code == 200
    assert gateway.get("/console", Accept="text/html").headers["Location"].startswith(prefix + "/")


@pytest.mark.parametrize("path", ["/", "/hooks/sms", "/hooks/sms/"])
def test_the_public_address_leads_a_browser_to_the_console(prefixed: Gateway, path: str) -> None:
    """Break: redirect every client, or leave the prefix out."""
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    found = prefixed.get(path, Accept=browser)
    assert (found.status_code, found.headers["Location"]) == (303, "/hooks/sms/console")
    for accept in ("*/*", "application/json", ""):
        program = prefixed.get(path, Accept=accept)
        assert (program.status_code, program.json["code"]) == (404, "NotFound")
        assert "/hooks/sms/docs" in program.json["message"]


def test_hsts_is_not_sent_without_tls(prefixed: Gateway) -> None:
    assert "Strict-Transport-Security" not in prefixed.get("/healthz").headers
