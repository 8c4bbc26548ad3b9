"""Changes at the same instant: each is kept or refused, and none is lost without a word."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import event

from app.kernel.countries import ISO_CODES
from support.destinations import PolicyClient
from support.factories import US_NUMBER
from support.replace_services import another_client
from support.threads import together

THREADS = 6
ROUNDS = 4


def _at_once(policy: PolicyClient, *jobs: Callable[[PolicyClient], Any]) -> list[Any]:
    """Let each job go at the same instant, with a client of its own, and return what each got."""
    return together(
        [partial(job, replace(policy, gateway=another_client(policy.gateway))) for job in jobs]
    )


def _codes(count: int) -> list[str]:
    return sorted(ISO_CODES - {"US"})[:count]


def _allow(code: str, **headers: str) -> Callable[[PolicyClient], Any]:
    return lambda policy: policy.allow(code, **headers)


def test_of_changes_meant_for_one_revision_exactly_one_wins(policy: PolicyClient) -> None:
    codes = iter(_codes(THREADS * ROUNDS))
    for revision in range(1, ROUNDS + 1):
        tried = [next(codes) for _ in range(THREADS)]
        answers = _at_once(policy, *(_allow(code, If_Match=f'"{revision}"') for code in tried))
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [200] + [412] * (THREADS - 1)
        (winner,) = [code for code, status in zip(tried, statuses, strict=True) if status == 200]
        assert set(tried) & policy.destinations.keys() == {winner}
        assert policy.revision == revision + 1
        losers = [answer.json["details"] for answer in answers if answer.status_code == 412]
        assert losers == [{"revision": revision + 1}] * (THREADS - 1)


def test_without_a_condition_every_change_is_applied_on_top(policy: PolicyClient) -> None:
    codes = _codes(THREADS * ROUNDS)
    for start in range(0, len(codes), THREADS):
        answers = _at_once(policy, *map(_allow, codes[start : start + THREADS]))
        assert {answer.status_code for answer in answers} == {200}
    assert policy.destinations == dict.fromkeys(["US", *codes], "allowed")
    history = policy.history()[::-1]
    assert [row["revision"] for row in history] == list(range(2, len(codes) + 2))
    assert [row["from_revision"] for row in history] == list(range(1, len(codes) + 1))
    known = {"US": "allowed"}
    for row in history:
        (change,) = row["changes"]
        known[change["country"]] = "allowed"
        assert row["destinations"] == known


def test_concurrent_changes_of_every_kind_are_all_kept(policy: PolicyClient) -> None:
    rule = policy.add_rule("prefix", "+1787", "blocked").json
    answers = _at_once(
        policy,
        lambda own: own.allow("CA"),
        lambda own: own.block("BR"),
        lambda own: own.add_rule("number", "+12025550123", "blocked"),
        lambda own: own.add_rule("prefix", "+23276", "blocked"),
        lambda own: own.drop_rule(rule["id"]),
        lambda own: own.allow_until("2999-01-01T00:00:00Z", "FR"),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201, 201, 204]
    assert policy.destinations == {"US": "allowed", "CA": "allowed", "BR": "blocked"}
    values = {found["value"] for found in policy.get("/rules")["items"]}
    assert values == {"+12025550123", "+23276", "FR"}
    assert [row["revision"] for row in policy.history()] == list(range(8, 1, -1))


def _block_americas(reason: str) -> Callable[[PolicyClient], Any]:
    return lambda own: own.add_rule("prefix", "+1", "blocked", reason=reason)


def test_the_same_rule_at_once_is_one_change(policy: PolicyClient) -> None:
    answers = _at_once(policy, *[_block_americas("incident")] * THREADS)
    assert [answer.status_code for answer in answers] == [201] * THREADS
    assert [answer.json for answer in answers] == policy.get("/rules")["items"] * THREADS
    assert policy.revision == 2


def test_concurrent_rules_of_the_same_value_become_one(policy: PolicyClient) -> None:
    for turn in range(ROUNDS):
        reasons = [f"{turn}.{one}" for one in range(THREADS)]
        _at_once(policy, *map(_block_americas, reasons))
        assert len(policy.get("/rules")["items"]) == 1
    (newest, *older) = policy.history()
    assert newest["revision"] == 1 + THREADS * ROUNDS
    assert len(older) == THREADS * ROUNDS - 1


def test_a_copy_of_the_parent_is_one_of_its_revisions_never_a_mixture(policy: PolicyClient) -> None:
    """The parent moves from one whole map to another while children take their copies."""
    maps = [{"US": "allowed", "FR": "blocked"}, {"US": "blocked", "FR": "allowed"}]
    for n in range(ROUNDS):
        children = [policy.a_child() for _ in range(THREADS - 1)]
        policy.put(maps[n % 2])
        jobs = [lambda _, child=child: child.inherit(False) for child in children]
        _at_once(policy, lambda own, n=n: own.put(maps[(n + 1) % 2]), *jobs)
        assert all(child.destinations in maps for child in children)


def test_a_change_while_a_policy_is_read_never_mixes_two_revisions(policy: PolicyClient) -> None:
    """Two revisions block a number, one by its map, one by a rule; between them it is read."""
    policy.put({})
    policy.add_rule("number", US_NUMBER, "blocked")
    policy.allow("US")
    other = replace(policy, gateway=another_client(policy.gateway))
    waiting = [lambda: other.restore(2)]

    def change(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM destination_rules" in statement and waiting:
            assert waiting.pop()().status_code == 200

    engine = policy.factory.database.engine
    event.listen(engine, "before_cursor_execute", change)
    try:
        (verdict,) = policy.check(US_NUMBER)
    finally:
        event.remove(engine, "before_cursor_execute", change)
    assert waiting == []
    assert (verdict["allowed"], verdict["rule"], verdict["revision"]) in [
        (False, "number", 4),
        (False, "country", 5),
    ]
