"""The route of usage, as JSON and as CSV."""

import base64
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from flask import request
from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from app.access.guard import VIEWER
from app.access.principal import Principal
from app.kernel.clock import rfc3339
from app.kernel.errors import ValidationFailed
from app.messages.usage import (
    DEFAULT_DIMENSIONS,
    Dimension,
    UsageFilter,
    load_usage,
    load_worker_signs,
    position_of,
)
from app.web.fields import Id, StrictSchema, Text, View, WholeNumber, about, one_of
from app.web.pages import MAX_LIMIT
from app.web.registry import current_time, reading
from app.web.routes import Answer, Routes, csv_answer, json_answer

routes = Routes("Usage")
_DAYS = 30
_LONGEST_DAYS = 100
_CSV = "text/csv"


@dataclass(frozen=True, slots=True)
class UsageQuery:
    first: date | None
    last: date | None
    group_by: tuple[Dimension, ...]
    workspace_id: Any
    form: Literal["json", "csv"] | None
    limit: int
    page_token: str | None

    def filter(self, today: date) -> UsageFilter:
        """Return the days, by default the last thirty; raises `ValidationFailed`."""
        last = self.last or today
        first = self.first or last - timedelta(days=_DAYS - 1)
        if first > last:
            raise ValidationFailed({"$.from": ["Must not be later than `to`."]})
        if (last - first).days >= _LONGEST_DAYS:
            raise ValidationFailed({"$.from": [f"Must be within {_LONGEST_DAYS} days of `to`."]})
        return UsageFilter(first, last, self.group_by, self.workspace_id)


class Day(fields.Date):
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> date:
        if isinstance(value, str) and len(value) == len("YYYY-MM-DD"):
            with suppress(ValidationError):
                return super()._deserialize(value, *args, **kwargs)
        raise ValidationError("Must be a day, YYYY-MM-DD.")


class Position(Text):
    def read(self, text: str) -> str:
        with suppress(ValueError):
            found = base64.urlsafe_b64decode(text.encode("ascii")).decode("utf-8")
            if _token(found) == text:
                return found
        raise ValidationError("Not a page token of this list.")


def _token(position: str) -> str:
    return base64.urlsafe_b64encode(position.encode()).decode("ascii")


class UsageQuerySchema(StrictSchema):
    first = Day(data_key="from", metadata=about("First day (UTC); 30 days before `to` if left out"))
    last = Day(data_key="to", metadata=about("Last day (UTC); today if left out"))
    group_by = Text(
        load_default=",".join(DEFAULT_DIMENSIONS),
        metadata=about(
            f"Any of {', '.join(Dimension)}, separated by commas", example="day,country"
        ),
    )
    workspace_id = Id(load_default=None, metadata=about("Only this workspace"))
    form = fields.String(
        data_key="format",
        load_default=None,
        validate=one_of(("json", "csv")),
        metadata=about("`csv` answers all rows as CSV, and so does Accept: text/csv"),
    )
    limit = WholeNumber(
        load_default=MAX_LIMIT,
        validate=validate.Range(min=1, max=MAX_LIMIT),
        metadata=about("How many rows at most; CSV has all"),
    )
    page_token = Position(load_default=None, metadata=about("next_page_token of the page before"))

    @validates_schema
    def _check(self, data: dict[str, Any], **_: Any) -> None:
        named = data.get("group_by", "").split(",")
        if len(set(named)) != len(named) or not set(named) <= set(Dimension):
            known = ", ".join(Dimension)
            raise ValidationError(f"Must name any of {known}, each once.", "group_by")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> UsageQuery:
        dimensions = tuple(map(Dimension, data.pop("group_by").split(",")))
        return UsageQuery(
            first=data.pop("first", None), last=data.pop("last", None), group_by=dimensions, **data
        )


class UsageRow(Schema):
    """The sums of one group, after the columns of the group."""

    day = fields.Date(metadata=about("UTC"))
    workspace_id = fields.UUID()
    country = fields.String(allow_none=True, metadata=about("Null for no country"))
    use_case_id = fields.UUID(
        allow_none=True, metadata=about("Null where it was not counted by use case")
    )
    access_key_id = fields.UUID(allow_none=True, metadata=about("Null for sends of the console"))
    messages = fields.Integer(required=True)
    segments = fields.Integer(required=True)
    delivered = fields.Integer(required=True)
    undelivered = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    converted = fields.Integer(
        required=True, metadata=about("Messages with the feedback that they converted")
    )
    refused = fields.Integer(required=True)
    cost = fields.String(
        required=True,
        allow_none=True,
        metadata=about("What Twilio charged, else the estimate", example="1.2300"),
    )
    saved = fields.String(
        required=True,
        allow_none=True,
        metadata=about("The estimated price of what was refused", example="0.4000"),
    )
    currency = fields.String(required=True, allow_none=True, metadata={"example": "USD"})


class UsagePage(View):
    """A page of usage, the newest day first."""

    items = fields.List(fields.Nested(UsageRow))
    next_page_token = fields.String(allow_none=True)
    counted_until = fields.DateTime(
        allow_none=True, metadata=about("Until when the worker has counted; null before it began")
    )


@routes.add("GET", "/v1/usage", VIEWER, {200: (UsagePage, _CSV)}, query=UsageQuerySchema)
def get_usage(principal: Principal, query: UsageQuery) -> Answer:
    """Show messages, refusals and cost by day, country, use case and access key."""
    wanted = query.filter(current_time().date())
    with reading() as connection:
        report = load_usage(connection, principal, wanted)
        until = load_worker_signs(connection).counted_until
    accepts = request.accept_mimetypes
    prefers_csv = accepts.best_match(["application/json", _CSV], "application/json") == _CSV
    if query.form == "csv" or (query.form is None and prefers_csv):
        return csv_answer("usage", report.columns, (line.values() for line in report.lines()))
    if query.page_token is not None:
        report = report.after(query.page_token)
    has_more = len(report.rows) > query.limit
    last = position_of(report.rows[query.limit - 1]) if has_more else None
    return json_answer(
        {
            "items": list(report.lines(query.limit)),
            "next_page_token": None if last is None else _token(last),
            "counted_until": rfc3339(until),
        }
    )
