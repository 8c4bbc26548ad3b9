"""Routes of the comparison with the provider's geo permissions."""

from uuid import UUID

from marshmallow import Schema, fields

from app.access.guard import Requires
from app.access.principal import Principal, Role
from app.db.engine import Database
from app.destinations.api.http import ANSWER_HEADERS, PATH, open_workspace, policy_answer
from app.destinations.geo_permissions.check import CheckProvider, load_permissions_view
from app.kernel import errors as e
from app.kernel.clock import Clock
from app.web.registry import get_service
from app.web.routes import Answer, Routes

routes = Routes("Destination management", answer_headers=ANSWER_HEADERS)


class ProviderView(Schema):
    """The policy compared with the provider's geo permissions; country codes, sorted."""

    allowed_here_closed_there = fields.List(
        fields.String(), required=True, metadata={"example": ["CA"]}
    )
    closed_here_open_there = fields.List(
        fields.String(), required=True, metadata={"example": ["BR"]}
    )
    high_risk = fields.List(fields.String(), required=True, metadata={"example": ["BR"]})
    unsupported = fields.List(fields.String(), required=True, metadata={"example": []})
    checked_at = fields.DateTime(required=True, allow_none=True)


@routes.add(
    "GET",
    PATH + "/provider",
    guard=Requires(Role.VIEWER),
    answers={200: ProviderView},
    errors=(e.NotFound,),
)
def get_provider(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """Compare the policy with Twilio's geo permissions as last asked."""
    with get_service(Database).reading() as connection:
        effective = open_workspace(connection, principal, workspace_id, capability)
        view = load_permissions_view(connection, effective, get_service(Clock).now())
    return policy_answer(effective, view.as_json())


@routes.add(
    "POST",
    PATH + "/provider",
    guard=Requires(Role.ADMIN),
    answers={200: ProviderView},
    errors=(e.NotFound, e.ProviderMisconfigured, e.ProviderUnavailable),
)
def check_provider(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """Ask Twilio for the workspace's geo permissions now, and compare the policy with them."""
    with get_service(Database).reading() as connection:
        open_workspace(connection, principal, workspace_id, capability)
    checked = get_service(CheckProvider)(workspace_id)
    if not checked:
        raise e.ProviderMisconfigured("This workspace has no account at the provider.")
    (one,) = checked
    if one.problem is not None:
        raise e.ProviderMisconfigured if one.problem.is_misconfigured else e.ProviderUnavailable
    return policy_answer(one.effective, one.view.as_json())
