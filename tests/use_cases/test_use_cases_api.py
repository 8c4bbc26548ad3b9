"""Reading use cases: their shape, filters and pages, and what does not exist for a key."""

from typing import Any
from uuid import UUID

from app.access.principal import Role
from app.use_cases.tables import use_cases
from support.factories import OTHER_ACCOUNT, SERVICE_SID, Factory, Gateway, Tenant
from support.tables import add_sender


def _get(gateway: Gateway, tenant: Tenant, path: str = "") -> Any:
    return gateway.get(f"/v1/use-cases{path}", key=tenant.keys[Role.VIEWER])


def _ids(answer: Any) -> list[UUID]:
    return [UUID(item["id"]) for item in answer.json["items"]]


def test_a_use_case_is_shown_with_its_pool_and_registrations(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    add_sender(factory, tenant.use_case_id, "ACME", "alphanumeric", None)

    answer = _get(gateway, tenant, f"/{tenant.use_case_id}")

    assert answer.status_code == 200
    found = answer.json
    at = factory.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert [UUID(sender.pop("id")).version for sender in found["senders"]] == [7, 7]
    assert found == {
        "id": str(tenant.use_case_id),
        "workspace_id": str(tenant.workspace_id),
        "name": f"use case {tenant.use_case_id}",
        "messaging_service_sid": SERVICE_SID,
        "active": True,
        "allowed_destinations": None,
        "on_unconfirmed": "wait",
        "senders": [
            {"number": "+12025550100", "type": "long_code", "country": "US"},
            {"number": "ACME", "type": "alphanumeric", "country": None},
        ],
        "brand": {"sid": "BN" + "d" * 32, "status": "APPROVED"},
        "campaign": {"sid": "QE" + "e" * 32, "status": "VERIFIED"},
        "created_at": at,
        "updated_at": at,
    }


def test_missing_values_are_null_or_empty(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    bare = factory.use_case(
        tenant.workspace_id,
        sender=None,
        brand_sid=None,
        brand_status=None,
        campaign_sid="QE1",
        campaign_status=None,
        allowed_destinations=["US", "CA"],
        on_unconfirmed="resend",
    )
    found = _get(gateway, tenant, f"/{bare}").json
    assert found["on_unconfirmed"] == "resend"
    assert (found["senders"], found["brand"]) == ([], None)
    assert found["campaign"] == {"sid": "QE1", "status": None}
    assert found["allowed_destinations"] == ["US", "CA"]


def test_list_has_the_same_objects_as_fetch_oldest_first(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    more = [factory.use_case(tenant.workspace_id) for _ in range(2)]
    answer = _get(gateway, tenant)
    assert _ids(answer) == [tenant.use_case_id, *more]
    assert answer.json["next_page_token"] is None
    assert answer.json["items"] == [
        _get(gateway, tenant, f"/{use_case_id}").json for use_case_id in _ids(answer)
    ]


def test_a_deleted_use_case_is_nowhere(gateway: Gateway, tenant: Tenant, factory: Factory) -> None:
    factory.set(use_cases, tenant.use_case_id, deleted_at=factory.now)
    answer = _get(gateway, tenant, f"/{tenant.use_case_id}")
    assert (answer.status_code, answer.json["code"]) == (404, "UseCaseNotFound")
    assert _ids(_get(gateway, tenant)) == []


def test_filters_narrow_the_list(gateway: Gateway, tenant: Tenant, factory: Factory) -> None:
    sibling = factory.tenant(tenant.organization_id, "sibling")
    stranger = factory.tenant(factory.organization("Stranger"), account_sid=OTHER_ACCOUNT)
    off = factory.use_case(sibling.workspace_id, active=False)
    tenant.keys = factory.keys(tenant.organization_id, None)
    everything = [tenant.use_case_id, sibling.use_case_id, off]
    assert _ids(_get(gateway, tenant)) == everything
    assert _ids(_get(gateway, tenant, "?active=false")) == [off]
    assert _ids(_get(gateway, tenant, "?active=true")) == everything[:2]
    of_sibling = f"?workspace_id={sibling.workspace_id}"
    assert _ids(_get(gateway, tenant, of_sibling)) == everything[1:]
    assert _ids(_get(gateway, tenant, of_sibling + "&active=true")) == [sibling.use_case_id]
    assert _ids(_get(gateway, tenant, f"?workspace_id={stranger.workspace_id}")) == []
