"""Wire schemas of guards.

The bodies describe the API; `app.guards.configuration` reads them and names every problem.
"""

from typing import Any

from marshmallow import Schema, fields, validate

from app.guards.configuration import parse_configuration
from app.guards.limits import AUTO, GuardConfiguration, GuardMode
from app.kernel.problems import Problems
from app.kernel.whole_numbers import LARGEST_STORED
from app.web.fields import StrictSchema, one_of

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
    """The guards `number` and `prefix`."""

    mode = fields.String(validate=one_of(GuardMode), metadata=_MODE)
    hour = _count()
    day = _count()


class CountryOwnLimits(StrictSchema):
    """The limits of one country."""

    hour = _count_or_auto()
    day = _count_or_auto()


class CountryLimits(CountryOwnLimits):
    """The guard `country`; `countries` maps country codes to limits of their own."""

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


class UseCaseGuardsBody(StrictSchema):
    """The guards of a use case, which take the place of the workspace's."""

    number = fields.Nested(NumberLimits)
    prefix = fields.Nested(NumberLimits)
    country = fields.Nested(CountryLimits)


class GuardsOfWorkspace(UseCaseGuardsBody):
    """The guards of a workspace."""

    workspace = fields.Nested(WorkspaceLimits)
    spend = fields.Nested(SpendLimits)
    delivery = fields.Nested(DeliveryLimits)


class GuardsBody(StrictSchema):
    """Body of ``PUT``: the whole configuration; what is left out has its default."""

    guards = fields.Nested(
        GuardsOfWorkspace, metadata={"example": {"number": {"mode": "enforce", "hour": 10}}}
    )
    use_cases = fields.Dict(
        keys=fields.UUID(), values=fields.Nested(UseCaseGuardsBody), metadata={"example": {}}
    )

    def load(self, data: Any, **_: Any) -> GuardConfiguration:
        """Read a configuration.

        Raises:
            ValidationFailed: with every problem.
        """
        problems = Problems()
        found = parse_configuration(data, problems)
        problems.refuse()
        return found


class CountryAutoView(Schema):
    """What "auto" means for countries; those that are not listed have the first two."""

    hour = fields.Integer(required=True)
    day = fields.Integer(required=True)
    countries = fields.Dict(keys=fields.String(), values=fields.Dict(), required=True)


class WorkspaceAutoView(Schema):
    """What "auto" means for the workspace."""

    minute = fields.Integer(required=True)
    day = fields.Integer(required=True)


class AutoView(Schema):
    """What "auto" means now."""

    country = fields.Nested(CountryAutoView, required=True)
    workspace = fields.Nested(WorkspaceAutoView, required=True)


class GuardsDocument(Schema):
    """The guards of a workspace."""

    workspace_id = fields.UUID(required=True)
    revision = fields.Integer(required=True)
    updated_at = fields.DateTime(required=True)
    guards = fields.Nested(GuardsOfWorkspace, required=True)
    use_cases = fields.Dict(
        keys=fields.UUID(), values=fields.Nested(UseCaseGuardsBody), required=True
    )
    auto = fields.Nested(AutoView, required=True)
