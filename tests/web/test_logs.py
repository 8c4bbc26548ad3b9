"""What a whole run logs: lines of JSON in which no number, no text and no token is whole."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from sqlalchemy import insert, text

from app.access.principal import Role, mint_token
from app.db.encryption import Cipher
from app.db.engine import Database
from app.messages.tables import messages
from app.providers.twilio.signature import sign
from app.providers.twilio.transport import NotConfirmed
from app.web.logs import configure_logs
from app.web.registry import get_service
from support.factories import ACCOUNT, PUBLIC_URL, SERVICE_SID, Factory, open_gateway
from support.fake_twilio import refused
from support.logged import AUTH_TOKEN, BLOCKED, BODY, NUMBER, REPLY, STRANGER, Run

pytestmark = pytest.mark.one_engine


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """Everything that any logger says, at the lowest level, as it would be written."""
    root, stream = logging.getLogger(), StringIO()
    handlers, level, configuration = root.handlers[:], root.level, structlog.get_config()
    levels = {name: logging.getLogger(name).level for name in root.manager.loggerDict}
    configure = structlog.configure

    def uncached(**wanted: Any) -> None:
        configure(**wanted | {"cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", uncached)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    configure_logs(stream, logging.DEBUG)
    for name in [*root.manager.loggerDict, "sqlalchemy.engine", "sqlalchemy.pool", "urllib3"]:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield stream
    configure(**configuration)
    root.handlers, root.level = handlers, level
    for name in root.manager.loggerDict:
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


@pytest.fixture
def run(log: StringIO, module_database: Database, cipher: Cipher, tmp_path: Path) -> Run:
    factory = Factory(module_database, cipher)
    tenant = factory.tenant(factory.organization(f"Acme {uuid4()}"), auth_token=AUTH_TOKEN)
    return Run(open_gateway(module_database, cipher, tmp_path), tenant, log)


def make_views_fail(run: Run, problem: Any) -> None:
    app = run.gateway.client.application

    def fail(**_: Any) -> None:
        problem()

    app.view_functions = dict.fromkeys(app.view_functions, fail)


def _journey(run: Run) -> None:
    """Sends, blocks, refusals, callbacks, answers, wrong keys: all that a day brings."""
    gateway, tenant = run.gateway, run.tenant
    sent = gateway.send(tenant, to=NUMBER, message=BODY, Idempotency_Key=f"for {NUMBER}").get_json()
    for status in ("queued", "sent", "delivered", "failed", "nonsense"):
        gateway.callback(
            sent["id"], sent["message_sid"], status, token=AUTH_TOKEN, To=NUMBER, From=STRANGER
        )
    gateway.callback(sent["id"], sent["message_sid"], "sent", token="wrong", To=NUMBER)
    gateway.callback(str(uuid4()), sent["message_sid"], "sent", token=AUTH_TOKEN, To=NUMBER)
    gateway.send(tenant, to=BLOCKED, message=BODY)
    gateway.send(tenant, to="+442071234587", message=BODY)
    for answer in (
        refused(21211),
        NotConfirmed(f"no answer for {NUMBER}"),
        RuntimeError(f"a defect with {NUMBER}, {BODY}, {AUTH_TOKEN}"),
        refused(21610),
    ):
        gateway.twilio.script.append(answer)
        gateway.send(tenant, to=NUMBER, message=BODY)
    for body in ("STOP", REPLY, "START"):
        form = {
            "AccountSid": ACCOUNT,
            "MessagingServiceSid": SERVICE_SID,
            "From": STRANGER,
            "To": "+12025550100",
            "Body": body,
        }
        path = "/v1/webhook/twilio/sms-inbound"
        signed = {name: [value] for name, value in form.items()}
        headers = {"X-Twilio-Signature": sign(AUTH_TOKEN, PUBLIC_URL + path, signed)}
        gateway.client.post(path, data=form, headers=headers)
    owner = tenant.keys[Role.OWNER]
    gateway.post("/v1/opt-outs", {"to_number": NUMBER}, key=owner)
    gateway.post("/v1/opt-outs", {"to_number": NUMBER, BODY: STRANGER}, key=owner)
    gateway.get(f"/v1/sms?to_number=%2B{NUMBER[1:]}", key=owner)
    gateway.get(f"/v1/sms/{NUMBER}?token={owner}", key=owner)
    gateway.get("/v1/sms", key=mint_token())
    gateway.client.post("/v1/sms", data=BODY, headers={"Authorization": f"AccessKey {owner}"})


def test_a_whole_run_logs_no_number_no_text_and_no_token(run: Run) -> None:
    _journey(run)
    log_text = run.log.getvalue()
    assert {"request", "callback_refused", "consent", "unconfirmed"} <= run.events()
    assert "provider_call_failed" in run.events()
    assert [secret for secret in run.secrets() if secret in log_text] == []


def _defect(run: Run) -> Any:
    def fail() -> None:
        raise RuntimeError(f"{NUMBER} {BODY} {AUTH_TOKEN} {run.tenant.keys[Role.OWNER]}")

    return fail


def _nested_defect(run: Run) -> Any:
    def fail() -> None:
        try:
            {}[BODY]
        except KeyError as problem:
            problem.add_note(f"while sending to {NUMBER}")
            raise ExceptionGroup(BODY, [ValueError(NUMBER), TypeError(AUTH_TOKEN)]) from problem

    return fail


def _database_error(run: Run) -> Any:
    """A row that breaks a rule of its table: PostgreSQL repeats the row in the error's detail."""

    def fail() -> None:
        with get_service(Database).writing() as c:
            row = {"id": uuid4(), "to_number": NUMBER, "body": BODY}
            c.execute(insert(messages).values(row))

    return fail


