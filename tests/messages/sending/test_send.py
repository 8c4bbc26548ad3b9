"""The send call and its answer, through HTTP."""

from uuid import UUID

from app.access.principal import Role
from app.messages.tables import messages
from support.factories import (
    ACCOUNT,
    AUTH_TOKEN,
    PUBLIC_URL,
    SERVICE_SID,
    US_NUMBER,
    Factory,
    Gateway,
    Tenant,
)
from support.fake_twilio import accepted
from support.time import ManualClock

FIELDS = [
    "id",
    "use_case_id",
    "message_sid",
    "from_number",
    "to_number",
    "body",
    "num_segments",
    "status",
    "handed_off_at",
    "delivered_at",
    "errored_at",
    "error_code",
    "created_at",
    "updated_at",
]
SID = "SM" + "7" * 32


def test_a_send_answers_201_with_exactly_the_fields_of_the_seed(
    timed_gateway: Gateway, tenant: Tenant, clock: ManualClock
) -> None:
    timed_gateway.twilio.script.append(accepted(sid=SID))

    answer = timed_gateway.send(tenant, message="Your code is 1234 \N{KEY}")

    assert answer.status_code == 201
    assert answer.mimetype == "application/json"
    assert list(answer.json) == FIELDS
    assert UUID(answer.json["id"]).version == 7
    assert answer.json == {
        "id": answer.json["id"],
        "use_case_id": str(tenant.use_case_id),
        "message_sid": SID,
        "from_number": None,
        "to_number": US_NUMBER,
        "body": "Your code is 1234 \N{KEY}",
        "num_segments": None,
        "status": "pending",
        "handed_off_at": None,
        "delivered_at": None,
        "errored_at": None,
        "error_code": None,
        "created_at": "2026-01-31T12:00:00.000Z",
        "updated_at": "2026-01-31T12:00:00.000Z",
    }


def test_times_integers_and_the_sender_appear_as_delivery_reports_them(
    timed_gateway: Gateway, tenant: Tenant, clock: ManualClock
) -> None:
    sent = timed_gateway.send(tenant, message="ж" * 71).json
    clock.advance(1.5)
    timed_gateway.callback(sent["id"], sent["message_sid"], "sent")
    clock.advance(2)
    timed_gateway.callback(sent["id"], sent["message_sid"], "undelivered", ErrorCode="30003")

    message = timed_gateway.get(f"/v1/sms/{sent['id']}", key=tenant.keys[Role.SENDER]).json

    assert list(message) == FIELDS
    assert message == sent | {
        "from_number": "+12025550100",
        "num_segments": 2,
        "status": "undelivered",
        "handed_off_at": "2026-01-31T12:00:01.500Z",
        "errored_at": "2026-01-31T12:00:03.500Z",
        "error_code": 30003,
        "updated_at": "2026-01-31T12:00:03.500Z",
    }


def test_sender_is_in_the_answer_if_the_provider_returns_it(
    gateway: Gateway, tenant: Tenant
) -> None:
    gateway.twilio.script.append(accepted(**{"from": "+12025550177"}))
    assert gateway.send(tenant).json["from_number"] == "+12025550177"


def test_the_provider_gets_the_number_the_text_the_service_and_our_callback(
    gateway: Gateway, tenant: Tenant
) -> None:
    sent = gateway.send(tenant, message="Hëllo & good-bye").json

    (call,) = gateway.twilio.calls
    assert call.method.upper() == "POST"
    assert call.uri == f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert call.auth == (ACCOUNT, AUTH_TOKEN)
    assert {name: value for name, value in call.data.items() if isinstance(value, str)} == {
        "To": US_NUMBER,
        "MessagingServiceSid": SERVICE_SID,
        "Body": "Hëllo & good-bye",
        "StatusCallback": f"{PUBLIC_URL}/v1/webhook/twilio/sms-status"
        f"?message_id={sent['id']}#rc=5&rp=5xx,ct,rt",
    }


def test_the_submission_is_committed_before_the_provider_is_called(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    seen = []

    def look(_call: object) -> object:
        seen.extend(factory.rows(messages))
        return accepted(sid=SID)

    gateway.twilio.script.append(look)
    sent = gateway.send(tenant).json

    assert [(str(row["id"]), row["submission"], row["message_sid"]) for row in seen] == [
        (sent["id"], "open", None)
    ]
    (row,) = factory.rows(messages)
    assert (row["submission"], row["message_sid"], row["country"]) == ("accepted", SID, "US")
    assert row["policy_revision"] == 1


def test_a_message_of_1600_characters_of_any_kind_is_sent_whole(
    gateway: Gateway, tenant: Tenant
) -> None:
    text = "\N{GRINNING FACE}" * 1600
    assert gateway.send(tenant, message=text).json["body"] == text
    assert gateway.twilio.calls[0].data["Body"] == text
    assert gateway.send(tenant, message=text + "a").json["code"] == "ValidationFailed"


def test_with_and_without_a_trailing_slash_a_send_is_the_same(
    gateway: Gateway, tenant: Tenant
) -> None:
    body = {"use_case_id": str(tenant.use_case_id), "to_phone_number": US_NUMBER, "message": "a"}
    for path in ("/v1/sms", "/v1/sms/"):
        assert gateway.post(path, body, key=tenant.keys[Role.SENDER]).status_code == 201


def test_a_key_of_the_organization_sends_through_each_of_its_workspaces(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    other = factory.tenant(tenant.organization_id, "Wholesale")
    keys = factory.keys(tenant.organization_id, None)
    for owner in (tenant, other):
        owner.keys = keys
        sent = gateway.send(owner)
        assert sent.status_code == 201
        assert sent.json["use_case_id"] == str(owner.use_case_id)
