"""The API under `/emulator`, without credentials: an emulator listens on loopback."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request
from marshmallow import Schema, ValidationError, fields, post_load, validate, validates

from app.emulator.accounts import ACCOUNT_SID, REGIONS, UNSUPPORTED, BrandStatus, region_of
from app.emulator.callbacks.webhooks import is_valid
from app.emulator.emulator import current_emulator
from app.emulator.records import (
    API_VERSION,
    CallbackAttempt,
    Message,
    Stage,
    TwilioStatus,
    count_segments,
)
from app.emulator.scenarios import CallbackMode, CreateAnswer, FinalStatus, Scenario

_NUMBER: Final = r"\+[1-9][0-9]{1,14}\Z"
_REQUIRED: Final[dict[str, Any]] = {"required": True, "error_messages": {"required": "is required"}}


class _Body(Schema):
    error_messages = {"type": "must be an object", "unknown": "is unknown"}  # noqa: RUF012


def _text(pattern: str, description: str, **options: Any) -> fields.String:
    check = validate.Regexp(rf"(?s:{pattern})", error=f"must be {description}")
    return fields.String(validate=check, **options)


def _integer(low: int, high: int) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(low, high))


def _seconds(**options: Any) -> fields.Float:
    return fields.Float(validate=validate.Range(0, 300), **options)


def _flag() -> fields.Boolean:
    return fields.Boolean(truthy={True}, falsy={False})


class _ScenarioBody(_Body):
    callbacks = fields.Enum(CallbackMode, by_value=True)
    final = fields.Enum(FinalStatus, by_value=True)
    error_code = _integer(1, 99_999)
    create = fields.Enum(CreateAnswer, by_value=True)
    reject_code = _integer(1, 99_999)
    reject_status = _integer(400, 599)
    retry_after_seconds = _integer(0, 300)
    hold_seconds = _seconds()
    delay_seconds = _seconds()
    pace_seconds = _seconds(allow_none=True)

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> Scenario | list[Scenario]:
        return Scenario(**given)


class _RepeatedScenarioBody(_ScenarioBody):
    times = _integer(1, 10_000)

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> Scenario | list[Scenario]:
        times = given.pop("times", 1)
        return [Scenario(**given)] * times


class _MapOf(fields.Dict):
    """A dict field that reports problems at ``key``, without marshmallow's inner levels."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        try:
            return super()._deserialize(value, attr, data, **options)  # type: ignore[no-untyped-call]
        except ValidationError as problem:
            if not isinstance(problem.messages, Mapping):
                raise
            inner = {
                name: texts.get("key") or texts["value"] for name, texts in problem.messages.items()
            }
            raise ValidationError(inner) from problem


class _ScenariosBody(_Body):
    next = fields.List(fields.Nested(_RepeatedScenarioBody))
    to = _MapOf(keys=_text(_NUMBER, "an E.164 number"), values=fields.Nested(_ScenarioBody))
    default = fields.Nested(_ScenarioBody)


class _ForcedStatusBody(_Body):
    status = fields.Enum(TwilioStatus, by_value=True, **_REQUIRED)
    error_code = _integer(1, 99_999)
    notify = _flag()


class _EmulatedAccountBody(_Body):
    auth_token = _text(r".+\Z", "a string that is not empty")
    next_auth_token = _text(r".+\Z", "a string that is not empty, or null", allow_none=True)
    api_keys = _MapOf(
        keys=_text(r"SK[0-9a-fA-F]{32}\Z", "an API key sid"), values=_text(r".+\Z", "a secret")
    )
    geo_permissions = _MapOf(keys=fields.String(), values=_flag())
    brand_status = fields.Enum(BrandStatus, by_value=True)
    campaign_status = _text(r"[A-Z_]+\Z", "a word in capitals, or null", allow_none=True)

    @validates("geo_permissions")
    def _check_regions(self, permissions: Mapping[str, bool], **_: Any) -> None:
        unknown = permissions.keys() - set(REGIONS)
        wrong = UNSUPPORTED.intersection(one for one, enabled in permissions.items() if enabled)
        problems = {one: ["is not a region of libphonenumber"] for one in unknown}
        problems |= {one: ["can never be enabled"] for one in wrong}
        if problems:
            raise ValidationError(problems)


class _InboundBody(_Body):
    account_sid = _text(r"AC[0-9a-fA-F]{32}\Z", "an account sid", **_REQUIRED)
    url = _text(r"https?://.+\Z", "a web address", **_REQUIRED)
    from_ = _text(_NUMBER, "an E.164 number", data_key="from", **_REQUIRED)
    to = _text(r"\+?[0-9]{3,15}\Z", "a phone number or short code", **_REQUIRED)
    body = _text(r".{0,1600}\Z", "a string of at most 1600 characters", **_REQUIRED)
    messaging_service_sid = _text(r"MG[0-9a-fA-F]{32}\Z", "a Messaging Service sid")
    opt_out_type = fields.String(validate=validate.OneOf(("STOP", "START", "HELP")))


def _problems_by_path(messages: Any, path: str = "$") -> dict[str, list[str]]:
    if not isinstance(messages, Mapping):
        return {path: list(messages)}
    found: dict[str, list[str]] = {}
    for key, inner in messages.items():
        step = f"[{key}]" if isinstance(key, int) else f".{key}"
        found |= _problems_by_path(inner, path if key == "_schema" else path + step)
    return found


blueprint = Blueprint("control", __name__, url_prefix="/emulator")


@blueprint.errorhandler(ValidationError)
def _wrong_fields(error: ValidationError) -> tuple[Response, int]:
    return jsonify(errors=_problems_by_path(error.messages)), 400


def _body(schema: Schema) -> dict[str, Any]:
    try:
        body: Any = request.get_json(force=True, silent=True)
    except RecursionError:
        body = None
    loaded: dict[str, Any] = schema.load(body)
    return loaded


@blueprint.post("/scenarios")
def set_scenarios() -> Response:
    order = _body(_ScenariosBody())
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
    book = current_emulator().messages
    return jsonify(
        created=book.created,
        attempted=book.attempted,
        messages=[_message(message) for message in book.newest_first()],
    )


@blueprint.get("/callbacks")
def list_callbacks() -> Response:
    return jsonify(callbacks=[_attempt(one) for one in list(current_emulator().callbacks)])


@blueprint.post("/messages/<sid>/status")
def force_status(sid: str) -> tuple[Response, int]:
    """Sets a status out of turn and calls back, unless `notify` is false."""
    order = _body(_ForcedStatusBody())
    emulator = current_emulator()
    if emulator.messages.find(sid) is None:
        return jsonify(errors={"$": ["there is no such message"]}), 404
    stage = Stage(order["status"], order.get("error_code"))
    attempt = emulator.sender.force(sid, stage, notifies=order.get("notify", True))
    return jsonify(sid=sid, status=stage.status, callback=attempt and _attempt(attempt)), 200


@blueprint.put("/accounts/<sid>")
def put_account(sid: str) -> Response:
    """Declares or changes an account; fields that are left out are unchanged."""
    order = _body(_EmulatedAccountBody())
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
    order = _body(_InboundBody())
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
    return asdict(attempt) | {"at": attempt.at.isoformat()}


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
