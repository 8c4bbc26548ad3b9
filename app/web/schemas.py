"""Wire schemas that belong to no feature."""

from marshmallow import Schema, fields

from app.web.fields import View


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


class Health(View):
    """The process is alive."""

    status = fields.String(metadata={"example": "ok"})


class SchemaState(View):
    """The migration of the database, and the one that the program needs."""

    found = fields.String(allow_none=True, metadata={"example": "0007"})
    wanted = fields.String(metadata={"example": "0007"})


class WorkerState(View):
    """The last heartbeat of a worker; reported, not required."""

    heartbeat_at = fields.DateTime(allow_none=True)


class ClockState(View):
    """How far this host's clock is ahead of the database's; not required."""

    skew_seconds = fields.Float(allow_none=True, metadata={"example": 0.0})


class Readiness(View):
    """Whether requests can be served."""

    status = fields.String(metadata={"example": "ready"})
    database = fields.String(metadata={"example": "ok"})
    secrets = fields.String(metadata={"example": "ok"})
    schema = fields.Nested(SchemaState)
    worker = fields.Nested(WorkerState)
    clock = fields.Nested(ClockState)


class Version(View):
    """The name and version of this program."""

    name = fields.String(metadata={"example": "borderpost"})
    version = fields.String(metadata={"example": "0.1.0"})
