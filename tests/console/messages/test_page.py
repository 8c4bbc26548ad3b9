"""The pages of messages: the search, one message's life, what each role sees of it."""

import csv
import io
from datetime import timedelta
from html import unescape
from uuid import UUID

import pytest
from sqlalchemy import update
from twilio.http.response import Response

from app.access.principal import Role
from app.kernel.clock import utc_now
from app.kernel.concurrency import LONG_READS
from app.messages.tables import messages
from support.console import Console, signed_in
from support.factories import BR_NUMBER, US_NUMBER, Factory, Gateway, Tenant
from support.fake_twilio import refused

MARKUP = '<script>alert(1)</script> "><img src=x onerror=alert(1)>'


@pytest.fixture
def tenant(factory: Factory) -> Tenant:
    return factory.tenant(factory.organization(), destinations={"US": "allowed", "BR": "allowed"})


def visit(gateway: Gateway, tenant: Tenant, role: Role = Role.SENDER) -> Console:
    return signed_in(gateway, tenant.keys[role])


def listed(console: Console, query: str = "") -> list[str]:
    """The ids that the list links to, in its order."""
    answer = console.get(f"/console/messages{query}")
    assert answer.status_code == 200, answer.text[-500:]
    parts = answer.text.split('href="/console/messages/')[1:]
    return [part[:36] for part in parts]


def test_the_list_shows_the_newest_first_and_links_to_each(
    gateway: Gateway, tenant: Tenant
) -> None:
    sent = [gateway.send(tenant).json["id"] for _ in range(3)]
    assert listed(visit(gateway, tenant)) == sent[::-1]


def test_numbers_are_masked_for_viewers(gateway: Gateway, tenant: Tenant) -> None:
    message_id = gateway.send(tenant).json["id"]
    for path in ("/console/messages", f"/console/messages/{message_id}"):
        shown = visit(gateway, tenant, Role.VIEWER).get(path).text
        assert US_NUMBER not in shown
        assert "+12*******23" in shown
        assert US_NUMBER in visit(gateway, tenant, Role.SENDER).get(path).text


def test_each_filter_narrows_the_list(gateway: Gateway, tenant: Tenant, factory: Factory) -> None:
    us = gateway.send(tenant).json
    brazil = gateway.send(tenant, to=BR_NUMBER).json
    tenant.use_case_id = factory.use_case(tenant.workspace_id)
    other = gateway.send(tenant).json
    gateway.callback(us["id"], us["message_sid"], "delivered")
    gateway.callback(brazil["id"], brazil["message_sid"], "failed", ErrorCode="30005")
    console = visit(gateway, tenant)
    today, tomorrow = utc_now().date(), utc_now().date() + timedelta(days=1)
    assert listed(console, "?status=delivered") == [us["id"]]
    assert listed(console, "?status=failed") == [brazil["id"]]
    assert listed(console, "?status=pending") == [other["id"]]
    assert listed(console, "?status=undelivered") == []
    assert listed(console, "?country=BR") == [brazil["id"]]
    assert listed(console, f"?use_case_id={other['use_case_id']}") == [other["id"]]
    assert listed(console, "?to_number=%2B55+11+96123-4567") == [brazil["id"]]
    assert len(listed(console, f"?since={today}&until={today}")) == 3
    assert listed(console, f"?since={tomorrow}") == []
    assert console.get("/console/messages?zone=Mars/Base").status_code == 422
    assert listed(console, "?status=failed&country=US&to_number=&since=") == []


def test_a_search_without_results_shows_hints(gateway: Gateway, tenant: Tenant) -> None:
    console = visit(gateway, tenant)
    assert "This workspace has not sent anything yet" in console.get("/console/messages").text
    assert (
        "No message in this workspace matches" in console.get("/console/messages?country=FR").text
    )


def test_a_wrong_filter_is_reported_at_its_field(gateway: Gateway, tenant: Tenant) -> None:
    answer = visit(gateway, tenant).get("/console/messages?to_number=12&since=yesterday")
    assert answer.status_code == 422
    assert '<small id="to_number-problem" class="problem">Must be in E.164 form' in answer.text
    assert '<small id="since-problem" class="problem">Must be a date' in answer.text
    assert 'value="12"' in answer.text


def test_pages_follow_each_other_and_keep_the_search(gateway: Gateway, tenant: Tenant) -> None:
    sent = [gateway.send(tenant).json["id"] for _ in range(27)]
    console = visit(gateway, tenant)
    first = console.get("/console/messages?country=US")
    older = unescape(first.text.split('rel="next" href="')[1].split('"')[0])
    assert older.startswith("/console/messages?country=US&page_token=")
    second = console.get(older)
    assert listed(console, "?country=US") + listed(console, older[17:]) == sent[::-1]
    assert 'href="/console/messages?country=US">Newest' in second.text
    assert "Newest" not in first.text


