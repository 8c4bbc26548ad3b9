"""Wire schemas of guards and alerts.

The bodies of guards only describe the API; `app.guards.configuration` parses them.
"""

from typing import Any

from marshmallow import fields, post_load, validate

from app.guards.alerts import AlertKind
from app.guards.configuration import parse_configuration
from app.guards.edits import GuardEdit
from app.guards.limits import AUTO, DeliverySign, GuardMode, GuardName, GuardScope, Window
from app.guards.manage_alerts import AlertFilter, AlertState
from app.kernel.whole_numbers import LARGEST_STORED
from app.web.fields import Choice, Id, StrictSchema, View, about, one_of
from app.web.pages import PageQuery, page_of

_MODE = {"example": "enforce"}
_COUNT = validate.Range(min=1, max=LARGEST_STORED)
_PERCENT = validate.Range(min=0, max=100)


class CountOrAuto(fields.Field[Any]):
    """A count, "auto" or null."""


def _count() -> fields.Integer:
    return fields.Integer(allow_none=True, validate=_COUNT)


def _count_or_auto() -> CountOrAuto:
    return CountOrAuto(
        allow_none=True,
        metadata={
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": LARGEST_STORED},
                {"type": "string", "enum": [AUTO.value]},
            ],
            "example": AUTO.value,
        },
    )


def _money() -> fields.String:
    return fields.String(
        allow_none=True, metadata={"pattern": r"^\d{1,9}(\.\d{1,6})?$", "example": None}
    )


class NumberLimits(StrictSchema):
    mode = fields.String(validate=one_of(GuardMode), metadata=_MODE)
    hour = _count()
    day = _count()


class CountryOwnLimits(StrictSchema):
    hour = _count_or_auto()
    day = _count_or_auto()


class CountryLimits(CountryOwnLimits):
    """The guard `country`; `countries` maps country codes to their own limits."""

    mode = fields.String(validate=one_of(GuardMode), metadata=_MODE)
    countries = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(CountryOwnLimits),
        metadata={"example": {"MA": {"hour": 10, "day": 40}}},
    )


class WorkspaceLimits(StrictSchema):
    """The guard `workspace`, which counts segments."""

    mode = fields.String(validate=one_of(GuardMode), metadata=_MODE)
    minute = _count_or_auto()
    day = _count_or_auto()


class SpendLimits(StrictSchema):
    """The guard `spend`: amounts of money as decimal texts."""

    mode = fields.String(validate=one_of(GuardMode), metadata={"example": "off"})
    day = _money()
    month = _money()


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


class AlertListQuery(PageQuery):
    workspace_id = Id()
    kind = Choice(AlertKind)
    state = Choice(AlertState)
    acknowledged = fields.String(validate=one_of(("true", "false")))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AlertFilter:
        if "acknowledged" in data:
            data["is_acknowledged"] = data.pop("acknowledged") == "true"
        return AlertFilter(**data)


_DETAILS = {
    "guard": "country",
    "window": "hour",
    "scope": "workspace",
    "use_case_id": None,
    "value": "MA",
    "mode": "enforce",
    "limit": 50,
    "hits": 1950,
}


class AlertView(View):
    """An alert; a number in its details is masked."""

    id = fields.UUID()
    workspace_id = fields.UUID()
    kind = fields.String(validate=one_of(AlertKind))
    opened_at = fields.DateTime()
    last_at = fields.DateTime()
    cleared_at = fields.DateTime(allow_none=True)
    acknowledged_at = fields.DateTime(allow_none=True)
    acknowledged_by = fields.String(allow_none=True)
    details = fields.Dict(metadata={"example": _DETAILS})


AlertPage = page_of(AlertView, "A page of alerts, newest first.")
