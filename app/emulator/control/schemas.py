"""The request bodies of the control API."""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates

from app.emulator.accounts import BrandStatus
from app.emulator.records import TwilioStatus
from app.emulator.regions import REGIONS, UNSUPPORTED
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


class ScenariosBody(_Body):
    next = fields.List(fields.Nested(_RepeatedScenarioBody))
    to = _MapOf(keys=_text(_NUMBER, "an E.164 number"), values=fields.Nested(_ScenarioBody))
    default = fields.Nested(_ScenarioBody)


class ForcedStatusBody(_Body):
    status = fields.Enum(TwilioStatus, by_value=True, **_REQUIRED)
    error_code = _integer(1, 99_999)
    notify = _flag()


class EmulatedAccountBody(_Body):
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
        problems = {
            region: ["is not a region of libphonenumber"]
            for region in permissions
            if region not in REGIONS
        } | {
            region: ["can never be enabled"]
            for region, enabled in permissions.items()
            if enabled and region in UNSUPPORTED
        }
        if problems:
            raise ValidationError(problems)


class InboundBody(_Body):
    account_sid = _text(r"AC[0-9a-fA-F]{32}\Z", "an account sid", **_REQUIRED)
    url = _text(r"https?://.+\Z", "a web address", **_REQUIRED)
    from_ = _text(_NUMBER, "an E.164 number", data_key="from", **_REQUIRED)
    to = _text(r"\+?[0-9]{3,15}\Z", "a phone number or short code", **_REQUIRED)
    body = _text(r".{0,1600}\Z", "a string of at most 1600 characters", **_REQUIRED)
    messaging_service_sid = _text(r"MG[0-9a-fA-F]{32}\Z", "a Messaging Service sid")
    opt_out_type = fields.String(validate=validate.OneOf(("STOP", "START", "HELP")))


def problems_by_path(messages: Any, path: str = "$") -> dict[str, list[str]]:
    """Turns marshmallow's tree of messages into ``{JSON path: [messages]}``."""
    if not isinstance(messages, Mapping):
        return {path: list(messages)}
    found: dict[str, list[str]] = {}
    for key, inner in messages.items():
        step = (
            path
            if key == "_schema"
            else f"{path}[{key}]"
            if isinstance(key, int)
            else f"{path}.{key}"
        )
        found |= problems_by_path(inner, step)
    return found
