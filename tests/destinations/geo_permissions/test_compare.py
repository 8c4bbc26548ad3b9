"""The four lists, and what Twilio's list says of a country that has no entry of its own."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import phonenumbers
import pytest
from hypothesis import given, strategies as st

from app.destinations.geo_permissions.permissions import (
    Comparison,
    CountryPermission,
    GeoPermissions,
    allowed_countries,
    compare_with_provider,
)
from app.destinations.policy.evaluate import Access, Policy, Rule, RuleKind
from app.kernel.countries import COUNTRIES
from app.kernel.ids import new_id
from app.providers.port import GeoPermission
from app.providers.twilio.geo import TwilioGeoPermissions
from support.geo import permissions_at_twilio, permits

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def _gates(**states: bool) -> GeoPermissions:
    return permissions_at_twilio(permits(**states))


def _rule(kind: RuleKind, value: str, action: Access, expires_at: datetime | None = None) -> Rule:
    return Rule(new_id(), kind, value, action, expires_at)


def test_each_country_is_in_the_list_of_its_own_disagreement() -> None:
    found = compare_with_provider(
        {"US", "BR", "KP"}, _gates(US=True, BR=False, FR=True, DE=False, KP=False)
    )

    assert found == Comparison(
        allowed_here_closed_there=("BR", "KP"), closed_here_open_there=("FR",)
    )
    assert found.differs


def test_gates_that_agree_leave_every_list_empty() -> None:
    found = compare_with_provider({"US"}, _gates(US=True, BR=False))

    assert found == Comparison()
    assert not found.differs


def test_high_risk_countries_are_reported_if_either_side_allows_them() -> None:
    risky = [
        GeoPermission(c, c in {"LK", "OM"}, is_high_risk=True) for c in ("PK", "NG", "LK", "OM")
    ]

    found = compare_with_provider({"PK", "OM"}, permissions_at_twilio(risky))

    assert found.high_risk == ("LK", "OM", "PK")
    assert found.allowed_here_closed_there == ("PK",)
    assert found.closed_here_open_there == ("LK",)


def test_what_twilio_refuses_for_everybody_counts_as_closed_whatever_its_list_says() -> None:
    found = compare_with_provider({"US", "CU", "SY"}, _gates(US=True, CU=True, IR=True))

    assert found.unsupported == ("CU", "SY")
    assert found.allowed_here_closed_there == ("CU", "SY")
    assert found.closed_here_open_there == ()


def test_there_is_nothing_to_compare_before_anything_is_known() -> None:
    assert compare_with_provider({"US", "IR"}, GeoPermissions()) == Comparison()
    assert GeoPermissions().is_closed("IR") is None


@pytest.mark.parametrize("is_open", [True, False])
def test_a_country_without_an_entry_takes_the_state_of_the_one_that_covers_it(
    is_open: bool,
) -> None:
    geo_permissions = _gates(AU=is_open, RU=is_open)

    assert [geo_permissions.is_closed(code) for code in ("CX", "CC", "AU")] == [not is_open] * 3
    assert [geo_permissions.entry_of(code) for code in ("CX", "AU", "KZ", "NF")] == [
        "AU",
        "AU",
        None,
        None,
    ]
    assert geo_permissions.is_closed("KZ") is None
    assert geo_permissions.is_closed("PR") is None


def test_an_entry_of_its_own_goes_before_the_one_that_covers() -> None:
    geo_permissions = _gates(GB=True, JE=False, CX=False, AU=True)

    assert [geo_permissions.is_closed(code) for code in ("JE", "GG", "IM", "CX", "CC")] == [
        True,
        True,  # listed together with Jersey
        False,
        True,
        False,
    ]


def test_what_nothing_is_known_of_is_in_neither_list() -> None:
    found = compare_with_provider(COUNTRIES, _gates(US=True))
    nothing = compare_with_provider(frozenset(), _gates(US=False))

    assert set(found.allowed_here_closed_there) == TwilioGeoPermissions.facts.unsupported
    assert nothing.closed_here_open_there == ()


def test_only_territories_of_one_calling_code_are_covered_and_never_in_north_america() -> None:
    for country, covering in TwilioGeoPermissions.facts.covered_by.items():
        codes = {phonenumbers.country_code_for_region(code) for code in (country, *covering)}
        assert len(codes) == 1
        assert codes != {1}
    shared = {
        region
        for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
        if code != 1
        for region in regions[1:]
    }
    assert shared - set(TwilioGeoPermissions.facts.covered_by) == {"KZ"}


def test_codes_that_name_no_country_here_are_left_out() -> None:
    odd = [GeoPermission(code, True) for code in ("ZZ", "GG/JE", "us", "", "001")]

    assert permissions_at_twilio([*odd, GeoPermission("US", True)]).entries == {
        "US": CountryPermission(True)
    }


def test_of_several_entries_of_a_country_the_shortest_prefix_counts() -> None:
    def entries(*states: tuple[str, bool]) -> list[GeoPermission]:
        return [GeoPermission("ES", is_open, prefix=prefix) for prefix, is_open in states]

    assert permissions_at_twilio(entries(("+3491", False), ("+34", True))).entries["ES"].is_open
    assert (
        not permissions_at_twilio(entries(("+1809", True), ("+1829", False))).entries["ES"].is_open
    )
    assert permissions_at_twilio(entries(("+1809", True), ("+1829", True))).entries["ES"].is_open


def test_allowed_here_is_what_floor_map_and_live_country_rules_make_of_a_country() -> None:
    hour = timedelta(hours=1)
    policy = Policy(
        revision=3,
        destinations={"US": "allowed", "BR": "allowed", "KP": "allowed", "FR": "blocked"},
        denied_by_organization=frozenset({"KP"}),
        rules=(
            _rule(RuleKind.COUNTRY, "BR", Access.BLOCKED),
            _rule(RuleKind.COUNTRY, "FR", Access.ALLOWED, NOW + hour),
            _rule(RuleKind.COUNTRY, "DE", Access.ALLOWED, NOW - hour),
            _rule(RuleKind.PREFIX, "+1202", Access.BLOCKED),
            _rule(RuleKind.NUMBER, "+4915112345678", Access.ALLOWED),
        ),
    )

    assert allowed_countries(policy, NOW) == {"US", "FR"}


def test_a_prefix_that_is_a_whole_calling_code_decides_for_its_countries() -> None:
    blocked = Policy(
        1,
        {"FR": "allowed", "RU": "allowed"},
        rules=(_rule(RuleKind.PREFIX, "+33", Access.BLOCKED),),
    )
    opened = Policy(1, {}, rules=(_rule(RuleKind.PREFIX, "+7", Access.ALLOWED),))

    assert allowed_countries(blocked, NOW) == {"RU"}
    assert allowed_countries(opened, NOW) == {"KZ", "RU"}


@given(
    allowed=st.frozensets(st.sampled_from(sorted(COUNTRIES))),
    listed=st.lists(
        st.builds(
            GeoPermission,
            country=st.sampled_from([*sorted(COUNTRIES), "ZZ", "GG/JE"]),
            is_open=st.booleans(),
            is_high_risk=st.booleans(),
            prefix=st.sampled_from(["", "+1", "+1242"]),
        )
    ),
)
def test_the_lists_are_sorted_name_only_countries_and_never_contradict_each_other(
    allowed: frozenset[str], listed: list[GeoPermission]
) -> None:
    geo_permissions = permissions_at_twilio(listed)
    found = compare_with_provider(allowed, geo_permissions)

    lists = found.as_json()
    for codes in lists.values():
        assert codes == sorted(set(codes))
        assert set(codes) <= COUNTRIES
    closed, open_there = map(
        set, (lists["allowed_here_closed_there"], lists["closed_here_open_there"])
    )
    assert closed <= allowed
    assert not open_there & allowed
    assert set(lists["unsupported"]) <= closed
    known = Counter(geo_permissions.is_closed(code) for code in allowed)
    assert len(closed) == known[True]
