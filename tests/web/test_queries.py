"""Query parameters: unknown, repeated and wrong ones are named, all at once."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from app.access.principal import Role
from support.each import each
from support.served import Served

pytestmark = pytest.mark.one_engine

LISTS = ("/v1/sms", "/v1/use-cases", "/v1/opt-outs")


def problems(served: Served, path: str, query: str) -> dict[str, Any]:
    """What a list says of a query; {} where it is answered."""
    answer = served.gateway.get(f"{path}?{query}", key=served.tenant.keys[Role.VIEWER])
    if answer.status_code == 200:
        return {}
    assert (answer.status_code, answer.get_json()["code"]) == (422, "ValidationFailed")
    found: dict[str, Any] = answer.get_json()["details"]
    return found


@each("path", LISTS)
@each("value", ["0", "101", "-1", "abc", "1.5", "", "1e2", "9" * 5000, "null"])
def test_a_wrong_limit_is_named(served: Served, path: str, value: str) -> None:
    assert list(problems(served, path, urlencode({"limit": value}))) == ["$.limit"]


@each("path", LISTS)
@each("value", ["1", "20", "100"])
def test_limit_from_1_to_100_is_accepted(served: Served, path: str, value: str) -> None:
    assert problems(served, path, f"limit={value}") == {}


@each("path", LISTS)
@each(
    "token",
    ["", "x", "AAAA", "A" * 21, "A" * 23, "A" * 64, "\u00e9" * 22, "\x00", "=" * 22, "null"],
)
def test_a_wrong_page_token_is_named(served: Served, path: str, token: str) -> None:
    assert problems(served, path, urlencode({"page_token": token})) == {
        "$.page_token": ["Not a page token of this list."]
    }


@each("path", LISTS)
def test_unknown_and_repeated_parameters_are_named(served: Served, path: str) -> None:
    assert problems(served, path, "color=red&Limit=1") == {
        "$.color": ["Unknown field."],
        "$.Limit": ["Unknown field."],
    }
    assert problems(served, path, "limit=1&limit=1&color=red") == {
        "$.limit": ["Given more than once."],
        "$.color": ["Unknown field."],
    }


def test_a_plus_that_was_not_escaped_is_explained(served: Served) -> None:
    """Break: leave out `_LOST_PLUS`: the message shows the number as it was typed."""
    found = problems(
        served,
        "/v1/sms",
        "to_number=+12025550123&created_after=2026-01-31T12:00:00+01:00&limit=a b",
    )
    hint = "In a query, + is written %2B."
    assert [path for path, texts in found.items() if hint in texts] == [
        "$.to_number",
        "$.created_after",
    ]


def test_a_route_without_parameters_refuses_them(served: Served) -> None:
    """Who adds ``dry_run`` to a route without it must not get the real change."""
    path = f"/v1/workspaces/{served.tenant.workspace_id}"
    owner = served.tenant.keys[Role.OWNER]
    answer = served.gateway.post(f"{path}/suspend?dry_run=true", {"reason": "x"}, key=owner)
    assert (answer.status_code, answer.get_json()["details"]) == (
        422,
        {"$.dry_run": ["Unknown field."]},
    )
    assert served.gateway.get(path, key=owner).get_json()["frozen"] is False


def test_monitors_may_add_parameters(served: Served) -> None:
    assert served.gateway.get("/healthz?at=1").status_code == 200


WRONG = [
    ("/v1/sms", "status", "gone"),
    ("/v1/sms", "status", "PENDING"),
    ("/v1/sms", "country", "us"),
    ("/v1/sms", "country", "UK"),
    ("/v1/sms", "use_case_id", "1"),
    ("/v1/sms", "workspace_id", "x"),
    ("/v1/sms", "to_number", "12025550123"),
    ("/v1/sms", "to_number", "+1202\x00"),
    ("/v1/sms", "created_after", "yesterday"),
    ("/v1/sms", "created_after", "2026-01-31"),
    ("/v1/sms", "created_before", "2026-01-31T12:00:00"),
    ("/v1/sms", "created_before", "0001-01-01T00:00:00+01:00"),
    ("/v1/sms", "created_before", "9999-12-31T23:59:59-01:00"),
    ("/v1/use-cases", "workspace_id", "1"),
    ("/v1/use-cases", "active", "maybe"),
    ("/v1/opt-outs", "to_number", "2025550123"),
    ("/v1/opt-outs", "use_case_id", "\ud7ff"),
    ("/v1/opt-outs", "workspace_id", ""),
]


@each(("path", "name", "value"), WRONG)
def test_a_wrong_filter_is_named(served: Served, path: str, name: str, value: str) -> None:
    found = problems(served, path, urlencode({name: value}))
    assert list(found) == [f"$.{name}"]
    assert all(found[f"$.{name}"])


def test_every_wrong_parameter_is_reported(served: Served) -> None:
    wrong = {name: value for path, name, value in WRONG if path == "/v1/sms"} | {"limit": "0"}
    assert problems(served, "/v1/sms", urlencode(wrong)).keys() == {f"$.{name}" for name in wrong}


_NAMES = st.sampled_from(
    [
        *("limit", "page_token", "status", "country", "use_case_id", "workspace_id"),
        *("to_number", "created_after", "created_before", "active"),
    ]
)


@pytest.mark.parametrize("path", LISTS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pairs=st.lists(
        st.tuples(
            _NAMES | st.text(max_size=5),
            st.text(max_size=30) | st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
        ),
        max_size=4,
    )
)
def test_any_query_of_a_list_answers_no_5xx(
    served: Served, path: str, pairs: list[tuple[str, str]]
) -> None:
    try:
        query = urlencode(pairs)
    except UnicodeEncodeError:
        query = urlencode(pairs, errors="surrogatepass")
    problems(served, path, query)
