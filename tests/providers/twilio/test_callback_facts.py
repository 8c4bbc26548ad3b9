"""What a callback tells beside the status: codes, segments, the sender; and odd values of them."""

from typing import Any

from app.access.principal import Role
from app.messages.tables import message_events, messages
from app.use_cases.tables import opt_outs
from support.callbacks import new_sid
from support.factories import US_NUMBER, Factory, Gateway, Tenant
from support.tables import add_opt_out_row
from support.time import ManualClock


def _message(gateway: Gateway, tenant: Tenant, sent: Any) -> Any:
    return gateway.get(f"/v1/sms/{sent['id']}", key=tenant.keys[Role.VIEWER]).json


def _events(gateway: Gateway, tenant: Tenant, sent: Any) -> list[Any]:
    answer = gateway.get(f"/v1/sms/{sent['id']}/events", key=tenant.keys[Role.VIEWER])
    return list(answer.json["items"])


def _report(gateway: Gateway, sent: Any, word: str, **extra: str) -> None:
    answer = gateway.callback(sent["id"], sent["message_sid"], word, **extra)
    assert (answer.status_code, answer.data) == (204, b"")


def test_an_event_has_exactly_its_documented_fields(
    timed_gateway: Gateway, tenant: Tenant, clock: ManualClock
) -> None:
    sent = timed_gateway.send(tenant).json
    for word, extra in (("queued", {}), ("undelivered", {"ErrorCode": "30005"}), ("sent", {})):
        clock.advance(1)
        _report(timed_gateway, sent, word, **extra)
    names = ["at", "status", "provider_status", "error_code", "applied", "reason", "repeats"]
    rows = [
        ["2026-01-31T12:00:01.000Z", "pending", "queued", None, False, None, 0],
        ["2026-01-31T12:00:02.000Z", "undelivered", "undelivered", 30005, True, None, 0],
        ["2026-01-31T12:00:03.000Z", "sent", "sent", None, False, "regression", 0],
    ]
    found = _events(timed_gateway, tenant, sent)
    assert [list(event) for event in found] == [names] * 3
    assert [list(event.values()) for event in found] == rows


def test_an_error_code_on_sent_stays_in_the_event(gateway: Gateway, tenant: Tenant) -> None:
    sent = gateway.send(tenant).json
    _report(gateway, sent, "sent", ErrorCode="30007")
    _report(gateway, sent, "delivered", ErrorCode="30007")
    assert _message(gateway, tenant, sent)["error_code"] is None
    assert [event["error_code"] for event in _events(gateway, tenant, sent)] == [30007, 30007]


def test_a_later_callback_never_erases_an_error_code(gateway: Gateway, tenant: Tenant) -> None:
    for later in ("undelivered", "failed", "delivered", "sent", "queued"):
        sent = gateway.send(tenant).json
        _report(gateway, sent, "undelivered", ErrorCode="30003")
        _report(gateway, sent, later)
        _report(gateway, sent, later, ErrorCode="30008")
        found = _message(gateway, tenant, sent)
        assert (later, found["status"], found["error_code"]) == (later, "undelivered", 30003)


def test_a_repeat_may_bring_the_error_code_that_the_first_lacked(
    gateway: Gateway, tenant: Tenant
) -> None:
    sent = gateway.send(tenant).json
    _report(gateway, sent, "failed")
    _report(gateway, sent, "failed", ErrorCode="30008")
    assert _message(gateway, tenant, sent)["error_code"] == 30008


def test_an_asynchronous_geo_block_is_a_failure_with_its_code(
    gateway: Gateway, tenant: Tenant
) -> None:
    sent = gateway.send(tenant).json
    _report(gateway, sent, "failed", ErrorCode="21408")
    found = _message(gateway, tenant, sent)
    assert (found["status"], found["error_code"]) == ("failed", 21408)
    assert (found["handed_off_at"], found["num_segments"]) == (None, None)


def test_a_late_sent_status_only_fills_the_hand_off_time(
    timed_gateway: Gateway, tenant: Tenant, clock: ManualClock
) -> None:
    sent = timed_gateway.send(tenant).json
    _report(timed_gateway, sent, "failed", ErrorCode="30008")
    before = _message(timed_gateway, tenant, sent)
    clock.advance(2)
    _report(timed_gateway, sent, "sent")
    assert _message(timed_gateway, tenant, sent) == before | {
        "handed_off_at": "2026-01-31T12:00:02.000Z",
        "num_segments": 1,
        "updated_at": "2026-01-31T12:00:02.000Z",
    }


