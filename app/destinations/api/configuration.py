"""Routes of Bird's Destination management API, field for field."""

from uuid import UUID

from app.access.guard import Requires
from app.access.principal import Principal, Role
from app.db.engine import Database
from app.destinations import changes
from app.destinations.api.http import (
    ANSWER_HEADERS,
    CHANGE_ERRORS,
    DRY_RUN,
    PATH,
    DryRunView,
    check_capability,
    configuration_answer,
    dry_run_answer,
    make_change,
    open_workspace,
    policy_answer,
    policy_view,
)
from app.destinations.api.schemas import (
    AllowBody,
    BlockBody,
    DestinationManagement,
    DestinationManagementBlockResponse,
    MapBody,
    WantedCountries,
    WantedMap,
)
from app.kernel import errors as e
from app.kernel.clock import Clock
from app.web.bodies import JsonBody
from app.web.conditions import CHANGE_HEADERS, change_reason
from app.web.registry import get_service
from app.web.routes import Answer, Routes

routes = Routes("Destination management", answer_headers=ANSWER_HEADERS)
_MAP: JsonBody[WantedMap] = JsonBody(MapBody)
_ALLOW: JsonBody[WantedCountries] = JsonBody(AllowBody)
_BLOCK: JsonBody[WantedCountries] = JsonBody(BlockBody)

# The sentence of Bird's API.
BLOCKED_MESSAGE = (
    "Destinations have been blocked. If the block is not temporary, please cancel any associated "
    "subscriptions to prevent unexpected charges."
)


@routes.add(
    "GET",
    PATH,
    guard=Requires(Role.VIEWER),
    answers={200: DestinationManagement},
    errors=(e.NotFound,),
)
def get_destinations(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """Get the destination configuration of a workspace."""
    with get_service(Database).reading() as connection:
        effective = open_workspace(connection, principal, workspace_id, capability)
    return policy_answer(effective, policy_view(effective))


@routes.add(
    "PUT",
    PATH,
    guard=Requires(Role.ADMIN),
    body=_MAP,
    query=DRY_RUN,
    headers=CHANGE_HEADERS,
    answers={200: (DestinationManagement, DryRunView)},
    errors=CHANGE_ERRORS,
)
def replace_destinations(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """Replace the destination configuration; absent countries are blocked."""
    check_capability(capability)
    wanted = _MAP.read()
    change = changes.replace_all(wanted.destinations, wanted.acknowledge_high_risk)
    changed, dry_run = make_change(principal, workspace_id, capability, change)
    return configuration_answer(changed, dry_run=dry_run)


@routes.add(
    "POST",
    PATH + "/allow",
    guard=Requires(Role.ADMIN),
    body=_ALLOW,
    query=DRY_RUN,
    headers=CHANGE_HEADERS,
    answers={200: (DestinationManagement, DryRunView)},
    errors=CHANGE_ERRORS,
)
def allow_destinations(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """Add countries to the allowed ones, for good or until a time."""
    check_capability(capability)
    wanted = _ALLOW.read()
    if wanted.until is None:
        change = changes.allow(wanted.destinations, wanted.acknowledge_high_risk)
    else:
        now = get_service(Clock).now()
        change = changes.allow_until(
            wanted.destinations,
            wanted.until,
            change_reason(),
            now,
            acknowledged=wanted.acknowledge_high_risk,
        )
    changed, dry_run = make_change(principal, workspace_id, capability, change)
    return configuration_answer(changed, dry_run=dry_run)


@routes.add(
    "POST",
    PATH + "/block",
    guard=Requires(Role.ADMIN),
    body=_BLOCK,
    query=DRY_RUN,
    headers=CHANGE_HEADERS,
    answers={200: (DestinationManagementBlockResponse, DryRunView)},
    errors=CHANGE_ERRORS,
)
def block_destinations(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """Block countries; the entries stay visible as blocked."""
    check_capability(capability)
    change = changes.block(_BLOCK.read().destinations)
    changed, dry_run = make_change(principal, workspace_id, capability, change)
    if dry_run:
        return dry_run_answer(changed)
    body = {"message": BLOCKED_MESSAGE, "configuration": policy_view(changed.effective)}
    return policy_answer(changed.effective, body)
