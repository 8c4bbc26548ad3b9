"""Routes and schemas of guards.

The bodies only describe the API; `app.guards.configuration` parses them.
"""

from typing import Any
from uuid import UUID

from marshmallow import fields, validate

from app.access.guard import ADMIN, VIEWER
from app.access.principal import Principal, actor_of
from app.access.store import require_workspace
from app.destinations.api.schemas import DryRunQuery
from app.destinations.manage import ChangeRequest
from app.guards.configuration import auto_json, configuration_json, parse_configuration
from app.guards.edits import GuardEdit
from app.guards.limits import (
    AUTO,
    AUTO_FLOORS,
    WINDOWS,
    DeliverySign,
    GuardMode,
    GuardName,
    GuardScope,
    Window,
)
from app.guards.manage import DryRun, GuardsView, ManageGuards
from app.guards.replay import DAYS as REPLAYED_DAYS
from app.guards.suggest import DAYS as SUGGESTED_DAYS, Suggestion
from app.kernel import errors as e
from app.kernel.clock import rfc3339
from app.kernel.whole_numbers import LARGEST_STORED
from app.web.bodies import CHANGE_HEADERS, change_reason, required_revisions
from app.web.fields import StrictSchema, View, about, one_of
from app.web.registry import get_service, reading
from app.web.routes import Answer, Json, Routes, json_answer

_COUNT = validate.Range(min=1, max=LARGEST_STORED)
_PERCENT = validate.Range(min=0, max=100)


class CountOrAuto(fields.Field[Any]):
    """A count, "auto" or null."""


def _limit(guard: GuardName) -> fields.Field[Any]:
    if guard is GuardName.SPEND:
        money = {"pattern": r"^\d{1,9}(\.\d{1,6})?$", "example": None}
        return fields.String(allow_none=True, metadata=money)
    if guard not in AUTO_FLOORS:
        return fields.Integer(allow_none=True, validate=_COUNT)
    auto = AUTO.value
    count = {"type": "integer", "minimum": 1, "maximum": LARGEST_STORED}
    either = {"anyOf": [count, {"type": "string", "enum": [auto]}], "example": auto}
    return CountOrAuto(allow_none=True, metadata=either)


def _limits(guard: GuardName) -> dict[str, fields.Field[Any]]:
    return {window.value: _limit(guard) for window in WINDOWS[guard]}


def _schema(
    name: str, guard: GuardName, mode: GuardMode = GuardMode.ENFORCE, **more: Any
) -> type[StrictSchema]:
    """``mode`` is the example."""
    given = fields.String(validate=one_of(GuardMode), metadata={"example": mode.value})
    return type(name, (StrictSchema,), {"mode": given, **_limits(guard), **more})


NumberLimits = _schema("NumberLimits", GuardName.NUMBER)
CountryOwnLimits = type("CountryOwnLimits", (StrictSchema,), _limits(GuardName.COUNTRY))
CountryLimits = _schema(
    "CountryLimits",
    GuardName.COUNTRY,
    # The limits of single countries, by their codes.
    countries=fields.Dict(
        keys=fields.String(),
        values=fields.Nested(CountryOwnLimits),
        metadata={"example": {"MA": {"hour": 10, "day": 40}}},
    ),
)
WorkspaceLimits = _schema("WorkspaceLimits", GuardName.WORKSPACE)
SpendLimits = _schema("SpendLimits", GuardName.SPEND, GuardMode.OFF)


class DeliveryLimits(StrictSchema):
    """The guard `delivery`: shares delivered, in percent."""

    mode = fields.String(validate=one_of(GuardMode), metadata={"example": "monitor"})
    below = fields.Integer(allow_none=True, validate=_PERCENT, metadata={"example": 30})
    baseline = fields.Integer(validate=_PERCENT, metadata={"example": 60})
    minimum = fields.Integer(validate=_COUNT, metadata={"example": 20})
    counts = fields.String(
        validate=one_of(DeliverySign),
        metadata=about("Shown only if it is `converted`", example="converted"),
    )


class UseCaseGuardsBody(StrictSchema):
    """The guards of a use case, which replace the workspace's."""

    number = fields.Nested(NumberLimits)
    prefix = fields.Nested(NumberLimits)
    country = fields.Nested(CountryLimits)


class GuardsOfWorkspace(UseCaseGuardsBody):
    workspace = fields.Nested(WorkspaceLimits)
    spend = fields.Nested(SpendLimits)
    delivery = fields.Nested(DeliveryLimits)


class GuardsBody(StrictSchema):
    """Body of ``PUT``: the whole configuration; omitted settings get their defaults."""

    guards = fields.Nested(
        GuardsOfWorkspace, metadata={"example": {"number": {"mode": "enforce", "hour": 10}}}
    )
    use_cases = fields.Dict(
        keys=fields.UUID(), values=fields.Nested(UseCaseGuardsBody), metadata={"example": {}}
    )

    def load(self, data: Any, **_: Any) -> GuardEdit:
        """Parse later, to report all problems together."""
        return lambda _, problems: parse_configuration(data, problems)


