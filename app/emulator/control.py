"""Decides how tests and people steer an emulator and look into it: the API under `/emulator`.

It asks for no credentials: an emulator listens on loopback. `docs/emulator.md` shows each control.
"""

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.emulator import callback_url, control_fields
from app.emulator.accounts import ACCOUNT_SID
from app.emulator.caller import current_emulator
from app.emulator.inbound import inbound_params
from app.emulator.json_fields import Reader, WrongFields, read
from app.emulator.records import CallbackAttempt, Message, Stage

blueprint = Blueprint("control", __name__, url_prefix="/emulator")


@blueprint.errorhandler(WrongFields)
def _wrong_fields(error: WrongFields) -> tuple[Response, int]:
    return jsonify(errors=error.problems), 400


def _body(reader: Reader) -> Any:
    return read(request.get_json(force=True, silent=True), reader)


@blueprint.post("/scenarios")
def set_scenarios() -> Response:
    """Says what happens to the next messages, to messages to a number, or to all others."""
    order = _body(control_fields.SCENARIOS)
    scenarios = current_emulator().scenarios
    for repeated in order.get("next", []):
        scenarios.queue(*repeated)
    for to, scenario in order.get("to", {}).items():
        scenarios.for_number(to, scenario)
    if "default" in order:
        scenarios.set_default(order["default"])
    return jsonify(queued=scenarios.queued(), numbers=list(scenarios.numbers()))


@blueprint.delete("/scenarios")
def clear_scenarios() -> Response:
    """Lets every message to come be delivered as usual."""
    current_emulator().scenarios.clear()
    return Response(status=204)


@blueprint.get("/messages")
def list_messages() -> Response:
    """Shows what was created, the newest first, and how often creating was tried."""
    book = current_emulator().messages
    return jsonify(
        created=book.created,
        attempted=book.attempted,
        messages=[_message(message) for message in book.newest_first()],
    )


@blueprint.get("/callbacks")
def list_callbacks() -> Response:
    """Shows every attempt to call a status callback, the oldest first."""
    attempts = current_emulator().callbacks.oldest_first()
    return jsonify(callbacks=[_attempt(attempt) for attempt in attempts])


@blueprint.post("/messages/<sid>/status")
def force_status(sid: str) -> tuple[Response, int]:
    """Sets a status out of turn and calls back, unless `notify` is false."""
    order = _body(control_fields.FORCED_STATUS)
    emulator = current_emulator()
    if emulator.messages.find(sid) is None:
        return jsonify(errors={"$": ["there is no such message"]}), 404
    stage = Stage(order["status"], order.get("error_code"))
    attempt = emulator.sender.force(sid, stage, notifies=order.get("notify", True))
    return jsonify(sid=sid, status=stage.status, callback=attempt and _attempt(attempt)), 200


@blueprint.put("/accounts/<sid>")
def put_account(sid: str) -> Response:
    """Declares an account or changes one; what is left out stays."""
    order = _body(control_fields.ACCOUNT)
    if not ACCOUNT_SID.fullmatch(sid):
        raise WrongFields({"$": ["the address does not end in an account sid"]})
    permissions = order.pop("geo_permissions", {})
    account = current_emulator().accounts.change(
        sid, lambda now: replace(now, **order).with_regions(permissions)
    )
    return jsonify(
        account_sid=sid,
        closed_regions=sorted(account.closed_regions),
        brand_status=account.brand_status,
        campaign_status=account.campaign_status,
    )


@blueprint.post("/inbound")
def send_inbound() -> Response:
    """Plays somebody who writes to one of the account's numbers; answers what the receiver said."""
    order = _body(control_fields.INBOUND)
    emulator = current_emulator()
    account = emulator.accounts.find(order["account_sid"])
    if account is None or account.auth_token is None:
        raise WrongFields({"$.account_sid": ["its auth token is not known here"]})
    if not callback_url.is_valid(order["url"]):
        raise WrongFields({"$.url": ["must be a web address"]})
    *_, answer = emulator.poster.attempts(order["url"], inbound_params(order), account.auth_token)
    return jsonify(
        http_status=answer.http_status,
        content_type=answer.content_type,
        body=answer.body,
        failure=answer.failure,
    )


@blueprint.post("/reset")
def reset() -> Response:
    """Forgets messages, callbacks, scenarios and what was not declared at the start."""
    current_emulator().reset()
    return Response(status=204)


def _message(message: Message) -> dict[str, object]:
    return {
        "sid": message.sid,
        "account_sid": message.account_sid,
        "to": message.to,
        "from": message.sender,
        "status": message.status,
        "error_code": message.error_code,
        "messaging_service_sid": message.messaging_service_sid,
        "body_length": len(message.body),
        "message_id": message.message_id,
        "created_at": message.created_at.isoformat(),
    }


def _attempt(attempt: CallbackAttempt) -> dict[str, object]:
    return {
        "at": attempt.at.isoformat(),
        "message_sid": attempt.message_sid,
        "message_id": attempt.message_id,
        "status": attempt.status,
        "attempt": attempt.attempt,
        "http_status": attempt.http_status,
        "failure": attempt.failure,
    }
