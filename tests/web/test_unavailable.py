"""Answers to clients when the provider or our own database is unavailable."""

from pathlib import Path

from app.access.principal import mint_token
from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.ids import new_id
from app.providers.twilio.transport import NotConfirmed
from support.error_cases import TenantGateway
from support.factories import open_gateway
from support.fake_twilio import refused


def test_the_21610_of_twilio_adds_to_the_list(tenant_gateway: TenantGateway) -> None:
    tenant_gateway.answered(refused(21610))
    assert tenant_gateway.send().get_json() == {
        "code": "RecipientOptedOut",
        "message": "The recipient has opted out of receiving messages.",
    }
    assert len(tenant_gateway.gateway.twilio.calls) == 1


def test_an_unconfirmed_send_answers_504_with_the_id_of_the_message(
    tenant_gateway: TenantGateway,
) -> None:
    answer = tenant_gateway.answered(NotConfirmed())
    assert (answer.status_code, answer.get_json()["code"]) == (504, "SubmissionUnconfirmed")
    message_id = answer.get_json()["details"]["id"]
    found = tenant_gateway.get(f"/v1/sms/{message_id}").get_json()
    assert (found["status"], found["message_sid"]) == ("pending", None)


def test_a_database_that_is_gone_answers_503(
    engine_name: str, cipher: Cipher, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere"
    url = {
        "sqlite": f"sqlite:///{nowhere}/borderpost.db",
        "postgresql": f"postgresql+psycopg://postgres@/borderpost?host={nowhere}",
    }[engine_name]
    database = Database(url)
    gateway = open_gateway(database, cipher, tmp_path)
    try:
        for path in ("/v1/sms", f"/v1/sms/{new_id()}", "/v1/use-cases", "/v1/opt-outs"):
            answer = gateway.get(path, key=mint_token())
            assert answer.status_code == 503, path
            assert answer.get_json()["code"] == "ServiceUnavailable"
            assert answer.headers["Retry-After"] == "2"
        sent = gateway.post("/v1/sms", {}, key=mint_token())
        assert sent.get_json()["code"] == "ServiceUnavailable"
    finally:
        database.close()
