"""Answers to clients when the provider or our own database is unavailable."""

from app.access.principal import mint_token
from app.kernel.ids import new_id
from app.providers.twilio.transport import NotConfirmed
from app.web.logs import add_facts_of_request
from support.error_cases import TenantGateway
from support.factories import Gateway


def test_an_unconfirmed_send_answers_504_with_the_id_of_the_message(
    tenant_gateway: TenantGateway,
) -> None:
    answer = tenant_gateway.answered(NotConfirmed())
    assert (answer.status_code, answer.get_json()["code"]) == (504, "SubmissionUnconfirmed")
    message_id = answer.get_json()["details"]["id"]
    found = tenant_gateway.get(f"/v1/sms/{message_id}").get_json()
    assert (found["status"], found["message_sid"]) == ("pending", None)


def test_a_database_that_is_gone_answers_503(without_database: Gateway) -> None:
    for path in ("/v1/sms", f"/v1/sms/{new_id()}", "/v1/use-cases", "/v1/opt-outs"):
        answer = without_database.get(path, key=mint_token())
        assert answer.status_code == 503, path
        assert answer.get_json()["code"] == "ServiceUnavailable"
        assert answer.headers["Retry-After"] == "2"
        why = add_facts_of_request(None, "", {})["why"]
        assert why.startswith(("unable to open", "connection is bad")), why
    sent = without_database.post("/v1/sms", {}, key=mint_token())
    assert sent.get_json()["code"] == "ServiceUnavailable"
