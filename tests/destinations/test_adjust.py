"""Several wishes about countries become one revision, or nothing."""

from datetime import timedelta

import pytest

from app.access.actor import Actor
from app.access.principal import ActorKind
from app.destinations.adjust import Adjustment, adjust
from app.destinations.high_risk import HIGH_RISK
from app.destinations.load import load_effective
from app.destinations.manage import Asked
from app.destinations.problems import DENIED, NOT_A_COUNTRY
from app.destinations.state import country_allowances
from app.destinations.tables import provider_permissions
from app.kernel.clock import utc_now
from app.kernel.errors import ValidationFailed
from support.destinations import Desk

NOW = utc_now()
ASKED = Asked(Actor(ActorKind.SYSTEM, "test"), "why not")


def make(desk: Desk, wanted: Adjustment, acknowledged: tuple[str, ...] | None = None) -> None:
    change = adjust(wanted, ASKED.reason, NOW, acknowledged)
    desk.gateway.services.destinations(desk.tenant.workspace_id, change, ASKED)


def allowances(desk: Desk) -> dict[str, object]:
    with desk.world.database.reading() as connection:
        state = load_effective(connection, desk.tenant.workspace_id).state
    return {**country_allowances(state, NOW)}


def test_all_of_it_is_one_revision(desk: Desk) -> None:
    until = NOW + timedelta(hours=4)
    make(desk, Adjustment(allow=("FR", "DE"), allow_until={"JP": until}, block=("US",)))
    assert desk.revision == 2
    assert allowances(desk) == {"FR": None, "DE": None, "JP": until}
    (entry,) = desk.history()
    assert (entry["action"], entry["reason"]) == ("adjusted", "why not")
    assert [one["country"] for one in entry["changes"]] == ["DE", "FR", "JP", "US"]


def test_a_block_ends_a_temporary_allowance(desk: Desk) -> None:
    make(desk, Adjustment(allow_until={"JP": NOW + timedelta(hours=4)}))
    make(desk, Adjustment(block=("JP",)))
    assert allowances(desk) == {"US": None}


def test_a_temporary_allowance_can_become_one_for_good_and_be_extended(desk: Desk) -> None:
    for hours in (1, 4):
        make(desk, Adjustment(allow_until={"JP": NOW + timedelta(hours=hours)}))
    assert allowances(desk)["JP"] == NOW + timedelta(hours=4)
    make(desk, Adjustment(allow=("JP",)))
    assert allowances(desk)["JP"] is None


@pytest.mark.parametrize(
    ("wanted", "action"),
    [
        (Adjustment(allow=("FR",)), "allowed"),
        (Adjustment(block=("US",)), "blocked"),
        (Adjustment(allow_until={"FR": NOW + timedelta(hours=1)}), "allowed_until"),
        (Adjustment(allow=("FR",), block=("US",)), "adjusted"),
    ],
)
def test_the_history_names_it_by_its_kind(desk: Desk, wanted: Adjustment, action: str) -> None:
    make(desk, wanted)
    assert desk.history()[0]["action"] == action


def test_every_problem_is_named_by_its_country_and_nothing_changes(desk: Desk) -> None:
    stranger = desk.a_stranger(denied=("KP",))
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


def test_a_person_is_asked_about_high_risk_in_every_workspace(desk: Desk) -> None:
    with desk.world.database.writing() as connection:
        connection.execute(provider_permissions.delete())
        row = {
            "account_sid": desk.tenant.account_sid,
            "country": "PK",
            "is_open": True,
            "is_high_risk": True,
        }
        connection.execute(
            provider_permissions.insert().values(**row, noted_at=NOW, noted_by="check")
        )
    wanted = Adjustment(allow=("PK", "FR"))
    with pytest.raises(ValidationFailed) as problem:
        make(desk, wanted, acknowledged=("FR",))
    assert problem.value.details == {"$.destinations.PK": [HIGH_RISK]}
    make(desk, wanted, acknowledged=("PK",))
    assert desk.destinations == {"US": "allowed", "FR": "allowed", "PK": "allowed"}
