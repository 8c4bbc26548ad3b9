"""A dry run over a large table: found by index, never by a scan."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.clock import utc_now
from support.destinations import PolicyClient
from support.factories import US_NUMBER, Factory, open_gateway
from support.plans import statements_of
from support.traffic import Past, write_messages, write_refusals

MESSAGES = 20_000
LARGE = ("messages", "refusals", "refusal_counts")


@pytest.fixture(scope="module")
def busy(
    sqlite_template: Path, cipher: Cipher, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PolicyClient]:
    """The embedded engine with 20,000 messages of 30 days, each to a number of its own."""
    folder = tmp_path_factory.mktemp("busy")
    path = folder / "borderpost.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}", pool_size=4)
    factory, now = Factory(database, cipher), utc_now()
    policy = PolicyClient(
        open_gateway(database, cipher, folder), factory.tenant(factory.organization()), factory
    )
    policy.allow("BR")
    of_all = [
        policy,
        *(policy.a_child() for _ in range(2)),
        *(policy.a_colleague() for _ in range(2)),
    ]
    # Most of the traffic is the asking workspace's own, which is the dearest case.
    tenants = [of_all[0].tenant] * 6 + [one.tenant for one in of_all[1:]]
    write_messages(
        database,
        (
            Past(
                tenants[n % len(tenants)],
                f"{'+55119' if n % 7 == 0 else '+12025'}{n:06d}",
                now - timedelta(seconds=125 * n),
                segments=1 + n % 3,
                country="BR" if n % 7 == 0 else "US",
            )
            for n in range(MESSAGES)
        ),
    )
    write_refusals(database, policy.tenant, "+12505550199", now, times=5)
    yield policy
    database.close()


def _plan(database: Database, statement: str, parameters: Any) -> list[str]:
    with database.reading() as c:
        rows = c.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return [row[3] for row in rows]


CHANGES = {
    "a country": lambda policy: policy.trying.block("US"),
    "every country": lambda policy: policy.trying.put({}),
    "another country": lambda policy: policy.trying.allow("CA"),
    "a prefix": lambda policy: policy.trying.add_rule("prefix", "+1202", "blocked"),
    "the last prefix": lambda policy: policy.trying.add_rule("prefix", "+9", "blocked"),
    "a number": lambda policy: policy.trying.add_rule("number", US_NUMBER, "blocked"),
    "a country rule": lambda policy: policy.trying.add_rule("country", "BR", "blocked"),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("finer", [False, True])
def test_no_statement_of_a_dry_run_scans_a_large_table(
    busy: PolicyClient, name: str, finer: bool
) -> None:
    rule = busy.add_rule("prefix", "+1999", "blocked").json if finer else None
    database = busy.factory.database
    with statements_of(database) as statements:
        assert CHANGES[name](busy).status_code == 200
    plans = [_plan(database, *one) for one in statements if one[0].startswith(("SELECT", "WITH"))]
    steps = [step for plan in plans for step in plan]
    if rule is not None:
        busy.drop_rule(rule["id"])
    assert [
        step for step in steps if step.startswith(tuple(f"SCAN {table}" for table in LARGE))
    ] == []
    searched = [step for step in steps if step.startswith("SEARCH messages")]
    assert searched or name == "another country"
    assert all("INDEX" in step for step in searched)


def test_the_sums_of_a_country_come_from_its_index_alone(busy: PolicyClient) -> None:
    database = busy.factory.database
    with statements_of(database) as statements:
        busy.trying.block("US")
    (sums,) = [one for one in statements if "FROM messages" in one[0]]
    (search, *_) = _plan(database, *sums)
    assert search.startswith("SEARCH messages USING COVERING INDEX ix_messages_country_traffic")


def test_the_impact_is_right_at_this_size_and_its_time_is_printed(
    busy: PolicyClient, record_property: Any
) -> None:
    for name, change in CHANGES.items():
        began, began_computing = time.perf_counter(), time.process_time()
        answer = change(busy)
        taken, computed = time.perf_counter() - began, time.process_time() - began_computing
        record_property(name, taken)
        durations = f"{taken * 1000:.0f} ms, {computed * 1000:.0f} ms of them computing"
        print(f"dry run of {name} over {MESSAGES:,} messages: {durations}")  # noqa: T201
        assert answer.status_code == 200
    every = busy.trying.put({}).json["impact"]["would_block"]
    # Six of ten messages are the workspace's own, two are its children's.
    assert [one["country"] for one in every] == ["BR", "US"]
    assert sum(one["messages"] for one in every) == MESSAGES * 8 // 10
    released = busy.trying.allow("CA").json["impact"]["would_release"]
    assert released == [{"country": "CA", "refusals": 5}]
