"""What a viewer sees of recipients, and what a child workspace sees of its parent's rules."""

from dataclasses import replace
from typing import Any

import pytest

from app.access.principal import Role, shown_body, shown_number, shown_reason
from app.kernel.masking import mask_number
from support.console import signed_in
from support.destinations import PolicyClient
from support.factories import BR_NUMBER

RECIPIENT = "+12025550188"  # no example of a form
OTHER = "+12025550147"
LONG_PREFIX = "+1202555016"
NATIONAL = "(202) 555-0147"
SECRET = f"a fraud of {OTHER}, that is {NATIONAL}"
WHY = {"X-Change-Reason": SECRET}


def by(policy: PolicyClient, role: Role) -> PolicyClient:
    return replace(policy, role=role)


def texts(policy: PolicyClient, key: str, paths: list[str]) -> dict[str, str]:
    """What a key reads at paths of the API and, signed in with it, at pages of the console."""
    console = signed_in(policy.gateway, key)
    found = {}
    for path in paths:
        is_page = path.startswith("/console")
        answer = console.get(path) if is_page else policy.gateway.get(path, key=key)
        assert answer.status_code == 200, (path, answer.text)
        found[path] = answer.text
    return found


def test_a_viewer_sees_no_recipient_and_no_text_anywhere(policy: PolicyClient) -> None:
    """Fails where any renderer shows a number or a text without asking `app.access.principal`."""
    sent = policy.gateway.send(policy.tenant, to=RECIPIENT, message="Your code is 1234").get_json()
    opt_out = policy.gateway.post(
        "/v1/opt-outs", {"to_number": OTHER}, key=policy.tenant.keys[Role.ADMIN]
    )
    assert opt_out.status_code == 201
    for kind, value in (("number", BR_NUMBER), ("prefix", LONG_PREFIX)):
        added = policy.ask("POST", "/rules", rule(kind, value), **WHY)
        assert added.status_code == 201, added.text
    prefix = f"/workspaces/{policy.tenant.workspace_id}/destination-management/capability/sms"
    paths = [
        "/v1/sms",
        f"/v1/sms/{sent['id']}",
        f"/v1/sms/{sent['id']}/events",
        f"/v1/sms?to_number=%2B{RECIPIENT[1:]}",
        "/v1/opt-outs",
        f"/v1/opt-outs?to_number=%2B{OTHER[1:]}",
        f"{prefix}/rules",
        f"{prefix}/history",
        f"{prefix}/history?format=csv",
        f"{prefix}/refusals",
        "/v1/workspaces",
        f"/v1/workspaces/{policy.tenant.workspace_id}",
        "/console",
        "/console/messages",
        f"/console/messages/{sent['id']}",
        f"/console/messages/{sent['id']}/life",
        "/console/opt-outs",
        "/console/refusals",
        "/console/destinations",
        "/console/destinations/rules",
        "/console/destinations/history",
        "/console/destinations/history/2",
    ]
    suspended = policy.gateway.post(
        f"/v1/workspaces/{policy.tenant.workspace_id}/suspend",
        {"reason": SECRET},
        key=policy.tenant.keys[Role.ADMIN],
    )
    assert suspended.get_json()["frozen_reason"] == SECRET
    hidden = (RECIPIENT, OTHER, NATIONAL, BR_NUMBER, LONG_PREFIX, "1234")
    seen = texts(policy, policy.tenant.keys[Role.VIEWER], paths)
    leaks = [(path, one) for path, text in seen.items() for one in hidden if one in text]
    assert leaks == []
    read = policy.gateway.get(paths[1], key=policy.tenant.keys[Role.VIEWER]).get_json()
    assert read == {**sent, "to_number": mask_number(RECIPIENT), "body": None}
    whole = policy.gateway.get(paths[1], key=policy.tenant.keys[Role.SENDER]).get_json()
    assert whole == sent
    for path in (paths[3], paths[5]):
        for role in (Role.VIEWER, Role.SENDER):
            items = policy.gateway.get(path, key=policy.tenant.keys[role]).get_json()["items"]
            assert len(items) == 1, (path, role)
            assert (items[0]["to_number"] in hidden) == (role is Role.SENDER)


def test_senders_numbers_are_shown_to_a_viewer(policy: PolicyClient) -> None:
    path = f"/v1/use-cases/{policy.tenant.use_case_id}/senders"
    answer = policy.gateway.get(path, key=policy.tenant.keys[Role.VIEWER])
    assert "+12025550100" in answer.text


def rule(kind: str, value: str) -> dict[str, Any]:
    return {"kind": kind, "value": value, "action": "blocked", "reason": SECRET}


@pytest.mark.parametrize("role", list(Role))
def test_a_child_reads_no_number_rule_of_its_parent(policy: PolicyClient, role: Role) -> None:
    """Fails where `PolicyReader.rules` ignores whose rules they are."""
    child = policy.a_child()
    for kind, value in (("number", OTHER), ("prefix", LONG_PREFIX), ("prefix", "+1202")):
        assert policy.ask("POST", "/rules", rule(kind, value)).status_code == 201
    own = f"/workspaces/{child.tenant.workspace_id}/destination-management/capability/sms"
    paths = [
        own,
        f"{own}/rules",
        f"{own}/history",
        f"{own}/history?format=csv",
        f"{own}/inheritance",
        "/console/destinations",
        "/console/destinations/rules",
        "/console/destinations/inheritance",
        "/console/destinations/history",
    ]
    hidden = (OTHER, LONG_PREFIX, mask_number(OTHER), SECRET, "fraud")
    seen = texts(child, child.tenant.keys[role], paths)
    assert [(path, one) for path, text in seen.items() for one in hidden if one in text] == []
    rules = by(child, role).get("/rules")["items"]
    assert [(one["value"], one["reason"]) for one in rules] == [("+1202", None)]
    assert child.check(OTHER)[0]["rule"] == "number"
    key = policy.factory.keys(policy.tenant.organization_id, None)[Role.SENDER]
    assert OTHER in policy.gateway.get(f"{own}/rules", key=key).text


def test_a_child_that_leaves_keeps_its_parents_number_rules_and_reads_none(
    policy: PolicyClient,
) -> None:
    """Fails without `copied_from`: leaving would hand the parent's numbers to the child."""
    child = policy.a_child()
    assert policy.ask("POST", "/rules", rule("number", OTHER)).status_code == 201
    left = child.inherit(on=False)
    assert left.status_code == 200, left.text
    assert child.check(OTHER)[0]["rule"] == "number"
    own = f"/workspaces/{child.tenant.workspace_id}/destination-management/capability/sms"
    paths = [f"{own}/rules", f"{own}/history", "/console/destinations/rules"]
    paths.append(f"/console/destinations/history/{child.revision}")
    seen = texts(child, child.tenant.keys[Role.OWNER], paths)
    hidden = (OTHER, mask_number(OTHER), SECRET)
    assert [(path, one) for path, text in seen.items() for one in hidden if one in text] == []
    assert child.ask("POST", "/rules", rule("number", RECIPIENT)).status_code == 201
    assert [one["value"] for one in child.get("/rules")["items"]] == [RECIPIENT]


def test_one_rule_decides_for_every_role() -> None:
    for role in Role:
        whole = role is not Role.VIEWER
        assert (shown_number(role, OTHER) == OTHER) == whole
        assert (shown_body(role, "text") == "text") == whole
        assert (shown_reason(role, SECRET) == SECRET) == whole
        assert shown_reason(role, None) is None
