"""The API under `/emulator`, without credentials: an emulator listens on loopback."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, jsonify, request
from marshmallow import Schema, ValidationError

from app.emulator.accounts import ACCOUNT_SID
from app.emulator.callbacks.webhooks import is_valid
from app.emulator.control.schemas import (
    EmulatedAccountBody,
    ForcedStatusBody,
    InboundBody,
    ScenariosBody,
    problems_by_path,
)
from app.emulator.emulator import current_emulator
from app.emulator.records import API_VERSION, CallbackAttempt, Message, Stage, TwilioStatus
from app.emulator.regions import region_of
from app.emulator.segments import count_segments

blueprint = Blueprint("control", __name__, url_prefix="/emulator")


@blueprint.errorhandler(ValidationError)
def _wrong_fields(error: ValidationError) -> tuple[Response, int]:
    return jsonify(errors=problems_by_path(error.messages)), 400


def _body(schema: Schema) -> dict[str, Any]:
    body: Any = request.get_json(force=True, silent=True)
    loaded: dict[str, Any] = schema.load(body)
    return loaded


@blueprint.post("/scenarios")
def set_scenarios() -> Response:
    order = _body(ScenariosBody())
    scenarios = current_emulator().scenarios
    for repeated in order.get("next", []):
        scenarios.queue(*repeated)
    for to, scenario in order.get("to", {}).items():
        scenarios.for_number(to, scenario)
    if "default" in order:
        scenarios.set_default(order["default"])
    return jsonify(queued=len(scenarios.queued), numbers=list(scenarios.by_number))


@blueprint.delete("/scenarios")
def clear_scenarios() -> Response:
    current_emulator().scenarios.clear()
    return Response(status=204)


@blueprint.get("/messages")
def list_messages() -> Response:
    """Lists the created messages, newest first, and counts the create calls."""
    book = current_emulator().messages
    return jsonify(
        created=book.created,
        attempted=book.attempted,
        messages=[_message(message) for message in book.newest_first()],
    )


@blueprint.get("/callbacks")
def list_callbacks() -> Response:
    """Lists the callback attempts, oldest first."""
    attempts = list(current_emulator().callbacks)
    return jsonify(callbacks=[_attempt(attempt) for attempt in attempts])


@blueprint.post("/messages/<sid>/status")
def force_status(sid: str) -> tuple[Response, int]:
    """Sets a status out of turn and calls back, unless `notify` is false."""
    order = _body(ForcedStatusBody())
    emulator = current_emulator()
    if emulator.messages.find(sid) is None:
        return jsonify(errors={"$": ["there is no such message"]}), 404
    stage = Stage(order["status"], order.get("error_code"))
    attempt = emulator.sender.force(sid, stage, notifies=order.get("notify", True))
    return jsonify(sid=sid, status=stage.status, callback=attempt and _attempt(attempt)), 200


@blueprint.put("/accounts/<sid>")
def put_account(sid: str) -> Response:
    """Declares or changes an account; fields that are left out are unchanged."""
    order = _body(EmulatedAccountBody())
    if not ACCOUNT_SID.fullmatch(sid):
        raise ValidationError({"_schema": ["the address does not end in an account sid"]})
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
    """Posts an inbound message to a URL and returns the receiver's answer."""
    order = _body(InboundBody())
    emulator = current_emulator()
    account = emulator.accounts.find(order["account_sid"])
    if account is None or account.auth_token is None:
        raise ValidationError({"account_sid": ["its auth token is not known here"]})
    if not is_valid(order["url"]):
        raise ValidationError({"url": ["must be a web address"]})
    *_, answer = emulator.poster.attempts(order["url"], _inbound_params(order), account.auth_token)
    return jsonify(
        http_status=answer.http_status,
        content_type=answer.content_type,
        body=answer.body,
        failure=answer.failure,
    )


@blueprint.post("/reset")
def reset() -> Response:
    """Deletes messages, callbacks, scenarios and undeclared accounts."""
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


def _inbound_params(order: Mapping[str, str]) -> dict[str, str]:
    """The form that Twilio posts for an inbound message (Twilio, messaging webhook)."""
    sid = f"SM{secrets.token_hex(16)}"
    params = {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsMessageSid": sid,
        "AccountSid": order["account_sid"],
        "From": order["from_"],
        "FromCountry": region_of(order["from_"]) or "",
        "To": order["to"],
        "Body": order["body"],
        "NumMedia": "0",
        "NumSegments": str(count_segments(order["body"])),
        "SmsStatus": TwilioStatus.RECEIVED.value,
        "ApiVersion": API_VERSION,
    }
    if "messaging_service_sid" in order:
        params["MessagingServiceSid"] = order["messaging_service_sid"]
    if "opt_out_type" in order:
        params["OptOutType"] = order["opt_out_type"]
    return params