def test_a_report_without_effect_keeps_the_time_of_the_last_change(
    timed_gateway: Gateway, tenant: Tenant, clock: ManualClock
) -> None:
    sent = timed_gateway.send(tenant).json
    _report(timed_gateway, sent, "delivered")
    before = _message(timed_gateway, tenant, sent)
    for word in ("delivered", "sent", "queued", "failed"):
        clock.advance(60)
        _report(timed_gateway, sent, word)
    assert _message(timed_gateway, tenant, sent) == before


def test_the_segments_that_the_provider_counts_win_over_our_own(
    gateway: Gateway, tenant: Tenant
) -> None:
    sent = gateway.send(tenant, message="ж" * 71).json
    _report(gateway, sent, "sent", NumSegments="3")
    assert _message(gateway, tenant, sent)["num_segments"] == 3
    for odd in ("0", "-1", "many", "9999999999", "\uff12"):
        sent = gateway.send(tenant, message="ж" * 71).json
        _report(gateway, sent, "sent", NumSegments=odd)
        assert _message(gateway, tenant, sent)["num_segments"] == 2


def test_the_older_names_of_sid_and_status_count_where_the_newer_are_missing(
    gateway: Gateway, tenant: Tenant
) -> None:
    sent = gateway.send(tenant).json
    old = {"MessageSid": "", "MessageStatus": ""}
    _report(gateway, sent, "delivered", **old)
    assert _message(gateway, tenant, sent)["status"] == "delivered"


ODD_VALUES = [
    {"From": "+1\x002025550100"},
    {"From": "x" * 5000},
    {"From": ""},
    {"From": "\U0001f600" * 100},
    {"ErrorCode": "\x00"},
    {"ErrorCode": "9" * 5000},
    {"ErrorCode": "-1"},
    {"ErrorCode": "0"},
    {"ErrorCode": "3e4"},
    {"ErrorCode": "٣"},
    {"MessageStatus": "\x00"},
    {"MessageStatus": "sent\x00"},
    {"MessageStatus": "x" * 5000},
    {"MessageStatus": "é" * 100},
    {"MessageStatus": " sent "},
    {"MessageSid": "\x00"},
    {"MessageSid": "SM" + "1" * 5000},
    {"NumSegments": "\x00"},
    {"New\x00Name": "\x00"},
]


def test_odd_values_are_taken_or_left_and_never_an_error_of_ours(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    for extra in ODD_VALUES:
        sent = gateway.send(tenant).json
        answer = gateway.callback(sent["id"], sent["message_sid"], "sent", **extra)
        assert (extra, answer.status_code) == (extra, 204)
    rows = factory.rows(messages)
    assert len(rows) == len(ODD_VALUES)
    assert {row["error_code"] for row in rows} == {None}
    assert max(len(row["from_number"] or "") for row in rows) == 64
    assert all("\x00" not in repr(event) for event in factory.rows(message_events))


def test_an_opt_out_that_a_callback_reports_goes_on_the_list(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sent = gateway.send(tenant).json
    for _ in range(2):
        _report(gateway, sent, "failed", ErrorCode="21610")
    (row,) = factory.rows(opt_outs)
    assert (row["to_number"], row["source"]) == (US_NUMBER, "provider")
    assert (row["workspace_id"], row["use_case_id"]) == (tenant.workspace_id, tenant.use_case_id)
    again = gateway.send(tenant)
    assert (again.status_code, again.json["code"]) == (422, "RecipientOptedOut")
    assert len(gateway.twilio.calls) == 1


def test_an_opt_out_that_an_owner_entered_stays_as_it_was(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sent = gateway.send(tenant).json
    add_opt_out_row(factory, tenant.workspace_id, US_NUMBER, "owner", tenant.use_case_id)
    before = factory.rows(opt_outs)
    _report(gateway, sent, "failed", ErrorCode="21610")
    assert factory.rows(opt_outs) == before


def test_an_opt_out_for_an_unknown_message_is_ignored(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    gateway.send(tenant)
    gateway.callback(None, new_sid(), "failed", ErrorCode="21610")
    assert factory.rows(opt_outs) == []
