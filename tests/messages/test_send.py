"""Sending through HTTP: the submission protocol and its outcomes."""
from support.world import BR_NUMBER, Gateway, Tenant, World
from app.messages.tables import messages, message_events

def test_a_send_answers_201_with_the_fields_of_the_seed(gateway: Gateway, tenant: Tenant, world: World) -> None:
    answer = gateway.send(tenant)
    print(answer.text)
    assert answer.status_code == 201
    sid = answer.json["message_sid"]
    for s in ["queued","sent","delivered","sent","failed","delivered"]:
        r = gateway.callback(answer.json["id"], sid, s)
        assert r.status_code == 204, r.text
    print(gateway.get(f"/v1/sms/{answer.json['id']}", key=list(tenant.keys.values())[0]).text)
    for e in gateway.get(f"/v1/sms/{answer.json['id']}/events", key=list(tenant.keys.values())[0]).json["items"]: print(e)
    r = gateway.send(tenant, to=BR_NUMBER); print(r.status_code, r.text)
    r1 = gateway.send(tenant, Idempotency_Key="abc"); print(r1.status_code, r1.text)
    r2 = gateway.send(tenant, Idempotency_Key="abc"); print(r2.status_code, r2.text, r2.headers)
    assert r1.data == r2.data
    assert len(gateway.twilio.calls) == 2
    print(gateway.get("/openapi.json").status_code, gateway.get("/readyz").text, gateway.get("/v1/sms/?limit=1", key=list(tenant.keys.values())[0]).text)
