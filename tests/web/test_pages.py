"""Lists are read page by page, and what is added or taken away meanwhile confuses nobody."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from app.access.principal import Role
from app.kernel.ids import new_id
from support.factories import Tenant
from support.served import Served


@dataclass(frozen=True)
class Listed:
    """A list, how an item is added to it, and which end a new one stands at."""

    path: str
    add: Callable[[Served, Tenant, int], None]
    newest_first: bool


def _send(served: Served, tenant: Tenant, number: int) -> None:
    assert served.gateway.send(tenant, to=f"+1202555{number:04}").status_code == 201


def _opt_out(served: Served, tenant: Tenant, number: int) -> None:
    key = tenant.keys[Role.ADMIN]
    served.gateway.post("/v1/opt-outs", {"to_number": f"+1202555{number:04}"}, key=key)


def _use_case(served: Served, tenant: Tenant, number: int) -> None:
    if number:  # the tenant came with one
        served.factory.use_case(tenant.workspace_id)


def _endpoint(served: Served, tenant: Tenant, number: int) -> None:
    body = {"url": f"https://hooks.example.com/{number}", "events": ["sms.failed"]}
    served.gateway.post("/v1/webhook-endpoints", body, key=tenant.keys[Role.ADMIN])


LISTS = [
    Listed("/v1/sms", _send, newest_first=True),
    Listed("/v1/opt-outs", _opt_out, newest_first=True),
    Listed("/v1/use-cases", _use_case, newest_first=False),
    Listed("/v1/webhook-endpoints", _endpoint, newest_first=True),
]
EACH_LIST = pytest.mark.parametrize("listed", LISTS, ids=lambda listed: listed.path)


@pytest.fixture
def tenant(served: Served) -> Tenant:
    return served.factory.tenant(served.tenant.organization_id, f"Paged {new_id()}")


def page(served: Served, tenant: Tenant, listed: Listed, query: str) -> tuple[list[str], Any]:
    answer = served.gateway.get(f"{listed.path}?{query}", key=tenant.keys[Role.VIEWER])
    assert answer.status_code == 200
    assert answer.get_json().keys() == {"items", "next_page_token"}
    return [item["id"] for item in answer.get_json()["items"]], answer.get_json()["next_page_token"]


def fill(served: Served, tenant: Tenant, listed: Listed, count: int) -> list[str]:
    for number in range(count):
        listed.add(served, tenant, number)
    ids, token = page(served, tenant, listed, "limit=100")
    assert (len(ids), token) == (count, None)
    return ids


@EACH_LIST
def test_the_pages_of_a_list_are_the_list(served: Served, tenant: Tenant, listed: Listed) -> None:
    everything = fill(served, tenant, listed, 7)
    assert everything == sorted(everything, reverse=listed.newest_first)
    first, token = page(served, tenant, listed, "limit=3")
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    second, next_token = page(served, tenant, listed, f"limit=3&page_token={token}")
    third, last_token = page(served, tenant, listed, f"limit=3&page_token={next_token}")
    assert [len(first), len(second), len(third)] == [3, 3, 1]
    assert first + second + third == everything
    assert last_token is None


@EACH_LIST
def test_a_list_that_ends_with_a_full_page_has_no_next_one(
    served: Served, tenant: Tenant, listed: Listed
) -> None:
    everything = fill(served, tenant, listed, 4)
    assert page(served, tenant, listed, "limit=4") == (everything, None)
    first, token = page(served, tenant, listed, "limit=2")
    assert page(served, tenant, listed, f"limit=2&page_token={token}") == (everything[2:], None)
    assert first == everything[:2]


@EACH_LIST
def test_rows_added_between_pages_shift_nothing(
    served: Served, tenant: Tenant, listed: Listed
) -> None:
    everything = fill(served, tenant, listed, 4)
    first, token = page(served, tenant, listed, "limit=2")
    listed.add(served, tenant, 4)
    rest, _ = page(served, tenant, listed, f"limit=100&page_token={token}")
    assert (first + rest)[:4] == everything
    assert len(rest) == (2 if listed.newest_first else 3)


def test_the_item_that_a_page_ended_with_may_be_gone(served: Served, tenant: Tenant) -> None:
    listed = LISTS[1]
    everything = fill(served, tenant, listed, 4)
    first, token = page(served, tenant, listed, "limit=2")
    path = f"{listed.path}/{first[-1]}"
    assert served.gateway.delete(path, key=tenant.keys[Role.ADMIN]).status_code == 204
    rest, _ = page(served, tenant, listed, f"page_token={token}")
    assert rest == everything[2:]


def test_an_empty_list_is_one_empty_page(served: Served, tenant: Tenant) -> None:
    assert page(served, tenant, LISTS[0], "") == ([], None)


def test_without_a_limit_a_page_has_twenty_items(served: Served, tenant: Tenant) -> None:
    fill(served, tenant, LISTS[1], 21)
    assert len(page(served, tenant, LISTS[1], "")[0]) == 20


def test_a_page_token_opens_no_other_tenants_list(served: Served, tenant: Tenant) -> None:
    fill(served, tenant, LISTS[1], 3)
    _, token = page(served, tenant, LISTS[1], "limit=1")
    other = served.factory.tenant(served.tenant.organization_id, f"Other {new_id()}")
    assert page(served, other, LISTS[1], f"page_token={token}") == ([], None)
