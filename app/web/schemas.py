"""Wire schemas that belong to no feature."""

from marshmallow import Schema, fields


class Error(Schema):
    """Every error of the API."""

    code = fields.String(
        required=True,
        metadata={"description": "Names the error; programs decide by it", "example": "NotFound"},
    )
    message = fields.String(
        required=True,
        metadata={"description": "Says it to people", "example": "There is no such resource."},
    )
    details = fields.Dict(
        metadata={
            "description": "What else is known. Of ValidationFailed: JSON paths, each with a list "
            "of messages"
        }
    )


class Health(Schema):
    """The process is alive."""

    status = fields.String(required=True, metadata={"example": "ok"})


class SchemaState(Schema):
    """The migration of the database, and the one that the program needs."""

    found = fields.String(required=True, allow_none=True, metadata={"example": "0007"})
    wanted = fields.String(required=True, metadata={"example": "0007"})


class WorkerState(Schema):
    """The last heartbeat of a worker; reported, not required."""

    heartbeat_at = fields.DateTime(required=True, allow_none=True)


class ClockState(Schema):
    """How far this host's clock is ahead of the database's; not required."""

    skew_seconds = fields.Float(required=True, allow_none=True, metadata={"example": 0.0})


class Readiness(Schema):
    """Whether requests can be served."""

    status = fields.String(required=True, metadata={"example": "ready"})
    database = fields.String(required=True, metadata={"example": "ok"})
    secrets = fields.String(required=True, metadata={"example": "ok"})
    schema = fields.Nested(SchemaState, required=True)
    worker = fields.Nested(WorkerState, required=True)
    clock = fields.Nested(ClockState, required=True)


class Version(Schema):
    """The name and version of this program."""

    name = fields.String(required=True, metadata={"example": "borderpost"})
    version = fields.String(required=True, metadata={"example": "0.1.0"})
