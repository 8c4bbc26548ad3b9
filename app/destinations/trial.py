"""The wire shape of a dry run: what a change would make of a policy and of past traffic."""

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
    """What a change would have done to the traffic of the last days."""

    days = fields.Integer(required=True, metadata={"example": 30})
    would_block = fields.List(fields.Nested(BlockedTrafficView), required=True)
    would_release = fields.List(fields.Nested(ReleasedTrafficView), required=True)


class DryRunView(Schema):
    """With ``dry_run=true``: what the change would do; nothing was changed."""

    dry_run = fields.Boolean(required=True)
    revision = fields.Integer(required=True, metadata={"description": "The current one."})
    configuration = fields.Nested(DestinationManagement, required=True)
    changes = fields.List(fields.Nested(CountryChangeView), required=True)
    impact = fields.Nested(ImpactView, required=True)
