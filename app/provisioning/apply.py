"""The operations `apply` and `plan`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from app.access.tables import organizations
from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.errors import ValidationFailed
from app.provisioning.entries import read_entries
from app.provisioning.file import THE_FILE, FileProblem, FileProblems, FileRefused
from app.provisioning.plan import Plan, make_plan
from app.provisioning.steps import PlannedChange, Step


@dataclass(frozen=True, slots=True)
class Result:
    changes: tuple[PlannedChange, ...]
    document: dict[str, Any] = field(repr=False)

    def new_tokens(self) -> list[tuple[str, str, str]]:
        scopes = [self.document["organization"], *self.document["workspaces"]]
        return [
            (scope["name"], key["name"], key["token"])
            for scope in scopes
            for key in scope["access_keys"]
            if key["token"] is not None
        ]

    def as_json(self) -> dict[str, Any]:
        return self.document


def apply(
    database: Database, cipher: Cipher, data: object, *, environ: Mapping[str, str], now: datetime
) -> Result:
    """Make the database match parsed data in one transaction; raises `FileRefused`."""
    try:
        with database.writing() as connection:
            # Serialize applies until the end of the transaction.
            query = select(organizations.c.id).order_by(organizations.c.id)
            connection.execute(query.with_for_update(key_share=True)).all()
            planned = _planned(connection, cipher, data, environ, now)
            for step in planned.steps:
                if step.changes or step.always:
                    _run(step)
    except IntegrityError as problem:
        text = "Another process has changed the database: apply the file again."
        raise FileRefused(FileProblem(THE_FILE, text)) from problem
    return Result(planned.changes, planned.result)


def _run(step: Step) -> None:
    """Name the place in the file of what an operation refuses."""
    try:
        step.run()
    except ValidationFailed as problem:
        place = step.changes[0].place if step.changes else THE_FILE
        found = (problem.details or {}).items()
        at = [(f"{place}{path.removeprefix('$')}", text) for path, texts in found for text in texts]
        raise FileRefused(*(FileProblem(*one) for one in at)) from problem


def plan(
    database: Database, cipher: Cipher, data: object, *, environ: Mapping[str, str], now: datetime
) -> tuple[PlannedChange, ...]:
    """List the changes of `apply`; raises `FileRefused`."""
    with database.reading() as connection:
        return _planned(connection, cipher, data, environ, now).changes


def _planned(
    connection: Connection, cipher: Cipher, data: object, environ: Mapping[str, str], now: datetime
) -> Plan:
    problems = FileProblems()
    return make_plan(connection, cipher, read_entries(data, environ, problems), problems, now)
