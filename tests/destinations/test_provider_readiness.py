"""Can we send there today, and if not, whose gate is shut."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.destinations.geo_source import GeoPermission
from app.destinations.load import Effective
from app.destinations.policy import Access, Rule, RuleKind
from app.destinations.provider_gates import ProviderGates, gates_from
from app.destinations.readiness import Gatekeeper, shut_gates
from app.destinations.state import PolicyState
from app.kernel.ids import new_id
from support.geo import permits

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
OPEN = gates_from(permits(US=True, FR=True, BR=False, KP=True, IR=True, DE=True, AU=True))


def _effective(*rules: Rule, **more: Any) -> Effective:
    allowed = dict.fromkeys(["US", "FR", "BR", "IR", "AQ", "KZ", "CX"], "allowed")
    return Effective(
        workspace_id=new_id(),
        organization_id=new_id(),
        parent_id=None,
        owner_id=new_id(),
        inherits=False,
        revision=1,
        state=PolicyState({**allowed, "DE": "blocked"}, rules),
        floor=frozenset({"KP"}),
        created_at=NOW,
        updated_at=NOW,
        **more,
    )


def _shut(
    country: str, *rules: Rule, gates: ProviderGates = OPEN, is_frozen: bool = False
) -> dict[str, str]:
    found = shut_gates(_effective(*rules), gates, country, NOW, is_frozen=is_frozen)
    return {gate.gatekeeper.value: gate.why for gate in found}


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


def test_high_risk_says_that_only_the_console_opens_it() -> None:
    gates = gates_from([GeoPermission("FR", False, is_high_risk=True)])

    assert _shut("FR", gates=gates) == {
        "provider": "closed at the provider, as high-risk: only its console can open it"
    }


def test_a_frozen_workspace_is_ready_for_nothing() -> None:
    assert _shut("US", is_frozen=True) == {"workspace": "the workspace is frozen"}


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


def test_an_inherited_decision_says_so() -> None:
    child = replace(_effective(), inherits=True)

    (gate,) = shut_gates(child, OPEN, "DE", NOW, is_frozen=False)

    assert gate.gatekeeper is Gatekeeper.WORKSPACE
    assert gate.why == "its country map blocks it (inherited from its parent)"
