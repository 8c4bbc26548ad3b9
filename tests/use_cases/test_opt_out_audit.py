"""What the audit keeps of opt-outs: who entered or lifted which row, never the number."""

import pytest

from app.access.principal import ActorKind, Role
from app.access.tables import audit_events
from app.kernel.ids import new_id
from app.providers.port import Consent
from app.use_cases.consent import record_consent
from support.factories import ACCOUNT, SERVICE_SID, US_NUMBER, Factory, Gateway, Tenant
from support.tables import add_opt_out_row

pytestmark = pytest.mark.one_engine

PATH = "/v1/opt-outs"


WHAT = ("actor_kind", "action", "target", "reason")


def test_entering_and_lifting_by_hand_is_noted_and_the_same_again_is_not(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    key, body = tenant.keys[Role.ADMIN], {"to_number": US_NUMBER, "source": "letter"}
    made = [gateway.post(PATH, body, key=key).get_json()["id"] for _ in range(2)]
    assert made[0] == made[1]
    statuses = [gateway.delete(f"{PATH}/{made[0]}", key=key).status_code for _ in range(2)]
    assert statuses == [204, 404]
    gateway.delete(f"{PATH}/{new_id()}", key=key)
    assert factory.audit_trail(*WHAT) == [
        (ActorKind.ACCESS_KEY, "opt_out.added", made[0], "letter"),
        (ActorKind.ACCESS_KEY, "opt_out.removed", made[0], None),
    ]
    assert US_NUMBER not in str(factory.rows(audit_events))


def test_a_recipients_word_is_noted_where_it_changes_the_list(
    tenant: Tenant, factory: Factory
) -> None:
    def say(*, yes: bool) -> int:
        consent = Consent(ACCOUNT, SERVICE_SID, None, US_NUMBER, yes)
        with factory.database.writing() as c:
            return record_consent(c, consent, factory.now)

    add_opt_out_row(factory, tenant.workspace_id, US_NUMBER)
    assert [say(yes=wish) for wish in (False, False, True, True)] == [1, 0, 1, 0]
    stop, start = factory.audit_trail(*WHAT)
    assert stop == (ActorKind.SYSTEM, "opt_out.added", stop[2], "keyword")
    assert start == (ActorKind.SYSTEM, "opt_out.removed", stop[2], "keyword")
