"""The wire shapes that belong to no feature."""

from marshmallow import Schema, fields


class Error(Schema):
    """Every error of the API."""

    code = fields.String(required=True)
    message = fields.String(required=True)
    details = fields.Dict()


class Health(Schema):
    """The process is alive."""

    status = fields.String(required=True)


class SchemaState(Schema):
    """The migration that the database is at, and the one that the program wants."""

    found = fields.String(required=True, allow_none=True)
    wanted = fields.String(required=True)


class WorkerState(Schema):
    """When a worker was last heard of; reported, not required."""

    heartbeat_at = fields.DateTime(required=True, allow_none=True)


class Readiness(Schema):
    """Whether requests can be served."""

    status = fields.String(required=True)
    database = fields.String(required=True)
    schema = fields.Nested(SchemaState, required=True)
    worker = fields.Nested(WorkerState, required=True)


class Version(Schema):
    """Which program this is."""

    name = fields.String(required=True)
    version = fields.String(required=True)
