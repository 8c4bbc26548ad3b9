"""Manage Destinations without scripts: nothing before Save, and then just what was shown."""

import pytest

from app.access.principal import Role
from app.access.tables import organizations
from app.destinations.policy.state import DENIED
from app.kernel.countries import COUNTRIES
from support.console import make_user, open_console
from support.destination_pages import PAGE, DestinationPage, open_page
from support.destinations import PolicyClient
from support.factories import BR_NUMBER, Factory
from support.forms import form_of
from support.geo import store

pytestmark = pytest.mark.one_engine

MARKUP = '"><img src=x onerror=alert(1)><script>alert(1)</script>'
LARGEST_PAGE = 40_000


@pytest.fixture
def page(policy: PolicyClient) -> DestinationPage:
    """The page, opened by an admin."""
    return open_page(policy)


def test_the_three_steps_of_the_documentation_allow_a_country(
    page: DestinationPage, policy: PolicyClient
) -> None:
    shown = page.select("FR", "Save")
    assert (shown.status_code, policy.destinations) == (200, {"US": "allowed"})
    assert "1 change, not saved yet" in page.text
    assert page.press("Save").status_code == 303
    assert policy.destinations == {"US": "allowed", "FR": "allowed"}
    assert "Saved as revision 2." in page.text


def test_the_cross_and_save_block_a_country(page: DestinationPage, policy: PolicyClient) -> None:
    page.press("Remove United States")
    assert "United States</strong> <small>US</small>: allowed → <strong>blocked" in page.text
    assert policy.revision == 1
    page.press("Save", reason="no business there")
    assert policy.destinations == {"US": "blocked"}
    assert policy.history()[0]["reason"] == "no business there"
    assert policy.history()[0]["actor"]["name"] == "admin key"


def test_several_changes_are_saved_as_one_revision(
    page: DestinationPage, policy: PolicyClient
) -> None:
    for code in ("FR", "DE"):
        page.select(code)
    page.press("Remove United States")
    page.select("JP", hours="24")
    assert "4 changes, not saved yet" in page.text
    assert policy.revision == 1
    page.press("Save")
    assert policy.revision == 2
    assert policy.destinations == {"US": "blocked", "FR": "allowed", "DE": "allowed"}
    assert "until" in page.text.partition("<span>Japan</span>")[2][:80]
    assert policy.reaches("+819012345678")


def test_a_change_can_be_taken_back_before_it_is_saved(
    page: DestinationPage, policy: PolicyClient
) -> None:
    page.select("FR")
    page.press("Remove United States")
    page.press("Keep United States")
    page.press("Remove France")
    assert "No changes yet" in page.text
    assert page.press("Save").status_code == 422
    assert "There is nothing to save." in page.text
    assert policy.revision == 1


def test_save_makes_only_previewed_changes(page: DestinationPage, policy: PolicyClient) -> None:
    page.select("FR")
    sent = form_of(page.shown.text, PAGE).pressed("Save") | {"allow": ["FR", "KZ"]}
    page.shown = page.console.post_without_token(PAGE, sent)
    assert page.shown.status_code == 200
    assert "2 changes, not saved yet" in page.text
    assert policy.revision == 1


def test_the_effect_on_past_traffic_is_shown_first(
    page: DestinationPage, policy: PolicyClient
) -> None:
    for _ in range(2):
        assert policy.gateway.send(policy.tenant).status_code == 201
        policy.gateway.send(policy.tenant, to=BR_NUMBER)
    page.press("Remove United States")
    page.select("BR")
    assert "<strong>2</strong> messages (2 segments) to United States" in page.text
    assert "<strong>2</strong> refused sends to Brazil would have been sent." in page.text


def test_the_preview_names_territories_and_closed_countries(
    page: DestinationPage, factory: Factory
) -> None:
    store(factory.database, high_risk=("GB",), GB=False)
    page.select("GB")
    assert "Guernsey, Isle of Man, Jersey: separate from United Kingdom" in page.text
    assert "Blocked at Twilio: United Kingdom" in page.text
    page.select("AQ")
    assert "No phone numbers exist for Antarctica" in page.text


def test_a_high_risk_country_wants_to_be_acknowledged(
    page: DestinationPage, policy: PolicyClient, factory: Factory
) -> None:
    store(factory.database, high_risk=("PK",), PK=True)
    page.select("PK")
    assert "I understand that Pakistan is high-risk" in page.text
    assert page.press("Save").status_code == 422
    assert "Select this to save, or remove Pakistan." in page.text
    assert policy.revision == 1
    assert page.press("Save", acknowledge="PK").status_code == 303
    assert policy.destinations["PK"] == "allowed"