def test_each_report_of_a_message_is_shown(gateway: Gateway, tenant: Tenant) -> None:
    sent = gateway.send(tenant).json
    for word in ("queued", "delivered", "sent", "delivered", "failed"):
        gateway.callback(sent["id"], sent["message_sid"], word)
    shown = visit(gateway, tenant).get(f"/console/messages/{sent['id']}").text
    for expected_text in (
        "No status change.",
        "Marked delivered.",
        "Late, no status change.",
        "Duplicate, no status change.",
        "Contradicts the first final status, which is kept.",
        sent["message_sid"],
        "Revision 1",
        'href="/console/destinations/history"',
    ):
        assert expected_text in shown, expected_text
    words = ("queued", "delivered", "sent")
    places = [shown.index(f'"Twilio status" class="mono">{word}') for word in words]
    assert places == sorted(places)


def test_an_error_is_explained_with_a_link_to_the_vendors_page(
    gateway: Gateway, tenant: Tenant
) -> None:
    sent = gateway.send(tenant).json
    gateway.callback(sent["id"], sent["message_sid"], "undelivered", ErrorCode="30003")
    console = visit(gateway, tenant)
    for path in ("/console/messages", f"/console/messages/{sent['id']}"):
        assert "The phone is off, out of reach" in console.get(path).text
    shown = console.get(f"/console/messages/{sent['id']}").text
    assert 'href="https://www.twilio.com/docs/api/errors/30003"' in shown
    assert "Not delivered" in shown


