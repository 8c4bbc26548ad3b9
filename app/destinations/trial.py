"""Wire schema of a dry run."""

from marshmallow import Schema, fields

from app.destinations.schemas import CountryChangeView, DestinationManagement


class BlockedTrafficView(Schema):
    """Messages of the last days that would have been refused."""

    country = fields.String(required=True)
    messages = fields.Integer(required=True)
    segments = fields.Integer(required=True)


class ReleasedTrafficView(Schema):
    """Refusals of the last days that would have gone out."""

    country = fields.String(required=True)
    refusals = fields.Integer(required=True)


class ImpactView(Schema):
    """The effect of a change on recent traffic."""

    days = fields.Integer(required=True, metadata={"example": 30})
    would_block = fields.List(fields.Nested(BlockedTrafficView), required=True)
    would_release = fields.List(fields.Nested(ReleasedTrafficView), required=True)


class DryRunView(Schema):
    """Answer with ``dry_run=true``: the effect of the change; nothing was changed."""

    dry_run = fields.Boolean(required=True)
    revision = fields.Integer(required=True, metadata={"description": "The current one."})
    configuration = fields.Nested(DestinationManagement, required=True)
    changes = fields.List(fields.Nested(CountryChangeView), required=True)
    impact = fields.Nested(ImpactView, required=True)
