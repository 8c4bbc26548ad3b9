"""Sends that wait for the same counter are opened by one statement, all of them or none."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from app.guards.counters import Counter, counters_of
from app.guards.limits import GuardMode, GuardName, GuardScope, Window
from app.guards.tables import guard_counters
from app.guards.watches import Watch
from app.kernel.batches import Batches
from app.kernel.ids import new_id
from app.kernel.phone import PhoneNumber
from app.messages.sending.idempotency import identify
from app.messages.sending.open_submission import (
    Guarded,
    OpenGuarded,
    open_submission,
    open_together,
)
from app.messages.tables import idempotency_keys, messages
from support.factories import ACCOUNT, Factory, Gateway, Tenant
from support.submissions import new_submission

# On SQLite, sends share a commit instead.
on_postgresql = pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def _counters(tenant: Tenant, number: str, limit: int) -> tuple[Counter, ...]:
    workspace = Watch(
        guard=GuardName.WORKSPACE,
        scope=GuardScope.WORKSPACE,
        scope_id=tenant.workspace_id,
        value="",
        mode=GuardMode.MONITOR,
        amount=2,
        limits={Window.MINUTE: limit, Window.DAY: 100},
    )
    to_number = replace(
        workspace, guard=GuardName.NUMBER, value=number, amount=1, limits={Window.HOUR: 5}
    )
    return counters_of([to_number, workspace], f"~{number[-4:]}", NOON)


def _send(
    tenant: Tenant, place: int, *, limit: int = 10, key: str | None = None, number: int = 0
) -> Guarded:
    to_number = f"+1202555010{number or place}"
    body = f'"Ünïcode" 😀 {place}'
    new = new_submission(
        tenant,
        NOON,
        to_number=PhoneNumber(to_number),
        body=body,
        counted_segments=2,
        idempotent=None if key is None else identify(key, {"message": body}),
    )
    return Guarded(new, _counters(tenant, to_number, limit))


def _held(factory: Factory) -> dict[tuple[UUID, str, str], int]:
    return {
        (row["scope_id"], row["guard"], row["value"]): sum(row["short_counts"])
        for row in factory.rows(guard_counters)
    }


def _is_empty(factory: Factory) -> bool:
    return not any(map(factory.rows, (messages, guard_counters, idempotency_keys)))


@on_postgresql
def test_several_sends_are_opened_and_counted_at_once(factory: Factory, tenant: Tenant) -> None:
    """Break: do not sum up the counters of the sends."""
    sends = [_send(tenant, 1), _send(tenant, 2, key="k"), _send(tenant, 3, number=1)]
    opened = open_together(factory.database, sends)

    assert opened is not None
    assert [(is_ours, result.trips) for is_ours, result in opened] == [(True, ())] * 3
    amounts = [{one.key[1]: one.amounts for one in result.counted} for _, result in opened]
    assert amounts == [{"workspace": (2, 2), "number": (1, 0)}] * 3
    assert _held(factory) == {
        (tenant.workspace_id, "workspace", ""): 6,
        (tenant.workspace_id, "number", "~0101"): 2,
        (tenant.workspace_id, "number", "~0102"): 1,
    }
    stored = {row["id"]: row for row in factory.rows(messages)}
    assert {send.new.message_id: send.new.body for send in sends} == {
        message_id: row["body"] for message_id, row in stored.items()
    }
    (first, *_) = sends
    alone = _send(tenant, 1)
    open_submission(factory.database, alone.new)
    one, other = (
        {name: value for name, value in row.items() if name != "id"}
        for row in (
            stored[first.new.message_id],
            next(row for row in factory.rows(messages) if row["id"] == alone.new.message_id),
        )
    )
    assert one == other
    (key,) = factory.rows(idempotency_keys)
    assert key["message_id"] == sends[1].new.message_id


@on_postgresql
def test_nothing_is_written_if_a_limit_does_not_hold_all_of_them(
    factory: Factory, tenant: Tenant
) -> None:
    """Break: leave out `enforce_all`, and the limits of `monitor` are exceeded unseen."""
    sends = [_send(tenant, place, limit=5, key=f"k{place}") for place in (1, 2, 3)]
    assert open_together(factory.database, sends) is None
    assert _is_empty(factory)


@on_postgresql
def test_nothing_is_written_if_an_idempotency_key_is_in_use(
    factory: Factory, tenant: Tenant
) -> None:
    """Break: count without `is_sound`, and the free key stays taken by a send that is not."""
    taken = _send(tenant, 1, key="taken")
    assert open_submission(factory.database, taken.new)[0]
    sends = [_send(tenant, 2, key="free"), _send(tenant, 3, key="taken")]
    opens = OpenGuarded(factory.database, str, lambda *_: pytest.fail("no limit is missing"))

    assert opens._open_together(sends) is None
    assert [row["id"] for row in factory.rows(messages)] == [taken.new.message_id]
    assert len(factory.rows(idempotency_keys)) == 1
    assert factory.rows(guard_counters) == []
    assert [opens._open_alone(send)[0] for send in sends] == [True, False]


@on_postgresql
def test_a_send_that_cannot_be_stored_fails_alone(factory: Factory, tenant: Tenant) -> None:
    """Break: raise every error of the batch but a lost race."""
    orphan = _send(tenant, 1)
    orphan = replace(orphan, new=replace(orphan.new, use_case_id=new_id()))
    opens = OpenGuarded(factory.database, str, lambda *_: pytest.fail("no limit is missing"))

    assert opens._open_together([orphan, _send(tenant, 2)]) is None
    with pytest.raises(IntegrityError):
        opens._open_alone(orphan)
    assert _is_empty(factory)


@on_postgresql
def test_sends_with_the_same_key_or_other_limits_are_not_opened_together(
    factory: Factory, tenant: Tenant
) -> None:
    same_key = [_send(tenant, 1, key="k"), _send(tenant, 2, key="k")]
    other_limits = [_send(tenant, 1), _send(tenant, 2, limit=11)]
    for sends in (same_key, other_limits):
        assert open_together(factory.database, sends) is None
    assert _is_empty(factory)


def test_guarded_sends_of_a_workspace_wait_for_its_first_counter_on_postgresql(
    gateway: Gateway, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: give each send a key of its own. SQLite's writes share a commit instead."""
    keys = []
    do = Batches.do
    monkeypatch.setattr(
        Batches, "do", lambda batches, key, *rest: (keys.append(key), do(batches, key, *rest))[1]
    )
    guarded = factory.tenant(factory.organization(), guarded=True, account_sid=ACCOUNT)
    for _ in range(2):
        assert gateway.send(guarded).status_code == 201
    one = (guarded.workspace_id, "workspace", "")
    opened = [key for key in keys if isinstance(key, tuple)]
    assert opened == ([] if factory.database.is_sqlite else [one, one])
