"""The pages beside the list: rules, inheritance, history with restore."""

from html import unescape

import pytest

from app.access.principal import Role
from app.access.tables import workspaces
from support.console import Console, signed_in
from support.destinations import PolicyClient
from support.factories import BR_NUMBER, US_NUMBER, Factory
from support.forms import form_of
from support.geo import store

pytestmark = pytest.mark.one_engine

PAGE = "/console/destinations"
RULES = f"{PAGE}/rules"
INHERITANCE = f"{PAGE}/inheritance"
HISTORY = f"{PAGE}/history"
MARKUP = '"><img src=x onerror=alert(1)><script>alert(1)</script>'


def press(console: Console, html: str, path: str, label: str, /, **filled: str) -> tuple[int, str]:
    """Press a button of a page and return the status, and the page that comes."""
    sent = form_of(html, path, label).pressed(label, **filled)
    answer = console.post_without_token(path, sent)
    status = answer.status_code
    if status == 303:
        answer = console.get(answer.headers["Location"])
    return status, answer.text


def test_a_rule_is_shown_with_its_effect_and_then_added(
    policy: PolicyClient, console: Console
) -> None:
    assert policy.gateway.send(policy.tenant).status_code == 201
    html = console.get(RULES).text
    assert "No rules" in html
    wanted = {"kind": "prefix", "value": "+1202", "action": "blocked", "reason": "pumped"}
    status, html = press(console, html, RULES, "Preview effect", **wanted)
    assert (status, policy.get("/rules")["items"]) == (200, [])
    assert "<strong>1</strong> message (1 segment) to United States" in html
    status, html = press(console, html, RULES, "Add rule")
    assert (status, "+1202…" in html) == (303, True)
    (rule,) = policy.get("/rules")["items"]
    assert wanted.items() <= rule.items()
    assert policy.gateway.send(policy.tenant).status_code == 422


def test_a_rule_is_added_only_as_it_was_shown(policy: PolicyClient, console: Console) -> None:
    wanted = {"kind": "prefix", "value": "+1202", "action": "blocked"}
    _, html = press(console, console.get(RULES).text, RULES, "Preview effect", **wanted)
    status, html = press(console, html, RULES, "Add rule", value="+1203")
    assert (status, policy.revision) == (200, 1)
    policy.allow("FR")
    status, html = press(console, html, RULES, "Add rule")
    assert (status, policy.revision) == (412, 2)
    assert "Someone else saved changes" in html
    status, _ = press(console, html, RULES, "Add rule")
    assert (status, policy.revision) == (303, 3)


def test_a_rule_may_end_by_itself(policy: PolicyClient, console: Console) -> None:
    wanted = {"kind": "country", "value": "FR", "action": "allowed"}
    wanted["expires_at"] = "2099-01-31T12:00"
    _, html = press(console, console.get(RULES).text, RULES, "Preview effect", **wanted)
    assert "Allowed: France." in html
    press(console, html, RULES, "Add rule")
    assert policy.get("/rules")["items"][0]["expires_at"] == "2099-01-31T12:00:00.000Z"


@pytest.mark.parametrize(
    ("wanted", "field", "expected_text"),
    [
        ({"kind": "number", "value": "911"}, "value", "Must be a number in E.164 form"),
        ({"kind": "country", "value": "usa"}, "value", "alpha-2"),
        ({"value": "+1", "expires_at": "1999-01-01T00:00"}, "expires_at", "Has already passed."),
        ({"value": "+1", "expires_at": MARKUP}, "expires_at", "Must be a time"),
    ],
)
def test_problems_of_a_rule_are_shown_at_their_field(
    policy: PolicyClient, console: Console, wanted: dict[str, str], field: str, expected_text: str
) -> None:
    status, html = press(console, console.get(RULES).text, RULES, "Preview effect", **wanted)
    assert (status, policy.revision) == (422, 1)
    assert expected_text in html.partition(f'id="{field}-problem"')[2][:120]
    assert "<script>alert" not in html


@pytest.mark.parametrize(("kind", "value"), [("country", "PK"), ("prefix", "+92")])
def test_a_rule_for_a_high_risk_country_is_acknowledged_where_the_workspace_asks(
    policy: PolicyClient, console: Console, factory: Factory, kind: str, value: str
) -> None:
    factory.set(workspaces, policy.tenant.workspace_id, acknowledges_high_risk=True)
    store(factory.database, high_risk=("PK",), PK=True)
    wanted = {"kind": kind, "value": value, "action": "allowed"}
    status, html = press(console, console.get(RULES).text, RULES, "Preview effect", **wanted)
    assert (status, "Twilio rates PK high-risk. Confirm below to allow it" in html) == (422, True)
    status, html = press(console, html, RULES, "Preview effect", acknowledge_high_risk="PK")
    assert status == 200
    assert press(console, html, RULES, "Add rule")[0] == 303
    assert policy.get("/rules")["items"][0]["value"] == value