def _statement_error(run: Run) -> Any:
    """A statement that names what it should bind."""

    def fail() -> None:
        with get_service(Database).reading() as c:
            c.execute(text(f"SELECT CAST('{NUMBER} {BODY}' AS INTEGER) / 0, no_such('{BODY}')"))

    return fail


@pytest.mark.parametrize("defect", [_defect, _nested_defect, _database_error, _statement_error])
def test_a_defect_is_logged_with_its_place_and_without_its_values(run: Run, defect: Any) -> None:
    make_views_fail(run, defect(run))
    answer = run.gateway.get("/v1/sms", key=run.tenant.keys[Role.OWNER], X_Request_Id="find-me")
    assert answer.status_code in {500, 503}
    log_text = run.log.getvalue()
    assert [secret for secret in run.secrets() if secret in log_text] == []
    if answer.status_code == 500:
        logged = next(line for line in run.lines() if line["event"] == "request_failed")
        assert (logged["level"], logged["request_id"]) == ("error", "find-me")
        assert "test_logs.py" in logged["exception"]
        assert ", in fail" in logged["exception"]


def test_database_error_is_logged_without_values(run: Run) -> None:
    make_views_fail(run, _database_error(run))
    run.gateway.get("/v1/sms")
    logged = next(line for line in run.lines() if line["event"] == "request_failed")
    assert "IntegrityError" in logged["exception"]
    assert "workspace_id" in logged["exception"]


@dataclass
class _Holds:
    """Something whose representation holds what must not be logged."""

    number: str = NUMBER
    body: str = "x"


def test_every_argument_of_a_logger_is_masked(run: Run) -> None:
    structlog.get_logger("app.somewhere").warning(
        f"to {NUMBER}",
        number=NUMBER,
        numbers=[NUMBER, (NUMBER,), {NUMBER}],
        nested={"to": NUMBER, NUMBER: 1, "deep": {"body": BODY}},
        raw=f"To=%2B{NUMBER[1:]}".encode(),
        thing=_Holds(),
        problem=ValueError(NUMBER),
        body=BODY,
        text=BODY,
        auth_token=AUTH_TOKEN,
        Authorization=f"AccessKey {run.tenant.keys[Role.OWNER]}",
        url=f"https://{ACCOUNT}:{AUTH_TOKEN}@api.twilio.com/",
        database="postgresql+psycopg://user:planted-password@db/sms",
        fernet="JL32VlOB9olHP03aXSCI9jE-leeMQEexKB8gIAdwzm4=",
        log_text=f"token {run.tenant.keys[Role.VIEWER]}, {AUTH_TOKEN}",
    )
    logging.getLogger("some.library").warning("to %s with %r", NUMBER, AUTH_TOKEN)
    log_text = run.log.getvalue()
    planted = [*run.secrets(), "planted-password", "JL32VlOB9olHP03aXSCI9jE"]
    assert [secret for secret in planted if secret in log_text] == []
    assert "+12*******87" in log_text
    assert "some.library" in log_text


def test_ids_of_a_message_stay_readable(run: Run) -> None:
    message_id, sid = str(uuid4()), "SM" + "0" * 32
    structlog.get_logger("app.somewhere").info(
        "found", message_id=message_id, message_sid=sid, account_sid=ACCOUNT, code=30005, none=None
    )
    line = run.lines()[-1]
    assert (line["message_id"], line["message_sid"]) == (message_id, sid)
    assert (line["account_sid"], line["code"], line["none"]) == (ACCOUNT, 30005, None)
    assert (line["event"], line["level"], line["logger"]) == ("found", "info", "app.somewhere")
    assert line["timestamp"].endswith("Z")


def test_text_with_line_breaks_is_one_line(run: Run) -> None:
    structlog.get_logger("app.somewhere").info("first\nsecond", note="a\r\nb\u2028c")
    assert run.log.getvalue().count("\n") == len(run.lines())
    assert run.lines()[-1]["event"] == "first\nsecond"


def test_libraries_are_logged_from_warnings_on(run: Run) -> None:
    run.gateway.send(run.tenant)
    loud = {line["logger"] for line in run.lines() if line["level"] in {"debug", "info"}}
    assert loud
    assert all(name.startswith("app.") for name in loud)
