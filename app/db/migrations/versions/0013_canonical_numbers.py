"""canonical numbers: opt-outs, rules, senders and messages name each subscriber in one form.

Two opt-outs, senders or rules that name one subscriber become one. Of rules the one that blocks
stays, and the policy gets a revision. A prefix that no number can begin with and that stands for no
other prefix decides nothing; it is kept and reported.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from app.db.types import UtcDateTime
from app.kernel.clock import rfc3339
from app.kernel.ids import new_id
from app.kernel.masking import mask_number
from app.kernel.number_prefixes import canonical_prefix
from app.kernel.phone import PhoneNumber, resolve

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None

_NUMBERED = ('long_code', 'toll_free')
# START lifts what these put on the list, so an owner's entry outlives them.
_LIFTED_BY_START = ('keyword', 'provider')
_STREAM = {'yield_per': 5000}


def _table(name: str, *columns: str, **typed: Any) -> sa.TableClause:
    return sa.table(
        name, *(sa.column(one) for one in columns), *(sa.column(n, t) for n, t in typed.items())
    )


_opt_outs = _table(
    'opt_outs', 'to_number', 'source', id=sa.Uuid(), workspace_id=sa.Uuid(), use_case_id=sa.Uuid(),
    created_at=UtcDateTime(),
)
_senders = _table(
    'senders', 'number', 'type', 'country', id=sa.Uuid(), use_case_id=sa.Uuid(),
    created_at=UtcDateTime(),
)
_rules = _table(
    'destination_rules', 'kind', 'value', 'action', 'reason', id=sa.Uuid(), workspace_id=sa.Uuid(),
    expires_at=UtcDateTime(), created_at=UtcDateTime(),
)
_policies = _table(
    'destination_policies', 'revision', workspace_id=sa.Uuid(), destinations=sa.JSON(),
    updated_at=UtcDateTime(),
)
_revisions = _table(
    'destination_revisions', 'revision', 'from_revision', 'actor_kind', 'actor_name', 'action',
    'reason', id=sa.Uuid(), workspace_id=sa.Uuid(), at=UtcDateTime(), inherits=sa.Boolean(),
    destinations=sa.JSON(), rules=sa.JSON(), changes=sa.JSON(),
)
_workspaces = _table(
    'workspaces', id=sa.Uuid(), organization_id=sa.Uuid(), inherits_destinations=sa.Boolean()
)
_audit_events = _table(
    'audit_events', 'actor_kind', 'actor_name', 'action', 'target', 'reason', id=sa.Uuid(),
    organization_id=sa.Uuid(), workspace_id=sa.Uuid(), at=UtcDateTime(),
)
_messages = _table('messages', 'to_number', workspace_id=sa.Uuid())


def upgrade() -> None:
    report: list[str] = context.config.attributes.get('report', [])
    connection = op.get_bind()
    report += _report('opt-outs', *_move_opt_outs(connection))
    report += _report('senders', *_move_senders(connection))
    report += _move_rules(connection, datetime.now(UTC))
    report += _report('messages', _move_messages(connection), 0)


def _report(name: str, moved: int, merged: int) -> Iterator[str]:
    if moved or merged:
        yield f'{name}: {moved} brought into canonical form, {merged} merged with another'


def _move_opt_outs(connection: sa.Connection) -> tuple[int, int]:
    def rank(row: Any) -> Any:
        return row.source in _LIFTED_BY_START, row.created_at, row.id

    places = (_opt_outs.c.workspace_id, _opt_outs.c.use_case_id)
    return _merge(connection, _opt_outs, _opt_outs.c.to_number, places, sa.true(), rank)


def _move_senders(connection: sa.Connection) -> tuple[int, int]:
    def rank(row: Any) -> Any:
        return row.created_at, row.id

    counted = _merge(
        connection, _senders, _senders.c.number, (_senders.c.use_case_id,),
        _senders.c.type.in_(_NUMBERED), rank,
    )
    if any(counted):
        numbered = _senders.c.type.in_(_NUMBERED)
        for row in connection.execute(sa.select(_senders).where(numbered)).all():
            country = resolve(row.number).country
            if country != row.country:
                connection.execute(
                    sa.update(_senders).where(_senders.c.id == row.id).values(country=country)
                )
    return counted


def _merge(
    connection: sa.Connection,
    table: sa.TableClause,
    number: Any,
    places: Sequence[Any],
    condition: Any,
    rank: Callable[[Any], Any],
) -> tuple[int, int]:
    """Give each row its canonical number; of those that become the same keep the first by rank."""
    odd = [
        (row, canonical)
        for row in connection.execute(sa.select(table).where(condition), execution_options=_STREAM)
        if (canonical := PhoneNumber.parse(row._mapping[number.name])) is not None
        and canonical != row._mapping[number.name]
    ]
    groups: dict[Any, list[Any]] = defaultdict(list)
    for row, canonical in odd:
        groups[(canonical, *(row._mapping[place.name] for place in places))].append(row)
    moved = merged = 0
    for (canonical, *values), rows in groups.items():
        same = [
            place.is_(None) if value is None else place == value
            for place, value in zip(places, values, strict=True)
        ]
        there = connection.execute(
            sa.select(table).where(condition, number == canonical, *same)
        ).all()
        kept, *others = sorted([*rows, *there], key=rank)
        for other in others:
            connection.execute(sa.delete(table).where(table.c.id == other.id))
        connection.execute(
            sa.update(table).where(table.c.id == kept.id).values({number.name: canonical})
        )
        moved, merged = moved + 1, merged + len(others)
    return moved, merged


def _move_rules(connection: sa.Connection, now: datetime) -> Iterator[str]:
    finer = _rules.c.kind.in_(['number', 'prefix'])
    by_workspace: dict[uuid.UUID, list[Any]] = defaultdict(list)
    for row in connection.execute(sa.select(_rules).where(finer).order_by(_rules.c.id)).all():
        by_workspace[row.workspace_id].append(row)
    for workspace_id, rows in by_workspace.items():
        values = {row.id: _canonical_value(row) for row in rows}
        for row in rows:
            if values[row.id] is None:
                yield (
                    f'workspace {workspace_id}: rule {row.id} about {mask_number(row.value)} '
                    'decides nothing, because no phone number begins so: remove it'
                )
        moved, merged = _move_rules_of(connection, rows, values, now)
        if moved or merged:
            _write_revision(connection, workspace_id, now)
            yield from _report(f'workspace {workspace_id}: rules', moved, merged)


def _canonical_value(row: Any) -> str | None:
    if row.kind == 'prefix':
        return canonical_prefix(row.value)
    return PhoneNumber.parse(row.value) or row.value


def _move_rules_of(
    connection: sa.Connection,
    rows: list[Any],
    values: dict[uuid.UUID, str | None],
    now: datetime,
) -> tuple[int, int]:
    def rank(row: Any) -> Any:
        is_over = row.expires_at is not None and row.expires_at <= now
        return is_over, row.action != 'blocked', row.expires_at is not None, row.created_at

    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.kind, values[row.id] or row.value].append(row)
    moved = merged = 0
    for (_, value), same in groups.items():
        if all(row.value == value for row in same):
            continue
        kept, *others = sorted(same, key=rank)
        for other in others:
            connection.execute(sa.delete(_rules).where(_rules.c.id == other.id))
        connection.execute(sa.update(_rules).where(_rules.c.id == kept.id).values(value=value))
        moved, merged = moved + 1, merged + len(others)
    return moved, merged


def _write_revision(connection: sa.Connection, workspace_id: uuid.UUID, now: datetime) -> None:
    own = _policies.c.workspace_id == workspace_id
    policy = connection.execute(sa.select(_policies).where(own)).one_or_none()
    if policy is None:
        return
    workspace = connection.execute(
        sa.select(_workspaces).where(_workspaces.c.id == workspace_id)
    ).one()
    mine = sa.select(_rules).where(_rules.c.workspace_id == workspace_id)
    rules = connection.execute(mine.order_by(_rules.c.created_at, _rules.c.id)).all()
    number = policy.revision + 1
    entry = {
        'id': new_id(),
        'workspace_id': workspace_id,
        'at': now,
        'actor_kind': 'system',
        'actor_name': 'borderpost db upgrade',
        'reason': 'Numbers and prefixes were brought into canonical form.',
    }
    connection.execute(
        sa.insert(_revisions).values(
            **entry,
            action='numbers_made_canonical',
            revision=number,
            from_revision=policy.revision,
            inherits=workspace.inherits_destinations,
            destinations=policy.destinations,
            rules=[_rule_json(row) for row in rules],
            changes=[],
        )
    )
    connection.execute(
        sa.insert(_audit_events).values(
            **entry,
            action='destinations.numbers_made_canonical',
            organization_id=workspace.organization_id,
            target=str(number),
        )
    )
    connection.execute(
        sa.update(_policies).where(own).values(revision=number, updated_at=now)
    )


def _rule_json(row: Any) -> dict[str, str | None]:
    return {
        'id': str(row.id),
        'kind': row.kind,
        'value': row.value,
        'action': row.action,
        'reason': row.reason,
        'expires_at': rfc3339(row.expires_at) if row.expires_at else None,
        'created_at': rfc3339(row.created_at),
    }


def _move_messages(connection: sa.Connection) -> int:
    columns = _messages.c
    every = (
        sa.select(columns.workspace_id, columns.to_number)
        .where(columns.to_number.like('+%'))
        .distinct()
    )
    odd = [
        (row, canonical)
        for row in connection.execute(every, execution_options=_STREAM)
        if (canonical := PhoneNumber.parse(row.to_number)) is not None
        and canonical != row.to_number
    ]
    return sum(
        connection.execute(
            sa.update(_messages)
            .where(columns.workspace_id == row.workspace_id, columns.to_number == row.to_number)
            .values(to_number=canonical)
        ).rowcount
        for row, canonical in odd
    )


def downgrade() -> None:
    """Numbers keep their canonical form, and merged entries stay merged."""
