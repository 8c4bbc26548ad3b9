"""Sending as somebody who is signed in: every check of a key's, and nothing beyond the reach."""

from uuid import UUID

import pytest

from app.access.principal import ActorKind, Principal, Role
from app.kernel import errors as e
from app.kernel.ids import new_id
from app.messages.sending.idempotency import IdempotentRequest, identify
from app.messages.sending.send import SendCall, SendRequest
from app.messages.tables import idempotency_keys, messages
from support.factories import US_NUMBER, Factory, Gateway, Tenant

IDEMPOTENT = identify("form", {"message": "test"})


def current_user(tenant: Tenant, role: Role = Role.SENDER) -> Principal:
    return Principal(
        new_id(), "Ada", tenant.organization_id, tenant.workspace_id, role, ActorKind.USER
    )


def send(
    gateway: Gateway,
    caller: Principal,
    use_case_id: UUID,
    idempotent: IdempotentRequest | None = None,
) -> bool:
    """Send; whether it is an answer given before."""
    request = SendRequest(use_case_id, US_NUMBER, "test")
    return gateway.services.send(SendCall(caller, request, idempotent)).replayed


def test_a_sender_sends(gateway: Gateway, tenant: Tenant, factory: Factory) -> None:
    assert send(gateway, current_user(tenant), tenant.use_case_id) is False
    assert len(factory.rows(messages)) == len(gateway.twilio.calls) == 1


def test_a_viewer_does_not(gateway: Gateway, tenant: Tenant) -> None:
    with pytest.raises(e.Forbidden, match="you have viewer here"):
        send(gateway, current_user(tenant, Role.VIEWER), tenant.use_case_id)
    assert gateway.twilio.calls == []


def test_only_through_use_cases_of_the_workspace_shown(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sibling = factory.tenant(tenant.organization_id, "sibling")
    with pytest.raises(e.UseCaseNotFound):
        send(gateway, current_user(tenant, Role.OWNER), sibling.use_case_id)
    assert gateway.twilio.calls == []


def test_a_key_belongs_to_the_workspace_shown(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sibling = factory.tenant(tenant.organization_id, "sibling")
    assert send(gateway, current_user(tenant), tenant.use_case_id, IDEMPOTENT) is False
    assert send(gateway, current_user(tenant), tenant.use_case_id, IDEMPOTENT) is True
    assert send(gateway, current_user(sibling), sibling.use_case_id, IDEMPOTENT) is False
    scopes = {row["workspace_id"] for row in factory.rows(idempotency_keys)}
    assert scopes == {tenant.workspace_id, sibling.workspace_id}


def test_answers_to_other_principals_are_not_replayed(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sibling = factory.tenant(tenant.organization_id, "sibling")
    send(gateway, current_user(sibling), sibling.use_case_id, IDEMPOTENT)
    with pytest.raises(e.UseCaseNotFound):
        send(gateway, current_user(tenant), sibling.use_case_id, IDEMPOTENT)
