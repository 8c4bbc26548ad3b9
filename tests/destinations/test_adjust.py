"""Several wishes about countries become one revision, or nothing."""

from datetime import timedelta

import pytest

from app.access.principal import Actor, ActorKind
from app.destinations.changes import HIGH_RISK, Adjust, Adjustment
from app.destinations.manage import ChangeRequest
from app.destinations.policy.state import DENIED, NOT_A_COUNTRY, country_allowances
from app.destinations.storage.policies import load_effective
from app.kernel.clock import utc_now
from app.kernel.errors import ValidationFailed
from support.destinations import PolicyClient
from support.geo import store

pytestmark = pytest.mark.one_engine

NOW = utc_now()
ASKED = ChangeRequest(Actor(ActorKind.SYSTEM, "test"), "why not")


def make(
    policy: PolicyClient, wanted: Adjustment, acknowledged: tuple[str, ...] | None = None
) -> None:
    change = Adjust(wanted, ASKED.reason, acknowledged)
    policy.gateway.services.destinations(policy.tenant.workspace_id, change, ASKED)


def allowances(policy: PolicyClient) -> dict[str, object]:
    with policy.factory.database.reading() as connection:
        state = load_effective(connection, policy.tenant.workspace_id).state
    return {**country_allowances(state, NOW)}


def test_all_of_it_is_one_revision(policy: PolicyClient) -> None:
    until = NOW + timedelta(hours=4)
    make(policy, Adjustment(allow=("FR", "DE"), allow_until={"JP": until}, block=("US",)))
    assert policy.revision == 2
    assert allowances(policy) == {"FR": None, "DE": None, "JP": until}
    (entry,) = policy.history()
    assert (entry["action"], entry["reason"]) == ("adjusted", "why not")
    assert [one["country"] for one in entry["changes"]] == ["DE", "FR", "JP", "US"]


@pytest.mark.both_engines
def test_a_block_ends_a_temporary_allowance(policy: PolicyClient) -> None:
    make(policy, Adjustment(allow_until={"JP": NOW + timedelta(hours=4)}))
    make(policy, Adjustment(block=("JP",)))
    assert allowances(policy) == {"US": None}


def test_a_temporary_allowance_can_become_one_for_good_and_be_extended(
    policy: PolicyClient,
) -> None:
    for hours in (1, 4):
        make(policy, Adjustment(allow_until={"JP": NOW + timedelta(hours=hours)}))
    assert allowances(policy)["JP"] == NOW + timedelta(hours=4)
    make(policy, Adjustment(allow=("JP",)))
    assert allowances(policy)["JP"] is None


@pytest.mark.parametrize(
    ("wanted", "action"),
    [
        (Adjustment(allow=("FR",)), "allowed"),
        (Adjustment(block=("US",)), "blocked"),
        (Adjustment(allow_until={"FR": NOW + timedelta(hours=1)}), "allowed_until"),
        (Adjustment(allow=("FR",), block=("US",)), "adjusted"),
    ],
)
def test_the_history_names_it_by_its_kind(
    policy: PolicyClient, wanted: Adjustment, action: str
) -> None:
    make(policy, wanted)
    assert policy.history()[0]["action"] == action


def test_every_problem_is_named_by_its_country_and_nothing_changes(policy: PolicyClient) -> None:
    stranger = policy.a_stranger(denied=("KP",))
    wanted = Adjustment(
        allow=("KP", "FR", "ZZ"), allow_until={"JP": NOW - timedelta(seconds=1)}, block=("YY",)
    )
    with pytest.raises(ValidationFailed) as problem:
        make(stranger, wanted)
    assert problem.value.details == {
        "$.destinations.JP": ["Has already passed."],
        "$.destinations.KP": [DENIED],
        "$.destinations.ZZ": [NOT_A_COUNTRY],
        "$.destinations.YY": [NOT_A_COUNTRY],
    }
    assert stranger.revision == 1


def test_a_person_is_asked_about_high_risk_in_every_workspace(policy: PolicyClient) -> None:
    store(policy.factory.database, policy.tenant.account_sid, high_risk=("PK",), PK=True)
    wanted = Adjustment(allow=("PK", "FR"))
    with pytest.raises(ValidationFailed) as problem:
        make(policy, wanted, acknowledged=("FR",))
    assert problem.value.details == {"$.destinations.PK": [HIGH_RISK]}
    make(policy, wanted, acknowledged=("PK",))
    assert policy.destinations == {"US": "allowed", "FR": "allowed", "PK": "allowed"}
