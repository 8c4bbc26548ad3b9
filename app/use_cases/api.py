"""Routes of use cases."""

from typing import Any
from uuid import UUID

from app.access.guard import Requires
from app.access.principal import Principal
from app.access.roles import Role
from app.db.engine import Database
from app.kernel import errors as e
from app.kernel.clock import rfc3339
from app.use_cases.read import UseCaseFilter, UseCaseRecord, load_use_case, load_use_cases
from app.use_cases.schemas import UseCaseListQuery, UseCasePage, UseCaseView
from app.web.bodies import Query
from app.web.pages import page
from app.web.routes import Answer, Routes, json_answer
from app.web.wiring import service

routes = Routes("Use cases")
_LIST: Query[UseCaseFilter] = Query(UseCaseListQuery)


@routes.add(
    "GET", "/v1/use-cases", guard=Requires(Role.VIEWER), query=_LIST, answers={200: UseCasePage}
)
def list_use_cases(principal: Principal) -> Answer:
    """List use cases, oldest first."""
    wanted = _LIST.read()
    with service(Database).reading() as connection:
        found = load_use_cases(connection, principal, wanted)
    return json_answer(page(found, wanted.limit, lambda record: record.use_case_id, render))


@routes.add(
    "GET",
    "/v1/use-cases/{use_case_id}",
    guard=Requires(Role.VIEWER),
    answers={200: UseCaseView},
    errors=(e.UseCaseNotFound,),
)
def get_use_case(principal: Principal, use_case_id: UUID) -> Answer:
    """Fetch one use case."""
    with service(Database).reading() as connection:
        found = load_use_case(connection, principal, use_case_id)
    if found is None:
        raise e.UseCaseNotFound
    return json_answer(render(found))


def render(record: UseCaseRecord) -> dict[str, Any]:
    """Write a use case with its pool and registrations."""
    row = record.row
    return {
        "id": str(row.id),
        "workspace_id": str(row.workspace_id),
        "name": row.name,
        "messaging_service_sid": row.messaging_service_sid,
        "active": row.active,
        "allowed_destinations": row.allowed_destinations,
        "on_unconfirmed": row.on_unconfirmed,
        "senders": [
            {
                "id": str(sender.id),
                "number": sender.number,
                "type": sender.type,
                "country": sender.country,
            }
            for sender in record.senders
        ],
        "brand": _registration(row.brand_sid, row.brand_status),
        "campaign": _registration(row.campaign_sid, row.campaign_status),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def _registration(sid: str | None, status: str | None) -> dict[str, str | None] | None:
    return None if sid is None else {"sid": sid, "status": status}
