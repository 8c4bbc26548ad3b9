"""The Python client: against the gateway, and against answers that go wrong."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.access.principal import Role
from app.db.engine import Database
from app.kernel import errors
from app.webhooks.endpoints import mint_secret, signed_headers
from borderpost_client import (
    ApiError,
    Borderpost,
    BorderpostError,
    DestinationBlocked,
    NoAnswer,
    NotFound,
    RateLimited,
    RevisionMismatch,
    StillUnderway,
    Unconfirmed,
    ValidationFailed,
    WebhookRefused,
    verify_webhook,
)
from borderpost_client.errors import _OF_CODES
from support.each import each
from support.factories import BR_NUMBER, US_NUMBER
from support.live_gateway import LiveGateway, start_live_gateway_here
from support.loopback import Loopback, ServerAction, answer, hang_up
from support.polling import PATIENCE_SECONDS

pytestmark = pytest.mark.one_engine
MESSAGE = {
    "id": "01a2053d-7f34-7745-85fa-5a5506f76ca4",
    "use_case_id": "0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001",
    "to_number": US_NUMBER,
    "status": "pending",
    "created_at": "2026-01-31T12:00:00.000Z",
    "updated_at": "2026-01-31T12:00:00.000Z",
    "a_field_of_a_later_version": 1,
}


def _client(stage: LiveGateway, role: Role = Role.ADMIN) -> Borderpost:
    return Borderpost(f"http://127.0.0.1:{stage.port}/", stage.tenant.keys[role])


def test_a_message_is_sent_followed_and_found(database: Database, tmp_path: Path) -> None:
    with start_live_gateway_here(database, tmp_path) as stage, _client(stage) as sms:
        use_case = stage.tenant.use_case_id
        sent = sms.send(use_case, US_NUMBER, "Your code is 4711", idempotency_key="order-17")
        assert sent.status == "pending"
        again = sms.send(use_case, US_NUMBER, "Your code is 4711", idempotency_key="order-17")
        assert again == sent
        ended = sms.wait(sent.id, timeout=PATIENCE_SECONDS)
        assert (ended.status, ended.delivered_at is not None) == ("delivered", True)
        assert ended.created_at.tzinfo is not None
        assert [one.id for one in sms.messages(to_number=US_NUMBER)] == [sent.id]
        assert list(sms.messages(created_after=datetime.now(UTC))) == []
        events = list(sms.events(sent.id))
        assert events[-1].status == "delivered"
        with pytest.raises(DestinationBlocked) as blocked:
            sms.send(use_case, BR_NUMBER, "Hello")
        assert blocked.value.details["country"] == "BR"
        assert blocked.value.request_id
        with pytest.raises(ValidationFailed) as wrong:
            sms.send(use_case, US_NUMBER, "")
        assert set(wrong.value.details) == {"$.message"}
        with pytest.raises(NotFound):
            sms.message(uuid4())


def test_destinations_and_guards_are_managed(database: Database, tmp_path: Path) -> None:
    with start_live_gateway_here(database, tmp_path) as stage, _client(stage) as sms:
        destinations = sms.destinations(stage.tenant.workspace_id)
        first = destinations.get()
        assert first.destinations == {"US": "allowed"}
        allowed = destinations.allow("BR", "FR", reason="Einführung ü")
        assert allowed.revision == first.revision + 1
        assert [one.allowed for one in destinations.check(BR_NUMBER, "+4407400123456")] == [
            True,
            False,
        ]
        assert destinations.block("BR", if_match=allowed.revision).destinations["BR"] == "blocked"
        with pytest.raises(RevisionMismatch):
            destinations.replace({"US": "allowed"}, if_match=allowed.revision)
        assert destinations.replace({"US": "allowed"}).destinations == {"US": "allowed"}
        guards = sms.guards(stage.tenant.workspace_id)
        current = guards.get()
        wanted = {"number": {"mode": "enforce", "hour": 3, "day": 9}}
        changed = guards.replace(wanted, if_match=current.revision, reason="quiet")
        assert changed.guards["number"] == wanted["number"]
        assert guards.get() == changed


def _with_script(
    *script: ServerAction, **options: Any
) -> tuple[Loopback, Callable[[str], Borderpost]]:
    return Loopback(list(script)), lambda url: _unhurried(Borderpost(url, "bp_x", **options))


def _unhurried(sms: Borderpost) -> Borderpost:
    """Let the client's clock pass without waiting."""
    passed = [0.0]
    sms._transport.clock = lambda: passed[0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    sms._transport.sleep = sleep
    return sms


CREATED = answer(201, json.dumps(MESSAGE))
BUSY = answer(503, '{"code": "ServiceUnavailable", "message": "m"}', Retry_After="2")


@each(
    ("first", "repeats"),
    [
        (answer(429, '{"code": "RateLimited", "message": "m"}', Retry_After="1"), True),
        (BUSY, True),
        (answer(409, '{"code": "IdempotencyConflict", "message": "m"}', Retry_After="1"), True),
        (hang_up, True),
        (answer(409, '{"code": "DestinationsInherited", "message": "m"}'), False),
        (answer(422, '{"code": "DestinationBlocked", "message": "m"}'), False),
        (answer(500, '{"code": "InternalError", "message": "m"}'), False),
        (answer(502, "<html>a proxy"), True),
        (
            answer(
                504, '{"code": "SubmissionUnconfirmed", "message": "m", "details": {"id": "7"}}'
            ),
            False,
        ),
    ],
)
def test_a_send_is_repeated_with_its_key_only_where_that_is_safe(
    first: ServerAction, repeats: bool
) -> None:
    """Break: make a key in `_ask_once`, or add 504 to `_NEVER_PROCESSED`."""
    server, client = _with_script(first, CREATED)
    with server, client(server.url) as sms:
        if repeats:
            assert sms.send(MESSAGE["use_case_id"], US_NUMBER, "Hello").id == MESSAGE["id"]
        else:
            with pytest.raises(ApiError):
                sms.send(MESSAGE["use_case_id"], US_NUMBER, "Hello")
        keys = [one.headers["idempotency-key"] for one in server.requests]
        assert len(keys) == (2 if repeats else 1)
        assert len(set(keys)) == 1


def test_a_key_goes_as_it_was_given_and_an_id_names_one_object() -> None:
    """Break: make a key in place of an empty one, or leave `quote` or the check out of `_part`."""
    server, client = _with_script(*[CREATED] * 2, answer(200, json.dumps(MESSAGE)))
    with server, client(server.url) as sms:
        for key in ("", "заказ"):
            sms.send(MESSAGE["use_case_id"], US_NUMBER, "Hello", idempotency_key=key)
        sms.message("../me?x")
        for ask in (sms.message, sms.events, sms.guards, sms.destinations):
            with pytest.raises(ValueError, match="empty"):
                list(ask(""))  # type: ignore[arg-type]
    sent = [one.headers.get("idempotency-key") for one in server.requests]
    assert sent == ["", "заказ".encode().decode("latin-1"), None]
    assert server.requests[-1].target == "/v1/sms/..%2Fme%3Fx"


def test_an_answer_of_another_server_says_what_to_correct() -> None:
    """Break: read an answer without JSON as a message."""
    moved = answer(301, "", Location="https://sms.example.com/v1/sms?to_number=%2B12025550123")
    for first, told in (
        (moved, "redirected to https://sms.example.com/v1/sms: correct base_url"),
        (answer(200, ""), "check base_url"),
        (answer(200, "<html>a portal"), "check base_url"),
        (answer(404, "<html>another site"), "check base_url"),
    ):
        server, client = _with_script(first)
        with server, client(server.url) as sms, pytest.raises(ApiError) as refused:
            next(sms.messages(to_number=US_NUMBER))
        assert str(refused.value).endswith(told)


def test_a_change_that_may_have_arrived_is_not_repeated() -> None:
    server, client = _with_script(hang_up)
    with server, client(server.url) as sms:
        with pytest.raises(NoAnswer) as silent:
            sms.destinations(uuid4()).allow("BR")
        assert silent.value.may_have_arrived
        assert len(server.requests) == 1


def test_repetition_ends_with_the_time_and_nothing_is_repeated_without_any() -> None:
    server, client = _with_script(*[BUSY] * 40)
    with server, client(server.url) as sms:
        with pytest.raises(ApiError) as busy:
            sms.send(MESSAGE["use_case_id"], US_NUMBER, "Hello")
        assert busy.value.code == "ServiceUnavailable"
        assert busy.value.retry_after == 2
        assert len(server.requests) in range(5, 17)
    server, client = _with_script(
        answer(429, '{"code": "RateLimited", "message": "m"}'), retry_seconds=0
    )
    with server, client(url := server.url) as sms, pytest.raises(RateLimited):
        sms.send(MESSAGE["use_case_id"], US_NUMBER, "Hello")
    with pytest.raises(NoAnswer) as refused, client(url) as sms:
        sms.send(MESSAGE["use_case_id"], US_NUMBER, "Hello")
    assert not refused.value.may_have_arrived


def test_an_unconfirmed_send_names_its_message_and_waiting_ends() -> None:
    unconfirmed = {"code": "SubmissionUnconfirmed", "message": "m", "details": {"id": "7"}}
    server, client = _with_script(
        answer(504, json.dumps(unconfirmed)), *[answer(200, json.dumps(MESSAGE))] * 60
    )
    with server, client(server.url) as sms:
        with pytest.raises(Unconfirmed) as found:
            sms.send(MESSAGE["use_case_id"], US_NUMBER, "Hello")
        assert found.value.message_id == "7"
        with pytest.raises(StillUnderway) as underway:
            sms.wait("7", timeout=30)
        assert underway.value.status == "pending"


def test_every_code_of_the_api_that_has_a_class_exists() -> None:
    known = {name for name, one in vars(errors).items() if isinstance(one, type)}
    assert set(_OF_CODES) - known <= {"GuardTripped"}  # answered once sends pass the guards


def test_webhook_is_accepted_only_as_it_was_signed() -> None:
    secrets = [mint_secret(), mint_secret()]
    body = json.dumps(
        {"type": "sms.delivered", "timestamp": "2026-01-31T12:00:00.000Z", "data": {"id": "7"}}
    )
    event_id, now = uuid4(), datetime.now(UTC)
    headers = signed_headers(secrets, event_id, now, body)
    event = verify_webhook(secrets[1], headers, body.encode())
    assert (event.id, event.type, event.data) == (str(event_id), "sms.delivered", {"id": "7"})
    shouted = {name.title(): text for name, text in headers.items()}
    assert verify_webhook([mint_secret(), secrets[0]], shouted, body.encode()) == event
    wrong: list[tuple[str, dict[str, str], bytes, float]] = [
        (mint_secret(), headers, body.encode(), time.time()),
        (secrets[0], headers, body.encode() + b" ", time.time()),
        (secrets[0], headers | {"webhook-id": "other"}, body.encode(), time.time()),
        (secrets[0], headers | {"webhook-signature": "v1,"}, body.encode(), time.time()),
        (secrets[0], headers | {"webhook-timestamp": "soon"}, body.encode(), time.time()),
        (secrets[0], headers, body.encode(), time.time() + 400),
        (secrets[0], headers, body.encode(), time.time() - 400),
        (secrets[0], {}, body.encode(), time.time()),
        (secrets[0], signed_headers(secrets, event_id, now, "[]"), b"[]", time.time()),
    ]
    taken = []
    for place, (secret, given, text, at) in enumerate(wrong):
        try:
            verify_webhook(secret, given, text, now=at)
        except WebhookRefused:
            continue
        taken.append(place)
    assert taken == []


def test_every_error_has_one_base() -> None:
    assert all(issubclass(one, BorderpostError) for one in _OF_CODES.values())
