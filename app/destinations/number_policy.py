"""The part of a policy that can decide about one number, read by one statement."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, String, Uuid, bindparam, select

from app.access.tables import organizations, workspaces
from app.destinations.lineage import lineage
from app.destinations.policy import Policy
from app.destinations.rules_of_number import read_rules, rules_of_number
from app.destinations.tables import destination_policies
from app.kernel.errors import NotFound
from app.kernel.phone import Destination


def load_number_policy(connection: Connection, workspace_id: UUID, to: Destination) -> Policy:
    """Load the policy for one number, without the limits of a use case.

    Raises:
        NotFound: there is no such workspace.
    """
    row = connection.execute(
        _STATEMENT,
        {
            "asked": workspace_id,
            "to_number": to.canonical or to.number,
            "country": to.country,
        },
    ).one_or_none()
    if row is None:
        raise NotFound
    return Policy(
        revision=row.revision or 0,
        destinations=row.destinations or {},
        floor=frozenset(row.denied_destinations),
        rules=read_rules(row.rules),
    )


def _statement() -> Select[*tuple[Any, ...]]:
    asked: Any = bindparam("asked", type_=Uuid())
    number: Any = bindparam("to_number", type_=String())
    country: Any = bindparam("country", type_=String())
    walk = lineage(asked)
    return (
        select(
            organizations.c.denied_destinations,
            destination_policies.c.revision,
            destination_policies.c.destinations,
            rules_of_number(walk.c.id, number, country).label("rules"),
        )
        .select_from(workspaces)
        .join(organizations, organizations.c.id == workspaces.c.organization_id)
        .outerjoin(walk, ~walk.c.inherits_destinations)
        .outerjoin(destination_policies, destination_policies.c.workspace_id == walk.c.id)
        .where(workspaces.c.id == asked)
    )


_STATEMENT = _statement()