class CountryAutoView(View):
    """``hour`` and ``day`` apply to countries not listed."""

    hour = fields.Integer()
    day = fields.Integer()
    countries = fields.Dict(keys=fields.String(), values=fields.Dict())


class WorkspaceAutoView(View):
    """The values of "auto" for the workspace."""

    minute = fields.Integer()
    day = fields.Integer()


class AutoView(View):
    country = fields.Nested(CountryAutoView)
    workspace = fields.Nested(WorkspaceAutoView)


class GuardsDocument(View):
    """The guards of a workspace."""

    workspace_id = fields.UUID()
    revision = fields.Integer()
    updated_at = fields.DateTime()
    guards = fields.Nested(GuardsOfWorkspace)
    use_cases = fields.Dict(keys=fields.UUID(), values=fields.Nested(UseCaseGuardsBody))
    auto = fields.Nested(AutoView)


class WouldTripView(View):
    guard = fields.String(validate=one_of(GuardName))
    window = fields.String(validate=one_of(Window))
    scope = fields.String(validate=one_of(GuardScope))
    mode = fields.String(validate=one_of(GuardMode))
    messages = fields.Integer()
    values = fields.Integer(
        metadata=about("Of how many numbers, ranges or countries the messages are")
    )


class GuardsImpactView(View):
    days = fields.Integer()
    messages = fields.Integer()
    would_trip = fields.List(fields.Nested(WouldTripView))


class GuardsDryRun(View):
    """The effect of a change; nothing was changed."""

    dry_run = fields.Boolean()
    revision = fields.Integer()
    guards = fields.Nested(GuardsOfWorkspace)
    use_cases = fields.Dict(keys=fields.UUID(), values=fields.Nested(UseCaseGuardsBody))
    impact = fields.Nested(GuardsImpactView)


class GuardsSuggestion(View):
    """Limits that fit the messages of the last days, as in the body of a change."""

    days = fields.Integer()
    messages = fields.Integer()
    guards = fields.Nested(GuardsOfWorkspace)
    use_cases = fields.Dict(keys=fields.UUID(), values=fields.Nested(UseCaseGuardsBody))


PATH = "/v1/workspaces/{workspace_id}/guards"
routes = Routes("Guards")
_ABSENT = (e.NotFound,)
_REVISION = {"ETag": "The revision of the guards, quoted; give it back in If-Match"}


@routes.add("GET", PATH, VIEWER, {200: GuardsDocument}, answer_headers=_REVISION, errors=_ABSENT)
def get_guards(principal: Principal, workspace_id: UUID) -> Answer:
    """Return the guards of a workspace."""
    _check_access(principal, workspace_id)
    return _answer(get_service(ManageGuards).load(workspace_id))


@routes.add(
    "PUT",
    PATH,
    ADMIN,
    {200: (GuardsDocument, GuardsDryRun)},
    body=GuardsBody,
    query=DryRunQuery,
    headers=CHANGE_HEADERS,
    answer_headers=_REVISION,
    errors=(e.NotFound, e.RevisionMismatch, e.ValidationFailed),
)
def replace_guards(
    principal: Principal, workspace_id: UUID, body: GuardEdit, query: bool
) -> Answer:
    """Replace the guards of a workspace; omitted ones get their defaults."""
    _check_access(principal, workspace_id)
    asked = ChangeRequest(actor_of(principal), change_reason(), required_revisions(), query)
    manage = get_service(ManageGuards)
    if query:
        found = manage.dry_run(workspace_id, body, asked)
        return json_answer(describe_dry_run(found), headers={"ETag": f'"{found.revision}"'})
    return _answer(manage.change(workspace_id, body, asked))


@routes.add("GET", PATH + "/suggestion", VIEWER, {200: GuardsSuggestion}, errors=_ABSENT)
def suggest_guards(principal: Principal, workspace_id: UUID) -> Json:
    """Suggest limits that fit the messages of the last 15 days."""
    _check_access(principal, workspace_id)
    return describe_suggestion(get_service(ManageGuards).suggest(workspace_id))


def _check_access(principal: Principal, workspace_id: UUID) -> None:
    with reading() as connection:
        require_workspace(connection, principal, workspace_id)


def _answer(view: GuardsView) -> Answer:
    return json_answer(describe(view), headers={"ETag": f'"{view.stored.revision}"'})


def describe(view: GuardsView) -> dict[str, Any]:
    stored = view.stored
    return {
        "workspace_id": str(stored.workspace_id),
        "revision": stored.revision,
        "updated_at": rfc3339(stored.updated_at),
        **configuration_json(stored.configuration),
        "auto": auto_json(view.auto),
    }


def describe_dry_run(found: DryRun) -> dict[str, Any]:
    would_trip = [WouldTripView.write(one) for one in found.replayed.would_trip]
    impact = {"days": REPLAYED_DAYS, "messages": found.replayed.messages, "would_trip": would_trip}
    return {
        "dry_run": True,
        "revision": found.revision,
        **configuration_json(found.configuration),
        "impact": impact,
    }


def describe_suggestion(found: Suggestion) -> dict[str, Any]:
    return {
        "days": SUGGESTED_DAYS,
        "messages": found.messages,
        **configuration_json(found.configuration),
    }
