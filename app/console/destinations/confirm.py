"""Changes that are previewed, and made at a second submit."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import request
from sqlalchemy import Connection

from app.destinations.manage import Changed, ChangeRequest, ManageDestinations, PolicyChange
from app.destinations.policy.state import CountryChange
from app.kernel.whole_numbers import read_whole_number
from app.users.current_user import CurrentUser
from app.web.registry import get_service


@dataclass(frozen=True, slots=True)
class PolicyPreview:
    """The preview of a change; ``text`` identifies the change."""

    text: str
    revision: int
    changes: tuple[CountryChange, ...]
    impact: dict[str, Any] | None


def dry_run_change(
    connection: Connection,
    current_user: CurrentUser,
    workspace_id: UUID,
    change: PolicyChange,
    text: str,
) -> PolicyPreview:
    asked = ChangeRequest(current_user.actor, dry_run=True)
    changed = get_service(ManageDestinations).within(connection, workspace_id, change, asked)
    return PolicyPreview(text, changed.effective.revision, changed.changes, changed.impact)


def is_confirmed(text: str) -> bool:
    """Whether the form has shown this change."""
    return request.form.get("shown") == text


def make_confirmed(
    current_user: CurrentUser, workspace_id: UUID, change: PolicyChange, reason: str | None = None
) -> Changed:
    """Make a change at the revision of its preview; raises `RevisionMismatch`."""
    given = read_whole_number(request.form.get("revision", ""))
    shown_for = frozenset(() if given is None else {given})
    asked = ChangeRequest(current_user.actor, reason, shown_for)
    return get_service(ManageDestinations)(workspace_id, change, asked)
