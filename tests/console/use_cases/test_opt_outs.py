"""The page of opt-outs: searching, entering and lifting them, and who sees whole numbers."""

from uuid import UUID

import pytest

from app.access.principal import Role
from app.access.tables import audit_events
from app.console.use_cases.opt_outs import source_label
from app.kernel.ids import new_id
from app.use_cases.opt_outs import OptOutSource
from app.use_cases.tables import opt_outs
from support.console import Console, audit_events_of_pages, signed_in
from support.factories import US_NUMBER, Factory, Gateway, Tenant
from support.tables import add_opt_out_row

pytestmark = pytest.mark.one_engine

PATH = "/console/opt-outs"
OTHER = "+12025550199"


def put(
    factory: Factory,
    tenant: Tenant,
    number: str,
    source: str = "keyword",
    use_case_id: UUID | None = None,
) -> UUID:
    return add_opt_out_row(factory, tenant.workspace_id, number, source, use_case_id)


def test_every_source_has_its_words() -> None:
    assert all(source_label(source, 21610) != source for source in OptOutSource)
    assert source_label("crm {import}", 21610) == "crm {import}"


def test_a_number_entered_by_hand_is_refused_from_the_next_send_on(
    gateway: Gateway, console: Console, factory: Factory, tenant: Tenant
) -> None:
    assert "No recipient has replied STOP" in console.get(PATH).text
    spoken = "+1 (202) 555-0123"
    answer = console.post(PATH, {"to_number": spoken, "use_case_id": str(tenant.use_case_id)})
    assert answer.status_code == 303
    (row,) = factory.rows(opt_outs)
    assert (row["to_number"], row["use_case_id"]) == (US_NUMBER, tenant.use_case_id)
    page = console.get(PATH).text
    assert "Added by hand" in page
    assert US_NUMBER in page
    assert gateway.send(tenant).json["code"] == "RecipientOptedOut"
    assert audit_events_of_pages(factory) == [("opt_out.added", "console")]
    assert US_NUMBER not in str(factory.rows(audit_events))


def test_lifting_asks_first_and_explains_twilios_own_block(
    gateway: Gateway, console: Console, factory: Factory, tenant: Tenant
) -> None:
    opt_out_id = put(factory, tenant, US_NUMBER)
    assert "Twilio keeps its own list" in console.get(PATH).text
    answer = console.post(f"{PATH}/{opt_out_id}/remove", on=PATH)
    assert (answer.status_code, factory.rows(opt_outs)) == (303, [])
    assert gateway.send(tenant).status_code == 201
    assert audit_events_of_pages(factory) == [("opt_out.removed", None)]


def test_the_search_finds_the_exact_number_and_the_use_case(
    console: Console, factory: Factory, tenant: Tenant
) -> None:
    put(factory, tenant, US_NUMBER)
    put(factory, tenant, OTHER, "api", tenant.use_case_id)
    found = console.get(f"{PATH}?to_number=%2B1+202+555+0123").text
    assert (US_NUMBER in found, OTHER in found) == (True, False)
    found = console.get(f"{PATH}?use_case_id={tenant.use_case_id}").text
    assert (f"{US_NUMBER}</th>" in found, OTHER in found) == (False, True)
    assert "No results" in console.get(f"{PATH}?to_number=%2B12025550188").text
    wrong = console.get(f"{PATH}?to_number=12")
    assert (wrong.status_code, 'id="search-number-problem"' in wrong.text) == (422, True)


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"to_number": "12"}, "new-number-problem"),
        ({"to_number": US_NUMBER, "use_case_id": str(new_id())}, "new-use-case-problem"),
    ],
)
def test_problems_are_shown_at_their_field(
    console: Console, factory: Factory, form: dict[str, str], problem: str
) -> None:
    answer = console.post(PATH, form)
    assert (answer.status_code, f'id="{problem}"' in answer.text) == (422, True)
    assert factory.rows(opt_outs) == []


def test_whoever_only_looks_sees_masked_numbers(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    put(factory, tenant, US_NUMBER)
    viewer = signed_in(gateway, tenant.keys[Role.VIEWER])
    page = viewer.get(PATH).text
    assert US_NUMBER not in page.replace("example +12025550123", "")
    assert "+12*******23" in page
    assert US_NUMBER in signed_in(gateway, tenant.keys[Role.SENDER]).get(PATH).text


def test_older_ones_follow_and_keep_the_search(
    console: Console, factory: Factory, tenant: Tenant
) -> None:
    for place in range(51):
        put(factory, tenant, f"+120255501{place:02}", "api", tenant.use_case_id)
    first = console.get(f"{PATH}?use_case_id={tenant.use_case_id}").text
    assert "+12025550100" not in first
    older = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert f"use_case_id={tenant.use_case_id}" in older
    second = console.get(older).text
    assert second.count(">API<") == 1
    assert "+12025550100" in second
