"""Allowing a high-risk country takes an acknowledgement by name, where the workspace asks for it."""

import pytest

from app.access.tables import workspaces
from app.destinations.changes import HIGH_RISK, OPENS_HIGH_RISK, risks_of_rules
from app.destinations.policy.evaluate import Access, Rule, RuleKind
from app.destinations.storage.policies import load_effective
from app.destinations.tables import destination_revisions
from app.kernel.ids import new_id
from support.destinations import PolicyClient
from support.factories import Factory, Gateway, Tenant
from support.geo import store
from support.plans import statements_of

pytestmark = pytest.mark.one_engine


@pytest.fixture
def policy(gateway: Gateway, factory: Factory, tenant: Tenant) -> PolicyClient:
    """A workspace that asks for acknowledgements, and Twilio calls Pakistan high-risk."""
    factory.set(workspaces, tenant.workspace_id, acknowledges_high_risk=True)
    store(factory.database, high_risk=("PK",), PK=True, FR=True)
    return PolicyClient(gateway, tenant, factory)


CHANGES = [
    ("PUT", "", {"destinations": {"PK": "allowed", "FR": "allowed"}}, "$.destinations.PK"),
    ("POST", "/allow", {"destinations": ["FR", "PK"]}, "$.destinations[1]"),
    (
        *("POST", "/allow"),
        {"destinations": ["FR", "PK"], "until": "2099-01-01T00:00:00Z"},
        "$.destinations[1]",
    ),
    ("POST", "/rules", {"kind": "country", "value": "PK", "action": "allowed"}, "$.value"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_country_is_allowed_with_its_acknowledgement_alone(
    policy: PolicyClient, change: tuple[str, str, dict[str, object], str]
) -> None:
    method, below, body, place = change
    answer = policy.ask(method, below, body)
    assert (answer.status_code, answer.json["details"]) == (422, {place: [HIGH_RISK]})
    assert policy.factory.rows(destination_revisions) == []
    answer = policy.ask(method, below, body | {"acknowledge_high_risk": ["PK"]})
    assert answer.status_code in {200, 201}
    assert len(policy.factory.rows(destination_revisions)) == 1


def test_an_allowed_country_needs_no_new_acknowledgement(policy: PolicyClient) -> None:
    body = {"destinations": ["PK"], "acknowledge_high_risk": ["PK"]}
    assert policy.ask("POST", "/allow", body).status_code == 200
    assert policy.put({"PK": "allowed", "FR": "allowed"}).status_code == 200


def test_blocking_one_needs_none(policy: PolicyClient) -> None:
    assert policy.block("PK").status_code == 200


def test_a_workspace_that_does_not_ask_is_not_held_up(policy: PolicyClient) -> None:
    policy.factory.set(workspaces, policy.tenant.workspace_id, acknowledges_high_risk=False)
    assert policy.allow("PK").status_code == 200


def test_a_prefix_that_opens_the_country_needs_it_too_but_no_single_number(
    policy: PolicyClient,
) -> None:
    """Break: in `risks_of_rules`, look at rules for countries alone."""
    prefix = {"kind": "prefix", "value": "+9233", "action": "allowed"}
    wanted = {"$.value": [OPENS_HIGH_RISK.format("PK")]}
    answer = policy.ask("POST", "/rules", prefix)
    assert (answer.status_code, answer.json["details"]) == (422, wanted)
    assert policy.ask("POST", "/rules", prefix | {"action": "blocked"}).status_code == 201
    allowed = policy.ask("POST", "/rules", prefix | {"acknowledge_high_risk": ["PK"]})
    assert allowed.status_code == 201
    number = {"kind": "number", "value": "+923331234567", "action": "allowed"}
    assert policy.ask("POST", "/rules", number).status_code == 201


def test_the_countries_of_many_rules_are_asked_for_together(policy: PolicyClient) -> None:
    """Break: in `risks_of_rules`, call `unacknowledged` for each rule."""
    database, workspace_id = policy.factory.database, policy.tenant.workspace_id
    given = [(RuleKind.PREFIX, f"+9233{last}") for last in range(8)]
    given += [(RuleKind.COUNTRY, "FR"), (RuleKind.COUNTRY, "PK")]
    rules = [Rule(new_id(), kind, value, Access.ALLOWED) for kind, value in given]
    with database.reading() as connection:
        before = load_effective(connection, workspace_id)
        assert before is not None
        with statements_of(database, "SELECT") as asked:
            found = risks_of_rules(connection, before, rules, ())
    assert found == [[OPENS_HIGH_RISK.format("PK")]] * 8 + [[], [HIGH_RISK]]
    assert len(asked) == 1
