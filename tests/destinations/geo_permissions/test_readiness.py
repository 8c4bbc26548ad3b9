"""Can we send to a country today, and if not, what blocks it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.destinations.geo_permissions.permissions import Blocker, GeoPermissions, find_blockers
from app.destinations.policy.evaluate import Access, Rule, RuleKind
from app.destinations.policy.state import PolicyState
from app.destinations.storage.policies import EffectivePolicy
from app.kernel.ids import new_id
from app.providers.port import GeoPermission
from support.geo import permissions_at_twilio, permits

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
OPEN = permissions_at_twilio(
    permits(US=True, FR=True, BR=False, KP=True, IR=True, DE=True, AU=True)
)


def _effective(*rules: Rule, **more: Any) -> EffectivePolicy:
    allowed = dict.fromkeys(["US", "FR", "BR", "IR", "AQ", "KZ", "CX"], "allowed")
    return EffectivePolicy(
        workspace_id=new_id(),
        organization_id=new_id(),
        parent_id=None,
        owner_id=new_id(),
        inherits=False,
        revision=1,
        state=PolicyState({**allowed, "DE": "blocked"}, rules),
        denied_by_organization=frozenset({"KP"}),
        created_at=NOW,
        updated_at=NOW,
        **more,
    )


def _shut(
    country: str, *rules: Rule, geo_permissions: GeoPermissions = OPEN, is_suspended: bool = False
) -> dict[str, str]:
    found = find_blockers(
        _effective(*rules), geo_permissions, country, NOW, is_suspended=is_suspended
    )
    return {permission.blocker.value: permission.why for permission in found}


def test_a_country_that_every_gate_lets_through_is_ready() -> None:
    assert _shut("US") == {}
    assert _shut("CX") == {}  # by the entry of Australia


@pytest.mark.parametrize(
    ("country", "expected"),
    [
        ("DE", {"workspace": "its country map blocks it"}),
        (
            "NL",
            {
                "workspace": "its country map does not name it",
                "provider": "the provider lists no permission for it",
            },
        ),
        ("BR", {"provider": "closed at the provider"}),
        ("KZ", {"provider": "the provider lists no permission for it"}),
        ("IR", {"unsupported": "the provider refuses it for everybody"}),
        ("AQ", {"no_numbers": "no phone number belongs to it"}),
        (
            "KP",
            {
                "organization": "the organization denies it",
                "workspace": "its country map does not name it",
            },
        ),
    ],
)
def test_each_shut_gate_is_named_with_the_reason(country: str, expected: dict[str, str]) -> None:
    assert _shut(country) == expected


def test_a_high_risk_country_needs_the_console() -> None:
    geo_permissions = permissions_at_twilio([GeoPermission("FR", False, is_high_risk=True)])

    assert _shut("FR", geo_permissions=geo_permissions) == {
        "provider": "closed at the provider, as high-risk: only its console can open it"
    }


def test_a_suspended_workspace_reaches_no_country() -> None:
    assert _shut("US", is_suspended=True) == {"workspace": "the workspace is suspended"}


def test_the_rule_that_decides_is_named() -> None:
    def rule(kind: RuleKind, value: str, action: Access, **more: Any) -> Rule:
        return Rule(new_id(), kind, value, action, **more)

    hour = timedelta(hours=1)
    blocked = rule(RuleKind.COUNTRY, "US", Access.BLOCKED, expires_at=NOW + hour, reason="incident")
    wider = rule(RuleKind.PREFIX, "+1", Access.BLOCKED)
    over = rule(RuleKind.COUNTRY, "US", Access.BLOCKED, expires_at=NOW)
    finer = rule(RuleKind.PREFIX, "+1202", Access.BLOCKED)

    until = "until 2026-01-31T13:00:00.000Z: incident"
    assert _shut("US", blocked) == {
        "workspace": f"its rule {blocked.rule_id} blocks country US {until}"
    }
    assert _shut("US", blocked, wider) == {
        "workspace": f"its rule {wider.rule_id} blocks prefix +1"
    }
    assert _shut("US", over, finer) == {}
    assert _shut("DE", rule(RuleKind.COUNTRY, "DE", Access.ALLOWED)) == {}


def test_an_inherited_decision_is_marked() -> None:
    child = replace(_effective(), inherits=True)

    (permission,) = find_blockers(child, OPEN, "DE", NOW, is_suspended=False)

    assert permission.blocker is Blocker.WORKSPACE
    assert permission.why == "its country map blocks it (inherited from its parent)"
