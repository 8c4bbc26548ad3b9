"""A failure of ours during a callback: 503 with Retry-After, so that Twilio's retry lands."""

import time
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from app.access.principal import Role
from app.access.tables import provider_accounts
from app.db.engine import KeptConnections
from app.messages.tables import message_events
from app.use_cases.tables import opt_outs
from support.factories import ACCOUNT, AUTH_TOKEN, Factory, Gateway, Tenant
from support.locks import holding_messages
from support.polling import limit_here
from support.tables import set_tokens


def _unavailable(answer: Any) -> bool:
    return (answer.status_code, answer.json["code"]) == (503, "ServiceUnavailable") and (
        int(answer.headers["Retry-After"]) >= 1
    )


def _lands(gateway: Gateway, tenant: Tenant, sent: Any) -> None:
    answer = gateway.callback(sent["id"], sent["message_sid"], "delivered")
    assert answer.status_code == 204
    found = gateway.get(f"/v1/sms/{sent['id']}", key=tenant.keys[Role.VIEWER]).json
    assert found["status"] == "delivered"


def test_a_locked_database_answers_503_within_3_seconds_and_the_retry_lands(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sent = gateway.send(tenant).json
    limit = limit_here(3, lambda: gateway.callback(sent["id"], sent["message_sid"], "queued"))
    before = factory.rows(message_events)
    with holding_messages(factory.database):
        started = time.perf_counter()
        answer = gateway.callback(sent["id"], sent["message_sid"], "delivered")
        took = time.perf_counter() - started
    assert _unavailable(answer)
    assert took < limit
    assert factory.rows(message_events) == before
    _lands(gateway, tenant, sent)


@pytest.mark.parametrize(
    "failure",
    [ZeroDivisionError(), OperationalError("statement", None, Exception("gone")), KeyError("x")],
)
def test_a_defect_of_ours_answers_503_and_the_retry_lands(
    gateway: Gateway, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    sent = gateway.send(tenant).json

    def fail(*_: object) -> None:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr("app.messages.delivery.apply_report._values", fail)
        assert _unavailable(gateway.callback(sent["id"], sent["message_sid"], "delivered"))
    _lands(gateway, tenant, sent)


def test_a_failure_between_the_event_and_the_message_undoes_both(
    gateway: Gateway, tenant: Tenant, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = gateway.send(tenant).json

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("app.messages.delivery.apply_report.AppliedReport", fail)
        answer = gateway.callback(sent["id"], sent["message_sid"], "delivered")
    assert _unavailable(answer)
    events = factory.rows(message_events)
    found = gateway.get(f"/v1/sms/{sent['id']}", key=tenant.keys[Role.VIEWER]).json
    # On PostgreSQL both were one statement and are there; on SQLite the transaction took both back.
    assert (found["status"] == "delivered") == bool(events)
    _lands(gateway, tenant, sent)


def test_an_opt_out_that_could_not_be_written_is_written_by_the_retry(
    gateway: Gateway, tenant: Tenant, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = gateway.send(tenant).json

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    report = (sent["id"], sent["message_sid"], "failed")
    with monkeypatch.context() as patch:
        patch.setattr("app.messages.refusal_effects.add_opt_out", fail)
        assert _unavailable(gateway.callback(*report, ErrorCode="21610"))
    assert gateway.callback(*report, ErrorCode="21610").status_code == 204
    assert len(factory.rows(opt_outs)) == 1


@pytest.mark.parametrize("path", ["sms-status", "sms-inbound"])
def test_a_token_that_cannot_be_decrypted_answers_503_and_the_retry_lands(
    gateway: Gateway, tenant: Tenant, factory: Factory, path: str
) -> None:
    sent = gateway.send(tenant).json
    factory.write(provider_accounts.update().values(auth_token="not encrypted"))
    named = {"path": f"/v1/webhook/twilio/{path}"}
    assert _unavailable(gateway.callback(sent["id"], sent["message_sid"], "delivered", **named))
    set_tokens(factory, ACCOUNT, AUTH_TOKEN)
    answer = gateway.callback(sent["id"], sent["message_sid"], "delivered", **named)
    assert answer.status_code in {200, 204}


def test_a_database_that_is_gone_while_the_account_is_looked_up_answers_503(
    gateway: Gateway, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = gateway.send(tenant).json

    def gone(*_: object) -> None:
        raise OperationalError("statement", None, Exception("gone"))

    with monkeypatch.context() as patch:
        patch.setattr(KeptConnections, "take", gone)
        patch.setattr(gateway.services.database.engine, "connect", gone)
        assert _unavailable(gateway.callback(sent["id"], sent["message_sid"], "delivered"))
    _lands(gateway, tenant, sent)
