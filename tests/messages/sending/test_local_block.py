"""A send that our own policy turns away leaves one refusal row and nothing else."""

import pytest

from app.access.tables import organizations
from app.destinations.tables import destination_policies, refusals
from app.use_cases.tables import use_cases
from support.factories import BR_NUMBER, US_NUMBER, Factory, Gateway, Tenant
from support.tables import add_opt_out_row, snapshot

SATELLITE = "+881612345678"
NOTED = {"refusals", "refusal_counts"}  # the row, and its count for the day


def _changed(before: dict[str, list[str]], after: dict[str, list[str]]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_a_blocked_country_changes_no_table_but_the_refusals(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    before = snapshot(factory.database)

    answer = gateway.send(tenant, to=BR_NUMBER, message="ж" * 71, Idempotency_Key="k")

    assert answer.status_code == 422
    assert answer.json == {
        "code": "DestinationBlocked",
        "message": "The destination is blocked and cannot receive messages.",
        "details": {
            "source": "policy",
            "country": "BR",
            "rule": "country",
            "scope": "workspace",
            "revision": 1,
            "retryable": False,
        },
    }
    assert _changed(before, snapshot(factory.database)) == NOTED
    assert gateway.twilio.calls == []
    (row,) = factory.rows(refusals)
    assert (row["code"], row["source"], row["country"]) == ("DestinationBlocked", "policy", "BR")
    assert (row["rule"], row["scope"], row["revision"]) == ("country", "workspace", 1)
    assert (row["masked_number"], row["segments"]) == ("+55*********67", 2)
    assert (row["workspace_id"], row["use_case_id"]) == (tenant.workspace_id, tenant.use_case_id)
    assert row["provider_code"] is None


def test_a_blocked_send_keeps_its_idempotency_key_free(gateway: Gateway, tenant: Tenant) -> None:
    assert gateway.send(tenant, to=BR_NUMBER, Idempotency_Key="k").status_code == 422
    assert gateway.send(tenant, to=US_NUMBER, Idempotency_Key="k").status_code == 201


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("number", "decided"),
    [
        (BR_NUMBER, ("country", "workspace", "BR")),
        (SATELLITE, ("no_country", "workspace", None)),
        ("+12505550199", ("country", "organization", "CA")),
        ("+17875550123", ("country", "use_case", "PR")),
    ],
)
def test_the_refusal_names_the_rule_the_layer_and_the_country(
    gateway: Gateway, factory: Factory, number: str, decided: tuple[str, str, str | None]
) -> None:
    tenant = factory.tenant(
        factory.organization(), destinations={"US": "allowed", "CA": "allowed", "PR": "allowed"}
    )
    factory.set(organizations, tenant.organization_id, denied_destinations=["CA"])
    factory.set(use_cases, tenant.use_case_id, allowed_destinations=["US"])

    details = gateway.send(tenant, to=number).json["details"]

    assert (details["rule"], details["scope"], details["country"]) == decided
    (row,) = factory.rows(refusals)
    assert (row["rule"], row["scope"], row["country"]) == decided
    assert gateway.twilio.calls == []


def test_every_other_local_refusal_is_noted_with_its_code_alone(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    add_opt_out_row(factory, tenant.workspace_id, US_NUMBER)
    before = snapshot(factory.database)
    codes = [
        gateway.send(tenant, to=US_NUMBER).json["code"],
        gateway.send(tenant, to="+12025550").json["code"],
        gateway.send(tenant, to="+19002345678").json["code"],
    ]
    assert codes == ["RecipientOptedOut", "InvalidDestination", "InvalidDestination"]
    assert sorted(row["code"] for row in factory.rows(refusals)) == sorted(codes)
    assert {row["rule"] for row in factory.rows(refusals)} == {None}
    assert _changed(before, snapshot(factory.database)) == NOTED
    assert gateway.twilio.calls == []


def test_a_policy_change_is_in_force_for_the_very_next_send(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    def store(destinations: dict[str, str], revision: int) -> None:
        with factory.database.writing() as c:
            c.execute(
                destination_policies.update().values(destinations=destinations, revision=revision)
            )

    assert gateway.send(tenant, to=BR_NUMBER).status_code == 422
    store({"BR": "allowed"}, 2)
    assert gateway.send(tenant, to=BR_NUMBER).status_code == 201
    assert gateway.send(tenant, to=US_NUMBER).json["details"]["revision"] == 2
    store({"US": "allowed"}, 3)
    assert gateway.send(tenant, to=BR_NUMBER).json["details"]["revision"] == 3
    assert gateway.send(tenant, to=US_NUMBER).status_code == 201


def test_a_workspace_that_inherits_is_decided_by_its_nearest_ancestor_with_a_policy(
    gateway: Gateway, factory: Factory
) -> None:
    organization_id = factory.organization()
    top = factory.tenant(organization_id, "top", destinations={"BR": "allowed"})
    middle = factory.tenant(
        organization_id, "middle", parent_id=top.workspace_id, destinations={"US": "allowed"}
    )
    child = factory.tenant(organization_id, "child", parent_id=middle.workspace_id, inherits=True)
    leaf = factory.tenant(organization_id, "leaf", parent_id=child.workspace_id, inherits=True)
    for tenant in (child, leaf):
        assert gateway.send(tenant, to=US_NUMBER).status_code == 201
        assert gateway.send(tenant, to=BR_NUMBER).json["code"] == "DestinationBlocked"


def test_workspace_that_inherits_without_a_parent_is_blocked(
    gateway: Gateway, factory: Factory
) -> None:
    orphan = factory.tenant(factory.organization(), inherits=True)
    details = gateway.send(orphan).json["details"]
    assert (details["rule"], details["scope"], details["revision"]) == ("country", "workspace", 0)
