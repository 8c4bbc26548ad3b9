"""The layers of a policy: they only tighten, and inside the workspace the most specific decides."""

from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from random import Random

from hypothesis import given, strategies as st

from app.destinations.policy.evaluate import Access, Policy, Rule, RuleKind, Scope, Verdict, decide
from app.kernel.ids import new_id
from app.kernel.phone import Destination, resolve
from support.each import each

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON, JUST_NOW = NOW + timedelta(milliseconds=1), NOW - timedelta(milliseconds=1)
ALLOWED, BLOCKED = Access.ALLOWED, Access.BLOCKED
GUERNSEY = resolve("+447911123456")


def rule(kind: RuleKind, value: str, action: Access, expires_at: datetime | None = None) -> Rule:
    return Rule(new_id(), kind, value, action, expires_at)


# floor, map, use case -> allowed, scope
LAYERS = [
    (False, ALLOWED, None, True, Scope.WORKSPACE),
    (False, ALLOWED, {"GG"}, True, Scope.WORKSPACE),
    (False, ALLOWED, {"US"}, False, Scope.USE_CASE),
    (False, ALLOWED, set(), False, Scope.USE_CASE),
    (False, BLOCKED, None, False, Scope.WORKSPACE),
    (False, BLOCKED, {"GG"}, False, Scope.WORKSPACE),
    (False, BLOCKED, {"US"}, False, Scope.WORKSPACE),
    (False, None, None, False, Scope.WORKSPACE),
    (False, None, {"GG"}, False, Scope.WORKSPACE),
    (False, None, {"US"}, False, Scope.WORKSPACE),
    (True, ALLOWED, None, False, Scope.ORGANIZATION),
    (True, ALLOWED, {"GG"}, False, Scope.ORGANIZATION),
    (True, ALLOWED, {"US"}, False, Scope.ORGANIZATION),
    (True, BLOCKED, None, False, Scope.ORGANIZATION),
    (True, BLOCKED, {"GG"}, False, Scope.ORGANIZATION),
    (True, BLOCKED, {"US"}, False, Scope.ORGANIZATION),
    (True, None, None, False, Scope.ORGANIZATION),
    (True, None, {"GG"}, False, Scope.ORGANIZATION),
    (True, None, {"US"}, False, Scope.ORGANIZATION),
]


@each(("on_floor", "named", "use_case", "allowed", "scope"), LAYERS)
def test_the_strictest_layer_decides_and_is_named(
    on_floor: bool, named: Access | None, use_case: set[str] | None, allowed: bool, scope: Scope
) -> None:
    policy = Policy(
        revision=3,
        destinations={"US": ALLOWED} | ({} if named is None else {"GG": named}),
        denied_by_organization=frozenset({"KP", "GG"} if on_floor else {"KP"}),
        use_case_countries=None if use_case is None else frozenset(use_case),
    )
    wanted = Verdict(allowed, "GG", RuleKind.COUNTRY, scope, revision=3)
    assert decide(policy, GUERNSEY, NOW) == wanted


def test_neither_calling_code_nor_neighbour_country_decides() -> None:
    policy = Policy(revision=1, destinations={"GB": ALLOWED, "US": ALLOWED})
    assert not decide(policy, GUERNSEY, NOW).allowed
    assert not decide(policy, resolve("+17872345678"), NOW).allowed


# From the least to the most specific rule that speaks of +447911123456.
SPEAKING = [
    (RuleKind.COUNTRY, "GG"),
    (RuleKind.PREFIX, "+4"),
    (RuleKind.PREFIX, "+44"),
    (RuleKind.PREFIX, "+447911"),
    (RuleKind.PREFIX, "+447911123456"),
    (RuleKind.NUMBER, "+447911123456"),
]


def test_inside_the_workspace_the_most_specific_rule_decides() -> None:
    for actions in product([None, ALLOWED, BLOCKED], repeat=len(SPEAKING)):
        given_rules = [
            (kind, value, action)
            for (kind, value), action in zip(SPEAKING, actions, strict=True)
            if action is not None
        ]
        kind, _, action = given_rules[-1] if given_rules else (RuleKind.COUNTRY, "", BLOCKED)
        rules = tuple(rule(*of) for of in given_rules)
        policy = Policy(revision=9, destinations={"US": ALLOWED}, rules=rules)
        wanted = Verdict(action is ALLOWED, "GG", kind, Scope.WORKSPACE, revision=9)
        assert decide(policy, GUERNSEY, NOW) == wanted, given_rules


def test_order_is_irrelevant_and_of_two_equal_rules_the_blocking_one_decides() -> None:
    rules = [
        rule(RuleKind.PREFIX, "+44", ALLOWED),
        rule(RuleKind.PREFIX, "+447911", BLOCKED),
        rule(RuleKind.PREFIX, "+447911", ALLOWED),
        rule(RuleKind.COUNTRY, "GG", ALLOWED),
    ]
    wanted = Verdict(False, "GG", RuleKind.PREFIX, Scope.WORKSPACE, 1)
    for order in permutations(rules):
        assert decide(Policy(1, {"GG": ALLOWED}, rules=order), GUERNSEY, NOW) == wanted


