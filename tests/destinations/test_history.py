"""Reading the history of a policy: pages, and a CSV that a spreadsheet can open safely."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from app.access.principal import Role
from app.access.tables import access_keys, audit_events
from support.destinations import PolicyClient, revision_of
from support.each import each


def test_the_history_comes_in_pages_that_inserts_do_not_shift(policy: PolicyClient) -> None:
    for place in range(25):
        (policy.block if place % 2 else policy.allow)("CA")
    seen: list[int] = []
    token: str | None = ""
    while token is not None:
        page = policy.get("/history?limit=10" + (f"&page_token={token}" if token else ""))
        seen += [row["revision"] for row in page["items"]]
        token = page["next_page_token"]
        policy.put(
            {"US": "allowed", "CA": "allowed", "FR": "blocked" if len(seen) % 20 else "allowed"}
        )
    assert seen == list(range(26, 1, -1))
    assert len(policy.get("/history")["items"]) == 20
    assert len(policy.get("/history?limit=100")["items"]) > 25


@pytest.mark.one_engine
def test_a_page_has_fewer_revisions_if_they_have_many_rules(
    policy: PolicyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: in `list_history`, read as many as asked for. Of 700 rules, a page had 14 MB."""
    monkeypatch.setattr("app.destinations.api.policy._MOST_RULES_OF_PAGE", 4)
    for place in range(3):
        rule = {"kind": "number", "value": f"+1202555010{place}", "action": "blocked"}
        assert policy.ask("POST", "/rules", rule).status_code == 201
    first = policy.get("/history?limit=100")
    assert [row["revision"] for row in first["items"]] == [4]
    second = policy.get(f"/history?limit=100&page_token={first['next_page_token']}")
    assert [row["revision"] for row in second["items"]] == [3]
    assert len(policy.ask("GET", "/history?format=csv").text.splitlines()) == 1 + 3


@pytest.mark.one_engine
@each(
    ("query", "path"),
    [
        ("limit=0", "$.limit"),
        ("limit=101", "$.limit"),
        ("limit=x", "$.limit"),
        ("page_token=x", "$.page_token"),
        ("page_token=AAAA", "$.page_token"),
        ("format=xml", "$.format"),
        ("size=5", "$.size"),
        ("limit=5&limit=6", "$.limit"),
        ("dry_run=true", "$.dry_run"),
    ],
)
def test_a_wrong_query_is_named(policy: PolicyClient, query: str, path: str) -> None:
    answer = policy.ask("GET", f"/history?{query}")
    assert (answer.status_code, set(answer.json["details"])) == (422, {path})


def test_a_history_is_its_workspaces_alone(policy: PolicyClient) -> None:
    colleague = policy.a_colleague()
    colleague.allow("CA")
    assert policy.history() == []
    assert len(colleague.history()) == 1
    assert policy.restore(2).status_code == 404


def _csv(policy: PolicyClient) -> tuple[Any, list[dict[str, str]]]:
    answer = policy.ask("GET", "/history?format=csv&limit=100")
    return answer, list(csv.DictReader(io.StringIO(answer.text)))


def test_the_csv_has_a_line_for_each_country_that_changed(timed_policy: PolicyClient) -> None:
    timed_policy.put({"CA": "allowed"}, X_Change_Reason='moved, "north"')
    timed_policy.add_rule("prefix", "+1", "blocked")
    answer, lines = _csv(timed_policy)
    assert answer.mimetype == "text/csv"
    assert revision_of(answer) == 3
    common = {
        "rules": "",
        "at": "2026-01-31T12:00:00.000Z",
        "actor_kind": "access_key",
        "actor_name": "admin key",
        "restored_revision": "",
    }
    of_put = common | {
        "revision": "2",
        "from_revision": "1",
        "action": "replaced",
        "reason": 'moved, "north"',
    }
    assert lines == [
        common
        | {"revision": "3", "from_revision": "2", "action": "rule_added", "reason": ""}
        | {"country": "", "from": "", "to": "", "rules": "added prefix +1 blocked"},
        of_put | {"country": "CA", "from": "", "to": "allowed"},
        of_put | {"country": "US", "from": "allowed", "to": ""},
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_cell_of_the_csv_is_a_formula(policy: PolicyClient, start: str) -> None:
    policy.factory.set(
        access_keys,
        next(
            row["id"]
            for row in policy.factory.rows(access_keys)
            if row["workspace_id"] == policy.tenant.workspace_id and row["role"] == Role.ADMIN
        ),
        name=f"{start}1+1",
    )
    policy.allow("CA", X_Change_Reason=f'{start}HYPERLINK("https://example.com")')
    _, (line,) = _csv(policy)
    assert line["reason"] == f'\'{start}HYPERLINK("https://example.com")'
    assert line["actor_name"] == f"'{start}1+1"


@pytest.mark.one_engine
def test_history_names_the_rule_and_keeps_its_reason(policy: PolicyClient) -> None:
    """Break: leave out `reason=rule.reason` in `add_rule`, or compare with the newer revision."""
    first = policy.add_rule("prefix", "+4475", "blocked", reason="pumped").json
    policy.add_rule(
        "prefix", "+4475", "allowed", reason="over", headers={"X-Change-Reason": "calm"}
    )
    (second,) = policy.get("/rules")["items"]
    policy.drop_rule(second["id"])
    history = policy.history()
    assert [row["reason"] for row in history] == [None, "calm", "pumped"]
    assert [row["rule_changes"] for row in history] == [
        {"added": [], "removed": [second]},
        {"added": [second], "removed": [first]},
        {"added": [first], "removed": []},
    ]
    page = policy.get("/history?limit=1")["items"]
    assert page[0]["rule_changes"]["removed"] == [second]
    events = sorted(policy.factory.rows(audit_events), key=lambda row: row["at"])
    reasons = [row["reason"] for row in events if row["action"] == "destinations.rule_added"]
    assert reasons[-2:] == ["pumped", "calm"]


@pytest.mark.one_engine
def test_a_viewer_sees_no_whole_number_in_rule_changes(policy: PolicyClient) -> None:
    policy.add_rule("number", "+447400123456", "blocked", reason="call +447400123456")
    seen = replace(policy, role=Role.VIEWER)
    for text in (seen.ask("GET", "/history").text, seen.ask("GET", "/history?format=csv").text):
        assert "+447400123456" not in text
        assert "number" in text
