"""Layers only tighten: nothing that a request, a role or a rule says lifts a stricter layer."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from app.access.principal import Role
from app.destinations.policy.evaluate import Access, Rule, decide
from app.kernel.number_prefixes import countries_of_prefix
from app.kernel.phone import resolve
from support.destinations import FAR, PolicyClient
from support.layers import COUNTRIES, Stack, bounded, lay, maps, rules, stacks
from support.served import Served

pytestmark = pytest.mark.one_engine

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_allowing = st.lists(rules.map(lambda r: replace(r, action=Access.ALLOWED)), max_size=4)


@given(stacks, _allowing, maps)
def test_no_workspace_rule_overrides_denied_destinations_or_the_use_case(
    stack: Stack, more: list[Rule], wider: dict[str, str]
) -> None:
    everything = dict.fromkeys(COUNTRIES, "allowed")
    for policy in (
        stack.policy,
        replace(stack.policy, rules=stack.rules + tuple(more)),
        replace(stack.policy, destinations=wider),
        replace(stack.policy, destinations=everything, rules=tuple(more)),
    ):
        if stack.is_forbidden_by_a_stricter_layer:
            assert not decide(policy, resolve(stack.number), NOW).allowed


@pytest.fixture(scope="module")
def pair(served: Served) -> tuple[PolicyClient, PolicyClient]:
    """A workspace and its parent, for every example of this module."""
    organization_id = served.factory.organization("layers")
    parent = served.factory.tenant(organization_id, "parent")
    own = served.factory.tenant(organization_id, "own", parent_id=parent.workspace_id)
    policy = PolicyClient(served.gateway, own, served.factory)
    return policy, policy.of(parent)


FIELDS = [
    {"force": True},
    {"country": "US"},
    {"destinations": {"US": "allowed"}},
    {"allowed": True, "dry_run": False},
]


@bounded
@given(stack=stacks)
def test_the_answer_over_http_is_the_decision_and_no_role_changes_it(
    served: Served, pair: tuple[PolicyClient, PolicyClient], stack: Stack
) -> None:
    policy, parent = pair
    lay(policy, parent, stack)
    wanted = decide(stack.policy, resolve(stack.number), NOW)
    for role in (Role.SENDER, Role.ADMIN, Role.OWNER):
        answer = served.gateway.send(policy.tenant, to=stack.number, role=role)
        assert (answer.status_code == 201) == wanted.allowed, answer.text
        if stack.is_forbidden_by_a_stricter_layer:
            assert not wanted.allowed
        if not wanted.allowed:
            details = answer.json["details"]
            assert (details["rule"], details["scope"]) == (wanted.rule, wanted.scope)
            assert details["country"] == stack.country


@bounded
@given(
    stack=stacks.filter(lambda stack: stack.is_forbidden_by_a_stricter_layer),
    extra=st.sampled_from(FIELDS),
)
def test_no_field_of_a_request_lifts_a_stricter_layer(
    served: Served, pair: tuple[PolicyClient, PolicyClient], stack: Stack, extra: dict[str, Any]
) -> None:
    policy, parent = pair
    lay(policy, parent, stack)
    calls = len(served.gateway.twilio.calls)
    body = {
        "use_case_id": str(policy.tenant.use_case_id),
        "to_phone_number": stack.number,
        "message": "hello",
    }
    key = policy.tenant.keys[Role.OWNER]
    refused = served.gateway.post("/v1/sms", body | extra, key=key)
    assert (refused.status_code, refused.json["code"]) == (422, "ValidationFailed")
    asked = served.gateway.post("/v1/sms?force=true", body, key=key, X_Force="true", If_Match="*")
    assert asked.status_code == 422
    assert len(served.gateway.twilio.calls) == calls


@bounded
@given(stack=stacks.filter(lambda stack: stack.country in stack.denied_by_organization))
def test_no_change_of_a_policy_lifts_the_floor(
    served: Served, pair: tuple[PolicyClient, PolicyClient], stack: Stack
) -> None:
    policy, parent = pair
    lay(policy, parent, replace(stack, inherits=False))
    country, number = stack.country, stack.number
    owner = replace(policy, role=Role.OWNER)
    statuses = [
        owner.put({country: "allowed"}).status_code,
        owner.allow(country).status_code,
        owner.allow_until(FAR, country).status_code,
        owner.add_rule("country", country, "allowed").status_code,
        owner.add_rule("number", number, "allowed").status_code,
    ]
    assert statuses == [422] * 5
    # A prefix that another country shares may be allowed; the floor still decides.
    for prefix in (number[:2], number[:4]):
        is_denied = countries_of_prefix(prefix) <= stack.denied_by_organization
        wanted = 422 if is_denied else 201
        assert owner.add_rule("prefix", prefix, "allowed").status_code == wanted
    (verdict,) = policy.check(number)
    assert (verdict["allowed"], verdict["scope"]) == (False, "organization")
    assert served.gateway.send(policy.tenant, to=number).status_code == 422