@each(
    ("kind", "value"),
    [
        (RuleKind.COUNTRY, "GB"),
        (RuleKind.PREFIX, "+447912"),
        (RuleKind.PREFIX, "447911"),
        (RuleKind.NUMBER, "+447911123457"),
        (RuleKind.NUMBER, "+44791112345"),
    ],
)
def test_rules_for_other_numbers_do_not_decide(kind: RuleKind, value: str) -> None:
    policy = Policy(1, {"GG": ALLOWED}, rules=(rule(kind, value, BLOCKED),))
    assert decide(policy, GUERNSEY, NOW) == Verdict(
        True, "GG", RuleKind.COUNTRY, Scope.WORKSPACE, 1
    )


@each(("expires_at", "is_live"), [(None, True), (SOON, True), (NOW, False), (JUST_NOW, False)])
@each(("kind", "value"), SPEAKING)
def test_a_rule_holds_until_the_instant_that_it_expires(
    kind: RuleKind, value: str, expires_at: datetime | None, is_live: bool
) -> None:
    policy = Policy(1, {"GG": ALLOWED}, rules=(rule(kind, value, BLOCKED, expires_at),))
    assert decide(policy, GUERNSEY, NOW).allowed is not is_live


def test_an_expired_rule_uncovers_the_next_most_specific_one() -> None:
    policy = Policy(
        1,
        {"GG": BLOCKED},
        rules=(
            rule(RuleKind.NUMBER, "+447911123456", BLOCKED, JUST_NOW),
            rule(RuleKind.PREFIX, "+447911", ALLOWED, SOON),
        ),
    )
    assert decide(policy, GUERNSEY, NOW) == Verdict(True, "GG", RuleKind.PREFIX, Scope.WORKSPACE, 1)


def test_no_rule_reaches_a_number_without_a_country() -> None:
    satellite = resolve("+881612345678")
    policy = Policy(
        4,
        {"US": ALLOWED},
        rules=(
            rule(RuleKind.NUMBER, satellite.number, ALLOWED),
            rule(RuleKind.PREFIX, "+881", ALLOWED),
        ),
    )
    assert decide(policy, satellite, NOW) == Verdict(
        False, None, RuleKind.NO_COUNTRY, Scope.WORKSPACE, 4
    )


NUMBERS = ["+447911123456", "+12025550123", "+17872345678", "+77011234567", "+881612345678"]
_COUNTRIES = ["GG", "GB", "US", "PR", "KZ", "RU"]
_VALUES = {
    RuleKind.COUNTRY: st.sampled_from(_COUNTRIES),
    RuleKind.PREFIX: st.builds(
        lambda number, length: number[:length], st.sampled_from(NUMBERS), st.integers(2, 13)
    ),
    RuleKind.NUMBER: st.sampled_from(NUMBERS),
}
_RULES = st.sampled_from(list(_VALUES)).flatmap(
    lambda kind: st.builds(
        rule,
        st.just(kind),
        _VALUES[kind],
        st.sampled_from(Access),
        st.sampled_from([None, SOON, NOW, JUST_NOW]),
    )
)
_SUBSETS = st.frozensets(st.sampled_from(_COUNTRIES))
_POLICIES = st.builds(
    Policy,
    revision=st.integers(0, 99),
    destinations=st.dictionaries(st.sampled_from(_COUNTRIES), st.sampled_from(Access)),
    denied_by_organization=_SUBSETS,
    rules=st.lists(_RULES, max_size=6).map(tuple),
    use_case_countries=st.none() | _SUBSETS,
)
_DESTINATIONS = st.sampled_from(NUMBERS).map(resolve)


def _with(policy: Policy, **changes: object) -> Policy:
    kept = {name: getattr(policy, name) for name in Policy.__slots__}
    return Policy(**kept | changes)


@given(_POLICIES, _DESTINATIONS)
def test_no_layer_overrides_a_stricter_one(policy: Policy, to: Destination) -> None:
    found = decide(policy, to, NOW)
    assert found.revision == policy.revision
    assert found.country == to.country
    of_the_workspace = decide(
        _with(policy, denied_by_organization=frozenset(), use_case_countries=None), to, NOW
    )
    in_use_case = policy.use_case_countries is None or to.country in policy.use_case_countries
    assert found.allowed == (
        to.country is not None
        and to.country not in policy.denied_by_organization
        and of_the_workspace.allowed
        and in_use_case
    )
    if to.country in policy.denied_by_organization:
        assert found.scope is Scope.ORGANIZATION


@given(_POLICIES, _DESTINATIONS, _SUBSETS, _SUBSETS)
def test_more_denied_destinations_or_a_narrower_use_case_never_allow_more(
    policy: Policy,
    to: Destination,
    denied_by_organization: frozenset[str],
    countries: frozenset[str],
) -> None:
    narrowed = (
        countries if policy.use_case_countries is None else policy.use_case_countries & countries
    )
    stricter = _with(
        policy,
        denied_by_organization=policy.denied_by_organization | denied_by_organization,
        use_case_countries=narrowed,
    )
    assert decide(policy, to, NOW).allowed or not decide(stricter, to, NOW).allowed


@given(_POLICIES, _DESTINATIONS, st.randoms(use_true_random=False))
def test_dead_rules_and_the_order_of_rules_change_no_verdict(
    policy: Policy, to: Destination, random: Random
) -> None:
    live = [found for found in policy.rules if found.is_live(NOW)]
    random.shuffle(live)
    assert decide(_with(policy, rules=tuple(live)), to, NOW) == decide(policy, to, NOW)
