"""Adding and removing opt-outs by hand; audit events omit the number."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.access.audit import record_workspace_event
from app.access.principal import Principal
from app.access.store import chosen_workspace
from app.db.rows import AnyRow
from app.kernel.errors import NotFound, ValidationFailed
from app.use_cases.consent_order import record_keyword
from app.use_cases.opt_outs import (
    NewOptOut,
    OptOut,
    add_opt_out,
    find_opt_out,
    load_opt_out,
    remove_opt_out,
)
from app.use_cases.read import load_use_case


def enter_opt_out(
    connection: Connection, principal: Principal, wanted: NewOptOut, now: datetime
) -> AnyRow:
    """Add a number; an existing entry becomes the owner's. Raises `ValidationFailed`."""
    workspace_id = _scope(connection, principal, wanted)
    opt_out = OptOut(workspace_id, wanted.use_case_id, wanted.to_number, wanted.source)
    added = add_opt_out(connection, opt_out, now)
    if added is not None:
        action = "opt_out.added"
        record_workspace_event(
            connection, principal, workspace_id, action, now, target=added, reason=wanted.source
        )
    return find_opt_out(connection, opt_out)


def lift_opt_out(
    connection: Connection, principal: Principal, opt_out_id: UUID, now: datetime
) -> None:
    """Remove an entry; a refusal of an older message does not restore it.

    Raises `NotFound`.
    """
    found = load_opt_out(connection, principal, opt_out_id)
    if found is None:
        raise NotFound
    # First the fact, then the list, as everywhere: the row of the fact is the lock.
    record_keyword(connection, found, True, now)
    if not remove_opt_out(connection, opt_out_id):
        raise NotFound
    action = "opt_out.removed"
    record_workspace_event(
        connection, principal, found.workspace_id, action, now, target=opt_out_id
    )


def _scope(connection: Connection, principal: Principal, wanted: NewOptOut) -> UUID:
    if wanted.use_case_id is None:
        return chosen_workspace(connection, principal, wanted.workspace_id, "$.workspace_id")
    use_case = load_use_case(connection, principal, wanted.use_case_id)
    if use_case is None or wanted.workspace_id not in {None, use_case.row.workspace_id}:
        raise ValidationFailed({"$.use_case_id": ["There is no such use case."]})
    workspace_id: UUID = use_case.row.workspace_id
    return workspace_id