def test_the_text_is_shown_to_those_who_may_send_while_it_is_kept(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    path = f"/console/messages/{gateway.send(tenant, message='Meet at noon').json['id']}"
    assert "Meet at noon" in visit(gateway, tenant).get(path).text
    assert "Meet at noon" not in visit(gateway, tenant, Role.VIEWER).get(path).text
    factory.write(update(messages).values(body=None, to_number="~0123456789abcde"))
    shown = visit(gateway, tenant).get(path).text
    assert shown.count("erased") == 2
    assert "~0123" not in shown


def test_the_part_that_moves_is_answered_only_when_something_has_changed(
    gateway: Gateway, tenant: Tenant
) -> None:
    sent = gateway.send(tenant).json
    console = visit(gateway, tenant)
    path = f"/console/messages/{sent['id']}"
    page = console.get(path).text
    assert page.count('hx-trigger="every 2s"') == 1
    asked = unescape(page.split('hx-get="')[1].split('"')[0])
    assert (console.get(asked).status_code, console.get(asked).text) == (204, "")
    gateway.callback(sent["id"], sent["message_sid"], "sent")
    part = console.get(asked)
    assert part.status_code == 200
    assert "<html" not in part.text
    assert "hx-get=" in part.text
    asked = unescape(part.text.split('hx-get="')[1].split('"')[0])
    assert console.get(asked).status_code == 204
    gateway.callback(sent["id"], sent["message_sid"], "delivered")
    ended = console.get(asked).text
    assert "Marked delivered" in ended
    assert "hx-get" not in ended
    assert "hx-get" not in console.get(path).text
    assert "Refresh" not in ended


def test_the_page_of_yesterdays_message_does_not_update(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sent = gateway.send(tenant).json
    gateway.callback(sent["id"], sent["message_sid"], "sent")
    yesterday = utc_now() - timedelta(days=1)
    factory.set(messages, UUID(sent["id"]), created_at=yesterday)
    shown = visit(gateway, tenant).get(f"/console/messages/{sent['id']}").text
    assert "hx-get" not in shown
    assert "Some routes have no receipts" in shown
    assert "Refresh" in shown


def test_an_unconfirmed_message_is_explained(gateway: Gateway, tenant: Tenant) -> None:
    gateway.twilio.script.append(Response(500, ""))
    message_id = gateway.send(tenant).json["details"]["id"]
    console = visit(gateway, tenant)
    shown = console.get(f"/console/messages/{message_id}").text
    assert "Not confirmed: Twilio did not confirm the message" in shown
    assert "unconfirmed" in console.get("/console/messages").text


def test_a_send_that_the_provider_refused_is_a_refusal_not_a_message(
    gateway: Gateway, tenant: Tenant
) -> None:
    gateway.twilio.script.append(refused(21610))
    gateway.send(tenant)
    gateway.send(tenant, to="+33612345678")
    gateway.send(tenant, to="+80012345678")
    console = visit(gateway, tenant, Role.VIEWER)
    assert listed(console) == []
    shown = unescape(console.get("/console/refusals").text)
    assert "The recipient replied STOP" in shown
    assert "https://www.twilio.com/docs/api/errors/21610" in shown
    assert "France is not an allowed destination of this workspace." in shown
    assert "The number belongs to no country" in shown
    assert "+33612345678" not in shown
    only = console.get("/console/refusals?country=FR&code=DestinationBlocked").text
    assert only.count("<tr>") == 2
    assert (
        "No refusal in this workspace matches" in console.get("/console/refusals?country=DE").text
    )
    assert console.get("/console/refusals?since=x").status_code == 422


def test_stored_markup_stays_inert(gateway: Gateway, tenant: Tenant, factory: Factory) -> None:
    tenant.use_case_id = factory.use_case(tenant.workspace_id, name=MARKUP)
    sent = gateway.send(tenant, message=MARKUP).json
    gateway.callback(sent["id"], sent["message_sid"], MARKUP[:40], From=MARKUP[:60])
    gateway.send(tenant, to="+33612345678")
    console = visit(gateway, tenant)
    for path in ("messages", f"messages/{sent['id']}", "refusals", "try"):
        shown = console.get(f"/console/{path}").text
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "&lt;script&gt;" in shown, path


def test_a_message_is_found_by_number_id_and_sid(gateway: Gateway, tenant: Tenant) -> None:
    sent = gateway.send(tenant).json
    gateway.send(tenant, to=BR_NUMBER)
    console = visit(gateway, tenant)
    for text in (
        "%2B12025550123",
        "12025550123",
        "1 202 555-0123",
        sent["id"],
        sent["message_sid"],
    ):
        assert listed(console, f"?to_number={text}") == [sent["id"]], text
    assert listed(console, f"?to_number={BR_NUMBER[1:]}&status=failed") == []


@pytest.mark.one_engine
def test_a_list_is_exported_as_its_filter_finds_it(
    gateway: Gateway, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: send the first page alone, or texts as they are."""
    monkeypatch.setattr("app.console.exports._ROWS_AT_ONCE", 2)
    sent = [gateway.send(tenant, message="=1+1").json["id"] for _ in range(5)]
    gateway.send(tenant, to="+33612345678")

    def rows(path: str, role: Role = Role.SENDER) -> list[dict[str, str]]:
        answer = visit(gateway, tenant, role).get(path)
        assert (answer.status_code, answer.mimetype) == (200, "text/csv"), answer.text[-300:]
        return list(csv.DictReader(io.StringIO(answer.text)))

    found = rows("/console/messages.csv?country=US")
    assert [row["id"] for row in found] == sent[::-1]
    assert (found[0]["to_number"], found[0]["text"]) == (US_NUMBER, "'=1+1")
    (masked, *_) = rows("/console/messages.csv", Role.VIEWER)
    assert (masked["to_number"], masked["text"]) == ("+12*******23", "")
    assert rows("/console/messages.csv?status=failed") == []
    assert [row["code"] for row in rows("/console/refusals.csv")] == ["DestinationBlocked"]
    opt_out = {"to_number": US_NUMBER, "source": "=cmd()"}
    gateway.post("/v1/opt-outs", opt_out, key=tenant.keys[Role.ADMIN])
    actions = [row["action"] for row in rows("/console/audit.csv", Role.ADMIN)]
    assert actions == ["opt_out.added"]
    assert visit(gateway, tenant, Role.SENDER).get("/console/audit.csv").status_code == 403
    assert visit(gateway, tenant).get("/console/messages.csv?status=x").status_code == 422


@pytest.mark.one_engine
def test_a_file_that_is_too_large_is_refused_before_it_begins(
    gateway: Gateway, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: in `app/web/routes.py`, leave out the limit. The web server cuts such a file off."""
    gateway.send(tenant)
    monkeypatch.setattr("app.web.routes._LARGEST_FILE", 100)
    answer = visit(gateway, tenant, Role.SENDER).get("/console/messages.csv")
    assert answer.status_code == 400
    assert "choose fewer days, or filter" in answer.text


@pytest.mark.one_engine
def test_few_long_reads_run_at_once_so_that_they_cannot_take_all_threads(
    gateway: Gateway, tenant: Tenant
) -> None:
    """Break: leave out one of the calls of `LONG_READS.slot`."""
    admin, guards = tenant.keys[Role.ADMIN], f"/v1/workspaces/{tenant.workspace_id}/guards"
    console = visit(gateway, tenant, Role.ADMIN)

    def answers() -> dict[str, int]:
        pages = ("messages.csv", "refusals.csv", "audit.csv", "guards?suggested=1")
        found = {page: console.get(f"/console/{page}").status_code for page in pages}
        suggestion = gateway.get(f"{guards}/suggestion", key=admin)
        dry_run = gateway.client.put(
            f"{guards}?dry_run=true",
            json={"guards": {}},
            headers={"Authorization": f"AccessKey {admin}"},
        )
        return found | {"suggestion": suggestion.status_code, "dry run": dry_run.status_code}

    with LONG_READS.slot(), LONG_READS.slot():
        assert set(answers().values()) == {429}, answers()
    assert set(answers().values()) == {200}, answers()
