"""The opt-out list: who enters, who sees, who lifts, and what a send makes of it."""

from typing import Any

import pytest

from app.access.principal import Role
from app.kernel.ids import new_id
from app.use_cases.tables import opt_outs, use_cases
from support.factories import OTHER_ACCOUNT, US_NUMBER, Factory, Gateway, Tenant
from support.tables import add_opt_out_row, snapshot

pytestmark = pytest.mark.one_engine

OTHER_NUMBER = "+12025550124"


def _add(gateway: Gateway, tenant: Tenant, role: Role = Role.ADMIN, **body: Any) -> Any:
    return gateway.post("/v1/opt-outs", {"to_number": US_NUMBER} | body, key=tenant.keys[role])


def _get(gateway: Gateway, tenant: Tenant, query: str = "") -> Any:
    return gateway.get(f"/v1/opt-outs{query}", key=tenant.keys[Role.SENDER])


def test_an_opt_out_of_a_use_case_has_its_documented_shape(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    answer = _add(gateway, tenant, use_case_id=str(tenant.use_case_id), source="complaint")
    assert answer.status_code == 201
    (row,) = factory.rows(opt_outs)
    assert answer.json == {
        "id": str(row["id"]),
        "workspace_id": str(tenant.workspace_id),
        "use_case_id": str(tenant.use_case_id),
        "to_number": US_NUMBER,
        "source": "complaint",
        "created_at": row["created_at"].isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    assert _get(gateway, tenant).json == {"items": [answer.json], "next_page_token": None}


def test_opt_out_without_a_use_case_applies_to_the_workspace(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    other = factory.use_case(tenant.workspace_id)
    sibling = factory.tenant(tenant.organization_id, "sibling")
    answer = _add(gateway, tenant)
    assert (answer.json["use_case_id"], answer.json["source"]) == (None, "api")
    assert gateway.send(tenant).json["code"] == "RecipientOptedOut"
    assert gateway.send(tenant, to=OTHER_NUMBER).status_code == 201
    assert gateway.send(sibling).status_code == 201
    tenant.use_case_id = other
    assert gateway.send(tenant).json["code"] == "RecipientOptedOut"


def test_opt_out_with_a_use_case_applies_to_it_only(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    _add(gateway, tenant, use_case_id=str(tenant.use_case_id))
    assert gateway.send(tenant).json["code"] == "RecipientOptedOut"
    tenant.use_case_id = factory.use_case(tenant.workspace_id)
    assert gateway.send(tenant).status_code == 201


def test_lifting_it_lets_the_next_send_pass(gateway: Gateway, tenant: Tenant) -> None:
    opt_out_id = _add(gateway, tenant).json["id"]
    answer = gateway.delete(f"/v1/opt-outs/{opt_out_id}", key=tenant.keys[Role.ADMIN])
    assert (answer.status_code, answer.data) == (204, b"")
    assert gateway.send(tenant).status_code == 201
    again = gateway.delete(f"/v1/opt-outs/{opt_out_id}", key=tenant.keys[Role.ADMIN])
    assert (again.status_code, again.json["code"]) == (404, "NotFound")


@pytest.mark.both_engines
def test_the_same_number_twice_is_one_row_that_stays_as_it_was(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    for use_case_id in (None, str(tenant.use_case_id)):
        first = _add(gateway, tenant, use_case_id=use_case_id, source="first")
        second = _add(gateway, tenant, use_case_id=use_case_id, source="second")
        assert (second.status_code, second.json) == (201, first.json)
    assert len(factory.rows(opt_outs)) == 2


def test_a_key_of_the_organization_names_the_workspace(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    stranger = factory.tenant(factory.organization("Stranger"), account_sid=OTHER_ACCOUNT)
    sibling = factory.tenant(tenant.organization_id, "sibling")
    tenant.keys = factory.keys(tenant.organization_id, None)
    none = _add(gateway, tenant)
    assert (none.status_code, list(none.json["details"])) == (422, ["$.workspace_id"])
    named = _add(gateway, tenant, workspace_id=str(sibling.workspace_id))
    assert named.json["workspace_id"] == str(sibling.workspace_id)
    by_use_case = _add(gateway, tenant, use_case_id=str(tenant.use_case_id))
    assert by_use_case.json["workspace_id"] == str(tenant.workspace_id)
    for foreign in (str(stranger.workspace_id), str(new_id())):
        answer = _add(gateway, tenant, workspace_id=foreign)
        assert answer.json["details"] == {"$.workspace_id": ["There is no such workspace."]}


def test_a_use_case_that_does_not_exist_for_the_key_is_named(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sibling = factory.tenant(tenant.organization_id, "sibling")
    deleted = factory.use_case(tenant.workspace_id)
    factory.set(use_cases, deleted, deleted_at=factory.now)
    before = snapshot(factory.database)
    absent = _add(gateway, tenant, use_case_id=str(new_id()))
    assert (absent.status_code, list(absent.json["details"])) == (422, ["$.use_case_id"])
    for use_case_id in (sibling.use_case_id, deleted):
        assert _add(gateway, tenant, use_case_id=str(use_case_id)).data == absent.data
    mismatch = _add(
        gateway, tenant, use_case_id=str(tenant.use_case_id), workspace_id=str(sibling.workspace_id)
    )
    assert mismatch.data == absent.data
    assert snapshot(factory.database) == before


@pytest.mark.both_engines
def test_filters_narrow_the_list(gateway: Gateway, tenant: Tenant, factory: Factory) -> None:
    sibling = factory.tenant(tenant.organization_id, "sibling")
    workspace_id, use_case_id = tenant.workspace_id, tenant.use_case_id
    add_opt_out_row(factory, workspace_id, US_NUMBER)
    add_opt_out_row(factory, workspace_id, OTHER_NUMBER, "keyword", use_case_id)
    add_opt_out_row(factory, sibling.workspace_id, US_NUMBER, "provider")
    tenant.keys = factory.keys(tenant.organization_id, None)

    def found(query: str) -> list[str]:
        return [item["source"] for item in _get(gateway, tenant, query).json["items"]]

    assert found("") == ["provider", "keyword", "api"]
    assert found("?to_number=%2B12025550123") == ["provider", "api"]
    assert found(f"?workspace_id={workspace_id}") == ["keyword", "api"]
    assert found(f"?use_case_id={use_case_id}") == ["keyword"]
    assert found(f"?workspace_id={sibling.workspace_id}&use_case_id={use_case_id}") == []


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"to_number": "2025550123"}, ["$.to_number"]),
        ({"to_number": None, "source": ""}, ["$.source", "$.to_number"]),
        ({"source": "x" * 41}, ["$.source"]),
        ({"use_case_id": "1", "workspace_id": 2}, ["$.use_case_id", "$.workspace_id"]),
        ({"reason": "none"}, ["$.reason"]),
    ],
)
def test_wrong_fields_are_reported_together(
    gateway: Gateway, tenant: Tenant, body: dict[str, Any], places: list[str]
) -> None:
    answer = _add(gateway, tenant, **body)
    assert (answer.status_code, answer.json["code"]) == (422, "ValidationFailed")
    assert sorted(answer.json["details"]) == places
