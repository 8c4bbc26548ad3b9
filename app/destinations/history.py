"""The history of a policy, as JSON and CSV."""

import csv
import io
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from app.db.filters import given
from app.db.rows import AnyRow
from app.destinations.rules_difference import RulesDifference, rules_difference
from app.destinations.schemas import HistoryFilter
from app.destinations.state import PolicyState
from app.destinations.store import rule_json, state_of_revision
from app.destinations.tables import destination_revisions
from app.destinations.visible_rules import PolicyReader
from app.kernel.clock import rfc3339
from app.kernel.errors import NotFound

_CSV_COLUMNS = (
    "revision",
    "from_revision",
    "at",
    "actor_kind",
    "actor_name",
    "action",
    "reason",
    "country",
    "from",
    "to",
    "rules",
)


def load_history(connection: Connection, workspace_id: UUID, wanted: HistoryFilter) -> list[AnyRow]:
    """Load a page of revisions, newest first, and one more if a next page exists."""
    columns = destination_revisions.c
    query = (
        select(destination_revisions)
        .where(columns.workspace_id == workspace_id)
        .where(*given((wanted.page_token, columns.id.__lt__)))
        .order_by(columns.id.desc())
        .limit(wanted.limit + 1)
    )
    return list(connection.execute(query))


def load_revision(connection: Connection, workspace_id: UUID, revision: int) -> AnyRow:
    """Load one revision.

    Raises:
        NotFound: the workspace has no such revision.
    """
    columns = destination_revisions.c
    query = select(destination_revisions).where(
        columns.workspace_id == workspace_id, columns.revision == revision
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound
    return row


def rule_changes(rows: Sequence[AnyRow], reader: PolicyReader) -> dict[int, RulesDifference]:
    """Return what each revision changed in the rules, as a reader sees it.

    ``rows`` are consecutive, newest first; the last one is compared with no rules at all.
    """
    states = [*map(state_of_revision, rows), PolicyState()]
    return {
        row.revision: rules_difference(states[place + 1], states[place]).seen_by(
            lambda rules, owner_id=row.workspace_id: reader.rules(rules, owner_id)  # type: ignore[misc]
        )
        for place, row in enumerate(rows)
    }


def render_revision(row: AnyRow, rules_changed: RulesDifference, reader: PolicyReader) -> Any:
    """Write one revision as the API shows it to a reader."""
    rules = reader.rules(state_of_revision(row).rules, row.workspace_id)
    return {
        "revision": row.revision,
        "from_revision": row.from_revision,
        "at": rfc3339(row.at),
        "actor": {
            "kind": row.actor_kind,
            "id": None if row.actor_id is None else str(row.actor_id),
            "name": row.actor_name,
        },
        "action": row.action,
        "reason": reader.reason(row.reason),
        "changes": row.changes,
        "rule_changes": rules_changed.as_json(),
        "inherit": row.inherits,
        "destinations": row.destinations,
        "rules": [rule_json(rule) for rule in rules],
    }


def write_csv(rows: Sequence[AnyRow], limit: int, reader: PolicyReader) -> str:
    """Write up to ``limit`` revisions as CSV, one line per changed country, or one if none changed.

    The first line of a revision names the rules that it added and removed.
    """
    rules_changed = rule_changes(rows, reader)
    text = io.StringIO()
    writer = csv.DictWriter(text, _CSV_COLUMNS)
    writer.writeheader()
    for row in rows[:limit]:
        line = {
            "revision": row.revision,
            "from_revision": row.from_revision,
            "at": rfc3339(row.at),
            "actor_kind": row.actor_kind,
            "actor_name": _inert(row.actor_name),
            "action": row.action,
            "reason": _inert(reader.reason(row.reason) or ""),
        }
        rules = {"rules": _rules_text(rules_changed[row.revision])}
        for place, change in enumerate(row.changes or [{}]):
            writer.writerow(line | change | ({} if place else rules))
    return text.getvalue()


def _rules_text(changed: RulesDifference) -> str:
    return "; ".join(
        f"{verb} {rule.kind} {rule.value} {rule.action}"
        for verb, rules in (("added", changed.added), ("removed", changed.removed))
        for rule in rules
    )


def _inert(text: str) -> str:
    # A spreadsheet takes such a cell for a formula.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
