"""Search forms of messages and refusals."""

import re
from datetime import date, datetime
from typing import Any

from marshmallow import fields, post_load

from app.console.ui.forms import E164Input, PhoneNumberInput, TimeZone, just_after, just_before
from app.destinations.refusals import RefusalFilter
from app.kernel.ids import parse_id
from app.messages.queries.read import MessageFilter
from app.providers.port import Status
from app.web.fields import Country, Id, StrictSchema, Text, one_of
from app.web.pages import PageToken

SHOWN = 25
_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}", re.ASCII)


class _Search(StrictSchema):
    page_token = PageToken(load_default=None)
    zone = TimeZone()
    since = fields.Date(error_messages={"invalid": "Must be a date, for example 2026-01-31."})
    until = fields.Date(error_messages={"invalid": "Must be a date, for example 2026-01-31."})


class NumberSearch(StrictSchema):
    """Query of the page that tries a number."""

    number = E164Input(load_default=None)
    use_case_id = Id(load_default=None)


class WantedMessage(PhoneNumberInput):
    """A recipient's number, our id of a message, or Twilio's SID of it, as a filter."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the name of the filter and its value."""
        text = value.strip() if isinstance(value, str) else value
        if isinstance(text, str):
            message_id = parse_id(text)
            if message_id is not None:
                return "message_id", message_id
            if _SID.fullmatch(text):
                return "message_sid", text
        found = super().deserialize(text, *args, **kwargs)
        return ("to_number", found) if isinstance(found, str) else found


class MessageSearch(_Search):
    """Query of the page of messages."""

    status = fields.String(validate=one_of(Status))
    country = Country()
    use_case_id = Id()
    to_number = WantedMessage()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> MessageFilter:
        first, last = _days(data)
        if "to_number" in data:
            name, value = data.pop("to_number")
            data[name] = value
        status = data.pop("status", None)
        return MessageFilter(
            limit=SHOWN,
            status=None if status is None else Status(status),
            created_after=first,
            created_before=last,
            **data,
        )


class RefusalSearch(_Search):
    """Query of the page of refusals."""

    country = Country()
    code = Text()
    use_case_id = Id()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RefusalFilter:
        first, last = _days(data)
        return RefusalFilter(limit=SHOWN, after=first, before=last, **data)


def _days(data: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
    """Take both days out; return the times just before the first and just after the last."""
    since: date | None = data.pop("since", None)
    until: date | None = data.pop("until", None)
    zone = data.pop("zone", None)
    return just_before(since, zone), just_after(until, zone)
