"""Judging very many numbers at once says of each what judging it alone says."""

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from app.destinations.policy.diff import NewlyBlocked, PolicyDiff
from app.destinations.policy.evaluate import Access, Policy, Rule, RuleKind
from app.kernel.ids import new_id
from app.messages.queries.traffic import next_prefix

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
@given(_policies, _policies, st.lists(st.tuples(_countries, _texts), min_size=2, max_size=12))
def test_numbers_with_a_shared_cached_result_have_equal_verdicts(
    before: Policy, after: Policy, numbers: list[tuple[str, str]]
) -> None:
    shift = PolicyDiff(before, after, NOW)
    is_cut_off = NewlyBlocked(shift)
    for country, number in numbers:
        assert is_cut_off(country, number) == shift.blocks(country, number)


@given(st.from_regex(r"\A\+[1-9][0-9]{0,14}\Z"), st.from_regex(r"\A\+[1-9][0-9]{1,14}\Z"))
def test_the_range_of_a_prefix_contains_its_numbers_in_every_collation(
    prefix: str, number: str
) -> None:
    """Only numbers are compared with each other: a text like '+1~' stands elsewhere in each language."""
    above = next_prefix(prefix)
    assert (number >= prefix and (above is None or number < above)) == number.startswith(prefix)
    assert above is None or above[1:].isdecimal()
