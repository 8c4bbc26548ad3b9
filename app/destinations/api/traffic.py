"""Routes that check numbers and list refusals."""

from uuid import UUID

from app.access.guard import Requires
from app.access.principal import Principal, Role
from app.db.engine import Database
from app.destinations.api.http import (
    ANSWER_HEADERS,
    PATH,
    check_capability,
    open_workspace,
    policy_answer,
)
from app.destinations.api.schemas import (
    CheckBody,
    RefusalPage,
    RefusalQuery,
    VerdictList,
    WantedCheck,
)
from app.destinations.geo_permissions.permissions import evaluate_numbers, load_geo_permissions
from app.destinations.refusals import RefusalFilter, load_counts, load_refusals, render_refusal
from app.destinations.storage.load import load_use_case_countries
from app.kernel import errors as e
from app.kernel.clock import Clock
from app.web.bodies import JsonBody, Query
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Answer, Routes

routes = Routes("Destination management", answer_headers=ANSWER_HEADERS)
_CHECK: JsonBody[WantedCheck] = JsonBody(CheckBody)
_REFUSALS: Query[RefusalFilter] = Query(RefusalQuery)


@routes.add(
    "POST",
    PATH + "/check",
    guard=Requires(Role.VIEWER),
    body=_CHECK,
    answers={200: VerdictList},
    errors=(e.NotFound,),
)
def check_numbers(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """Judge up to 1,000 numbers as a send would, without sending."""
    check_capability(capability)
    wanted = _CHECK.read()
    countries = None
    with get_service(Database).reading() as connection:
        effective = open_workspace(connection, principal, workspace_id, capability)
        geo_permissions = load_geo_permissions(connection, workspace_id)
        if wanted.use_case_id is not None:
            try:
                countries = load_use_case_countries(connection, workspace_id, wanted.use_case_id)
            except e.NotFound as problem:
                unknown = {"$.use_case_id": ["There is no such use case in this workspace."]}
                raise e.ValidationFailed(unknown) from problem
    policy = effective.policy(countries)
    verdicts = evaluate_numbers(wanted.numbers, policy, geo_permissions, get_service(Clock).now())
    return policy_answer(effective, {"verdicts": verdicts})


@routes.add(
    "GET",
    PATH + "/refusals",
    guard=Requires(Role.VIEWER),
    query=_REFUSALS,
    answers={200: RefusalPage},
    errors=(e.NotFound,),
)
def list_refusals(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """List refusals, newest first, with counts by day, country and code."""
    wanted = _REFUSALS.read()
    with get_service(Database).reading() as connection:
        effective = open_workspace(connection, principal, workspace_id, capability)
        rows = load_refusals(connection, workspace_id, wanted)
        counts = load_counts(connection, workspace_id, get_service(Clock).now())
    body = page(rows, wanted.limit, lambda row: row.id, render_refusal)
    return policy_answer(effective, body | {"counts": counts})