def test_a_country_that_the_organization_denies_is_reported_at_its_field(
    page: DestinationPage, policy: PolicyClient, factory: Factory
) -> None:
    factory.set(organizations, policy.tenant.organization_id, denied_destinations=["KP"])
    page.reload()
    assert "Blocked by your organization: North Korea" in page.text
    assert page.select("KP").status_code == 422
    described = page.text.partition('<select id="country"')[2]
    assert DENIED in described.partition('id="country-problem" class="problem">')[2][:100]
    for step in ("add", "save"):  # nor by a form of one's own
        sent = {"csrf_token": page.console.token(PAGE), "allow": "KP", "revision": "1"}
        page.console.post_without_token(PAGE, sent | {"step": step, "shown": "1;KP;;"})
    assert policy.revision == 1


@pytest.mark.parametrize(
    ("code", "expected_text"),
    [("", "Select a country."), ("US", "This country is already allowed."), ("usa", "Select a")],
)
def test_an_invalid_choice_is_reported_at_its_field(
    page: DestinationPage, code: str, expected_text: str
) -> None:
    page.select("FR")
    assert page.select(code).status_code == 422
    assert expected_text in page.text.partition('id="country-problem"')[2][:100]
    assert "1 change, not saved yet" in page.text


def test_a_later_save_shows_the_other_change_and_keeps_its_own(
    page: DestinationPage, policy: PolicyClient
) -> None:
    page.select("FR")
    page.press("Remove United States")
    policy.allow("DE", X_Change_Reason="a launch")
    assert page.press("Save").status_code == 412
    assert policy.destinations == {"US": "allowed", "DE": "allowed"}
    assert "Someone else saved changes" in page.text
    assert "<strong>admin key</strong>: Allowed countries (revision 2). Allowed: Germany." in (
        page.text.replace(" .", ".")
    )
    assert "a launch" in page.text
    assert "Save shows their changes" not in page.text  # it is shown
    assert "2 changes, not saved yet" in page.text
    assert page.press("Keep theirs and save mine on top", reason="ours").status_code == 303
    assert policy.destinations == {"US": "blocked", "DE": "allowed", "FR": "allowed"}


def test_another_concurrent_change_is_shown_again(
    page: DestinationPage, policy: PolicyClient
) -> None:
    page.select("FR")
    for code in ("DE", "ES"):
        policy.allow(code)
        assert page.press("Save").status_code == 412
    assert page.press("Save").status_code == 303
    assert policy.destinations == dict.fromkeys(("US", "DE", "ES", "FR"), "allowed")


def test_both_changing_one_country_is_pointed_out(
    page: DestinationPage, policy: PolicyClient
) -> None:
    page.select("FR")
    page.press("Remove United States")
    policy.block("US")
    policy.allow_until("2099-01-01T00:00:00Z", "FR")
    page.press("Save")
    assert "You changed this too: France" in page.text
    assert "You changed this too: United States" in page.text
    assert "1 change, not saved yet" in page.text  # the United States are blocked already
    page.press("Save")
    assert policy.destinations == {"US": "blocked", "FR": "allowed"}


def test_an_equal_concurrent_change_leaves_no_pending_change(
    page: DestinationPage, policy: PolicyClient
) -> None:
    page.select("FR")
    policy.allow("FR")
    page.press("Save")
    assert "Your changes are in effect already: France." in page.text
    assert policy.revision == 2


def test_a_preview_of_a_stale_form_reports_it(page: DestinationPage, policy: PolicyClient) -> None:
    page.select("FR")
    policy.allow("DE")
    sent = form_of(page.shown.text, PAGE).pressed("Save")
    part = page.console.post_without_token(f"{PAGE}/preview", sent)
    assert "Save shows their changes before anything is applied" in part.text
    assert "<html" not in part.text
    page.press("Save")
    assert (page.shown.status_code, policy.revision) == (412, 2)


def test_a_viewer_sees_everything(policy: PolicyClient) -> None:
    policy.allow_until("2099-01-01T00:00:00Z", "JP")
    page = open_page(policy, Role.VIEWER)
    assert "Changes require the admin role" in page.text
    for expected_text in ("United States", "Japan", 'data-allowed="JP US"', "Suspend all sends"):
        assert expected_text in page.text