def test_a_rule_is_taken_away_after_a_look_at_the_effect(
    policy: PolicyClient, console: Console
) -> None:
    rule = policy.add_rule("number", BR_NUMBER, "allowed", reason=MARKUP).json
    html = console.get(RULES).text
    assert "<script>alert" not in html
    remove = f"{RULES}/{rule['id']}/remove"
    status, html = press(console, html, remove, f"Remove {BR_NUMBER}")
    assert (status, policy.revision) == (200, 2)
    status, html = press(console, html, remove, "Remove rule", reason="over")
    assert (status, policy.revision) == (303, 3)
    assert policy.history()[0]["reason"] == "over"
    assert console.post(remove, on=RULES).status_code == 404


def test_a_viewer_sees_rules_with_masked_numbers(policy: PolicyClient) -> None:
    policy.add_rule("number", BR_NUMBER, "allowed")
    html = signed_in(policy.gateway, policy.tenant.keys[Role.VIEWER]).get(RULES).text
    assert BR_NUMBER not in html
    assert "+55" in html


def test_a_workspace_follows_its_parent_and_leaves_it(
    policy: PolicyClient, console: Console
) -> None:
    assert "No parent" in console.get(INHERITANCE).text
    child = policy.a_colleague(parent_id=policy.tenant.workspace_id, destinations={"FR": "allowed"})
    console = signed_in(child.gateway, child.tenant.keys[Role.ADMIN])
    html = console.get(INHERITANCE).text
    assert "Allowed: United States. Blocked: France." in " ".join(html.split())
    status, html = press(console, html, INHERITANCE, "Inherit from parent", reason="simpler")
    assert (status, child.get("/inheritance")["inherit"]) == (303, True)
    assert child.reaches(US_NUMBER)
    policy.allow("DE")
    status, html = press(console, html, INHERITANCE, "Stop inheriting")
    assert (status, child.get("/inheritance")["inherit"]) == (412, True)
    status, html = press(console, html, INHERITANCE, "Stop inheriting")
    assert (status, child.destinations) == (303, {"US": "allowed", "DE": "allowed"})
    answer = console.post(INHERITANCE, {"inherit": "true"})
    assert (answer.status_code, child.get("/inheritance")["inherit"]) == (422, False)


def test_history_shows_author_change_and_reason(policy: PolicyClient, console: Console) -> None:
    assert "No changes yet" in console.get(HISTORY).text
    policy.allow("FR", X_Change_Reason=MARKUP)
    policy.block("US")
    html = " ".join(console.get(HISTORY).text.split())
    for expected_text in (
        "admin key",
        "Allowed countries",
        "Allowed: France.",
        "Blocked: United States.",
    ):
        assert expected_text in html
    assert "<script>alert" not in html
    assert "<img src=x" not in html


def test_the_history_has_pages(policy: PolicyClient, console: Console) -> None:
    for code in ("FR", "DE", "ES"):
        policy.allow(code)
    first = console.get(f"{HISTORY}?limit=2").text
    older = unescape(first.partition('rel="next" href="')[2].partition('"')[0])
    assert older.startswith(f"{HISTORY}?limit=2&page_token=")
    second = console.get(older).text
    assert f'href="{HISTORY}/4"' in first
    assert f'href="{HISTORY}/2"' in second
    assert f'href="{HISTORY}/4"' not in second


def test_a_revision_is_restored_after_a_look_at_the_effect(
    policy: PolicyClient, console: Console
) -> None:
    policy.allow("FR")
    policy.block("FR", "US")
    restore = f"{HISTORY}/2/restore"
    html = console.get(f"{HISTORY}/2").text
    assert "Allowed: France, United States." in " ".join(html.split())
    policy.allow("DE")
    status, html = press(console, html, restore, "Restore revision 2")
    assert (status, policy.revision) == (412, 4)
    status, html = press(console, html, restore, "Restore revision 2", reason="a mistake")
    assert (status, policy.destinations) == (303, {"US": "allowed", "FR": "allowed"})
    assert policy.history()[0]["reason"] == "a mistake"
    assert "Restored revision 2" in console.get(HISTORY).text
    assert console.post(restore, on=f"{HISTORY}/2").status_code == 422  # without the look


def test_an_unknown_revision_is_not_found(policy: PolicyClient, console: Console) -> None:
    policy.allow("FR")
    for revision in ("1", "99", "x", "٣", "9" * 30):
        assert console.get(f"{HISTORY}/{revision}").status_code == 404


def test_an_inherited_policy_cannot_be_changed_here(policy: PolicyClient) -> None:
    child = policy.a_colleague(parent_id=policy.tenant.workspace_id)
    child.allow("FR")
    child.inherit(on=True)
    policy.add_rule("prefix", "+1900", "blocked")
    console = signed_in(child.gateway, child.tenant.keys[Role.ADMIN])
    assert "This workspace inherits the rules of" in console.get(RULES).text
    assert "Stop inheriting" in console.get(f"{HISTORY}/2").text
    sent = {"kind": "prefix", "value": "+1", "action": "blocked"}
    assert console.post(RULES, sent).status_code == 409
    answer = console.post(f"{HISTORY}/2/restore", {"shown": "restore 2", "revision": "2"}, on=PAGE)
    assert answer.status_code in {409, 412}
