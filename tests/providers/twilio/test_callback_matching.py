"""A callback changes the one message that its account, its id and its SID agree on, or nothing."""

from twilio.http.response import Response

from app.access.principal import Role
from app.access.tables import workspaces
from app.kernel.ids import new_id
from support.callbacks import message_id_of, new_sid
from support.factories import ACCOUNT, AUTH_TOKEN, OTHER_ACCOUNT, Factory, Gateway, Tenant
from support.fake_twilio import Call, accepted
from support.replace_services import another_client
from support.tables import snapshot

OTHER_TOKEN = "b" * 32


def test_a_callback_of_another_account_changes_nothing(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    factory.tenant(
        tenant.organization_id, "other", account_sid=OTHER_ACCOUNT, auth_token=OTHER_TOKEN
    )
    sent = gateway.send(tenant).json
    before = snapshot(factory.database)
    other = {"account_sid": OTHER_ACCOUNT, "token": OTHER_TOKEN}
    sid = sent["message_sid"]
    for message_id, message_sid in ((sent["id"], sid), (None, sid), (sent["id"], new_sid())):
        answer = gateway.callback(message_id, message_sid, "delivered", **other)
        assert answer.status_code == 204
    assert snapshot(factory.database) == before


def test_workspaces_of_one_account_each_get_their_own_callbacks(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sibling = factory.tenant(tenant.organization_id, "sibling")
    one, two = gateway.send(tenant).json, gateway.send(sibling).json
    gateway.callback(one["id"], one["message_sid"], "delivered")
    found = gateway.get(f"/v1/sms/{two['id']}", key=sibling.keys[Role.VIEWER]).json
    assert found["status"] == "pending"


def test_an_id_and_a_sid_of_different_messages_change_nothing(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    one, two = gateway.send(tenant).json, gateway.send(tenant).json
    before = snapshot(factory.database)
    for message_id, sid in (
        (one["id"], two["message_sid"]),
        (two["id"], one["message_sid"]),
        (one["id"], new_sid()),
        (str(new_id()), one["message_sid"]),
    ):
        assert gateway.callback(message_id, sid, "delivered").status_code == 204
    assert snapshot(factory.database) == before


def test_a_sid_of_one_message_cannot_settle_another_that_has_none(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sent = gateway.send(tenant).json
    gateway.twilio.script.append(Response(500, ""))
    open_id = gateway.send(tenant).json["details"]["id"]
    before = snapshot(factory.database)
    assert gateway.callback(open_id, sent["message_sid"], "delivered").status_code == 204
    assert snapshot(factory.database) == before


NOT_OURS = [
    (None, "SM" + "0" * 32),
    ("01a2052d-48c8-736d-a01c-39e5470ee528", "SM" + "0" * 32),
    ("not-a-uuid", "SM" + "0" * 32),
    ("", ""),
    (None, "CA" + "0" * 32),
    (None, "SM" + "0" * 31),
    (None, "SM" + "g" * 32),
]


def test_a_callback_about_an_unknown_message_is_acknowledged(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    gateway.send(tenant)
    before = snapshot(factory.database)
    for message_id, sid in NOT_OURS:
        answer = gateway.callback(message_id, sid, "delivered")
        assert (sid, answer.status_code, answer.data) == (sid, 204, b"")
    assert snapshot(factory.database) == before


def test_a_callback_without_our_id_finds_its_message_by_its_sid(
    gateway: Gateway, tenant: Tenant
) -> None:
    sent = gateway.send(tenant).json
    for message_id in (None, "not-a-uuid"):
        assert gateway.callback(message_id, sent["message_sid"], "delivered").status_code == 204
    found = gateway.get(f"/v1/sms/{sent['id']}", key=tenant.keys[Role.VIEWER]).json
    assert found["status"] == "delivered"


def test_a_callback_before_the_create_answer_is_applied_and_stays(
    gateway: Gateway, tenant: Tenant
) -> None:
    sid = new_sid()

    def create(call: Call) -> Response:
        answer = another_client(gateway).callback(message_id_of(call), sid, "delivered")
        assert answer.status_code == 204
        return accepted(sid=sid)

    gateway.twilio.script.append(create)
    sent = gateway.send(tenant)
    assert sent.status_code == 201
    assert (sent.json["status"], sent.json["message_sid"]) == ("pending", sid)
    found = gateway.get(f"/v1/sms/{sent.json['id']}", key=tenant.keys[Role.VIEWER]).json
    assert (found["status"], found["from_number"]) == ("delivered", "+12025550100")


def test_a_message_of_an_account_that_was_replaced_still_gets_its_callbacks(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sent = gateway.send(tenant).json
    factory.tenant(tenant.organization_id, "x", account_sid=OTHER_ACCOUNT, auth_token=OTHER_TOKEN)
    factory.set(workspaces, tenant.workspace_id, account_sid=OTHER_ACCOUNT)
    gateway.callback(
        sent["id"], sent["message_sid"], "delivered", account_sid=ACCOUNT, token=AUTH_TOKEN
    )
    found = gateway.get(f"/v1/sms/{sent['id']}", key=tenant.keys[Role.VIEWER]).json
    assert found["status"] == "delivered"