def test_an_inherited_policy_is_shown_and_changed_at_its_owner(policy: PolicyClient) -> None:
    child = policy.a_child(name="Shop")
    page = open_page(child)
    assert "inherits the destinations of a parent workspace" in page.text
    assert "United States" in page.text
    assert 'id="pending-changes"' not in page.text
    assert 'data-kind="inherited"' in page.text
    sent = {"csrf_token": page.console.token(PAGE), "allow": "FR", "revision": "1", "step": "save"}
    answer = page.console.post_without_token(PAGE, sent | {"shown": "1;FR;;"})
    assert answer.status_code == 409
    assert "FR" not in child.destinations


def test_a_user_of_the_parent_gets_a_link_to_it(policy: PolicyClient, factory: Factory) -> None:
    child = policy.a_child(name="Shop")
    organization_id = policy.tenant.organization_id
    roles = {one.tenant.workspace_id: Role.VIEWER for one in (policy, child)}
    make_user(factory, organization_id, {**roles})
    console = open_console(policy.gateway)
    console.sign_in()
    console.post("/console/move", {"workspace_id": str(child.tenant.workspace_id)}, on="/console")
    text = console.get(PAGE).text
    assert "Go to Retail" in text
    console.post_without_token(
        "/console/move", form_of(text, "/console/move", "Go to Retail").pressed("Go to Retail")
    )
    assert "This workspace inherits" not in console.get(PAGE).text


def test_a_freeze_stops_every_send_and_a_thaw_lets_them_go(
    page: DestinationPage, policy: PolicyClient
) -> None:
    assert page.press("Suspend all sends", f"{PAGE}/suspend", reason=" ").status_code == 422
    assert "Must say why." in page.text.partition('id="policy-suspend-reason-problem"')[2][:60]
    assert page.press("Suspend all sends", f"{PAGE}/suspend", reason=MARKUP).status_code == 303
    assert policy.gateway.send(policy.tenant).status_code == 403
    assert "<script>alert" not in page.shown.text
    assert page.press("Resume", f"{PAGE}/resume", reason="a false alarm").status_code == 303
    assert policy.gateway.send(policy.tenant).status_code == 201


def test_stored_texts_stay_texts(page: DestinationPage, policy: PolicyClient) -> None:
    page.select("FR")
    policy.allow("DE", X_Change_Reason=MARKUP)
    page.press("Save", reason=MARKUP)
    assert page.shown.status_code == 412
    assert "&lt;script&gt;" in page.shown.text
    assert "<script>alert" not in page.shown.text
    assert "<img src=x" not in page.shown.text


@pytest.mark.parametrize(
    "sent",
    [
        {"revision": "x", "step": "save"},
        {"revision": "9" * 30, "allow": ["zz", "FR", "<b>"], "temporary": ["FR", "FR.5", "FR.x"]},
        {"step": "remove:" + MARKUP, "block": MARKUP, "shown": MARKUP, "hours": "-1"},
        {"step": "undo:", "acknowledge": MARKUP, "country": MARKUP},
    ],
)
def test_a_forged_form_changes_nothing(
    page: DestinationPage, policy: PolicyClient, sent: dict[str, str | list[str]]
) -> None:
    for path in (PAGE, f"{PAGE}/preview"):
        token = page.console.token(PAGE)
        answer = page.console.post_without_token(path, {"csrf_token": token, **sent})
        assert answer.status_code in {200, 412, 422}
        assert "<script>alert" not in answer.text
    assert policy.revision == 1


def test_the_page_is_small_and_in_one_language(page: DestinationPage, policy: PolicyClient) -> None:
    """Break: name countries in the language of the browser."""
    policy.put(dict.fromkeys(sorted(COUNTRIES)[:50], "allowed"))
    answer = page.console.get(PAGE, Accept_Language="ar")
    assert len(answer.data) < LARGEST_PAGE
    assert '<option value="DE">Germany (DE, +49)</option>' in answer.text


def test_a_click_on_the_map_allows_blocks_and_undoes(
    page: DestinationPage, policy: PolicyClient
) -> None:
    """Break: let `toggle` block a country whose change is pending."""
    sent = form_of(page.shown.text, PAGE).pressed("Save") | {"country": ""}
    for step, more, heading in (
        ("toggle:FR", {}, "1 change, not saved yet"),
        ("toggle:FR", {"allow": "FR"}, "No changes yet"),
        ("toggle:US", {}, "1 change, not saved yet"),
        ("toggle:US", {"block": "US"}, "No changes yet"),
        ("toggle:QQ", {}, "Select a country."),
    ):
        part = page.console.post_without_token(f"{PAGE}/preview", sent | more | {"step": step})
        assert (part.status_code, heading in part.text) == (200, True), step
    assert policy.revision == 1
