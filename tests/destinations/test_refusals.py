"""What was turned away: no message, nothing at the provider, and yet the owner sees it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.access.principal import Role
from app.access.tables import organizations
from app.destinations.refusals import REFUSAL_CODES
from app.destinations.tables import refusals
from app.providers.port import RefusalKind
from app.use_cases.tables import use_cases
from support.destinations import PolicyClient, revision_of
from support.each import each
from support.factories import BR_NUMBER, US_NUMBER
from support.tables import add_opt_out_row, unchanged
from support.time import ManualClock

KEYS = {
    *("id", "at", "number", "country", "code", "source", "rule", "scope", "revision"),
    *("provider_code", "use_case_id"),
}
SATELLITE = "+881612345678"
NOTED = ("refusals", "refusal_counts")


def _deny(policy: PolicyClient) -> None:
    policy.factory.set(organizations, policy.tenant.organization_id, denied_destinations=["US"])


def _limit(policy: PolicyClient) -> None:
    policy.factory.set(use_cases, policy.tenant.use_case_id, allowed_destinations=["CA"])


WAYS: list[tuple[Callable[[PolicyClient], Any], str, tuple[str, str, str | None]]] = [
    (lambda policy: None, BR_NUMBER, ("country", "workspace", "BR")),
    (lambda policy: None, SATELLITE, ("no_country", "workspace", None)),
    (lambda policy: policy.block("US"), US_NUMBER, ("country", "workspace", "US")),
    (lambda policy: policy.put({}), US_NUMBER, ("country", "workspace", "US")),
    (
        lambda policy: policy.add_rule("country", "US", "blocked"),
        US_NUMBER,
        ("country", "workspace", "US"),
    ),
    (
        lambda policy: policy.add_rule("prefix", "+1", "blocked"),
        US_NUMBER,
        ("prefix", "workspace", "US"),
    ),
    (
        lambda policy: policy.add_rule("number", US_NUMBER, "blocked"),
        US_NUMBER,
        ("number", "workspace", "US"),
    ),
    (_deny, US_NUMBER, ("country", "organization", "US")),
    (_limit, US_NUMBER, ("country", "use_case", "US")),
]


@pytest.mark.parametrize(("prepare", "number", "decided"), WAYS)
def test_a_blocked_send_leaves_its_refusal_and_nothing_else(
    policy: PolicyClient,
    prepare: Callable[[PolicyClient], Any],
    number: str,
    decided: tuple[str, str, str | None],
) -> None:
    prepare(policy)
    with unchanged(policy.factory.database, *NOTED):
        answer = policy.gateway.send(
            policy.tenant, to=number, Idempotency_Key="k", message="a secret"
        )
    assert (answer.status_code, answer.json["code"]) == (422, "DestinationBlocked")
    assert policy.gateway.twilio.calls == []
    assert policy.gateway.get("/v1/sms", key=policy.tenant.keys[Role.VIEWER]).json["items"] == []
    found = policy.ask("GET", "/refusals")
    (row,) = found.json["items"]
    assert set(row) == KEYS
    assert (row["rule"], row["scope"], row["country"]) == decided
    assert (row["code"], row["source"]) == ("DestinationBlocked", "policy")
    assert (row["revision"], row["provider_code"]) == (revision_of(found), None)
    assert row["use_case_id"] == str(policy.tenant.use_case_id)


def test_the_number_is_kept_masked_and_the_text_not_at_all(policy: PolicyClient) -> None:
    policy.gateway.send(policy.tenant, to=BR_NUMBER, message="a secret text")
    found = policy.ask("GET", "/refusals")
    assert found.json["items"][0]["number"] == "+55*********67"
    stored = policy.factory.rows(refusals, workspace_id=policy.tenant.workspace_id)
    for text in (found.text, repr(stored)):
        assert BR_NUMBER not in text
        assert BR_NUMBER[4:-2] not in text
        assert "secret" not in text


def _some(policy: PolicyClient, clock: ManualClock) -> tuple[PolicyClient, dict[str, str]]:
    """Refusals of several kinds, an hour apart: BR, an opt-out, a landline, BR of a second use case."""
    other = replace(policy.tenant, use_case_id=policy.factory.use_case(policy.tenant.workspace_id))
    add_opt_out_row(policy.factory, policy.tenant.workspace_id, US_NUMBER)
    times = {}
    for name, tenant, number in [
        ("blocked", policy.tenant, BR_NUMBER),
        ("opted out", policy.tenant, US_NUMBER),
        ("premium", policy.tenant, "+19002345678"),
        ("of another", other, BR_NUMBER),
    ]:
        assert policy.gateway.send(tenant, to=number).status_code == 422
        times[name] = policy.get("/refusals?limit=1")["items"][0]["at"]
        clock.advance(3600)
    return policy.of(other), times


def test_each_filter_shows_its_matches(timed_policy: PolicyClient, clock: ManualClock) -> None:
    other, times = _some(timed_policy, clock)

    def at(query: str) -> list[str]:
        names = {time: name for name, time in times.items()}
        return [names[row["at"]] for row in timed_policy.get(f"/refusals?{query}")["items"]]

    assert at("") == ["of another", "premium", "opted out", "blocked"]
    assert at("country=BR") == ["of another", "blocked"]
    assert at("code=DestinationBlocked") == ["of another", "blocked"]
    assert at("code=RecipientOptedOut") == ["opted out"]
    assert at("code=InvalidDestination") == ["premium"]
    assert at(f"use_case_id={other.tenant.use_case_id}") == ["of another"]
    assert at(f"country=BR&use_case_id={timed_policy.tenant.use_case_id}") == ["blocked"]
    assert at(f"after={times['opted out']}") == ["of another", "premium"]
    assert at(f"before={times['opted out']}") == ["blocked"]
    assert at(f"after={times['blocked']}&before={times['of another']}") == ["premium", "opted out"]
    assert at("code=GuardTripped") == []


def test_the_codes_of_the_provider_are_codes_of_refusals() -> None:
    assert set(RefusalKind) <= set(REFUSAL_CODES)


@pytest.mark.one_engine
@each(
    ("query", "path"),
    [
        ("country=br", "$.country"),
        ("country=ZZ", "$.country"),
        ("use_case_id=x", "$.use_case_id"),
        ("after=yesterday", "$.after"),
        ("before=2026-01-01", "$.before"),
        ("code=%00", "$.code"),
        ("code=Nope", "$.code"),
        ("code=NotFound", "$.code"),
        ("limit=101", "$.limit"),
        ("page_token=x", "$.page_token"),
        ("status=x", "$.status"),
    ],
)
def test_a_wrong_filter_is_named(policy: PolicyClient, query: str, path: str) -> None:
    answer = policy.ask("GET", f"/refusals?{query}")
    assert (answer.status_code, set(answer.json["details"])) == (422, {path})


def test_pages_are_stable_while_refusals_come_in(policy: PolicyClient) -> None:
    for _ in range(25):
        policy.gateway.send(policy.tenant, to=BR_NUMBER)
    first = policy.get("/refusals?limit=10")
    policy.gateway.send(policy.tenant, to=BR_NUMBER)
    second = policy.get(f"/refusals?limit=10&page_token={first['next_page_token']}")
    third = policy.get(f"/refusals?limit=10&page_token={second['next_page_token']}")
    ids = [row["id"] for page in (first, second, third) for row in page["items"]]
    assert (len(ids), len(set(ids)), ids) == (25, 25, sorted(ids, reverse=True))
    assert third["next_page_token"] is None


def test_counts_are_by_day_country_and_code(timed_policy: PolicyClient, clock: ManualClock) -> None:
    for number in (BR_NUMBER, BR_NUMBER, SATELLITE, "+12025550"):
        timed_policy.gateway.send(timed_policy.tenant, to=number)
    clock.advance(12 * 3600)
    timed_policy.gateway.send(timed_policy.tenant, to=BR_NUMBER)
    blocked, unlisted = "DestinationBlocked", {"unlisted": 0}
    assert timed_policy.get("/refusals")["counts"] == [
        {"day": "2026-02-01", "country": "BR", "code": blocked, "refusals": 1} | unlisted,
        {"day": "2026-01-31", "country": None, "code": blocked, "refusals": 1} | unlisted,
        {"day": "2026-01-31", "country": None, "code": "InvalidDestination", "refusals": 1}
        | unlisted,
        {"day": "2026-01-31", "country": "BR", "code": blocked, "refusals": 2} | unlisted,
    ]
    clock.advance(29 * 86400)
    assert [row["day"] for row in timed_policy.get("/refusals")["counts"]] == ["2026-02-01"]
    clock.advance(86400)
    assert timed_policy.get("/refusals")["counts"] == []


def test_refusals_are_their_workspaces_alone_a_childs_too(policy: PolicyClient) -> None:
    child = policy.a_child()
    child.gateway.send(child.tenant, to=BR_NUMBER)
    assert len(child.get("/refusals")["items"]) == 1
    for other in (policy, policy.a_colleague(), policy.a_stranger()):
        assert other.get("/refusals") == {"items": [], "next_page_token": None, "counts": []}


def test_errors_not_about_the_recipient_are_not_refusals(policy: PolicyClient) -> None:
    """A body that is no send, a wrong key or an unknown use case leaves nothing at all."""
    with unchanged(policy.factory.database):
        assert policy.gateway.send(policy.tenant, to="12025550123").status_code == 422
        assert policy.gateway.send(policy.tenant, role=Role.VIEWER).status_code == 403
        assert (
            policy.gateway.send(
                replace(policy.tenant, use_case_id=policy.tenant.workspace_id)
            ).status_code
            == 404
        )
