"""The impact of a change, summed up by ranges, is that of each number."""

from collections import Counter, defaultdict
from datetime import UTC, datetime

from hypothesis import example, given, strategies as st

from app.destinations.impact import PolicyDiff, SentTraffic, newly_blocked
from app.destinations.policy.evaluate import Access, Policy, Rule, RuleKind
from app.kernel.ids import new_id
from app.kernel.number_prefixes import next_prefix

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
# So few digits that numbers begin with each other and rules of both kinds name the same text.
_texts = st.text("12", min_size=1, max_size=4).map(lambda digits: f"+{digits}")
_countries = st.sampled_from(["US", "CA"])
_rules = st.builds(
    Rule,
    st.builds(new_id),
    st.sampled_from([RuleKind.PREFIX, RuleKind.NUMBER]),
    _texts,
    st.sampled_from(Access),
)
_policies = st.builds(
    Policy,
    st.just(1),
    st.dictionaries(_countries, st.sampled_from([access.value for access in Access])),
    rules=st.lists(_rules, max_size=5).map(tuple),
)


_OPEN = {"US": "allowed"}
_ONE = (Rule(new_id(), RuleKind.NUMBER, "+1", Access.BLOCKED),)


@example(Policy(1, _OPEN), Policy(1, _OPEN, rules=_ONE), [("US", "+12"), ("US", "+1")])
@given(_policies, _policies, st.lists(st.tuples(_countries, _texts), max_size=12))
def test_the_sums_of_countries_and_ranges_are_those_of_all_numbers(
    before: Policy, after: Policy, numbers: list[tuple[str, str]]
) -> None:
    """Break: let the range of a rule for one number begin with all that begin as it does."""
    diff = PolicyDiff(before, after, NOW)
    of_countries = Counter(country for country, _ in numbers if country in diff.countries)
    in_ranges: dict[tuple[str, str], list[str]] = defaultdict(list)
    for country, number in numbers:
        places = [first for first, above in diff.number_ranges() if first <= number < above]
        assert len(places) <= 1
        for first in places:
            in_ranges[country, first].append(number)
    found = newly_blocked(
        diff,
        [SentTraffic(country, count, 2 * count) for country, count in of_countries.items()],
        [
            SentTraffic(country, len(found), 2 * len(found), found[0])
            for (country, _), found in in_ranges.items()
        ],
    )
    expected = Counter(country for country, number in numbers if diff.blocks(country, number))
    assert found == [
        {"country": country, "messages": expected[country], "segments": 2 * expected[country]}
        for country in sorted(expected)
    ]


@given(st.from_regex(r"\A\+[1-9][0-9]{0,14}\Z"), st.from_regex(r"\A\+[1-9][0-9]{1,14}\Z"))
def test_the_range_of_a_prefix_contains_its_numbers_in_every_collation(
    prefix: str, number: str
) -> None:
    """Only numbers are compared with each other: a text like '+1~' stands elsewhere in each language."""
    above = next_prefix(prefix)
    assert (number >= prefix and (above is None or number < above)) == number.startswith(prefix)
    assert above is None or above[1:].isdecimal()
