"""The SQL of a report does what `app.messages.lifecycle` decides, for every pair of statuses."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from app.db.engine import Database
from app.kernel.ids import new_id
from app.messages.delivery.apply_report import (
    AppliedReport,
    Report,
    apply_report,
    move_messages,
)
from app.messages.lifecycle import effects_of, transition
from app.messages.tables import message_events, messages
from app.providers.port import DeliveryReport, Status
from support.callbacks import new_sid
from support.factories import ACCOUNT, US_NUMBER, Factory, Tenant

FACTS = ("handed_off_at", "num_segments", "delivered_at", "errored_at", "error_code")
REPORTED = {"num_segments": 3, "error_code": 30007}
KEPT = {"num_segments": 2, "error_code": 30003}


def _add(factory: Factory, tenant: Tenant, status: Status, sid: str, known: dict[str, Any]) -> Any:
    row = {
        "id": new_id(),
        "workspace_id": tenant.workspace_id,
        "use_case_id": tenant.use_case_id,
        "account_sid": ACCOUNT,
        "submission": "accepted",
        "to_number": US_NUMBER,
        "counted_segments": 1,
        "status": status,
        "message_sid": sid,
        "from_number": "+12025550100",
        "check_at": factory.now,
        "created_at": factory.now,
        "updated_at": factory.now,
    }
    factory.write(insert(messages).values(**row | known))
    return row["id"]


def _expected(
    current: Status, reported: Status, known: dict[str, Any], factory: Factory, report: Report
) -> dict[str, Any]:
    """What the row is afterwards, as the rule says it."""
    decision, facts = transition(current, reported), effects_of(reported)
    reported_facts: dict[str, Any] = dict.fromkeys(FACTS)
    if decision.adds_effects and facts.hand_off:
        reported_facts |= {"handed_off_at": report.at, "num_segments": REPORTED["num_segments"]}
    if decision.adds_effects and facts.delivery:
        reported_facts["delivered_at"] = report.at
    if decision.adds_effects and facts.error:
        reported_facts |= {"errored_at": report.at, "error_code": REPORTED["error_code"]}
    after = {name: reported_facts[name] if known[name] is None else known[name] for name in FACTS}
    is_changed = decision.applied or after != known
    return after | {
        "status": reported if decision.applied else current,
        "updated_at": report.at if is_changed else factory.now,
        "check_at": None if decision.applied and reported.is_terminal else factory.now,
        "event_count": 1,
    }


def _apply_with_others(connection: Connection, report: Report) -> AppliedReport | None:
    """As a report is applied that arrives while others are."""
    (moved,) = move_messages(connection, [report])
    return moved or apply_report(connection, report)


@pytest.mark.parametrize("apply", [apply_report, _apply_with_others])
def test_every_pair_of_statuses_follows_the_rule(
    database: Database,
    factory: Factory,
    tenant: Tenant,
    apply: Callable[[Connection, Report], AppliedReport | None],
) -> None:
    """Break: let `_constants` take `decision.applied` for `decision.adds_effects`."""
    if apply is _apply_with_others and database.is_sqlite:
        return  # there, reports share a commit instead
    wrong = []
    at = factory.now + timedelta(seconds=5)
    nothing: dict[str, Any] = dict.fromkeys(FACTS)
    everything = {name: KEPT.get(name, factory.now) for name in FACTS}
    for current in Status:
        for reported in Status:
            for known in (nothing, everything):
                for has_id in (True, False):
                    sid = new_sid()
                    message_id = _add(factory, tenant, current, sid, known)
                    delivery = DeliveryReport(
                        account_sid=ACCOUNT,
                        message_sid=sid,
                        message_id=message_id if has_id else None,
                        status=reported,
                        provider_status=reported.value,
                        error_code=REPORTED["error_code"],
                        from_number="+12025550100",
                        num_segments=REPORTED["num_segments"],
                        is_signed=has_id,
                    )
                    report = Report(delivery, at)
                    stranger_delivery = replace(delivery, account_sid="AC" + "9" * 32)
                    with database.writing_once() as c:
                        advanced = apply(c, report)
                        stranger = apply(c, Report(stranger_delivery, at))
                    with database.reading() as c:
                        row = c.execute(select(messages).where(messages.c.id == message_id)).one()
                        (event,) = c.execute(
                            select(message_events).where(message_events.c.message_id == message_id)
                        )
                    decision = transition(current, reported)
                    expected = _expected(current, reported, known, factory, report)
                    found = {name: getattr(row, name) for name in expected}
                    event_facts = (event.applied, event.reason, event.status, event.error_code)
                    is_right = (
                        found == expected
                        and event_facts
                        == (decision.applied, decision.reason, reported, REPORTED["error_code"])
                        and advanced is not None
                        and (advanced.applied, advanced.reason)
                        == (decision.applied, decision.reason)
                        and stranger is None
                    )
                    if not is_right:
                        wrong.append(
                            (current, reported, known is nothing, has_id, found, event_facts)
                        )
    assert wrong == []
