"""Every row of the public error table, provoked through HTTP: its code, its status, its shape."""

from unittest.mock import ANY

import pytest

from app.access.principal import Role, mint_token
from app.kernel.ids import new_id
from app.providers.twilio.transport import NotConnected, Throttled
from app.web.errors import HTTP_STATUS
from support import error_cases as case
from support.error_cases import Row, TenantGateway
from support.factories import BR_NUMBER
from support.fake_twilio import refused
from support.tables import add_sender

pytestmark = pytest.mark.one_engine

BLOCKED_MESSAGE = "The destination is blocked and cannot receive messages."


ROWS = [
    Row(400, "BadRequest", "not JSON", case.raw(b"{")),
    Row(400, "BadRequest", "a key twice", case.raw(b'{"message": "a", "message": "b"}')),
    Row(400, "BadRequest", "malformed id in the path", case.path("/v1/sms/17")),
    Row(
        400,
        "BadRequest",
        "malformed Idempotency-Key",
        lambda it: it.send(Idempotency_Key="x" * 256),
    ),
    Row(
        400,
        "BadRequest",
        "unknown capability",
        lambda it: it.get(case.destinations(it.tenant.workspace_id, "voice")),
    ),
    Row(401, "Unauthorized", "no key", lambda it: it.gateway.get("/v1/sms")),
    Row(401, "Unauthorized", "unknown key", lambda it: it.with_key(mint_token())),
    Row(401, "Unauthorized", "damaged key", lambda it: it.with_key(mint_token()[:-1])),
    Row(401, "Unauthorized", "expired key", case.expire),
    Row(401, "Unauthorized", "revoked key", case.revoke),
    Row(403, "Forbidden", "the role may not", lambda it: it.send(role=Role.VIEWER)),
    Row(403, "WorkspaceSuspended", "frozen", case.suspend),
    Row(404, "NotFound", "no such path", case.path("/v1/nothing")),
    Row(404, "NotFound", "absent object", case.path(f"/v1/sms/{new_id()}")),
    Row(404, "NotFound", "another tenant's object", case.of_another_tenant),
    Row(404, "UseCaseNotFound", "absent use case", case.absent_use_case),
    Row(404, "UseCaseNotFound", "deleted use case", case.delete_use_case),
    Row(405, "MethodNotAllowed", "no such method", lambda it: it.gateway.client.put("/v1/sms")),
    Row(
        409,
        "IdempotencyConflict",
        "the first request still runs",
        case.while_the_first_still_runs,
        retry_after="1",
    ),
    Row(
        409,
        "DestinationsInherited",
        "the policy is the parent's",
        case.change_what_is_inherited,
        {"owner_workspace_id": ANY},
    ),
    Row(
        412,
        "RevisionMismatch",
        "If-Match is not the current one",
        case.change_another_revision,
        {"revision": 1},
    ),
    Row(413, "PayloadTooLarge", "64 KiB and a byte", case.raw(b" " * (64 * 1024 + 1))),
    Row(415, "UnsupportedMediaType", "not JSON", case.raw(b"{}", "text/plain")),
    Row(
        422,
        "ValidationFailed",
        "fields missing, unknown and mistyped",
        case.raw(b'{"message": 1, "color": "red", "to_phone_number": "12025550123"}'),
        {
            "$.use_case_id": ["Missing data for required field."],
            "$.color": ["Unknown field."],
            "$.message": ["Not a valid string."],
            "$.to_phone_number": ["Must be in E.164 form, for example +12025550123."],
        },
    ),
    Row(
        422,
        "ValidationFailed",
        "too long",
        lambda it: it.send(message="x" * 1601),
        {"$.message": ["Length must be between 1 and 1600."]},
    ),
    Row(
        422,
        "ValidationFailed",
        "a destination on the organization's floor",
        case.allow_a_denied_country,
        {"$.destinations.CA": [ANY], "$.destinations.KP": [ANY], "$.destinations.us": [ANY]},
    ),
    Row(
        422,
        "GuardTripped",
        "the limit of a guard is met",
        case.beyond_a_guard,
        {
            "guard": "number",
            "window": "hour",
            "scope": "workspace",
            "limit": 1,
            "count": 1,
            "country": "US",
            "resets_at": ANY,
            "retryable": True,
        },
    ),
    Row(422, "UseCaseInactive", "switched off", lambda it: it.with_use_case(active=False)),
    Row(422, "NoSenderNumber", "empty pool", lambda it: it.with_use_case(sender=None)),
    Row(422, "NoSenderNumber", "21703", case.twilio(refused(21703)), {"provider_code": 21703}),
    Row(422, "NoSenderNumber", "21704", case.twilio(refused(21704)), {"provider_code": 21704}),
    Row(422, "CampaignNotVerified", "US long code without", case.unverified_campaign),
    Row(
        422,
        "BrandSuspended",
        "brand suspended",
        lambda it: it.with_use_case(brand_status="SUSPENDED"),
    ),
    Row(422, "InvalidDestination", "not a real number", case.to("+12025550"), case.NOT_REAL),
    Row(422, "InvalidDestination", "landline", case.to("+442071234567"), case.LANDLINE),
    Row(422, "InvalidDestination", "premium", case.to("+19002345678"), case.PREMIUM),
    *(
        Row(
            422,
            "InvalidDestination",
            str(code),
            case.twilio(refused(code)),
            {"provider_code": code},
        )
        for code in (21211, 21265, 21268, 21614, 21635)
    ),
    Row(
        422,
        "DestinationBlocked",
        "country not allowed",
        case.to(BR_NUMBER),
        case.by_policy("BR", "country", "workspace"),
    ),
    Row(
        422,
        "DestinationBlocked",
        "no country",
        case.to("+881612345678"),
        case.by_policy(None, "no_country", "workspace"),
    ),
    Row(422, "DestinationBlocked", "21408", case.twilio(refused(21408)), case.BY_TWILIO),
    Row(422, "RecipientOptedOut", "on our list", case.opted_out),
    Row(422, "RecipientOptedOut", "21610", case.twilio(refused(21610)), {"provider_code": 21610}),
    *(
        Row(422, "MessageRejected", str(code), case.twilio(refused(code)), {"provider_code": code})
        for code in (21612, 21617, 99999)
    ),
    Row(422, "IdempotencyKeyReused", "same key, other body", case.reuse_key),
    Row(429, "RateLimited", "too many sends in flight", case.all_turns_taken, retry_after="1"),
    Row(500, "InternalError", "a case.defect of ours", case.defect),
    *(
        Row(
            502,
            "ProviderMisconfigured",
            str(code),
            case.twilio(refused(code, status)),
            {"provider_code": code},
        )
        for code, status in ((20003, 401), (21705, 400))
    ),
    Row(502, "ProviderMisconfigured", "no account", case.no_account),
    Row(
        503,
        "ProviderUnavailable",
        "could not connect",
        case.twilio(*[NotConnected()] * 20),
        retry_after="5",
    ),
    Row(
        503,
        "ProviderUnavailable",
        "429 with its Retry-After",
        case.twilio(*[Throttled(7.2)] * 20),
        retry_after="8",
    ),
]
# Codes that test_unavailable.py provokes.
ELSEWHERE = {"ServiceUnavailable", "SubmissionUnconfirmed"}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.code}-{row.when}" for row in ROWS])
def test_row_of_the_error_table(tenant_gateway: TenantGateway, row: Row) -> None:
    add_sender(
        tenant_gateway.factory, tenant_gateway.tenant.use_case_id, "+12025550101", "long_code", "US"
    )
    answer = row.provoke(tenant_gateway)
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (row.status, row.code)
    assert body["message"]
    assert body.keys() <= {"code", "message", "details"}
    assert body.get("details") == row.details
    assert answer.headers.get("Retry-After") == row.retry_after
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Request-Id"]
    if row.status == 429:
        policy, limit = answer.headers["RateLimit-Policy"], answer.headers["RateLimit"]
        assert policy.endswith(', "sends";q=1;qu="concurrent-requests"')
        assert limit.endswith(', "sends";r=0;t=1')
    if row.code == "DestinationBlocked":
        assert body["message"] == BLOCKED_MESSAGE
    if row.status == 401:
        assert answer.headers["WWW-Authenticate"] == "AccessKey"


def test_every_code_of_the_table_is_provoked_here() -> None:
    provoked = {(row.code, row.status) for row in ROWS}
    declared = {(error.__name__, status) for error, status in HTTP_STATUS.items()}
    missing = {code for code, _ in declared - provoked}
    assert missing == ELSEWHERE
    assert provoked <= declared
